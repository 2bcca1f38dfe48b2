//! A switch in user space, which can do to each way between two of its ports what bad networks do: delay, reorder, lose and double
//! frames, or carry none at all. (The kernel's own netem does the same, where there is one.)

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A port, by the order in which they came.
pub(crate) type Port = usize;

/// What becomes of frames from one port to another.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way {
    /// It carries nothing.
    pub(crate) cut: bool,
    /// Each frame is so much later, at least and at most, whatever that does to the order.
    pub(crate) later_ms: Option<(u64, u64)>,
    /// One frame in so many is lost.
    pub(crate) lost_one_in: Option<u64>,
    /// One frame in so many comes twice.
    pub(crate) twice_one_in: Option<u64>,
}

/// The switch. Clones are the same.
#[derive(Clone)]
pub(crate) struct Switch {
    /// By port it comes from, then by port it goes to.
    ways: Arc<RwLock<Vec<Vec<Way>>>>,
}

/// The largest frame, with room for a tag.
const FRAME_MAX: usize = 1_522;

/// How many frames wait to be late. Beyond that they are lost, as in any switch.
const LATE_MAX: usize = 100_000;

/// The hardware address of whoever is at a port.
pub(crate) fn address(port: Port) -> [u8; 6] {
    // Locally administered.
    [2, 0, 0, 0, 0, u8::try_from(port + 1).unwrap_or(u8::MAX)]
}

impl Switch {
    /// Carries frames between these interfaces for as long as the process runs.
    pub(crate) fn between(interfaces: Vec<File>, seed: u64) -> Self {
        let count = interfaces.len();
        let ways = Arc::new(RwLock::new(vec![vec![Way::default(); count]; count]));
        let ports = Arc::new(interfaces);
        let late = Arc::new(Late::default());
        for port in 0..count {
            let (ports, ways, late) = (Arc::clone(&ports), Arc::clone(&ways), Arc::clone(&late));
            let mut rng = StdRng::seed_from_u64(seed ^ port as u64);
            std::thread::spawn(move || carry(port, &ports, &ways, &late, &mut rng));
        }
        std::thread::spawn(move || late.deliver(&ports));
        Self { ways }
    }

    /// Changes each way that is chosen.
    pub(crate) fn change(&self, chosen: impl Fn(Port, Port) -> bool, change: impl Fn(&mut Way)) {
        let mut ways = self.ways.write().unwrap_or_else(PoisonError::into_inner);
        for (from, row) in ways.iter_mut().enumerate() {
            for (to, way) in row.iter_mut().enumerate() {
                if chosen(from, to) {
                    change(way);
                }
            }
        }
    }
}

fn carry(from: Port, ports: &[File], ways: &RwLock<Vec<Vec<Way>>>, late: &Late, rng: &mut StdRng) {
    let mut frame = [0; FRAME_MAX];
    let mut one_in = |times: Option<u64>| times.is_some_and(|times| rng.gen_range(0..times) == 0);
    let mut jitter = StdRng::seed_from_u64(from as u64);
    loop {
        // The interface is gone at the end of the run only.
        let Ok(size) = (&ports[from]).read(&mut frame) else { return };
        let Some((to_address, _)) = frame[..size].split_at_checked(6) else { continue };
        let to_all = to_address[0] & 1 == 1;
        let ways = ways.read().unwrap_or_else(PoisonError::into_inner)[from].clone();
        for to in (0..ports.len()).filter(|to| *to != from) {
            let way = ways[to];
            if way.cut || !(to_all || to_address == address(to)) || one_in(way.lost_one_in) {
                continue;
            }
            let copies = if one_in(way.twice_one_in) { 2 } else { 1 };
            for _ in 0..copies {
                match way.later_ms {
                    None => deliver(&ports[to], &frame[..size]),
                    Some((least, most)) => {
                        let later = Duration::from_micros(jitter.gen_range(least * 1_000..=most * 1_000));
                        late.add(Instant::now() + later, to, frame[..size].to_vec());
                    }
                }
            }
        }
    }
}

/// An interface that takes no more loses the frame, as any does.
fn deliver(mut to: &File, frame: &[u8]) {
    let _ = to.write(frame);
}

/// Frames that are under way for longer than they need be.
#[derive(Default)]
struct Late {
    frames: Mutex<BinaryHeap<Reverse<(Instant, u64, Port, Vec<u8>)>>>,
    more: Condvar,
}

impl Late {
    fn add(&self, due: Instant, to: Port, frame: Vec<u8>) {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if frames.len() < LATE_MAX {
            let number = frames.len() as u64;
            frames.push(Reverse((due, number, to, frame)));
            self.more.notify_one();
        }
    }

    fn deliver(&self, ports: &[File]) {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let next = frames.peek().map(|Reverse((due, ..))| due.saturating_duration_since(Instant::now()));
            frames = match next {
                None => self.more.wait(frames).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    if let Some(Reverse((_, _, to, frame))) = frames.pop() {
                        deliver(&ports[to], &frame);
                    }
                    frames
                }
                Some(wait) => self.more.wait_timeout(frames, wait).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}
