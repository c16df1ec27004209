//! Which checks are answered, and when an answer still leaves.

use drl_core::{CommitNo, Cost, Generation, KeyHash, NodeId, ShardCount};
use drl_limits::{Algorithm, Limit, Policy, PolicySpec, Reason, Retry};

use super::*;
use crate::ownership::{BootId, NoBugs};
use crate::{Charge, Recoverer};

const SECOND: u64 = 1_000_000_000;
const SHARD: ShardId = ShardId::new(0);
const START: ShardTime = ShardTime(500 * SECOND);
const COMMIT: CommitNo = CommitNo(1);

fn clock() -> ShardClock {
    ShardClock { base: START, at: Nanos::ZERO, wall: START, boot: BootId(1) }
}

fn ledger(origin: Origin) -> Ledger {
    let mut ledger = Ledger::with_bugs(ShardCount::new(2).unwrap(), Epoch(0), CommitNo(0), NoBugs);
    ledger.set_deadline(Nanos::from_secs(60));
    ledger.activate(SHARD, Epoch(3), origin, clock());
    ledger
}

fn policy(algorithm: Algorithm) -> Policy {
    let limits = vec![Limit::new(2, "10s".parse().unwrap()).unwrap()];
    Policy::new(PolicySpec { limits, algorithm, ..PolicySpec::default() }).unwrap()
}

fn charge(policy: &Policy) -> Charge<'_> {
    Charge { shard: SHARD, key: KeyHash::from_bytes([7; 16]), policy, cost: Cost::ONE }
}

fn elsewhere() -> Closed {
    let owner = Holder { node: NodeId::new("n2").unwrap(), generation: Generation(9) };
    Closed::NotOwner { epoch: Epoch(4), owner }
}

#[test]
fn an_open_shard_is_stamped_with_its_epoch_and_its_own_time() {
    let stamp = ledger(Origin::Empty).stamp(SHARD, Epoch(0), Nanos::from_secs(7)).unwrap();
    assert_eq!(stamp, Stamp { epoch: Epoch(3), at: ShardTime(507 * SECOND) });
}

#[test]
fn a_stamp_is_never_before_anything_that_was_decided_whatever_the_clock_of_the_new_ownership_shows() {
    let mut ledger = ledger(Origin::Empty);
    let later = START.plus(Nanos::from_secs(20));
    ledger.charge(charge(&policy(Algorithm::TokenBucket)), later);
    ledger.activate(SHARD, Epoch(4), Origin::Resume, clock());
    assert_eq!(ledger.stamp(SHARD, Epoch(0), Nanos::from_secs(1)).map(|stamp| stamp.at), Ok(later));
}

#[test]
fn nothing_is_decided_from_the_deadline_on_and_nothing_leaves() {
    let ledger = ledger(Origin::Empty);
    let just_before = Nanos(60 * SECOND - 1);
    assert!(ledger.stamp(SHARD, Epoch(0), just_before).is_ok());
    assert_eq!(ledger.may_leave(SHARD, Epoch(3), COMMIT, just_before), Ok(()));
    let unavailable = Refusal::Unavailable { shard: SHARD };
    assert_eq!(ledger.stamp(SHARD, Epoch(0), Nanos::from_secs(60)), Err(unavailable.clone()));
    assert_eq!(ledger.may_leave(SHARD, Epoch(3), COMMIT, Nanos::from_secs(60)), Err(unavailable));
}

#[test]
fn an_answer_of_an_earlier_epoch_does_not_leave() {
    let mut ledger = ledger(Origin::Empty);
    ledger.close(SHARD, Closed::Unknown);
    assert!(ledger.may_leave(SHARD, Epoch(3), COMMIT, Nanos::ZERO).is_err());
    ledger.activate(SHARD, Epoch(4), Origin::Resume, clock());
    assert!(ledger.may_leave(SHARD, Epoch(3), COMMIT, Nanos::ZERO).is_err());
    assert!(ledger.may_leave(SHARD, Epoch(4), COMMIT, Nanos::ZERO).is_ok());
}

#[test]
fn a_lower_epoch_is_served_and_a_higher_one_says_that_this_node_is_behind() {
    let mut ledger = ledger(Origin::Empty);
    assert!(ledger.stamp(SHARD, Epoch(2), Nanos::ZERO).is_ok());
    let behind = Err(Refusal::Behind { shard: SHARD });
    assert_eq!(ledger.stamp(SHARD, Epoch(4), Nanos::ZERO), behind);
    ledger.close(SHARD, elsewhere());
    assert_eq!(ledger.stamp(SHARD, Epoch(5), Nanos::ZERO), behind);
    assert!(matches!(ledger.stamp(SHARD, Epoch(4), Nanos::ZERO), Err(Refusal::NotOwner { epoch: Epoch(4), .. })));
}

#[test]
fn a_frozen_shard_decides_nothing_and_says_whether_it_was_written() {
    let policy = policy(Algorithm::SlidingWindow);
    let mut ledger = ledger(Origin::Empty);
    assert_eq!(ledger.freeze(SHARD), Written::Never);
    assert_eq!(ledger.stamp(SHARD, Epoch(0), Nanos::ZERO), Err(Refusal::Moving { shard: SHARD }));
    ledger.thaw(SHARD);
    let stamp = ledger.stamp(SHARD, Epoch(0), Nanos::ZERO).unwrap();
    assert!(ledger.charge(charge(&policy), stamp.at).0.allowed);
    assert_eq!(ledger.take_first_written(), [SHARD]);
    assert_eq!(ledger.take_first_written(), [], "it is told once");
    assert_eq!(ledger.freeze(SHARD), Written::Yes);
}

#[test]
fn frames_carry_the_epoch_of_each_shard_and_a_later_one_wins() {
    let policy = policy(Algorithm::SlidingWindow);
    let mut ledger = ledger(Origin::Empty);
    let mut frames = vec![Vec::new(), Vec::new()];
    for frame in &mut frames {
        assert!(ledger.charge(charge(&policy), START).0.allowed);
        ledger.seal(0, frame).unwrap();
        ledger.activate(SHARD, Epoch(9), Origin::Resume, clock());
    }
    frames.reverse();
    let mut recoverer = Recoverer::new(ShardCount::new(2).unwrap());
    for frame in &frames {
        recoverer.frame(frame).unwrap();
    }
    assert_eq!(recoverer.found().collect::<Vec<_>>(), [(Written::Yes, START), (Written::Never, ShardTime::ZERO)]);
    let mut back = recoverer.into_ledger(CommitNo(2));
    assert!(back.stamp(SHARD, Epoch(0), Nanos::ZERO).is_err(), "recovered shards are closed");
    back.set_deadline(Nanos::MAX);
    back.activate(SHARD, Epoch(10), Origin::Resume, clock());
    assert!(!back.charge(charge(&policy), START).0.allowed, "both charges count");
}

#[test]
fn a_shard_that_is_answered_for_again_under_its_epoch_goes_on_with_its_seq() {
    let policy = policy(Algorithm::SlidingWindow);
    let mut ledger = ledger(Origin::Empty);
    let mut recoverer = Recoverer::new(ShardCount::new(2).unwrap());
    for _ in 0..2 {
        assert!(ledger.charge(charge(&policy), START).0.allowed);
        let mut frame = Vec::new();
        ledger.seal(0, &mut frame).unwrap();
        recoverer.frame(&frame).unwrap();
        ledger.close(SHARD, Closed::Unknown);
        ledger.activate(SHARD, Epoch(3), Origin::Resume, clock());
    }
    let mut back = recoverer.into_ledger(CommitNo(2));
    assert!(!back.charge(charge(&policy), START).0.allowed, "both charges count");
}

#[test]
fn a_cold_start_is_exhausted_for_a_whole_window_whatever_the_algorithm() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        let policy = policy(algorithm);
        let mut ledger = ledger(Origin::Cold);
        let mut frame = Vec::new();
        assert!(ledger.seal(0, &mut frame).is_some(), "the floor is in the open frame");
        let mut recoverer = Recoverer::new(ShardCount::new(2).unwrap());
        recoverer.frame(&frame).unwrap();
        let mut back = recoverer.into_ledger(CommitNo(1));
        back.activate(SHARD, Epoch(4), Origin::Resume, clock());
        for ledger in [&mut ledger, &mut back] {
            let denied = ledger.charge(charge(&policy), START.plus(Nanos(1))).0;
            assert_eq!((denied.allowed, denied.reason), (false, Reason::StateLost), "{algorithm}");
            let Retry::After(wait) = denied.retry else { unreachable!("it is only lost for a while") };
            let again = START.plus(Nanos(1)).plus(wait);
            assert!(!ledger.charge(charge(&policy), ShardTime(again.0 - 1)).0.allowed, "{algorithm}");
            assert!(ledger.charge(charge(&policy), again).0.allowed, "{algorithm}: exactly when it said");
        }
    }
}

#[test]
fn an_empty_start_forgets_what_an_earlier_ownership_left() {
    let policy = policy(Algorithm::SlidingWindow);
    let mut ledger = ledger(Origin::Empty);
    for _ in 0..2 {
        assert!(ledger.charge(charge(&policy), START).0.allowed);
    }
    ledger.activate(SHARD, Epoch(7), Origin::Empty, clock());
    assert_eq!((ledger.counters(), ledger.open_rows()), (0, 0));
    assert!(ledger.charge(charge(&policy), START).0.allowed);
}
