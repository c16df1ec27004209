//! `drl bench failover`: owners are killed under load, one after the other, and come back. How long their clients wait for the new owner,
//! and whether anybody got more, or less, than the limit.

mod shown;

use std::time::Duration;

use clap::{Args, ValueEnum};
use drl_bench::{Audit, Latency, Phase, latency_of};
use drl_core::Nanos;
use drl_host::clock;
use serde::Serialize;
use tokio::time::interval;

use super::cluster::{ClusterArgs, OwnCluster};
use super::load::{self, Load, LoadArgs, pass, span_since};
use crate::cli::CommonArgs;
use crate::commands::running::Signals;
use crate::exit::{Verdict, say};
use crate::output::{self, Output};

/// Nodes of the cluster.
const NODES: usize = 3;

/// Load between a cluster that is whole again and the next kill.
const BETWEEN: Duration = Duration::from_millis(500);

/// Who is not answered by then is counted as not answered.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// How often first answers are looked at; their moments are noted when they come, so that this is no part of a measurement.
const LOOK_EVERY: Duration = Duration::from_millis(10);

const EXAMPLES: &str = "\
Starts three `drl serve` processes of its own, and an etcd unless --etcd is given, on free
ports of loopback, all of it deleted afterwards; nothing of yours is touched. Each kill waits
until every shard has a copy in sync and each node its share, takes the next node in turn,
and measures for each of its clients the time from the kill to the first answer by the new
owner to a check that was sent after the node was gone. With R checks a second over N clients
each asks every N / R s, which is a part of that time. Then the node starts again.

Afterwards every owner is asked what it counts: over (an admission that it does not know, or
beyond the limit) and denied needlessly (with credit left) must be 0. Charged in vain is cost
that was charged twice by a retry with the new owner; it only withholds. Unknown checks got no
answer by an owner within --deadline.
All of it shares this machine: more cores than two give better figures.
Exit codes: 0 measured, 1 over-admission, needless denial, somebody was never answered, or it
could not be measured, 2 wrong usage.

Examples:
  drl bench failover
  drl bench failover --kills 9 --how stop --output json
  drl bench failover --etcd http://127.0.0.1:2379 --logs /tmp/failover

JSON: format, version, parameters, answered_again_ns, not_answered, whole_again_ns,
kills (of each: node, clients, answered_again_ns, not_answered, whole_again_ms), load, audit.";

/// Kill owners under load, and measure how long their clients wait.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Failover {
    /// How many kills; nodes take turns
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    kills: u32,
    /// kill9: the process is gone at once; stop: the host falls silent (SIGSTOP), and dies when its clients are answered
    #[arg(long, value_name = "HOW", value_enum, default_value_t = How::Kill9)]
    how: How,
    /// Checks a second of the load
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    rate: u64,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum How {
    Kill9,
    Stop,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report {
    format: u32,
    version: &'static str,
    parameters: Parameters,
    /// Of every client of every killed node.
    answered_again_ns: Latency,
    not_answered: u64,
    /// From the restart until every shard had a copy in sync and every node its share.
    whole_again_ns: Latency,
    kills: Vec<Kill>,
    load: Phase,
    audit: Audit,
}

#[derive(Debug, Serialize)]
struct Parameters {
    kills: u32,
    how: How,
    rate: u64,
    clients: u64,
    deadline_ms: u64,
}

#[derive(Debug, Serialize)]
struct Kill {
    node: String,
    clients: usize,
    answered_again_ns: Latency,
    not_answered: u64,
    whole_again_ms: u64,
    #[serde(skip)]
    waits: Vec<Nanos>,
    #[serde(skip)]
    whole_again: Nanos,
}

impl Failover {
    /// # Errors
    /// When it cannot be measured.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let report = load::runtime()?.block_on(self.measure())?;
        match self.common.output {
            Output::Table => output::write(&shown::table(&report))?,
            Output::Json => output::write_json(&report)?,
        };
        let is_clean = report.audit.is_clean() && report.not_answered == 0;
        Ok(if is_clean { Verdict::Yes } else { Verdict::No })
    }

    async fn measure(&self) -> anyhow::Result<Report> {
        let mut signals = Signals::listen()?;
        tokio::select! {
            measured = self.kill_all() => measured,
            // Dropping the other future ends everything that it started.
            () = signals.come() => anyhow::bail!("stopped before the end; everything that was started is ended"),
        }
    }

    async fn kill_all(&self) -> anyhow::Result<Report> {
        let mut cluster = OwnCluster::start(&self.cluster, NODES).await?;
        cluster.settle().await?;
        let load = self.load.start(&cluster, self.rate, 1).await?;
        let mut kills: Vec<Kill> = Vec::new();
        for (number, node) in (1..=self.kills).zip((0..NODES).cycle()) {
            let kill = self.kill(&mut cluster, &load, node).await?;
            say(&shown::line(number, self.kills, &kill));
            kills.push(kill);
        }
        let (phases, audit) = load.end(&mut cluster).await?;
        cluster.end().await;
        self.report(kills, phases, audit)
    }

    /// Kills a node, waits until its clients are answered again, and until the cluster is whole again.
    async fn kill(&self, cluster: &mut OwnCluster, load: &Load, number: usize) -> anyhow::Result<Kill> {
        pass(BETWEEN).await;
        let records = cluster.records().await?;
        let node = cluster.node(number)?;
        let id = node.id().to_owned();
        let clients = records.clients_of(&id, load.clients());
        let killed = clock::monotonic();
        match self.how {
            How::Kill9 => node.kill_9(),
            How::Stop => node.freeze()?,
        }
        // What was sent before may have been answered by the old owner.
        load.steady().watch_from(clock::monotonic());
        let answers = answered(load, &clients, killed).await;
        // A host that fell silent dies now.
        node.kill_9();
        let waits: Vec<Nanos> =
            answers.iter().flatten().map(|answer| Nanos(answer.0.saturating_sub(killed.0))).collect();
        let started = clock::monotonic();
        cluster.start_node(number).await?;
        cluster.settle().await?;
        let whole_again = span_since(started);
        Ok(Kill {
            node: id,
            clients: clients.len(),
            answered_again_ns: latency_of(waits.iter().copied())?,
            not_answered: answers.iter().map(|answer| u64::from(answer.is_none())).sum(),
            whole_again_ms: whole_again.0 / 1_000_000,
            waits,
            whole_again,
        })
    }

    fn report(&self, kills: Vec<Kill>, phases: Vec<Phase>, audit: Audit) -> anyhow::Result<Report> {
        let load = phases.into_iter().next().ok_or_else(|| anyhow::anyhow!("nothing was asked"))?;
        Ok(Report {
            format: 1,
            version: env!("CARGO_PKG_VERSION"),
            parameters: Parameters {
                kills: self.kills,
                how: self.how,
                rate: self.rate,
                clients: self.load.clients(),
                deadline_ms: self.load.deadline().0 / 1_000_000,
            },
            answered_again_ns: latency_of(kills.iter().flat_map(|kill| kill.waits.iter().copied()))?,
            not_answered: kills.iter().map(|kill| kill.not_answered).sum(),
            whole_again_ns: latency_of(kills.iter().map(|kill| kill.whole_again))?,
            kills,
            load,
            audit,
        })
    }
}

/// When each client was first answered, once all are, or it is too late.
async fn answered(load: &Load, clients: &[usize], since: Nanos) -> Vec<Option<Nanos>> {
    let mut ticks = interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let answers = load.steady().first_answers(clients);
        if answers.iter().all(Option::is_some) || Duration::from(span_since(since)) > ANSWER_WITHIN {
            return answers;
        }
    }
}
