//! What ends when a shard is left, or goes on after a freeze: nothing that was under way for it goes on afterwards.

use drl_core::{CommitNo, Epoch, ShardCount, ShardId};
use drl_engine::ownership::{Closed, Origin, ShardClock, Written};
use drl_engine::replication::{Join, News, Order, Start};
use drl_engine::{Ledger, Recoverer};

use crate::bad_frames::from_owner;
use crate::ledgers::*;

fn taken_over(epoch: u64) -> Closed {
    Closed::NotOwner { epoch: Epoch(epoch), owner: n(2) }
}

#[test]
fn whoever_left_a_shard_passes_nothing_on_of_what_its_new_owner_sends() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.ledger(1).close(S, taken_over(6));
    ledgers.own(2, S, 6);
    ledgers.seat(2, 1, Start::Anew);
    ledgers.charge(2, S, 1).unwrap();
    ledgers.settle();
    assert_eq!(ledgers.used(1, S, 1), 1, "it follows");
    assert_eq!(ledgers.ledger(2).rejections().sections, 0, "and has no copies of its own any more");
}

#[test]
fn a_shard_that_was_left_does_not_go_on_under_the_epoch_that_its_owner_was_about_to_take() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.charge(1, S, 1).unwrap();
    ledgers.obey(1, Order::Advance { shard: S, epoch: Epoch(6), keep: Some(n(2)) });
    ledgers.ledger(1).close(S, taken_over(7));
    let join = Join { shard: S, epoch: Epoch(7), attempt: 1 };
    ledgers.obey(1, Order::Follow { owner: n(2), join, start: Start::Anew });
    ledgers.tick(1);
    assert_eq!(ledgers.ledger(1).position(S).0, Epoch(7));
}

#[test]
fn nobody_is_told_of_the_last_frame_of_a_freeze_that_has_ended() {
    type End = fn(&mut Ledger, ShardId);
    let ends: [End; 2] = [|ledger, shard| ledger.thaw(shard), |ledger, shard| ledger.close(shard, taken_over(6))];
    for end in ends {
        let mut ledgers = Ledgers::in_sync();
        ledgers.charge(1, S, 1).unwrap();
        ledgers.ledger(1).freeze(S);
        ledgers.obey(1, Order::Flush { shard: S });
        end(ledgers.ledger(1), S);
        ledgers.settle();
        assert!(!ledgers.take_news(1).contains(&News::Flushed { shard: S }));
    }
}

#[test]
fn a_frozen_shard_is_not_flushed_while_a_copy_that_broke_is_waited_for() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.obey(2, Order::Unfollow { shard: S });
    ledgers.charge(1, S, 1).unwrap();
    ledgers.settle();
    ledgers.ledger(1).freeze(S);
    ledgers.obey(1, Order::Flush { shard: S });
    ledgers.settle();
    assert!(!ledgers.take_news(1).contains(&News::Flushed { shard: S }), "it has not got the last frame, nor gets it");
}

#[test]
fn a_shard_whose_copy_has_something_is_not_taken_for_one_that_was_never_written() {
    let mut ledgers = Ledgers::seeded();
    assert_eq!(ledgers.ledger(2).freeze(S), Written::Yes);
}

#[test]
fn a_shard_that_waits_for_its_copy_no_more_is_not_congested_by_it() {
    let mut ledgers = Ledgers::in_sync();
    while ledgers.charge(1, S, 1).is_ok() {
        ledgers.commit(1);
        ledgers.letters();
    }
    ledgers.obey(1, Order::Unseat { shard: S, to: n(2) });
    assert!(ledgers.charge(1, S, 1).is_ok());
}

#[test]
fn whoever_takes_over_takes_nothing_more_from_the_owner_before() {
    let mut ledgers = Ledgers::in_sync();
    let frame = ledgers.next_frame();
    ledgers.own(2, S, 6);
    let before = ledgers.state(2);
    let _ = ledgers.give(from_owner(frame));
    assert_eq!(ledgers.state(2), before);
    assert_eq!(ledgers.ledger(2).rejections().sections, 1);
}

/// `n1` owned the shard, charged key 1 half an hour past noon, and owns it again: as never written to, or lost.
fn owned_again(origin: Origin) -> Ledgers {
    let mut ledgers = Ledgers::new();
    let clock = ShardClock { base: NOON, at: ledgers.now, ..ShardClock::default() };
    ledgers.ledger(1).activate(S, Epoch(5), Origin::Cold, clock);
    ledgers.obey(1, Order::Lifetime(Some(n(1))));
    ledgers.pass(5_400_000);
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    ledgers.ledger(1).close(S, taken_over(6));
    let again = ShardClock { at: ledgers.now, ..clock };
    ledgers.ledger(1).activate(S, Epoch(7), origin, again);
    ledgers.commit(1);
    ledgers
}

#[test]
fn a_shard_that_was_never_written_to_has_no_floor_of_an_earlier_ownership() {
    let mut ledgers = owned_again(Origin::Empty);
    assert_eq!((ledgers.used(1, S, 1), ledgers.used(1, S, 9)), (0, 0));
}

#[test]
fn what_is_lost_counts_as_used_up_from_the_latest_time_on_that_anything_was_decided_at() {
    let mut ledgers = owned_again(Origin::Cold);
    assert_eq!((ledgers.used(1, S, 1), ledgers.used(1, S, 9)), (LIMIT, LIMIT));
}

#[test]
fn what_is_lost_is_lost_to_a_restart_too() {
    let mut ledgers = owned_again(Origin::Cold);
    let mut recoverer = Recoverer::new(ShardCount::new(u64::from(SHARDS)).unwrap());
    for frame in &ledgers.node(1).journal {
        recoverer.frame(frame).unwrap();
    }
    ledgers.node(1).ledger = recoverer.into_ledger(CommitNo(100));
    assert_eq!((ledgers.used(1, S, 1), ledgers.ledger(1).counters()), (LIMIT, 0));
}
