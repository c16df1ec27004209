//! Nodes that stall, vanish, contradict each other, and callers that give up.

use std::future::Future as _;
use std::time::Duration;

use drl_client::{CheckError, Reason};
use drl_proto::v1;

use crate::node::{Node, Said, allow, check, not_owner, placed, refuse, request, timed, two_nodes};

/// What a busy machine adds to a deadline.
const SLACK: Duration = Duration::from_millis(400);

#[tokio::test]
async fn owners_that_name_each_other_for_ever_cost_a_call_its_deadline_and_few_messages() {
    let deadline = Duration::from_millis(500);
    let (one, two, limiter) = two_nodes(|connect| connect.deadline(deadline)).await;
    one.does({
        let mut epoch = 10;
        move |message| {
            epoch += 2;
            Said::Answer(refuse(message, &not_owner("n2", epoch)))
        }
    });
    two.does({
        let mut epoch = 11;
        move |message| {
            epoch += 2;
            Said::Answer(refuse(message, &not_owner("n1", epoch)))
        }
    });
    let (answer, took) = timed(limiter.strict().check(request("alice"))).await;
    assert!(matches!(answer, Err(CheckError::TimedOut { .. })), "{answer:?}");
    assert!(took >= deadline && took < deadline + SLACK, "{took:?}");
    let messages = one.seen().len() + two.seen().len();
    assert!((4..100).contains(&messages), "{messages}");
}

#[tokio::test]
async fn a_node_that_stalls_costs_one_deadline_and_then_nothing() {
    let node = Node::start().await;
    let limiter =
        drl_client::Connect::new([node.endpoint()]).deadline(Duration::from_millis(300)).connect().await.unwrap();
    assert!(check(&limiter, "alice").await.allowed);
    node.does(|_| Said::Silence);
    let strict = limiter.strict();
    let (answer, took) = timed(strict.check(request("alice"))).await;
    assert!(matches!(&answer, Err(CheckError::TimedOut { reason, .. }) if reason.contains("n1")), "{answer:?}");
    assert!(took < Duration::from_millis(300) + SLACK, "{took:?}");
    let (_, took) = timed(limiter.within(Duration::from_secs(3)).check(request("alice"))).await;
    assert!(took < Duration::from_secs(3) + SLACK, "{took:?}");
    node.does(|message| Said::Answer(allow(message)));
    let (decision, _) = timed(async {
        loop {
            let decision = check(&limiter, "alice").await;
            if decision.reason == Reason::WithinLimit {
                return decision;
            }
        }
    })
    .await;
    assert!(decision.allowed, "it is asked again when it answers");
}

#[tokio::test]
async fn a_dead_node_costs_one_deadline_at_most_and_then_its_policy_decides_at_once() {
    let deadline = Duration::from_millis(300);
    let node = Node::start().await;
    let limiter = drl_client::Connect::new([node.endpoint()]).deadline(deadline).connect().await.unwrap();
    check(&limiter, "alice").await;
    node.stop();
    let (decision, took) = timed(check(&limiter, "alice")).await;
    assert_eq!((decision.allowed, decision.reason), (false, Reason::Unavailable));
    assert!(took < deadline + SLACK, "{took:?}");
    let (failed, _) = timed(limiter.strict().check(request("alice"))).await;
    assert!(failed.is_err());
    let (answers, took) = timed(async {
        let mut answers = Vec::new();
        for _ in 0..100 {
            answers.push(limiter.strict().check(request("alice")).await);
        }
        answers
    })
    .await;
    assert!(took < deadline + SLACK, "100 checks after the first deadline took {took:?}");
    let last = answers.last().unwrap();
    assert!(
        matches!(last, Err(CheckError::Unavailable { reason }) if reason.contains("nothing listens there")),
        "{last:?}"
    );
    let again = Node::at(node.address).await;
    let (decision, _) = timed(async {
        loop {
            let decision = check(&limiter, "alice").await;
            if decision.allowed {
                return decision;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((decision.reason, again.seen().is_empty()), (Reason::WithinLimit, false));
}

#[tokio::test]
async fn an_owner_that_cannot_be_reached_from_here_is_asked_through_another_node() {
    let (one, two, limiter) = two_nodes(|connect| connect).await;
    let gone = one.address;
    one.stop();
    let (decision, took) = timed(check(&limiter, "alice")).await;
    assert!(decision.allowed, "{decision:?}");
    assert!(took < Duration::from_millis(900), "{took:?}");
    assert_eq!(two.seen()[0].routing(), v1::Routing::Any);
    two.does(|message| {
        let kind = v1::RefusalKind::Unavailable.into();
        Said::Answer(refuse(message, &v1::Refusal { kind, ..v1::Refusal::default() }))
    });
    let before = two.seen().len();
    let (answer, _) = timed(limiter.within(Duration::from_millis(200)).strict().check(request("alice"))).await;
    assert!(answer.is_err());
    assert!(two.seen().len() - before <= 2, "what one cannot reach another one hardly can: {}", two.seen().len());
    assert_eq!(gone, one.address);
}

#[tokio::test]
async fn a_shard_that_gets_another_owner_while_its_node_is_dead_is_answered_there() {
    let (one, two, limiter) = two_nodes(|connect| connect.deadline(Duration::from_secs(10))).await;
    check(&limiter, "alice").await;
    one.does(|_| Said::Silence);
    let asking = tokio::spawn({
        let limiter = limiter.clone();
        async move { check(&limiter, "alice").await }
    });
    while one.seen().len() < 2 {
        tokio::task::yield_now().await;
    }
    one.stop();
    two.tells(placed(6, &[("n1", one.address), ("n2", two.address)], "n2", 4));
    let (decision, took) = timed(asking).await;
    assert!(decision.unwrap().allowed && took < Duration::from_secs(5), "{took:?}");
    assert_eq!(two.seen().last().unwrap().epochs[0], 4);
}

#[tokio::test]
async fn a_deadline_of_zero_asks_nobody() {
    let node = Node::start().await;
    let limiter = drl_client::RateLimiter::connect([node.endpoint()]).await.unwrap().within(Duration::ZERO);
    let (decision, took) = timed(check(&limiter, "alice")).await;
    assert_eq!((decision.allowed, decision.reason), (false, Reason::Unavailable));
    assert!(took < SLACK);
    assert!(matches!(limiter.strict().check(request("alice")).await, Err(CheckError::TimedOut { .. })));
    assert!(matches!(limiter.strict().peek(request("alice")).await, Err(CheckError::TimedOut { .. })));
    assert!(matches!(limiter.reset(request("alice")).await, Err(CheckError::TimedOut { .. })));
    assert!(node.seen().is_empty() && node.asked().is_empty());
    let forever = limiter.within(Duration::MAX);
    assert!(check(&forever, "alice").await.allowed);
}

#[tokio::test]
async fn calls_that_are_dropped_leave_nothing_behind() {
    let node = Node::start().await;
    let limiter = drl_client::RateLimiter::connect([node.endpoint()]).await.unwrap().within(Duration::from_secs(10));
    check(&limiter, "alice").await;
    node.does(|_| Said::Silence);
    for _ in 0..200 {
        for _ in 0..500 {
            let mut call = Box::pin(limiter.check(request("alice")));
            // As far as it goes by itself: it is sent, or waits in the queue.
            std::future::poll_fn(|context| {
                let _ = call.as_mut().poll(context);
                std::task::Poll::Ready(())
            })
            .await;
        }
        tokio::task::yield_now().await;
    }
    // 100,000 were dropped; a line has room for 65,536.
    node.does(|message| Said::Answer(allow(message)));
    let (decision, _) = timed(check(&limiter, "alice")).await;
    assert!(decision.allowed, "{decision:?}");
}

#[tokio::test]
async fn the_last_handle_takes_its_connections_along() {
    let node = Node::start().await;
    let limiter = drl_client::RateLimiter::connect([node.endpoint()]).await.unwrap();
    let (clone, short) = (limiter.clone(), limiter.within(Duration::from_millis(5)));
    check(&limiter, "alice").await;
    node.has_streams(1).await;
    drop((limiter, short));
    assert!(check(&clone, "alice").await.allowed);
    drop(clone);
    node.has_streams(0).await;
}

#[test]
fn a_runtime_that_ends_fails_what_is_under_way_and_what_comes_after() {
    let servers = tokio::runtime::Runtime::new().unwrap();
    let node = servers.block_on(Node::start());
    let clients = tokio::runtime::Runtime::new().unwrap();
    let limiter =
        clients.block_on(drl_client::RateLimiter::connect([node.endpoint()])).unwrap().within(Duration::from_mins(1));
    let blocking = limiter.strict().blocking();
    assert!(blocking.check(request("alice")).unwrap().allowed);
    node.does(|_| Said::Silence);
    let under_way = std::thread::spawn({
        let blocking = blocking.clone();
        move || blocking.check(request("alice"))
    });
    while node.seen().len() < 2 {
        std::thread::yield_now();
    }
    clients.shutdown_background();
    assert_eq!(under_way.join().unwrap(), Err(CheckError::Closed));
    assert_eq!(blocking.check(request("alice")), Err(CheckError::Closed));
    assert_eq!(blocking.peek(request("alice")), Err(CheckError::Closed));
    assert_eq!(blocking.reset(request("alice")), Err(CheckError::Closed));
    assert!(!limiter.blocking().allow_request("alice"));
}

#[tokio::test]
async fn a_node_that_ends_every_stream_is_not_stormed() {
    let node = Node::start().await;
    node.does(|_| Said::Cut);
    let limiter = drl_client::RateLimiter::connect([node.endpoint()]).await.unwrap().strict();
    let (answer, took) = timed(limiter.check(request("alice"))).await;
    assert!(answer.is_err() && took < Duration::from_secs(1) + SLACK, "{answer:?} after {took:?}");
    let streams = node.seen().len();
    assert!((2..50).contains(&streams), "{streams} streams in a second");
}

#[tokio::test]
async fn a_node_that_ends_every_watch_is_not_stormed() {
    let node = Node::start().await;
    node.ends_watches();
    let _limiter = drl_client::RateLimiter::connect([node.endpoint()]).await.unwrap();
    let _ = tokio::time::timeout(Duration::from_secs(1), std::future::pending::<()>()).await;
    assert!((2..50).contains(&node.watches()), "{} watches in a second", node.watches());
}
