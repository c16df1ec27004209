//! A real etcd, changed by hand as an operator would, compacted, killed, restored from a backup, and slow to answer. Whatever is good is
//! in force within a second of being possible.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use drl_configuration::{ConfigurationService, Selector};
use drl_coordination::{Coordination, Etcd, EtcdOptions, Fault, Op, Txn};
use drl_core::Namespace;
use drl_policies::{ClusterPolicies, InMemoryLastGood, PolicyEditor};
use drl_test_etcd::{Proxy, Server};
use tokio::time::timeout;

use crate::disturbed::{Disturbance, Disturbed};
use crate::support::{CALL, SOON, follow, key, keys, limit_of, now, policy, until};

/// Within which a limit is in force on every node.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(1);

async fn client(url: &str) -> Result<Arc<Etcd>> {
    Ok(Arc::new(Etcd::new(EtcdOptions::new(url)?).await?))
}

/// A node's policies, which have seen everything.
async fn synced(url: &str, disk: &Arc<InMemoryLastGood>) -> Result<Arc<ClusterPolicies>> {
    let policies = follow(client(url).await?, disk).await?;
    timeout(SOON, policies.until_synced()).await?;
    Ok(policies)
}

/// Waits until a client has this limit, and prints how long that was after `begun`.
async fn in_force(
    policies: &ClusterPolicies,
    (what, begun): (&str, Instant),
    id: &str,
    requests: Option<u64>,
) -> Result<()> {
    until(what, || limit_of(policies, id) == requests).await?;
    let took = begun.elapsed();
    println!("{what}: in force after {took:.1?}");
    assert!(took < IN_FORCE_WITHIN, "{what}: {took:?}");
    Ok(())
}

/// Runs `etcdctl` and waits until a client has this limit. The time is from before `etcdctl` starts.
async fn by_hand(
    server: &Server,
    arguments: &[&str],
    policies: &ClusterPolicies,
    what: &str,
    (id, requests): (&str, Option<u64>),
) -> Result<()> {
    let begun = now();
    server.etcdctl(arguments)?;
    in_force(policies, (what, begun), id, requests).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_by_hand_is_in_force_within_a_second_and_what_is_broken_never() -> Result<()> {
    let Some(server) = Server::start(&[])? else { return Ok(()) };
    let disk = Arc::new(InMemoryLastGood::new());
    let policies = synced(&server.url(), &disk).await?;
    let alice = key("alice");
    let (prefix, default) = ("/drl/default/limits/default/prefixes/al", "/drl/default/limits/default/default");
    by_hand(&server, &["put", &alice, &policy(5)], &policies, "a put", ("alice", Some(5))).await?;
    by_hand(&server, &["put", &alice, &policy(8)], &policies, "a raise", ("alice", Some(8))).await?;
    server.etcdctl(&["put", &alice, r#"{"limits":[{"requests":9,"window":"1m"}"#])?;
    server.etcdctl(&["put", &key("b%6Fb"), &policy(9)])?;
    until("both are refused", || policies.counted().broken == 2).await?;
    assert_eq!(limit_of(&policies, "alice"), Some(8));
    let broken = policies.broken();
    assert_eq!(broken[0].key, alice);
    assert!(broken[0].reason.contains("not JSON"), "{}", broken[0].reason);
    assert!(broken[1].reason.contains("write it as bob"), "{}", broken[1].reason);
    let what = "a good value after a broken one";
    by_hand(&server, &["put", &alice, &policy(12)], &policies, what, ("alice", Some(12))).await?;
    by_hand(&server, &["del", &alice], &policies, "a deletion", ("alice", None)).await?;
    by_hand(&server, &["put", prefix, &policy(2)], &policies, "a prefix", ("alice", Some(2))).await?;
    by_hand(&server, &["put", default, &policy(1)], &policies, "a default", ("bob", Some(1))).await?;
    let (all, what) = (["del", "--prefix", "/drl/default/limits/"], "a deletion of everything");
    by_hand(&server, &all, &policies, what, ("alice", None)).await?;
    assert_eq!((policies.counted().policies, policies.counted().broken), (0, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_gets_to_what_a_later_one_started_with_and_claims_nothing_that_is_not_in_force() -> Result<()> {
    let Some(server) = Server::start(&[])? else { return Ok(()) };
    let disk = Arc::new(InMemoryLastGood::new());
    let policies = synced(&server.url(), &disk).await?;
    server.etcdctl(&["put", "/elsewhere", "x"])?;
    let later = synced(&server.url(), &Arc::new(InMemoryLastGood::new())).await?;
    let (mut seen, started) = (policies.seen(), *later.seen().borrow());
    assert!(*seen.borrow() < started);
    let begun = now();
    policies.look_again(started);
    timeout(SOON, seen.wait_for(|seen| *seen >= started)).await??;
    println!("a look: seen after {:.1?}", begun.elapsed());
    assert_eq!((policies.revision(), policies.counted().broken), (0, 0));
    // Changes and looks at the same time.
    let writer = client(&server.url()).await?;
    for requests in 1..=300 {
        let put = Op::Put { key: key("alice").as_str().into(), value: policy(requests).into(), lease: None };
        let put = writer.transact(Txn { then: vec![put], ..Txn::default() }, CALL).await?.revision().0;
        policies.look_again(put.saturating_add(1));
        timeout(SOON, seen.wait_for(|seen| *seen >= put)).await??;
        assert_eq!(limit_of(&policies, "alice"), Some(requests));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_were_compacted_away_while_the_connection_was_stuck_are_not_missed() -> Result<()> {
    let Some(server) = Server::start(&[])? else { return Ok(()) };
    let proxy = Proxy::start(server.client_port()).await?;
    for (id, requests) in [("alice", 5), ("bob", 6), ("carol", 7)] {
        server.etcdctl(&["put", &key(id), &policy(requests)])?;
    }
    let policies = synced(&proxy.url(), &Arc::default()).await?;
    proxy.freeze();
    server.etcdctl(&["del", &key("bob")])?;
    server.etcdctl(&["put", &key("alice"), "broken"])?;
    server.etcdctl(&["put", &key("carol"), &policy(70)])?;
    let revision = policies.revision() + 3;
    server.etcdctl(&["compact", &revision.to_string()])?;
    assert_eq!(limit_of(&policies, "carol"), Some(7));
    let begun = now();
    proxy.cut();
    in_force(&policies, ("a change behind a compaction", begun), "carol", Some(70)).await?;
    assert_eq!((limit_of(&policies, "alice"), limit_of(&policies, "bob")), (Some(5), None));
    assert_eq!(policies.broken()[0].key, key("alice"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_etcd_is_survived_and_a_restart_of_the_node_meanwhile_too() -> Result<()> {
    let Some(mut server) = Server::start(&[])? else { return Ok(()) };
    let disk = Arc::new(InMemoryLastGood::new());
    server.etcdctl(&["put", &key("alice"), &policy(5)])?;
    let policies = synced(&server.url(), &disk).await?;
    timeout(SOON, policies.until_saved()).await?;
    server.kill();
    until("it is noticed", || policies.trouble().is_some()).await?;
    assert_eq!(limit_of(&policies, "alice"), Some(5));
    let restarted = follow(client(&server.url()).await?, &disk).await?;
    assert_eq!((limit_of(&restarted, "alice"), restarted.synced()), (Some(5), false));
    until("it is noticed", || restarted.trouble().is_some()).await?;
    // Long enough for the pauses between two tries to be the longest.
    let _ = timeout(Duration::from_secs(2), std::future::pending::<()>()).await;
    server.run()?;
    let begun = now();
    server.etcdctl(&["put", &key("alice"), &policy(8)])?;
    in_force(&policies, ("a put after a restart of etcd", begun), "alice", Some(8)).await?;
    in_force(&restarted, ("the same on a node that started without etcd", begun), "alice", Some(8)).await?;
    let put = ["put", &key("alice"), &policy(9)];
    by_hand(&server, &put, &policies, "the next put", ("alice", Some(9))).await?;
    assert_eq!(policies.trouble(), None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_good_policies_outlive_everything_when_only_broken_values_are_left() -> Result<()> {
    let Some(mut server) = Server::start(&[])? else { return Ok(()) };
    let disk = Arc::new(InMemoryLastGood::new());
    server.etcdctl(&["put", &key("alice"), &policy(5)])?;
    let policies = synced(&server.url(), &disk).await?;
    timeout(SOON, policies.until_saved()).await?;
    server.etcdctl(&["put", &key("alice"), "{}"])?;
    drop(policies);
    server.kill();
    server.run()?;
    let policies = synced(&server.url(), &disk).await?;
    assert_eq!((limit_of(&policies, "alice"), policies.broken().len()), (Some(5), 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_is_said_and_the_last_good_policies_stay() -> Result<()> {
    let Some(mut server) = Server::start(&[])? else { return Ok(()) };
    let disk = Arc::new(InMemoryLastGood::new());
    server.etcdctl(&["put", &key("alice"), &policy(5)])?;
    server.etcdctl(&["snapshot", "save", "backup"])?;
    server.etcdctl(&["put", &key("alice"), &policy(8)])?;
    server.etcdctl(&["put", &key("bob"), &policy(3)])?;
    let policies = synced(&server.url(), &disk).await?;
    server.kill();
    let (peer, members) = (server.peer_url(), format!("t={}", server.peer_url()));
    let named = ["--name", "t", "--initial-cluster", &members, "--initial-advertise-peer-urls", &peer];
    let to = ["snapshot", "restore", "backup", "--data-dir", "restored", "--initial-cluster-token", "drl-test"];
    server.etcdctl(&[&to[..], &named].concat())?;
    server.use_data("restored");
    server.run()?;
    until("it is noticed", || policies.trouble().is_some_and(|fault| fault.is_distrust())).await?;
    assert!(matches!(policies.trouble(), Some(Fault::Rewound { .. })));
    server.etcdctl(&["put", &key("alice"), &policy(100)])?;
    assert_eq!((limit_of(&policies, "alice"), limit_of(&policies, "bob")), (Some(8), Some(3)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_whose_answer_is_lost_or_that_is_stuck_on_its_way_happens_once() -> Result<()> {
    let Some(server) = Server::start(&[])? else { return Ok(()) };
    let policies = synced(&server.url(), &Arc::default()).await?;
    let direct = PolicyEditor::new(client(&server.url()).await?, keys(), CALL);
    let alice = Selector::Client(b"alice".to_vec());
    for (requests, disturbance) in [(5, Disturbance::LostReply), (6, Disturbance::Stuck), (7, Disturbance::None)] {
        let proxy = Proxy::start(server.client_port()).await?;
        let way = Disturbed { etcd: client(&proxy.url()).await?, proxy, disturbance };
        let way = Arc::new(way);
        let editor = PolicyEditor::new(way.clone(), keys(), Duration::from_millis(500));
        let before = direct.get(Namespace::DEFAULT, &alice).await?.map_or(0, |written| written.revision);
        let begun = now();
        let revision = editor.set(Namespace::DEFAULT, &alice, policy(requests).as_bytes()).await?;
        println!("{disturbance:?}: set after {:.1?}", begun.elapsed());
        assert!(revision > before);
        until("it is in force", || limit_of(&policies, "alice") == Some(requests)).await?;
        // What was stuck arrives now, and is refused.
        way.proxy.thaw();
        for _ in 0..10 {
            let written = direct.get(Namespace::DEFAULT, &alice).await?.context("it is there")?;
            assert_eq!(written.revision, revision);
        }
        assert_eq!(policies.entry(Namespace::DEFAULT, &alice).map(|entry| entry.revision), Some(revision));
    }
    let begun = now();
    direct.delete(Namespace::DEFAULT, &alice).await?;
    in_force(&policies, ("a deletion by the editor", begun), "alice", None).await
}
