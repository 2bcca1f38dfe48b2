//! What becomes of an update: whether the front end is told, and whether the person is notified. A plain function of what happened and
//! the time.
//!
//! The client brings what an account missed before what happens now. A front end loads what it shows from the nodes anyway, so it is told
//! of a few missed updates, and where there are more, to load everything anew: a device on which somebody logs in for the first time has a
//! whole history to catch up with. Nobody is notified of history.

use crate::requests::View;
use crate::types::{Delivery, Message};
use crate::{Notice, Update};

/// How many updates of a history the front end is told one by one.
const REPLAYED_MAX: usize = 200;

/// After so long without any node, what was missed is history, and no longer news.
const AWAY_MS: u64 = 10_000;

/// How many messages of one catching up are notified of, after a short absence.
const CAUGHT_UP_NOTICES_MAX: usize = 3;

/// How much of a message a notification shows, in characters.
const BODY_LENGTH_MAX: usize = 200;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Tell(Update),
    Notify(Notice),
    /// What is unread may be another number now.
    Count,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    pub(crate) view: View,
    account: Option<u64>,
    catching_up: Option<CatchingUp>,
    /// When the last node was lost, until everything missed since has been told.
    lost_at_ms: Option<u64>,
    /// How far messages have been told: none is told, or notified of, twice.
    told_up_to: u64,
}

/// What the person missed is being told.
#[derive(Debug, Default)]
struct CatchingUp {
    /// It is from before this session of the app.
    from_the_start: bool,
    replayed: usize,
    noticed: usize,
}

impl Flow {
    /// Somebody has logged in.
    pub(crate) fn begin(&mut self, account: u64) {
        let catching_up = CatchingUp { from_the_start: true, ..CatchingUp::default() };
        *self = Self { account: Some(account), catching_up: Some(catching_up), ..Self::default() };
    }

    /// Nobody is logged in.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }

    /// Takes what happened.
    pub(crate) fn step(&mut self, update: Update, notifications: bool, now_ms: u64) -> Vec<Effect> {
        match update {
            Update::Link { .. } => self.link(update, now_ms),
            Update::CaughtUp { .. } => self.caught_up(update),
            Update::Message { .. } | Update::Delivered { .. } | Update::Read { .. } | Update::Returned { .. } => {
                self.happened(update, notifications, now_ms)
            }
            other => vec![Effect::Tell(other)],
        }
    }

    fn link(&mut self, update: Update, now_ms: u64) -> Vec<Effect> {
        if matches!(update, Update::Link { link: crate::types::Link::Searching { .. } }) && self.account.is_some() {
            self.lost_at_ms.get_or_insert(now_ms);
            self.catching_up.get_or_insert_default();
        }
        vec![Effect::Tell(update)]
    }

    fn caught_up(&mut self, update: Update) -> Vec<Effect> {
        self.lost_at_ms = None;
        let missed = self.catching_up.take().is_some_and(|catching_up| catching_up.replayed > REPLAYED_MAX);
        let anew = missed.then_some(Effect::Tell(Update::Lagged));
        anew.into_iter().chain([Effect::Tell(update), Effect::Count]).collect()
    }

    fn happened(&mut self, update: Update, notifications: bool, now_ms: u64) -> Vec<Effect> {
        let notice = match &update {
            Update::Message { message } => self.notice(message, now_ms).filter(|_| notifications),
            _ => None,
        };
        let one_by_one = match &mut self.catching_up {
            Some(catching_up) => {
                catching_up.replayed += 1;
                catching_up.replayed <= REPLAYED_MAX
            }
            None => true,
        };
        if !one_by_one {
            return Vec::new();
        }
        let notice = notice.map(Effect::Notify);
        [Effect::Tell(update), Effect::Count].into_iter().chain(notice).collect()
    }

    /// The notification of a message, if it deserves one.
    fn notice(&mut self, message: &Message, now_ms: u64) -> Option<Notice> {
        if message.cursor <= self.told_up_to {
            return None;
        }
        self.told_up_to = message.cursor;
        let in_view = self.view.focused && self.view.conversation == Some(message.conversation);
        let mine = Some(message.to.id) != self.account;
        if mine || in_view || message.state == Delivery::Read || self.is_history(now_ms) {
            return None;
        }
        if let Some(catching_up) = &mut self.catching_up {
            catching_up.noticed += 1;
            if catching_up.noticed > CAUGHT_UP_NOTICES_MAX {
                return None;
            }
        }
        Some(Notice {
            conversation: message.conversation,
            title: message.from.name.clone(),
            body: beginning(&message.text),
        })
    }

    fn is_history(&self, now_ms: u64) -> bool {
        let away = self.lost_at_ms.is_some_and(|at_ms| now_ms.saturating_sub(at_ms) >= AWAY_MS);
        away || self.catching_up.as_ref().is_some_and(|catching_up| catching_up.from_the_start)
    }
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(BODY_LENGTH_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Account, Link};

    const ME: u64 = 1;
    const YOU: u64 = 2;
    const TALK: u64 = 9;

    fn account(id: u64) -> Account {
        Account { id, name: format!("person {id}"), active: true, deleted: false, created_at: 1 }
    }

    fn message(cursor: u64, from: u64, to: u64) -> Message {
        Message {
            id: cursor.to_string(),
            cursor,
            conversation: TALK,
            from: account(from),
            to: account(to),
            text: format!("text {cursor}"),
            sent_at: 1,
            state: Delivery::Stored,
        }
    }

    fn from_you(cursor: u64) -> Update {
        Update::Message { message: message(cursor, YOU, ME) }
    }

    fn searching() -> Update {
        Update::Link { link: Link::Searching { trouble: None } }
    }

    fn live() -> Update {
        Update::Link { link: Link::Live { node: "n1".into(), warm: None, writable: true } }
    }

    fn caught_up() -> Update {
        Update::CaughtUp { cursor: 100 }
    }

    /// Logged in, with nothing missed.
    fn up_to_date() -> Flow {
        let mut flow = Flow::default();
        flow.begin(ME);
        flow.step(caught_up(), true, 0);
        flow
    }

    fn notices(effects: &[Effect]) -> Vec<&Notice> {
        effects
            .iter()
            .filter_map(|effect| if let Effect::Notify(notice) = effect { Some(notice) } else { None })
            .collect()
    }

    fn told(effects: &[Effect]) -> Vec<&Update> {
        effects
            .iter()
            .filter_map(|effect| if let Effect::Tell(update) = effect { Some(update) } else { None })
            .collect()
    }

    #[test]
    fn a_message_of_somebody_else_is_notified_of_once() {
        let mut flow = up_to_date();
        let effects = flow.step(from_you(101), true, 1);
        let notice = Notice { conversation: TALK, title: "person 2".into(), body: "text 101".into() };
        assert_eq!(notices(&effects), [&notice]);
        assert_eq!(notices(&flow.step(from_you(101), true, 2)), [] as [&Notice; 0], "told again");
        let mine = Update::Message { message: message(102, ME, YOU) };
        assert_eq!(notices(&flow.step(mine, true, 3)), [] as [&Notice; 0], "my own, from another device");
        assert_eq!(notices(&flow.step(from_you(103), false, 4)), [] as [&Notice; 0], "turned off");
        let read = Message { state: Delivery::Read, ..message(104, YOU, ME) };
        assert_eq!(
            notices(&flow.step(Update::Message { message: read }, true, 5)),
            [] as [&Notice; 0],
            "read elsewhere"
        );
    }

    #[test]
    fn what_is_in_view_is_not_notified_of() {
        let mut flow = up_to_date();
        flow.view = View { conversation: Some(TALK), focused: true };
        assert!(notices(&flow.step(from_you(101), true, 1)).is_empty());
        flow.view = View { conversation: Some(TALK), focused: false };
        assert_eq!(notices(&flow.step(from_you(102), true, 2)).len(), 1, "the window is behind another");
        flow.view = View { conversation: Some(TALK + 1), focused: true };
        assert_eq!(notices(&flow.step(from_you(103), true, 3)).len(), 1, "another conversation");
    }

    #[test]
    fn history_is_told_and_not_notified_of() {
        let mut flow = Flow::default();
        flow.begin(ME);
        let effects = flow.step(from_you(7), true, 1);
        assert_eq!(told(&effects), [&from_you(7)]);
        assert!(notices(&effects).is_empty());
        assert_eq!(told(&flow.step(caught_up(), true, 2)), [&caught_up()]);
        assert_eq!(notices(&flow.step(from_you(101), true, 3)).len(), 1);
    }

    #[test]
    fn a_long_history_is_to_be_loaded_anew() {
        let mut flow = Flow::default();
        flow.begin(ME);
        let all: usize = (1..=1_000).map(|cursor| told(&flow.step(from_you(cursor), true, 1)).len()).sum();
        assert_eq!(all, REPLAYED_MAX);
        assert_eq!(told(&flow.step(caught_up(), true, 2)), [&Update::Lagged, &caught_up()]);
    }

    #[test]
    fn a_failover_hides_no_news() {
        let mut flow = up_to_date();
        flow.step(searching(), true, 1_000);
        flow.step(live(), true, 2_000);
        for cursor in 101..=103 {
            assert_eq!(notices(&flow.step(from_you(cursor), true, 2_001)).len(), 1);
        }
        let beyond = flow.step(from_you(104), true, 2_002);
        assert!(notices(&beyond).is_empty(), "a machine that wakes up does not shower its person");
        assert_eq!(told(&beyond).len(), 1);
        flow.step(caught_up(), true, 2_003);
        assert_eq!(notices(&flow.step(from_you(105), true, 2_004)).len(), 1);
    }

    #[test]
    fn what_was_missed_in_a_long_absence_is_history() {
        let mut flow = up_to_date();
        flow.step(searching(), true, 1_000);
        assert!(notices(&flow.step(from_you(101), true, 1_000 + AWAY_MS)).is_empty());
        flow.step(caught_up(), true, 12_000);
        // The two kinds of updates come in no fixed order between them.
        flow.step(live(), true, 12_001);
        assert_eq!(notices(&flow.step(from_you(102), true, 12_002)).len(), 1);
    }

    #[test]
    fn a_long_message_is_cut_between_two_characters() {
        let long = "ä".repeat(BODY_LENGTH_MAX + 1);
        assert_eq!(beginning(&long), format!("{}…", "ä".repeat(BODY_LENGTH_MAX)));
        assert_eq!(beginning("short"), "short");
    }
}
