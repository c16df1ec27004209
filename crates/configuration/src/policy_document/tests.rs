//! Every field of a policy with values that are not possible, and what is said of them; and the round trip of those that are.

use drl_limits::{Algorithm, Durability, OnStateLoss, OnUnavailable};
use proptest::prelude::*;

use super::*;

fn parse(json: &str) -> Result<Policy, InvalidPolicyDocument> {
    PolicyDocument::parse(json.as_bytes())
}

/// Every fault of `json`, as it is shown.
fn faults(json: &str) -> Vec<String> {
    parse(json).unwrap_err().faults.listed().iter().map(ToString::to_string).collect()
}

/// A policy with one limit, and `more` fields.
fn with(more: &str) -> String {
    format!(r#"{{"limits":[{{"requests":1,"window":"1s"}}]{more}}}"#)
}

#[test]
fn the_documented_policy_means_what_it_says() {
    let policy = parse(
        r#"{"limits":[{"requests":100,"window":"1m"},{"requests":1000,"window":"1h"}],
            "algorithm":"token-bucket","burst":20,"durability":"async",
            "on_unavailable":"local","on_state_loss":"allow","shadow":true}"#,
    )
    .unwrap();
    let limits: Vec<String> = policy.limits().iter().map(ToString::to_string).collect();
    assert_eq!(limits, ["100 per 1m", "1000 per 1h"]);
    assert_eq!((policy.algorithm(), policy.burst()), (Algorithm::TokenBucket, Some(20)));
    assert_eq!(policy.durability(), Durability::Async);
    assert_eq!((policy.on_unavailable(), policy.on_state_loss()), (OnUnavailable::Local, OnStateLoss::Allow));
    assert_eq!(policy.mode(), Mode::Shadow);
}

#[test]
fn only_limits_must_be_there() {
    let policy = parse(&with("")).unwrap();
    assert_eq!((policy.algorithm(), policy.burst(), policy.mode()), (Algorithm::SlidingWindow, None, Mode::Enforce));
    assert_eq!((policy.durability(), policy.on_unavailable()), (Durability::Replicated, OnUnavailable::Deny));
    assert_eq!(parse(&with(r#","burst":null,"algorithm":null"#)), Ok(policy));
}

#[test]
fn the_json_of_a_policy_is_frozen() {
    let json = PolicyDocument::from(&parse(&with("")).unwrap()).to_string();
    let frozen = concat!(
        r#"{"limits":[{"requests":1,"window":"1s"}],"algorithm":"sliding-window","durability":"replicated","#,
        r#""on_unavailable":"deny","on_state_loss":"deny","shadow":false}"#
    );
    assert_eq!(json, frozen);
}

#[test]
fn a_window_that_is_none_is_named_with_its_place_and_what_is_allowed() {
    let json = r#"{"limits":[{"requests":1,"window":"1s"},{"requests":1,"window":"5 minutes"}]}"#;
    let expected =
        r#"limits[1].window: "5 minutes" is not a window; write 1ms to 366d, like 500ms, 10s, 5m, 1h30m, 7d"#;
    assert_eq!(faults(json), [expected]);
    for window in ["", "0s", "999us", "367d", "1w", "-1s", "1.5s", "99999999999999999999d"] {
        let found = faults(&format!(r#"{{"limits":[{{"requests":1,"window":"{window}"}}]}}"#));
        assert!(found[0].starts_with(&format!("limits[0].window: {window:?} is not a window")), "{found:?}");
    }
}

#[test]
fn requests_outside_their_range_are_named() {
    for requests in ["0", "9007199254740993", "18446744073709551615"] {
        let found = faults(&format!(r#"{{"limits":[{{"requests":{requests},"window":"1s"}}]}}"#));
        assert_eq!(found, [format!("limits[0].requests: {requests} is not possible; write 1 to 9007199254740992")]);
    }
    for (requests, said) in [
        ("-1", "invalid value: integer `-1`"),
        ("1.5", "invalid type: floating point `1.5`"),
        (r#""100""#, r#"invalid type: string "100""#),
        ("null", "invalid type: null"),
        ("1e30", "invalid type: floating point `1e+30`"),
    ] {
        let found = faults(&format!(r#"{{"limits":[{{"requests":{requests},"window":"1s"}}]}}"#));
        assert_eq!(found, [format!("limits[0].requests: {said}, expected a whole number from 1 to 9007199254740992")]);
    }
}

#[test]
fn names_that_are_unknown_are_named_with_the_allowed_ones() {
    for (field, allowed) in [
        ("algorithm", "fixed-window, sliding-window, token-bucket"),
        ("durability", "replicated, async"),
        ("on_unavailable", "deny, allow, local"),
        ("on_state_loss", "deny, allow"),
    ] {
        assert_eq!(
            faults(&with(&format!(r#","{field}":"x""#))),
            [format!(r#"{field}: "x" is unknown; use {allowed}"#)]
        );
        let found = faults(&with(&format!(r#","{field}":7"#)));
        assert!(found[0].starts_with(&format!("{field}: invalid type: integer `7`")), "{found:?}");
    }
    assert!(faults(&with(r#","shadow":"yes""#))[0].starts_with("shadow: invalid type: string \"yes\""));
}

#[test]
fn a_burst_that_is_not_possible_is_named() {
    assert!(faults(&with(r#","burst":2"#))[0].starts_with("burst: 2 means nothing to sliding-window"));
    let bucket = |burst: &str| faults(&with(&format!(r#","algorithm":"token-bucket","burst":{burst}"#)));
    assert!(bucket("0")[0].starts_with("burst: 0 is not possible; write 1 to 9007199254740992"));
    assert!(bucket("9007199254740993")[0].starts_with("burst: 9007199254740993 is not possible"));
    assert!(bucket("9007199254740992")[0].contains("takes more than 100 years to refill at 1 per 1s"));
    assert_eq!(
        bucket("-2"),
        ["burst: invalid value: integer `-2`, expected a whole number from 1 to 9007199254740992"]
    );
}

#[test]
fn fields_of_a_wrong_form_do_not_hide_each_other_nor_impossible_values() {
    let json = r#"{"limits":[{"requests":"x","window":"1w"},{"requests":0},7,{"requests":1,"window":5,"unit":"s"}],
        "algoritm":"fixed-window","algorithm":"gcra","burst":-1,"shadow":"yes","durability":7}"#;
    let found: Vec<String> = parse(json).unwrap_err().faults.listed().iter().map(|fault| fault.field.clone()).collect();
    let expected = [
        "limits[1].window",
        "limits[0].requests",
        "limits[3].unit",
        "limits[3].window",
        "limits[2]",
        "algoritm",
        "algorithm",
        "burst",
        "shadow",
        "durability",
    ];
    for field in expected {
        assert!(found.iter().any(|found| found == field), "{field} is not in {found:?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:?}");
    assert_eq!(faults(r#"{"algorithm":"fixed-window"}"#).len(), 1);
    let twice = r#"{"limits":[{"requests":1,"window":"1s"}],"burst":1,"burst":2}"#;
    assert!(faults(twice)[0].contains("duplicate field `burst`"), "{:?}", faults(twice));
}

#[test]
fn the_number_of_limits_has_a_range() {
    assert_eq!(faults(r#"{"limits":[]}"#), ["limits: 0 limits are not possible; write 1 to 8"]);
    let nine = [r#"{"requests":1,"window":"1s"}"#; 9].join(",");
    assert_eq!(faults(&format!(r#"{{"limits":[{nine}]}}"#)), ["limits: 9 limits are not possible; write 1 to 8"]);
}

#[test]
fn all_impossible_values_are_said_at_once() {
    let found = faults(r#"{"limits":[{"requests":0,"window":"x"},{"requests":1,"window":"y"}],"algorithm":"z"}"#);
    let fields: Vec<&str> = found.iter().filter_map(|fault| fault.split(':').next()).collect();
    assert_eq!(fields, ["limits[0].requests", "limits[0].window", "limits[1].window", "algorithm"]);
}

#[test]
fn fields_that_are_unknown_missing_or_written_twice_are_refused() {
    assert!(faults(&with(r#","alogrithm":"x""#))[0].contains("unknown field `alogrithm`, expected one of `limits`"));
    assert!(faults(r#"{"limits":[{"requests":1,"windw":"1s"}]}"#)[0].contains("limits[0]"));
    assert_eq!(faults("{}"), [r#"limits: missing; write 1 to 8 limits, [{"requests":100,"window":"1m"}]"#]);
    assert_eq!(faults(r#"{"limits":[{"window":"1s"}]}"#), ["limits[0].requests: missing; write a whole number"]);
    assert!(faults(&with(r#","shadow":true,"shadow":false"#))[0].contains("duplicate field `shadow`"));
    assert!(faults("[]")[0].contains("missing field") || faults("[]")[0].contains("invalid"));
    assert!(faults("7")[0].starts_with("invalid type: integer `7`"));
}

#[test]
fn what_is_not_json_says_where_it_breaks() {
    for bad in ["", "{", "nonsense", "{\"limits\":[],}", "// comment\n{\"limits\":[]}", "{\"limits\":[]} x"] {
        let found = faults(bad);
        assert!(found[0].starts_with("not JSON: ") && found[0].contains(" at line "), "{found:?}");
    }
    assert!(PolicyDocument::parse(b"{\"limits\":[{\"requests\":1,\"window\":\"\xff\"}]}").is_err());
    assert!(parse(&"[".repeat(50_000)).is_err());
}

#[test]
fn a_policy_longer_than_the_cap_is_refused_at_the_exact_edge() {
    let padded = |bytes: usize| {
        let json = with("");
        json.clone() + &" ".repeat(bytes - json.len())
    };
    assert!(parse(&padded(POLICY_BYTES_MAX)).is_ok());
    assert_eq!(faults(&padded(POLICY_BYTES_MAX + 1)), ["65537 bytes are too many for a policy; use at most 65536"]);
}

fn policies() -> impl Strategy<Value = Policy> {
    let limits = prop::collection::vec((1..=COST_MAX, 1_000_000..=31_622_400_000_000_000u64), 1..=8);
    (limits, 0..3usize, any::<[bool; 4]>(), 0..3usize, prop::option::of(1..50u64)).prop_filter_map(
        "a burst that fits",
        |(limits, algorithm, [durable, lossy, shadow, _], unavailable, burst)| {
            let algorithm = [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket][algorithm];
            let limit = |(requests, nanos)| Limit::new(requests, Window::new(drl_core::Nanos(nanos)).unwrap()).unwrap();
            let spec = PolicySpec {
                limits: limits.into_iter().map(limit).collect(),
                algorithm,
                burst: burst.filter(|_| algorithm == Algorithm::TokenBucket),
                durability: if durable { Durability::Replicated } else { Durability::Async },
                on_unavailable: [OnUnavailable::Deny, OnUnavailable::Allow, OnUnavailable::Local][unavailable],
                on_state_loss: if lossy { OnStateLoss::Allow } else { OnStateLoss::Deny },
                mode: if shadow { Mode::Shadow } else { Mode::Enforce },
                ..PolicySpec::default()
            };
            Policy::new(spec).ok()
        },
    )
}

proptest! {
    #[test]
    fn every_policy_survives_its_json(policy in policies()) {
        prop_assert_eq!(parse(&PolicyDocument::from(&policy).to_string()), Ok(policy));
    }

    #[test]
    fn no_bytes_are_fatal(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(PolicyDocument::parse(&bytes).is_err());
    }
}
