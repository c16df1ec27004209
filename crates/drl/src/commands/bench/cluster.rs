//! A cluster of a run's own: real `drl serve` processes on loopback over a real etcd, in a directory that is deleted with it. Whatever was
//! started ends when this is dropped.
//!
//! * `process.rs`: a child that ends · `etcd.rs`, `node.rs`: the two kinds · `records.rs`: who holds what, as it stands in etcd

mod etcd;
mod node;
mod process;
mod records;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use drl_configuration::Selector;
use drl_coordination::{ClusterName, Compare, Coordination as _, Etcd, EtcdOptions, Keys, Op, Txn};
use drl_core::Namespace;
use drl_core::caps::TXN_RECORDS_MAX;
use drl_host::clock;
use drl_policies::PolicyEditor;
use tempfile::TempDir;
use tokio::time::interval;

use self::etcd::OwnEtcd;
pub(super) use self::node::Node;
pub(super) use self::records::Records;
use crate::exit::{say, usage};
use crate::logging::LogLevel;

/// Longest wait for anything that a cluster does by itself: start, move shards, seed copies.
pub(super) const SOON: Duration = Duration::from_mins(2);

/// How often the records are looked at: all of them are read, and a look must not be a load.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Longest wait for one answer of etcd.
const ETCD_WITHIN: Duration = Duration::from_secs(5);

/// Where the cluster of a run is made.
#[derive(Debug, Args)]
pub(super) struct ClusterArgs {
    /// An etcd to use, client URLs with commas between them; the run takes a cluster name of its own in it and deletes it at
    /// its end, unless it is stopped or fails [default: starts one]
    #[arg(long, value_name = "URL[,URL]")]
    etcd: Option<String>,
    /// Where the logs of nodes and etcd are kept [default: a directory that is deleted afterwards]
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
    /// Least level of the nodes' logs
    #[arg(long = "node-log-level", value_name = "LEVEL", value_enum, default_value_t = LogLevel::Info)]
    log_level: LogLevel,
}

/// Fields in the order in which they end: nodes, etcd, their directory.
pub(super) struct OwnCluster {
    /// By number; `None`: not started, or ended.
    pub(super) nodes: Vec<Option<Node>>,
    client: Arc<Etcd>,
    etcd: Option<OwnEtcd>,
    urls: String,
    name: ClusterName,
    keys: Keys,
    logs: PathBuf,
    log_level: LogLevel,
    work: TempDir,
}

impl OwnCluster {
    /// So many nodes that are ready, numbered from 0 and called n1 and on.
    ///
    /// # Errors
    /// Wrong usage; or something does not start.
    pub(super) async fn start(args: &ClusterArgs, nodes: usize) -> anyhow::Result<Self> {
        let work = tempfile::tempdir().context("cannot make a temporary directory")?;
        let logs = args.logs.clone().unwrap_or_else(|| work.path().join("logs"));
        std::fs::create_dir_all(&logs).with_context(|| format!("--logs: cannot make {}", logs.display()))?;
        let (etcd, urls) = match &args.etcd {
            Some(urls) => (None, urls.clone()),
            None => {
                let etcd = OwnEtcd::start(work.path(), &logs).await?;
                let url = etcd.url();
                (Some(etcd), url)
            }
        };
        let options = EtcdOptions::new(&urls).map_err(|invalid| usage(&format!("--etcd: {invalid}")))?;
        let client = Arc::new(Etcd::new(options).await?);
        // Nobody else's: the number of this process, and when.
        let name = ClusterName::new(&format!("bench-{}-{}", std::process::id(), clock::monotonic().0))?;
        let keys = Keys::new(&name);
        let log_level = args.log_level;
        let mut cluster = Self { nodes: Vec::new(), client, etcd, urls, name, keys, logs, log_level, work };
        for number in 0..nodes {
            cluster.start_node(number).await?;
        }
        Ok(cluster)
    }

    /// Starts a node, or starts it again on its directory, and waits until it is ready.
    ///
    /// # Errors
    /// It is not ready in time; the error has the end of its log.
    pub(super) async fn start_node(&mut self, number: usize) -> anyhow::Result<()> {
        let id = format!("n{}", number + 1);
        let (data, log) = (self.work.path().join(&id), self.logs.join(format!("{id}.log")));
        let flags = ["--etcd", &self.urls, "--cluster", self.name.as_str(), "--node-id", &id];
        let node = Node::start(&id, &data, &log, &flags, self.log_level).await?;
        if self.nodes.len() <= number {
            self.nodes.resize_with(number + 1, || None);
        }
        self.nodes[number] = Some(node);
        Ok(())
    }

    /// A node that was started.
    ///
    /// # Errors
    /// It has ended.
    pub(super) fn node(&mut self, number: usize) -> anyhow::Result<&mut Node> {
        self.nodes.get_mut(number).and_then(Option::as_mut).with_context(|| format!("n{} is not there", number + 1))
    }

    /// gRPC addresses of the nodes that are there.
    pub(super) fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().flatten().map(|node| node.address().to_owned()).collect()
    }

    /// Gives clients whose names begin so a limit for a day.
    ///
    /// # Errors
    /// etcd does not take it.
    pub(super) async fn limit(&self, prefix: &str, requests: u64) -> anyhow::Result<()> {
        let editor = PolicyEditor::new(self.client.clone(), self.keys.clone(), ETCD_WITHIN);
        let json = format!(r#"{{"limits":[{{"requests":{requests},"window":"24h"}}]}}"#);
        let selector = Selector::Prefix(prefix.as_bytes().to_vec());
        editor.set(Namespace::DEFAULT, &selector, json.as_bytes()).await?;
        Ok(())
    }

    /// Every record, as it stands in etcd.
    ///
    /// # Errors
    /// etcd does not answer.
    pub(super) async fn records(&self) -> anyhow::Result<Records> {
        let listing = self.client.list(self.keys.all(), ETCD_WITHIN).await?;
        Ok(Records::read(&self.keys, &listing.entries))
    }

    /// Looks at the records until they are as wanted.
    ///
    /// # Errors
    /// They are not in time, with how far they are; or a node ended meanwhile.
    pub(super) async fn until(&mut self, what: &str, is_so: impl Fn(&Records) -> bool) -> anyhow::Result<Records> {
        let (began, mut ticks) = (clock::monotonic(), interval(LOOK_EVERY));
        loop {
            ticks.tick().await;
            let records = self.records().await?;
            if is_so(&records) {
                return Ok(records);
            }
            for node in self.nodes.iter_mut().flatten() {
                node.still_runs()?;
            }
            if Duration::from_nanos(clock::monotonic().0.saturating_sub(began.0)) > SOON {
                bail!("{what}: not within {SOON:?}; {records}");
            }
        }
    }

    /// Waits until every shard has a copy in sync and every node that is there its share.
    ///
    /// # Errors
    /// As [`OwnCluster::until`].
    pub(super) async fn settle(&mut self) -> anyhow::Result<Records> {
        let nodes = self.nodes.iter().flatten().count();
        self.until("every shard has a copy in sync, and every node its share", |records| records.is_settled(nodes))
            .await
    }

    /// Ends the nodes, and deletes what they left in an etcd that stays.
    pub(super) async fn end(mut self) {
        self.nodes.clear();
        if self.etcd.is_some() {
            return;
        }
        if let Err(error) = self.delete_keys().await {
            say(&format!("note: cluster {} is left in etcd: {error:#}", self.name));
        }
    }

    async fn delete_keys(&self) -> anyhow::Result<()> {
        let listing = self.client.list(self.keys.all(), ETCD_WITHIN).await?;
        for some in listing.entries.chunks(TXN_RECORDS_MAX) {
            let then = some.iter().map(|entry| Op::Delete { key: entry.key.clone() }).collect();
            let txn = Txn { compares: Vec::<Compare>::new(), then, otherwise: Vec::new() };
            self.client.transact(txn, ETCD_WITHIN).await?;
        }
        Ok(())
    }
}
