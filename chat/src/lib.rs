//! What may be said, and what follows from it.
//!
//! Every replica holds the same log and gives each entry to [`apply`], which answers with an
//! [`Outcome`]: the reply for whoever asked, the changes to write, and the notices to pass on.
//! Nothing here reads a clock, draws a random number or touches a disk, and nothing can fail: a
//! refusal is a reply like any other. Replicas that apply the same entries therefore hold the same
//! state, byte for byte.
//!
//! Words: an *account* is a person's name and credentials; a *device* is an installation; a
//! *session* is what an account has open on a device, and numbers what that device asks for; a
//! *conversation* is between two accounts; a *cursor* is the log index of an entry, and so the
//! place of whatever that entry caused.

mod account;
mod apply;
mod command;
mod conversation;
mod deletion;
mod id;
mod marks;
mod memory;
mod name;
mod outcome;
mod record;
mod sending;
mod session;
mod text;
mod view;

pub use apply::apply;
pub use command::{Command, Recipient, Replica};
pub use deletion::{DeletionPreview, deletion_preview};
pub use id::{AccountId, ConversationId, CreationId, Cursor, DeviceId, MessageId, Seq, SessionId, Timestamp};
pub use marks::delivery;
pub use memory::Memory;
pub use name::{NAME_LENGTH_MAX, Name, NameError, NameKey};
pub use outcome::{Change, Notice, Outcome, Rejection, Reply};
pub use record::{Account, Conversation, Delivery, FeedRow, Mark, Member, Message, Numbering, Session};
pub use session::{REMEMBERED_REPLIES, SESSIONS_PER_ACCOUNT_MAX};
pub use text::{TEXT_SIZE_MAX_BYTES, Text, TextError};
pub use view::View;
