//! Wrong flags and values: each is refused before anything is sent, with a text that says what is allowed, and exit code 2.

use crate::process::drl;

#[test]
fn each_wrong_flag_says_what_is_allowed() {
    let cases: [(&str, &str); 30] = [
        ("frobnicate", "unrecognized subcommand 'frobnicate'"),
        ("check", "<CLIENT>"),
        ("check a --cost -1", "cost is -1; send 0 (peek) to 9007199254740992"),
        ("check a --cost 9007199254740993", "send 0 (peek) to 9007199254740992"),
        ("check a --cost 1.5", "not a whole number"),
        ("check a --output xml", "table, json"),
        ("check a --namespace a/b", "use 1 to 64 of a-z A-Z 0-9 . _ -"),
        ("check a --endpoint http://127.0.0.1:7700", "without a scheme"),
        ("check a --endpoint 127.0.0.1", "give HOST:PORT"),
        ("check a --timeout 5", "write whole numbers with units"),
        ("check a --colour", "unexpected argument '--colour'"),
        ("refund a", "--cost <N>"),
        ("refund a --cost 0", "send 1 or more"),
        ("reset", "<CLIENT>"),
        ("limits set a", "--limit <N>"),
        ("limits set --limit 1 --window 1m", "<CLIENT|--prefix <PREFIX>|--default>"),
        ("limits set a --default --limit 1 --window 1m", "cannot be used with"),
        ("limits set a --limit 0 --window 1m", "use a whole number, 1 to 9007199254740992"),
        ("limits set a --limit -5 --window 1m", "use a whole number, 1 to 9007199254740992"),
        ("limits set a --limit 1 --window 0s", "use 1ms to 366d"),
        ("limits set a --limit 1 --window 367d", "use 1ms to 366d"),
        ("limits set a --limit 1 --window 1w", "such as 500ms, 10s, 1h30m or 7d"),
        ("limits set a --limit 1 --window 1m --limit 2", "--limit is given 2 times and --window 1 times"),
        ("limits set a --limit 1 --window 1m --algorithm gcra", "use fixed-window, sliding-window, token-bucket"),
        ("limits set a --limit 1 --window 1m --burst 5", "burst is for token-bucket only"),
        ("limits set a --limit 1 --window 1m --algorithm token-bucket --burst 0", "use a whole number, 1 to"),
        ("limits set a --limit 1 --window 1m --durability sync", "use replicated, async"),
        ("limits set a --limit 1 --window 1m --on-unavailable maybe", "use deny, allow, local"),
        ("replay log --limit 1 --window 1m --key cookie", "use ip, user, path, user-agent, or field:NAME"),
        ("replay log --key ip", "--limit <N>"),
    ];
    for (line, part) in cases {
        drl(&line.split(' ').collect::<Vec<_>>()).expect_refusal(2, part);
    }
}

#[test]
fn client_ids_that_are_empty_or_over_long_are_refused() {
    drl(&["check", ""]).expect_refusal(2, "client id has 0 bytes; send 1 to 256");
    drl(&["check", &"x".repeat(257)]).expect_refusal(2, "client id has 257 bytes; send 1 to 256");
    drl(&["limits", "get", "--prefix", &"x".repeat(257)]).expect_refusal(2, "send 1 to 256");
}

#[test]
fn nine_limits_are_one_too_many() {
    let arguments = [&["limits", "set", "a"][..], &["--limit", "1", "--window", "1m"].repeat(9)].concat();
    drl(&arguments).expect_refusal(2, "a policy has 9 limits; give 1 to 8");
}
