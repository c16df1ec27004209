//! A histogram of durations with fixed bounds. Recording is two additions, whatever the number of samples that share a duration.

use std::sync::atomic::{AtomicU64, Ordering};

use drl_core::Nanos;

use super::text::{Kind, Text, Value};

/// Upper bounds in microseconds: 1-2.5-5 steps from what a decision alone takes to what a broken disk takes.
const BOUNDS_US: [u64; 17] = [
    25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000,
];

#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// Samples at or below each bound and above the one before; the last holds what is above all.
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_nanos: AtomicU64,
}

impl Histogram {
    /// `samples` samples that took `span` each.
    pub(super) fn record(&self, span: Nanos, samples: u64) {
        let bucket = BOUNDS_US.partition_point(|bound| bound.saturating_mul(1_000) < span.0);
        self.buckets[bucket].fetch_add(samples, Ordering::Relaxed);
        self.sum_nanos.fetch_add(span.0.saturating_mul(samples), Ordering::Relaxed);
    }

    pub(super) fn write(&self, text: &mut Text, name: &'static str, help: &str) {
        let mut family = text.family(name, Kind::Histogram, help);
        let mut below = 0;
        for (bound, bucket) in BOUNDS_US.iter().zip(&self.buckets) {
            below += bucket.load(Ordering::Relaxed);
            let upper = Value::Span(Nanos(bound.saturating_mul(1_000)));
            family.part("_bucket", Some(("le", &upper.to_string())), Value::Count(below));
        }
        below += self.buckets[BOUNDS_US.len()].load(Ordering::Relaxed);
        family.part("_bucket", Some(("le", "+Inf")), Value::Count(below));
        family.part("_sum", None, Value::Span(Nanos(self.sum_nanos.load(Ordering::Relaxed))));
        family.part("_count", None, Value::Count(below));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        histogram.record(Nanos(25_000), 2);
        histogram.record(Nanos(25_001), 3);
        histogram.record(Nanos(9_000_000_000), 1);
        let mut text = Text::default();
        histogram.write(&mut text, "x_seconds", "Help.");
        let text = text.into_string();
        for line in [
            "# TYPE x_seconds histogram",
            "x_seconds_bucket{le=\"0.000025\"} 2",
            "x_seconds_bucket{le=\"0.00005\"} 5",
            "x_seconds_bucket{le=\"5\"} 5",
            "x_seconds_bucket{le=\"+Inf\"} 6",
            "x_seconds_count 6",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
