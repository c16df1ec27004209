//! When a reply may leave: the table of protocol, section 1, line by line.

use drl_core::caps::REPLICATION_FRAMES_IN_FLIGHT_MAX;
use drl_core::{CommitNo, Epoch};
use drl_engine::Refusal;
use drl_engine::ownership::Closed;
use drl_engine::replication::{News, Order, Start};

use crate::ledgers::*;

/// One charge, in the owner's journal; whether its answer may leave with nothing acknowledged, and then with the post delivered.
fn leaves(ledgers: &mut Ledgers) -> (bool, bool) {
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    let before = ledgers.is_released(1, S, commit);
    ledgers.settle();
    (before, ledgers.is_released(1, S, commit))
}

#[test]
fn a_solo_shard_waits_for_nobody() {
    let mut ledgers = Ledgers::new();
    ledgers.own(1, S, 5);
    assert_eq!(leaves(&mut ledgers), (true, true));
}

#[test]
fn a_shard_that_seeds_a_copy_waits_for_nobody() {
    let mut ledgers = Ledgers::seeded();
    assert_eq!(leaves(&mut ledgers), (true, true));
    assert_eq!(ledgers.used(2, S, 1), 4, "the copy gets it all the same");
}

#[test]
fn a_reply_waits_from_the_moment_on_that_the_copy_is_required_and_not_from_the_record_on() {
    let mut ledgers = Ledgers::seeded();
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    assert!(ledgers.is_released(1, S, commit));
    ledgers.obey(1, Order::Require { shard: S, to: n(2) });
    assert!(!ledgers.is_released(1, S, commit), "also a reply that was decided before and has not left");
    ledgers.settle();
    assert!(ledgers.is_released(1, S, commit));
}

#[test]
fn a_shard_in_sync_waits_for_the_acknowledgement_of_the_very_frame() {
    let mut ledgers = Ledgers::in_sync();
    assert_eq!(leaves(&mut ledgers), (false, true));
    let first = ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    let sent = ledgers.letters();
    let second = ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    ledgers.letters();
    ledgers.give_all(sent);
    ledgers.settle();
    assert!(ledgers.is_released(1, S, first));
    assert!(!ledgers.is_released(1, S, second), "its frame is lost");
}

#[test]
fn caught_up_is_said_only_when_everything_from_before_the_requirement_is_acknowledged() {
    let mut ledgers = Ledgers::seeded();
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    ledgers.obey(1, Order::Require { shard: S, to: n(2) });
    let caught_up = News::CaughtUp { shard: S, to: n(2) };
    assert!(!ledgers.take_news(1).contains(&caught_up));
    ledgers.settle();
    assert!(ledgers.take_news(1).contains(&caught_up));
}

#[test]
fn a_shard_that_replaces_its_follower_waits_for_both() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.seat(1, 3, Start::Anew);
    assert_eq!(leaves(&mut ledgers), (false, true));
    ledgers.obey(1, Order::Require { shard: S, to: n(3) });
    ledgers.settle();
    for silent in [n(2), n(3)] {
        let commit = ledgers.charge(1, S, 1).unwrap();
        ledgers.commit(1);
        let (lost, sent): (Vec<_>, Vec<_>) = ledgers.letters().into_iter().partition(|letter| letter.to == silent);
        ledgers.give_all(sent);
        ledgers.settle();
        assert!(!ledgers.is_released(1, S, commit), "without {silent:?}");
        ledgers.give_all(lost);
        ledgers.settle();
        assert!(ledgers.is_released(1, S, commit));
    }
}

#[test]
fn a_dropped_copy_is_waited_for_until_the_drop_is_known() {
    let mut ledgers = Ledgers::in_sync();
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    ledgers.letters();
    assert!(!ledgers.is_released(1, S, commit), "whatever became of the copy");
    ledgers.obey(1, Order::Advance { shard: S, epoch: Epoch(6), keep: None });
    assert!(ledgers.is_released(1, S, commit), "the record without it is known to be committed");
    assert_eq!(leaves(&mut ledgers), (true, true));
}

#[test]
fn a_broken_copy_is_waited_for_until_the_drop_is_known() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.obey(2, Order::Unfollow { shard: S });
    assert_eq!(leaves(&mut ledgers), (false, false));
    assert!(ledgers.take_news(1).contains(&News::Broken { shard: S, to: n(2) }));
    ledgers.obey(1, Order::Advance { shard: S, epoch: Epoch(6), keep: None });
    assert_eq!(leaves(&mut ledgers), (true, true));
}

#[test]
fn a_copy_that_broke_while_the_record_was_made_to_rely_on_it_is_still_waited_for_and_told_again() {
    let mut ledgers = Ledgers::in_sync();
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.obey(2, Order::Unfollow { shard: S });
    ledgers.settle();
    let broken = News::Broken { shard: S, to: n(2) };
    assert!(ledgers.take_news(1).contains(&broken));
    // The transaction that names it in sync was under way, and was committed.
    ledgers.obey(1, Order::Advance { shard: S, epoch: Epoch(6), keep: Some(n(2)) });
    ledgers.settle();
    assert!(!ledgers.is_released(1, S, commit), "it may take over, and has not got this");
    assert!(ledgers.take_news(1).contains(&broken), "so that it is dropped");
    ledgers.obey(1, Order::Advance { shard: S, epoch: Epoch(7), keep: None });
    assert!(ledgers.is_released(1, S, commit));
    assert_eq!(leaves(&mut ledgers), (true, true));
}

#[test]
fn a_copy_that_stalls_makes_its_shard_answer_busy_and_takes_no_more_memory() {
    let mut ledgers = Ledgers::in_sync();
    for _ in 0..REPLICATION_FRAMES_IN_FLIGHT_MAX {
        ledgers.charge(1, S, 1).unwrap();
        ledgers.commit(1);
    }
    let sent = ledgers.letters();
    assert_eq!(frames(&sent).len(), REPLICATION_FRAMES_IN_FLIGHT_MAX);
    assert_eq!(ledgers.charge(1, S, 1), Err(Refusal::Moving { shard: S }));
    ledgers.give_all(sent);
    ledgers.settle();
    assert!(ledgers.charge(1, S, 1).is_ok(), "and goes on when it is acknowledged");
}

#[test]
fn a_copy_that_beats_and_acknowledges_nothing_is_given_up_after_five_seconds() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.live(200);
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    let broken = News::Broken { shard: S, to: n(2) };
    ledgers.live(4_900);
    assert!(!ledgers.take_news(1).contains(&broken));
    ledgers.live(300);
    assert!(ledgers.take_news(1).contains(&broken));
    assert!(!ledgers.is_released(1, S, commit), "until the record does without it");
    ledgers.obey(1, Order::Advance { shard: S, epoch: Epoch(6), keep: None });
    assert!(ledgers.is_released(1, S, commit));
}

#[test]
fn a_copy_that_is_slow_is_waited_for_and_so_is_one_that_an_owner_who_stood_still_could_not_hear() {
    let mut ledgers = Ledgers::in_sync();
    for _ in 0..8 {
        ledgers.charge(1, S, 1).unwrap();
        ledgers.commit(1);
        ledgers.live(4_000);
        ledgers.commit(2);
        ledgers.deliver();
    }
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    ledgers.pass(60_000);
    ledgers.live(1_000);
    assert!(!ledgers.take_news(1).contains(&News::Broken { shard: S, to: n(2) }));
}

#[test]
fn a_copy_that_nobody_waits_for_and_that_stalls_is_given_up() {
    let mut ledgers = Ledgers::seeded();
    for _ in 0..=REPLICATION_FRAMES_IN_FLIGHT_MAX {
        ledgers.charge(1, S, 1).unwrap();
        ledgers.commit(1);
        ledgers.letters();
    }
    assert!(ledgers.take_news(1).contains(&News::Broken { shard: S, to: n(2) }));
    assert_eq!(leaves(&mut ledgers), (true, true));
}

/// Whether the node may still say what it decided under an epoch, in the frame of a commit.
fn may_leave(ledgers: &mut Ledgers, epoch: u64, commit: CommitNo) -> bool {
    let now = ledgers.now;
    ledgers.ledger(1).may_leave(S, Epoch(epoch), commit, now).is_ok()
}

#[test]
fn a_reply_does_not_leave_after_the_deadline_or_under_another_owner() {
    let mut ledgers = Ledgers::in_sync();
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.settle();
    assert!(may_leave(&mut ledgers, 5, commit));
    assert!(!may_leave(&mut ledgers, 4, commit), "decided under an earlier ownership");
    let now = ledgers.now;
    ledgers.ledger(1).set_deadline(now);
    assert!(!may_leave(&mut ledgers, 5, commit));
}

/// A charge in the owner's journal, the last one before its shard is handed over.
fn charge_and_freeze(ledgers: &mut Ledgers) -> CommitNo {
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.ledger(1).freeze(S);
    ledgers.obey(1, Order::Flush { shard: S });
    ledgers.commit(1);
    commit
}

/// A charge that is acknowledged, in a shard that is handed over after that. Nobody has looked at its reply meanwhile.
fn handed_over() -> (Ledgers, CommitNo) {
    let mut ledgers = Ledgers::in_sync();
    let commit = charge_and_freeze(&mut ledgers);
    ledgers.settle();
    ledgers.ledger(1).close(S, elsewhere());
    (ledgers, commit)
}

fn elsewhere() -> Closed {
    Closed::NotOwner { epoch: Epoch(6), owner: n(2) }
}

#[test]
fn what_was_acknowledged_before_its_shard_was_handed_over_leaves_after_it_too() {
    let (mut ledgers, commit) = handed_over();
    assert!(ledgers.is_released(1, S, commit) && may_leave(&mut ledgers, 5, commit));
    assert!(!may_leave(&mut ledgers, 4, commit), "decided under an earlier ownership");
    assert!(!may_leave(&mut ledgers, 6, commit), "the other one's to say");
    assert!(!may_leave(&mut ledgers, 5, commit.next()), "nobody has acknowledged that");
}

#[test]
fn what_was_handed_over_does_not_leave_after_the_deadline_or_in_another_lifetime() {
    let (mut ledgers, commit) = handed_over();
    let now = ledgers.now;
    ledgers.ledger(1).set_deadline(now);
    assert!(!may_leave(&mut ledgers, 5, commit));
    let (mut ledgers, commit) = handed_over();
    ledgers.obey(1, Order::Lifetime(Some(n(1))));
    assert!(!may_leave(&mut ledgers, 5, commit));
}

#[test]
fn what_was_not_acknowledged_does_not_leave_when_its_shard_is_taken_over() {
    let mut ledgers = Ledgers::in_sync();
    let commit = charge_and_freeze(&mut ledgers);
    ledgers.ledger(1).close(S, elsewhere());
    assert!(!may_leave(&mut ledgers, 5, commit), "its frame is under way");
}

#[test]
fn what_a_solo_owner_decided_does_not_leave_when_somebody_else_owns_its_shard() {
    let mut ledgers = Ledgers::new();
    ledgers.own(1, S, 5);
    let commit = charge_and_freeze(&mut ledgers);
    ledgers.settle();
    ledgers.ledger(1).close(S, elsewhere());
    assert!(!may_leave(&mut ledgers, 5, commit), "no copy has it");
}

#[test]
fn what_was_acknowledged_before_the_next_epoch_of_its_owner_does_not_wait_for_its_copy_to_join() {
    let mut ledgers = Ledgers::in_sync();
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.obey(1, Order::Advance { shard: S, epoch: Epoch(6), keep: Some(n(2)) });
    ledgers.commit(1);
    assert!(!ledgers.is_released(1, S, commit), "its frame is under way");
    ledgers.deliver();
    ledgers.commit(2);
    let acknowledged = ledgers.letters();
    ledgers.give_all(acknowledged);
    assert!(ledgers.is_released(1, S, commit) && may_leave(&mut ledgers, 5, commit));
}

#[test]
fn a_lifetime_is_behind_as_long_as_it_has_a_copy_or_shall_have_one_and_no_longer() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    let behind =
        |ledgers: &mut Ledgers| ledgers.ledger(1).lags().map(|(to, lag)| (to.clone(), lag.frames)).collect::<Vec<_>>();
    assert_eq!(behind(&mut ledgers), [(n(2), 1)]);
    ledgers.obey(1, Order::Advance { shard: S, epoch: Epoch(6), keep: None });
    assert_eq!(behind(&mut ledgers), [], "it was dropped, and nobody waits for it");
}
