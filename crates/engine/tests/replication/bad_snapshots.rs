//! Snapshots that are corrupt, endless, or never end: the copy never counts, and nothing grows.

use drl_core::caps::SNAPSHOT_PARTS_MAX;
use drl_engine::replication::{News, Order, PeerFrame, Received, Start};

use crate::bad_frames::{PART_AT, SEQ_AT, edited, from_owner, last_ack};
use crate::ledgers::*;

const FIRST: u8 = 1;
const MIDDLE: u8 = 2;
const LAST: u8 = 3;

/// `n2` follows and waits for a snapshot, whose only part, the first frame of its stream, was held back.
fn waiting() -> (Ledgers, PeerFrame) {
    let mut ledgers = Ledgers::new();
    ledgers.own(1, S, 5);
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    ledgers.obey(1, Order::Seat { shard: S, to: n(2), start: Start::Anew });
    ledgers.tick(1);
    for _ in 0..2 {
        ledgers.give_waiting();
    }
    let whole = frames(&ledgers.letters()).pop().unwrap();
    assert_eq!((whole.number, whole.payload[PART_AT]), (1, 4), "a snapshot in one part");
    (ledgers, whole)
}

/// The part of this kind that comes as frame `number`.
fn part(whole: &PeerFrame, number: u64, kind: u8) -> PeerFrame {
    let seq = edited(whole, SEQ_AT, &(100 + number).to_le_bytes());
    PeerFrame { number, ..edited(&seq, PART_AT, &[kind]) }
}

fn is_seeded(ledgers: &mut Ledgers) -> bool {
    ledgers.take_news(2).iter().any(|news| matches!(news, News::Seeded { .. }))
}

#[test]
fn a_snapshot_that_begins_with_its_middle_or_its_end_is_refused_and_what_follows_it_too() {
    for kind in [MIDDLE, LAST] {
        let (mut ledgers, whole) = waiting();
        let before = ledgers.state(2);
        assert_eq!(ledgers.give(from_owner(part(&whole, 1, kind))), Ok(Received::Taken));
        assert_eq!(ledgers.give(from_owner(part(&whole, 2, 4))), Ok(Received::Taken));
        assert_eq!(ledgers.state(2), before);
        assert!(!is_seeded(&mut ledgers));
        assert_eq!(ledgers.ledger(2).rejections().sections, 2);
        assert_eq!(last_ack(&mut ledgers).unwrap().refused.len(), 1);
    }
}

#[test]
fn a_snapshot_without_end_is_refused_at_the_first_part_too_many() {
    for kind in [FIRST, MIDDLE] {
        let (mut ledgers, whole) = waiting();
        let _ = ledgers.give(from_owner(part(&whole, 1, FIRST)));
        for number in 2..=u64::from(SNAPSHOT_PARTS_MAX) {
            let _ = ledgers.give(from_owner(part(&whole, number, kind)));
            ledgers.commit(2);
        }
        assert_eq!(ledgers.ledger(2).rejections().sections, 0);
        ledgers.letters();
        let before = ledgers.state(2);
        let _ = ledgers.give(from_owner(part(&whole, u64::from(SNAPSHOT_PARTS_MAX) + 1, kind)));
        assert_eq!((ledgers.state(2), ledgers.ledger(2).rejections().sections), (before, 1));
        assert_eq!(last_ack(&mut ledgers).unwrap().refused.len(), 1);
        assert!(!is_seeded(&mut ledgers));
    }
}

#[test]
fn a_snapshot_of_as_many_parts_as_there_are_pages_is_taken() {
    let (mut ledgers, whole) = waiting();
    let _ = ledgers.give(from_owner(part(&whole, 1, FIRST)));
    for number in 2..u64::from(SNAPSHOT_PARTS_MAX) {
        let _ = ledgers.give(from_owner(part(&whole, number, MIDDLE)));
    }
    let _ = ledgers.give(from_owner(part(&whole, u64::from(SNAPSHOT_PARTS_MAX), LAST)));
    assert!(is_seeded(&mut ledgers));
}

#[test]
fn a_snapshot_that_stops_half_way_never_counts() {
    let (mut ledgers, whole) = waiting();
    let _ = ledgers.give(from_owner(part(&whole, 1, FIRST)));
    ledgers.settle();
    ledgers.live(5_000);
    assert!(!is_seeded(&mut ledgers));
}

#[test]
fn the_end_of_a_snapshot_does_not_come_twice() {
    let (mut ledgers, whole) = waiting();
    let _ = ledgers.give(from_owner(part(&whole, 1, FIRST)));
    let _ = ledgers.give(from_owner(part(&whole, 2, LAST)));
    assert!(is_seeded(&mut ledgers));
    let _ = ledgers.give(from_owner(part(&whole, 3, LAST)));
    assert!(!is_seeded(&mut ledgers));
    assert_eq!(ledgers.ledger(2).rejections().sections, 1);
}

#[test]
fn a_corrupt_part_gives_up_the_copy_and_a_new_snapshot_makes_it_whole() {
    let (mut ledgers, whole) = waiting();
    let _ = ledgers.give(from_owner(edited(&whole, PART_AT, &[77])));
    ledgers.settle();
    assert!(ledgers.take_news(1).contains(&News::Broken { shard: S, to: n(2) }));
    assert_eq!(ledgers.ledger(2).counters(), 0);
    ledgers.seat(1, 2, Start::Anew);
    assert!(ledgers.take_news(1).contains(&News::Near { shard: S, to: n(2) }));
    assert_eq!(ledgers.used(2, S, 1), 1);
}

#[test]
fn a_snapshot_in_many_parts_and_the_changes_between_them_make_the_same_counters() {
    let mut ledgers = Ledgers::new();
    ledgers.own(1, S, 5);
    for id in 0..10_000 {
        ledgers.charge(1, S, id).unwrap();
    }
    ledgers.commit(1);
    ledgers.obey(1, Order::Seat { shard: S, to: n(2), start: Start::Anew });
    ledgers.tick(1);
    for round in 0..20 {
        ledgers.deliver();
        ledgers.charge(1, S, round).unwrap();
        (1..=2).for_each(|node| ledgers.commit(node));
    }
    ledgers.settle();
    assert!(ledgers.take_news(1).contains(&News::Near { shard: S, to: n(2) }));
    for id in [0, 7, 19, 20, 9_999] {
        assert_eq!(ledgers.used(2, S, id), if id < 20 { 2 } else { 1 }, "key {id}");
    }
    assert_eq!(ledgers.ledger(2).counters(), 10_000);
}
