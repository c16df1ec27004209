//! `drl bench handoff`: nodes leave and come back as planned (SIGTERM, start), under load. No check may fail, and how long the slowest
//! waits is what is measured. With `--seed-counters`: how long a new node takes to have a copy of so many counters.

mod seeding;
mod shown;

use std::time::Duration;

use clap::Args;
use drl_bench::{Audit, Phase};
use drl_core::Nanos;
use drl_host::clock;
use serde::Serialize;

use super::cluster::{ClusterArgs, OwnCluster, SOON};
use super::load::{self, Load, LoadArgs, pass, span_since};
use crate::cli::CommonArgs;
use crate::commands::running::Signals;
use crate::exit::{Verdict, say};
use crate::output::{self, Output};

/// Nodes of the cluster.
const NODES: usize = 3;

/// Load before each drain, and while the node is away.
const BETWEEN: Duration = Duration::from_secs(3);

/// Answers that a drain delayed come within it.
const AFTERWARDS: Duration = Duration::from_millis(500);

const EXAMPLES: &str = "\
Starts three `drl serve` processes of its own, and an etcd unless --etcd is given, on free
ports of loopback, all of it deleted afterwards; nothing of yours is touched. In each round
the next node gets SIGTERM, gives its shards away and ends, and is started again, all under
load. Checks are measured apart by when they were sent: steady (three nodes), drain (from
SIGTERM until half a second after the end), away (two nodes), back (from the start until
every shard has a copy in sync and every node its share).

Afterwards every owner is asked what it counts; see `drl bench failover --help`.
--seed-counters N measures something else: a node with N counters, all the others gone, and a
new one that gets a copy of each; the time from its start until every shard is in sync.
Exit codes: 0 measured, 1 a check failed, over-admission, needless denial, or it could not be
measured, 2 wrong usage.

Examples:
  drl bench handoff
  drl bench handoff --rounds 1 --rate 5000 --output json
  drl bench handoff --seed-counters 1000000

JSON: format, version, parameters, rounds (of each: node, drain_ms, clean_exit, back_ms),
phases (steady, drain, away, back), audit. With --seed-counters: format, version, counters,
filled_ms, ready_ms, in_sync_ms, in_sync_after_ready_ms, found, sampled.";

/// Let nodes leave and return under load, and measure how long checks wait.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Handoff {
    /// How many drains; nodes take turns
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Checks a second of the load
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    rate: u64,
    /// Measure instead how long a new node takes to have a copy of so many counters
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000), conflicts_with_all = ["rounds", "rate", "clients", "deadline"])]
    seed_counters: Option<u64>,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// What is measured apart.
#[derive(Debug, Clone, Copy)]
enum Part {
    Steady,
    Drain,
    Away,
    Back,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report {
    format: u32,
    version: &'static str,
    parameters: Parameters,
    rounds: Vec<Round>,
    phases: Phases,
    audit: Audit,
}

#[derive(Debug, Serialize)]
struct Parameters {
    rounds: u32,
    rate: u64,
    clients: u64,
    deadline_ms: u64,
}

#[derive(Debug, Serialize)]
struct Round {
    node: String,
    /// From SIGTERM to the end of the process.
    drain_ms: u64,
    /// Nobody waits for shards of it.
    clean_exit: bool,
    /// From its start until every shard has a copy in sync and every node its share.
    back_ms: u64,
}

#[derive(Debug, Serialize)]
struct Phases {
    steady: Phase,
    drain: Phase,
    away: Phase,
    back: Phase,
}

impl Phases {
    fn all(&self) -> [(&'static str, &Phase); 4] {
        [("steady", &self.steady), ("drain", &self.drain), ("away", &self.away), ("back", &self.back)]
    }

    /// Checks of which no owner said yes or no.
    fn undecided(&self) -> u64 {
        self.all().iter().map(|(_, phase)| phase.undecided()).sum()
    }
}

impl Handoff {
    /// # Errors
    /// When it cannot be measured.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        load::runtime()?.block_on(async {
            let mut signals = Signals::listen()?;
            tokio::select! {
                measured = self.measure() => measured,
                // Dropping the other future ends everything that it started.
                () = signals.come() => anyhow::bail!("stopped before the end; everything that was started is ended"),
            }
        })
    }

    async fn measure(&self) -> anyhow::Result<Verdict> {
        if let Some(counters) = self.seed_counters {
            let seeding = seeding::measure(&self.cluster, counters).await?;
            match self.common.output {
                Output::Table => output::write(&shown::seeding(&seeding))?,
                Output::Json => output::write_json(&seeding)?,
            };
            return Ok(if seeding.is_whole() { Verdict::Yes } else { Verdict::No });
        }
        let report = self.drain_all().await?;
        match self.common.output {
            Output::Table => output::write(&shown::table(&report))?,
            Output::Json => output::write_json(&report)?,
        };
        let is_clean = report.audit.is_clean() && report.phases.undecided() == 0;
        Ok(if is_clean { Verdict::Yes } else { Verdict::No })
    }

    async fn drain_all(&self) -> anyhow::Result<Report> {
        let mut cluster = OwnCluster::start(&self.cluster, NODES).await?;
        cluster.settle().await?;
        let load = self.load.start(&cluster, self.rate, 4).await?;
        let mut rounds = Vec::new();
        for (number, node) in (1..=self.rounds).zip((0..NODES).cycle()) {
            let round = drain(&mut cluster, &load, node).await?;
            say(&shown::line(number, self.rounds, &round));
            rounds.push(round);
        }
        let (phases, audit) = load.end(&mut cluster).await?;
        cluster.end().await;
        let Ok([steady, drain, away, back]) = <[Phase; 4]>::try_from(phases) else {
            anyhow::bail!("a load of another number of phases");
        };
        Ok(Report {
            format: 1,
            version: env!("CARGO_PKG_VERSION"),
            parameters: Parameters {
                rounds: self.rounds,
                rate: self.rate,
                clients: self.load.clients(),
                deadline_ms: millis(self.load.deadline()),
            },
            rounds,
            phases: Phases { steady, drain, away, back },
            audit,
        })
    }
}

/// A node leaves and comes back.
async fn drain(cluster: &mut OwnCluster, load: &Load, number: usize) -> anyhow::Result<Round> {
    let enter = |part: Part| load.steady().enter(part as usize);
    pass(BETWEEN).await;
    enter(Part::Drain);
    let began = clock::monotonic();
    let node = cluster.node(number)?;
    let (id, status) = (node.id().to_owned(), node.terminate(SOON).await?);
    let drained = span_since(began);
    cluster.nodes[number] = None;
    pass(AFTERWARDS).await;
    enter(Part::Away);
    pass(BETWEEN).await;
    enter(Part::Back);
    let began = clock::monotonic();
    cluster.start_node(number).await?;
    cluster.settle().await?;
    let back = span_since(began);
    enter(Part::Steady);
    Ok(Round { node: id, drain_ms: millis(drained), clean_exit: status.success(), back_ms: millis(back) })
}

const fn millis(span: Nanos) -> u64 {
    span.0 / 1_000_000
}
