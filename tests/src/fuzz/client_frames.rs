//! What a client may send to a node, and what it takes from one.

use wire::codec;
use wire::message::{Ask, CLIENT_FRAME_SIZE_MAX_BYTES, FromNode, Request};

use super::samples::{behind, golden, golden_bodies};
use super::{Target, frames};

pub(super) const TARGET: Target =
    Target { name: "client_frames", run, seeds, words: &[b"\0\0\0", b"\xff\xff\xff\xff\x0f"] };

/// One byte says which, the rest is the body of one frame or a stream of them.
fn run(input: &[u8]) {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let piece = usize::from(kind >> 2);
    match kind % 4 {
        0 => frames::same_again::<Ask>(bytes),
        1 => frames::same_again::<FromNode>(bytes),
        2 => frames::arrives::<Ask>(bytes, CLIENT_FRAME_SIZE_MAX_BYTES, piece),
        _ => frames::arrives::<FromNode>(bytes, CLIENT_FRAME_SIZE_MAX_BYTES, piece),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let request = |body: &Vec<u8>| codec::decode::<Request>(body).expect("a golden request");
    let ask = |request| codec::encode(&Ask { id: 5, at_least: chat::Cursor(300), request });
    let asks: Vec<_> = golden_bodies("wire/golden/v1/request.hex").iter().map(request).map(ask).collect();
    let mut seeds: Vec<_> = asks.iter().map(|ask| behind(0, &ask[frames::LENGTH_SIZE_BYTES..])).collect();
    seeds.extend(from_nodes().iter().map(|frame| behind(1, &frame[frames::LENGTH_SIZE_BYTES..])));
    seeds.push(behind(2 + 4 * 7, asks.concat()));
    seeds.push(behind(3 + 4 * 11, from_nodes().concat()));
    seeds
}

/// Answers and pushes lie in their files without the envelope that they travel in.
fn from_nodes() -> Vec<Vec<u8>> {
    use wire::message::{Answer, Answered, Push};
    let answered = |answer: Answer| {
        FromNode::Answered(Answered { id: 5, result: Ok(answer), applied: chat::Cursor(300), stale: false })
    };
    let mut all = golden("wire/golden/v1/from_node.hex");
    for body in golden_bodies("wire/golden/v1/answer.hex") {
        all.push(codec::encode(&answered(codec::decode(&body).expect("a golden answer"))));
    }
    for body in golden_bodies("wire/golden/v1/push.hex") {
        all.push(codec::encode(&FromNode::Push(codec::decode::<Push>(&body).expect("a golden push"))));
    }
    all
}
