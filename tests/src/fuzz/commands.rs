//! Any sequence of commands, carried out by the real application over a real store, and by a model that knows nothing of either.
//!
//! The model is written from the promises: what is stored is stored once, in the order of its numbers; marks never go back; names are
//! one account's; whoever is deleted is gone. Every reply and everything that can be read has to be as the model has it.

mod model;
mod seen;
mod steps;

use chat::{
    AccountId, Command, ConversationId, CreationId, Cursor, DeviceId, MessageId, Name, NameKey, Recipient,
    Replica as Place, Seq, SessionId, Text, Timestamp,
};
use node::app::{AppReply, Entry, TABLES};
use node::store::lmdb::LmdbState;
use node::store::memory::MemoryState;

use self::model::Model;
use super::Target;
use super::draw::Draw;
use super::rows::{Replica, is_for_the_disk};
use super::samples::behind;

pub(super) const TARGET: Target =
    Target { name: "commands", run, seeds, words: &[&[0, 0, 0, 0], &[6, 0, 1, 0], &[6, 1, 0, 0]] };

/// Steps of one run. Enough for anything to happen that can; longer runs only take longer.
const STEPS_MAX: usize = 120;

/// One byte says how many entries share a transaction; the rest is who does what.
fn run(input: &[u8]) {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let folder = is_for_the_disk(input).then(tempfile::tempdir).and_then(Result::ok);
    let mut replica = match &folder {
        Some(folder) => Replica::over(LmdbState::open(folder.path(), TABLES).expect("a new folder")),
        None => Replica::over(MemoryState::new(TABLES)),
    };
    let (mut model, mut draw) = (Model::default(), Draw(bytes));
    let (mut commands, mut replies) = (Vec::new(), Vec::new());
    while !draw.is_empty() && commands.len() < STEPS_MAX {
        let command = steps::next(&mut draw, &model);
        replies.push(AppReply::Chat(model.follow(&command)));
        commands.push(command);
    }
    apply(&mut replica, &commands, &replies, usize::from(kind % 16) + 1);
    seen::assert_as_in(&model, &replica.app);
    assert_resending_changes_nothing(&mut replica, &model, &commands);
}

fn apply(replica: &mut Replica, commands: &[Command], replies: &[AppReply], together: usize) {
    let mut answered = Vec::new();
    for batch in commands.chunks(together) {
        answered.extend(replica.apply(batch.iter().cloned().map(Entry::Chat).collect(), b"applied"));
    }
    for (place, (found, expected)) in answered.iter().zip(replies).enumerate() {
        assert_eq!(found, expected, "the reply to {:?}, step {place}", commands[place]);
    }
    assert_eq!(answered.len(), replies.len(), "somebody has no answer");
}

/// Every send that was carried out comes again, late, as after a failover.
fn assert_resending_changes_nothing(replica: &mut Replica, model: &Model, commands: &[Command]) {
    let was_carried_out = |command: &&Command| match command {
        Command::Send { session, seq, .. } => model.has_carried_out(*session, *seq),
        _ => false,
    };
    let again: Vec<_> = commands.iter().filter(was_carried_out).cloned().map(Entry::Chat).collect();
    let before = without_the_place(replica.rows());
    replica.apply(again, b"applied");
    assert!(before == without_the_place(replica.rows()), "a resent message changes something");
}

/// How far a replica has come, and on which terms, moves with every entry.
fn without_the_place(rows: super::rows::Rows) -> super::rows::Rows {
    rows.into_iter().filter(|(_, key, _)| key != b"cursor").collect()
}

/// Commands as they are on an ordinary day.
pub(super) fn story() -> Vec<Command> {
    let create = |name: &str, number: u8| Command::CreateAccount {
        creation: CreationId(u128::from(number)),
        name: Name::parse(name).expect("a name"),
        credentials: vec![number; 24],
        device: DeviceId([number; 32]),
        token_hash: [number; 32],
        at: Timestamp(1_000),
    };
    let send = |session: u64, seq: u64, to: Recipient, text: &str| Command::Send {
        session: SessionId(session),
        seq: Seq(seq),
        follows: (seq > 1).then(|| MessageId(u128::from(100 * session + seq - 1))),
        id: MessageId(u128::from(100 * session + seq)),
        to,
        text: Text::parse(text).expect("a text"),
        at: Timestamp(2_000),
    };
    let bob = || Recipient::Name(NameKey::fold("bob"));
    let conversation = ConversationId(5);
    vec![
        create("alice", 1),
        create("bob", 2),
        create("Zoë", 3),
        Command::Connect { session: SessionId(2), at: Place(1) },
        send(1, 1, bob(), "hi"),
        send(1, 2, bob(), "are you there? grüße 世界"),
        send(2, 1, Recipient::Account(AccountId(1)), "yes"),
        Command::MarkDelivered { session: SessionId(2), marks: vec![(conversation, Cursor(6))] },
        Command::MarkRead { session: SessionId(2), conversation, up_to: Cursor(5) },
        send(3, 1, bob(), "and I"),
        send(1, 3, Recipient::Account(AccountId(1)), "to myself"),
        Command::OpenSession {
            account: AccountId(1),
            device: DeviceId([9; 32]),
            token_hash: [9; 32],
            at: Timestamp(3),
        },
        Command::Disconnect { session: SessionId(2), at: Place(1) },
        Command::CloseSession { session: SessionId(12) },
        Command::DeleteAccount { session: SessionId(3), at: Timestamp(4) },
        send(1, 4, bob(), &"a long text ".repeat(100)),
    ]
}

fn seeds() -> Vec<Vec<u8>> {
    // Two join, one sends; then everything else once, in the order of the kinds; see `steps`.
    let join = [&[0, 0, 0, 0][..], &[0, 1, 1, 1]].concat();
    let talk: Vec<u8> = [[6, 0, 1, 0, 0], [6, 1, 0, 0, 1], [6, 0, 1, 0, 2]].concat();
    let rest: Vec<u8> = (0..16).flat_map(|kind| [kind, 1, 0, 2, 1]).collect();
    let all = [&join[..], &talk, &rest, &talk, &rest].concat();
    // Marks of both, further and further.
    let marks = [&[13, 1, 0, 0, 4][..], &[13, 1, 0, 0, 7], &[15, 1, 0, 6], &[13, 0, 0, 0, 5], &[14, 0, 0, 8]].concat();
    let read = [&join[..], &talk, &talk, &marks].concat();
    let left = [&read[..], &[5, 1, 1], &talk, &[4, 1], &talk].concat();
    vec![behind(0, &all), behind(7, [&join[..], &talk, &talk].concat()), behind(2, &read), behind(3, &left)]
}
