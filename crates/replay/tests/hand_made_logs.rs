//! Logs that were written by hand, with results that were counted by hand.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use drl_limits::{Algorithm, Limit, Mode, Policy, PolicySpec};
use drl_replay::{Key, Replay, Report};

fn spec(requests: u64, window: &str, algorithm: Algorithm) -> PolicySpec {
    let limits = vec![Limit::new(requests, window.parse().unwrap()).unwrap()];
    PolicySpec { limits, algorithm, ..PolicySpec::default() }
}

fn replay(spec: PolicySpec, key: Key, log: &str) -> Report {
    let mut replay = Replay::new(Policy::new(spec).unwrap(), key);
    replay.read(log.as_bytes()).unwrap();
    replay.run()
}

/// A combined line of `address` on 17 May 2015.
fn line(address: &str, time: &str, zone: &str) -> String {
    format!("{address} - - [17/May/2015:{time} {zone}] \"GET / HTTP/1.1\" 200 1 \"-\" \"curl/8\"\n")
}

fn log(requests: &[(&str, &str)]) -> String {
    requests.iter().map(|(address, time)| line(address, time, "+0000")).collect()
}

fn totals(report: &Report) -> [u64; 5] {
    [report.requests, report.allowed, report.denied, report.clients, report.clients_denied]
}

#[test]
fn a_sliding_window_denies_the_third_in_a_minute_wherever_the_minute_starts() {
    let log = log(&[("a", "10:00:30"), ("a", "10:00:50"), ("a", "10:01:29"), ("a", "10:01:30"), ("b", "10:01:29")]);
    let report = replay(spec(2, "1m", Algorithm::SlidingWindow), Key::Ip, &log);
    assert_eq!(totals(&report), [5, 4, 1, 2, 1]);
    assert_eq!(report.top_denied[0].client, "a");
    assert_eq!((report.top_denied[0].requests, report.top_denied[0].denied), (4, 1));
    assert_eq!(report.worst_minutes[0].minute, "2015-05-17T10:01:00Z");
    assert_eq!((report.worst_minutes[0].requests, report.worst_minutes[0].denied), (3, 1));
}

#[test]
fn a_fixed_window_starts_over_at_the_full_minute() {
    let log = log(&[("a", "10:00:58"), ("a", "10:00:59"), ("a", "10:00:59"), ("a", "10:01:00"), ("a", "10:01:01")]);
    assert_eq!(totals(&replay(spec(2, "1m", Algorithm::FixedWindow), Key::Ip, &log)), [5, 4, 1, 1, 1]);
}

#[test]
fn a_token_bucket_earns_its_rate_after_the_burst() {
    // Two at once, then one every 30 s.
    let log = log(&[("a", "10:00:00"), ("a", "10:00:00"), ("a", "10:00:29"), ("a", "10:00:30"), ("a", "10:00:31")]);
    assert_eq!(totals(&replay(spec(2, "1m", Algorithm::TokenBucket), Key::Ip, &log)), [5, 3, 2, 1, 1]);
}

#[test]
fn several_limits_must_all_pass_and_a_denial_charges_none() {
    let mut both = spec(1, "1s", Algorithm::FixedWindow);
    both.limits.push(Limit::new(2, "1m".parse().unwrap()).unwrap());
    // The second of 10:00:00 is denied by the second's limit, so the minute has room for 10:00:01.
    let log = log(&[("a", "10:00:00"), ("a", "10:00:00"), ("a", "10:00:01"), ("a", "10:00:02"), ("a", "10:01:00")]);
    assert_eq!(totals(&replay(both, Key::Ip, &log)), [5, 3, 2, 1, 1]);
}

#[test]
fn lines_out_of_order_count_at_their_own_time() {
    let in_order =
        log(&[("a", "10:00:00"), ("a", "10:00:05"), ("a", "10:01:00"), ("b", "10:01:00"), ("a", "10:01:04")]);
    let shuffled =
        log(&[("a", "10:01:04"), ("a", "10:00:05"), ("b", "10:01:00"), ("a", "10:00:00"), ("a", "10:01:00")]);
    let spec = spec(1, "1m", Algorithm::SlidingWindow);
    let report = replay(spec.clone(), Key::Ip, &in_order);
    assert_eq!(report, replay(spec, Key::Ip, &shuffled));
    assert_eq!(totals(&report), [5, 3, 2, 2, 1]);
    assert_eq!(report.first.as_deref(), Some("2015-05-17T10:00:00Z"));
    assert_eq!(report.last.as_deref(), Some("2015-05-17T10:01:04Z"));
}

#[test]
fn two_time_zones_are_one_time_line() {
    // 10:00:30 UTC, 10:00:40 UTC and 10:01:30 UTC: the third is a minute after the first, and not within the second's.
    let log = [line("a", "12:00:30", "+0200"), line("a", "04:30:40", "-0530"), line("a", "10:01:30", "+0000")].concat();
    let report = replay(spec(1, "1m", Algorithm::SlidingWindow), Key::Ip, &log);
    assert_eq!(totals(&report), [3, 2, 1, 1, 1]);
    assert_eq!(report.worst_minutes[0].minute, "2015-05-17T10:00:00Z");
}

#[test]
fn json_lines_and_combined_lines_mix() {
    let log = format!(
        "{}{}\n{}\n",
        line("a", "10:00:00", "+0000"),
        r#"{"time":"2015-05-17T10:00:01Z","ip":"a"}"#,
        r#"{"@timestamp":1431856802.5,"remote_addr":"b","tenant":7}"#
    );
    assert_eq!(totals(&replay(spec(1, "1m", Algorithm::SlidingWindow), Key::Ip, &log)), [3, 2, 1, 2, 1]);
    let by_tenant = replay(spec(1, "1m", Algorithm::SlidingWindow), "field:tenant".parse().unwrap(), &log);
    assert_eq!(totals(&by_tenant), [1, 1, 0, 1, 0]);
    assert_eq!(by_tenant.unkeyed, 2);
}

#[test]
fn malformed_lines_are_counted_and_the_first_ones_shown() {
    let good = line("a", "10:00:00", "+0000");
    let log = format!("{good}garbage\n\n{{\"ip\":1}}\n{{nope\n{good}{}x\ny\nz\n{good}", "q".repeat(200_000) + "\n");
    let report = replay(spec(9, "1m", Algorithm::SlidingWindow), Key::Ip, &log);
    assert_eq!((report.requests, report.malformed), (3, 7));
    let shown: Vec<String> = report.malformed_lines.iter().map(|bad| format!("{}: {}", bad.line, bad.reason)).collect();
    assert_eq!(shown.len(), 5);
    assert_eq!(shown[0], "2: no \"request\" in quotes; write combined format or JSON lines");
    assert!(shown[1].starts_with("4: no time of its own"), "{shown:?}");
    assert_eq!(shown[2], "5: not one JSON object");
    assert_eq!(shown[3], "7: longer than 131072 bytes");
}

#[test]
fn an_empty_log_is_an_empty_report() {
    let report = replay(spec(1, "1m", Algorithm::SlidingWindow), Key::Ip, "");
    assert_eq!(totals(&report), [0; 5]);
    assert_eq!((report.first.as_deref(), report.last.as_deref()), (None, None));
    assert_eq!(report.to_string().lines().next(), Some("requests  0"));
}

#[test]
fn a_shadow_policy_is_replayed_as_if_it_were_enforced() {
    let log = log(&[("a", "10:00:00"), ("a", "10:00:01")]);
    let shadow = PolicySpec { mode: Mode::Shadow, ..spec(1, "1m", Algorithm::SlidingWindow) };
    assert_eq!(totals(&replay(shadow, Key::Ip, &log)), [2, 1, 1, 1, 1]);
}

#[test]
fn two_files_of_a_rotated_log_are_one_log_in_any_order() {
    let (older, newer) = (log(&[("a", "10:00:00")]), log(&[("a", "10:00:30"), ("a", "10:01:00")]));
    let mut replay = Replay::new(Policy::new(spec(1, "1m", Algorithm::SlidingWindow)).unwrap(), Key::Ip);
    replay.read(newer.as_bytes()).unwrap();
    replay.read(older.as_bytes()).unwrap();
    assert_eq!(totals(&replay.run()), [3, 2, 1, 1, 1]);
}

#[test]
fn the_json_keeps_its_names() {
    let log = log(&[("a", "10:00:00"), ("a", "10:00:01")]) + "bad\n";
    let report = replay(spec(1, "1m", Algorithm::SlidingWindow), Key::Ip, &log);
    let frozen = concat!(
        r#"{"requests":2,"allowed":1,"denied":1,"clients":1,"clients_denied":1,"malformed":1,"unkeyed":0,"#,
        r#""first":"2015-05-17T10:00:00Z","last":"2015-05-17T10:00:01Z","#,
        r#""top_denied":[{"client":"a","requests":2,"denied":1}],"#,
        r#""worst_minutes":[{"minute":"2015-05-17T10:00:00Z","requests":2,"denied":1}],"#,
        r#""malformed_lines":[{"line":3,"reason":"no \"request\" in quotes; write combined format or JSON lines"}]}"#
    );
    assert_eq!(serde_json::to_string(&report).unwrap(), frozen);
}

#[test]
fn the_table_is_aligned() {
    let log = log(&[("83.149.9.216", "10:00:00"), ("83.149.9.216", "10:00:01"), ("b", "10:00:01"), ("c", "10:00:01")])
        + "bad\n";
    let report = replay(spec(1, "1m", Algorithm::SlidingWindow), Key::Ip, &log);
    let frozen = "\
requests  4  2015-05-17T10:00:00Z to 2015-05-17T10:00:01Z
allowed   3   75.0 %
denied    1   25.0 %
clients   3  1 denied,  33.3 %
malformed 1  not counted above
  line 5: no \"request\" in quotes; write combined format or JSON lines

most denied     requests      denied
83.149.9.216           2           1   50.0 %

worst minutes (UTC)     requests      denied
2015-05-17T10:00:00Z           4           1   25.0 %
";
    assert_eq!(report.to_string(), frozen);
}
