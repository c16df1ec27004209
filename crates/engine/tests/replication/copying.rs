//! What a copy takes of its owner's shard: rows, time and the floor of lost state; in parts, and anew.

use std::collections::BTreeMap;

use drl_core::caps::REPLICATION_FRAMES_SEEDING_MAX;
use drl_core::{CommitNo, Epoch, ShardCount, ShardId};
use drl_engine::ownership::{Closed, Origin, ShardClock};
use drl_engine::replication::{Body, News, Order, Start};
use drl_engine::{Ledger, Recoverer};

use crate::bad_frames::from_owner;
use crate::ledgers::*;

/// What the journal of `n2` says after a restart.
fn recovered(ledgers: &mut Ledgers) -> Ledger {
    let mut recoverer = Recoverer::new(ShardCount::new(u64::from(SHARDS)).unwrap());
    for frame in &ledgers.node(2).journal {
        recoverer.frame(frame).unwrap();
    }
    recoverer.into_ledger(CommitNo(100))
}

#[test]
fn a_snapshot_goes_one_part_at_a_time_so_that_it_does_not_crowd_out_what_is_live() {
    let mut ledgers = Ledgers::new();
    ledgers.own(1, S, 5);
    for id in 0..100 {
        ledgers.charge(1, S, id).unwrap();
    }
    ledgers.commit(1);
    ledgers.ledger(1).set_snapshot_rows(20);
    ledgers.obey(1, Order::Seat { shard: S, to: n(2), start: Start::Anew });
    ledgers.tick(1);
    ledgers.give_waiting();
    ledgers.give_waiting();
    let first = ledgers.letters();
    (0..3).for_each(|_| ledgers.tick(1));
    assert_eq!(frames(&ledgers.letters()), [], "the first part is not acknowledged");
    ledgers.post.extend(first);
    let mut parts = 0;
    while let [frame] = &frames(&ledgers.letters())[..] {
        parts += 1;
        let _ = ledgers.give(from_owner(frame.clone()));
        ledgers.commit(2);
        ledgers.give_waiting();
    }
    assert!(parts > 3, "{parts} parts, each sent when the one before was acknowledged");
    assert!(ledgers.take_news(1).contains(&News::Near { shard: S, to: n(2) }));
}

#[test]
fn a_copy_has_the_time_of_its_owner() {
    let mut ledgers = Ledgers::seeded();
    ledgers.pass(5_000);
    ledgers.charge(1, S, 1).unwrap();
    ledgers.settle();
    let now = ledgers.now;
    let owners = ledgers.ledger(1).time_of(S, now);
    assert_eq!(ledgers.ledger(2).time_of(S, now), owners, "the latest that anything was decided at");
}

#[test]
fn the_floor_of_lost_state_is_part_of_the_copy_and_of_its_journal() {
    let mut ledgers = Ledgers::new();
    let clock = ShardClock { base: NOON, at: ledgers.now, ..ShardClock::default() };
    ledgers.ledger(1).activate(S, Epoch(5), Origin::Cold, clock);
    ledgers.commit(1);
    ledgers.seat(1, 2, Start::Anew);
    assert_eq!(ledgers.used(1, S, 9), LIMIT, "a key without a row counts as used up");
    assert_eq!(ledgers.used(2, S, 9), LIMIT);
    ledgers.node(2).ledger = recovered(&mut ledgers);
    assert_eq!(ledgers.used(2, S, 9), LIMIT);
}

#[test]
fn a_copy_that_begins_anew_has_nothing_of_the_one_before_not_even_in_its_journal() {
    let mut ledgers = Ledgers::seeded();
    assert_eq!(ledgers.used(2, S, 1), 3);
    let now = ledgers.now;
    let at = ledgers.ledger(1).time_of(S, now);
    ledgers.obey(2, Order::Unfollow { shard: S });
    ledgers.obey(1, Order::Unseat { shard: S, to: n(2) });
    ledgers.ledger(1).reset(S, key(1), at);
    ledgers.commit(1);
    ledgers.seat(1, 2, Start::Anew);
    assert_eq!(ledgers.used(2, S, 1), 0);
    ledgers.node(2).ledger = recovered(&mut ledgers);
    assert_eq!(ledgers.used(2, S, 1), 0);
}

#[test]
fn a_lifetime_that_has_forgotten_a_stream_says_so_instead_of_waiting_for_its_beginning() {
    let mut ledgers = Ledgers::in_sync();
    let (now, frame) = (ledgers.now, ledgers.next_frame());
    let mut forgetful = Ledger::new(ShardCount::new(u64::from(SHARDS)).unwrap(), Epoch(0), CommitNo(0));
    forgetful.obey(Order::Lifetime(Some(n(2))), now);
    forgetful.obey(Order::Listen { to: [n(1)].into() }, now);
    ledgers.node(2).ledger = forgetful;
    let _ = ledgers.give(from_owner(frame.clone()));
    assert_eq!(ledgers.letters(), [letter(n(2), n(1), Body::Lost { stream: frame.stream })]);
}

#[test]
fn the_first_copy_on_a_node_begins_another_stream_because_that_node_may_have_forgotten_the_one_before() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.obey(1, Order::Unseat { shard: S, to: n(2) });
    ledgers.obey(2, Order::Unfollow { shard: S });
    for _ in 0..9 {
        ledgers.pass(100);
        ledgers.tick(2);
        ledgers.letters();
    }
    ledgers.take_news(1);
    ledgers.seat(1, 2, Start::Anew);
    let news = ledgers.take_news(1);
    assert!(news.contains(&News::Near { shard: S, to: n(2) }), "{news:?}");
    assert!(!news.contains(&News::Broken { shard: S, to: n(2) }), "{news:?}");
}

/// What `n2` has after a restart behind a checkpoint, whose pages replace those of the one before.
fn behind_a_checkpoint(ledgers: &mut Ledgers, stored: &mut BTreeMap<u8, Vec<u8>>) -> Ledger {
    let now = ledgers.now;
    let at = ledgers.ledger(2).time_of(S, now);
    stored.extend(ledgers.ledger(2).take_pages(S, at).into_iter().map(|page| (page.bucket, page.payload)));
    let mut recoverer = Recoverer::new(ShardCount::new(u64::from(SHARDS)).unwrap());
    for (bucket, payload) in stored.iter().filter(|(_, payload)| !payload.is_empty()) {
        recoverer.page(S, *bucket, payload).unwrap();
    }
    recoverer.into_ledger(CommitNo(100))
}

#[test]
fn a_checkpoint_of_a_copy_has_what_it_took_since_the_one_before_and_nothing_of_what_it_lost() {
    let (mut ledgers, mut stored) = (Ledgers::seeded(), BTreeMap::new());
    behind_a_checkpoint(&mut ledgers, &mut stored);
    ledgers.charge(1, S, 2).unwrap();
    ledgers.settle();
    let now = ledgers.now;
    let at = ledgers.ledger(1).time_of(S, now);
    let live = behind_a_checkpoint(&mut ledgers, &mut stored);
    let taken = std::mem::replace(&mut ledgers.node(2).ledger, live);
    assert_eq!((ledgers.used(2, S, 1), ledgers.used(2, S, 2)), (3, 1));
    ledgers.node(2).ledger = taken;
    ledgers.obey(2, Order::Unfollow { shard: S });
    ledgers.obey(1, Order::Unseat { shard: S, to: n(2) });
    ledgers.ledger(1).reset(S, key(1), at);
    ledgers.commit(1);
    ledgers.seat(1, 2, Start::Anew);
    ledgers.node(2).ledger = behind_a_checkpoint(&mut ledgers, &mut stored);
    assert_eq!((ledgers.used(2, S, 1), ledgers.used(2, S, 2)), (0, 1));
}

#[test]
fn a_snapshot_waits_while_half_of_what_may_be_under_way_is() {
    let (mut ledgers, other) = (Ledgers::in_sync(), ShardId::new(2));
    ledgers.own(1, other, 5);
    for _ in 0..REPLICATION_FRAMES_SEEDING_MAX {
        ledgers.charge(1, S, 1).unwrap();
        ledgers.commit(1);
    }
    let mut held_back = ledgers.letters();
    ledgers.obey(1, Order::Seat { shard: other, to: n(2), start: Start::Anew });
    ledgers.tick(1);
    ledgers.give_waiting();
    ledgers.give_waiting();
    assert_eq!(frames(&ledgers.letters()), [], "what is live goes first");
    held_back.truncate(1);
    ledgers.give_all(held_back);
    ledgers.commit(2);
    ledgers.give_waiting();
    assert_eq!(frames(&ledgers.letters()).len(), 1);
}

#[test]
fn a_copy_that_begins_anew_forgets_the_time_that_its_node_gave_the_shard_also_in_its_journal() {
    let mut ledgers = Ledgers::new();
    ledgers.own(2, S, 4);
    ledgers.pass(3_600_000);
    ledgers.charge(2, S, 1).unwrap();
    ledgers.commit(2);
    ledgers.own(1, S, 5);
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    ledgers.seat(1, 2, Start::Anew);
    let now = ledgers.now;
    let owners = ledgers.ledger(1).time_of(S, now);
    ledgers.ledger(2).close(S, Closed::Unknown);
    assert_eq!(ledgers.ledger(2).time_of(S, now), owners);
    assert_eq!(recovered(&mut ledgers).time_of(S, now), owners, "an hour earlier");
}
