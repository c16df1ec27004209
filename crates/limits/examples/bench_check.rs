//! How long one check takes on a hot key, per algorithm: `cargo run --release -p drl-limits --example bench_check`.
//!
//! Time advances by a microsecond per check, and the limit is such that a one-second window denies about half of
//! the checks and a longer one allows all; a bucket denies half. Prints the best and the
//! middle of eleven rounds of a million checks.

use std::hint::black_box;
use std::time::Instant;

use drl_core::{Cost, ShardTime};
use drl_limits::{Algorithm, Counter, Limit, Policy, PolicySpec};

const CHECKS: u64 = 1_000_000;
const ROUNDS: usize = 11;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{:<16} {:>7} {:>10} {:>12} {:>9}", "algorithm", "limits", "best ns", "middle ns", "allowed");
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        for windows in [&["1s"][..], &["1m"], &["1s", "1m", "1h"]] {
            let limit = |window: &&str| Ok(Limit::new(half_of_the_checks(window)?, window.parse()?)?);
            let limits = windows.iter().map(limit).collect::<Result<_, Box<dyn std::error::Error>>>()?;
            // A small bucket, so that it runs dry.
            let burst = (algorithm == Algorithm::TokenBucket).then_some(1_000);
            let policy = Policy::new(PolicySpec { limits, algorithm, burst, ..PolicySpec::default() })?;
            let mut rounds: Vec<(f64, u64)> = (0..ROUNDS).map(|_| round(&policy)).collect();
            rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
            let ((best, allowed), middle) = (rounds[0], rounds[ROUNDS / 2].0);
            println!("{:<16} {:>7} {best:>10.1} {middle:>12.1} {allowed:>9}", algorithm, windows.join("+"));
        }
    }
    Ok(())
}

/// Checks come at 1,000,000 a second.
fn half_of_the_checks(window: &str) -> Result<u64, drl_limits::InvalidWindow> {
    Ok(window.parse::<drl_limits::Window>()?.nanos().0 / 2_000)
}

#[allow(clippy::disallowed_methods)] // A benchmark measures this machine's time; nothing is decided by it.
#[allow(clippy::cast_precision_loss)] // A mean for people.
fn round(policy: &Policy) -> (f64, u64) {
    let mut counter = Counter::fresh(policy);
    let mut now = 1_700_000_000_000_000_000;
    let mut allowed = 0;
    let start = Instant::now();
    for _ in 0..CHECKS {
        now += 1_000;
        allowed += u64::from(counter.check(black_box(policy), ShardTime(black_box(now)), Cost::ONE).allowed);
    }
    (start.elapsed().as_nanos() as f64 / CHECKS as f64, allowed)
}
