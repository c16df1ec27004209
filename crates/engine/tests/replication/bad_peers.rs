//! Peers that lie about who they are, whom they mean, or what was acknowledged: rejected by name, counted, and without effect.

use drl_core::{Epoch, Nanos, ShardId};
use drl_engine::replication::{Ack, Beat, Body, Invite, Join, News, Order, Received, Rejected, Start};

use crate::bad_frames::{EPOCH_AT, edited, from_owner, last_ack};
use crate::ledgers::*;

/// Bodies of every kind that a peer may send.
fn bodies(ledgers: &mut Ledgers) -> Vec<Body> {
    let frame = ledgers.next_frame();
    let ack = Ack { stream: frame.stream, number: frame.number, refused: vec![(S, Epoch(99))], ..Ack::default() };
    let lost = Body::Lost { stream: frame.stream };
    vec![Body::Frame(frame), Body::Ack(ack), lost, Body::Join(vec![Join { shard: S, epoch: Epoch(5), attempt: 2 }])]
}

#[test]
fn whatever_is_meant_for_another_lifetime_is_rejected() {
    for node in [1, 2] {
        let mut ledgers = Ledgers::in_sync();
        let bodies = bodies(&mut ledgers);
        ledgers.take_news(node);
        let before = ledgers.state(node);
        let count = bodies.len() as u64;
        for body in bodies {
            let letter = letter(n(3 - node), holder(node, 2), body);
            assert_eq!(ledgers.give(letter), Err(Rejected::OtherLifetime));
        }
        assert_eq!((ledgers.state(node), ledgers.take_news(node)), (before, vec![]));
        assert_eq!(ledgers.ledger(node).rejections().other_lifetime, count);
    }
}

#[test]
fn whatever_comes_from_another_lifetime_of_a_peer_or_from_a_stranger_is_rejected() {
    for node in [1, 2] {
        for liar in [holder(3 - node, 2), holder(3 - node, 0), n(3), n(node)] {
            let mut ledgers = Ledgers::in_sync();
            let bodies = bodies(&mut ledgers);
            ledgers.take_news(node);
            let before = ledgers.state(node);
            let count = bodies.len() as u64;
            for body in bodies {
                assert_eq!(ledgers.give(letter(liar.clone(), n(node), body)), Err(Rejected::Stranger));
            }
            assert_eq!((ledgers.state(node), ledgers.take_news(node)), (before, vec![]));
            assert_eq!(ledgers.ledger(node).rejections().strangers, count);
        }
    }
}

#[test]
fn a_node_without_a_session_takes_nothing_and_what_it_rejected_stays_counted() {
    let mut ledgers = Ledgers::in_sync();
    let frame = ledgers.next_frame();
    let _ = ledgers.give(letter(n(3), n(2), Body::Frame(frame.clone())));
    ledgers.obey(2, Order::Lifetime(None));
    assert_eq!(ledgers.give(from_owner(frame)), Err(Rejected::OtherLifetime));
    let rejections = ledgers.ledger(2).rejections();
    assert_eq!((rejections.strangers, rejections.other_lifetime), (1, 1));
}

#[test]
fn a_stranger_that_asks_for_a_sign_of_life_gets_one_and_nothing_is_kept_of_it() {
    let mut ledgers = Ledgers::in_sync();
    let before = ledgers.state(2);
    let beat = Body::Beat(Beat { asks: true, boottime: Nanos(1) });
    assert_eq!(ledgers.give(letter(n(3), n(2), beat)), Ok(Received::Taken));
    let answer = Body::Beat(Beat { asks: false, boottime: ledgers.now });
    assert_eq!(ledgers.letters(), [letter(n(2), n(3), answer)]);
    let frame = ledgers.next_frame();
    assert_eq!(ledgers.give(letter(n(3), n(2), Body::Frame(frame))), Err(Rejected::Stranger));
    assert_eq!(ledgers.state(2), before);
}

#[test]
fn a_section_of_a_lower_or_a_higher_epoch_than_was_promised_is_refused_with_the_promise() {
    for epoch in [0_u64, 4, 6, u64::MAX] {
        let mut ledgers = Ledgers::in_sync();
        let (frame, before) = (ledgers.next_frame(), ledgers.state(2));
        let _ = ledgers.give(from_owner(edited(&frame, EPOCH_AT, &epoch.to_le_bytes())));
        assert_eq!(ledgers.state(2), before, "epoch {epoch}");
        assert_eq!(ledgers.ledger(2).rejections().sections, 1);
        assert_eq!(last_ack(&mut ledgers).unwrap().refused, [(S, Epoch(5))]);
    }
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_or_of_another_stream_releases_nothing() {
    let mut ledgers = Ledgers::in_sync();
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    let frame = frames(&ledgers.letters()).pop().unwrap();
    let (stream, number) = (frame.stream, frame.number);
    for (stream, number) in [(stream, number + 1), (stream, u64::MAX), (stream + 1, number), (stream - 1, number)] {
        let ack = Ack { stream, number, ..Ack::default() };
        assert_eq!(ledgers.give(letter(n(2), n(1), Body::Ack(ack))), Ok(Received::Taken));
        assert!(!ledgers.is_released(1, S, commit));
    }
    let ack = Ack { stream, number, ..Ack::default() };
    let _ = ledgers.give(letter(n(2), n(1), Body::Ack(ack)));
    assert!(ledgers.is_released(1, S, commit));
}

#[test]
fn an_acknowledgement_by_or_for_an_earlier_lifetime_releases_nothing() {
    for (from, to) in [(holder(2, 0), n(1)), (n(2), holder(1, 0)), (n(3), n(1))] {
        let mut ledgers = Ledgers::in_sync();
        let commit = ledgers.charge(1, S, 1).unwrap();
        ledgers.commit(1);
        let frame = frames(&ledgers.letters()).pop().unwrap();
        let ack = Ack { stream: frame.stream, number: frame.number, ..Ack::default() };
        assert!(ledgers.give(letter(from, to, Body::Ack(ack))).is_err());
        assert!(!ledgers.is_released(1, S, commit));
    }
}

#[test]
fn a_join_of_another_epoch_or_invitation_or_shard_starts_no_copy() {
    let mut ledgers = Ledgers::new();
    ledgers.own(1, S, 5);
    ledgers.obey(1, Order::Seat { shard: S, to: n(2), start: Start::Anew });
    ledgers.tick(1);
    let invites = ledgers.letters().into_iter().find_map(|letter| match letter.body {
        Body::Invite(invites) => Some(invites),
        _ => None,
    });
    let Invite { shard, epoch, attempt, .. } = invites.unwrap()[0];
    let wrong = [
        Join { shard, epoch: Epoch(4), attempt },
        Join { shard, epoch: Epoch(6), attempt },
        Join { shard, epoch, attempt: attempt + 1 },
        Join { shard: ShardId::new(2), epoch, attempt },
        Join { shard: ShardId::new(SHARDS), epoch, attempt },
    ];
    for join in wrong {
        let _ = ledgers.give(letter(n(2), n(1), Body::Join(vec![join])));
        assert_eq!(frames(&ledgers.letters()), []);
    }
    let _ = ledgers.give(letter(n(2), n(1), Body::Join(vec![Join { shard, epoch, attempt }])));
    assert_eq!(frames(&ledgers.letters()).len(), 1, "the snapshot");
}

#[test]
fn a_refusal_names_a_shard_of_the_sender_or_nothing_breaks() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.obey(1, Order::Listen { to: [n(3)].into() });
    let commit = ledgers.charge(1, S, 1).unwrap();
    let nowhere = vec![(S, Epoch(5)), (ShardId::new(SHARDS), Epoch(5)), (ShardId::new(u16::MAX), Epoch(9))];
    let ack = Ack { stream: 1, number: 1, refused: nowhere, ..Ack::default() };
    assert_eq!(ledgers.give(letter(n(3), n(1), Body::Ack(ack))), Ok(Received::Taken));
    ledgers.settle();
    assert!(ledgers.is_released(1, S, commit), "the copy on n2 is as good as before");
}

#[test]
fn a_copy_that_says_that_it_lost_everything_is_broken_and_nothing_counts_as_acknowledged_by_it() {
    let mut ledgers = Ledgers::in_sync();
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    let frame = frames(&ledgers.letters()).pop().unwrap();
    let _ = ledgers.give(letter(n(2), n(1), Body::Lost { stream: frame.stream + 1 }));
    assert!(!ledgers.take_news(1).contains(&News::Broken { shard: S, to: n(2) }), "another stream");
    let _ = ledgers.give(letter(n(2), n(1), Body::Lost { stream: frame.stream }));
    assert!(ledgers.take_news(1).contains(&News::Broken { shard: S, to: n(2) }));
    ledgers.settle();
    assert!(!ledgers.is_released(1, S, commit));
}

#[test]
fn a_higher_epoch_in_a_refusal_is_told_because_an_owner_that_hears_of_one_stops() {
    let mut ledgers = Ledgers::in_sync();
    let frame = ledgers.next_frame();
    let ack = Ack { stream: frame.stream, number: frame.number, refused: vec![(S, Epoch(6))], ..Ack::default() };
    let _ = ledgers.give(letter(n(2), n(1), Body::Ack(ack)));
    assert!(ledgers.take_news(1).contains(&News::Fenced { shard: S }));
}
