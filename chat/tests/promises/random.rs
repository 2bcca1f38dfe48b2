//! Whatever happens in whatever order, the state adds up.

use std::collections::{BTreeMap, BTreeSet};

use chat::{
    Account, AccountId, Change, Command, Conversation, ConversationId, CreationId, Cursor, Delivery, DeviceId, FeedRow,
    Mark, Memory, Message, MessageId, Recipient, Replica, Reply, SESSIONS_PER_ACCOUNT_MAX, Seq, Session, SessionId,
    Text, Timestamp, View,
};
use proptest::prelude::*;

use crate::town::{Town, device, name, to};

const NAMES: [&str; 5] = ["alice", "bob", "carol", "Dave", "Eve"];

/// What somebody tries. Numbers choose among what there is when the step is taken.
#[derive(Clone, Debug)]
enum Step {
    Create { name: usize, creation: u8, device: u8 },
    Open { account: usize, device: u8 },
    Close { session: usize },
    Delete { session: usize },
    Send { session: usize, seq_offset: i64, behind_another: bool, id: Option<u8>, to: usize, by_name: bool, text: u8 },
    Delivered { session: usize, marks: Vec<(usize, usize)> },
    Read { session: usize, conversation: usize, up_to: usize },
    Connect { session: usize, at: u64 },
    Disconnect { session: usize, at: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly the next number; sometimes a resend or a gap.
    let offset = prop_oneof![6 => Just(0i64), 2 => -3i64..0, 1 => 1i64..3];
    let another = proptest::bool::weighted(0.1);
    let send = (
        any::<usize>(),
        offset,
        another,
        proptest::option::weighted(0.3, 0..6u8),
        any::<usize>(),
        any::<bool>(),
        0..3u8,
    )
        .prop_map(|(session, seq_offset, behind_another, id, to, by_name, text)| Step::Send {
            session,
            seq_offset,
            behind_another,
            id,
            to,
            by_name,
            text,
        });
    let marks = proptest::collection::vec((any::<usize>(), any::<usize>()), 1..4);
    prop_oneof![
        3 => (0..NAMES.len(), 0..3u8, 0..3u8).prop_map(|(name, creation, device)| Step::Create { name, creation, device }),
        2 => (any::<usize>(), 0..3u8).prop_map(|(account, device)| Step::Open { account, device }),
        1 => any::<usize>().prop_map(|session| Step::Close { session }),
        1 => any::<usize>().prop_map(|session| Step::Delete { session }),
        16 => send,
        5 => (any::<usize>(), marks).prop_map(|(session, marks)| Step::Delivered { session, marks }),
        5 => (any::<usize>(), any::<usize>(), any::<usize>())
            .prop_map(|(session, conversation, up_to)| Step::Read { session, conversation, up_to }),
        4 => (any::<usize>(), 1..4u64).prop_map(|(session, at)| Step::Connect { session, at }),
        4 => (any::<usize>(), 1..4u64).prop_map(|(session, at)| Step::Disconnect { session, at }),
    ]
}

/// Everything in a state, by kind.
#[derive(Default)]
struct Records {
    accounts: Vec<Account>,
    sessions: Vec<Session>,
    conversations: Vec<Conversation>,
    messages: Vec<Message>,
    feeds: Vec<(AccountId, Cursor, FeedRow)>,
    names: Vec<AccountId>,
}

impl Records {
    fn of(memory: &Memory) -> Self {
        let mut all = Self::default();
        for change in memory.records() {
            match change {
                Change::PutAccount(account) => all.accounts.push(account),
                Change::AddSession(session) => all.sessions.push(session),
                Change::AddConversation(conversation) => all.conversations.push(conversation),
                Change::PutMessage(message) => all.messages.push(message),
                Change::PutFeed(account, cursor, row) => all.feeds.push((account, cursor, row)),
                Change::PutName(_, account) => all.names.push(account),
                _ => {}
            }
        }
        all
    }
}

/// One of them; sessions and ids that never were come up as well.
fn pick(from: &[u64], choice: usize) -> u64 {
    from.get(choice % (from.len() + 1)).copied().unwrap_or(777_777)
}

fn command(step: &Step, town: &Town) -> Command {
    let all = Records::of(&town.memory);
    let session = |choice| SessionId(pick(&all.sessions.iter().map(|one| one.id.0).collect::<Vec<_>>(), choice));
    let account = |choice| AccountId(pick(&all.accounts.iter().map(|one| one.id.0).collect::<Vec<_>>(), choice));
    let conversations: Vec<u64> = all.conversations.iter().map(|one| one.id.0).collect();
    let cursor = |choice| Cursor(choice as u64 % (town.position.0 + 2));
    match step {
        Step::Create { name: which, creation, device: on } => Command::CreateAccount {
            creation: CreationId(u128::from(*creation)),
            name: name(NAMES[*which]),
            credentials: vec![*creation],
            device: device(*on),
            token_hash: [*creation; 32],
            at: Timestamp(town.position.0),
        },
        Step::Open { account: who, device: on } => Command::OpenSession {
            account: account(*who),
            device: device(*on),
            token_hash: [9; 32],
            at: Timestamp(town.position.0),
        },
        Step::Close { session: which } => Command::CloseSession { session: session(*which) },
        Step::Delete { session: which } => Command::DeleteAccount { session: session(*which), at: Timestamp(1) },
        Step::Send { session: which, seq_offset, behind_another, id, to: whom, by_name, text } => {
            let session = session(*which);
            let numbering = town.memory.session(session).map(|session| session.numbering).unwrap_or_default();
            let next = numbering.high_water.0 + 1;
            Command::Send {
                session,
                seq: Seq(next.saturating_add_signed(*seq_offset)),
                follows: if *behind_another { Some(MessageId(5)) } else { numbering.last },
                id: MessageId(id.map_or(1_000 + u128::from(town.position.0), u128::from)),
                to: if *by_name { to(NAMES[whom % NAMES.len()]) } else { Recipient::Account(account(*whom)) },
                text: Text::parse(format!("text {text}")).unwrap(),
                at: Timestamp(town.position.0),
            }
        }
        Step::Delivered { session: which, marks } => {
            let mark = |(talk, up_to): &(usize, usize)| (ConversationId(pick(&conversations, *talk)), cursor(*up_to));
            Command::MarkDelivered { session: session(*which), marks: marks.iter().map(mark).collect() }
        }
        Step::Read { session: which, conversation, up_to } => Command::MarkRead {
            session: session(*which),
            conversation: ConversationId(pick(&conversations, *conversation)),
            up_to: cursor(*up_to),
        },
        Step::Connect { session: which, at } => Command::Connect { session: session(*which), at: Replica(*at) },
        Step::Disconnect { session: which, at } => Command::Disconnect { session: session(*which), at: Replica(*at) },
    }
}

fn assert_messages_add_up(memory: &Memory, all: &Records) {
    for conversation in &all.conversations {
        let said: Vec<&Message> = all.messages.iter().filter(|one| one.conversation == conversation.id).collect();
        let numbers: Vec<u64> = said.iter().map(|one| one.number).collect();
        assert_eq!(numbers, (1..=conversation.length).collect::<Vec<_>>());
        assert_eq!(said.last().unwrap().cursor, conversation.last);
        for member in [conversation.members.0, conversation.members.1] {
            assert_member_adds_up(memory, conversation.id, member, &said);
        }
    }
}

fn assert_member_adds_up(memory: &Memory, conversation: ConversationId, who: AccountId, said: &[&Message]) {
    let member = memory.member(conversation, who);
    let own: Vec<u64> = said.iter().filter(|one| one.sender == who).map(|one| one.sender_number).collect();
    assert_eq!(own, (1..=member.outgoing).collect::<Vec<_>>());
    let incoming = |up_to: Cursor| said.iter().filter(|one| one.sender != who && one.cursor <= up_to).count() as u64;
    assert_eq!(member.incoming, incoming(Cursor(u64::MAX)));
    for mark in [member.delivered, member.read] {
        assert_eq!(mark, Mark { up_to: mark.up_to, incoming: incoming(mark.up_to) });
    }
    assert!(member.read.up_to <= member.delivered.up_to);
    assert_eq!(member.unread(), member.incoming - incoming(member.read.up_to));
}

fn assert_presence_adds_up(all: &Records) {
    for account in &all.accounts {
        let own = || all.sessions.iter().filter(|session| session.account == account.id);
        assert_eq!(account.connected as usize, own().filter(|session| session.connected.is_some()).count());
        assert!(own().count() <= SESSIONS_PER_ACCOUNT_MAX);
        assert!(!account.is_deleted() || own().next().is_none());
        let devices: BTreeSet<DeviceId> = own().map(|session| session.device).collect();
        assert_eq!(devices.len(), own().count());
    }
    let living: BTreeSet<AccountId> = all.accounts.iter().filter(|one| !one.is_deleted()).map(|one| one.id).collect();
    assert_eq!(all.names.iter().copied().collect::<BTreeSet<_>>(), living);
}

/// Each message once in the feed of each member, and at most one row about each mark.
fn assert_feeds_add_up(all: &Records) {
    let mut expected = BTreeSet::new();
    for message in &all.messages {
        let talk = all.conversations.iter().find(|one| one.id == message.conversation).unwrap();
        expected.extend([(talk.members.0, message.cursor), (talk.members.1, message.cursor)]);
    }
    let mut marks = BTreeMap::new();
    for (account, cursor, row) in &all.feeds {
        match row {
            FeedRow::Message { .. } => assert!(expected.remove(&(*account, *cursor))),
            FeedRow::Delivered { conversation, by, .. } => {
                assert_eq!(marks.insert((*account, *conversation, *by, false), *cursor), None);
            }
            FeedRow::Read { conversation, by, .. } => {
                assert_eq!(marks.insert((*account, *conversation, *by, true), *cursor), None);
            }
            FeedRow::Returned { .. } => {}
        }
    }
    assert_eq!(expected, BTreeSet::new(), "messages missing from feeds");
}

/// What was answered as stored is there once, with its own text, and nothing else is.
fn assert_nothing_lost_or_doubled(all: &Records, stored: &BTreeMap<(AccountId, MessageId), Text>) {
    let found: BTreeMap<_, _> = all.messages.iter().map(|one| ((one.sender, one.id), one.text.clone())).collect();
    assert_eq!(found.len(), all.messages.len());
    assert_eq!(&found, stored);
}

fn run(steps: &[Step]) -> (Town, Vec<Command>, Vec<Reply>) {
    let mut town = Town::default();
    let (mut commands, mut replies) = (Vec::new(), Vec::new());
    let mut stored = BTreeMap::new();
    for step in steps {
        let command = command(step, &town);
        let sender = match &command {
            Command::Send { session, .. } => town.memory.session(*session).map(|session| session.account),
            _ => None,
        };
        let reply = town.then(&command);
        if let (Reply::Stored { id, .. }, Command::Send { text, .. }, Some(sender)) = (&reply, &command, sender) {
            stored.entry((sender, *id)).or_insert_with(|| text.clone());
        }
        commands.push(command);
        replies.push(reply);
    }
    let all = Records::of(&town.memory);
    assert_messages_add_up(&town.memory, &all);
    assert_presence_adds_up(&all);
    assert_feeds_add_up(&all);
    assert_nothing_lost_or_doubled(&all, &stored);
    (town, commands, replies)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_tried_adds_up_and_replicas_agree(steps in proptest::collection::vec(step(), 1..150)) {
        let (town, commands, replies) = run(&steps);
        let mut replica = Memory::default();
        for (place, (command, reply)) in commands.iter().zip(&replies).enumerate() {
            prop_assert_eq!(&replica.apply(Cursor(place as u64 + 1), command), reply);
        }
        prop_assert_eq!(&replica, &town.memory);
    }

    #[test]
    fn a_state_is_made_again_from_its_records(steps in proptest::collection::vec(step(), 1..150)) {
        let (town, ..) = run(&steps);
        let mut copy = Memory::default();
        for change in town.memory.records() {
            copy.write(&change);
        }
        prop_assert_eq!(&copy, &town.memory);
    }

    #[test]
    fn resending_everything_ever_sent_changes_nothing(steps in proptest::collection::vec(step(), 1..100)) {
        let (mut town, commands, _) = run(&steps);
        let before = town.memory.clone();
        let executed = |command: &Command| match command {
            Command::Send { session, seq, .. } => {
                before.session(*session).is_some_and(|session| *seq != Seq(0) && *seq <= session.numbering.high_water)
            }
            _ => false,
        };
        for command in commands.iter().filter(|command| executed(command)) {
            town.then(command);
        }
        prop_assert_eq!(&town.memory, &before);
    }

    #[test]
    fn what_a_deletion_returns_is_what_senders_see_returned(steps in proptest::collection::vec(step(), 1..100)) {
        let (mut town, ..) = run(&steps);
        for session in Records::of(&town.memory).sessions {
            let reply = town.then(&Command::DeleteAccount { session: session.id, at: Timestamp(5) });
            let Reply::AccountDeleted { returned } = reply else { continue };
            prop_assert_eq!(returned, seen_returned(&town, session.account));
        }
    }
}

/// Counts, message by message, what living senders see as returned by the account.
fn seen_returned(town: &Town, by: AccountId) -> u64 {
    let all = Records::of(&town.memory);
    let returned = |message: &&Message| {
        let talk = town.memory.conversation(message.conversation).unwrap();
        let living = !town.memory.account(message.sender).unwrap().is_deleted();
        talk.other(message.sender) == by
            && living
            && town.delivery(message.conversation, message.cursor) == Delivery::Returned
    };
    all.messages.iter().filter(returned).count() as u64
}
