//! The gRPC door: checks, batches, reset, refund, and policies.

use std::collections::{BTreeMap, BTreeSet};

use drl_proto::v1;
use drl_proto::v1::rate_limit_client::RateLimitClient;
use drl_proto::v1::selector::Selector;
use tempfile::TempDir;
use tonic::Code;

use crate::support::start;

const THREE_PER_HOUR: &str = r#"{"limits":[{"requests":3,"window":"1h"}],"algorithm":"token-bucket"}"#;

fn check(client: &str, cost: u64) -> v1::CheckRequest {
    v1::CheckRequest { client_id: client.as_bytes().to_vec().into(), cost: Some(cost), ..v1::CheckRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_resets_and_refunds_do_what_they_say() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let revision = node.set_default(THREE_PER_HOUR).await;
    let mut client = RateLimitClient::connect(format!("http://{}", node.addresses.grpc)).await.unwrap();
    let decision = client.check(check("alice", 2)).await.unwrap().into_inner();
    assert_eq!(
        (decision.allowed, decision.limit, decision.remaining, decision.policy_revision),
        (true, 3, 1, revision)
    );
    let batch =
        v1::CheckBatchRequest { checks: vec![check("alice", 1), check("alice", 1), check("bob", 4), check("bob", 0)] };
    let decisions = client.check_batch(batch).await.unwrap().into_inner().decisions;
    let shown: Vec<_> =
        decisions.iter().map(|decision| (decision.allowed, decision.remaining, decision.reason())).collect();
    assert_eq!(
        shown,
        [
            (true, 0, v1::Reason::WithinLimit),
            (false, 0, v1::Reason::OverLimit),
            (false, 3, v1::Reason::CostAboveLimit),
            (true, 3, v1::Reason::WithinLimit)
        ]
    );
    assert_eq!(decisions[2].retry_after_nanos, -1);
    let refund =
        v1::RefundRequest { namespace: String::new(), client_id: b"alice"[..].into(), cost: 1, decided_at_nanos: None };
    client.refund(refund).await.unwrap();
    assert!(client.check(check("alice", 1)).await.unwrap().into_inner().allowed);
    client.reset(v1::ResetRequest { namespace: String::new(), client_id: b"alice"[..].into() }).await.unwrap();
    assert_eq!(client.check(check("alice", 0)).await.unwrap().into_inner().remaining, 3);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_invalid_and_say_why() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut client = RateLimitClient::connect(format!("http://{}", node.addresses.grpc)).await.unwrap();
    let mut wrong = vec![check("", 1), check("a", (1 << 53) + 1)];
    wrong.push(v1::CheckRequest { namespace: "a/b".to_owned(), ..check("a", 1) });
    for request in wrong {
        let status = client.check(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{request:?}");
    }
    let batch = v1::CheckBatchRequest { checks: vec![check("a", 1); 1_025] };
    assert_eq!(client.check_batch(batch).await.unwrap_err().code(), Code::InvalidArgument);
    let huge = v1::CheckBatchRequest { checks: vec![check(&"x".repeat(256), 1); 4_096] };
    assert_eq!(client.check_batch(huge).await.unwrap_err().code(), Code::OutOfRange);
    let nothing = client.check_batch(v1::CheckBatchRequest { checks: vec![] }).await.unwrap().into_inner();
    assert_eq!(nothing.decisions, []);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_set_read_listed_and_removed() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    assert_eq!(node.set(Selector::Client("alice".into()), THREE_PER_HOUR).await.unwrap(), 1);
    assert_eq!(node.set(Selector::Prefix("team-".into()), THREE_PER_HOUR).await.unwrap(), 2);
    let refused =
        node.set(Selector::Client("alice".into()), r#"{"limits":[{"requests":0,"window":"1m"}]}"#).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("limits[0].requests"), "{refused}");
    let mut limits = node.limits().await;
    let first = v1::ListLimitsRequest { namespace: String::new(), page_size: 1, page_token: String::new() };
    let first = limits.list(first).await.unwrap().into_inner();
    let second =
        v1::ListLimitsRequest { namespace: String::new(), page_size: 1, page_token: first.next_page_token.clone() };
    let second = limits.list(second).await.unwrap().into_inner();
    assert_eq!((first.policies[0].revision, second.policies[0].revision, &*second.next_page_token), (2, 1, ""));
    let selector = || Some(v1::Selector { selector: Some(Selector::Client("alice".into())) });
    let get = v1::GetLimitsRequest { namespace: "default".to_owned(), selector: selector() };
    let found = limits.get(get.clone()).await.unwrap().into_inner().policy.unwrap();
    assert!(found.policy_json.contains("\"requests\":3"), "{}", found.policy_json);
    let delete = v1::DeleteLimitsRequest { namespace: String::new(), selector: selector() };
    assert_eq!(limits.delete(delete.clone()).await.unwrap().into_inner().revision, 3);
    assert_eq!(limits.delete(delete).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(limits.get(get).await.unwrap_err().code(), Code::NotFound);
    let bad = v1::ListLimitsRequest { namespace: String::new(), page_size: 1, page_token: "zz".to_owned() };
    assert_eq!(limits.list(bad).await.unwrap_err().code(), Code::InvalidArgument);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_answer_as_load_balancers_and_grpcurl_ask() {
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let channel =
        tonic::transport::Endpoint::new(format!("http://{}", node.addresses.grpc)).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel.clone());
    for service in ["", "drl.v1.RateLimit"] {
        let status = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap().into_inner();
        assert_eq!(status.status(), ServingStatus::Serving, "{service:?}");
    }
    let list = MessageRequest::ListServices(String::new());
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(list) };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(services) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = services.service.iter().map(|service| service.name.as_str()).collect();
    let ours = ["RateLimit", "Limits", "PlacementService", "Admin", "Peer"].map(|name| format!("drl.v1.{name}"));
    for expected in ours.iter().map(String::as_str).chain(["grpc.health.v1.Health"]) {
        assert!(names.contains(&expected), "{names:?}");
    }
    node.stop().await;
}

fn columns(number: u64, clients: &[&str]) -> v1::CheckStreamRequest {
    v1::CheckStreamRequest {
        number,
        client_ids: clients.concat().into(),
        id_lengths: clients.iter().map(|client| u32::try_from(client.len()).unwrap()).collect(),
        ..v1::CheckStreamRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_answers_every_message_and_a_wrong_one_does_not_end_it() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    node.set_default(THREE_PER_HOUR).await;
    let mut client = RateLimitClient::connect(format!("http://{}", node.addresses.grpc)).await.unwrap();
    let mut wrong_lengths = columns(3, &["alice"]);
    wrong_lengths.id_lengths[0] = 6;
    let messages = vec![
        columns(1, &["alice", "bob", "alice"]),
        v1::CheckStreamRequest { costs: vec![2, 3], ..columns(2, &["alice", "bob"]) },
        wrong_lengths,
        v1::CheckStreamRequest { costs: vec![1], ..columns(4, &["alice", "bob"]) },
        columns(5, &[""]),
        v1::CheckStreamRequest { detail: v1::Detail::Outcome.into(), ..columns(6, &["bob", "alice"]) },
        columns(7, &vec!["x"; 1_025]),
        columns(8, &[]),
    ];
    let mut answers = client.check_stream(tokio_stream::iter(messages)).await.unwrap().into_inner();
    let mut by_number = BTreeMap::new();
    while let Some(answer) = answers.message().await.unwrap() {
        by_number.insert(answer.number, answer);
    }
    assert_eq!(by_number.len(), 8, "one answer to each, and the client ended it");
    let mut numbers = 1..;
    let mut next = || numbers.next().and_then(|number| by_number.remove(&number)).unwrap();
    let within = 0x80 | u8::try_from(i32::from(v1::Reason::WithinLimit)).unwrap();
    let over = u8::try_from(i32::from(v1::Reason::OverLimit)).unwrap();

    let first = next();
    assert_eq!((first.number, &first.outcomes[..], &first.remaining[..]), (1, &[within; 3][..], &[2, 2, 1][..]));
    let second = next();
    assert_eq!((&second.outcomes[..], &second.remaining[..]), (&[over, over][..], &[1, 2][..]));
    for number in [3, 4, 5] {
        let failed = next();
        assert_eq!((failed.number, failed.error.unwrap().code), (number, i32::from(Code::InvalidArgument)));
    }
    let sixth = next();
    assert_eq!((&sixth.outcomes[..], sixth.remaining.len()), (&[within, within][..], 0));
    assert_eq!(next().error.unwrap().code, i32::from(Code::InvalidArgument));
    let empty = next();
    assert_eq!((empty.number, empty.error), (8, None));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_many_connections_share_one_limit() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    node.set_default(r#"{"limits":[{"requests":1000,"window":"1h"}]}"#).await;
    let streams = (0..4).map(|_| async {
        let mut client = RateLimitClient::connect(format!("http://{}", node.addresses.grpc)).await.unwrap();
        let messages = (0..20).map(|number| columns(number, &["alice"; 50]));
        let mut answers =
            client.check_stream(tokio_stream::iter(messages.collect::<Vec<_>>())).await.unwrap().into_inner();
        let mut allowed = 0;
        let mut numbers = BTreeSet::new();
        while let Some(answer) = answers.message().await.unwrap() {
            assert!(answer.number < 20 && numbers.insert(answer.number));
            allowed += answer.outcomes.iter().filter(|outcome| **outcome & 0x80 != 0).count();
        }
        assert_eq!(numbers.len(), 20);
        allowed
    });
    let [a, b, c, d] = streams.collect::<Vec<_>>().try_into().ok().unwrap();
    let (a, b, c, d) = tokio::join!(a, b, c, d);
    assert_eq!(a + b + c + d, 1_000);
    node.stop().await;
}
