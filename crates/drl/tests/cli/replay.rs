//! `drl replay` on small logs whose outcome is counted by hand.

use serde_json::json;

use crate::process::{drl, drl_reading};

const LIMIT: [&str; 6] = ["--limit", "3", "--window", "1m", "--algorithm", "fixed-window"];

/// Five requests of `10.0.0.1` within a minute and one in the next, one of `10.0.0.2`; not in order, and a line that is none.
fn log() -> String {
    let line = |address: &str, time: &str| {
        format!("{address} - - [17/May/2015:{time} +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"curl/8\"\n")
    };
    [
        line("10.0.0.1", "10:05:03"),
        line("10.0.0.1", "10:05:01"),
        line("10.0.0.1", "10:06:00"),
        line("10.0.0.2", "10:05:30"),
        "not a line\n".to_owned(),
        line("10.0.0.1", "10:05:02"),
        line("10.0.0.1", "10:05:04"),
        line("10.0.0.1", "10:05:59"),
    ]
    .concat()
}

#[test]
fn the_json_of_a_small_log_is_what_a_hand_counts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    std::fs::write(&path, log()).unwrap();
    let arguments = [&["replay", path.to_str().unwrap(), "--key", "ip", "--output", "json"][..], &LIMIT].concat();
    let report = drl(&arguments).expect_code(0).json();
    for (field, expected) in [
        ("requests", 7),
        ("allowed", 5),
        ("denied", 2),
        ("clients", 2),
        ("clients_denied", 1),
        ("malformed", 1),
        ("unkeyed", 0),
    ] {
        assert_eq!(report[field], expected, "{field} of {report}");
    }
    assert_eq!(report["first"], "2015-05-17T10:05:01Z");
    assert_eq!(report["last"], "2015-05-17T10:06:00Z");
    assert_eq!(report["top_denied"], json!([{"client": "10.0.0.1", "requests": 6, "denied": 2}]));
    assert_eq!(report["worst_minutes"], json!([{"minute": "2015-05-17T10:05:00Z", "requests": 6, "denied": 2}]));
}

#[test]
fn the_table_shows_the_same_and_stdin_is_a_log_too() {
    let ran = drl_reading(&[&["replay", "-"][..], &LIMIT].concat(), log().as_bytes()).expect_code(0);
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = ran.stdout.lines().map(words).collect();
    for expected in ["allowed 5 71.4 %", "denied 2 28.5 %", "10.0.0.1 6 2 33.3 %"] {
        assert!(lines.contains(&words(expected)), "{expected:?} is not in\n{}", ran.stdout);
    }
}

#[test]
fn several_files_are_one_log() {
    let directory = tempfile::tempdir().unwrap();
    let paths = ["a.log", "b.log"].map(|name| directory.path().join(name));
    for path in &paths {
        std::fs::write(path, log()).unwrap();
    }
    let [a, b] = paths.each_ref().map(|path| path.to_str().unwrap());
    let report = drl(&[&["replay", a, b, "--output", "json"][..], &LIMIT].concat()).expect_code(0).json();
    assert_eq!((&report["requests"], &report["allowed"]), (&json!(14), &json!(7)));
}

#[test]
fn the_tightest_of_several_limits_counts() {
    let arguments =
        ["replay", "-", "--limit", "1", "--window", "1m", "--algorithm", "fixed-window", "--output", "json"];
    let both = [&arguments[..], &["--limit", "100", "--window", "1h"]].concat();
    let report = drl_reading(&both, log().as_bytes()).expect_code(0).json();
    assert_eq!(report["denied"], 4);
}

#[test]
fn a_file_that_is_no_log_is_an_error_and_an_empty_one_is_not() {
    let ran = drl_reading(&[&["replay", "-"][..], &LIMIT].concat(), b"hello\nworld\n").expect_code(1);
    assert!(ran.stderr.contains("no line could be read"), "{ran:?}");
    let ran = drl_reading(&[&["replay", "-", "--output", "json"][..], &LIMIT].concat(), b"").expect_code(0);
    assert_eq!(ran.json()["requests"], 0);
    drl(&[&["replay", "/nowhere/access.log"][..], &LIMIT].concat())
        .expect_refusal(1, "cannot open /nowhere/access.log");
    drl(&[&["replay", "/"][..], &LIMIT].concat()).expect_refusal(1, "cannot replay /");
}
