//! Who is suspected, and when: 400 ms of silence for a follower, 700 ms for an owner, a refused connection at once.

use drl_core::Nanos;
use drl_engine::replication::{Body, News, Order, Silence};

use crate::ledgers::*;

/// `n1` and `n2` have heard each other just now, and `n1` hears nothing more.
fn silenced() -> Ledgers {
    let mut ledgers = Ledgers::in_sync();
    ledgers.live(200);
    ledgers.take_news(1);
    ledgers
}

/// What `n1` thinks of `n2` after so long, with a tick every 100 ms.
fn after(ledgers: &mut Ledgers, millis: u64) -> Option<Silence> {
    for _ in 0..millis / 100 {
        ledgers.pass(100);
        ledgers.tick(1);
    }
    told(ledgers)
}

fn told(ledgers: &mut Ledgers) -> Option<Silence> {
    let mut told = ledgers.take_news(1).into_iter().filter_map(|news| match news {
        News::Silence { of, silence, .. } if of == n(2) => Some(silence),
        _ => None,
    });
    told.next_back()
}

#[test]
fn a_lifetime_is_quiet_after_400_ms_and_silent_after_700_and_not_before() {
    let mut ledgers = silenced();
    assert_eq!(after(&mut ledgers, 300), None);
    assert_eq!(after(&mut ledgers, 100), Some(Silence::Quiet));
    assert_eq!(after(&mut ledgers, 200), None, "told once");
    assert_eq!(after(&mut ledgers, 100), Some(Silence::Silent));
}

#[test]
fn a_lifetime_that_beats_is_never_suspected_however_slow_it_acknowledges() {
    let mut ledgers = silenced();
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    for _ in 0..50 {
        ledgers.pass(100);
        (1..=2).for_each(|node| ledgers.tick(node));
        let beats: Vec<_> =
            ledgers.letters().into_iter().filter(|letter| matches!(letter.body, Body::Beat(_))).collect();
        ledgers.give_all(beats);
    }
    assert_eq!(told(&mut ledgers), None);
}

#[test]
fn a_lifetime_that_is_heard_again_is_not_suspected_any_more() {
    let mut ledgers = silenced();
    assert_eq!(after(&mut ledgers, 700), Some(Silence::Silent));
    ledgers.live(200);
    assert_eq!(told(&mut ledgers), Some(Silence::None));
}

#[test]
fn a_connection_that_is_refused_is_silence_at_once() {
    let mut ledgers = silenced();
    let now = ledgers.now;
    ledgers.ledger(1).is_refused(&n(2), now);
    assert_eq!(told(&mut ledgers), Some(Silence::Silent));
}

#[test]
fn a_process_that_was_starved_itself_counts_anew() {
    let mut ledgers = silenced();
    ledgers.pass(5_000);
    ledgers.tick(1);
    assert_eq!(told(&mut ledgers), None);
    assert_eq!(after(&mut ledgers, 300), None);
    assert_eq!(after(&mut ledgers, 100), Some(Silence::Quiet));
}

#[test]
fn a_lifetime_that_is_listened_to_is_heard_and_its_clock_is_known() {
    let mut ledgers = Ledgers::new();
    ledgers.obey(1, Order::Listen { to: [n(3)].into() });
    ledgers.live(300);
    let heard = ledgers.now;
    for _ in 0..7 {
        ledgers.pass(100);
        ledgers.tick(1);
    }
    let last = ledgers.take_news(1).into_iter().find_map(|news| match news {
        News::Silence { of, silence: Silence::Silent, heard } if of == n(3) => Some(heard),
        _ => None,
    });
    let last = last.unwrap();
    assert_eq!((last.at, last.boottime), (heard, heard));
    assert!(last.at > Nanos::ZERO);
}

/// What `n1` says to `n2` in so long, by kind: beats, and all else. Nothing of it arrives.
fn said(ledgers: &mut Ledgers, millis: u64) -> (usize, usize) {
    let mut letters = Vec::new();
    for _ in 0..millis / 100 {
        ledgers.pass(100);
        ledgers.tick(1);
        letters.extend(ledgers.letters().into_iter().filter(|letter| letter.to == n(2)));
    }
    let beats = letters.iter().filter(|letter| matches!(letter.body, Body::Beat(_))).count();
    (beats, letters.len() - beats)
}

#[test]
fn whoever_is_silent_is_told_nothing_but_a_beat_a_second() {
    let mut ledgers = silenced();
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    let (beats, others) = said(&mut ledgers, 700);
    assert!(beats == 6 && others > 0, "until then it is told everything: {beats}, {others}");
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    assert_eq!(said(&mut ledgers, 800), (0, 0), "for longer than it takes to be suspected");
    assert_eq!(said(&mut ledgers, 3_000), (3, 0));
}

#[test]
fn whoever_was_silent_and_is_heard_again_is_told_all_that_it_missed() {
    let mut ledgers = silenced();
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    said(&mut ledgers, 2_000);
    for _ in 0..15 {
        ledgers.live(100);
        (1..=2).for_each(|node| ledgers.commit(node));
    }
    assert!(ledgers.is_released(1, S, commit));
}

#[test]
fn two_that_both_are_silent_to_each_other_find_each_other_within_a_second() {
    let mut ledgers = silenced();
    for _ in 0..50 {
        ledgers.pass(100);
        (1..=2).for_each(|node| ledgers.tick(node));
        ledgers.letters();
    }
    assert_eq!(told(&mut ledgers), Some(Silence::Silent));
    ledgers.live(1_100);
    assert_eq!(told(&mut ledgers), Some(Silence::None));
}
