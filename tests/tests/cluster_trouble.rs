//! What operators and bad luck do to a cluster: each is said clearly, and nothing is lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use drl_test_etcd::{Proxy, Server};
use drl_tests::cluster::{Cluster, SOON, Since, check, eventually, hourly, http};
use drl_tests::node::{Node, serve_to_the_end};

fn allowed(node: &Node, client: &str, checks: usize) -> usize {
    let mut connection = node.resp().unwrap();
    (0..checks).filter(|_| check(&mut connection, client).unwrap()).count()
}

#[test]
fn a_node_with_another_shard_count_or_authority_is_told_what_the_cluster_has() {
    let Some(cluster) = Cluster::start(&[]).unwrap() else { return };
    let (work, url) = (tempfile::tempdir().unwrap(), cluster.etcd.url());
    for (flags, said) in [
        (["--shards", "512"], "the cluster has 1024 shards, not 512: leave --shards out"),
        (["--authority", "30s"], "the cluster's authority is 60000 ms, not 30000 ms: leave --authority out"),
        (["--unknown-client", "allow"], "leave --unknown-client out"),
    ] {
        let etcd = ["--etcd", &url, "--node-id", "n4"];
        let (code, log) = serve_to_the_end(&work.path().join("n4"), &[&etcd[..], &flags].concat()).unwrap();
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains(said), "{log}");
    }
    cluster.settle().unwrap();
}

#[test]
fn what_is_no_etcd_and_an_etcd_that_asks_for_a_password_end_a_node_and_one_that_is_away_is_waited_for() {
    let Some(mut cluster) = Cluster::start(&[]).unwrap() else { return };
    let work = tempfile::tempdir().unwrap();
    let no_etcd = format!("http://{}", cluster.nodes[0].address("grpc").unwrap());
    let (code, log) = serve_to_the_end(&work.path().join("n4"), &["--etcd", &no_etcd, "--node-id", "n4"]).unwrap();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("answers, but not as etcd"), "{log}");

    cluster.etcd.kill();
    let (etcd, dir) = (cluster.etcd.url(), work.path().join("n5"));
    let late = std::thread::spawn({
        let (etcd, dir) = (etcd.clone(), dir.clone());
        move || Node::start(&dir, &["--etcd", &etcd, "--node-id", "n5"]).map(|node| node.log())
    });
    let log = dir.with_extension("log");
    eventually("the node says that it waits", SOON, || {
        Ok(std::fs::read_to_string(&log).is_ok_and(|log| log.contains("waiting for etcd")).then_some(()))
    })
    .unwrap();
    cluster.etcd.run().unwrap();
    late.join().unwrap().unwrap().unwrap();

    for arguments in [&["user", "add", "root:secret"][..], &["user", "grant-role", "root", "root"], &["auth", "enable"]]
    {
        cluster.etcd.etcdctl(arguments).unwrap();
    }
    let (code, log) = serve_to_the_end(&work.path().join("n6"), &["--etcd", &etcd, "--node-id", "n6"]).unwrap();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("asks for a password: give --etcd-user"), "{log}");
}

#[test]
fn a_directory_of_one_cluster_is_refused_by_another_of_the_same_name_and_loses_nothing() {
    let Some(mut cluster) = Cluster::start(&[]).unwrap() else { return };
    cluster.put_limit("alice", &hourly(10)).unwrap();
    eventually("her limit is in force", SOON, || Ok((allowed(&cluster.nodes[0], "alice", 1) == 1).then_some(())))
        .unwrap();
    let Some(other) = Server::start(&[]).unwrap() else { return };
    let one = cluster.nodes.remove(0);
    one.kill_9().unwrap();
    let dir = cluster.directory(0);
    let (code, log) = serve_to_the_end(&dir, &["--etcd", &other.url(), "--node-id", "n1"]).unwrap();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("another etcd cluster") || log.contains("an earlier cluster"), "{log}");
    let (code, log) = serve_to_the_end(&dir, &["--node-id", "n1"]).unwrap();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("belongs to cluster \"default\": start with --etcd"), "{log}");
    assert!(!log.contains("ERROR"), "no false alarm: {log}");
    let back = cluster.start_node(0, &cluster.etcd.url()).unwrap();
    cluster.nodes.insert(0, back);
    cluster.settle().unwrap();
    assert_eq!(allowed(&cluster.nodes[1], "alice", 20), 9, "exactly what was left");
}

#[test]
fn an_etcd_that_was_restored_from_an_older_backup_stops_every_node() {
    let Some(mut cluster) = Cluster::start(&[]).unwrap() else { return };
    let etcd = &mut cluster.etcd;
    etcd.etcdctl(&["snapshot", "save", "backup"]).unwrap();
    for value in 0..20 {
        etcd.etcdctl(&["put", "/drl/default/limits/default/clients/alice", &hourly(value + 1)]).unwrap();
    }
    etcd.kill();
    let (peer, members) = (etcd.peer_url(), format!("t={}", etcd.peer_url()));
    let named = ["--name", "t", "--initial-cluster", &members, "--initial-advertise-peer-urls", &peer];
    let to = ["snapshot", "restore", "backup", "--data-dir", "restored", "--initial-cluster-token", "drl-test"];
    etcd.etcdctl(&[&to[..], &named].concat()).unwrap();
    etcd.use_data("restored");
    etcd.run().unwrap();
    for node in &mut cluster.nodes {
        let status = eventually("the node ends", SOON, || node.ended()).unwrap();
        assert_eq!(status.code(), Some(1));
        assert!(node.log().unwrap().contains("give etcd its newest data back"), "{}", node.log().unwrap());
    }
    cluster.nodes.clear();
    for index in 0..3 {
        let (etcd, id) = (cluster.etcd.url(), format!("n{}", index + 1));
        let (code, log) = serve_to_the_end(&cluster.directory(index), &["--etcd", &etcd, "--node-id", &id]).unwrap();
        assert_eq!(code, Some(1), "it is still known after a restart: {log}");
        assert!(log.contains("give etcd its newest data back"), "{log}");
    }
}

#[test]
fn broken_values_in_every_kind_of_key_are_named_and_change_nothing() {
    let Some(cluster) = Cluster::start(&[]).unwrap() else { return };
    cluster.put_limit("alice", &hourly(10)).unwrap();
    eventually("her limit is in force", SOON, || Ok((allowed(&cluster.nodes[0], "alice", 1) == 1).then_some(())))
        .unwrap();
    for key in ["settings", "heartbeats/n2", "shards/7", "shards/700", "limits/default/clients/alice", "x"] {
        cluster.etcd.etcdctl(&["put", &format!("/drl/default/{key}"), "{\"broken\""]).unwrap();
    }
    cluster.etcd.etcdctl(&["del", "/drl/default/shards/8"]).unwrap();
    cluster.etcd.etcdctl(&["del", "/drl/default/heartbeats/n1"]).unwrap();
    eventually("the records are put back by their owners", SOON, || {
        Ok((cluster.owned().is_ok_and(|owned| owned.values().sum::<usize>() == 1_024)).then_some(()))
    })
    .unwrap();
    let status = cluster.nodes[0].drl(&["cluster", "status"]).unwrap();
    let shown = String::from_utf8_lossy(&status.stdout).into_owned();
    assert_eq!(status.status.code(), Some(1), "something needs attention: {shown}");
    assert!(shown.contains("clients/alice"), "{shown}");
    assert_eq!(allowed(&cluster.nodes[2], "alice", 20), 9, "the last good limit, and what was used");
    cluster.settle().unwrap();
}

#[test]
fn of_two_nodes_with_one_name_the_second_ends_and_the_first_goes_on() {
    let Some(cluster) = Cluster::start(&[]).unwrap() else { return };
    let work = tempfile::tempdir().unwrap();
    let etcd = cluster.etcd.url();
    let (code, log) = serve_to_the_end(&work.path().join("twin"), &["--etcd", &etcd, "--node-id", "n1"]).unwrap();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("node id in use"), "{log}");
    cluster.settle().unwrap();
}

#[test]
fn a_node_that_is_cut_off_from_etcd_keeps_its_own_clients_waiting_and_nobody_else() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(mut cluster) = Cluster::start(&["--authority", "10s"]).unwrap() else { return };
    cluster.etcd.etcdctl(&["put", "/drl/default/limits/default/default", &hourly(1_000_000)]).unwrap();
    cluster.nodes.pop().unwrap().terminate().unwrap();
    let proxy = runtime.block_on(Proxy::start(cluster.etcd.client_port())).unwrap();
    let through_proxy = cluster.start_node(2, &proxy.url()).unwrap();
    cluster.nodes.push(through_proxy);
    cluster.settle().unwrap();
    let names: Vec<String> = (0..60).map(|client| format!("client-{client}")).collect();
    let mut connection = cluster.nodes[0].resp().unwrap();
    // A shard that was used stays with its owner; one that was not may still go to the node that has just come.
    for client in &names {
        assert!(check(&mut connection, client).unwrap(), "{client}");
    }
    let owner_of = |client: &str| -> String {
        let explained = cluster.nodes[0].drl(&["explain", client, "--output", "json"]).unwrap();
        let explained: serde_json::Value = serde_json::from_slice(&explained.stdout).unwrap();
        explained["owner"].as_str().unwrap().to_owned()
    };
    let (its, others): (Vec<&String>, Vec<&String>) = names.iter().partition(|client| owner_of(client) == "n3");
    assert!(its.len() > 5 && others.len() > 5, "{} of n3", its.len());
    let since = Since::now();
    drop(proxy);
    eventually("its clients wait once its authority has passed", Duration::from_secs(12), || {
        let reply = connection.ask(&["DRL.ALLOW", its[0]])?;
        for client in &others {
            assert!(check(&mut connection, client)?, "{client}");
        }
        Ok(format!("{reply:?}").contains("CLUSTERDOWN").then_some(()))
    })
    .unwrap();
    println!("the clients of a node that was cut off wait since {:?}", since.elapsed());
    assert_eq!(http(&cluster.nodes[2], "/readyz").unwrap().0, 503);
    for client in &others {
        assert!(check(&mut connection, client).unwrap(), "{client}");
    }
}
