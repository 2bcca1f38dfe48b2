//! A call in the making: what is asked, and how it ends.

use super::{Town, between};
use crate::history::{Answer, Call, Message, Op, Outcome, Place, Row};

/// A call, until it is said how it ends.
pub(in crate::checker) struct Asked<'t> {
    town: &'t mut Town,
    device: String,
    call: Call,
    more: bool,
    stale: bool,
}

impl<'t> Asked<'t> {
    pub(super) fn new(town: &'t mut Town, device: String, call: Call) -> Self {
        Self { town, device, call, more: false, stale: false }
    }

    pub(in crate::checker) fn before(mut self, place: Place) -> Self {
        if let Call::Read { before, .. } = &mut self.call {
            *before = Some(place);
        }
        self
    }

    pub(in crate::checker) fn after(mut self, place: Place) -> Self {
        if let Call::Read { after, .. } = &mut self.call {
            *after = Some(place);
        }
        self
    }

    pub(in crate::checker) fn limit(mut self, most: u32) -> Self {
        if let Call::Read { limit, .. } = &mut self.call {
            *limit = most;
        }
        self
    }

    pub(in crate::checker) fn more(mut self) -> Self {
        self.more = true;
        self
    }

    pub(in crate::checker) fn stale(mut self) -> Self {
        self.stale = true;
        self
    }

    /// Its end comes later, or never.
    pub(in crate::checker) fn pending(self) -> Op {
        self.town.invoke(&self.device, self.call)
    }

    fn ends(self, outcome: Outcome) {
        let op = self.town.invoke(&self.device, self.call);
        self.town.return_(op, outcome);
    }

    pub(in crate::checker) fn done(self) {
        self.ends(Outcome::Done(Answer::Done));
    }

    pub(in crate::checker) fn unknown(self) {
        self.ends(Outcome::Unknown { code: "lost".to_owned() });
    }

    pub(in crate::checker) fn refused(self) {
        self.ends(Outcome::Refused { code: "no".to_owned() });
    }

    pub(in crate::checker) fn stored(self, cursor: Place) {
        let Call::Send { from, to, .. } = self.call else { panic!("only what is sent is stored") };
        self.ends(Outcome::Done(Answer::Stored { conversation: between((from, to)), cursor }));
    }

    pub(in crate::checker) fn shows(self, messages: &[Message]) {
        let Call::Read { account, with, .. } = self.call else { panic!("only a read shows messages") };
        let conversation = Some(between((account, with)));
        let (more, stale) = (self.more, self.stale);
        self.ends(Outcome::Done(Answer::Messages { conversation, messages: messages.to_vec(), more, stale }));
    }

    pub(in crate::checker) fn lists(self, rows: &[Row]) {
        let stale = self.stale;
        self.ends(Outcome::Done(Answer::Conversations { rows: rows.to_vec(), stale }));
    }
}
