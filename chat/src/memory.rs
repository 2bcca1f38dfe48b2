//! The state in memory: the reference that every other implementation of `View` is compared with.

/// The whole state as ordered maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {}
