//! Three nodes: any of them takes any key, and a key has one owner.

mod out_of_reach;
mod peers;
mod support;
mod telling;

use std::collections::BTreeMap;
use std::time::Duration;

use drl_host::clock;
use drl_proto::v1;
use drl_proto::v1::rate_limit_client::RateLimitClient;
use tonic::Code;

use self::support::{NODES, Trio, clients_of, id, owner, shard};

const FIVE_PER_HOUR: &str = r#"{"limits":[{"requests":5,"window":"1h"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn twelve_clients_on_all_nodes_and_doors_get_exactly_the_limit() {
    let trio = Trio::start().await;
    trio.set_default(FIVE_PER_HOUR).await;
    let mut admitted = vec![0; 12];
    for round in 0..4 {
        for node in 0..NODES {
            let mut resp = trio.node(node).resp().await;
            for (client, admitted) in admitted.iter_mut().enumerate() {
                let over_http = (round + client) % 4 == 0;
                let allowed = if over_http {
                    let path = format!("GET /v1/allow?client_id=client-{client}");
                    trio.node(node).http(&path, "").await.0.starts_with("HTTP/1.1 200")
                } else {
                    resp.call(&format!("DRL.ALLOW client-{client}")).await == ":1"
                };
                *admitted += usize::from(allowed);
            }
        }
    }
    assert_eq!(admitted, [5; 12]);
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_gives_the_same_answer() {
    let trio = Trio::start().await;
    trio.set_default(FIVE_PER_HOUR).await;
    for client in clients_of(1).take(2) {
        trio.node(0).resp().await.call(&format!("DRL.ALLOW {client} 2")).await;
        let (mut checks, mut bodies, mut heads) = (Vec::new(), Vec::new(), Vec::new());
        for node in 0..NODES {
            let answer = trio.node(node).resp().await.call(&format!("DRL.CHECK {client} 6")).await;
            checks.push(answer);
            let body = format!(r#"{{"client_id":"{client}","cost":6}}"#);
            let (head, body) = trio.node(node).http("POST /v1/check", &body).await;
            bodies.push(body.split(r#","reset_after_ms""#).next().unwrap().to_owned());
            heads.extend(head.lines().find(|line| line.starts_with("ratelimit-policy")).map(str::to_owned));
        }
        assert!(checks[0].starts_with("[:0 :5 :3 :-1 "), "{checks:?}");
        assert!(checks.iter().all(|check| check.starts_with("[:0 :5 :3 :-1 ")), "{checks:?}");
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
        assert_eq!(heads, vec![r#"ratelimit-policy: "default";q=5;w=3600"#; NODES]);
    }
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_throttle_and_del_reach_the_owner_from_everywhere() {
    let trio = Trio::start().await;
    for key in 0..6 {
        for (node, remaining) in [(0, 2), (1, 1), (2, 0)] {
            let reply = trio.node(node).resp().await.call(&format!("CL.THROTTLE key-{key} 2 1 3600")).await;
            assert!(reply.starts_with(&format!("[:0 :3 :{remaining} :-1 ")), "{reply}");
        }
        let mut asked = trio.node(key % NODES).resp().await;
        assert!(asked.call(&format!("CL.THROTTLE key-{key} 2 1 3600")).await.starts_with("[:1 :3 :0 :"));
        assert_eq!(trio.node((key + 1) % NODES).resp().await.call(&format!("DEL key-{key}")).await, ":1");
        assert!(asked.call(&format!("CL.THROTTLE key-{key} 2 1 3600 0")).await.starts_with("[:0 :3 :3 :-1 "));
    }
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_answered_in_order_whoever_owns_its_keys() {
    let trio = Trio::start().await;
    trio.set_default(r#"{"limits":[{"requests":1000000,"window":"1h"}]}"#).await;
    let mut resp = trio.node(0).resp().await;
    let mut pipeline = Vec::new();
    for number in 0..3_000 {
        pipeline.extend(crate::support::encode(&[b"DRL.CHECK", format!("client-{}", number % 30).as_bytes()]));
        pipeline.extend(crate::support::encode(&[b"ECHO", number.to_string().as_bytes()]));
    }
    resp.send(&pipeline).await;
    for number in 0..3_000 {
        let remaining = 1_000_000 - 1 - number / 30;
        let reply = resp.reply().await;
        assert!(reply.starts_with(&format!("[:1 :1000000 :{remaining} :0 ")), "{number}: {reply}");
        assert_eq!(resp.reply().await, format!("${number}"));
    }
    trio.stop().await;
}

fn check(client: &str) -> v1::CheckRequest {
    v1::CheckRequest { client_id: client.as_bytes().to_vec().into(), ..v1::CheckRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_refunds_and_resets_reach_every_owner() {
    let trio = Trio::start().await;
    trio.set_default(FIVE_PER_HOUR).await;
    let mut client = RateLimitClient::connect(format!("http://{}", trio.node(2).addresses.grpc)).await.unwrap();
    let clients: Vec<String> = (0..NODES).map(|node| clients_of(node).next().unwrap()).collect();
    let checks = clients.iter().cycle().take(30).map(|client| check(client)).collect();
    let answer = client.check_batch(v1::CheckBatchRequest { checks }).await.unwrap().into_inner();
    let admitted = answer.decisions.iter().filter(|decision| decision.allowed).count();
    assert_eq!((admitted, answer.refusals.len()), (15, 0));
    assert_eq!(answer.decisions[0].window_nanos, 3_600_000_000_000);
    for name in &clients {
        let client_id: tonic::codegen::Bytes = name.as_bytes().to_vec().into();
        let refund = v1::RefundRequest {
            namespace: String::new(),
            client_id: client_id.clone(),
            cost: 2,
            decided_at_nanos: None,
        };
        client.refund(refund).await.unwrap();
        let peek = v1::CheckRequest { cost: Some(0), ..check(name) };
        assert_eq!(client.check(peek.clone()).await.unwrap().into_inner().remaining, 2);
        client.reset(v1::ResetRequest { namespace: String::new(), client_id }).await.unwrap();
        assert_eq!(client.check(peek).await.unwrap().into_inner().remaining, 5);
    }
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_passed_on_names_the_time_of_its_decision() {
    let trio = Trio::start().await;
    trio.set_default(FIVE_PER_HOUR).await;
    let mut client = RateLimitClient::connect(format!("http://{}", trio.node(2).addresses.grpc)).await.unwrap();
    let name = clients_of(0).next().unwrap();
    let decision = client.check(v1::CheckRequest { cost: Some(3), ..check(&name) }).await.unwrap().into_inner();
    assert_eq!((decision.allowed, decision.remaining), (true, 2));
    let refund = |decided_at_nanos| v1::RefundRequest {
        namespace: String::new(),
        client_id: name.as_bytes().to_vec().into(),
        cost: 3,
        decided_at_nanos: Some(decided_at_nanos),
    };
    let peek = v1::CheckRequest { cost: Some(0), ..check(&name) };
    // Of a window that ended before this one began.
    let earlier = decision.decided_at_nanos - 2 * decision.window_nanos;
    client.refund(refund(earlier)).await.unwrap();
    assert_eq!(client.check(peek.clone()).await.unwrap().into_inner().remaining, 2);
    client.refund(refund(decision.decided_at_nanos)).await.unwrap();
    assert_eq!(client.check(peek).await.unwrap().into_inner().remaining, 5);
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_can_be_told_who_the_owner_is_instead() {
    let trio = Trio::start().await;
    trio.set_default(FIVE_PER_HOUR).await;
    let mut client = RateLimitClient::connect(format!("http://{}", trio.node(0).addresses.grpc)).await.unwrap();
    let clients: Vec<String> = (0..NODES).map(|node| clients_of(node).next().unwrap()).collect();
    let message = |number, routing: v1::Routing| v1::CheckStreamRequest {
        number,
        client_ids: clients.concat().into_bytes().into(),
        id_lengths: clients.iter().map(|client| u32::try_from(client.len()).unwrap()).collect(),
        routing: routing.into(),
        ..v1::CheckStreamRequest::default()
    };
    let later = v1::CheckStreamRequest { epochs: vec![2, 0, 0], ..message(3, v1::Routing::Here) };
    let messages = vec![message(1, v1::Routing::Any), message(2, v1::Routing::Here), later];
    let mut answers = client.check_stream(tokio_stream::iter(messages)).await.unwrap().into_inner();
    let mut by_number = BTreeMap::new();
    while let Some(answer) = answers.message().await.unwrap() {
        by_number.insert(answer.number, answer);
    }
    let mut next = |number| by_number.remove(&number).unwrap();
    let anywhere = next(1);
    assert!(anywhere.outcomes.iter().all(|outcome| outcome & 0x80 != 0) && anywhere.refusals.is_empty());
    let here = next(2);
    assert_eq!((here.outcomes[0] & 0x80, &here.outcomes[1..], here.remaining), (0x80, &[0, 0][..], vec![3, 0, 0]));
    let refused: Vec<_> =
        here.refusals.iter().map(|refusal| (refusal.index, refusal.kind(), &*refusal.owner, refusal.epoch)).collect();
    let not_owner = v1::RefusalKind::NotOwner;
    assert_eq!(refused, [(1, not_owner, "n1", 1), (2, not_owner, "n2", 1)]);
    assert_eq!(here.refusals[0].shard, u32::from(shard(&clients[1]).get()));
    let behind = next(3);
    assert_eq!(behind.refusals[0].kind(), v1::RefusalKind::Behind, "the client knows of a later owner");
    assert_eq!(behind.error.unwrap().code, i32::from(Code::Unavailable), "no check of it was decided");
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_for_another_owner_holds_up_no_other() {
    let trio = Trio::start().await;
    trio.set_default(FIVE_PER_HOUR).await;
    let [mine, moving] = [0, 1].map(|node| clients_of(node).next().unwrap());
    trio.ownership(1, |ownership| ownership.freeze(&[shard(&moving)]).unwrap());
    let mut client = RateLimitClient::connect(format!("http://{}", trio.node(0).addresses.grpc)).await.unwrap();
    let message = |number, client: &str| v1::CheckStreamRequest {
        number,
        client_ids: client.as_bytes().to_vec().into(),
        id_lengths: vec![u32::try_from(client.len()).unwrap()],
        ..v1::CheckStreamRequest::default()
    };
    let messages = vec![message(1, &moving), message(2, &mine)];
    let mut answers = client.check_stream(tokio_stream::iter(messages)).await.unwrap().into_inner();
    let first = answers.message().await.unwrap().unwrap();
    assert_eq!((first.number, first.outcomes[0] & 0x80), (2, 0x80));
    let second = answers.message().await.unwrap().unwrap();
    assert_eq!((second.number, second.error.map(|error| error.code)), (1, Some(i32::from(Code::Unavailable))));
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_clients_of_a_dead_owner_are_refused_and_that_quickly() {
    let mut trio = Trio::start().await;
    trio.set_default(FIVE_PER_HOUR).await;
    let [mine, other, dead] = [0, 1, 2].map(|node| clients_of(node).next().unwrap());
    let mut resp = trio.node(0).resp().await;
    for client in [&mine, &other, &dead] {
        assert_eq!(resp.call(&format!("DRL.ALLOW {client}")).await, ":1");
    }
    trio.kill(2).await;
    for _ in 0..20 {
        let asked = clock::monotonic();
        let mut pipeline = Vec::new();
        for client in [&mine, &dead, &other] {
            pipeline.extend(crate::support::encode(&[b"DRL.CHECK", client.as_bytes(), b"0"]));
        }
        resp.send(&pipeline).await;
        let replies = [resp.reply().await, resp.reply().await, resp.reply().await];
        assert!(replies[0].starts_with("[:1 :5 :4 "), "{replies:?}");
        assert!(replies[1].starts_with("-CLUSTERDOWN node n2 "), "{replies:?}");
        assert!(replies[2].starts_with("[:1 :5 :4 "), "{replies:?}");
        let took = Duration::from_nanos(clock::monotonic().0 - asked.0);
        assert!(took < Duration::from_millis(900), "{took:?}");
    }
    let (head, body) = trio.node(1).http(&format!("GET /v1/allow?client_id={dead}"), "").await;
    assert!(head.starts_with("HTTP/1.1 503") && head.contains("retry-after: 1"), "{head}");
    assert!(head.contains("application/problem+json") && body.contains("n2"), "{body}");
    let mut grpc = RateLimitClient::connect(format!("http://{}", trio.node(1).addresses.grpc)).await.unwrap();
    assert_eq!(grpc.check(check(&dead)).await.unwrap_err().code(), Code::Unavailable);
    let both = v1::CheckBatchRequest { checks: vec![check(&dead), check(&mine)] };
    let both = grpc.check_batch(both).await.unwrap().into_inner();
    assert_eq!((both.refusals.len(), both.refusals[0].index, both.decisions[1].allowed), (1, 0, true));
    assert!(resp.call(&format!("DEL {dead}")).await.starts_with("-CLUSTERDOWN node n2 "));
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_names_a_later_one_is_followed() {
    let trio = Trio::start().await;
    trio.set_default(FIVE_PER_HOUR).await;
    let client = clients_of(1).next().unwrap();
    trio.tell(2, shard(&client), 2, 2);
    trio.tell(1, shard(&client), 2, 2);
    let reply = trio.node(0).resp().await.call(&format!("DRL.CHECK {client}")).await;
    assert!(reply.starts_with("[:1 :5 :4 "), "{reply}");
    let metrics = trio.node(0).http("GET /metrics", "").await.1;
    for line in
        [r#"drl_forwarded_checks_total{outcome="elsewhere"} 1"#, r#"drl_forwarded_checks_total{outcome="decided"} 1"#]
    {
        assert!(metrics.contains(line), "{metrics}");
    }
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_moves_is_waited_for_and_then_asked_for_where_it_is() {
    let trio = Trio::start().await;
    trio.set_default(FIVE_PER_HOUR).await;
    let client = clients_of(1).next().unwrap();
    let moving = shard(&client);
    trio.ownership(1, |ownership| ownership.freeze(&[moving]).unwrap());
    let mut resp = trio.node(0).resp().await;
    let refused = resp.call(&format!("DRL.ALLOW {client}")).await;
    assert!(refused.starts_with("-TRYAGAIN "), "{refused}");
    let asked = tokio::spawn(async move { resp.call(&format!("DRL.ALLOW {client}")).await });
    tokio::task::yield_now().await;
    trio.assign(moving, 2, 2);
    assert_eq!(asked.await.unwrap(), ":1");
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_that_name_each_other_end_in_a_refusal() {
    let trio = Trio::start().await;
    trio.set_default(FIVE_PER_HOUR).await;
    let client = clients_of(1).next().unwrap();
    trio.tell(1, shard(&client), 2, 3);
    trio.tell(2, shard(&client), 1, 4);
    let refused = trio.node(0).resp().await.call(&format!("DRL.ALLOW {client}")).await;
    assert!(refused.starts_with("-TRYAGAIN "), "{refused}");
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_authority_nothing_is_decided() {
    let trio = Trio::start().await;
    trio.set_default(FIVE_PER_HOUR).await;
    let client = clients_of(1).next().unwrap();
    trio.ownership(1, |ownership| ownership.set_deadline(drl_core::Nanos::ZERO).unwrap());
    for node in 0..NODES {
        let refused = trio.node(node).resp().await.call(&format!("DRL.ALLOW {client}")).await;
        assert!(refused.starts_with("-CLUSTERDOWN "), "{refused}");
    }
    assert_eq!(owner(&client), 1, "{}", id(1));
    trio.stop().await;
}
