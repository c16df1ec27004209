//! Lines per second of a replay on one core: `cargo run --release -p drl-replay --example bench_replay`.
//!
//! One million combined lines, as a web server writes them, are made in memory first; then reading and deciding are timed.

use std::fmt::Write as _;
use std::time::Instant;

use drl_limits::{Algorithm, Limit, Policy, PolicySpec};
use drl_replay::{Key, Replay};

const LINES: u64 = 1_000_000;
const CLIENTS: u64 = 100_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let log = make_log()?;
    println!("{LINES} lines, {} MB, up to {CLIENTS} clients", log.len() / 1_000_000);
    for algorithm in [Algorithm::SlidingWindow, Algorithm::FixedWindow, Algorithm::TokenBucket] {
        let spec = PolicySpec { limits: vec![Limit::new(3, "1m".parse()?)?], algorithm, ..PolicySpec::default() };
        for key in [Key::Ip, Key::UserAgent] {
            time_one(spec.clone(), key, &log)?;
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn time_one(spec: PolicySpec, key: Key, log: &str) -> Result<(), Box<dyn std::error::Error>> {
    let algorithm = spec.algorithm;
    let name = key.to_string();
    let mut replay = Replay::new(Policy::new(spec)?, key);
    let start = Instant::now();
    replay.read(log.as_bytes())?;
    let read = start.elapsed();
    let report = replay.run();
    let all = start.elapsed();
    let per_second = u128::from(LINES) * 1_000_000 / all.as_micros().max(1);
    println!(
        "{algorithm:<14} key {name:<10} {per_second:>9} lines/s (read {read:.0?}, all {all:.0?}), {} denied",
        report.denied
    );
    Ok(())
}

/// Ten requests a second, most of them from few clients, one line in ten a little late.
fn make_log() -> Result<String, std::fmt::Error> {
    let mut log = String::new();
    let mut state = 1u64;
    for number in 0..LINES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = state >> 33;
        let client = if draw.is_multiple_of(3) { draw % CLIENTS } else { draw % 100 };
        let second = number / 10 + 10 - if draw.is_multiple_of(10) { draw % 10 } else { 0 };
        let (day, hour, minute) = (second / 86_400 + 1, second / 3_600 % 24, second / 60 % 60);
        writeln!(
            log,
            "10.{}.{}.{} - - [{day:02}/May/2015:{hour:02}:{minute:02}:{:02} +0000] \"GET /presentations/images/{draw}.png?x=1 HTTP/1.1\" \
             200 {draw} \"http://semicomplete.com/presentations/\" \"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) \
             AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.{}.77 Safari/537.36\"",
            client >> 16,
            client >> 8 & 255,
            client & 255,
            second % 60,
            client,
        )?;
    }
    Ok(log)
}
