//! A replay equals the slow reference: every request of a sorted list, asked of a list of charges per client.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use drl_core::{Cost, ShardTime};
use drl_limits::reference::Reference;
use drl_limits::{Algorithm, Limit, Policy, PolicySpec};
use drl_replay::{Key, Replay};
use proptest::prelude::*;

/// A request: seconds after the start of the log, zone in quarters of an hour, client.
type Request = (u64, i64, u8);

/// Midnight of 28 February 2016: logs of some hours run into a leap day.
const START_SECONDS: u64 = 1_456_617_600;

/// As a server in that zone would write it. The calendar is spelled out here, not shared with the code under test.
fn line((second, quarters, client): Request) -> String {
    let offset = quarters * 15 * 60;
    let local = i64::try_from(second).unwrap() + offset;
    let (day, of_day) = (local.div_euclid(86_400), local.rem_euclid(86_400));
    let date = ["27/Feb", "28/Feb", "29/Feb", "01/Mar", "02/Mar"][usize::try_from(day + 1).unwrap()];
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let (sign, zone) = (if offset < 0 { '-' } else { '+' }, offset.abs());
    format!(
        "10.0.0.{client} - - [{date}/2016:{hour:02}:{minute:02}:{second:02} {sign}{:02}{:02}] \"GET / HTTP/1.1\" 200 5 \"-\" \"x\"\n",
        zone / 3_600,
        zone / 60 % 60
    )
}

/// Per client: requests and denials.
fn by_reference(policy: &Policy, log: &[Request]) -> BTreeMap<String, (u64, u64)> {
    let mut sorted = log.to_vec();
    sorted.sort_by_key(|request| request.0);
    let mut references: BTreeMap<u8, Reference> = BTreeMap::new();
    let mut outcome: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (second, _, client) in sorted {
        let reference = references.entry(client).or_insert_with(|| Reference::new(policy));
        let allowed = reference.allows(ShardTime((START_SECONDS + second) * 1_000_000_000), Cost::ONE);
        let row = outcome.entry(format!("10.0.0.{client}")).or_default();
        row.0 += 1;
        row.1 += u64::from(!allowed);
    }
    outcome
}

fn policies() -> impl Strategy<Value = Policy> {
    let windows = prop::sample::select(vec!["500ms", "1s", "7s", "1m", "1m30s", "1h", "1d"]);
    let limits = prop::collection::vec((1..8u64, windows), 1..3);
    let algorithms =
        prop::sample::select(vec![Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket]);
    (limits, algorithms).prop_map(|(limits, algorithm)| {
        let limits =
            limits.into_iter().map(|(requests, window)| Limit::new(requests, window.parse().unwrap()).unwrap());
        Policy::new(PolicySpec { limits: limits.collect(), algorithm, ..PolicySpec::default() }).unwrap()
    })
}

/// Bursts (gaps of zero), short gaps and some long ones, then a little out of order.
fn logs() -> impl Strategy<Value = Vec<Request>> {
    let gap = prop_oneof![4 => Just(0), 6 => 1..20u64, 1 => 20..2_000u64];
    prop::collection::vec((gap, 0..30u64, -48..=48i64, 0..6u8), 0..120).prop_map(|steps| {
        let mut at = 100;
        let step = |(gap, late, zone, client): (u64, u64, i64, u8)| {
            at += gap;
            (at - late, zone, client)
        };
        steps.into_iter().map(step).collect()
    })
}

proptest! {
    #[test]
    fn a_replay_equals_the_slow_reference(policy in policies(), log in logs()) {
        let text: String = log.iter().copied().map(line).collect();
        let mut replay = Replay::new(policy.clone(), Key::Ip);
        replay.read(text.as_bytes()).unwrap();
        let report = replay.run();

        let expected = by_reference(&policy, &log);
        let denied: u64 = expected.values().map(|row| row.1).sum();
        prop_assert_eq!(report.malformed, 0);
        prop_assert_eq!(report.requests, u64::try_from(log.len()).unwrap());
        prop_assert_eq!((report.denied, report.allowed), (denied, report.requests - denied));
        prop_assert_eq!(report.clients, u64::try_from(expected.len()).unwrap());
        let rows: BTreeMap<_, _> = report.top_denied.into_iter().map(|row| (row.client, (row.requests, row.denied))).collect();
        let expected: BTreeMap<_, _> = expected.into_iter().filter(|(_, row)| row.1 > 0).collect();
        prop_assert_eq!(report.clients_denied, u64::try_from(expected.len()).unwrap());
        prop_assert_eq!(rows, expected);
    }

    #[test]
    fn no_bytes_stop_a_replay(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20), brace in any::<bool>()) {
        let policy = Policy::new(PolicySpec { limits: vec![Limit::new(1, "1s".parse().unwrap()).unwrap()], ..PolicySpec::default() }).unwrap();
        let mut log = Vec::new();
        for line in lines {
            if brace { log.push(b'{') }
            log.extend(line);
            log.push(b'\n');
        }
        let mut replay = Replay::new(policy, Key::UserAgent);
        replay.read(log.as_slice()).unwrap();
        prop_assert_eq!(replay.run().requests, 0);
    }

    #[test]
    fn a_cut_or_changed_line_is_taken_or_counted_and_never_fatal(cut in 0..120usize, at in 0..120usize, byte in any::<u8>(), key in 0..4usize) {
        let mut log = b"10.0.0.1 - al [28/Feb/2016:01:02:03 +0000] \"GET /a\\\"b HTTP/1.1\" 200 5 \"http://r/\" \"agent\"".to_vec();
        log.truncate(cut);
        if let Some(changed) = log.get_mut(at) { *changed = byte }
        let policy = Policy::new(PolicySpec { limits: vec![Limit::new(1, "1s".parse().unwrap()).unwrap()], ..PolicySpec::default() }).unwrap();
        let key = [Key::Ip, Key::User, Key::Path, Key::UserAgent][key].clone();
        let mut replay = Replay::new(policy, key);
        replay.read(log.as_slice()).unwrap();
        let report = replay.run();
        prop_assert!(report.requests + report.malformed + report.unkeyed <= 2);
    }
}
