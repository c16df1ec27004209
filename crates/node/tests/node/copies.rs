//! Nodes that have each other's counters, over real connections: whoever is torn down in the middle of everything is replaced by one who
//! knows what was used.

use std::sync::Arc;
use std::time::Duration;

use drl_coordination::{ClusterId, ClusterName, Coordination, Embedded, Keys};
use drl_core::{Nanos, NodeId, ShardCount};
use drl_host::clock;
use drl_membership::Wishes;
use drl_node::JoinOptions;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{interval, timeout};

use crate::support::{Running, options, start_with};

const SHARDS: usize = 16;

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(30);

/// How long clients may go without an answer when an owner dies; a wait of seconds is a timer that ran out.
const MOMENT: Duration = Duration::from_secs(2);

struct World {
    store: Embedded,
    name: ClusterName,
}

/// A node in a runtime of its own.
struct Member {
    running: Option<Running>,
    runtime: Option<Runtime>,
    _dir: TempDir,
}

impl World {
    fn new() -> Self {
        let store = Embedded::with_clock(ClusterId(7), clock::monotonic);
        Self { store, name: ClusterName::new("copies").unwrap() }
    }

    async fn start(&self, name: &str) -> Member {
        let dir = TempDir::new().unwrap();
        let mut options = options(dir.path());
        options.node_id = NodeId::new(name).unwrap();
        let wishes = Wishes { shards: Some(ShardCount::new(SHARDS as u64).unwrap()), ..Wishes::default() };
        let coordination = Arc::new(self.store.node());
        options.join = Some(JoinOptions { coordination, cluster: self.name.clone(), wishes, advertise: None });
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let running = runtime.spawn(start_with(options)).await.unwrap();
        Member { running: Some(running), runtime: Some(runtime), _dir: dir }
    }

    /// Until every shard has a copy in sync, of a node that is not `gone`.
    async fn until_in_sync(&self, gone: &str) {
        let (shards, gone) = (Keys::new(&self.name).shards(), format!(r#""node":"{gone}""#));
        let is_so = |record: &str| record.contains(r#""in_sync":true"#) && !record.contains(&gone);
        let all = async {
            let mut ticks = interval(Duration::from_millis(10));
            loop {
                ticks.tick().await;
                let listing = self.store.list(shards.clone(), SOON).await.unwrap();
                let records = listing.entries.iter().map(|entry| String::from_utf8_lossy(&entry.value));
                if records.filter(|record| is_so(record)).count() == SHARDS {
                    return;
                }
            }
        };
        timeout(SOON, all).await.unwrap();
    }
}

impl Member {
    fn node(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// A metric, all of its labels together.
    async fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.node().http("GET /metrics", "").await;
        let samples = text.lines().filter(|line| line.starts_with(name));
        samples.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
    }

    /// How many of so many checks of a client pass, each tried until it is answered.
    async fn allowed(&self, client: &str, checks: usize) -> usize {
        let (mut resp, mut ticks) = (self.node().resp().await, interval(Duration::from_millis(10)));
        let mut allowed = 0;
        for _ in 0..checks {
            let asked = clock::monotonic();
            let answer = loop {
                let answer = resp.call(&format!("DRL.ALLOW {client}")).await;
                if !answer.starts_with('-') {
                    break answer;
                }
                assert!(clock::monotonic().0 - asked.0 < Nanos::from(MOMENT).0, "{client}: {answer}");
                ticks.tick().await;
            };
            allowed += usize::from(answer == ":1");
        }
        allowed
    }

    /// Ends it in order: what it owns goes to others.
    async fn stop(mut self) {
        let running = self.running.take().unwrap();
        self.runtime.as_ref().unwrap().spawn(running.stop()).await.unwrap();
    }

    /// Its tasks and connections are gone, in the middle of everything; its session stays.
    fn kill(&mut self) {
        drop(self.running.take());
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_is_replaced_at_once_and_nobody_gets_more_than_the_limit() {
    let world = World::new();
    let mut members = Vec::new();
    for name in ["n0", "n1", "n2"] {
        members.push(world.start(name).await);
    }
    members[0].node().set_default(r#"{"limits":[{"requests":10,"window":"1h"}]}"#).await;
    let clients: Vec<String> = (0..24).map(|client| format!("client-{client}")).collect();
    world.until_in_sync("nobody").await;
    for client in &clients {
        assert_eq!(members[2].allowed(client, 6).await, 6);
    }
    members[0].kill();
    for client in &clients {
        assert_eq!(members[2].allowed(client, 6).await, 4, "{client}");
    }
    world.until_in_sync("n0").await;
    for member in &members[1..] {
        assert!(member.metric("drl_replication_letters_total").await > 0);
        assert_eq!(member.metric("drl_replication_streams_turned_away_total").await, 0);
        assert!(member.metric("drl_replication_streams_total{outcome=\"refused\"}").await > 0);
    }
    for member in members.drain(1..) {
        member.stop().await;
    }
}
