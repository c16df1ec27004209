//! Spans that were measured one by one, as the same summary that calls get.

use drl_core::Nanos;

use crate::report::Latency;
use crate::tally::{Measured, TallyError};

/// The quantiles of these.
///
/// # Errors
/// [`TallyError`].
pub fn latency_of(spans: impl IntoIterator<Item = Nanos>) -> Result<Latency, TallyError> {
    let mut histogram = Measured::new()?.latency;
    for span in spans {
        histogram.saturating_record(span.0);
    }
    Ok(Latency::of(&histogram))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_all_spans_and_none_of_none() {
        let latency = latency_of((1..=100).map(Nanos)).unwrap();
        assert_eq!((latency.count, latency.p50, latency.p99, latency.max), (100, 50, 99, 100));
        assert_eq!(latency_of([]).unwrap().max, 0);
    }
}
