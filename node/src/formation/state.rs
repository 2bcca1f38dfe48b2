//! How far a node has come in founding its cluster, what can happen to it, and what it can do.

use std::collections::{BTreeMap, BTreeSet};

use wire::peer::{Candidate, FoundingRecord, Incarnation, PeerAnswer, Standing, StoreId};
use wire::{PeerId, Refusal};

use super::founding::Draft;
use super::kept::{Membership, Promise};

/// Who this node is while it looks for its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    pub peer: PeerId,
    pub store: StoreId,
    pub name: String,
    pub name_chosen: bool,
    pub expect: u32,
    /// The public operator key, if this node holds the cluster secret itself.
    pub operator_key: Option<[u8; 32]>,
}

/// Names a request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnswerId(pub u64);

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A while has passed: ask again for what is still missing.
    Tick,
    /// A node introduced itself.
    Heard(Candidate),
    /// A node answered our introduction, so it has heard of us as well.
    Met(Candidate),
    /// A node has not been heard of for a while.
    Lost(PeerId),
    PromiseAsked {
        from: PeerId,
        record: FoundingRecord,
        answer: AnswerId,
    },
    PromiseGiven {
        by: PeerId,
        incarnation: Incarnation,
    },
    /// `for_ever`: the record can never be founded, for lack of this promise.
    PromiseRefused {
        by: PeerId,
        incarnation: Incarnation,
        for_ever: bool,
    },
    FoundTold {
        record: FoundingRecord,
        answer: AnswerId,
    },
    Admitted {
        node_id: u64,
        founding: FoundingRecord,
    },
    AdmissionRefused {
        by: PeerId,
        refusal: Refusal,
    },
}

/// To be done, in this order: a promise, or that there will be none, is on the disk before the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    WritePromise(Promise),
    /// Formation is over once this is on the disk.
    WriteMembership(Membership),
    Answer(AnswerId, PeerAnswer),
    AskPromise {
        of: PeerId,
        record: FoundingRecord,
    },
    TellFound {
        to: PeerId,
        record: FoundingRecord,
    },
    AskAdmission {
        via: PeerId,
    },
    /// For the log.
    Say(String),
    /// The node cannot be what its folder says it is.
    Stop(Refusal),
}

/// How far the node has come.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) me: Me,
    pub(super) draft: Draft,
    pub(super) phase: Phase,
    /// Records that this node will never promise.
    pub(super) refused: BTreeSet<Incarnation>,
    /// How many records this node has proposed in this life.
    pub(super) proposed: u32,
    /// Everyone heard of lately, whoever began.
    pub(super) seen: BTreeMap<PeerId, Candidate>,
    /// Those of them who have heard of us.
    pub(super) met: BTreeSet<PeerId>,
    /// What the log was told already.
    pub(super) said: BTreeSet<String>,
    /// How often admission was asked for, so that the next member is asked next time.
    pub(super) asked: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Phase {
    Gathering,
    /// The record is on this node's disk, and it knows the same of these.
    Promised {
        record: FoundingRecord,
        by: BTreeSet<PeerId>,
    },
    Belongs(Membership),
}

impl State {
    /// A node that has promised, or not, in an earlier life.
    pub fn new(me: Me, draft: Draft, promise: Promise) -> Self {
        let phase = match promise.given {
            Some(record) => Phase::Promised { record, by: BTreeSet::from([me.peer]) },
            None => Phase::Gathering,
        };
        Self {
            me,
            draft,
            phase,
            refused: promise.refused,
            proposed: 0,
            seen: BTreeMap::new(),
            met: BTreeSet::new(),
            said: BTreeSet::new(),
            asked: 0,
        }
    }

    /// What the node may say of itself.
    pub fn standing(&self) -> Standing {
        match &self.phase {
            Phase::Gathering => Standing::Fresh,
            Phase::Promised { record, .. } => Standing::Promised(record.clone()),
            Phase::Belongs(membership) => {
                Standing::Member { node_id: membership.node_id, incarnation: membership.founding.incarnation }
            }
        }
    }

    /// Set once the node belongs to a cluster.
    pub fn membership(&self) -> Option<&Membership> {
        match &self.phase {
            Phase::Belongs(membership) => Some(membership),
            _ => None,
        }
    }

    /// What has to be on the disk.
    pub(super) fn promise(&self) -> Promise {
        let given = match &self.phase {
            Phase::Promised { record, .. } => Some(record.clone()),
            _ => None,
        };
        Promise { given, refused: self.refused.clone() }
    }

    pub(super) fn say_once(&mut self, sentence: String) -> Vec<Action> {
        if self.said.insert(sentence.clone()) { vec![Action::Say(sentence)] } else { Vec::new() }
    }

    pub(super) fn me_as_candidate(&self) -> Candidate {
        Candidate {
            peer: self.me.peer,
            store: self.me.store,
            name: self.me.name.clone(),
            name_chosen: self.me.name_chosen,
            expect: self.me.expect,
            addresses: Vec::new(),
            standing: Standing::Fresh,
            operator_key: self.me.operator_key,
            knows: Vec::new(),
        }
    }
}
