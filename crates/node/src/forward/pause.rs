//! Waits between tries, spread so that nodes that lost the same peer do not come back together. The client's pause draws its spread; a node
//! draws nothing, and the two share no crate in which waiting would be at home.

use std::time::Duration;

use drl_host::clock;
use tokio::time::timeout;

/// A pause that grows with every use.
#[derive(Debug, Clone)]
pub(crate) struct Pause {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pause {
    /// Pauses from about `first` on, doubling up to `longest`.
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The next pause: between the half and the whole of what its turn allows.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.longest);
        spread(whole, clock::monotonic().0)
    }

    /// Begins anew.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// Waits. Somewhere else something may happen meanwhile that nobody tells of.
pub(crate) async fn wait(pause: Duration) {
    let _ = timeout(pause, std::future::pending::<()>()).await;
}

/// Between the half and the whole of `pause`. The nanoseconds of a clock are as good as chance here: nobody gains by guessing them.
fn spread(pause: Duration, nanos: u64) -> Duration {
    let half = pause / 2;
    // The multiplier is 2^64 / the golden ratio: neighbouring readings of the clock end up far apart.
    let part = u32::try_from(nanos.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54).unwrap_or(0);
    half + half * part / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew() {
        let (first, longest) = (Duration::from_millis(5), Duration::from_millis(50));
        let mut pause = Pause::new(first, longest);
        for whole in [5, 10, 20, 40, 50, 50].map(Duration::from_millis) {
            let next = pause.next();
            assert!(next >= whole / 2 && next <= whole, "{next:?} of {whole:?}");
        }
        pause.reset();
        assert!(pause.next() <= first);
    }

    #[test]
    fn neighbouring_readings_of_the_clock_give_different_pauses() {
        let pauses: std::collections::BTreeSet<_> =
            (0..100).map(|nanos| spread(Duration::from_millis(40), 1_000_000 + nanos)).collect();
        assert!(pauses.len() > 90, "{}", pauses.len());
        assert!(pauses.iter().all(|pause| (20..=40).contains(&pause.as_millis())), "{pauses:?}");
    }
}
