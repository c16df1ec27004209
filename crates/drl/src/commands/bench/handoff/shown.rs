//! What was found, for people, with the targets beside it.

use std::time::Duration;

use super::seeding::Seeding;
use super::{Report, Round};
use crate::commands::bench::shown::{audit_rows, grouped, latency_row, span};
use crate::output;

/// The slowest answer that the project aims for.
const SLOWEST_TARGET: Duration = Duration::from_millis(250);

/// A million counters.
const SEEDED_TARGET: Duration = Duration::from_secs(10);

/// What is said of a round while others are to come.
pub(super) fn line(number: u32, of: u32, round: &Round) -> String {
    let Round { node, drain_ms, clean_exit, back_ms } = round;
    let exit = if *clean_exit { "" } else { " (NOT a clean exit)" };
    let (drained, back) = (span(drain_ms * 1_000_000), span(back_ms * 1_000_000));
    format!("{number}/{of}: {node} drained in {drained}{exit}, back and whole in {back}")
}

pub(super) fn table(report: &Report) -> String {
    let phases = report.phases.all();
    let slowest = phases.iter().map(|(_, phase)| phase.latency_ns.max).max().unwrap_or_default();
    let met = |is_met| if is_met { "met" } else { "MISSED" };
    let drains: Vec<String> = report.rounds.iter().map(|round| span(round.drain_ms * 1_000_000)).collect();
    let back: Vec<String> = report.rounds.iter().map(|round| span(round.back_ms * 1_000_000)).collect();
    let clean = report.rounds.iter().filter(|round| round.clean_exit).count();
    let undecided = report.phases.undecided();
    let checks: u64 = phases.iter().map(|(_, phase)| phase.checks).sum();
    let mut rows = vec![
        [
            "drains".to_owned(),
            format!("{}, {clean} with a clean exit; took {}", report.rounds.len(), drains.join(", ")),
        ],
        ["back and whole".to_owned(), format!("after {}", back.join(", "))],
        ["checks".to_owned(), format!("{} ({} a second)", grouped(checks), grouped(report.parameters.rate))],
        ["without an answer".to_owned(), format!("{} (target 0: {})", grouped(undecided), met(undecided == 0))],
        [
            "slowest answer".to_owned(),
            format!(
                "{} (target < {SLOWEST_TARGET:?}: {})",
                span(slowest),
                met(Duration::from_nanos(slowest) < SLOWEST_TARGET)
            ),
        ],
    ];
    rows.extend(audit_rows(&report.audit));
    let failure = phases.iter().find_map(|(_, phase)| phase.first_failure.clone());
    rows.extend(failure.map(|failure| ["first failure".to_owned(), failure]));
    let mut cells = vec![["", "p50", "p90", "p99", "p99.9", "max"].map(str::to_owned)];
    for (name, phase) in phases {
        cells.push(latency_row(name, &phase.latency_ns));
        cells.push(latency_row(&format!("{name}: lateness"), &phase.lateness_ns));
    }
    format!("{}\n{}", output::columns(&rows), output::columns(&cells))
}

pub(super) fn seeding(seeding: &Seeding) -> String {
    let took = Duration::from_millis(seeding.in_sync_ms);
    let met = if took < SEEDED_TARGET { "met" } else { "MISSED" };
    output::columns(&[
        [
            "counters".to_owned(),
            format!("{}, made in {}", grouped(seeding.counters), span(seeding.filled_ms * 1_000_000)),
        ],
        ["new node ready".to_owned(), format!("after {}", span(seeding.ready_ms * 1_000_000))],
        [
            "every shard in sync".to_owned(),
            format!("after {took:.2?} (target for a million < {SEEDED_TARGET:?}: {met})"),
        ],
        ["found there".to_owned(), format!("{} of {}", grouped(seeding.found), grouped(seeding.sampled))],
    ])
}
