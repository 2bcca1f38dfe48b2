use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Instant;

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

use super::*;

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(20);

fn loopback(byte: u8) -> Config {
    let listen = vec![Address::tcp((Ipv4Addr::LOCALHOST, 0).into())];
    Config { seed: [byte; 32], listen, port_first: None, mdns: false, limits: Limits::default() }
}

/// As a client: listens nowhere.
fn listless(byte: u8) -> Config {
    Config { listen: Vec::new(), ..loopback(byte) }
}

async fn start(config: Config) -> Arc<Libp2p> {
    Libp2p::start(config).await.expect("loopback is there")
}

fn at(peer: &Libp2p) -> Target {
    Target { peer: Some(peer.local()), addresses: peer.addresses() }
}

async fn next(streams: &mut mpsc::Receiver<Incoming>) -> Incoming {
    timeout(LONG, streams.recv()).await.expect("in time").expect("a stream")
}

async fn say(from: &mut BoxStream, to: &mut BoxStream, text: &[u8; 4]) {
    from.write_all(text).await.expect("it takes it");
    from.flush().await.expect("it takes it");
    let mut heard = [0; 4];
    timeout(LONG, to.read_exact(&mut heard)).await.expect("in time").expect("it arrives");
    assert_eq!(&heard, text);
}

async fn assert_ends(stream: &mut BoxStream, within: Duration) {
    let mut rest = Vec::new();
    let ended = timeout(within, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the stream is still open after {within:?}");
}

#[tokio::test]
async fn two_peers_open_streams_both_ways_on_one_connection() {
    let (a, b) = (start(loopback(1)).await, start(loopback(2)).await);
    let (mut to_a, mut to_b) = (a.accept(Protocol::Peer), b.accept(Protocol::Peer));
    let (peer, mut near) = a.open(at(&b), Protocol::Peer).await.expect("B takes it");
    assert_eq!(peer, b.local());
    let mut far = next(&mut to_b).await;
    assert_eq!(far.peer, a.local());
    say(&mut near, &mut far.stream, b"ping").await;
    say(&mut far.stream, &mut near, b"pong").await;
    let back = Target { peer: Some(a.local()), addresses: Vec::new() };
    let (_, mut near) = b.open(back, Protocol::Peer).await.expect("they are connected");
    say(&mut near, &mut next(&mut to_a).await.stream, b"back").await;
}

#[tokio::test]
async fn whoever_answers_at_an_address_says_who_it_is() {
    let (a, b) = (start(listless(1)).await, start(loopback(2)).await);
    let mut streams = b.accept(Protocol::Client);
    let nobody = Address::tcp((Ipv4Addr::LOCALHOST, 1).into());
    let addresses = [vec![nobody], b.addresses()].concat();
    let (peer, _stream) = a.open(Target { peer: None, addresses }, Protocol::Client).await.expect("B is there");
    assert_eq!(peer, b.local());
    assert_eq!(next(&mut streams).await.peer, a.local());
}

#[tokio::test]
async fn another_peer_than_the_one_that_is_meant_is_not_spoken_to() {
    let (a, b) = (start(listless(1)).await, start(loopback(2)).await);
    let mut streams = b.accept(Protocol::Peer);
    let wrong = Target { peer: Some(key_to_peer(&[3; 32])), addresses: b.addresses() };
    assert!(matches!(a.open(wrong, Protocol::Peer).await, Err(OpenError::Unreachable(_))));
    assert!(streams.try_recv().is_err());
}

#[tokio::test]
async fn where_nobody_listens_the_answer_is_no() {
    let a = start(listless(1)).await;
    let peer = Some(key_to_peer(&[3; 32]));
    let nobody = vec![Address::tcp((Ipv4Addr::LOCALHOST, 1).into())];
    for target in [
        Target { peer, addresses: nobody.clone() },
        Target { peer, addresses: Vec::new() },
        Target { peer: None, addresses: nobody },
        Target::default(),
    ] {
        assert!(matches!(a.open(target, Protocol::Peer).await, Err(OpenError::Unreachable(_))));
    }
}

#[tokio::test]
async fn a_protocol_that_nobody_accepts_is_unsupported() {
    let (a, b) = (start(listless(1)).await, start(loopback(2)).await);
    let _streams = b.accept(Protocol::Peer);
    let outcome = a.open(at(&b), Protocol::Client).await;
    assert_eq!(outcome.err(), Some(OpenError::Unsupported(Protocol::Client.name())));
    drop(b.accept(Protocol::Peer));
    assert!(matches!(a.open(at(&b), Protocol::Peer).await, Err(OpenError::Unsupported(_))));
}

#[tokio::test]
async fn a_full_queue_refuses_and_takes_streams_again_once_there_is_room() {
    let (a, b) = (start(listless(1)).await, start(loopback(2)).await);
    let mut streams = b.accept(Protocol::Peer);
    let mut open = Vec::new();
    for _ in 0..crate::transport::ACCEPT_QUEUE_MAX {
        open.push(a.open(at(&b), Protocol::Peer).await.expect("there is room"));
    }
    // The last one may not have reached the queue yet.
    let mut late = 0;
    while a.open(at(&b), Protocol::Peer).await.is_ok() {
        late += 1;
        assert!(late < 10, "a full queue takes streams");
    }
    next(&mut streams).await;
    a.open(at(&b), Protocol::Peer).await.expect("there is room again");
}

#[tokio::test]
async fn streams_that_arrive_together_are_all_taken() {
    let (a, b) = (start(listless(1)).await, start(loopback(2)).await);
    let mut streams = b.accept(Protocol::Client);
    let target = at(&b);
    let opening = join_all((0..60).map(|_| a.open(target.clone(), Protocol::Client))).await;
    assert!(opening.iter().all(Result::is_ok));
    for _ in 0..60 {
        next(&mut streams).await;
    }
}

#[tokio::test]
async fn peers_that_dial_each_other_at_once_both_get_through() {
    let (a, b) = (start(loopback(1)).await, start(loopback(2)).await);
    let (mut to_a, mut to_b) = (a.accept(Protocol::Peer), b.accept(Protocol::Peer));
    let (there, back) = tokio::join!(a.open(at(&b), Protocol::Peer), b.open(at(&a), Protocol::Peer));
    let ((_, mut there), (_, mut back)) = (there.expect("B is there"), back.expect("A is there"));
    say(&mut there, &mut next(&mut to_b).await.stream, b"ping").await;
    say(&mut back, &mut next(&mut to_a).await.stream, b"pong").await;
}

#[tokio::test]
async fn every_process_of_a_profile_is_heard() {
    let node = start(loopback(2)).await;
    let mut streams = node.accept(Protocol::Client);
    let processes = join_all((0..3).map(|_| start(listless(1)))).await;
    for process in &processes {
        let (_, mut near) = process.open(at(&node), Protocol::Client).await.expect("the node is there");
        let mut far = next(&mut streams).await;
        assert_eq!(far.peer, key_to_peer(&[1; 32]));
        say(&mut near, &mut far.stream, b"here").await;
    }
}

#[tokio::test]
async fn disconnecting_ends_every_stream_with_the_peer() {
    let (a, b) = (start(loopback(1)).await, start(loopback(2)).await);
    let mut streams = b.accept(Protocol::Peer);
    let (_, mut near) = a.open(at(&b), Protocol::Peer).await.expect("B is there");
    let mut far = next(&mut streams).await;
    b.disconnect(a.local());
    assert_ends(&mut near, LONG).await;
    assert_ends(&mut far.stream, LONG).await;
}

#[tokio::test]
async fn more_connections_than_the_limit_are_refused() {
    let limits = Limits { per_peer: 2, ..Limits::default() };
    let node = start(Config { limits, ..loopback(2) }).await;
    let _streams = node.accept(Protocol::Client);
    let processes = join_all((0..3).map(|_| start(listless(1)))).await;
    let mut held = Vec::new();
    for process in &processes[..2] {
        held.push(process.open(at(&node), Protocol::Client).await.expect("within the limit"));
    }
    assert!(matches!(processes[2].open(at(&node), Protocol::Client).await, Err(OpenError::Unreachable(_))));
}

#[tokio::test]
async fn a_transport_that_was_shut_down_opens_nothing() {
    let (a, b) = (start(listless(1)).await, start(loopback(2)).await);
    let mut streams = b.accept(Protocol::Peer);
    let (_, _near) = a.open(at(&b), Protocol::Peer).await.expect("B is there");
    let mut far = next(&mut streams).await;
    a.shutdown().await;
    assert_ends(&mut far.stream, LONG).await;
    assert_eq!(a.open(at(&b), Protocol::Peer).await.err(), Some(OpenError::Closed));
}

/// A peer on threads of its own, to be killed or stopped without a word.
fn elsewhere(config: Config) -> (Runtime, Arc<Libp2p>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let peer = runtime.block_on(start(config));
    (runtime, peer)
}

#[test]
fn the_death_of_a_peer_ends_its_streams_at_once_and_it_is_found_again_elsewhere() {
    let here = Runtime::new().expect("threads");
    let a = here.block_on(start(listless(1)));
    let (there, b) = elsewhere(loopback(2));
    let mut streams = b.accept(Protocol::Peer);
    let (_, mut near) = here.block_on(a.open(at(&b), Protocol::Peer)).expect("B is there");
    let _far = here.block_on(next(&mut streams));
    there.shutdown_background();
    here.block_on(assert_ends(&mut near, Duration::from_secs(2)));

    let (_there, b) = elsewhere(loopback(2));
    let mut streams = b.accept(Protocol::Peer);
    let (_, mut near) = here.block_on(a.open(at(&b), Protocol::Peer)).expect("B is back");
    let mut far = here.block_on(next(&mut streams));
    here.block_on(say(&mut near, &mut far.stream, b"back"));
}

#[test]
fn a_connection_on_which_nobody_answers_does_not_hide_the_peer() {
    let here = Runtime::new().expect("threads");
    let a = here.block_on(start(listless(1)));
    let (there, b) = elsewhere(loopback(2));
    let mut streams = b.accept(Protocol::Peer);
    here.block_on(a.open(at(&b), Protocol::Peer)).expect("B is there");
    here.block_on(next(&mut streams));
    let (stopped, is_stopped) = std::sync::mpsc::channel();
    let (resume, resumed) = std::sync::mpsc::channel::<()>();
    there.spawn(async move {
        stopped.send(()).expect("the test waits for it");
        let _ = resumed.recv();
    });
    is_stopped.recv().expect("the only thread stops");

    let (_again, b) = elsewhere(loopback(2));
    let mut streams = b.accept(Protocol::Peer);
    let begin = Instant::now();
    here.block_on(a.open(at(&b), Protocol::Peer)).expect("B is at its new address");
    assert!(begin.elapsed() < OPEN_TIMEOUT);
    here.block_on(next(&mut streams));
    drop(resume);
}

fn port(peer: &Libp2p) -> u16 {
    let first = peer.addresses().first().and_then(Address::socket).expect("it listens on TCP");
    first.port()
}

#[tokio::test]
async fn peers_that_start_together_each_take_the_next_free_port() {
    let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("there is a free port");
    let first = taken.local_addr().expect("it is bound").port();
    let config = |byte| Config { listen: Vec::new(), port_first: Some(first), ..loopback(byte) };
    let peers = join_all((1..=6).map(|byte| start(config(byte)))).await;
    let mut ports: Vec<u16> = peers.iter().map(|peer| port(peer)).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), peers.len(), "{ports:?}");
    assert!(ports.iter().all(|&port| port > first));
    let loopback = |address: &Address| address.socket().is_some_and(|socket| socket.ip().is_loopback());
    assert!(peers.iter().all(|peer| peer.addresses().iter().any(loopback)));
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_to_be() {
    let a = start(loopback(1)).await;
    let taken = Address::tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port(&a))));
    let outcome = Libp2p::start(Config { listen: vec![taken.clone()], ..loopback(2) }).await;
    assert!(matches!(outcome, Err(StartError::Listen { address, .. }) if address == taken));
}

#[tokio::test]
#[ignore = "sends multicast: run it as root in a network namespace of its own, see the first lines"]
async fn peers_on_one_network_find_each_other_by_mdns() {
    // unshare -n sh -c 'ip link set lo up; ip link add v0 type veth peer name v1; ip link set v1 up;
    //     ip addr add 10.9.0.1/24 dev v0; ip link set v0 up; exec TEST_BINARY --ignored mdns'
    let config = |byte| Config { listen: Vec::new(), port_first: Some(12_340), mdns: true, ..loopback(byte) };
    let (a, b) = (start(config(1)).await, start(config(2)).await);
    let client = start(Config { mdns: true, ..listless(3) }).await;
    for (finder, found) in [(&a, &b), (&b, &a), (&client, &a), (&client, &b)] {
        let mut discovered = finder.discovered();
        let seen = discovered.wait_for(|peers| peers.iter().any(|(peer, _)| *peer == found.local()));
        timeout(LONG, seen).await.expect("in time").expect("it goes on looking");
    }
    let _streams = b.accept(Protocol::Client);
    let by_name = Target { peer: Some(b.local()), addresses: Vec::new() };
    client.open(by_name, Protocol::Client).await.expect("mDNS knows where");
}
