//! One input made of others: cut, joined, and changed the ways that decoders mind.

use crate::chance::Chance;

/// Numbers at the edges of what decoders check.
const EDGES: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX.unsigned_abs(),
    u64::MAX - 1,
    u64::MAX,
];

/// How an input is changed.
pub(crate) struct Mutator {
    pub(crate) words: &'static [&'static [u8]],
    pub(crate) size_max: usize,
}

impl Mutator {
    /// Changes the input in a few ways; `other` is one to take from.
    pub(crate) fn change(&self, input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
        let is_framed = frame_length(input) == Some(input.len());
        // Mostly few changes: an input that goes deep has much that must stay.
        let most = 1 << chance.below(4);
        let changes = 1 + chance.below(most);
        for _ in 0..changes {
            self.change_once(input, other, chance);
        }
        input.truncate(self.size_max);
        // A frame whose length is wrong is refused for that alone.
        if is_framed && !chance.once_in(4) {
            mend_length(input);
        }
    }

    fn change_once(&self, input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
        let at = chance.below(input.len());
        match chance.below(14) {
            0 | 1 => with_byte(input, at, |byte| byte ^ (1 << chance.below(8))),
            2 => with_byte(input, at, |_| chance.byte()),
            3 => with_byte(input, at, |byte| byte.wrapping_add(chance.byte() % 16).wrapping_sub(8)),
            4 => write_over(input, at, &edge(chance)),
            5 => insert(input, at, &edge(chance)),
            6 => insert(input, at, &(0..=chance.below(8)).map(|_| chance.byte()).collect::<Vec<_>>()),
            7 => drop(input.drain(at..input.len().min(at + 1 + some_length(input.len(), chance)))),
            8 => {
                let piece = piece(input, chance);
                insert(input, at, &piece);
            }
            9 => {
                let piece = piece(input, chance);
                write_over(input, at, &piece);
            }
            10 => insert(input, at, &piece(other, chance)),
            11 => {
                // The front of this one, the back of the other.
                input.truncate(at);
                input.extend(&other[chance.below(other.len() + 1)..]);
            }
            12 if !self.words.is_empty() => insert(input, at, self.words[chance.below(self.words.len())]),
            13 if !self.words.is_empty() => write_over(input, at, self.words[chance.below(self.words.len())]),
            _ => input.truncate(at),
        }
    }
}

fn with_byte(input: &mut [u8], at: usize, change: impl FnOnce(u8) -> u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte = change(*byte);
    }
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let at = at.min(input.len());
    drop(input.splice(at..at, bytes.iter().copied()));
}

fn write_over(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let at = at.min(input.len());
    let end = input.len().min(at + bytes.len());
    drop(input.splice(at..end, bytes.iter().copied()));
}

/// A number at an edge, the ways that numbers are written: of fixed size, either end first, or as postcard's varint.
fn edge(chance: &mut Chance) -> Vec<u8> {
    let number = EDGES[chance.below(EDGES.len())];
    let size = 1 << chance.below(4);
    match chance.below(3) {
        0 => number.to_be_bytes()[8 - size..].to_vec(),
        1 => number.to_le_bytes()[..size].to_vec(),
        _ => varint(number),
    }
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

fn piece(from: &[u8], chance: &mut Chance) -> Vec<u8> {
    let at = chance.below(from.len());
    let end = from.len().min(at + 1 + some_length(from.len(), chance));
    from[at.min(from.len())..end].to_vec()
}

/// Mostly short.
fn some_length(size: usize, chance: &mut Chance) -> usize {
    let at_most = if chance.once_in(4) { size } else { size.min(16) };
    chance.below(at_most)
}

/// How long the input would be, if it is a target's byte and one frame.
fn frame_length(input: &[u8]) -> Option<usize> {
    let length = input.get(1..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_be_bytes(*length)).ok()?.checked_add(5)
}

fn mend_length(input: &mut [u8]) {
    let Some(size) = input.len().checked_sub(5).and_then(|size| u32::try_from(size).ok()) else { return };
    input[1..5].copy_from_slice(&size.to_be_bytes());
}
