//! Other nodes: who they are, where they may be, and what they are asked.

mod cluster;

pub use cluster::Cluster;
