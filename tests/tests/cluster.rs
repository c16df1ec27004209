//! Three nodes as processes over a real etcd: one limit wherever it is asked for, through kill -9 of all.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use drl_tests::cluster::{Cluster, Since, check, check_by_http, eventually, hourly, http, let_pass};
use drl_tests::node::Node;

/// How long a change of a limit may take, and how long a cluster that was killed.
const CHANGE_WITHIN: Duration = Duration::from_secs(1);
const RESTART_WITHIN: Duration = Duration::from_secs(5);

/// Writes to etcd that one node may make in a second.
const WRITES_MAX: u64 = 5;

const CLIENTS: usize = 12;

fn clients(count: usize) -> Vec<String> {
    (0..count).map(|client| format!("client-{client}")).collect()
}

/// Asks for every client over twelve connections and HTTP, spread over all nodes, until each was asked `checks` times; how many were
/// allowed, by client.
fn allowed_everywhere(nodes: &[Node], clients: &[String], checks: usize) -> Vec<usize> {
    let mut connections: Vec<_> = (0..12).map(|nth| nodes[nth % nodes.len()].resp().unwrap()).collect();
    let mut allowed = vec![0; clients.len()];
    for round in 0..checks {
        for (index, client) in clients.iter().enumerate() {
            let turn = round * 5 + index;
            let is_allowed = if turn % 4 == 3 {
                check_by_http(&nodes[turn % nodes.len()], client).unwrap()
            } else {
                let count = connections.len();
                check(&mut connections[turn % count], client).unwrap()
            };
            allowed[index] += usize::from(is_allowed);
        }
    }
    allowed
}

#[test]
fn twelve_clients_get_exactly_their_limit_on_every_node_and_kill_9_of_all_forgets_nothing() {
    let Some(mut cluster) = Cluster::start(&[]).unwrap() else { return };
    println!("records by owner: {:?}", cluster.owned().unwrap());
    let names = clients(CLIENTS);
    for (index, client) in names.iter().enumerate() {
        cluster.put_limit(client, &hourly(10 + index as u64)).unwrap();
    }
    in_force(&cluster, &names[CLIENTS - 1]);
    assert_eq!(allowed_everywhere(&cluster.nodes, &names, 6), vec![6; CLIENTS]);
    cluster.kill_9_and_restart().unwrap();
    let since = Since::now();
    for client in &names {
        let mut connection = cluster.nodes[0].resp().unwrap();
        eventually("every client is answered again", RESTART_WITHIN, || {
            Ok(connection.ask(&["DRL.CHECK", client, "0"])?.integers().ok())
        })
        .unwrap();
    }
    println!("kill -9 of all: answering {:?} after the last start", since.elapsed());
    let left: Vec<usize> = (0..CLIENTS).map(|index| 4 + index).collect();
    assert_eq!(allowed_everywhere(&cluster.nodes, &names, 25), left, "exactly what was left");
    cluster.settle().unwrap();
}

/// Waits until a node knows the policy of a client.
fn in_force(cluster: &Cluster, client: &str) {
    for node in &cluster.nodes {
        let mut connection = node.resp().unwrap();
        eventually("the limit is in force", CHANGE_WITHIN, || {
            let limit = connection.ask(&["DRL.CHECK", client, "0"])?.integers()?[1];
            Ok((limit > 0).then_some(()))
        })
        .unwrap();
    }
}

#[test]
fn a_limit_raised_in_etcd_lets_exactly_the_difference_through_and_broken_values_change_nothing() {
    let Some(mut cluster) = Cluster::start(&[]).unwrap() else { return };
    let names = clients(30);
    for client in &names {
        cluster.put_limit(client, &hourly(5)).unwrap();
    }
    in_force(&cluster, &names[29]);
    assert_eq!(allowed_everywhere(&cluster.nodes, &names, 8), vec![5; 30]);
    let mut slowest = Duration::ZERO;
    for (index, client) in names.iter().enumerate() {
        let mut connection = cluster.nodes[index % 3].resp().unwrap();
        cluster.put_limit(client, &hourly(8)).unwrap();
        let since = Since::now();
        eventually("the raised limit is in force", CHANGE_WITHIN, || Ok(check(&mut connection, client)?.then_some(())))
            .unwrap();
        slowest = slowest.max(since.elapsed());
    }
    println!("slowest change of 30: {slowest:?} after etcdctl returned");
    assert_eq!(
        allowed_everywhere(&cluster.nodes, &names, 8),
        vec![2; 30],
        "one of the three was used to see the change"
    );
    for (index, client) in names.iter().enumerate() {
        let broken = ["{", "", r#"{"limits":[]}"#, r#"{"limits":[{"requests":0,"window":"1m"}]}"#, "\u{1}"];
        cluster.put_limit(client, broken[index % broken.len()]).unwrap();
    }
    eventually("every node names the broken values", CHANGE_WITHIN, || {
        let counts: Result<Vec<_>, _> = cluster.nodes.iter().map(|node| metric(node, "drl_policies_broken")).collect();
        Ok(counts?.iter().all(|count| *count == 30).then_some(()))
    })
    .unwrap();
    assert_eq!(limits_of(&cluster, &names), vec![8; 30]);
    cluster.kill_9_and_restart().unwrap();
    cluster.settle().unwrap();
    assert_eq!(limits_of(&cluster, &names), vec![8; 30], "the last good ones, after kill -9 of all");
    assert_eq!(allowed_everywhere(&cluster.nodes, &names, 3), vec![0; 30]);
}

/// The limit that each client has, the same on every node.
fn limits_of(cluster: &Cluster, names: &[String]) -> Vec<i64> {
    let mut connections: Vec<_> = cluster.nodes.iter().map(|node| node.resp().unwrap()).collect();
    let mut limits = Vec::new();
    for client in names {
        let answers: Vec<i64> = connections
            .iter_mut()
            .map(|connection| connection.ask(&["DRL.CHECK", client, "0"]).unwrap().integers().unwrap()[1])
            .collect();
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{client}: {answers:?}");
        limits.push(answers[0]);
    }
    limits
}

fn metric(node: &Node, name: &str) -> anyhow::Result<u64> {
    let (_, page) = http(node, "/metrics")?;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.unwrap_or_else(|| panic!("no {name} in {page}")).parse()?)
}

#[test]
fn etcd_hears_little_of_a_cluster_whatever_its_load() {
    let Some(cluster) = Cluster::start(&[]).unwrap() else { return };
    cluster.put_limit("busy", &hourly(1_000_000_000)).unwrap();
    in_force(&cluster, "busy");
    cluster.in_sync().unwrap();
    let (before, since) = (cluster.revision().unwrap(), Since::now());
    let mut connections: Vec<_> = cluster.nodes.iter().map(|node| node.resp().unwrap()).collect();
    let commands = vec![b"*2\r\n$9\r\nDRL.ALLOW\r\n$4\r\nbusy\r\n".to_vec(); 500];
    let mut checks = 0;
    while since.elapsed() < Duration::from_secs(11) {
        for connection in &mut connections {
            checks += connection.pipeline(&commands).unwrap().len();
        }
    }
    let writes = cluster.revision().unwrap() - before;
    let seconds = since.elapsed().as_secs();
    println!("{checks} checks and {writes} writes to etcd in {seconds} s by 3 nodes");
    assert!(writes < WRITES_MAX * 3 * seconds, "{writes} writes in {seconds} s");
}

#[test]
fn checks_outlive_etcd_for_as_long_as_the_authority_and_everything_is_back_by_itself() {
    let Some(mut cluster) = Cluster::start(&["--authority", "10s"]).unwrap() else { return };
    let names = clients(CLIENTS);
    for client in &names {
        cluster.put_limit(client, &hourly(1_000_000)).unwrap();
    }
    in_force(&cluster, &names[CLIENTS - 1]);
    let before = allowed_everywhere(&cluster.nodes, &names, 2);
    cluster.etcd.kill();
    let since = Since::now();
    // The last heartbeat was at most five seconds ago, so five seconds of authority are left at least.
    while since.elapsed() < Duration::from_secs(4) {
        assert_eq!(allowed_everywhere(&cluster.nodes, &names, 1), vec![1; CLIENTS], "checks go on");
    }
    let mut connection = cluster.nodes[0].resp().unwrap();
    let mut is_down = |client: &str| {
        let reply = connection.ask(&["DRL.ALLOW", client])?;
        Ok(format!("{reply:?}").contains("CLUSTERDOWN").then_some(()))
    };
    eventually("checks stop at the deadline", Duration::from_secs(8), || is_down(&names[0])).unwrap();
    println!("checks stopped {:?} after etcd", since.elapsed());
    for client in &names {
        eventually("they stop for every client", Duration::from_secs(4), || is_down(client)).unwrap();
    }
    assert_eq!(http(&cluster.nodes[0], "/readyz").unwrap().0, 503);
    let_pass(Duration::from_secs(3));
    cluster.etcd.run().unwrap();
    let back = Since::now();
    cluster.settle().unwrap();
    println!("everything is back {:?} after etcd", back.elapsed());
    let used: usize = before[0];
    let mut connection = cluster.nodes[1].resp().unwrap();
    let shown = connection.ask(&["DRL.CHECK", &names[0], "0"]).unwrap().integers().unwrap();
    assert_eq!(shown[1], 1_000_000, "its policy is known: {shown:?}");
    let remaining = shown[2];
    assert!(remaining < 1_000_000 - i64::try_from(used).unwrap(), "what was used still counts: {remaining}");
    assert_eq!(allowed_everywhere(&cluster.nodes, &names, 1), vec![1; CLIENTS]);
}
