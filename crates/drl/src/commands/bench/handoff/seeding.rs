//! How long a new node takes to have a copy of every counter.

use std::time::Duration;

use anyhow::ensure;
use drl_bench::{CLIENT_PREFIX, Fill, fill, in_force, still_used};
use drl_host::clock;
use serde::Serialize;

use super::millis;
use crate::commands::bench::cluster::{ClusterArgs, OwnCluster, SOON};
use crate::commands::bench::load::span_since;
use crate::exit::say;

/// Longest wait for a batch, while the node does nothing else.
const BATCH_WITHIN: Duration = Duration::from_secs(30);

/// Counters that are looked at on the new node, when the old one is gone.
const SAMPLE: u64 = 1_000;

#[derive(Debug, Serialize)]
pub(super) struct Seeding {
    format: u32,
    version: &'static str,
    pub(super) counters: u64,
    /// How long making them took, on two nodes.
    pub(super) filled_ms: u64,
    /// From the new node's start until it was ready.
    pub(super) ready_ms: u64,
    /// From the new node's start until every shard had its copy there.
    pub(super) in_sync_ms: u64,
    pub(super) in_sync_after_ready_ms: u64,
    /// Of `sampled` counters, those that the new node has, asked when the other one was killed.
    pub(super) found: u64,
    pub(super) sampled: u64,
}

impl Seeding {
    pub(super) const fn is_whole(&self) -> bool {
        self.found == self.sampled
    }
}

/// Two nodes are filled, one is killed for good, and a new one with an empty disk comes.
pub(super) async fn measure(args: &ClusterArgs, counters: u64) -> anyhow::Result<Seeding> {
    let mut cluster = OwnCluster::start(args, 2).await?;
    cluster.settle().await?;
    // One unit of two, so that a second charge would show, too.
    cluster.limit(CLIENT_PREFIX, 2).await?;
    in_force(cluster.endpoints(), &samples(counters), SOON, clock::monotonic).await?;
    let began = clock::monotonic();
    let options = Fill { endpoints: cluster.endpoints(), counters, deadline: BATCH_WITHIN };
    fill(&options).await?;
    let filled = span_since(began);
    say(&format!("{counters} counters in {:?}", Duration::from(filled)));
    cluster.settle().await?;

    cluster.node(1)?.kill_9();
    cluster.nodes[1] = None;
    cluster.until("the node that is left owns every shard", |records| records.are_all_of("n1")).await?;
    say("one node has them all; a new one starts");

    let began = clock::monotonic();
    cluster.start_node(2).await?;
    let ready = span_since(began);
    cluster.until("every shard has a copy in sync", |records| records.copied() == records.shards()).await?;
    let in_sync = span_since(began);
    say("every shard has its copy; the old node is killed");
    cluster.settle().await?;

    cluster.node(0)?.kill_9();
    cluster.nodes[0] = None;
    cluster.until("the new node owns every shard", |records| records.are_all_of("n3")).await?;
    let sampled = SAMPLE.min(counters);
    let found = still_used(&Fill { endpoints: cluster.endpoints(), ..options }, sampled).await?;
    cluster.end().await;
    ensure!(in_sync >= ready, "in sync before it was ready");
    let (ready_ms, in_sync_ms) = (millis(ready), millis(in_sync));
    Ok(Seeding {
        format: 1,
        version: env!("CARGO_PKG_VERSION"),
        counters,
        filled_ms: millis(filled),
        ready_ms,
        in_sync_ms,
        in_sync_after_ready_ms: in_sync_ms - ready_ms,
        found,
        sampled,
    })
}

/// Enough clients that every owner is among those asked.
fn samples(counters: u64) -> Vec<String> {
    (0..counters.min(100)).map(|client| format!("{CLIENT_PREFIX}{client}")).collect()
}
