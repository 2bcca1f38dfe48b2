//! What the index of words costs when messages are stored, and how long finding takes, beside reading everything.

use std::path::Path;
use std::time::{Duration, Instant};

use client::{Client, Cursor, To};
use tests::Cluster;

use crate::statistics::{Latencies, ms};
use crate::{MESSAGE_SIZE_BYTES, crowd, founded, real};

const MESSAGES: usize = 50_000;

/// How many words people use. The nth of them is used the less the greater n is.
const VOCABULARY: u64 = 5_000;

/// How often each query is asked.
const TIMES: usize = 100;

/// Measures and prints. False: something that was stored was not found.
pub(crate) async fn measure() -> bool {
    let mut cluster = founded(3);
    let reader = real::sign_up_at(&cluster, cluster.home(), "reader").await;
    let empty = state_bytes(&mut cluster);
    let one_word = crowd::fill_with(&cluster, MESSAGES, "one", Some("reader"), one_word).await;
    let plain = state_bytes(&mut cluster);
    let many_words = crowd::fill_with(&cluster, MESSAGES, "many", Some("reader"), many_words).await;
    let indexed = state_bytes(&mut cluster);
    let rate = |took: Duration| MESSAGES as f64 / took.as_secs_f64();
    println!(
        "search: {MESSAGES} messages of {MESSAGE_SIZE_BYTES} bytes stored by 256 clients: {:.0}/s of {} words each, {:.2} x the {:.0}/s of one word; \
         {} and {} bytes of state for each",
        rate(many_words),
        words_of(&self::many_words("many.0", 0)),
        rate(many_words) / rate(one_word),
        rate(one_word),
        (indexed - plain) / MESSAGES as u64,
        (plain - empty) / MESSAGES as u64,
    );
    let (read, all) = read_everything(&reader).await;
    println!("search: reading all {all} messages page by page, the baseline: {} ms", ms(read));
    let mut whole = all >= MESSAGES;
    for (what, query, expected) in [
        ("one message by its number", "\"number77of many.12\"".to_owned(), Some(1)),
        ("a word in nearly all", word(0), None),
        ("a beginning of many words", word(1)[..2].to_owned(), None),
        ("three words in few", format!("{} {} {}", word(10), word(20), word(40)), None),
    ] {
        whole &= ask(&reader, what, &query, expected).await;
    }
    whole
}

async fn ask(reader: &Client, what: &str, query: &str, expected: Option<usize>) -> bool {
    let mut taken = Vec::new();
    let mut found = 0;
    for _ in 0..TIMES {
        let started = Instant::now();
        found = reader.search(query, None, None, 40).await.expect("it is found").items.len();
        taken.push(started.elapsed());
    }
    let taken = Latencies::new(taken);
    let right = expected.map_or(found > 0, |expected| expected == found);
    println!(
        "search: {what}: {found} of at most 40, p50 {} ms, p99 {} ms{}",
        ms(taken.percentile(0.5)),
        ms(taken.percentile(0.99)),
        if right { "" } else { "  BROKEN" },
    );
    right
}

async fn read_everything(reader: &Client) -> (Duration, usize) {
    let started = Instant::now();
    let mut count = 0;
    for conversation in reader.all_conversations().await.expect("the list can be read").items {
        let mut after = Cursor::START;
        loop {
            let with = To::Account(conversation.with.id);
            let (_, page) = reader.messages(with, None, Some(after), 500).await.expect("the history can be read");
            count += page.items.len();
            after = page.items.last().map_or(after, |message| message.cursor);
            if !page.more {
                break;
            }
        }
    }
    (started.elapsed(), count)
}

/// What the state of a node takes on its disk, once that does not grow any more.
fn state_bytes(cluster: &mut Cluster) -> u64 {
    // Every node has applied everything, and what is in the log does not count.
    cluster.cli().run(&["cluster", "check"]).ok();
    let name = cluster.running().into_iter().next().expect("a node runs");
    let folder = cluster.home().join("data").join(name).join("state");
    let mut size = size_of(&folder);
    // The index is made behind the messages.
    for _ in 0..30 {
        std::thread::sleep(Duration::from_secs(1));
        let now = size_of(&folder);
        if now == size {
            break;
        }
        size = now;
    }
    size
}

fn size_of(path: &Path) -> u64 {
    let inside = std::fs::read_dir(path).expect("the folder can be read").map(|file| file.expect("so can its files"));
    inside
        .map(|file| match file.metadata().expect("so can what they are") {
            folder if folder.is_dir() => size_of(&file.path()),
            file => file.len(),
        })
        .sum()
}

/// A text without spaces.
fn one_word(name: &str, number: usize) -> String {
    format!("{:x<MESSAGE_SIZE_BYTES$}", format!("number{number}of{}", name.replace('.', "x")))
}

/// A text of words as people use them, and the message's own number.
fn many_words(name: &str, number: usize) -> String {
    let mut text = format!("number{number}of {name}");
    let mut chance = name.bytes().fold(number as u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    loop {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = (chance >> 33) as f64 / (1u64 << 31) as f64;
        let next = word((VOCABULARY as f64 * share.powi(4)) as u64);
        if text.len() + next.len() >= MESSAGE_SIZE_BYTES {
            return text;
        }
        text.push(' ');
        text.push_str(&next);
    }
}

/// The nth word: of some five letters.
fn word(number: u64) -> String {
    let mut number = number.wrapping_mul(48_271) % 11_881_376;
    let letters = std::iter::repeat_with(|| {
        let letter = b'a' + u8::try_from(number % 26).expect("one of 26");
        number /= 26;
        char::from(letter)
    });
    letters.take(5).collect()
}

fn words_of(text: &str) -> usize {
    text.split_whitespace().count()
}
