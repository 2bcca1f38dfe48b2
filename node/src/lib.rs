//! The daemon, and `node --cli`.
//!
//! [`daemon`] composes a node; everything else is one subject each. The life of one message at a node,
//! from the frame that carries it to the screens of those who wait for it:
//!
//! 1. `net::accept` takes the stream that a client opened, has it prove the cluster's secret
//!    (`wire::hello::respond`, with the rules of `net::gate`), and hands it to [`api::serve_client`].
//! 2. `api::connection` reads one frame after another; several requests of a connection are answered at
//!    once, sends in the order of their arrival.
//! 3. `api::send` checks the text and the name, stamps the time ([`clock`]), and makes a
//!    [`chat::Command::Send`] of it. From here on nothing is fresh and nothing is random.
//! 4. [`net::Cluster::propose`] gives the entry to Raft where this node leads; else it forwards it to the
//!    leader, once, over the stream that it keeps to each node.
//! 5. [`raft::Raft::propose`] puts it into the log: `raft::log` hands the bytes to [`store::log::EntryLog`],
//!    and `raft::append` streams the same entry to every follower without waiting for the disk.
//! 6. `store::lmdb::writer` takes everything that is queued, writes one record of the journal, syncs it, and says so;
//!    `store::lmdb::filing` files it in the tables later. A majority having said so, the entry is committed.
//! 7. `raft::machine` gives committed entries, many at a time, to [`app::App`], the one
//!    [`raft::application::Application`]: in one transaction `chat::apply` says what follows, its changes
//!    are written, a refusal is remembered, and the index is advanced.
//! 8. The reply leaves from within that transaction, back the way it came: the entry is on a majority's
//!    disks, and applying it anew would give the same reply.
//! 9. The transaction is committed to memory a few milliseconds later, and [`app::App::applied`] moves;
//!    [`store::memtable`] takes it to LMDB, with many others, within about a second. Each subscription
//!    ([`feed`]), at whichever node, reads on in its account's feed from where it has got to, and pushes.
//!
//! How long each stage of it takes is taken down by [`stages`], where that is asked for.
//!
//! Beside this: [`formation`] founds a cluster, or joins one; [`autopilot`] decides who votes;
//! [`presence`] decides who is there; [`cli`] is a client like any other and sees nothing of the node.

pub mod api;
pub mod app;
pub mod autopilot;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod feed;
pub mod formation;
pub mod net;
pub mod panic;
pub mod presence;
pub mod raft;
pub mod stages;
pub mod store;
pub mod trap;
