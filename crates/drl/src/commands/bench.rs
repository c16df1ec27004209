//! `drl bench`: load for our own front doors, and how long they take. What is measured and how is in `drl-bench`; here are its flags.

mod cluster;
mod echo;
mod failover;
mod handoff;
mod load;
mod shown;

use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use drl_bench::{BenchError, CLIENT_PREFIX, Keys, OpenError, Options, Report, RespCommand, Target};
use drl_core::Nanos;
use drl_host::clock;
use drl_limits::Window;

pub(crate) use echo::BenchEcho;

use self::echo::EchoProcess;
use self::failover::Failover;
use self::handoff::Handoff;
use super::running::Signals;
use crate::cli::CommonArgs;
use crate::connection::ConnectionArgs;
use crate::exit::{self, Verdict, usage};
use crate::output::{self, Output};
use crate::selector::NamespaceArgs;
use crate::values::{self, HostPort, Named};

/// Calls under way on one connection when nobody says: enough that a node has something to do together.
const IN_FLIGHT: usize = 64;

const EXAMPLES: &str = "\
Checks are of clients bench-1 to bench-N. Without a limit for them the node says
unknown-client and counts nothing, which is not what you want to measure:
  drl limits set --prefix bench- --limit 100 --window 1m
With R checks a second over N clients of --keys uniform, each has 60 R / N a minute; a limit
of half of that denies half of the checks.

Closed loop (the default): each caller asks again when it was answered; shows what a node
can do. Open loop (--rate): checks are due evenly, whatever the answers do, and latency
counts from when a check was due; shows what callers wait. Lateness says how late the
generator itself was. Latencies are those of a call, which has --batch checks.

Doors: stream (the routing client), raw-stream (check streams by hand, what the client is
compared with), unary (Check; CheckBatch with --batch), resp (a pipeline of --batch
commands; each connection has one call in flight), echo (unary calls to an own process
that decides nothing, what unary is compared with; needs no node).
Denied is a decision; unavailable was decided by on_unavailable; rejected and failed are
no decisions. Ctrl-C ends a run early and prints what was measured.
Exit codes: 0 measured, 1 nobody listens or nothing was decided, 2 wrong usage.

Examples:
  drl bench                                      64 calls of one check in flight
  drl bench --batch 256 --in-flight 16 --duration 30s
  drl bench --rate 20000 --keys zipf:1.1         20,000 checks a second
  drl bench --door unary --in-flight 1
  drl bench --door resp --resp-endpoint 127.0.0.1:7702 --connections 64 --batch 16
  drl bench --output json > run.json

JSON: format, version, parameters, ended, measured_ms, calls, checks, decisions_per_second,
allowed, denied, unavailable, rejected, failed (each with total and reasons), missed,
latency_ns and lateness_ns (count, min, mean, p50, p90, p99, p99_9, max), first_failure.";

/// Put load on a node or cluster and measure it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct Bench {
    #[command(subcommand)]
    scenario: Option<Scenario>,
    /// The way in
    #[arg(long, value_name = "DOOR", value_enum, default_value_t = DoorName::Stream)]
    door: DoorName,
    /// Connections, 1 to 1024
    #[arg(long, value_name = "N", default_value_t = 1)]
    connections: usize,
    /// Calls under way on each connection [default: 64; resp: 1]
    #[arg(long, value_name = "N")]
    in_flight: Option<usize>,
    /// Checks in each call, 1 to 1024
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,
    /// Open loop with this many checks a second, all connections together [default: a closed loop]
    #[arg(long, value_name = "N")]
    rate: Option<u64>,
    /// How long to measure, such as 10s or 5m
    #[arg(long, value_name = "SPAN", default_value = "10s")]
    duration: Window,
    /// How long to ask before that; 0 for not at all
    #[arg(long, value_name = "SPAN", default_value = "1s", value_parser = values::span_or_zero)]
    warmup: Nanos,
    /// Threads of the generator [default: half of the cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: Option<u16>,
    #[command(flatten)]
    drawn: DrawnArgs,
    #[command(flatten)]
    resp: RespArgs,
    #[command(flatten)]
    namespace: NamespaceArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// What happens to a cluster of the run's own while it is under load.
#[derive(Debug, Subcommand)]
enum Scenario {
    Failover(Box<Failover>),
    Handoff(Box<Handoff>),
}

/// Which clients.
#[derive(Debug, Args)]
struct DrawnArgs {
    /// How checks are spread over the clients: uniform, zipf, zipf:S (exponent 0 to 10), hot (one client)
    #[arg(
        long, value_name = "KEYS", default_value_t = Keys::default(),
        value_parser = Named::<Keys>::new(&["uniform", "zipf", "hot"])
    )]
    keys: Keys,
    /// How many clients there are
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    clients: u64,
    /// The same seed draws the same clients
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// What the RESP door needs to know besides.
#[derive(Debug, Args)]
struct RespArgs {
    /// The node's RESP address, for --door resp
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7702")]
    resp_endpoint: HostPort,
    /// The command of --door resp: drl.allow goes by the configured limits, cl.throttle by --limit and --window
    #[arg(long, value_name = "NAME", value_enum, default_value_t = CommandName::DrlAllow)]
    command: CommandName,
    /// Requests per window of cl.throttle, 1 to 2^53
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = values::requests)]
    limit: u64,
    /// Window of cl.throttle, in whole seconds
    #[arg(long, value_name = "SPAN", default_value = "1m")]
    window: Window,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DoorName {
    Stream,
    RawStream,
    Unary,
    Resp,
    Echo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CommandName {
    #[value(name = "drl.allow")]
    DrlAllow,
    #[value(name = "cl.throttle")]
    ClThrottle,
}

impl Bench {
    /// # Errors
    /// When nobody answers, and when nothing was decided.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        match self.scenario {
            Some(Scenario::Failover(failover)) => failover.run(),
            Some(Scenario::Handoff(handoff)) => handoff.run(),
            None => self.put_load(),
        }
    }

    fn put_load(self) -> anyhow::Result<Verdict> {
        let options = self.options();
        let echo = if self.door == DoorName::Echo { Some(EchoProcess::start()?) } else { None };
        let target = self.target(echo.as_ref())?;
        // Before anything is asked for, so that a wrong number is wrong usage and no failure.
        options.validate(&target).map_err(|invalid| usage(&invalid.to_string()))?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(options.threads).enable_all().build()?;
        let report = runtime.block_on(async {
            let mut signals = Signals::listen()?;
            drl_bench::run(&target, &options, clock::monotonic, signals.come())
                .await
                .map_err(|error| refusal(self.door, error))
        })?;
        drop(echo);
        match self.common.output {
            Output::Table => output::write(&shown::table(&report))?,
            Output::Json => output::write_json(&report)?,
        };
        judge(&report)
    }

    fn options(&self) -> Options {
        let in_flight = if self.door == DoorName::Resp { 1 } else { IN_FLIGHT };
        Options {
            connections: self.connections,
            in_flight: self.in_flight.unwrap_or(in_flight),
            batch: self.batch,
            rate: self.rate,
            duration: Duration::from(self.duration.nanos()),
            warmup: Duration::from(self.warmup),
            timeout: Duration::from(self.connection.timeout().nanos()),
            keys: self.drawn.keys,
            clients: self.drawn.clients,
            seed: self.drawn.seed,
            threads: self.threads.map_or_else(load::threads, usize::from),
        }
    }

    fn target(&self, echo: Option<&EchoProcess>) -> Result<Target, clap::Error> {
        let (address, namespace) = (self.connection.endpoint().to_string(), self.namespace.namespace.clone());
        Ok(match self.door {
            DoorName::Stream => Target::Stream { address, namespace },
            DoorName::RawStream => Target::RawStream { address, namespace },
            DoorName::Unary => Target::Unary { address, namespace },
            DoorName::Echo => Target::Echo { address: echo.map_or(address, |echo| echo.address().to_owned()) },
            DoorName::Resp => {
                let (address, command) = (self.resp.resp_endpoint.to_string(), self.resp.command()?);
                Target::Resp { address, command }
            }
        })
    }
}

impl RespArgs {
    fn command(&self) -> Result<RespCommand, clap::Error> {
        let period = self.window.nanos();
        match self.command {
            CommandName::DrlAllow => Ok(RespCommand::Allow),
            CommandName::ClThrottle if period != Nanos::from_secs(period.secs_ceil()) => {
                Err(usage("CL.THROTTLE counts whole seconds; give a --window such as 1s or 1m"))
            }
            CommandName::ClThrottle => Ok(RespCommand::Throttle { requests: self.limit, period }),
        }
    }
}

/// What to do when there is no run.
fn refusal(door: DoorName, error: BenchError) -> anyhow::Error {
    let flag = if door == DoorName::Resp { "--resp-endpoint" } else { "--endpoint" };
    let error = match error {
        BenchError::Options(invalid) => return usage(&invalid.to_string()).into(),
        BenchError::Clients(invalid) => return usage(&invalid.to_string()).into(),
        error => error,
    };
    let advice = match &error {
        BenchError::Open(OpenError::NobodyListens { .. }) if door == DoorName::Resp => {
            format!("start a node with `drl serve --resp-listen HOST:PORT` or `drl dev`, or give {flag} HOST:PORT")
        }
        BenchError::Open(OpenError::NobodyListens { .. }) => {
            format!("start a node with `drl serve` or `drl dev`, or give {flag} HOST:PORT")
        }
        BenchError::Open(OpenError::Silent { .. }) => format!("check {flag} or give a longer --timeout"),
        BenchError::Open(_) => format!("check {flag}, and that a node runs there"),
        _ => return error.into(),
    };
    anyhow::anyhow!("{error}; {advice}")
}

/// A run in which nothing was decided measured nothing, and a script should notice.
fn judge(report: &Report) -> anyhow::Result<Verdict> {
    if !report.has_decisions() {
        match &report.first_failure {
            Some(failure) => bail!("no check was decided; the first failure was: {failure}"),
            None => bail!("no check was decided; give a longer --duration, and let the warm-up end"),
        }
    }
    let unknown = |reasons: &drl_bench::Counts| reasons.reasons.get("unknown-client").copied().unwrap_or(0);
    let unknown = unknown(&report.allowed) + unknown(&report.denied);
    if unknown > 0 {
        exit::say(&format!(
            "note: {unknown} checks were of clients without a limit, which are not counted by the node; for limits: \
             drl limits set --prefix {CLIENT_PREFIX} --limit 100 --window 1m"
        ));
    }
    if report.missed > 0 {
        exit::say(&format!(
            "note: {} checks were due and had no free caller; give more --connections or --in-flight, or a lower --rate",
            report.missed
        ));
    }
    Ok(Verdict::Yes)
}
