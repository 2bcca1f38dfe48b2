//! A conversation as a text file, for whoever wants to keep or to print it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use client::{Client, Code, Cursor, MessageInfo, To};
use jiff::tz::TimeZone;

use crate::requests::With;
use crate::types::Exported;
use crate::{Api, Refusal};

/// How many messages are asked for at a time.
const PAGE: u32 = 500;

/// How many files of one name there may be.
const COPIES_MAX: u32 = 10_000;

pub(crate) async fn export(api: &Api, With { with }: With) -> Result<Exported, Refusal> {
    let client = api.client()?;
    let (_, me, _) =
        client.account().ok_or_else(|| Refusal::new(Code::NotLoggedIn, "Nobody is logged in here; log in first."))?;
    let to = To::from(with);
    let (conversation, _) = client.messages(to.clone(), None, None, 1).await?;
    let conversation = conversation
        .ok_or_else(|| Refusal::new(Code::NoSuchConversation, "Nothing was said in this conversation yet."))?;
    let folder = api.inner().setup.download_dir.clone();
    let failed = |error: io::Error| {
        Refusal::new(Code::Internal, format!("The conversation cannot be written to {}: {error}.", folder.display()))
    };
    fs::create_dir_all(&folder).map_err(failed)?;
    let (path, file) = new_file(&folder, &file_name(&me, &conversation.with.name)).map_err(failed)?;
    match write(&client, to, file).await {
        Ok(()) => Ok(Exported { path: path.display().to_string() }),
        Err(refusal) => {
            // Half a conversation must not be taken for the whole.
            let _ = fs::remove_file(&path);
            Err(refusal.unwrap_or_else(failed))
        }
    }
}

/// A node refused, or the disk did.
enum Failure {
    Node(Refusal),
    Disk(io::Error),
}

impl Failure {
    fn unwrap_or_else(self, disk: impl FnOnce(io::Error) -> Refusal) -> Refusal {
        match self {
            Self::Node(refusal) => refusal,
            Self::Disk(error) => disk(error),
        }
    }
}

/// Every message, the oldest first, in the order of the log.
async fn write(client: &Client, with: To, file: File) -> Result<(), Failure> {
    let mut file = BufWriter::new(file);
    let mut after = Cursor::START;
    loop {
        let page = client.messages(with.clone(), None, Some(after), PAGE).await;
        let (_, page) = page.map_err(|error| Failure::Node(error.into()))?;
        for message in &page.items {
            after = message.cursor;
            writeln!(file, "{}", line(message)).map_err(Failure::Disk)?;
        }
        if !page.more || page.items.is_empty() {
            break;
        }
    }
    let file = file.into_inner().map_err(|error| Failure::Disk(error.into_error()))?;
    file.sync_all().map_err(Failure::Disk)
}

/// Further lines of a message are set in, so that none of them can pass for a message of its own.
fn line(message: &MessageInfo) -> String {
    let ms = i64::try_from(message.sent_at.0).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX).to_zoned(TimeZone::system());
    let text = message.text.replace("\r\n", "\n").replace(['\n', '\r'], "\n    ");
    format!("[{}] {}: {text}", at.strftime("%Y-%m-%d %H:%M:%S"), message.from.name)
}

fn file_name(me: &str, other: &str) -> String {
    let plain = |name: &str| name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect::<String>();
    format!("{} and {}", plain(me), plain(other))
}

/// A file that was not there before.
fn new_file(folder: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    for number in 1..COPIES_MAX {
        let copy = if number == 1 { String::new() } else { format!(" ({number})") };
        let path = folder.join(format!("{name}{copy}.txt"));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (path, file)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use client::{AccountId, AccountInfo, ConversationId, Delivery, MessageId, Timestamp};

    use super::*;

    fn account(id: u64, name: &str) -> AccountInfo {
        AccountInfo { id: AccountId(id), name: name.into(), active: true, deleted: false, created_at: Timestamp(1) }
    }

    #[test]
    fn no_line_of_a_message_passes_for_another_message() {
        let message = MessageInfo {
            id: MessageId(1),
            cursor: Cursor(1),
            conversation: ConversationId(1),
            from: account(1, "alice"),
            to: account(2, "bob"),
            text: "one\r\n[2026-01-01 00:00:00] bob: two\rthree".into(),
            sent_at: Timestamp(1_764_000_000_000),
            state: Delivery::Stored,
        };
        let written = line(&message);
        let lines: Vec<&str> = written.split(['\n', '\r']).collect();
        assert!(lines[0].ends_with("] alice: one"), "{written}");
        assert_eq!(&lines[1..], ["    [2026-01-01 00:00:00] bob: two", "    three"]);
    }

    #[test]
    fn a_name_leads_nowhere_but_into_the_folder_and_overwrites_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let name = file_name("alice", "../b/ö\0b");
        assert_eq!(name, "alice and ___b_ö_b");
        let (first, _) = new_file(folder.path(), &name).expect("made");
        let (second, _) = new_file(folder.path(), &name).expect("made");
        assert_ne!(first, second);
        assert_eq!(second.file_name().and_then(|name| name.to_str()), Some("alice and ___b_ö_b (2).txt"));
    }
}
