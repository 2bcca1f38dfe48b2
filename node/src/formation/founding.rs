//! The founding record: how it is made, and what makes it one that can be promised.

use std::collections::BTreeSet;

use wire::peer::{Candidate, Founder, FoundingRecord, Incarnation};

use super::state::Me;

/// What a node draws before it can propose a founding record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub incarnation: Incarnation,
    /// OPAQUE's server setup.
    pub opaque_setup: Vec<u8>,
}

impl Draft {
    /// The same for the next proposal: every record has an incarnation of its own.
    pub(super) fn numbered(&self, proposal: u32) -> Self {
        let mut incarnation = self.incarnation.0;
        for (byte, number) in incarnation.iter_mut().zip(proposal.to_be_bytes()) {
            *byte ^= number;
        }
        Self { incarnation: Incarnation(incarnation), opaque_setup: self.opaque_setup.clone() }
    }
}

/// The record that founds a cluster of these candidates. They come ascending by peer, so every node
/// would make the same of the same draft.
pub(super) fn record(draft: &Draft, operator_key: [u8; 32], candidates: &[&Candidate]) -> FoundingRecord {
    let names = name_founders(candidates);
    let founders = (1..).zip(candidates.iter().zip(names));
    let founders = founders.map(|(node_id, (candidate, name))| Founder {
        node_id,
        peer: candidate.peer,
        store: candidate.store,
        name,
    });
    FoundingRecord {
        incarnation: draft.incarnation,
        founders: founders.collect(),
        opaque_setup: draft.opaque_setup.clone(),
        operator_key,
    }
}

/// A name for each: a chosen one is kept; a default one is kept where nobody else has it, and else
/// becomes the first free one of n1, n2, n3….
pub fn name_founders(candidates: &[&Candidate]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut names = vec![None; candidates.len()];
    for chosen in [true, false] {
        for (name, candidate) in names.iter_mut().zip(candidates).filter(|(_, c)| c.name_chosen == chosen) {
            if taken.insert(candidate.name.to_lowercase()) {
                *name = Some(candidate.name.clone());
            }
        }
    }
    let unnamed = names.into_iter().zip(candidates);
    unnamed.map(|(name, candidate)| name.unwrap_or_else(|| free_name(candidate, &mut taken))).collect()
}

/// The first free one of n1, n2, n3…, or of the chosen name with a number.
fn free_name(candidate: &Candidate, taken: &mut BTreeSet<String>) -> String {
    let stem = if candidate.name_chosen { format!("{}-", candidate.name) } else { "n".to_owned() };
    let mut numbered = (1..).map(|number: u32| format!("{stem}{number}"));
    numbered.find(|name| taken.insert(name.to_lowercase())).expect("there are more numbers than founders")
}

/// Whether this is a record that the node may promise at all: well formed, of the size it expects, and
/// with itself in it.
pub(super) fn is_sound(record: &FoundingRecord, me: &Me) -> bool {
    let founders = &record.founders;
    let ascending = founders.windows(2).all(|pair| pair[0].peer < pair[1].peer);
    let numbered = (1..).zip(founders).all(|(node_id, founder)| founder.node_id == node_id);
    let names: BTreeSet<_> = founders.iter().map(|founder| founder.name.to_lowercase()).collect();
    let has_me = founders.iter().any(|founder| founder.peer == me.peer && founder.store == me.store);
    let size = usize::try_from(me.expect).is_ok_and(|expect| expect == founders.len());
    ascending && numbered && has_me && size && names.len() == founders.len()
}
