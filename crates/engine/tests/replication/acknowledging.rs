//! What a follower may acknowledge, and when.

use drl_core::{Epoch, ShardId};
use drl_engine::Recoverer;
use drl_engine::replication::{Body, Join, Letter, News, Order, Received, Start};

use crate::bad_frames::{acks, from_owner, last_ack};
use crate::ledgers::*;

#[test]
fn a_follower_acknowledges_only_what_is_in_its_own_journal() {
    let mut ledgers = Ledgers::in_sync();
    let (first, second) = (ledgers.next_frame(), ledgers.next_frame());
    let _ = ledgers.give(from_owner(first.clone()));
    assert_eq!(acks(&ledgers.letters()), [], "taken");
    ledgers.seal(2);
    let _ = ledgers.give(from_owner(second.clone()));
    assert_eq!(acks(&ledgers.letters()), [], "sealed");
    ledgers.journaled(2);
    assert_eq!(acks(&ledgers.letters()).pop().unwrap().number, first.number, "the second one is in the open frame");
    ledgers.commit(2);
    assert_eq!(acks(&ledgers.letters()).pop().unwrap().number, second.number);
}

#[test]
fn what_was_acknowledged_comes_back_from_the_followers_journal() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.charge(1, S, 2).unwrap();
    ledgers.settle();
    let mut recoverer = Recoverer::new(drl_core::ShardCount::new(u64::from(SHARDS)).unwrap());
    for frame in &ledgers.node(2).journal {
        recoverer.frame(frame).unwrap();
    }
    ledgers.node(2).ledger = recoverer.into_ledger(drl_core::CommitNo(100));
    assert_eq!((ledgers.used(2, S, 1), ledgers.used(2, S, 2)), (3, 1));
}

#[test]
fn a_copy_is_near_only_when_its_marker_is_on_disk_and_no_other_shard_waits_for_that() {
    let mut ledgers = Ledgers::new();
    ledgers.marks = false;
    ledgers.own(1, S, 5);
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    ledgers.seat(1, 2, Start::Anew);
    let near = News::Near { shard: S, to: n(2) };
    assert!(ledgers.take_news(2).contains(&News::Seeded { shard: S, epoch: Epoch(5) }));
    ledgers.live(1_000);
    ledgers.settle();
    assert!(!ledgers.take_news(1).contains(&near), "journaled, acknowledged, and named as one that does not count");
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.settle();
    assert!(ledgers.ledger(1).lags().all(|(_, lag)| lag.frames == 0), "what came behind it is acknowledged");
    assert!(ledgers.is_released(1, S, commit));
    ledgers.obey(2, Order::CopyCounts { shard: S });
    ledgers.live(200);
    assert!(ledgers.take_news(1).contains(&near));
}

#[test]
fn a_copy_that_is_left_before_its_marker_is_on_disk_is_refused() {
    let mut ledgers = Ledgers::new();
    ledgers.marks = false;
    ledgers.own(1, S, 5);
    ledgers.seat(1, 2, Start::Anew);
    ledgers.obey(2, Order::Unfollow { shard: S });
    assert_eq!(last_ack(&mut ledgers).unwrap().refused, [(S, Epoch(5))]);
}

#[test]
fn a_follower_that_left_refuses_what_comes_later_and_acknowledges_what_it_had_taken() {
    let mut ledgers = Ledgers::in_sync();
    let (taken, late) = (ledgers.next_frame(), ledgers.next_frame());
    let _ = ledgers.give(from_owner(taken.clone()));
    ledgers.obey(2, Order::Unfollow { shard: S });
    let ack = last_ack(&mut ledgers).unwrap();
    assert_eq!((ack.number, ack.refused), (taken.number, vec![]));
    let before = ledgers.state(2);
    assert_eq!(ledgers.give(from_owner(late.clone())), Ok(Received::Taken));
    assert_eq!(ledgers.state(2), before);
    let ack = last_ack(&mut ledgers).unwrap();
    assert_eq!((ack.number, ack.refused), (late.number, vec![(S, Epoch(5))]));
}

#[test]
fn a_frame_of_which_nothing_is_taken_is_acknowledged_although_nothing_is_journaled_after_it() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.settle();
    ledgers.obey(2, Order::Unfollow { shard: S });
    let late = ledgers.next_frame();
    let now = ledgers.now;
    let follower = ledgers.ledger(2);
    assert_eq!(follower.receive(from_owner(late.clone()), now), Ok(Received::Taken));
    assert!(follower.is_clean(), "there is nothing to write");
    follower.take_letters();
    follower.acknowledge(now);
    let acks = follower.take_letters();
    assert!(matches!(&acks[..], [Letter { body: Body::Ack(ack), .. }] if ack.number == late.number), "{acks:?}");
}

#[test]
fn a_refusal_is_said_with_every_acknowledgement_until_the_shard_is_followed_anew() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.obey(2, Order::Unfollow { shard: S });
    for _ in 0..3 {
        let frame = ledgers.next_frame();
        let _ = ledgers.give(from_owner(frame));
        assert_eq!(last_ack(&mut ledgers).unwrap().refused, [(S, Epoch(5))]);
    }
    let join = Join { shard: S, epoch: Epoch(6), attempt: 9 };
    ledgers.obey(2, Order::Follow { owner: n(1), join, start: Start::Anew });
    ledgers.letters();
    assert_eq!(last_ack(&mut ledgers).unwrap().refused, []);
    let frame = ledgers.next_frame();
    let _ = ledgers.give(from_owner(frame));
    assert_eq!(last_ack(&mut ledgers).unwrap().refused, [(S, Epoch(6))], "the old epoch, against the new promise");
}

#[test]
fn a_refusal_is_said_also_with_acknowledgements_of_frames_that_have_nothing_of_its_shard() {
    let other = ShardId::new(2);
    let mut ledgers = Ledgers::in_sync();
    ledgers.own(1, other, 5);
    ledgers.obey(1, Order::Seat { shard: other, to: n(2), start: Start::Anew });
    ledgers.tick(1);
    ledgers.settle();
    ledgers.obey(2, Order::Unfollow { shard: S });
    let frame = ledgers.next_frame();
    let _ = ledgers.give(from_owner(frame));
    assert_eq!(last_ack(&mut ledgers).unwrap().refused, [(S, Epoch(5))], "and this one is lost");
    ledgers.charge(1, other, 1).unwrap();
    ledgers.commit(1);
    let frame = frames(&ledgers.letters()).pop().unwrap();
    let _ = ledgers.give(from_owner(frame.clone()));
    let ack = last_ack(&mut ledgers).unwrap();
    assert_eq!((ack.number, ack.refused), (frame.number, vec![(S, Epoch(5))]), "it covers the frame before, too");
}

#[test]
fn nothing_is_acknowledged_past_the_deadline_also_not_when_a_frame_comes_again() {
    let mut ledgers = Ledgers::in_sync();
    let (first, second) = (ledgers.next_frame(), ledgers.next_frame());
    let _ = (ledgers.give(from_owner(first.clone())), ledgers.give(from_owner(second.clone())));
    let now = ledgers.now;
    ledgers.ledger(2).set_deadline(now);
    assert_eq!(last_ack(&mut ledgers), None, "journaled");
    ledgers.tick(2);
    for again in [first, second] {
        assert_eq!(ledgers.give(from_owner(again)), Ok(Received::OutOfOrder));
    }
    assert_eq!(acks(&ledgers.letters()), []);
}

#[test]
fn another_lifetime_of_the_follower_acknowledges_nothing_of_the_one_before() {
    let mut ledgers = Ledgers::in_sync();
    let frame = ledgers.next_frame();
    let _ = ledgers.give(from_owner(frame));
    ledgers.obey(2, Order::Lifetime(Some(holder(2, 2))));
    assert_eq!(last_ack(&mut ledgers), None);
}

#[test]
fn an_owner_that_goes_on_as_another_lifetime_waits_for_no_copy_of_the_one_before_and_sends_it_nothing() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.obey(1, Order::Lifetime(Some(holder(1, 2))));
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    ledgers.tick(1);
    assert!(
        !ledgers.letters().iter().any(|letter| letter.from.node == n(1).node && matches!(letter.body, Body::Frame(_)))
    );
}

#[test]
fn an_acknowledgement_that_was_lost_is_said_again_although_nothing_more_is_sent() {
    let mut ledgers = Ledgers::in_sync();
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    ledgers.deliver();
    ledgers.commit(2);
    let lost = ledgers.letters();
    assert!(lost.iter().any(|letter| matches!(letter.body, Body::Ack(_))));
    ledgers.tick(2);
    ledgers.give_waiting();
    assert!(ledgers.is_released(1, S, commit));
}
