//! What a client draws: the names of its sessions, and how long it waits between tries, so that clients which lost the same node do
//! not come back together.

use std::time::Duration;

use rand::Rng as _;

/// The name of a session: nobody else has it, and nobody guesses it.
#[expect(clippy::disallowed_methods, reason = "the one place of this crate where something is drawn")]
pub(crate) fn session() -> [u8; 16] {
    rand::rng().random()
}

/// A place in a list of so many, anywhere; zero for an empty one.
#[expect(clippy::disallowed_methods, reason = "the one place of this crate where something is drawn")]
pub(crate) fn place(count: usize) -> usize {
    if count == 0 { 0 } else { rand::rng().random_range(0..count) }
}

/// A pause that grows with every use.
#[derive(Debug, Clone)]
pub(crate) struct Pause {
    longest: Duration,
    next: Duration,
}

impl Pause {
    /// Pauses from about `first` on, doubling up to `longest`.
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { longest, next: first }
    }

    /// The next pause: between the half and the whole of what its turn allows.
    #[expect(clippy::disallowed_methods, reason = "the one place of this crate where something is drawn")]
    pub(crate) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.longest);
        rand::rng().random_range(whole / 2..=whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_spread() {
        let mut pause = Pause::new(Duration::from_millis(5), Duration::from_millis(50));
        for whole in [5, 10, 20, 40, 50, 50].map(Duration::from_millis) {
            let next = pause.next();
            assert!(next >= whole / 2 && next <= whole, "{next:?} of {whole:?}");
        }
        let drawn: std::collections::BTreeSet<_> = (0..100).map(|_| pause.next()).collect();
        assert!(drawn.len() > 90, "{}", drawn.len());
    }

    #[test]
    fn no_two_sessions_have_one_name() {
        assert_ne!(session(), session());
    }
}
