//! What happens to clients when nodes die, stall or start anew under load: nobody gets more than the limit, nobody who has credit left
//! is denied, and somebody answers again soon.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use drl_client::{CheckRequest, Connect, RateLimiter, Reason};
use drl_tests::cluster::{Cluster, SOON, Since, eventually, hourly, let_pass};
use drl_tests::load::{in_force, used};
use drl_tests::pinned::Pinned;
use drl_tests::steady::{Accounts, Steady};
use tokio::runtime::Runtime;

/// Never reached by what a test asks.
const PLENTY: u64 = 1_000_000_000;

const CLIENTS: usize = 24;

/// Between two checks of a client: 24 clients are 2,400 checks a second.
const PACE: Duration = Duration::from_millis(10);

/// How long the whole cluster may take to answer after kill -9 of all.
const RESTART_WITHIN: Duration = Duration::from_secs(5);

/// How long a shard may be without a copy that answers. A machine that does nothing else takes 2 s for all of them (docs/benchmarks.md);
/// beside other tests it takes its time, and what is asserted here is that it comes to an end.
const COPY_WITHIN: Duration = Duration::from_secs(8);

struct World {
    cluster: Cluster,
    runtime: Runtime,
    limiter: RateLimiter,
    clients: Vec<String>,
}

impl World {
    /// Three nodes whose shards all have a copy, and 24 clients with plenty of credit. `None` where there is no etcd.
    fn start() -> Option<Self> {
        let cluster = Cluster::start(&[]).unwrap()?;
        cluster.put_policy("default", &hourly(PLENTY)).unwrap();
        let runtime = Runtime::new().unwrap();
        let connect = Connect::new(cluster.endpoints().unwrap()).deadline(Duration::from_secs(2));
        let limiter = runtime.block_on(connect.connect()).unwrap();
        let clients: Vec<String> = (0..CLIENTS).map(|client| format!("client-{client}")).collect();
        runtime.block_on(in_force(&limiter, &clients, PLENTY)).unwrap();
        cluster.in_sync().unwrap();
        Some(Self { cluster, runtime, limiter, clients })
    }

    fn load(&self) -> Steady {
        Steady::start(&self.runtime, &self.limiter, &self.clients, PACE)
    }

    fn used(&self, client: &str) -> u64 {
        self.runtime.block_on(used(&self.limiter, client)).unwrap()
    }

    /// Clients of their own that ask one node and no other.
    fn stuck_on(&self, node: usize) -> Pinned {
        let clients: Vec<String> = (0..CLIENTS).map(|client| format!("stuck-on-{node}-{client}")).collect();
        Pinned::start(&self.cluster.nodes[node], &clients, PACE).unwrap()
    }

    /// Ends the load and looks at what came of it. Of how many checks nobody could say anything.
    fn judge(&self, load: Steady, owners_lost: u64) -> u64 {
        self.judge_all(&load.stop(&self.runtime).unwrap(), owners_lost)
    }

    fn judge_all(&self, accounts: &Accounts, owners_lost: u64) -> u64 {
        let (granted, unknown) = accounts.sums();
        println!("{granted} granted, {unknown} unknown, slowest answer {:?}", accounts.slowest());
        accounts.add_up(&self.runtime, &self.limiter, PLENTY, owners_lost).unwrap();
        unknown
    }
}

#[test]
fn a_node_that_leaves_and_comes_back_fails_no_check_and_charges_nobody_twice() {
    let Some(mut world) = World::start() else { return };
    let load = world.load();
    for index in 0..3 {
        let_pass(Duration::from_millis(500));
        assert_eq!(world.cluster.nodes.remove(index).terminate().unwrap().code(), Some(0));
        let back = world.cluster.start_node(index, &world.cluster.etcd.url()).unwrap();
        world.cluster.nodes.insert(index, back);
        world.cluster.settle().unwrap();
        world.cluster.in_sync().unwrap();
    }
    assert_eq!(world.judge(load, 0), 0);
}

#[test]
fn kill_9_of_each_node_in_turn_and_back_denies_nobody_and_lets_nobody_over() {
    let Some(mut world) = World::start() else { return };
    let load = world.load();
    for index in 0..3 {
        let_pass(Duration::from_millis(500));
        world.cluster.nodes.remove(index).kill_9().unwrap();
        let_pass(Duration::from_secs(2));
        let back = world.cluster.start_node(index, &world.cluster.etcd.url()).unwrap();
        world.cluster.nodes.insert(index, back);
        world.cluster.in_sync().unwrap();
    }
    world.judge(load, 3);
}

#[test]
fn a_node_that_is_paused_past_its_session_and_goes_on_admits_nothing_of_what_others_took_over() {
    let Some(world) = World::start() else { return };
    let load = world.load();
    for (index, node) in world.cluster.nodes.iter().enumerate() {
        let stuck = world.stuck_on(index);
        let_pass(Duration::from_millis(500));
        node.pause().unwrap();
        let_pass(Duration::from_secs(8));
        node.signal("CONT").unwrap();
        world.cluster.in_sync().unwrap();
        world.judge_all(&stuck.stop().unwrap(), 1);
    }
    world.judge(load, 3);
}

#[test]
fn a_node_that_is_paused_past_its_authority_begins_anew_and_nothing_is_lost() {
    let Some(world) = World::start() else { return };
    let (load, stuck) = (world.load(), world.stuck_on(1));
    let_pass(Duration::from_millis(500));
    world.cluster.nodes[1].pause().unwrap();
    let_pass(Duration::from_secs(70));
    world.cluster.nodes[1].signal("CONT").unwrap();
    world.cluster.in_sync().unwrap();
    world.cluster.settle().unwrap();
    world.judge_all(&stuck.stop().unwrap(), 1);
    world.judge(load, 1);
}

#[test]
fn a_follower_that_is_paused_holds_admissions_up_for_a_moment_and_is_replaced() {
    let Some(world) = World::start() else { return };
    let places = world.cluster.owners().unwrap();
    let has_copy_there = |client: &String| places.follower_of(client).unwrap() == Some("n3");
    let held_up = (0..100).map(|number| format!("followed-{number}")).find(has_copy_there).unwrap();
    let load = world.load();
    world.cluster.nodes[2].pause().unwrap();
    let since = Since::now();
    eventually("a client that it has the copy of is let through", COPY_WITHIN, || {
        let decision = world.limiter.blocking().check(CheckRequest::new(held_up.as_bytes())?)?;
        Ok((decision.reason == Reason::WithinLimit).then_some(()))
    })
    .unwrap();
    println!("a client that it has the copy of is let through after {:?}", since.elapsed());
    // Not before somebody else has seen to it that the copy that stands still does not count any more.
    assert_ne!(world.cluster.owners().unwrap().follower_of(&held_up).unwrap(), Some("n3"));
    eventually("its shards have another follower", COPY_WITHIN, || {
        let is_others = |node: &str| node != "n3";
        let records = world.cluster.records()?;
        let has_copy = records.iter().filter(|record| {
            let (owner, follower) = (record["owner"]["node"].as_str(), record["follower"]["node"].as_str());
            record["in_sync"] == true && owner.is_some_and(is_others) && follower.is_some_and(is_others)
        });
        Ok((has_copy.count() == 1_024).then_some(()))
    })
    .unwrap();
    println!("every shard has a copy on the other two after {:?}", since.elapsed());
    world.cluster.nodes[2].signal("CONT").unwrap();
    // Until it has heard what became of its shards, it admits nothing but says what it last knew of a client.
    world.cluster.settle().unwrap();
    world.judge(load, 1);
}

#[test]
fn kill_9_of_all_at_once_forgets_nothing_and_exhausts_nothing() {
    let Some(mut world) = World::start() else { return };
    let few: Vec<String> = (0..12).map(|client| format!("few-{client}")).collect();
    world.cluster.put_policy("prefixes/few-", &hourly(10)).unwrap();
    world.runtime.block_on(in_force(&world.limiter, &few, 10)).unwrap();
    for client in &few {
        for _ in 0..6 {
            assert!(world.limiter.blocking().check(CheckRequest::new(client.as_bytes()).unwrap()).unwrap().allowed);
        }
    }
    let load = world.load();
    let_pass(Duration::from_secs(1));
    world.cluster.kill_9_and_restart().unwrap();
    let since = Since::now();
    let connect = Connect::new(world.cluster.endpoints().unwrap()).deadline(SOON);
    let limiter = world.runtime.block_on(connect.connect()).unwrap();
    for client in &few {
        assert_eq!(world.runtime.block_on(used(&limiter, client)).unwrap(), 6);
    }
    let took = since.elapsed();
    println!("every client is answered {took:?} after the last start");
    assert!(took < RESTART_WITHIN, "{took:?}");
    let accounts = load.stop(&world.runtime).unwrap();
    accounts.add_up(&world.runtime, &limiter, PLENTY, 3).unwrap();
    for client in &few {
        let allowed = (0..10).filter(|_| {
            let request = CheckRequest::new(client.as_bytes()).unwrap();
            limiter.blocking().check(request).unwrap().allowed
        });
        assert_eq!(allowed.count(), 4, "{client}");
    }
    world.limiter = limiter;
    assert!(world.used("client-0") > 0);
}
