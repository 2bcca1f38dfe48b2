//! The stores in memory: for tests and simulation. They keep the promises of the traits to the letter,
//! crashes included: `crash` returns what a power cut would leave.

mod log;
mod state;

pub use log::MemoryLog;
pub use state::MemoryState;
