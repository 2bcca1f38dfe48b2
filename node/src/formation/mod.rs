//! How fresh nodes become one cluster, and no two.
//!
//! Nodes with the same secret introduce themselves to each other until one of them sees as many as
//! `--expect` asks for. The lowest peer of the lowest N then proposes the exact set; each founder
//! promises that one record, on its disk, before it says so; and when all have promised, the set
//! founds. A node is bound by one promise at a time, so of two sets that share a node only one can form.
//! Whoever has promised carries the record on, so it does not matter who crashes in between. A record
//! that a node does not promise it refuses for ever, on its disk as well: then that record can never be
//! founded, and those who promised it are free for another. A node that sees a member of a founded cluster
//! asks to be admitted instead.
//!
//! [`step`] is the rules, without a runtime, a clock or chance; [`driver`] gives them the world. Two
//! sets that share no node and cannot see each other can both form: nothing but a person can prevent
//! that, by not starting 2 × N nodes in two separated places.

pub mod driver;
mod founding;
mod kept;
mod rules;
#[cfg(test)]
mod rules_tests;
mod state;

pub use founding::{Draft, name_founders};
pub(crate) use kept::{CLUSTER, PEERS, load, save};
pub use kept::{Membership, MemoryRecords, Promise, Records, check_log, kept};
pub use rules::step;
pub use state::{Action, AnswerId, Event, Me, State};
