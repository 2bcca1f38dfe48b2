//! What is printed to a terminal: whatever others wrote, nothing in it is obeyed.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use chat::{AccountId, ConversationId, Cursor, Delivery, MessageId, Timestamp};
use node::cli::{CliError, Output, reported};
use node::config::Format;
use node::net::room::LOW_BYTES;
use serde_json::Value;
use wire::message::{AccountInfo, ClusterStatus, MessageInfo, NodeDigest, NodeProgress, NodeStatus, Role};
use wire::{Code, PeerId, Refusal};

use super::Target;
use super::draw::Draw;
use super::samples::behind;

pub(super) const TARGET: Target = Target {
    name: "terminal",
    run,
    seeds,
    words: &[
        b"\x1b[2J",
        b"\x1b]0;x\x07",
        b"\r",
        b"\n",
        b"\x08",
        b"\x7f",
        "\u{9b}31m".as_bytes(),
        "\u{202e}".as_bytes(),
        "\u{2066}".as_bytes(),
        "\u{200f}".as_bytes(),
        "\u{2028}".as_bytes(),
        "\u{feff}".as_bytes(),
        "\u{e0041}".as_bytes(),
        "\u{61c}".as_bytes(),
        b"\0",
    ],
};

/// One byte says what is shown, the rest is what it says.
fn run(input: &[u8]) {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let mut draw = Draw(bytes);
    match kind % 6 {
        0 => show_message(&mut draw),
        1 => show_account(&mut draw),
        2 => show_status(&mut draw),
        3 => show_digests(&mut draw),
        4 => show_refusal(&mut draw),
        _ => show_usage(&mut draw),
    }
}

/// Nothing that moves the cursor, paints, rings, breaks the line, reorders it or hides in it. Unicode's own lists, not the program's.
pub(super) fn assert_harmless(line: &str) {
    for c in line.chars() {
        // Controls (Cc), line and paragraph separators (Zl, Zp).
        let breaks = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        // The property Bidi_Control.
        let reorders =
            matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        // Annotations, the byte order mark, and tags, which are text that is not shown.
        let hides = matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        assert!(!breaks && !reorders && !hides, "{c:?} reaches the terminal in {line:?}");
    }
}

fn show_message(draw: &mut Draw<'_>) {
    let message = MessageInfo {
        id: MessageId(u128::from(draw.long())),
        cursor: Cursor(draw.long()),
        conversation: ConversationId(1),
        sent_at: Timestamp(draw.long()),
        state: [Delivery::Stored, Delivery::Delivered, Delivery::Read, Delivery::Returned][draw.below(4)],
        from: account(1, draw),
        to: account(2, draw),
        text: draw.text(),
    };
    let printed = |format| printed(format, |output| output.message(&message, AccountId(1)));
    assert_eq!(lines(&printed(Format::Text)).len(), 1, "a message takes more than its line");
    let row = json(&printed(Format::Json)).remove(0);
    assert_eq!(row["text"], message.text.as_str(), "in JSON a text is exact");
    assert_eq!(row["from"], message.from.name.as_str());
}

fn show_account(draw: &mut Draw<'_>) {
    let account = account(1, draw);
    assert_eq!(lines(&printed(Format::Text, |output| output.account(&account))).len(), 1);
    assert_eq!(json(&printed(Format::Json, |output| output.account(&account)))[0]["name"], account.name.as_str());
}

fn show_status(draw: &mut Draw<'_>) {
    let nodes: Vec<_> = (0..draw.below(4)).map(|_| node(draw)).collect();
    let status = ClusterStatus {
        nodes,
        leader: (draw.yes()).then(|| draw.text()),
        voters: u32::from(draw.byte()),
        reachable_voters: u32::from(draw.byte()),
        can_lose: u32::from(draw.byte() % 4),
        writable: draw.yes(),
        epoch: 1,
        answered_by: draw.text(),
    };
    let printed = |format| printed(format, |output| output.cluster_status(&status));
    let progress = status.nodes.iter().filter_map(|node| node.progress.as_ref());
    let low = progress.filter(|progress| progress.disk_free_bytes < LOW_BYTES).count();
    let expected = status.nodes.len() + 2 + low;
    assert_eq!(
        lines(&printed(Format::Text)).len(),
        expected,
        "titles, a line for each node, a sentence, one for each full disk"
    );
    assert_eq!(json(&printed(Format::Json)).len(), status.nodes.len() + 1);
}

fn show_digests(draw: &mut Draw<'_>) {
    let digest = |draw: &mut Draw<'_>| NodeDigest { digest: (draw.yes()).then(|| draw.bytes()), name: draw.text() };
    let digests: Vec<_> = (0..draw.below(4)).map(|_| digest(draw)).collect();
    let printed = |format| printed(format, |output| output.digests(Cursor(7), &digests));
    assert_eq!(lines(&printed(Format::Text)).len(), digests.len());
    assert_eq!(json(&printed(Format::Json)).len(), digests.len());
}

/// A refusal comes from whoever answered, who need not have proved a thing: it is one line.
fn show_refusal(draw: &mut Draw<'_>) {
    let code = Code::ALL[draw.below(Code::ALL.len())];
    let error = CliError::Refused(Refusal::new(code, draw.text()));
    let said = reported(Format::Text, &error).expect("a refusal is told");
    assert_harmless(&said);
    assert!(said.starts_with(&format!("error: {}: ", code.as_str())), "{said:?}");
    let row = json(&(reported(Format::Json, &error).expect("a refusal is told") + "\n")).remove(0);
    assert_eq!(row["code"], code.as_str());
}

/// A usage error may have lines of help, and repeats what was typed.
fn show_usage(draw: &mut Draw<'_>) {
    let error = CliError::Usage(draw.text());
    reported(Format::Text, &error).expect("it is told").split('\n').for_each(assert_harmless);
}

fn account(id: u64, draw: &mut Draw<'_>) -> AccountInfo {
    let active = draw.yes();
    AccountInfo { id: AccountId(id), active, deleted: false, created_at: Timestamp(draw.long()), name: draw.text() }
}

fn node(draw: &mut Draw<'_>) -> NodeStatus {
    let progress = |draw: &mut Draw<'_>| NodeProgress {
        term: draw.long(),
        last_index: draw.long(),
        applied: draw.long(),
        disk_used_bytes: draw.long(),
        disk_free_bytes: draw.long(),
        version: draw.text(),
    };
    NodeStatus {
        node_id: draw.long(),
        peer: PeerId([0x58; 32]),
        role: [Role::Leader, Role::Follower, Role::Candidate, Role::Learner, Role::Unknown][draw.below(5)],
        voter: draw.yes(),
        reachable: draw.yes(),
        addresses: Vec::new(),
        progress: (draw.yes()).then(|| progress(draw)),
        name: draw.text(),
    }
}

/// The lines of what is printed as text, none of which does any harm.
fn lines(text: &str) -> Vec<&str> {
    let Some(text) = text.strip_suffix('\n') else {
        assert_eq!(text, "", "the last line does not end");
        return Vec::new();
    };
    let lines: Vec<_> = text.split('\n').collect();
    // What separates columns is the program's own.
    for line in &lines {
        assert_harmless(&line.replace('\t', ""));
    }
    lines
}

fn json(text: &str) -> Vec<Value> {
    let row = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?} is no JSON: {error}"));
    text.strip_suffix('\n').map(|rows| rows.split('\n').map(row).collect()).unwrap_or_default()
}

fn printed(format: Format, print: impl FnOnce(&mut Output) -> Result<(), CliError>) -> String {
    let paper = Paper::default();
    print(&mut Output::new(format, Box::new(paper.clone()))).expect("paper takes everything");
    let bytes = paper.0.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8(bytes.clone()).expect("text is printed")
}

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let numbers = [0; 24];
    let texts = "bob\0\0\0\0\0\0\0\0\0\0alice\0hi there, grüße 世界 👩‍👩‍👧 مرحبا\0";
    let message = [&numbers[..], &[1, 0], &[0; 8], texts.as_bytes()].concat();
    let wild =
        [&numbers[..], &[1, 0], &[0; 8], b"a\x1b[31m\0\0\0\0\0\0\0\0\0\0b\r\0two\nlines \xe2\x80\xae\0"].concat();
    vec![
        behind(0, message),
        behind(0, wild),
        behind(1, b"\0\0\0\0\0\0\0\0\0alice\0"),
        behind(2, [&[1][..], &[0; 8], &[0, 0, 0, 1], b"n1\0", &[0], b"n1\0", &[3, 3, 1, 0], b"n1\0"].concat()),
        behind(3, [&[1, 1][..], b"n1\0"].concat()),
        behind(4, b"\x03The name is taken.\0"),
        behind(4, b"\x03The name is taken.\nerror: forged\0"),
        behind(5, b"unexpected argument\n\nUsage: node --cli\0"),
    ]
}
