//! What somebody does next, as the input says: mostly what makes sense, sometimes what does not.

use chat::{
    AccountId, Command, ConversationId, CreationId, Cursor, DeviceId, MessageId, Name, NameKey, Recipient, Replica,
    Seq, SessionId, Text, Timestamp,
};

use super::model::Model;
use crate::fuzz::draw::Draw;

/// Two of one fold, and one that no account can have.
const NAMES: [&str; 5] = ["alice", "Bob", "BOB", "Zoë", "李雷"];

/// Longer than any name, and than any key of a table may be.
const TOO_LONG: usize = 600;

/// A number that no entry ever had.
const NEVER: u64 = 777_777;

pub(super) fn next(draw: &mut Draw<'_>, model: &Model) -> Command {
    let at = Timestamp(model.place);
    match draw.byte() % 16 {
        0 | 1 => {
            let (name, creation, on) = (NAMES[draw.below(NAMES.len())], draw.byte() % 3, draw.byte() % 3);
            Command::CreateAccount {
                creation: CreationId(u128::from(creation)),
                name: Name::parse(name).expect("a name"),
                credentials: vec![creation],
                device: DeviceId([on; 32]),
                token_hash: [creation; 32],
                at,
            }
        }
        2 => Command::OpenSession {
            account: AccountId(one_of(draw, model.accounts())),
            device: DeviceId([draw.byte() % 4; 32]),
            token_hash: [4; 32],
            at,
        },
        3 => Command::CloseSession { session: session(draw, model) },
        4 => Command::DeleteAccount { session: session(draw, model), at },
        5 => Command::Connect { session: session(draw, model), at: Replica(u64::from(draw.byte() % 3)) },
        12 => Command::Disconnect { session: session(draw, model), at: Replica(u64::from(draw.byte() % 3)) },
        13 => Command::MarkDelivered { session: session(draw, model), marks: marks(draw, model) },
        14 | 15 => {
            let (conversation, up_to) = mark(draw, model);
            Command::MarkRead { session: session(draw, model), conversation, up_to }
        }
        _ => send(draw, model, at),
    }
}

fn send(draw: &mut Draw<'_>, model: &Model, at: Timestamp) -> Command {
    let session = session(draw, model);
    let numbering = model.numbering(session);
    let to = match draw.byte() {
        0xff => Recipient::Name(NameKey::fold(&"x".repeat(TOO_LONG))),
        by_name @ 0..0x80 => Recipient::Name(NameKey::fold(NAMES[usize::from(by_name) % NAMES.len()])),
        _ => Recipient::Account(AccountId(one_of(draw, model.accounts()))),
    };
    // Mostly the next number behind the last message; else a resend, a gap, or a wrong ancestor.
    let (how, what) = (draw.byte(), draw.byte());
    let next = numbering.high_water.0 + 1;
    let seq = match how % 16 {
        1..=3 => next.saturating_sub(u64::from(how % 16)),
        4 => next + 1,
        5 => u64::MAX,
        6 => 0,
        _ => next,
    };
    let follows = if how % 16 == 7 { Some(MessageId(u128::from(what % 4))) } else { numbering.last };
    Command::Send {
        session,
        seq: Seq(seq),
        follows,
        // Sometimes an id that was used before.
        id: MessageId(if what % 4 == 3 { u128::from(what % 16) } else { 1_000 + u128::from(model.place) }),
        to,
        text: Text::parse(["hi", "two\nlines", "grüße"][usize::from(what) % 3]).expect("a text"),
        at,
    }
}

fn session(draw: &mut Draw<'_>, model: &Model) -> SessionId {
    SessionId(one_of(draw, model.sessions()))
}

fn marks(draw: &mut Draw<'_>, model: &Model) -> Vec<(ConversationId, Cursor)> {
    (0..=draw.below(3)).map(|_| mark(draw, model)).collect()
}

fn mark(draw: &mut Draw<'_>, model: &Model) -> (ConversationId, Cursor) {
    let conversation = ConversationId(one_of(draw, model.conversations()));
    let up_to = draw.byte();
    (conversation, Cursor(if up_to == 0xff { u64::MAX } else { u64::from(up_to) % (model.place + 2) }))
}

/// One of these; rarely one that never was.
fn one_of(draw: &mut Draw<'_>, ids: Vec<u64>) -> u64 {
    let choice = draw.byte();
    if choice == 0xff || ids.is_empty() { NEVER } else { ids[usize::from(choice) % ids.len()] }
}
