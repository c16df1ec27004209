//! What is sent, what comes back, and what a lost connection leaves.

use std::sync::Arc;

use drl_core::{ClientId, Cost, LimitKey, Namespace};
use tokio::sync::{Semaphore, oneshot::error::TryRecvError};

use super::*;
use crate::line::parcel::{Reply, Waiting};

struct Bench {
    outbox: Outbox,
    room: Arc<Semaphore>,
    start: Instant,
}

impl Bench {
    fn new() -> Self {
        Self { outbox: Outbox::new([7; 16]), room: Arc::new(Semaphore::new(1_000_000)), start: Instant::now() }
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    /// A call of these clients, which waits until then.
    fn push(&mut self, clients: &[&str], until: u64) -> Waiting {
        let mut checks = Checks::new("default", v1::Routing::Here);
        for client in clients {
            let key = LimitKey::new(Namespace::DEFAULT, ClientId::new(client.as_bytes()).unwrap());
            checks.push(key, Cost::ONE, ShardId::new(u16::from(client.as_bytes()[0])), Epoch(4));
        }
        let room = Arc::clone(&self.room).try_acquire_many_owned(u32::try_from(clients.len()).unwrap()).unwrap();
        let (parcel, waiting) = Parcel::new(checks, self.at(until), room);
        self.outbox.push(parcel);
        waiting
    }

    fn compose(&mut self) -> Option<v1::CheckStreamRequest> {
        self.outbox.compose(self.start)
    }

    /// Every check of a message is allowed.
    fn allow(&mut self, message: &v1::CheckStreamRequest) {
        self.allow_at(message, 0);
    }

    fn allow_at(&mut self, message: &v1::CheckStreamRequest, millis: u64) {
        let answer = v1::CheckStreamResponse {
            number: message.number,
            outcomes: vec![0x81; message.id_lengths.len()].into(),
            ..v1::CheckStreamResponse::default()
        };
        self.outbox.settle(answer, self.at(millis));
    }
}

fn ids(message: &v1::CheckStreamRequest) -> &str {
    std::str::from_utf8(&message.client_ids).unwrap()
}

fn told(waiting: &mut Waiting) -> Option<Reply> {
    match waiting.try_recv() {
        Ok(reply) => Some(reply),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Closed) => panic!("dropped without a word"),
    }
}

fn decided(waiting: &mut Waiting) -> usize {
    told(waiting).expect("an answer").expect("answers").iter().filter(|answer| answer.is_ok()).count()
}

#[test]
fn what_waits_leaves_as_one_message_and_each_call_gets_its_own_answers() {
    let mut bench = Bench::new();
    let (mut one, mut two) = (bench.push(&["a"], 100), bench.push(&["b", "c"], 100));
    let message = bench.compose().unwrap();
    assert_eq!((message.number, ids(&message), &message.id_lengths[..]), (1, "abc", &[1, 1, 1][..]));
    assert_eq!((&message.session[..], message.settled_below), (&[7; 16][..], 1));
    assert_eq!((message.costs.len(), &message.epochs[..]), (0, &[4, 4, 4][..]));
    assert!(bench.compose().is_none());
    bench.allow(&message);
    assert_eq!((decided(&mut one), decided(&mut two)), (1, 2));
    let _three = bench.push(&["d"], 100);
    let next = bench.compose().unwrap();
    assert_eq!((next.number, next.settled_below, next.session.len()), (2, 2, 0));
    assert_eq!(bench.room.available_permits(), 1_000_000 - 1);
}

#[test]
fn another_namespace_and_too_many_checks_travel_by_themselves() {
    let mut bench = Bench::new();
    let many = vec!["x"; 1_000];
    let _calls = [bench.push(&many, 100), bench.push(&many, 100)];
    assert_eq!(bench.compose().unwrap().id_lengths.len(), 1_000);
    let mut other = Checks::new("other", v1::Routing::Here);
    let key = LimitKey::new(Namespace::new("other").unwrap(), ClientId::new(b"y").unwrap());
    other.push(key, Cost::new(5).unwrap(), ShardId::new(1), Epoch(1));
    let room = Arc::clone(&bench.room).try_acquire_owned().unwrap();
    let (parcel, _waiting) = Parcel::new(other, bench.at(100), room);
    bench.outbox.push(parcel);
    assert_eq!(bench.compose().unwrap().namespace, "default");
    let message = bench.compose().unwrap();
    assert_eq!((&*message.namespace, &message.costs[..]), ("other", &[5][..]));
}

#[test]
fn a_lost_connection_sends_the_same_numbers_again_and_only_what_somebody_waits_for() {
    let mut bench = Bench::new();
    let mut one = bench.push(&["a"], 100);
    let first = bench.compose().unwrap();
    let two = bench.push(&["b"], 100);
    let second = bench.compose().unwrap();
    let mut three = bench.push(&["c"], 100);
    let third = bench.compose().unwrap();
    bench.allow(&first);
    drop(two);
    let again = bench.outbox.again(bench.at(10));
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].number, ids(&again[0]), again[0].settled_below), (third.number, "c", third.number));
    assert_eq!(again[0].session.len(), 16, "a new connection is told the session");
    assert_eq!(decided(&mut one), 1);
    bench.allow(&second);
    assert!(told(&mut three).is_none(), "an answer to a number that was given up is an answer to nothing");
    bench.allow(&third);
    assert_eq!(decided(&mut three), 1);
}

#[test]
fn nobody_waits_longer_than_its_deadline() {
    let mut bench = Bench::new();
    let (mut short, mut long) = (bench.push(&["a"], 10), bench.push(&["b"], 50));
    bench.compose().unwrap();
    let mut waiting = bench.push(&["c"], 30);
    assert_eq!(bench.outbox.deadline(), Some(bench.at(10)));
    bench.outbox.expire(bench.at(10), "silence");
    assert_eq!(told(&mut short), Some(Err(Failure::TimedOut { reason: "silence".into() })));
    assert_eq!((told(&mut long), told(&mut waiting)), (None, None));
    assert_eq!(bench.outbox.deadline(), Some(bench.at(30)));
    bench.outbox.expire(bench.at(49), "silence");
    assert!(told(&mut waiting).is_some() && told(&mut long).is_none());
    bench.outbox.expire(bench.at(50), "silence");
    assert!(told(&mut long).is_some());
    assert_eq!((bench.outbox.deadline(), bench.outbox.is_empty()), (None, true));
    assert_eq!(bench.room.available_permits(), 1_000_000);
}

#[test]
fn a_call_that_was_dropped_before_it_left_is_not_sent() {
    let mut bench = Bench::new();
    drop(bench.push(&["a"], 100));
    let _kept = bench.push(&["b"], 100);
    drop(bench.push(&["c"], 100));
    assert_eq!(ids(&bench.compose().unwrap()), "b");
    assert!(bench.compose().is_none());
}

#[test]
fn a_node_that_does_not_answer_holds_so_many_messages_and_is_found_out() {
    let mut bench = Bench::new();
    let calls: Vec<_> = (0..CLIENT_MESSAGES_IN_FLIGHT_MAX)
        .map(|_| {
            let waiting = bench.push(&["a"], 10);
            bench.compose().unwrap();
            waiting
        })
        .collect();
    bench.outbox.expire(bench.at(10), "silence");
    let _more = bench.push(&["b"], 5_000);
    assert!(bench.compose().is_none(), "giving up makes no room");
    assert_eq!(bench.outbox.stalled_at(), Some(bench.start + STALL));
    assert!(bench.outbox.again(bench.at(20)).is_empty());
    assert!(bench.compose().is_some());
    drop(calls);
}

#[test]
fn answers_come_in_any_order_and_a_node_that_gives_some_is_not_taken_for_dead() {
    let mut bench = Bench::new();
    let (mut one, mut two) = (bench.push(&["a"], 5_000), None);
    let first = bench.compose().unwrap();
    for millis in [0, 300, 600] {
        two = Some(bench.push(&["b"], 5_000));
        let next = bench.compose().unwrap();
        assert_eq!(next.settled_below, first.number, "the first one is not settled");
        bench.allow_at(&next, millis);
    }
    assert_eq!((told(&mut one), two.as_mut().map(decided)), (None, Some(1)));
    assert_eq!(bench.outbox.stalled_at(), Some(bench.at(600) + STALL));
    bench.allow_at(&first, 700);
    assert_eq!((decided(&mut one), bench.outbox.stalled_at()), (1, None));
}

#[test]
fn no_message_is_further_from_the_oldest_that_is_not_settled_than_its_owner_takes() {
    let mut bench = Bench::new();
    let _kept = bench.push(&["a"], 5_000);
    let first = bench.compose().unwrap();
    for _ in 1..CLIENT_SESSION_NUMBERS_MAX {
        let _call = bench.push(&["b"], 5_000);
        let message = bench.compose().unwrap();
        bench.allow(&message);
    }
    let _more = bench.push(&["d"], 5_000);
    assert!(!bench.outbox.has_room() && bench.compose().is_none());
    bench.allow(&first);
    assert!(bench.outbox.has_room() && bench.compose().is_some());
}

#[test]
fn what_has_another_owner_by_now_is_handed_back() {
    let mut bench = Bench::new();
    let (mut moved, mut half, mut stays) =
        (bench.push(&["a", "a"], 100), bench.push(&["a", "b"], 100), bench.push(&["b"], 100));
    bench.compose().unwrap();
    bench.outbox.hand_back(|shard, epoch| shard.get() == u16::from(b'a') && epoch == Epoch(4), "moved");
    assert_eq!(told(&mut moved), Some(Err(Failure::Lost { reason: "moved".into() })));
    assert_eq!((told(&mut half), told(&mut stays)), (None, None));
    assert_eq!(bench.outbox.again(bench.at(1)).len(), 1, "the number keeps its checks");
}

#[test]
fn a_message_that_is_refused_or_nonsense_fails_its_calls() {
    let mut bench = Bench::new();
    let (mut refused, error) = (bench.push(&["a"], 100), v1::StreamError { code: 8, message: "busy".to_owned() });
    let number = bench.compose().unwrap().number;
    let answer = v1::CheckStreamResponse { number, error: Some(error.clone()), ..v1::CheckStreamResponse::default() };
    bench.outbox.settle(answer, bench.start);
    assert_eq!(told(&mut refused), Some(Err(Failure::Refused(error))));
    let mut nonsense = bench.push(&["a"], 100);
    let number = bench.compose().unwrap().number;
    let answer = v1::CheckStreamResponse { number, outcomes: vec![0x81; 2].into(), ..Default::default() };
    bench.outbox.settle(answer, bench.start);
    assert!(matches!(told(&mut nonsense), Some(Err(Failure::Lost { .. }))));
}

#[test]
fn an_old_message_is_not_sent_again() {
    let mut bench = Bench::new();
    let _waits = bench.push(&["a"], 60_000);
    bench.compose().unwrap();
    assert_eq!(bench.outbox.again(bench.start + RESEND - Duration::from_millis(1)).len(), 1);
    assert!(bench.outbox.again(bench.start + RESEND).is_empty());
}
