//! What a run found: as one value, which is also its JSON. Field names and units are frozen by a test, since scripts compare reports.

use std::collections::BTreeMap;
use std::time::Duration;

use drl_core::Nanos;
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::door::RespCommand;
use crate::options::{Options, Target};
use crate::tally::Measured;
use crate::told::Verdict;

/// Rises when a field changes its meaning.
const FORMAT: u32 = 1;

/// Everything that a run found, with everything that it was told to do. Counts are of checks, except `calls`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub format: u32,
    /// Of this program.
    pub version: &'static str,
    pub parameters: Parameters,
    pub ended: End,
    /// From the end of the warm-up to the last answer.
    pub measured_ms: u64,
    pub calls: u64,
    pub checks: u64,
    /// All checks that were decided by nodes, for each second of `measured_ms`.
    pub decisions_per_second: f64,
    pub allowed: Counts,
    pub denied: Counts,
    /// Decided by the policies' `on_unavailable`, because nobody could be asked in time.
    pub unavailable: Counts,
    pub rejected: Counts,
    pub failed: Counts,
    /// Checks of an open loop that were due and for which no worker came free in time. They are in no other number.
    pub missed: u64,
    /// Of calls of which any check was decided. In an open loop it begins when the call was due.
    pub latency_ns: Latency,
    /// How late calls of an open loop were sent: a large value means that `connections` and `in_flight` are too few, or that the
    /// generator itself has too little of the machine. `None`: a closed loop.
    pub lateness_ns: Option<Latency>,
    /// The first thing that went wrong, for people.
    pub first_failure: Option<String>,
}

/// What the run was told to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parameters {
    pub door: &'static str,
    pub address: String,
    /// Of the RESP door.
    pub command: Option<String>,
    pub namespace: Option<String>,
    /// Checks a second of an open loop; `None`: a closed loop.
    pub rate: Option<u64>,
    pub connections: usize,
    pub in_flight: usize,
    pub batch: usize,
    pub threads: usize,
    pub keys: String,
    pub clients: u64,
    pub seed: u64,
    pub duration_ms: u64,
    pub warmup_ms: u64,
    pub timeout_ms: u64,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    Duration,
    /// It was told to.
    Stopped,
}

/// Checks of one verdict, by reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    pub total: u64,
    pub reasons: BTreeMap<&'static str, u64>,
}

/// How long something took, in nanoseconds, to three digits; zero when `count` is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Calls.
    pub count: u64,
    pub min: u64,
    pub mean: f64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub max: u64,
}

impl Report {
    /// `begin`: when the warm-up ended.
    pub(crate) fn new(
        target: &Target,
        options: &Options,
        measured: &Measured,
        begin: Nanos,
        missed: u64,
        ended: End,
    ) -> Self {
        let counts = |verdict| Counts::of(measured, verdict);
        let (allowed, denied) = (counts(Verdict::Allowed), counts(Verdict::Denied));
        let (unavailable, rejected, failed) =
            (counts(Verdict::Unavailable), counts(Verdict::Rejected), counts(Verdict::Failed));
        let checks = [&allowed, &denied, &unavailable, &rejected, &failed].iter().map(|counts| counts.total).sum();
        let span = Duration::from(Nanos(measured.last_done.0.saturating_sub(begin.0)));
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
            parameters: Parameters::of(target, options),
            ended,
            measured_ms: millis(span),
            calls: measured.calls,
            checks,
            decisions_per_second: per_second(allowed.total + denied.total, span),
            allowed,
            denied,
            unavailable,
            rejected,
            failed,
            missed,
            latency_ns: Latency::of(&measured.latency),
            lateness_ns: options.rate.map(|_| Latency::of(&measured.lateness)),
            first_failure: measured.told.failure().map(str::to_owned),
        }
    }

    /// Whether any node decided anything.
    #[must_use]
    pub const fn has_decisions(&self) -> bool {
        self.allowed.total + self.denied.total > 0
    }
}

impl Parameters {
    fn of(target: &Target, options: &Options) -> Self {
        let (command, namespace) = match target {
            Target::Stream { namespace, .. }
            | Target::RawStream { namespace, .. }
            | Target::Unary { namespace, .. } => (None, Some(namespace.clone())),
            Target::Echo { .. } => (None, None),
            Target::Resp { command, .. } => (Some(command.to_string()), None),
        };
        Self {
            door: target.name(),
            address: target.address().to_owned(),
            command,
            namespace,
            rate: options.rate,
            connections: options.connections,
            in_flight: options.in_flight,
            batch: options.batch,
            threads: options.threads,
            keys: options.keys.to_string(),
            clients: options.clients,
            seed: options.seed,
            duration_ms: millis(options.duration),
            warmup_ms: millis(options.warmup),
            timeout_ms: millis(options.timeout),
        }
    }
}

impl std::fmt::Display for RespCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Allow => f.write_str("drl.allow"),
            Self::Throttle { requests, period } => write!(f, "cl.throttle {requests} per {}s", period.secs_ceil()),
        }
    }
}

impl Counts {
    pub(crate) fn of(measured: &Measured, verdict: Verdict) -> Self {
        let of_verdict = measured.told.counts().filter(|(found, ..)| *found == verdict);
        let reasons: BTreeMap<_, _> = of_verdict.map(|(_, reason, checks)| (reason, checks)).collect();
        Self { total: reasons.values().sum(), reasons }
    }
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| if histogram.is_empty() { 0 } else { histogram.value_at_quantile(quantile) };
        Self {
            count: histogram.len(),
            min: histogram.min(),
            mean: histogram.mean(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: histogram.max(),
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people and scripts; a billionth does not matter")]
fn per_second(count: u64, span: Duration) -> f64 {
    if span.is_zero() { 0.0 } else { count as f64 / span.as_secs_f64() }
}

#[cfg(test)]
mod tests;
