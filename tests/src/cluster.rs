//! Three real nodes over a real etcd, all on loopback, all ended with the test.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use drl_test_etcd::Server;
use serde_json::Value;
use tempfile::TempDir;

use crate::node::Node;
use crate::owners::Owners;
use crate::resp::{Connection, Reply};

/// Longest wait for anything that a cluster does by itself.
pub const SOON: Duration = Duration::from_mins(1);

const PACE: Duration = Duration::from_millis(20);

/// A cluster called `default` and its etcd.
pub struct Cluster {
    pub etcd: Server,
    pub nodes: Vec<Node>,
    work: TempDir,
    extra: Vec<String>,
}

/// When something began.
#[derive(Debug, Clone, Copy)]
pub struct Since(Instant);

impl Since {
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
    pub fn now() -> Self {
        Self(Instant::now())
    }

    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Asks again and again until the answer is there.
///
/// # Errors
/// It was not there in time, or asking failed.
pub fn eventually<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let since = Since::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        ensure!(since.elapsed() < within, "{what}: not within {within:?}");
        std::thread::park_timeout(PACE);
    }
}

/// Lets real time pass, where time passing is what is tested.
pub fn let_pass(span: Duration) {
    let since = Since::now();
    while let Some(left) = span.checked_sub(since.elapsed()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

impl Cluster {
    /// Three nodes with these flags, once each is ready and every shard has an owner. `None` where there is no etcd.
    ///
    /// # Errors
    /// One of them does not start.
    pub fn start(extra: &[&str]) -> Result<Option<Self>> {
        let Some(etcd) = Server::start(&[])? else { return Ok(None) };
        let extra = extra.iter().map(|flag| (*flag).to_owned()).collect();
        let mut cluster = Self { etcd, nodes: Vec::new(), work: tempfile::tempdir()?, extra };
        for index in 0..3 {
            let node = cluster.start_node(index, &cluster.etcd.url())?;
            cluster.nodes.push(node);
        }
        cluster.settle()?;
        Ok(Some(cluster))
    }

    /// Starts a node on its own directory, through this URL of etcd.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_node(&self, index: usize, etcd: &str) -> Result<Node> {
        let id = format!("n{}", index + 1);
        let mut flags = vec!["--etcd", etcd, "--node-id", &id];
        flags.extend(self.extra.iter().map(String::as_str));
        Node::start(&self.directory(index), &flags)
    }

    /// The data directory of a node.
    #[must_use]
    pub fn directory(&self, index: usize) -> PathBuf {
        self.work.path().join(format!("n{}", index + 1))
    }

    /// kill -9 of every node, then starts all of them again.
    ///
    /// # Errors
    /// One of them does not start.
    pub fn kill_9_and_restart(&mut self) -> Result<()> {
        for node in self.nodes.drain(..) {
            node.kill_9()?;
        }
        for index in 0..3 {
            let node = self.start_node(index, &self.etcd.url())?;
            self.nodes.push(node);
        }
        Ok(())
    }

    /// Waits until every shard has an owner that answers, and each node its share.
    ///
    /// # Errors
    /// Not within [`SOON`].
    pub fn settle(&self) -> Result<()> {
        eventually("every node is ready and has its share", SOON, || {
            let owned = self.owned()?;
            let shares = owned.values().all(|shards| (300..=380).contains(shards));
            let is_whole = owned.len() == self.nodes.len() && owned.values().sum::<usize>() == 1_024;
            let mut is_ready = shares && is_whole;
            for node in &self.nodes {
                is_ready = is_ready && http(node, "/readyz")?.0 == 200;
            }
            Ok(is_ready.then_some(()))
        })
    }

    /// Waits until every shard has a copy that is in sync.
    ///
    /// # Errors
    /// Not within [`SOON`].
    pub fn in_sync(&self) -> Result<()> {
        eventually("every shard has a copy in sync", SOON, || {
            let records = self.records()?;
            let is_copied = |record: &Value| record["in_sync"] == true;
            Ok((records.len() == 1_024 && records.iter().all(is_copied)).then_some(()))
        })
    }

    /// The records of all shards, as they stand in etcd.
    ///
    /// # Errors
    /// etcd does not answer, or a record is no JSON.
    pub fn records(&self) -> Result<Vec<Value>> {
        records(&self.etcd)
    }

    /// How many records name each node, as they stand in etcd.
    ///
    /// # Errors
    /// etcd does not answer, or a record is no JSON.
    pub fn owned(&self) -> Result<BTreeMap<String, usize>> {
        let mut owned = BTreeMap::new();
        for record in self.records()? {
            let node = record["owner"]["node"].as_str().context("no owner")?.to_owned();
            *owned.entry(node).or_default() += 1;
        }
        Ok(owned)
    }

    /// `etcdctl put` of a client's limit.
    ///
    /// # Errors
    /// etcd does not take it.
    pub fn put_limit(&self, client: &str, value: &str) -> Result<()> {
        self.etcd.etcdctl(&["put", &format!("/drl/default/limits/default/clients/{client}"), value])?;
        Ok(())
    }

    /// `etcdctl put` of a limit at this place of the default namespace: `default`, `prefixes/P` or `clients/C`.
    ///
    /// # Errors
    /// etcd does not take it.
    pub fn put_policy(&self, place: &str, value: &str) -> Result<()> {
        self.etcd.etcdctl(&["put", &format!("/drl/default/limits/default/{place}"), value])?;
        Ok(())
    }

    /// The gRPC addresses of all nodes.
    ///
    /// # Errors
    /// A node did not print its own.
    pub fn endpoints(&self) -> Result<Vec<String>> {
        self.nodes.iter().map(|node| Ok(node.address("grpc")?.to_string())).collect()
    }

    /// Who owns which shard and who follows, as the records stand in etcd.
    ///
    /// # Errors
    /// etcd does not answer, or a record is no JSON.
    pub fn owners(&self) -> Result<Owners> {
        Owners::read(&self.etcd)
    }

    /// The revision that etcd is at.
    ///
    /// # Errors
    /// etcd does not answer.
    pub fn revision(&self) -> Result<u64> {
        let status = self.etcd.etcdctl(&["endpoint", "status", "--write-out", "json"])?;
        let status: Value = serde_json::from_str(&status)?;
        status[0]["Status"]["header"]["revision"].as_u64().context("no revision")
    }
}

/// The records of all shards of the cluster called `default`.
///
/// # Errors
/// etcd does not answer, or a record is no JSON.
pub fn records(etcd: &Server) -> Result<Vec<Value>> {
    let records = etcd.etcdctl(&["get", "--prefix", "/drl/default/shards/", "--print-value-only"])?;
    let lines = records.lines().filter(|line| !line.is_empty());
    lines.map(|record| Ok(serde_json::from_str(record)?)).collect()
}

/// A policy of so many requests an hour.
#[must_use]
pub fn hourly(requests: u64) -> String {
    format!(r#"{{"limits":[{{"requests":{requests},"window":"1h"}}]}}"#)
}

/// One HTTP request; the status and the body.
///
/// # Errors
/// The node does not answer.
pub fn http(node: &Node, path: &str) -> Result<(u16, String)> {
    request(node, &format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n"))
}

/// `POST /v1/check`: whether it was allowed.
///
/// # Errors
/// There is no decision.
pub fn check_by_http(node: &Node, client: &str) -> Result<bool> {
    let body = format!(r#"{{"client_id":"{client}"}}"#);
    let head = "POST /v1/check HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let (status, answer) = request(node, &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()))?;
    ensure!(status == 200, "{status}: {answer}");
    let answer: Value = serde_json::from_str(&answer)?;
    answer["allowed"].as_bool().context("no decision")
}

fn request(node: &Node, text: &str) -> Result<(u16, String)> {
    let mut door = TcpStream::connect(node.address("http")?)?;
    door.set_read_timeout(Some(SOON))?;
    door.write_all(text.as_bytes())?;
    let mut answer = String::new();
    door.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).context("no status")?.parse()?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    Ok((status, body))
}

/// `DRL.ALLOW`: whether it was allowed; an error reply is an error.
///
/// # Errors
/// There is no decision.
pub fn check(connection: &mut Connection, client: &str) -> Result<bool> {
    match connection.ask(&["DRL.ALLOW", client])? {
        Reply::Integer(allowed) => Ok(allowed == 1),
        other => bail!("{other:?}"),
    }
}
