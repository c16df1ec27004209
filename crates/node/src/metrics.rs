//! What a node counts about itself, and its text for Prometheus (`/metrics`). Counters are atomics that are added to once per batch; no
//! label has values from outside but the names of the cluster's nodes, so the number of series is bounded.

mod cluster;
mod forwarded;
mod histogram;
mod replication;
mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drl_core::Nanos;
use drl_host::{Host, clock};

use crate::cluster::Standing;
pub(crate) use forwarded::Forwarded;
use histogram::Histogram;
pub(crate) use replication::{Event as ReplicationEvent, Replicated};
use text::{Kind, Text, Value};

/// The front doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Grpc,
    Http,
    Resp,
}

const DOORS: [Door; 3] = [Door::Grpc, Door::Http, Door::Resp];

#[derive(Debug)]
pub(crate) struct Metrics {
    started: Nanos,
    decision: Histogram,
    connections: [AtomicU64; DOORS.len()],
    turned_away: [AtomicU64; DOORS.len()],
    forwarded: [AtomicU64; Forwarded::ALL.len()],
    unread: AtomicU64,
    replicated: Arc<Replicated>,
}

/// What stands in the answer of a scrape and is not counted here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policies {
    pub(crate) count: usize,
    /// Stored policies that could not be read at the last start.
    pub(crate) broken: usize,
    /// Changes that were made and are not in the store any more.
    pub(crate) missing: u64,
    pub(crate) revision: u64,
}

impl Door {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
            Self::Resp => "resp",
        }
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            started: clock::monotonic(),
            decision: Histogram::default(),
            connections: Default::default(),
            turned_away: Default::default(),
            forwarded: Default::default(),
            unread: AtomicU64::new(0),
            replicated: Arc::default(),
        }
    }

    /// The answers of `checks` checks that arrived together at `arrived` leave now.
    pub(crate) fn decided(&self, arrived: Nanos, checks: usize) {
        self.decision.record(Nanos(clock::monotonic().0.saturating_sub(arrived.0)), checks as u64);
    }

    /// A peer was asked to decide a check.
    pub(crate) fn forwarded(&self, outcome: Forwarded) {
        self.forwarded[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Check streams were ended because nobody took their answers.
    pub(crate) fn unread(&self, streams: usize) {
        self.unread.fetch_add(streams as u64, Ordering::Relaxed);
    }

    /// What happens to letters between nodes.
    pub(crate) const fn replicated(&self) -> &Arc<Replicated> {
        &self.replicated
    }

    pub(crate) fn connected(&self, door: Door) {
        self.connections[door as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn disconnected(&self, door: Door) {
        self.connections[door as usize].fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn turned_away(&self, door: Door) {
        self.turned_away[door as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connections(&self, door: Door) -> u64 {
        self.connections[door as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn uptime_s(&self) -> u64 {
        clock::monotonic().0.saturating_sub(self.started.0) / 1_000_000_000
    }

    /// Everything, in the text format 0.0.4 of Prometheus.
    pub(crate) fn text(&self, host: &Host, policies: Policies, standing: Option<&Standing>) -> String {
        let mut text = Text::default();
        decisions(&mut text, host);
        self.decision.write(
            &mut text,
            "drl_decision_seconds",
            "From the arrival of a check to the release of its answer.",
        );
        journal(&mut text, host);
        self.doors(&mut text);
        if let Some(standing) = standing {
            cluster::write(&mut text, standing);
            let stats = host.stats();
            self.replicated.write(&mut text, &stats.rejections);
            cluster::copies(&mut text, &stats);
        }
        let mut family = text.family(
            "drl_forwarded_checks_total",
            Kind::Counter,
            "Checks of other nodes' shards that were passed on to them, each time, by what came of it.",
        );
        for outcome in Forwarded::ALL {
            let count = self.forwarded[outcome as usize].load(Ordering::Relaxed);
            family.labelled("outcome", outcome.as_str(), count);
        }
        text.family(
            "drl_streams_unread_total",
            Kind::Counter,
            "Check streams that were ended because nobody took their answers.",
        )
        .count(self.unread.load(Ordering::Relaxed));
        text.family("drl_policies", Kind::Gauge, "Policies in force.").count(policies.count as u64);
        text.family("drl_policies_broken", Kind::Gauge, "Stored policies that could not be read at the last start.")
            .count(policies.broken as u64);
        text.family(
            "drl_policies_missing",
            Kind::Gauge,
            "Changes of policies that were lost; unknown clients are denied.",
        )
        .count(policies.missing);
        text.family("drl_policy_revision", Kind::Gauge, "Revision of the newest change of a policy.")
            .count(policies.revision);
        text.family("drl_uptime_seconds", Kind::Gauge, "Time since the node started.").count(self.uptime_s());
        text.family("drl_build_info", Kind::Gauge, "The version of this program.").labelled(
            "version",
            env!("CARGO_PKG_VERSION"),
            1,
        );
        text.into_string()
    }

    fn doors(&self, text: &mut Text) {
        let mut family = text.family("drl_connections", Kind::Gauge, "Open connections.");
        for door in DOORS {
            family.labelled("door", door.as_str(), self.connections(door));
        }
        let mut family = text.family(
            "drl_connections_refused_total",
            Kind::Counter,
            "Connections that were closed because the door was full.",
        );
        for door in DOORS {
            family.labelled("door", door.as_str(), self.turned_away[door as usize].load(Ordering::Relaxed));
        }
    }
}

fn decisions(text: &mut Text, host: &Host) {
    let stats = host.stats();
    let mut family = text.family(
        "drl_decisions_total",
        Kind::Counter,
        "Checks by outcome. unknown_client and shadow are also counted as what was answered.",
    );
    for (outcome, count) in [
        ("allowed", stats.admitted),
        ("denied", stats.denied),
        ("unknown_client", stats.unknown_client),
        ("shadow", stats.shadow_denied),
        ("refused", stats.refused),
    ] {
        family.labelled("outcome", outcome, count);
    }
}

fn journal(text: &mut Text, host: &Host) {
    let stats = host.stats();
    let whole = Value::Count(u64::from(stats.doubts.is_empty()));
    for (name, kind, help, value) in [
        ("drl_journal_frames_total", Kind::Counter, "Frames written to the journal.", Value::Count(stats.frames)),
        ("drl_journal_rows_total", Kind::Counter, "Counters written to the journal.", Value::Count(stats.frame_rows)),
        (
            "drl_journal_written_bytes_total",
            Kind::Counter,
            "Bytes of frames written to the journal.",
            Value::Count(stats.frame_bytes),
        ),
        (
            "drl_journal_bytes",
            Kind::Gauge,
            "Bytes of the journal behind the last checkpoint.",
            Value::Count(stats.journal_bytes),
        ),
        (
            "drl_journal_lag_seconds",
            Kind::Gauge,
            "Age of the oldest change that is not yet written.",
            Value::Span(stats.journal_lag),
        ),
        ("drl_journal_commit_seconds", Kind::Gauge, "How long the last commit took.", Value::Span(stats.commit_time)),
        (
            "drl_journal_pending_rows",
            Kind::Gauge,
            "Counters that wait for their commit.",
            Value::Count(stats.rows_pending),
        ),
        (
            "drl_journal_whole",
            Kind::Gauge,
            "1 when the journal was whole at the last start, 0 when counters were given up.",
            whole,
        ),
        ("drl_counters", Kind::Gauge, "Counters in memory.", Value::Count(stats.counters)),
        ("drl_checkpoints_total", Kind::Counter, "Checkpoints since the start.", Value::Count(stats.checkpoints)),
        ("drl_ready", Kind::Gauge, "1 while the node decides.", Value::Count(u64::from(host.ready().is_ok()))),
    ] {
        text.family(name, kind, help).value(value);
    }
}
