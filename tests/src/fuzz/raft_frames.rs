//! What nodes send each other: Raft's own frames, and everything else between two of them.

use node::raft::bytes::Frames;
use wire::peer::{PEER_FRAME_SIZE_MAX_BYTES, PeerAnswer, PeerRequest};

use super::samples::{behind, golden, golden_bodies};
use super::{Target, frames};

pub(super) const TARGET: Target =
    Target { name: "raft_frames", run, seeds, words: &[b"\x01\x03\x02", b"\xff\xff\xff\xff\x0f"] };

/// What follows the kinds of [`Frames`].
const REQUEST: usize = Frames::ALL.len();
const ANSWER: usize = REQUEST + 1;
const REQUESTS: usize = REQUEST + 2;
const KINDS: usize = REQUEST + 3;

/// One byte says which, the rest is the body of one frame or a stream of them.
fn run(input: &[u8]) {
    let Some((&kind, bytes)) = input.split_first() else { return };
    match usize::from(kind) % KINDS {
        REQUEST => frames::same_again::<PeerRequest>(bytes),
        ANSWER => frames::same_again::<PeerAnswer>(bytes),
        REQUESTS => frames::arrives::<PeerRequest>(bytes, PEER_FRAME_SIZE_MAX_BYTES, usize::from(kind)),
        of_raft => frames::kept(bytes, |body| Frames::ALL[of_raft].reread(body)),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let kind = |kind: usize| u8::try_from(kind).expect("few kinds");
    let mut seeds = Vec::new();
    for (at, frames) in Frames::ALL.iter().enumerate() {
        let bodies = golden_bodies(&format!("node/golden/v1/raft_{frames:?}.hex").to_lowercase());
        seeds.extend(bodies.iter().map(|body| behind(kind(at), body)));
    }
    let requests = golden_bodies("wire/golden/v1/peer_request.hex");
    seeds.extend(requests.iter().map(|body| behind(kind(REQUEST), body)));
    seeds.extend(golden_bodies("wire/golden/v1/peer_answer.hex").iter().map(|body| behind(kind(ANSWER), body)));
    seeds.push(behind(kind(REQUESTS), golden("wire/golden/v1/peer_request.hex").concat()));
    seeds
}
