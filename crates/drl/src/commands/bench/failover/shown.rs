//! What was found, for people, with the targets beside it.

use std::time::Duration;

use super::{How, Kill, Report};
use crate::commands::bench::shown::{grouped, latency_row, reasons, span};
use crate::output;

impl How {
    /// Slowest 99 % of waits that the project aims for.
    const fn target(self) -> Duration {
        match self {
            Self::Kill9 => Duration::from_millis(500),
            Self::Stop => Duration::from_millis(1_500),
        }
    }
}

/// What is said of a kill while others are to come.
pub(super) fn line(number: u32, of: u32, kill: &Kill) -> String {
    let Kill { node, clients, not_answered, whole_again_ms, answered_again_ns, .. } = kill;
    let silent = if *not_answered > 0 { format!(", {not_answered} NEVER") } else { String::new() };
    format!(
        "{number}/{of}: {node}, {clients} clients answered again after p50 {}, max {}{silent}; whole again after {}",
        span(answered_again_ns.p50),
        span(answered_again_ns.max),
        span(whole_again_ms * 1_000_000)
    )
}

pub(super) fn table(report: &Report) -> String {
    let (load, audit) = (&report.load, &report.audit);
    let waits = report.answered_again_ns;
    let target = report.parameters.how.target();
    let p99 = Duration::from_nanos(waits.p99);
    let met = if p99 < target { "met" } else { "MISSED" };
    let how = match report.parameters.how {
        How::Kill9 => "kill -9",
        How::Stop => "silent host",
    };
    let rows = [
        ["kills", &format!("{} ({how}), {} clients waited", report.kills.len(), grouped(waits.count))],
        ["p99 until answered", &format!("{} (target < {target:?}: {met})", span(waits.p99))],
        ["never answered", &grouped(report.not_answered)],
        ["checks", &grouped(load.checks)],
        ["allowed", &reasons(&load.allowed)],
        ["denied", &reasons(&load.denied)],
        ["unavailable", &reasons(&load.unavailable)],
        ["rejected", &reasons(&load.rejected)],
        ["failed", &reasons(&load.failed)],
    ];
    let mut rows: Vec<[String; 2]> = rows.map(|row| row.map(ToString::to_string)).into();
    rows.extend(super::super::shown::audit_rows(audit));
    let mut cells = vec![["", "p50", "p90", "p99", "p99.9", "max"].map(str::to_owned)];
    cells.push(latency_row("answered again", &waits));
    cells.push(latency_row("whole again", &report.whole_again_ns));
    cells.push(latency_row("all checks", &load.latency_ns));
    cells.push(latency_row("lateness", &load.lateness_ns));
    format!("{}\n{}", output::columns(&rows), output::columns(&cells))
}
