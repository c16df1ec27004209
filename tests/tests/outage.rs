//! A cluster without its etcd: checks go on, limits stay exact, and nodes that die meanwhile are made up for when it is back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use drl_client::{CheckRequest, Connect, RateLimiter};
use drl_tests::cluster::{Cluster, hourly, let_pass};
use drl_tests::load::in_force;
use drl_tests::steady::Steady;
use tokio::runtime::Runtime;

const PLENTY: u64 = 1_000_000_000;

/// Longer than a session lives without being kept alive.
const OUTAGE: Duration = Duration::from_secs(20);

fn connect(cluster: &Cluster, runtime: &Runtime) -> RateLimiter {
    let connect = Connect::new(cluster.endpoints().unwrap()).deadline(Duration::from_secs(2));
    runtime.block_on(connect.connect()).unwrap()
}

fn allowed(limiter: &RateLimiter, client: &str, checks: usize) -> usize {
    let request = CheckRequest::new(client.as_bytes()).unwrap();
    (0..checks).filter(|_| limiter.blocking().check(request).unwrap().allowed).count()
}

#[test]
fn a_limit_that_is_used_up_during_an_outage_is_exact() {
    let Some(mut cluster) = Cluster::start(&[]).unwrap() else { return };
    let runtime = Runtime::new().unwrap();
    let limiter = connect(&cluster, &runtime);
    cluster.put_policy("default", &hourly(10)).unwrap();
    let clients: Vec<String> = (0..24).map(|client| format!("client-{client}")).collect();
    runtime.block_on(in_force(&limiter, &clients, 10)).unwrap();
    cluster.in_sync().unwrap();
    for client in &clients {
        assert_eq!(allowed(&limiter, client, 3), 3);
    }
    cluster.etcd.kill();
    for client in &clients {
        assert_eq!(allowed(&limiter, client, 5), 5);
    }
    let_pass(OUTAGE);
    for client in &clients {
        assert_eq!(allowed(&limiter, client, 5), 2, "{client}: the last units, to the unit");
    }
    cluster.etcd.run().unwrap();
    cluster.settle().unwrap();
    for client in &clients {
        assert_eq!(allowed(&limiter, client, 3), 0, "{client}");
    }
}

#[test]
fn owners_that_are_killed_after_an_outage_cost_nothing() {
    let Some(mut cluster) = Cluster::start(&[]).unwrap() else { return };
    let runtime = Runtime::new().unwrap();
    let limiter = connect(&cluster, &runtime);
    cluster.put_policy("default", &hourly(PLENTY)).unwrap();
    let clients: Vec<String> = (0..24).map(|client| format!("client-{client}")).collect();
    runtime.block_on(in_force(&limiter, &clients, PLENTY)).unwrap();
    cluster.in_sync().unwrap();
    let load = Steady::start(&runtime, &limiter, &clients, Duration::from_millis(10));
    for index in 0..3 {
        cluster.etcd.kill();
        let_pass(OUTAGE);
        cluster.etcd.run().unwrap();
        cluster.nodes.remove(index).kill_9().unwrap();
        let_pass(Duration::from_secs(2));
        let back = cluster.start_node(index, &cluster.etcd.url()).unwrap();
        cluster.nodes.insert(index, back);
        cluster.in_sync().unwrap();
    }
    let accounts = load.stop(&runtime).unwrap();
    let (granted, unknown) = accounts.sums();
    println!("{granted} granted, {unknown} unknown, slowest answer {:?}", accounts.slowest());
    accounts.add_up(&runtime, &limiter, PLENTY, 3).unwrap();
}
