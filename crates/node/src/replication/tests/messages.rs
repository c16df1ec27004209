//! Letters that become messages and letters again.

use std::sync::Arc;

use drl_core::caps::{
    GRPC_MESSAGE_BYTES_MAX, REPLICATION_BYTES_WAITING_MAX, REPLICATION_FRAMES_WAITING_MAX, REPLICATION_MESSAGE_BYTES,
    SHARDS_MAX,
};
use drl_core::{Epoch, Generation, ShardId};
use drl_engine::ownership::Holder;
use drl_engine::replication::{Ack, Beat, Body, Letter, PeerFrame, Start};
use drl_proto::v1::letter;
use drl_proto::{Message, v1};
use tokio::sync::Semaphore;

use super::{beat, frame, holder, invite, join, letter, one_of_each, payload};
use crate::replication::waiting::{Put, Waiting};
use crate::replication::{Misfit, Reading, Unreadable};

fn reading() -> Reading {
    Reading::new(Arc::new(Semaphore::new(REPLICATION_BYTES_WAITING_MAX)))
}

fn waiting(bodies: impl IntoIterator<Item = Body>) -> Waiting {
    let mut waiting = Waiting::default();
    for body in bodies {
        assert_eq!(waiting.put(holder("me"), body), Put::Waits);
    }
    waiting
}

/// Everything that waits, message by message, through the bytes.
fn sent(waiting: &mut Waiting) -> Vec<v1::ReplicateRequest> {
    std::iter::from_fn(|| waiting.take(&holder("peer")))
        .map(|message| v1::ReplicateRequest::decode(&*message.encode_to_vec()).unwrap())
        .collect()
}

fn bodies(messages: Vec<v1::ReplicateRequest>) -> Vec<Body> {
    let mut reading = reading();
    messages.into_iter().flat_map(|message| reading.read(message).unwrap()).map(|letter| letter.body).collect()
}

#[test]
fn every_letter_is_read_as_it_was_written() {
    let mut messages = sent(&mut waiting(one_of_each()));
    assert_eq!(messages.len(), 1, "what waits leaves together");
    let letters = reading().read(messages.remove(0)).unwrap();
    assert_eq!(letters, one_of_each().into_iter().map(|body| letter("peer", body)).collect::<Vec<Letter>>());
}

#[test]
fn of_what_is_said_again_only_the_newest_waits() {
    let ack = |number| Body::Ack(Ack { stream: 1, number, ..Ack::default() });
    let asks = Body::Beat(Beat { asks: true, ..Beat { asks: true, boottime: drl_core::Nanos(1) } });
    let said = [asks, ack(1), Body::Join(vec![join(5, 1), join(6, 1)]), beat(2), ack(2), Body::Join(vec![join(5, 2)])];
    let kept = [
        Body::Beat(Beat { asks: true, boottime: drl_core::Nanos(2) }),
        ack(2),
        Body::Join(vec![join(5, 2), join(6, 1)]),
    ];
    assert_eq!(bodies(sent(&mut waiting(said))), kept);
}

#[test]
fn what_an_earlier_lifetime_of_the_sender_had_to_say_is_not_said() {
    let mut waiting = waiting(one_of_each());
    let later = Holder { generation: Generation(8), ..holder("me") };
    waiting.put(later.clone(), beat(1));
    let messages = sent(&mut waiting);
    assert_eq!(messages[0].from.as_ref().map(|from| from.generation), Some(8));
    assert_eq!(bodies(messages), [beat(1)]);
}

#[test]
fn a_beat_goes_between_the_parts_of_a_long_frame() {
    let long = payload(10 * REPLICATION_MESSAGE_BYTES);
    let mut waiting = waiting([frame(1, &long), frame(2, &payload(3))]);
    let mut messages = vec![waiting.take(&holder("peer")).unwrap()];
    waiting.put(holder("me"), beat(5));
    messages.push(waiting.take(&holder("peer")).unwrap());
    assert!(matches!(messages[1].letters[0].body, Some(letter::Body::Beat(_))));
    messages.extend(sent(&mut waiting));
    assert!(messages.iter().all(|message| message.encoded_len() <= REPLICATION_MESSAGE_BYTES + 1_024));
    assert_eq!(bodies(messages), [beat(5), frame(1, &long), frame(2, &payload(3))]);
}

#[test]
fn the_longest_lists_and_frames_fit_their_messages_and_do_not_keep_each_other_back() {
    let shards = 0..SHARDS_MAX;
    let refused = shards.clone().map(|shard| (ShardId::new(shard), Epoch(u64::MAX))).collect();
    let unmarked = shards.clone().map(ShardId::new).collect();
    let said = [
        Body::Ack(Ack { stream: u64::MAX, number: u64::MAX, refused, unmarked }),
        Body::Join(shards.clone().map(|shard| join(shard, u64::MAX)).collect()),
        Body::Invite(shards.map(|shard| invite(shard, Start::Continues)).collect()),
    ];
    let mut waiting = waiting(said);
    for number in 0..REPLICATION_FRAMES_WAITING_MAX as u64 {
        waiting.put(holder("me"), frame(number, &payload(40_000)));
    }
    let messages = sent(&mut waiting);
    for message in &messages {
        assert!(message.encoded_len() <= GRPC_MESSAGE_BYTES_MAX, "{}", message.encoded_len());
        assert!(message.letters.iter().any(|letter| matches!(letter.body, Some(letter::Body::Frame(_)))));
    }
    let bodies = bodies(messages);
    let listed = |body: &Body| match body {
        Body::Join(joins) => joins.len(),
        Body::Invite(invites) => invites.len(),
        Body::Ack(ack) => ack.refused.len() + ack.unmarked.len(),
        _ => 0,
    };
    assert_eq!(bodies.iter().map(listed).sum::<usize>(), 4 * usize::from(SHARDS_MAX));
    assert_eq!(bodies.iter().filter(|body| matches!(body, Body::Frame(_))).count(), REPLICATION_FRAMES_WAITING_MAX);
}

#[test]
fn a_message_that_makes_no_sense_says_why_and_nothing_of_it_is_taken() {
    let good = sent(&mut waiting(one_of_each())).remove(0);
    let with = |body: Option<letter::Body>| {
        let mut message = good.clone();
        message.letters.push(v1::Letter { body });
        message
    };
    let listed = letter::Join { shard: 16_384, epoch: 1, attempt: 1 };
    let joins = |joins| Some(letter::Body::Joins(letter::Joins { joins }));
    let start = letter::Invite { start: 9, ..letter::Invite::default() };
    let part = letter::FramePart { length: 2, ..letter::FramePart::default() };
    let too_many = v1::ReplicateRequest { letters: vec![good.letters[0].clone(); 257], ..good.clone() };
    let misnamed = v1::Lifetime { node: "no name".to_owned(), generation: 1 };
    for (message, why) in [
        (v1::ReplicateRequest { from: None, ..good.clone() }, Unreadable::NoLifetime),
        (v1::ReplicateRequest { to: None, ..good.clone() }, Unreadable::NoLifetime),
        (too_many, Unreadable::TooManyLetters { count: 257 }),
        (with(None), Unreadable::NoBody),
        (with(joins(vec![listed])), Unreadable::Shard { sent: 16_384 }),
        (with(joins(vec![listed; 16_385])), Unreadable::LongList { count: 16_385 }),
        (with(Some(letter::Body::Invites(letter::Invites { invites: vec![start] }))), Unreadable::Start { sent: 9 }),
        (with(Some(letter::Body::Frame(part))), Unreadable::Part(Misfit::Empty)),
    ] {
        assert_eq!(reading().read(message), Err(why));
    }
    let misnamed = reading().read(v1::ReplicateRequest { from: Some(misnamed), ..good });
    assert!(matches!(misnamed, Err(Unreadable::Node(_))), "{misnamed:?}");
}

#[test]
fn arbitrary_bytes_are_read_or_refused() {
    proptest::proptest!(|(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300))| {
        if let Ok(message) = v1::ReplicateRequest::decode(&*bytes) {
            let _ = reading().read(message);
        }
    });
}

#[test]
fn a_frame_is_not_copied_before_it_is_sent() {
    let whole = payload(3 * REPLICATION_MESSAGE_BYTES);
    let mut waiting = waiting([Body::Frame(PeerFrame { stream: 1, number: 1, payload: Arc::clone(&whole) })]);
    let messages: Vec<_> = std::iter::from_fn(|| waiting.take(&holder("peer"))).collect();
    let Some(letter::Body::Frame(first)) = &messages[0].letters[0].body else { unreachable!("{messages:?}") };
    assert_eq!(first.part.as_ptr(), whole.as_ptr());
}
