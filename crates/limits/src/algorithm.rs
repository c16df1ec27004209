//! The names of the algorithms. What each one promises is written at the top of its own file and in docs/limits.md.

use crate::classes::named_choices;

named_choices! {
    /// How the limits of a policy are counted.
    Algorithm("algorithm") {
        /// Aligned windows: the count starts over at every multiple of the window.
        FixedWindow = "fixed-window",
        /// No interval of the window's length ever admits more than the limit.
        #[default]
        SlidingWindow = "sliding-window",
        /// A bucket of `burst` tokens that is refilled at `requests` per window (GCRA).
        TokenBucket = "token-bucket",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_frozen_and_read_back() {
        let names = ["fixed-window", "sliding-window", "token-bucket"];
        let algorithms = [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket];
        for (name, algorithm) in names.into_iter().zip(algorithms) {
            assert_eq!(algorithm.to_string(), name);
            assert_eq!(name.parse(), Ok(algorithm));
        }
        assert!("gcra".parse::<Algorithm>().is_err());
        assert_eq!(Algorithm::default(), Algorithm::SlidingWindow);
    }
}
