//! Frames that no honest owner sends: refused, counted, and without effect.

use std::sync::Arc;

use drl_core::caps::PEER_FRAMES_UNJOURNALED_MAX;
use drl_core::{Epoch, ShardId};
use drl_engine::replication::{Ack, Body, Letter, News, Order, PeerFrame, Received, Rejected};

use crate::ledgers::*;

/// Where the fields of the only section of a frame are.
pub(crate) const SHARD_AT: usize = 17;
pub(crate) const EPOCH_AT: usize = 19;
pub(crate) const SEQ_AT: usize = 27;
pub(crate) const PART_AT: usize = 51;

pub(crate) fn edited(frame: &PeerFrame, at: usize, bytes: &[u8]) -> PeerFrame {
    let mut payload = frame.payload.to_vec();
    payload[at..at + bytes.len()].copy_from_slice(bytes);
    PeerFrame { payload: Arc::from(payload), ..frame.clone() }
}

pub(crate) fn from_owner(frame: PeerFrame) -> Letter {
    letter(n(1), n(2), Body::Frame(frame))
}

pub(crate) fn acks(letters: &[Letter]) -> Vec<Ack> {
    let ack = |letter: &Letter| match &letter.body {
        Body::Ack(ack) => Some(ack.clone()),
        _ => None,
    };
    letters.iter().filter_map(ack).collect()
}

/// What the follower says when its journal has everything.
pub(crate) fn last_ack(ledgers: &mut Ledgers) -> Option<Ack> {
    ledgers.commit(2);
    acks(&ledgers.letters()).pop()
}

#[test]
fn a_frame_of_another_format_version_is_rejected_by_that_name_and_its_copy_is_given_up() {
    let mut ledgers = Ledgers::in_sync();
    let (frame, before) = (ledgers.next_frame(), ledgers.state(2));
    let received = ledgers.give(from_owner(edited(&frame, 0, &[99])));
    assert_eq!(received, Err(Rejected::OtherFormat { found: 99 }));
    assert_eq!(ledgers.state(2), before);
    assert_eq!(ledgers.ledger(2).rejections().other_formats, 1);
    assert_eq!(last_ack(&mut ledgers).unwrap().refused, [(S, Epoch(5))], "its owner learns of it");
}

#[test]
fn a_frame_that_is_cut_off_anywhere_is_rejected_whole() {
    let frame = Ledgers::in_sync().next_frame();
    for cut in 0..frame.payload.len() {
        let mut ledgers = Ledgers::in_sync();
        ledgers.next_frame();
        let before = ledgers.state(2);
        let cut_off = PeerFrame { payload: Arc::from(&frame.payload[..cut]), ..frame.clone() };
        assert!(matches!(ledgers.give(from_owner(cut_off)), Err(Rejected::Malformed(_))), "cut at {cut}");
        assert_eq!(ledgers.state(2), before, "cut at {cut}");
        assert_eq!(ledgers.ledger(2).rejections().malformed, 1);
    }
}

#[test]
fn a_section_of_a_shard_that_does_not_exist_is_malformed_and_not_acknowledged_as_taken() {
    let mut ledgers = Ledgers::in_sync();
    let (frame, before) = (ledgers.next_frame(), ledgers.state(2));
    let nowhere = edited(&frame, SHARD_AT, &SHARDS.to_le_bytes());
    assert!(matches!(ledgers.give(from_owner(nowhere)), Err(Rejected::Malformed(_))));
    assert_eq!(ledgers.state(2), before);
    assert_eq!(last_ack(&mut ledgers).unwrap().refused, [(S, Epoch(5))]);
}

#[test]
fn an_owner_whose_frame_made_no_sense_answers_nothing_that_waits_for_that_copy() {
    let mut ledgers = Ledgers::in_sync();
    let commit = ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    let frame = frames(&ledgers.letters()).pop().unwrap();
    let _ = ledgers.give(from_owner(edited(&frame, 0, &[99])));
    ledgers.settle();
    assert!(!ledgers.is_released(1, S, commit));
    assert!(ledgers.take_news(1).contains(&News::Broken { shard: S, to: n(2) }));
}

#[test]
fn a_frame_that_makes_no_sense_also_refuses_what_was_left_before_because_nobody_knows_whose_sections_it_had() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.obey(2, Order::Unfollow { shard: S });
    let frame = ledgers.next_frame();
    let _ = ledgers.give(from_owner(edited(&frame, 0, &[99])));
    let ack = last_ack(&mut ledgers).unwrap();
    assert_eq!((ack.number, ack.refused), (frame.number, vec![(S, Epoch(5))]), "covered, but not as taken");
}

#[test]
fn a_frame_that_comes_again_changes_nothing_and_is_acknowledged_again() {
    let mut ledgers = Ledgers::in_sync();
    let frame = ledgers.next_frame();
    assert_eq!(ledgers.give(from_owner(frame.clone())), Ok(Received::Taken));
    let said = last_ack(&mut ledgers);
    let before = ledgers.state(2);
    for _ in 0..3 {
        assert_eq!(ledgers.give(from_owner(frame.clone())), Ok(Received::OutOfOrder));
        assert_eq!(acks(&ledgers.letters()).pop(), said);
    }
    assert_eq!(ledgers.state(2), before);
}

#[test]
fn frames_that_come_in_any_other_order_are_taken_in_theirs() {
    let mut ledgers = Ledgers::in_sync();
    let sent: Vec<PeerFrame> = (0..3).map(|_| ledgers.next_frame()).collect();
    let before = ledgers.state(2);
    assert_eq!(ledgers.give(from_owner(sent[2].clone())), Ok(Received::OutOfOrder));
    assert_eq!((ledgers.state(2), last_ack(&mut ledgers)), (before, None), "two are missing");
    for index in [2, 1, 0, 2, 0, 1, 1, 2] {
        let _ = ledgers.give(from_owner(sent[index].clone()));
    }
    assert_eq!(ledgers.used(2, S, 1), 6);
    assert_eq!(last_ack(&mut ledgers).unwrap().number, sent[2].number);
}

#[test]
fn an_old_section_under_a_new_number_is_refused() {
    let mut ledgers = Ledgers::in_sync();
    let old = ledgers.next_frame();
    let new = ledgers.next_frame();
    let _ = (ledgers.give(from_owner(old.clone())), ledgers.give(from_owner(new.clone())));
    ledgers.commit(2);
    ledgers.letters();
    let before = ledgers.state(2);
    let replayed = PeerFrame { number: new.number + 1, ..old };
    assert_eq!(ledgers.give(from_owner(replayed)), Ok(Received::Taken), "the frame is, its section is not");
    assert_eq!(ledgers.state(2), before);
    assert_eq!(ledgers.ledger(2).rejections().sections, 1);
    assert_eq!(last_ack(&mut ledgers).unwrap().refused, [(S, Epoch(5))]);
}

#[test]
fn a_frame_of_a_stream_that_its_sender_gave_up_is_not_taken() {
    let mut ledgers = Ledgers::in_sync();
    let (frame, before) = (ledgers.next_frame(), ledgers.state(2));
    let forgotten = PeerFrame { stream: frame.stream - 1, ..frame };
    assert_eq!(ledgers.give(from_owner(forgotten)), Ok(Received::OutOfOrder));
    assert_eq!(ledgers.state(2), before);
}

#[test]
fn a_sender_that_never_waits_is_not_taken_from_until_the_journal_has_caught_up() {
    let mut ledgers = Ledgers::in_sync();
    let first = ledgers.next_frame();
    let flood = |index: u64| {
        let frame = edited(&first, SEQ_AT, &(1_000 + index).to_le_bytes());
        from_owner(PeerFrame { number: first.number + index, ..frame })
    };
    let cap = PEER_FRAMES_UNJOURNALED_MAX as u64;
    for index in 0..cap {
        assert_eq!(ledgers.give(flood(index)), Ok(Received::Taken), "frame {index}");
    }
    let before = ledgers.state(2);
    assert_eq!(ledgers.give(flood(cap)), Err(Rejected::Flooded));
    assert_eq!((ledgers.state(2), ledgers.ledger(2).rejections().flooded), (before, 1));
    ledgers.commit(2);
    assert_eq!(ledgers.give(flood(cap)), Ok(Received::Taken), "sent again, it comes when its time has come");
}

#[test]
fn sections_of_a_shard_that_its_sender_does_not_own_are_refused_and_the_others_are_taken() {
    let mut ledgers = Ledgers::in_sync();
    ledgers.own(3, ShardId::new(2), 9);
    ledgers.obey(3, Order::Seat { shard: ShardId::new(2), to: n(2), start: drl_engine::replication::Start::Anew });
    ledgers.tick(3);
    ledgers.settle();
    let (frame, before) = (ledgers.next_frame(), ledgers.state(2));
    let others = edited(&edited(&frame, SHARD_AT, &2_u16.to_le_bytes()), EPOCH_AT, &9_u64.to_le_bytes());
    assert_eq!(ledgers.give(from_owner(others)), Ok(Received::Taken));
    assert_eq!(ledgers.state(2), before, "the copy of the other owner's shard is as it was");
    assert_eq!(last_ack(&mut ledgers).unwrap().refused, [(ShardId::new(2), Epoch(9))]);
    ledgers.charge(3, ShardId::new(2), 1).unwrap();
    ledgers.settle();
    assert_eq!(ledgers.used(2, ShardId::new(2), 1), 1, "and goes on");
}
