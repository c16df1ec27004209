//! What a client asks, and whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use drl_client::{CheckError, InvalidRequest, Reason};
use drl_proto::v1;
use tonic::{Code, Status};

use crate::node::{Node, Said, allow, check, not_owner, numbers, placed, refuse, request, timed, two_nodes};

#[tokio::test]
async fn a_check_is_answered_by_the_owner_that_the_placement_names() {
    let (one, two, limiter) = two_nodes(|connect| connect).await;
    let decision = check(&limiter, "alice").await;
    assert_eq!((decision.allowed, decision.reason, decision.limit), (true, Reason::WithinLimit, 10));
    let seen = one.seen();
    assert_eq!((seen.len(), two.seen().len()), (1, 0));
    assert_eq!(
        (&seen[0].client_ids[..], &seen[0].epochs[..], seen[0].routing()),
        (&b"alice"[..], &[3][..], v1::Routing::Here)
    );
    assert_eq!((seen[0].session.len(), seen[0].number), (16, 1));
}

#[tokio::test]
async fn what_waits_while_the_node_is_busy_leaves_as_few_messages() {
    let node = Node::start().await;
    let limiter = drl_client::RateLimiter::connect([node.endpoint()]).await.unwrap().within(Duration::from_secs(10));
    check(&limiter, "warm").await;
    let calls = (0..2_000).map(|nth| {
        let limiter = limiter.clone();
        tokio::spawn(async move { limiter.allow_request(format!("client-{nth}")).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
    let messages = node.seen().len();
    assert!(messages < 200, "{messages} messages for 2,000 checks");
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_by_each_check_for_itself() {
    let node = Node::start().await;
    node.does(|message| {
        let mut answer = allow(message);
        answer.outcomes = vec![0x81, 0, 0x02].into();
        answer.refusals = vec![v1::Refusal {
            index: 1,
            kind: v1::RefusalKind::Invalid.into(),
            message: "no".to_owned(),
            ..v1::Refusal::default()
        }];
        Said::Answer(answer)
    });
    let limiter = drl_client::RateLimiter::connect([node.endpoint()]).await.unwrap().strict();
    let answers = limiter.check_batch(&[request("a"), request("b"), request("c")]).await;
    assert!(answers[0].as_ref().unwrap().allowed);
    assert_eq!(answers[1], Err(CheckError::Rejected { reason: "no".to_owned() }));
    assert!(!answers[2].as_ref().unwrap().allowed);
    assert_eq!(node.seen().len(), 1);
    let too_long = limiter.check_batch(&vec![request("a"); 1_025]).await;
    assert_eq!(too_long.len(), 1_025);
    assert!(
        too_long
            .iter()
            .all(|answer| { *answer == Err(CheckError::Invalid(InvalidRequest::BatchTooLong { count: 1_025 })) })
    );
    assert_eq!(node.seen().len(), 1, "it is not sent");
}

#[tokio::test]
async fn a_newer_owner_is_asked_at_once_and_remembered() {
    let (one, two, limiter) = two_nodes(|connect| connect).await;
    one.does(|message| Said::Answer(refuse(message, &not_owner("n2", 4))));
    let (decision, took) = timed(check(&limiter, "alice")).await;
    assert!(decision.allowed && took < Duration::from_millis(500), "{took:?}");
    assert_eq!((one.seen().len(), two.seen().len(), two.seen()[0].epochs[0]), (1, 1, 4));
    check(&limiter, "alice").await;
    assert_eq!((one.seen().len(), two.seen().len()), (1, 2));
}

#[tokio::test]
async fn an_owner_that_knows_less_makes_the_client_ask_somebody_else_for_the_placement() {
    let (one, two, limiter) = two_nodes(|connect| connect.deadline(Duration::from_secs(5))).await;
    let nodes = [("n1", one.address), ("n2", two.address)];
    // Whichever node the client watches: the other one knows better by now, and so will this one.
    one.does(|message| Said::Answer(refuse(message, &not_owner("n2", 3))));
    let (decision, _) = timed(async {
        let asking = tokio::spawn({
            let limiter = limiter.clone();
            async move { check(&limiter, "alice").await }
        });
        while one.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        one.tells(placed(6, &nodes, "n2", 7));
        two.tells(placed(6, &nodes, "n2", 7));
        asking.await.unwrap()
    })
    .await;
    assert!(decision.allowed);
    assert_eq!(two.seen()[0].epochs[0], 7);
}

#[tokio::test]
async fn a_message_whose_stream_is_cut_comes_again_under_its_number_and_session() {
    let node = Node::start().await;
    let cuts = Arc::new(AtomicUsize::new(0));
    node.does(
        move |message| {
            if cuts.fetch_add(1, Ordering::Relaxed) < 3 { Said::Cut } else { Said::Answer(allow(message)) }
        },
    );
    let limiter = drl_client::RateLimiter::connect([node.endpoint()]).await.unwrap();
    assert!(check(&limiter, "alice").await.allowed);
    assert_eq!(numbers(&node).into_iter().collect::<Vec<_>>(), [(1, 4)]);
    let sessions: std::collections::BTreeSet<_> = node.seen().into_iter().map(|message| message.session).collect();
    assert_eq!(sessions.len(), 1);
    check(&limiter, "alice").await;
    let last = node.seen().pop().unwrap();
    assert_eq!((last.number, last.settled_below, last.session.len()), (2, 2, 0));
}

#[tokio::test]
async fn what_passes_by_itself_is_asked_again() {
    use v1::RefusalKind::{Behind, Busy, Moving, Unavailable, Uncertain};
    for kind in [Moving, Unavailable, Behind, Busy, Uncertain] {
        let node = Node::start().await;
        let mut left = 3;
        node.does(move |message| {
            left -= 1;
            let refusal = v1::Refusal { kind: kind.into(), ..v1::Refusal::default() };
            Said::Answer(if left > 0 { refuse(message, &refusal) } else { allow(message) })
        });
        let limiter = drl_client::RateLimiter::connect([node.endpoint()]).await.unwrap();
        assert!(check(&limiter, "alice").await.allowed, "{kind:?}");
        assert_eq!(node.seen().len(), 3, "{kind:?}");
    }
}

#[tokio::test]
async fn looks_and_resets_are_repeated_and_a_refund_only_when_nothing_was_done() {
    let node = Node::start().await;
    let limiter = drl_client::RateLimiter::connect([node.endpoint()]).await.unwrap();
    let failing_once = |code: Code| {
        let mut is_first = true;
        move |_| if std::mem::take(&mut is_first) { Err(Status::new(code, "not now")) } else { Ok(()) }
    };
    node.says(failing_once(Code::Unavailable));
    assert_eq!(limiter.peek(request("alice")).await.unwrap().remaining, 7);
    node.says(failing_once(Code::Unavailable));
    limiter.reset(request("alice")).await.unwrap();
    node.says(failing_once(Code::ResourceExhausted));
    limiter.refund(request("alice"), None).await.unwrap();
    node.says(failing_once(Code::Unavailable));
    let unknown = limiter.refund(request("alice"), None).await;
    assert!(matches!(unknown, Err(CheckError::Unavailable { .. })), "{unknown:?}");
    node.says(|_| Err(Status::invalid_argument("too much")));
    let rejected = limiter.refund(request("alice"), None).await;
    assert!(matches!(rejected, Err(CheckError::Rejected { .. })), "{rejected:?}");
    assert_eq!(node.asked(), ["peek", "peek", "reset", "reset", "refund", "refund", "refund", "refund"]);
}
