//! Class `async`: answered at once, ahead of journal and follower, up to a bound (protocol, section 1; invariant I4a).

use drl_core::caps::ASYNC_UNACKED_MILLIS_MAX;
use drl_core::{Cost, Epoch};
use drl_engine::Charge;
use drl_engine::replication::Order;

use crate::ledgers::*;

/// B in these tests.
const BOUND: u64 = 10;

fn in_sync() -> Ledgers {
    bounded(Ledgers::in_sync())
}

fn bounded(mut ledgers: Ledgers) -> Ledgers {
    ledgers.ledger(1).set_async_bound(BOUND);
    ledgers
}

/// An admission of that cost; whether its answer leaves at once.
fn leaves_at_once(ledgers: &mut Ledgers, cost: u64) -> bool {
    let (now, policy) = (ledgers.now, hourly());
    let ledger = ledgers.ledger(1);
    let stamp = ledger.stamp(S, Epoch(0), now).unwrap();
    let cost = Cost::new(cost).unwrap();
    assert!(ledger.charge(Charge { shard: S, key: key(7), policy: &policy, cost }, stamp.at).0.allowed);
    ledger.answers_ahead(S, cost, now)
}

#[test]
fn an_admission_is_answered_before_it_is_journaled_or_acknowledged() {
    let mut ledgers = in_sync();
    assert!(leaves_at_once(&mut ledgers, 1));
    let commit = ledgers.seal(1).unwrap();
    assert!(!ledgers.is_released(1, S, commit), "one of class `replicated` would wait");
    assert_eq!(ledgers.ledger(1).unacked_cost(S), 1);
}

#[test]
fn no_more_than_the_bound_is_ahead_and_what_is_acknowledged_makes_room() {
    let mut ledgers = in_sync();
    assert!(leaves_at_once(&mut ledgers, BOUND - 1));
    assert!(!leaves_at_once(&mut ledgers, 2), "one too much");
    assert!(leaves_at_once(&mut ledgers, 1), "exactly the bound");
    assert!(!leaves_at_once(&mut ledgers, 1));
    ledgers.settle();
    assert_eq!(ledgers.ledger(1).unacked_cost(S), 0, "also when nothing is asked for after that");
    assert!(leaves_at_once(&mut ledgers, BOUND), "all of it is acknowledged");
    assert_eq!(ledgers.ledger(1).unacked_cost(S), BOUND);
}

#[test]
fn what_is_not_acknowledged_for_half_a_second_stops_it_whatever_it_costs() {
    let mut ledgers = in_sync();
    assert!(leaves_at_once(&mut ledgers, 1));
    ledgers.commit(1);
    ledgers.letters();
    ledgers.pass(ASYNC_UNACKED_MILLIS_MAX);
    assert!(leaves_at_once(&mut ledgers, 1), "not for longer yet");
    ledgers.pass(1);
    assert!(!leaves_at_once(&mut ledgers, 1), "its frame is lost");
    // Said again, and acknowledged.
    ledgers.live(400);
    ledgers.settle();
    ledgers.live(100);
    ledgers.settle();
    assert!(leaves_at_once(&mut ledgers, 1));
}

#[test]
fn its_own_journal_is_not_enough_while_a_copy_is_required() {
    let mut ledgers = in_sync();
    assert!(leaves_at_once(&mut ledgers, BOUND));
    ledgers.commit(1);
    ledgers.letters();
    assert!(!leaves_at_once(&mut ledgers, 1));
}

#[test]
fn the_acknowledgement_of_a_copy_is_not_enough_before_its_own_journal() {
    let mut ledgers = in_sync();
    assert!(leaves_at_once(&mut ledgers, BOUND));
    ledgers.seal(1);
    ledgers.deliver();
    ledgers.commit(2);
    ledgers.deliver();
    assert!(!leaves_at_once(&mut ledgers, 1), "whole, the shard is only there");
    ledgers.journaled(1);
    assert!(leaves_at_once(&mut ledgers, 1));
}

#[test]
fn a_solo_shard_is_ahead_of_its_own_journal_only() {
    let mut ledgers = bounded(Ledgers::new());
    ledgers.own(1, S, 5);
    assert!(leaves_at_once(&mut ledgers, BOUND) && !leaves_at_once(&mut ledgers, 1));
    ledgers.commit(1);
    assert!(leaves_at_once(&mut ledgers, BOUND));
}

#[test]
fn a_copy_that_is_required_later_has_to_acknowledge_what_was_ahead_before() {
    let mut ledgers = bounded(Ledgers::seeded());
    assert!(leaves_at_once(&mut ledgers, BOUND));
    ledgers.obey(1, Order::Require { shard: S, to: n(2) });
    ledgers.commit(1);
    assert!(!leaves_at_once(&mut ledgers, 1));
    ledgers.settle();
    assert!(leaves_at_once(&mut ledgers, 1));
}

#[test]
fn each_ownership_begins_with_nothing_ahead() {
    let mut ledgers = in_sync();
    assert!(leaves_at_once(&mut ledgers, BOUND) && !leaves_at_once(&mut ledgers, 1));
    ledgers.own(1, S, 9);
    assert!(leaves_at_once(&mut ledgers, BOUND));
}
