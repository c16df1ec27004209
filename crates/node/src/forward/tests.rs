//! A forwarder and one peer, whose behaviour each test writes.

mod peer;

use std::sync::Arc;
use std::time::Duration;

use drl_core::caps::{BATCH_CHECKS_MAX, FORWARD_CHECKS_MAX, FORWARD_MESSAGES_IN_FLIGHT_MAX};
use drl_core::{ClientId, Cost, Epoch, LimitKey, Namespace, NodeId};
use drl_host::{Action, Ask, PolicyOf};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::forward::Forwarder;
use crate::forward::errand::Errand;
use crate::forward::outcome::{Told, Undelivered};
use crate::forward::parcel::Waiting;
use crate::forward::tests::peer::{Relay, ScriptedPeer, answer, placement};
use drl_membership::Placement;

/// Longer than anything here takes; a test that reaches it hangs.
const DEADLINE: Duration = Duration::from_secs(30);

/// Two of them do not fit one message.
const MORE_THAN_HALF: usize = BATCH_CHECKS_MAX / 2 + 1;

fn peer_id() -> NodeId {
    NodeId::new("peer").unwrap()
}

fn forwarder(address: &str) -> (Forwarder, watch::Sender<Arc<Placement>>) {
    let (sender, receiver) = watch::channel(placement(&peer_id(), address));
    (Forwarder::new("test".into(), NodeId::new("me").unwrap(), receiver), sender)
}

/// One check for each client.
fn errands(clients: impl IntoIterator<Item = usize>) -> Vec<Errand> {
    let errand = |(index, client): (usize, usize)| {
        let id = client.to_string();
        let key = LimitKey::new(Namespace::DEFAULT, ClientId::new(id.as_bytes()).unwrap());
        let ask = Ask { key, cost: Cost::ONE, action: Action::Charge, policy: PolicyOf::Configured, epoch: Epoch(0) };
        Errand::check(index, &ask)
    };
    clients.into_iter().enumerate().map(errand).collect()
}

/// Which client each answer is about.
async fn answered(waiting: Waiting) -> Result<Vec<u64>, Undelivered> {
    let answers = waiting.answers(DEADLINE).await?;
    let client = |told| match told {
        Ok(Told::Decided(decision)) => decision.limit,
        other => panic!("{other:?}"),
    };
    Ok(answers.into_iter().map(client).collect())
}

/// What comes of one check. A courier that has found out meanwhile has it refused at the door, else it is refused in the queue.
async fn asked(forwarder: &Forwarder, client: usize) -> Result<Vec<u64>, Undelivered> {
    answered(forwarder.send(&peer_id(), &errands([client]))?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_finds_who_waits_for_it_in_whichever_order_messages_are_answered() {
    let mut peer = ScriptedPeer::start().await;
    let (forwarder, _placement) = forwarder(&peer.address);
    let mut waiting = Vec::new();
    for first in [0, 10, 20] {
        waiting.push((first as u64, forwarder.send(&peer_id(), &errands(first..first + 3)).unwrap()));
    }
    // The first message leaves alone or with company; whatever came is answered backwards.
    let (mut messages, mut checks) = (Vec::new(), 0);
    while checks < 9 {
        let message = peer.message().await;
        checks += message.checks.len();
        messages.push(message);
    }
    for message in messages.iter().rev() {
        peer.answer(message).await;
    }
    for (first, waiting) in waiting {
        assert_eq!(answered(waiting).await.unwrap(), [first, first + 1, first + 2]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_leaves_as_one_message() {
    let mut peer = ScriptedPeer::start().await;
    let (forwarder, _placement) = forwarder(&peer.address);
    let mut waiting = Vec::new();
    for client in 0..FORWARD_MESSAGES_IN_FLIGHT_MAX {
        waiting.push(forwarder.send(&peer_id(), &errands([client])).unwrap());
        peer.hold().await;
    }
    for client in 0..100 {
        waiting.push(forwarder.send(&peer_id(), &errands([client])).unwrap());
    }
    peer.answer_held().await;
    let company = peer.message().await;
    assert_eq!(company.checks.len(), 100);
    peer.answer(&company).await;
    for waiting in waiting {
        assert_eq!(answered(waiting).await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_no_longer_than_a_batch() {
    let mut peer = ScriptedPeer::start().await;
    let (forwarder, _placement) = forwarder(&peer.address);
    let waiting: Vec<_> = (0..4).map(|_| forwarder.send(&peer_id(), &errands(0..MORE_THAN_HALF)).unwrap()).collect();
    for waiting in waiting {
        let message = peer.message().await;
        assert_eq!(message.checks.len(), MORE_THAN_HALF, "two of them do not fit");
        peer.answer(&message).await;
        assert_eq!(answered(waiting).await.unwrap().len(), MORE_THAN_HALF);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_dies_fails_what_was_sent_and_is_found_again() {
    let mut peer = ScriptedPeer::start().await;
    let (forwarder, _placement) = forwarder(&peer.address);
    let sent = forwarder.send(&peer_id(), &errands([1])).unwrap();
    peer.message().await;
    peer.break_off().await;
    let lost = answered(sent).await.unwrap_err();
    assert!(matches!(lost, Undelivered::Unanswered { .. }), "{lost}: it may have been charged");
    // A connection that was lost young is not tried again at once; until then nothing is sent, be it refused at the door or, when
    // it came in before the loss was known there, in the queue.
    let again = timeout(DEADLINE, async {
        loop {
            let refused = match forwarder.send(&peer_id(), &errands([2])) {
                Ok(waiting) => {
                    let mut outcome = Box::pin(answered(waiting));
                    tokio::select! {
                        message = peer.message() => break (outcome, message),
                        refused = &mut outcome => refused.unwrap_err(),
                    }
                }
                Err(refused) => refused,
            };
            assert!(matches!(refused, Undelivered::Unreachable { .. }), "{refused}");
            tokio::task::yield_now().await;
        }
    });
    let (again, message) = again.await.unwrap();
    assert_eq!(message.checks.len(), 1, "what was lost is not sent again");
    peer.answer(&message).await;
    assert_eq!(again.await.unwrap(), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_to_a_peer_that_is_gone_was_not_sent() {
    let mut peer = ScriptedPeer::start().await;
    let (forwarder, current) = forwarder(&peer.address);
    let mut sent = Vec::new();
    for client in 0..FORWARD_MESSAGES_IN_FLIGHT_MAX {
        sent.push(forwarder.send(&peer_id(), &errands([client])).unwrap());
        peer.hold().await;
    }
    let [large, held, queued] = [(); 3].map(|()| forwarder.send(&peer_id(), &errands(0..MORE_THAN_HALF)).unwrap());
    peer.answer_held_first().await;
    assert_eq!(peer.message().await.checks.len(), MORE_THAN_HALF, "the next one does not fit");
    current.send_replace(placement(&peer_id(), "elsewhere:1"));
    peer.break_off().await;
    let lost = answered(large).await.unwrap_err();
    assert!(matches!(lost, Undelivered::Unanswered { .. }), "{lost}");
    for unsent in [held, queued] {
        let refused = answered(unsent).await.unwrap_err();
        assert!(matches!(refused, Undelivered::Unreachable { .. }), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_refuses_connections_fails_a_check_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (forwarder, _placement) = forwarder(&address);
    let first = timeout(Duration::from_millis(500), asked(&forwarder, 1)).await.unwrap().unwrap_err();
    assert!(matches!(first, Undelivered::Unreachable { .. }), "{first}");
    assert!(first.to_string().contains(&address), "{first}");
    let second = forwarder.send(&peer_id(), &errands([1])).unwrap_err();
    assert!(matches!(second, Undelivered::Unreachable { .. }), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_hangs_is_given_up_and_then_fails_a_check_at_once() {
    let mut peer = ScriptedPeer::start().await;
    let relay = Relay::to(&peer.address).await;
    let (forwarder, _placement) = forwarder(&relay.address);
    let answer_me = forwarder.send(&peer_id(), &errands([1])).unwrap();
    let message = peer.message().await;
    peer.answer(&message).await;
    assert_eq!(answered(answer_me).await.unwrap(), [1]);
    relay.freeze();
    let lost = forwarder.send(&peer_id(), &errands([2])).unwrap();
    let lost = timeout(Duration::from_secs(6), answered(lost)).await.unwrap().unwrap_err();
    assert!(matches!(lost, Undelivered::Unanswered { .. }), "{lost}");
    // Connections are accepted and nothing comes back: one try finds that out for everybody after it.
    let refused = timeout(Duration::from_secs(6), async {
        loop {
            match forwarder.send(&peer_id(), &errands([3])) {
                Ok(waiting) => drop(answered(waiting).await.unwrap_err()),
                Err(undelivered) => break undelivered,
            }
        }
    });
    let refused = refused.await.unwrap();
    assert!(matches!(refused, Undelivered::Unreachable { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_stalls_costs_its_waiters_their_deadline_and_the_node_a_bounded_queue() {
    let mut peer = ScriptedPeer::start().await;
    let (forwarder, _placement) = forwarder(&peer.address);
    let stalled = forwarder.send(&peer_id(), &errands([1])).unwrap();
    let message = peer.message().await;
    let failed = stalled.answers(Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(failed, Undelivered::Unanswered { .. }), "{failed}");
    let mut waiting = Vec::new();
    let crowded = loop {
        match forwarder.send(&peer_id(), &errands(0..BATCH_CHECKS_MAX)) {
            Ok(accepted) => waiting.push(accepted),
            Err(undelivered) => break undelivered,
        }
    };
    assert!(matches!(crowded, Undelivered::Crowded { .. }), "{crowded}");
    assert_eq!(waiting.len(), FORWARD_CHECKS_MAX / BATCH_CHECKS_MAX - 1, "one check still waits");
    // The answer that comes too late is dropped, and makes room.
    peer.answer(&message).await;
    for waiting in waiting {
        let message = peer.message().await;
        peer.answer(&message).await;
        assert_eq!(answered(waiting).await.unwrap().len(), BATCH_CHECKS_MAX);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_any_more_is_not_sent() {
    let mut peer = ScriptedPeer::start().await;
    let (forwarder, _placement) = forwarder(&peer.address);
    let mut held = Vec::new();
    for client in 0..FORWARD_MESSAGES_IN_FLIGHT_MAX {
        held.push(forwarder.send(&peer_id(), &errands([client])).unwrap());
        peer.hold().await;
    }
    drop(forwarder.send(&peer_id(), &errands([100])).unwrap());
    let wanted = forwarder.send(&peer_id(), &errands([101])).unwrap();
    peer.answer_held().await;
    let message = peer.message().await;
    assert_eq!(message.checks.len(), 1);
    peer.answer(&message).await;
    assert_eq!(answered(wanted).await.unwrap(), [101]);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_answers_are_none() {
    let mut peer = ScriptedPeer::start().await;
    let (forwarder, _placement) = forwarder(&peer.address);
    let waiting = forwarder.send(&peer_id(), &errands([1, 2])).unwrap();
    let message = peer.message().await;
    peer.say(message.number, vec![answer(&message.checks[0])]).await;
    assert!(matches!(answered(waiting).await.unwrap_err(), Undelivered::Unanswered { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_else_listens_there_is_not_taken_for_the_peer() {
    let (stranger, alone) = (peer::garbage().await, peer::without_peers().await);
    let other = ScriptedPeer::start_refusing("node \"other\" is here").await;
    for (address, reason) in [(stranger, ""), (alone, "runs alone"), (other.address.clone(), "\"other\" is here")] {
        let (forwarder, _placement) = forwarder(&address);
        let failed = asked(&forwarder, 1).await.unwrap_err();
        assert!(matches!(failed, Undelivered::Unreachable { .. }), "{failed}");
        assert!(failed.to_string().contains(reason), "{failed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_another_address_is_found_there_and_one_without_a_session_where_it_was() {
    let (first, mut second) = (ScriptedPeer::start().await, ScriptedPeer::start().await);
    let (forwarder, current) = forwarder(&first.address);
    drop(forwarder.send(&peer_id(), &errands([1])).unwrap());
    current.send_replace(placement(&peer_id(), &second.address));
    let waiting = forwarder.send(&peer_id(), &errands([2])).unwrap();
    let message = second.message().await;
    second.answer(&message).await;
    assert_eq!(answered(waiting).await.unwrap(), [2]);
    current.send_replace(Arc::new(Placement::default()));
    let waiting = forwarder.send(&peer_id(), &errands([3])).unwrap();
    let message = second.message().await;
    second.answer(&message).await;
    assert_eq!(answered(waiting).await.unwrap(), [3]);
    let nobody = forwarder.send(&NodeId::new("nobody").unwrap(), &errands([1])).unwrap_err();
    assert!(matches!(nobody, Undelivered::Unreachable { .. }), "{nobody}");
}
