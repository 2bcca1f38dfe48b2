//! (in the making)

mod entry;

pub use entry::{AppReply, ClusterCommand, Entry};
