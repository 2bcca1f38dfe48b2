use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::*;

const A: PeerId = PeerId([1; 32]);
const B: PeerId = PeerId([2; 32]);

fn to(peer: PeerId) -> Target {
    Target { peer: Some(peer), addresses: Vec::new() }
}

/// A stream from A to B: both its ends, and both transports.
async fn joined(network: &Network) -> (BoxStream, BoxStream, Arc<MemoryTransport>, Arc<MemoryTransport>) {
    let (a, b) = (network.join(A), network.join(B));
    let mut streams = b.accept(Protocol::Peer);
    let (peer, near) = a.open(to(B), Protocol::Peer).await.expect("B takes these");
    assert_eq!(peer, B);
    let incoming = streams.recv().await.expect("the stream");
    assert_eq!(incoming.peer, A);
    (near, incoming.stream, a, b)
}

async fn say(from: &mut BoxStream, to: &mut BoxStream, text: &[u8; 4]) {
    from.write_all(text).await.expect("it takes it");
    let mut heard = [0; 4];
    to.read_exact(&mut heard).await.expect("it arrives");
    assert_eq!(&heard, text);
}

#[tokio::test]
async fn both_ends_hear_each_other_to_a_clean_end() {
    let (mut near, mut far, ..) = joined(&Network::new()).await;
    say(&mut near, &mut far, b"ping").await;
    say(&mut far, &mut near, b"pong").await;
    near.write_all(b"last").await.expect("it takes it");
    drop(near);
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.expect("a clean end");
    assert_eq!(rest, b"last");
    assert!(far.write_all(b"?").await.is_err());
}

#[tokio::test]
async fn a_writer_waits_for_a_slow_reader() {
    let (mut near, mut far, ..) = joined(&Network::new()).await;
    let sent = vec![7; 1_000_000];
    let expected = sent.clone();
    let writing = tokio::spawn(async move { near.write_all(&sent).await.map(|()| near) });
    let mut heard = vec![0; expected.len()];
    far.read_exact(&mut heard).await.expect("it arrives");
    writing.await.expect("no panic").expect("it takes it");
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn a_partition_breaks_streams_until_it_heals() {
    let network = Network::new();
    let (mut near, mut far, a, b) = joined(&network).await;
    network.partition(&[A], &[B]);
    assert!(near.read_u8().await.is_err());
    assert!(far.read_u8().await.is_err());
    assert!(matches!(a.open(to(B), Protocol::Peer).await, Err(OpenError::Unreachable(_))));
    let mut streams = b.accept(Protocol::Peer);
    network.heal();
    a.open(to(B), Protocol::Peer).await.expect("healed");
    assert!(streams.recv().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_one_way_cut_is_silent_that_way_and_open_the_other() {
    let network = Network::new();
    let (mut near, mut far, a, b) = joined(&network).await;
    network.cut(A, B);
    near.write_all(b"held").await.expect("it takes it");
    say(&mut far, &mut near, b"back").await;
    assert!(tokio::time::timeout(Duration::from_secs(60), far.read_u8()).await.is_err());
    let begin = Instant::now();
    assert!(matches!(a.open(to(B), Protocol::Peer).await, Err(OpenError::Timeout(_))));
    assert!(matches!(b.open(to(A), Protocol::Peer).await, Err(OpenError::Timeout(_))));
    assert_eq!(begin.elapsed(), 2 * OPEN_TIMEOUT);
    network.heal();
    let mut heard = [0; 4];
    far.read_exact(&mut heard).await.expect("it arrives at last");
    assert_eq!(&heard, b"held");
}

#[tokio::test]
async fn a_crash_breaks_streams_and_the_restarted_peer_is_somewhere_else() {
    let network = Network::new();
    let (mut near, _far, a, b) = joined(&network).await;
    let old = b.addresses();
    network.crash(B);
    assert!(near.read_u8().await.is_err());
    assert!(matches!(a.open(to(B), Protocol::Peer).await, Err(OpenError::Unreachable(_))));
    assert!(matches!(b.open(to(A), Protocol::Peer).await, Err(OpenError::Closed)));
    let again = network.join(B);
    let _streams = again.accept(Protocol::Peer);
    assert_ne!(again.addresses(), old);
    assert_eq!(*a.discovered().borrow(), vec![(B, again.addresses())]);
    a.open(to(B), Protocol::Peer).await.expect("it is back");
}

#[tokio::test]
async fn whoever_answers_at_an_address_says_who_it_is() {
    let network = Network::new();
    let (_near, _far, a, b) = joined(&network).await;
    let mut streams = b.accept(Protocol::Client);
    let anyone = Target { peer: None, addresses: b.addresses() };
    let (peer, _stream) = a.open(anyone, Protocol::Client).await.expect("B is there");
    assert_eq!(peer, B);
    assert!(streams.recv().await.is_some());
    let nobody = Target { peer: None, addresses: vec![address(99)] };
    assert!(matches!(a.open(nobody, Protocol::Client).await, Err(OpenError::Unreachable(_))));
}

#[tokio::test]
async fn a_full_queue_refuses_and_takes_streams_again_once_there_is_room() {
    let network = Network::new();
    let (a, b) = (network.join(A), network.join(B));
    assert!(matches!(a.open(to(B), Protocol::Peer).await, Err(OpenError::Unsupported(_))));
    let mut streams = b.accept(Protocol::Peer);
    for _ in 0..ACCEPT_QUEUE_MAX {
        a.open(to(B), Protocol::Peer).await.expect("there is room");
    }
    assert!(matches!(a.open(to(B), Protocol::Peer).await, Err(OpenError::Unsupported(_))));
    streams.recv().await.expect("the first");
    a.open(to(B), Protocol::Peer).await.expect("there is room again");
}

#[tokio::test]
async fn disconnecting_breaks_every_stream_with_the_peer() {
    let (mut near, mut far, a, _b) = joined(&Network::new()).await;
    a.disconnect(B);
    assert!(near.read_u8().await.is_err());
    assert!(far.read_u8().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_delay_holds_for_each_way() {
    let network = Network::new();
    network.delay(|from, _| if from == A { Duration::from_millis(30) } else { Duration::from_millis(5) });
    let (mut near, mut far, ..) = joined(&network).await;
    let begin = Instant::now();
    say(&mut near, &mut far, b"ping").await;
    assert_eq!(begin.elapsed(), Duration::from_millis(30));
    say(&mut far, &mut near, b"pong").await;
    assert_eq!(begin.elapsed(), Duration::from_millis(35));
}

#[tokio::test(start_paused = true)]
async fn no_piece_overtakes_another_of_its_stream() {
    let network = Network::new();
    let slow = std::sync::atomic::AtomicU64::new(50);
    network.delay(move |_, _| Duration::from_millis(slow.fetch_sub(10, std::sync::atomic::Ordering::SeqCst)));
    let (mut near, mut far, ..) = joined(&network).await;
    for piece in [b"1", b"2", b"3"] {
        near.write_all(piece).await.expect("it is open");
    }
    let mut heard = [0; 3];
    far.read_exact(&mut heard).await.expect("it arrives");
    assert_eq!(&heard, b"123");
}

#[tokio::test(start_paused = true)]
async fn what_was_said_before_a_reset_still_arrives() {
    let network = Network::new();
    network.delay(|_, _| Duration::from_millis(30));
    let (mut near, mut far, ..) = joined(&network).await;
    near.write_all(b"said").await.expect("it is open");
    network.reset(A, B);
    assert!(near.write_all(b"more").await.is_err());
    assert!(near.read_u8().await.is_err());
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).await.expect("it ends cleanly");
    assert_eq!(heard, b"said");
    assert!(far.write_all(b"answer").await.is_err());
}
