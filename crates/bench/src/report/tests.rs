//! The JSON of a report, frozen.

use super::*;
use crate::options::tests::{options, target};
use crate::tally::Moments;
use crate::told::Told;
use crate::turns::Turn;

fn measured() -> Measured {
    let mut measured = Measured::new().unwrap();
    let mut told = Told::default();
    told.add(Verdict::Allowed, "within-limit", 3);
    told.add(Verdict::Denied, "over-limit", 1);
    for millis in [1, 2, 1_000] {
        let (sent, done) = (Nanos::from_secs(1), Nanos(Nanos::from_secs(1).0 + Nanos::from_millis(millis).0));
        measured.add(Moments { turn: Turn::Due(sent), sent, done }, &told);
    }
    told.clear();
    told.add(Verdict::Unavailable, "local-estimate", 2);
    told.fail(Verdict::Rejected, "busy", 1, || "busy: try again".to_owned());
    told.fail(Verdict::Failed, "timed-out", 1, || "no answer".to_owned());
    let (sent, done) = (Nanos::from_secs(1), Nanos::from_secs(3));
    measured.add(Moments { turn: Turn::Due(sent), sent, done }, &told);
    measured
}

#[test]
fn the_json_of_a_report_is_frozen() {
    let open = Options { rate: Some(100), ..options() };
    let report = Report::new(&target(), &open, &measured(), Nanos::from_secs(1), 5, End::Stopped);
    let latency = |latency: Latency| serde_json::to_value(latency).unwrap();
    let expected = serde_json::json!({
        "format": 1, "version": env!("CARGO_PKG_VERSION"),
        "parameters": {
            "door": "unary", "address": "127.0.0.1:7700", "command": null, "namespace": "default", "rate": 100,
            "connections": 2, "in_flight": 3, "batch": 4, "threads": 1, "keys": "zipf:1.5", "clients": 1_000, "seed": 7,
            "duration_ms": 3_000, "warmup_ms": 500, "timeout_ms": 5_000,
        },
        "ended": "stopped", "measured_ms": 2_000, "calls": 4, "checks": 16, "decisions_per_second": 6.0,
        "allowed": {"total": 9, "reasons": {"within-limit": 9}},
        "denied": {"total": 3, "reasons": {"over-limit": 3}},
        "unavailable": {"total": 2, "reasons": {"local-estimate": 2}},
        "rejected": {"total": 1, "reasons": {"busy": 1}},
        "failed": {"total": 1, "reasons": {"timed-out": 1}},
        "missed": 5,
        "latency_ns": latency(report.latency_ns), "lateness_ns": latency(report.lateness_ns.unwrap()),
        "first_failure": "busy: try again",
    });
    assert_eq!(serde_json::to_value(&report).unwrap(), expected);
    let names: Vec<String> = latency(report.latency_ns).as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["count", "max", "mean", "min", "p50", "p90", "p99", "p99_9"]);
}

#[test]
fn latencies_are_nanoseconds_to_three_digits() {
    let report = Report::new(&target(), &options(), &measured(), Nanos::from_secs(1), 0, End::Duration);
    let is_near = |found: u64, millis: u64| found.abs_diff(millis * 1_000_000) <= millis * 1_000;
    let Latency { count, min, p50, p90, max, .. } = report.latency_ns;
    assert_eq!((count, report.lateness_ns), (4, None));
    assert!(is_near(min, 1) && is_near(p50, 2) && is_near(p90, 2_000) && is_near(max, 2_000), "{report:?}");
}

#[test]
fn a_run_that_measured_nothing_has_zeros_and_no_division_by_them() {
    let report = Report::new(&target(), &options(), &Measured::new().unwrap(), Nanos::from_secs(9), 0, End::Stopped);
    assert_eq!((report.checks, report.measured_ms, report.latency_ns.p99), (0, 0, 0));
    assert!(report.decisions_per_second.abs() < f64::EPSILON && !report.has_decisions());
}
