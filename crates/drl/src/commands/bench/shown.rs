//! A report for people.

use std::time::Duration;

use drl_bench::{Audit, Counts, End, Latency, Parameters, Report};

use crate::output;

/// One row for each thing, and a table of latencies below.
pub(super) fn table(report: &Report) -> String {
    let mut rows = vec![["load".to_owned(), load(&report.parameters)], ["keys".to_owned(), keys(&report.parameters)]];
    let early = if report.ended == End::Stopped { ", ended early" } else { "" };
    let measured = Duration::from_millis(report.measured_ms);
    rows.push(["measured".to_owned(), format!("{measured:.1?}{early}, {} calls", grouped(report.calls))]);
    rows.push([
        "checks".to_owned(),
        format!("{} ({} decisions/s)", grouped(report.checks), rate(report.decisions_per_second)),
    ]);
    let verdicts = [
        ("allowed", &report.allowed),
        ("denied", &report.denied),
        ("unavailable", &report.unavailable),
        ("rejected", &report.rejected),
        ("failed", &report.failed),
    ];
    rows.extend(verdicts.map(|(name, counts)| [name.to_owned(), reasons(counts)]));
    if report.parameters.rate.is_some() {
        rows.push(["missed".to_owned(), grouped(report.missed)]);
    }
    if let Some(failure) = &report.first_failure {
        rows.push(["first failure".to_owned(), failure.clone()]);
    }
    let latencies = [Some(("latency", report.latency_ns)), report.lateness_ns.map(|lateness| ("lateness", lateness))];
    let mut cells = vec![["", "p50", "p90", "p99", "p99.9", "max"].map(str::to_owned)];
    cells.extend(latencies.into_iter().flatten().map(|(name, latency)| latency_row(name, &latency)));
    format!("{}\n{}", output::columns(&rows), output::columns(&cells))
}

fn load(parameters: &Parameters) -> String {
    let Parameters { door, address, command, connections, in_flight, batch, threads, .. } = parameters;
    let command = command.as_deref().map(|command| format!(" {command}")).unwrap_or_default();
    let pace = match parameters.rate {
        Some(rate) => format!("open loop, {} checks/s", grouped(rate)),
        None => "closed loop".to_owned(),
    };
    format!(
        "{door} {address}{command}: {pace}, connections {connections}, in flight {in_flight}, batch {batch}, threads {threads}"
    )
}

fn keys(parameters: &Parameters) -> String {
    let Parameters { keys, clients, seed, .. } = parameters;
    format!("{keys}, {} clients, seed {seed}", grouped(*clients))
}

/// What clients were told beside what owners count; the first two must be 0.
pub(super) fn audit_rows(audit: &Audit) -> Vec<[String; 2]> {
    let must_be_none =
        |count: u64| if count == 0 { "0 (must be 0)".to_owned() } else { format!("{} (MUST BE 0)", grouped(count)) };
    let mut rows = vec![
        ["over".to_owned(), must_be_none(audit.over)],
        ["denied needlessly".to_owned(), must_be_none(audit.denied_needlessly)],
        ["unknown".to_owned(), grouped(audit.unknown)],
        ["charged in vain".to_owned(), grouped(audit.charged_in_vain)],
        ["not audited".to_owned(), must_be_none(audit.not_audited)],
    ];
    rows.extend(audit.wrong.iter().map(|sentence| ["wrong".to_owned(), sentence.clone()]));
    rows
}

/// `1,234 (over-limit 1,230, unknown-client 4)`.
pub(super) fn reasons(counts: &Counts) -> String {
    let named = counts.reasons.iter().map(|(reason, checks)| format!("{reason} {}", grouped(*checks)));
    let named: Vec<String> = named.collect();
    if named.is_empty() { "0".to_owned() } else { format!("{} ({})", grouped(counts.total), named.join(", ")) }
}

pub(super) fn latency_row(name: &str, latency: &Latency) -> [String; 6] {
    let Latency { p50, p90, p99, p99_9, max, .. } = *latency;
    let [p50, p90, p99, p99_9, max] = [p50, p90, p99, p99_9, max].map(span);
    [name.to_owned(), p50, p90, p99, p99_9, max]
}

/// Three digits and a unit: `1.23ms`.
pub(super) fn span(nanos: u64) -> String {
    let digits = nanos.checked_ilog10().map_or(0, |log| 2 - log % 3);
    format!("{:.*?}", usize::try_from(digits).unwrap_or(0), Duration::from_nanos(nanos))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate that was counted")]
fn rate(per_second: f64) -> String {
    grouped(per_second.round() as u64)
}

/// Digits in threes.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_spans_have_three_digits() {
        let numbers = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
        let spans = [0, 999, 1_234, 12_345, 123_456, 1_234_567, 12_345_678, 1_234_567_890].map(span);
        assert_eq!(spans, ["0ns", "999ns", "1.23µs", "12.3µs", "123µs", "1.23ms", "12.3ms", "1.23s"]);
    }

    #[test]
    fn reasons_are_told_apart() {
        let counts = Counts { total: 1_234, reasons: [("over-limit", 1_230), ("unknown-client", 4)].into() };
        assert_eq!(reasons(&counts), "1,234 (over-limit 1,230, unknown-client 4)");
        assert_eq!(reasons(&Counts::default()), "0");
    }
}
