//! Choices drawn from an input, byte by byte. An input that has ended goes on with zeros.

/// What is left of an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw<'a>(pub(super) &'a [u8]);

impl<'a> Draw<'a> {
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(super) fn yes(&mut self) -> bool {
        self.byte().is_multiple_of(2)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    pub(super) fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    pub(super) fn long(&mut self) -> u64 {
        u64::from_be_bytes([(); 8].map(|()| self.byte()))
    }

    pub(super) fn bytes<const SIZE: usize>(&mut self) -> [u8; SIZE] {
        [(); SIZE].map(|()| self.byte())
    }

    /// Up to the next zero byte.
    pub(super) fn field(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        let (field, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        field
    }

    /// Up to the next zero byte, as text.
    pub(super) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.field()).into_owned()
    }
}
