//! The next epoch of the same owner, and what late and repeated invitations do.

use drl_core::Epoch;
use drl_engine::Refusal;
use drl_engine::replication::{Body, Invite, Join, Letter, News, Order, Start};

use crate::ledgers::*;

fn advance(ledgers: &mut Ledgers, epoch: u64, keep: Option<usize>) {
    ledgers.obey(1, Order::Advance { shard: S, epoch: Epoch(epoch), keep: keep.map(n) });
}

fn epoch(ledgers: &mut Ledgers) -> Result<Epoch, Refusal> {
    let now = ledgers.now;
    ledgers.ledger(1).stamp(S, Epoch(0), now).map(|stamp| stamp.epoch)
}

fn invites(letters: &[Letter]) -> Vec<Invite> {
    let invites = letters.iter().filter_map(|letter| match &letter.body {
        Body::Invite(invites) => Some(invites.clone()),
        _ => None,
    });
    invites.flatten().collect()
}

#[test]
fn an_owner_that_keeps_no_copy_goes_on_under_the_next_epoch_at_once() {
    let mut ledgers = Ledgers::in_sync();
    let commit = ledgers.charge(1, S, 1).unwrap();
    advance(&mut ledgers, 6, None);
    assert_eq!(epoch(&mut ledgers), Ok(Epoch(6)));
    let now = ledgers.now;
    assert_eq!(
        ledgers.ledger(1).may_leave(S, Epoch(5), commit, now),
        Ok(()),
        "what it decided under the last one may leave"
    );
}

#[test]
fn a_copy_that_is_kept_is_invited_only_when_everything_of_the_old_epoch_is_acknowledged() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.charge(1, S, 1).unwrap();
    advance(&mut ledgers, 6, Some(2));
    ledgers.tick(1);
    assert_eq!(invites(&ledgers.letters()), [], "the open frame is of the old epoch");
    ledgers.commit(1);
    ledgers.tick(1);
    assert_eq!(invites(&ledgers.letters()), [], "nothing is acknowledged, and the frame is lost");
    ledgers.live(200);
    ledgers.commit(2);
    ledgers.give_waiting();
    ledgers.tick(1);
    let invited = invites(&ledgers.letters());
    assert_eq!((invited.len(), invited[0].epoch, invited[0].start), (1, Epoch(6), Start::Continues));
}

#[test]
fn nothing_is_decided_until_the_copy_has_joined_the_next_epoch() {
    let mut ledgers = Ledgers::in_sync();
    advance(&mut ledgers, 6, Some(2));
    assert_eq!(epoch(&mut ledgers), Err(Refusal::Moving { shard: S }));
    ledgers.tick(1);
    let sent = ledgers.letters();
    assert_eq!(epoch(&mut ledgers), Err(Refusal::Moving { shard: S }), "invited");
    ledgers.give_all(sent);
    ledgers.settle();
    assert_eq!(epoch(&mut ledgers), Ok(Epoch(6)));
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    assert!(!ledgers.is_released(1, S, commit), "it is waited for as before");
    ledgers.settle();
    assert!(ledgers.is_released(1, S, commit));
    assert_eq!(ledgers.used(2, S, 1), 4, "nothing was sent anew, nothing is missing");
}

#[test]
fn nothing_is_decided_while_something_of_the_old_epoch_is_under_way_or_it_would_never_end() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.charge(1, S, 1).unwrap();
    advance(&mut ledgers, 6, Some(2));
    assert_eq!(epoch(&mut ledgers), Err(Refusal::Moving { shard: S }), "in the open frame");
    ledgers.commit(1);
    assert_eq!(epoch(&mut ledgers), Err(Refusal::Moving { shard: S }), "sent");
    ledgers.settle();
    ledgers.tick(1);
    ledgers.settle();
    assert_eq!(epoch(&mut ledgers), Ok(Epoch(6)));
}

#[test]
fn a_copy_that_does_not_join_in_time_is_given_up_and_no_reply_leaves_before_it_is_dropped() {
    let mut ledgers = Ledgers::in_sync();
    advance(&mut ledgers, 6, Some(2));
    for _ in 0..7 {
        ledgers.pass(100);
        ledgers.tick(1);
        ledgers.letters();
    }
    assert!(ledgers.take_news(1).contains(&News::Broken { shard: S, to: n(2) }));
    if let Ok(commit) = ledgers.charge(1, S, 1) {
        ledgers.commit(1);
        assert!(!ledgers.is_released(1, S, commit));
    }
    advance(&mut ledgers, 7, None);
    assert_eq!(epoch(&mut ledgers), Ok(Epoch(7)));
}

#[test]
fn a_frozen_shard_is_flushed_when_its_last_frame_is_sealed_and_acknowledged_and_not_before() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.charge(1, S, 1).unwrap();
    ledgers.ledger(1).freeze(S);
    ledgers.obey(1, Order::Flush { shard: S });
    let flushed = News::Flushed { shard: S };
    assert!(!ledgers.take_news(1).contains(&flushed), "in the open frame");
    ledgers.commit(1);
    assert!(!ledgers.take_news(1).contains(&flushed), "in its own journal");
    ledgers.deliver();
    assert!(!ledgers.take_news(1).contains(&flushed), "taken by its follower");
    ledgers.settle();
    assert!(ledgers.take_news(1).contains(&flushed));
}

#[test]
fn an_invitation_is_said_again_until_it_is_answered() {
    let mut ledgers = Ledgers::new();
    ledgers.own(1, S, 5);
    ledgers.obey(1, Order::Seat { shard: S, to: n(2), start: Start::Anew });
    ledgers.tick(1);
    let first = invites(&ledgers.letters());
    ledgers.tick(1);
    assert_eq!(invites(&ledgers.letters()), first, "the same one");
    ledgers.tick(1);
    ledgers.settle();
    ledgers.tick(1);
    assert_eq!(invites(&ledgers.letters()), []);
}

#[test]
fn an_invitation_that_comes_twice_is_answered_twice_and_empties_nothing() {
    let mut ledgers = Ledgers::new();
    ledgers.own(1, S, 5);
    ledgers.charge(1, S, 1).unwrap();
    ledgers.obey(1, Order::Seat { shard: S, to: n(2), start: Start::Anew });
    ledgers.tick(1);
    let sent = ledgers.letters();
    let invite = sent.iter().find(|letter| matches!(letter.body, Body::Invite(_))).cloned().unwrap();
    ledgers.give_all(sent);
    ledgers.settle();
    assert_eq!(ledgers.used(2, S, 1), 1);
    ledgers.take_news(2);
    let Invite { shard, epoch, attempt, .. } = invites(std::slice::from_ref(&invite))[0];
    let before = ledgers.state(2);
    let _ = ledgers.give(invite);
    assert_eq!(ledgers.take_news(2), [], "nobody decides about it again");
    let joins = Body::Join(vec![Join { shard, epoch, attempt }]);
    assert_eq!(ledgers.letters(), [letter(n(2), n(1), joins)]);
    assert_eq!(ledgers.state(2), before);
}

#[test]
fn a_join_that_comes_twice_starts_no_second_snapshot() {
    let mut ledgers = Ledgers::new();
    ledgers.own(1, S, 5);
    ledgers.obey(1, Order::Seat { shard: S, to: n(2), start: Start::Anew });
    ledgers.tick(1);
    ledgers.give_waiting();
    let join = ledgers.letters().into_iter().find(|letter| matches!(letter.body, Body::Join(_))).unwrap();
    let _ = ledgers.give(join.clone());
    assert_eq!(frames(&ledgers.letters()).len(), 1);
    let _ = ledgers.give(join);
    assert_eq!(frames(&ledgers.letters()), []);
}

#[test]
fn a_copy_that_refuses_the_old_epoch_after_it_joined_the_next_one_was_sent_nothing_of_it() {
    let mut ledgers = Ledgers::in_sync();
    for epoch in 6..12 {
        ledgers.charge(1, S, 1).unwrap();
        advance(&mut ledgers, epoch, Some(2));
        ledgers.settle();
        ledgers.live(300);
        ledgers.settle();
        ledgers.live(100);
    }
    ledgers.settle();
    assert_eq!(ledgers.ledger(2).rejections().sections, 0);
    assert_eq!(ledgers.used(2, S, 1), 3 + 6);
}

#[test]
fn whoever_was_left_behind_by_the_next_epoch_gets_nothing_more() {
    let mut ledgers = Ledgers::in_sync();
    advance(&mut ledgers, 6, None);
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    assert_eq!(frames(&ledgers.letters()), []);
}

#[test]
fn a_kept_copy_that_stalled_is_told_again_although_what_it_was_sent_is_never_acknowledged() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.live(200);
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    for _ in 0..55 {
        ledgers.pass(100);
        ledgers.tick(1);
        ledgers.letters();
    }
    let broken = News::Broken { shard: S, to: n(2) };
    assert!(ledgers.take_news(1).contains(&broken));
    // A transaction that keeps it was under way, and was committed.
    advance(&mut ledgers, 6, Some(2));
    assert!(ledgers.take_news(1).contains(&broken), "so that it is dropped");
}

#[test]
fn a_copy_that_is_asked_for_twice_is_one_copy() {
    let mut ledgers = Ledgers::new();
    ledgers.own(1, S, 5);
    for _ in 0..2 {
        ledgers.obey(1, Order::Seat { shard: S, to: n(2), start: Start::Anew });
    }
    ledgers.tick(1);
    assert_eq!(invites(&ledgers.letters()).len(), 1);
}

#[test]
fn what_was_refused_of_the_copy_before_does_not_break_the_one_that_is_invited() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.obey(2, Order::Unfollow { shard: S });
    ledgers.charge(1, S, 1).unwrap();
    ledgers.settle();
    ledgers.obey(1, Order::Unseat { shard: S, to: n(2) });
    ledgers.obey(1, Order::Seat { shard: S, to: n(2), start: Start::Anew });
    ledgers.take_news(1);
    // Said with every acknowledgement, until it is followed anew.
    ledgers.tick(2);
    ledgers.give_waiting();
    ledgers.tick(1);
    ledgers.settle();
    assert_eq!(ledgers.take_news(1), [News::Near { shard: S, to: n(2) }]);
}
