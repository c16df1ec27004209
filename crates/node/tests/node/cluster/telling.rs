//! What a node says about the cluster: placement, status, why a client is limited as it is.

use drl_core::NodeId;
use drl_proto::v1;
use drl_proto::v1::admin_client::AdminClient;
use drl_proto::v1::placement_service_client::PlacementServiceClient;
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::Channel;

use super::support::{NODES, Trio, clients_of, shard};
use crate::support::{Running, start};

const TWO_LIMITS: &str =
    r#"{"limits":[{"requests":5,"window":"1m"},{"requests":100,"window":"1h"}],"algorithm":"token-bucket","burst":9}"#;

async fn admin(node: &Running) -> AdminClient<Channel> {
    AdminClient::connect(format!("http://{}", node.addresses.grpc)).await.unwrap()
}

async fn watch(node: &Running) -> tonic::Streaming<v1::PlacementUpdate> {
    let mut client = PlacementServiceClient::connect(format!("http://{}", node.addresses.grpc)).await.unwrap();
    client.watch(v1::WatchPlacementRequest {}).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_begins_with_everything_and_goes_on_with_changes() {
    let trio = Trio::start().await;
    let mut updates = watch(trio.node(1)).await;
    let first = updates.message().await.unwrap().unwrap();
    assert_eq!((first.whole, first.nodes.len(), first.seats.len(), first.shard_count), (true, 3, 6, 6));
    assert_eq!(first.nodes[2].addresses.as_ref().unwrap().grpc, trio.node(2).addresses.grpc.to_string());
    trio.publish_owner(4, 2, 2);
    let second = updates.message().await.unwrap().unwrap();
    let seat = v1::Seat { shard: 4, epoch: 2, node: "n2".to_owned(), generation: 1, ..v1::Seat::default() };
    assert_eq!((second.whole, second.nodes.len(), second.seats), (false, 0, vec![seat]));
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stands_alone_owns_every_shard() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut updates = watch(&node).await;
    let mut whole = updates.message().await.unwrap().unwrap();
    while whole.more {
        let piece = updates.message().await.unwrap().unwrap();
        assert!(!piece.whole && piece.seats.len() <= 128);
        whole = v1::PlacementUpdate { more: piece.more, seats: [whole.seats, piece.seats].concat(), ..whole };
    }
    assert_eq!((whole.shard_count, whole.seats.len(), &*whole.seats[1_023].node), (1_024, 1_024, "test"));
    let status = admin(&node).await.status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((&*status.cluster, status.shards_owned, status.shards_answering), ("", 1_024, 1_024));
    assert_eq!((status.session_held, status.authority_left_nanos, status.troubles.len()), (true, None, 0));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_nodes_and_shards_agree_with_the_placement() {
    let trio = Trio::start().await;
    trio.set_default(TWO_LIMITS).await;
    let mut admin = admin(trio.node(0)).await;
    let status = admin.status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((&*status.cluster, status.shard_count, status.shards_with_owner), ("trio", 6, 6));
    assert_eq!((status.shards_owned, status.session_held), (2, true));
    assert_eq!(status.policies.unwrap().count, 1);
    let nodes = admin.nodes(v1::NodesRequest::default()).await.unwrap().into_inner().nodes;
    let shown: Vec<_> = nodes.iter().map(|node| (&*node.node.as_ref().unwrap().id, node.shards_owned)).collect();
    assert_eq!(shown, [("n0", 2), ("n1", 2), ("n2", 2)]);
    let of = |node: &str| v1::ShardsRequest { node: node.to_owned(), with_lag: true };
    assert_eq!(admin.shards(of("")).await.unwrap().into_inner().shards.len(), 6);
    let shards = admin.shards(of("n1")).await.unwrap().into_inner().shards;
    assert_eq!(shards.iter().map(|status| status.seat.as_ref().unwrap().shard).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(admin.shards(of("n9")).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(admin.shards(of("n 9")).await.unwrap_err().code(), Code::InvalidArgument);
    assert!(NodeId::new("n 9").is_err());
    trio.stop().await;
}

fn explain(client: &str) -> v1::ExplainRequest {
    v1::ExplainRequest { client_id: client.as_bytes().to_vec().into(), ..v1::ExplainRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_explains_any_client_with_the_use_of_every_limit() {
    let trio = Trio::start().await;
    trio.set_default(TWO_LIMITS).await;
    for owner in 0..NODES {
        let client = clients_of(owner).next().unwrap();
        trio.node(0).resp().await.call(&format!("DRL.ALLOW {client} 4")).await;
        for node in 0..NODES {
            let answer = admin(trio.node(node)).await.explain(explain(&client)).await.unwrap().into_inner();
            assert_eq!(&*answer.trouble, "");
            let seat = answer.seat.unwrap();
            assert_eq!((seat.shard, &*seat.node), (shard(&client).get().into(), &*format!("n{owner}")));
            let policy = answer.policy.unwrap();
            assert_eq!(&*policy.matched, "default");
            assert!(policy.policy_json.contains(r#""burst":9"#), "{}", policy.policy_json);
            let usage: Vec<_> =
                answer.usage.iter().map(|usage| (usage.requests, usage.capacity, usage.remaining)).collect();
            assert_eq!(usage, [(5, 9, 5), (100, 100, 96)], "the owner is {owner}, {node} was asked");
        }
    }
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_owner_everything_but_the_use_is_explained() {
    let mut trio = Trio::start().await;
    trio.set_default(TWO_LIMITS).await;
    let client = clients_of(2).next().unwrap();
    trio.kill(2).await;
    let answer = admin(trio.node(0)).await.explain(explain(&client)).await.unwrap().into_inner();
    assert!(answer.policy.is_some() && answer.usage.is_empty());
    assert!(answer.trouble.contains("n2"), "{}", answer.trouble);
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_client_is_explained_as_one() {
    let trio = Trio::start().await;
    let answer = admin(trio.node(0)).await.explain(explain("stranger")).await.unwrap().into_inner();
    assert_eq!((answer.policy, answer.unknown_client_allowed, &*answer.trouble), (None, false, ""));
    let mut admin = admin(trio.node(0)).await;
    assert_eq!(admin.explain(explain("")).await.unwrap_err().code(), Code::InvalidArgument);
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_and_metrics_follow_the_standing() {
    let trio = Trio::start().await;
    assert!(trio.node(0).http("GET /readyz", "").await.0.starts_with("HTTP/1.1 200"));
    trio.stand(0, |standing| (standing.shards_owned, standing.shards_answering) = (2, 1));
    let (head, body) = trio.node(0).http("GET /readyz", "").await;
    assert!(head.starts_with("HTTP/1.1 503") && body.contains("1 of 2 shards"), "{head} {body}");
    let metrics = trio.node(0).http("GET /metrics", "").await.1;
    for line in [
        r#"drl_shards{role="owner"} 2"#,
        r#"drl_shards{role="answering"} 1"#,
        r#"drl_shards{role="follower"} 0"#,
        r#"drl_shards{role="learner"} 0"#,
        "drl_shards_in_sync 0",
        "drl_unacked_cost 0",
        "drl_session 1",
        "drl_authority_seconds 60",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    trio.stand(0, |standing| standing.session = drl_node::Session::Lost);
    assert!(trio.node(0).http("GET /readyz", "").await.1.contains("no session"));
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_reaches_the_node_that_is_named_whoever_is_asked() {
    let mut trio = Trio::start().await;
    let drain = |node: &str| v1::DrainRequest { node: node.to_owned(), here_only: false };
    let undrain = |node: &str| v1::UndrainRequest { node: node.to_owned(), here_only: false };
    let mut first = admin(trio.node(0)).await;
    first.drain(drain("n1")).await.unwrap();
    assert_eq!([0, 1, 2].map(|node| trio.is_draining(node)), [false, true, false]);
    first.drain(drain("n0")).await.unwrap();
    first.undrain(undrain("n1")).await.unwrap();
    assert_eq!([0, 1, 2].map(|node| trio.is_draining(node)), [true, false, false]);
    assert_eq!(first.drain(drain("n9")).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(first.drain(drain("n 9")).await.unwrap_err().code(), Code::InvalidArgument);
    let misdirected = v1::DrainRequest { node: "n1".to_owned(), here_only: true };
    let refused = first.drain(misdirected).await.unwrap_err();
    assert!(refused.code() == Code::FailedPrecondition && refused.message().contains("n0 is here"), "{refused}");
    trio.kill(2).await;
    let refused = first.undrain(undrain("n2")).await.unwrap_err();
    assert!(refused.code() == Code::Unavailable && refused.message().contains("node n2 at"), "{refused}");
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stands_alone_does_not_drain() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let request = v1::DrainRequest { node: "test".to_owned(), here_only: false };
    let refused = admin(&node).await.drain(request).await.unwrap_err();
    assert!(refused.code() == Code::FailedPrecondition && refused.message().contains("runs alone"), "{refused}");
    node.stop().await;
}
