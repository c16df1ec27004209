//! What a sender does about peers that come, go, stall, or are somebody else.

use std::sync::Arc;
use std::time::Duration;

use drl_core::caps::{
    QUIET_MILLIS, REPLICATION_BYTES_WAITING_MAX, REPLICATION_FRAMES_WAITING_MAX, REPLICATION_LINKS_MAX,
};
use drl_core::{Generation, Nanos};
use drl_engine::ownership::Holder;
use drl_engine::replication::{Body, Letter};
use drl_host::clock;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::{interval, timeout};

use super::peer::{TestPeer, TestSender, UnreadPeer, placed};
use super::{DEADLINE, beat, frame, holder, letter, one_of_each, payload};
use crate::metrics::ReplicationEvent as Event;
use crate::replication::queue::Queue;

const MIB: usize = 1 << 20;

/// Until something is so.
async fn until(is_so: impl Fn() -> bool) {
    let mut ticks = interval(Duration::from_millis(2));
    let waited = timeout(DEADLINE, async {
        while !is_so() {
            ticks.tick().await;
        }
    });
    waited.await.unwrap();
}

fn since(from: Nanos) -> Duration {
    Duration::from_nanos(clock::monotonic().0 - from.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_arrive_as_they_are_and_frames_in_their_order() {
    let mut peer = TestPeer::start("peer");
    let sender = TestSender::start(&[("peer", peer.address)]);
    for body in one_of_each() {
        sender.send("peer", body.clone()).await;
        assert_eq!(peer.letter().await, letter("peer", body));
    }
    let frames: Vec<Body> =
        (1..=100_u16).map(|number| frame(number.into(), &payload(usize::from(number) * 3_000))).collect();
    let later = |frame: &Body| match frame {
        Body::Frame(frame) => Body::Frame(drl_engine::replication::PeerFrame { stream: u64::MAX, ..frame.clone() }),
        other => other.clone(),
    };
    for frame in &frames {
        sender.send("peer", later(frame)).await;
    }
    for frame in &frames {
        assert_eq!(peer.body().await, later(frame));
    }
    let counts = [Event::Given, Event::Opened, Event::Full, Event::Lost].map(|event| sender.counts.count(event));
    assert_eq!(counts, [106, 1, 0, 0]);
    until(|| peer.counts.count(Event::Taken) == 106).await;
    timeout(DEADLINE, sender.replication.end(DEADLINE)).await.unwrap();
    assert!(sender.letters.is_closed(), "nobody reads them any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_gone_is_told_of_at_once_and_its_link_goes_on_when_somebody_is_there_again() {
    let mut peer = TestPeer::start("peer");
    let mut sender = TestSender::start(&[("peer", peer.address)]);
    sender.send("peer", beat(1)).await;
    assert_eq!(peer.body().await, beat(1));
    let killed = clock::monotonic();
    peer.kill();
    assert_eq!(sender.refused().await, holder("peer"));
    assert!(since(killed) < Duration::from_millis(100), "{:?}", since(killed));
    let address = peer.address;
    drop(peer);
    let mut again = TestPeer::start_at("peer", address);
    sender.send("peer", beat(2)).await;
    assert_eq!(again.body().await, beat(2));
    assert_eq!(sender.counts.count(Event::Opened), 2);
    assert!(sender.counts.count(Event::Refused) >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifetime_that_lost_its_session_is_still_where_it_was() {
    let (mut peer, mut other) = (TestPeer::start("peer"), TestPeer::start("other"));
    let sender = TestSender::start(&[("peer", peer.address)]);
    // When the letter to the other one has arrived, what was said before is known too.
    sender.placement.send_replace(placed(&[("other", other.address)]));
    sender.send("other", beat(1)).await;
    assert_eq!(other.body().await, beat(1));
    sender.send("peer", beat(2)).await;
    assert_eq!(peer.body().await, beat(2));
    // A lifetime that nobody has seen yet is written to as soon as it is known.
    let later = Holder { generation: Generation(8), ..holder("unseen") };
    sender.letters.send(Letter { to: later, ..letter("unseen", beat(3)) }).await.unwrap();
    sender.send("unseen", beat(4)).await;
    let mut unseen = TestPeer::start("unseen");
    sender.placement.send_replace(placed(&[("unseen", unseen.address)]));
    assert_eq!(unseen.letter().await, letter("unseen", beat(4)), "and not to its namesake");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_somebody_else_gets_nothing_and_is_not_taken_for_gone() {
    let mut other = TestPeer::start("other");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let garbage = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n").await;
        }
    });
    let mut sender = TestSender::start(&[("peer", other.address), ("shell", garbage)]);
    let waits = frame(1, &payload(10));
    sender.send("peer", waits.clone()).await;
    sender.send("shell", beat(1)).await;
    until(|| other.counts.count(Event::OtherName) >= 3 && sender.counts.count(Event::Failed) >= 6).await;
    assert!(other.told.try_recv().is_err() && sender.told.try_recv().is_err());
    assert_eq!(sender.counts.count(Event::Opened), 0);
    // What was said meanwhile is said to the right one.
    let mut peer = TestPeer::start("peer");
    sender.placement.send_replace(placed(&[("peer", peer.address)]));
    assert_eq!(peer.body().await, waits);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_which_some_parts_were_lost_is_sent_again_from_its_first_one() {
    let unread = UnreadPeer::start();
    let sender = TestSender::start(&[("peer", unread.address)]);
    let long = frame(1, &payload(16 << 20));
    sender.send("peer", long.clone()).await;
    until(|| sender.counts.count(Event::Opened) == 1).await;
    let address = unread.address;
    drop(unread);
    let mut peer = TestPeer::start_at("peer", address);
    assert_eq!(peer.body().await, long);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_reads_nothing_holds_bounded_memory_and_delays_no_other() {
    let stalled = UnreadPeer::start();
    // This one does not even say that it is there.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = TestPeer::start("peer");
    let at = [("stalled", stalled.address), ("silent", silent.local_addr().unwrap()), ("peer", peer.address)];
    let sender = TestSender::start(&at);
    let whole = payload(MIB);
    for number in 1..=1_000 {
        for to in ["stalled", "silent"] {
            sender.send(to, frame(number, &whole)).await;
            sender.send(to, beat(number)).await;
        }
        if number % 10 == 0 {
            let sent = clock::monotonic();
            sender.send("peer", beat(number)).await;
            assert_eq!(peer.body().await, beat(number));
            assert!(since(sent) < Duration::from_millis(QUIET_MILLIS), "{:?}", since(sent));
        }
    }
    // Each has a frame under way beside what waits.
    let waiting_max = (REPLICATION_BYTES_WAITING_MAX / MIB).min(REPLICATION_FRAMES_WAITING_MAX) + 1;
    assert!(Arc::strong_count(&whole) <= 1 + 2 * waiting_max, "{} are held", Arc::strong_count(&whole));
    assert!(sender.counts.count(Event::Full) >= 2_000 - 2 * waiting_max as u64 - 20);
    timeout(DEADLINE, sender.replication.end(DEADLINE)).await.unwrap();
    until(|| Arc::strong_count(&whole) == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_lifetimes_are_written_to_than_may_be() {
    let sender = TestSender::start(&[]);
    for generation in 0..=REPLICATION_LINKS_MAX as u64 {
        let to = Holder { generation: Generation(generation), ..holder("nowhere") };
        sender.letters.send(Letter { to, ..letter("nowhere", beat(1)) }).await.unwrap();
    }
    until(|| sender.counts.count(Event::TooManyLinks) == 1).await;
    assert_eq!(sender.counts.count(Event::Given), REPLICATION_LINKS_MAX as u64);
}

#[tokio::test]
async fn a_queue_is_unused_when_nothing_was_put_for_a_while() {
    let queue = Queue::new(holder("peer"));
    let idle = Duration::from_millis(50);
    let began = clock::monotonic();
    timeout(Duration::from_millis(30), queue.unused(idle)).await.unwrap_err();
    queue.put(letter("peer", beat(1)));
    queue.unused(idle).await;
    assert!(since(began) >= Duration::from_millis(80), "{:?}", since(began));
}
