//! The text format 0.0.4 of Prometheus. Names and labels are ours, or ids of nodes, so nothing needs escaping.

use std::fmt::{self, Display, Write as _};

use drl_core::Nanos;

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A sample. Both kinds are whole numbers until they are written, so nothing is rounded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Count(u64),
    /// Written in seconds.
    Span(Nanos),
}

#[derive(Debug, Default)]
pub(super) struct Text(String);

/// The samples of one metric.
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Span(Nanos(nanos)) => {
                let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
                let text = format!("{seconds}.{rest:09}");
                f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

impl Text {
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a String does not fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Family { text: &mut self.0, name }
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl Family<'_> {
    pub(super) fn value(&mut self, value: Value) {
        self.part("", None, value);
    }

    pub(super) fn count(&mut self, count: u64) {
        self.value(Value::Count(count));
    }

    pub(super) fn labelled(&mut self, label: &str, of: &str, count: u64) {
        self.part("", Some((label, of)), Value::Count(count));
    }

    pub(super) fn part(&mut self, suffix: &str, label: Option<(&str, &str)>, value: Value) {
        let name = self.name;
        let _ = match label {
            Some((label, of)) => writeln!(self.text, "{name}{suffix}{{{label}=\"{of}\"}} {value}"),
            None => writeln!(self.text, "{name}{suffix} {value}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_seconds_without_a_trailing_zero() {
        let shown = [0, 1, 25_000, 1_000_000_000, 10_500_000_000].map(|nanos| Value::Span(Nanos(nanos)).to_string());
        assert_eq!(shown, ["0", "0.000000001", "0.000025", "1", "10.5"]);
    }
}
