//! `drl limits validate`: a policy or a file of policies, with every fault of it.

use serde_json::{Value, json};

use crate::process::{Ran, drl, drl_reading};

fn validate(text: &str) -> Ran {
    drl_reading(&["limits", "validate", "-", "--output", "json"], text.as_bytes())
}

fn fields(report: &Value) -> Vec<&str> {
    report["faults"].as_array().unwrap().iter().map(|fault| fault["field"].as_str().unwrap()).collect()
}

#[test]
fn a_policy_and_a_file_of_policies_are_valid() {
    let policy = r#"{"limits":[{"requests":100,"window":"1m"}],"algorithm":"token-bucket","burst":20}"#;
    assert_eq!(validate(policy).expect_code(0).json()["policies"], 1);
    let file = format!(
        r#"{{"namespaces":{{"default":{{"default":{policy},"clients":{{"alice":{policy}}}}},"b":{{"prefixes":{{"x-":{policy}}}}}}}}}"#
    );
    let report = validate(&file).expect_code(0).json();
    assert_eq!((&report["valid"], &report["policies"]), (&json!(true), &json!(3)));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("limits.json");
    std::fs::write(&path, file).unwrap();
    let table = drl(&["limits", "validate", path.to_str().unwrap()]).expect_code(0).stdout;
    assert!(table.starts_with("valid") && table.contains("policies: 3, namespaces: 2"), "{table}");
}

#[test]
fn every_fault_of_a_policy_is_listed_with_its_field() {
    let report = validate(r#"{"limits":[{"requests":0,"window":"1w"}],"algorithm":"gcra","durability":"sync"}"#);
    let report = report.expect_code(1).json();
    assert_eq!(fields(&report), ["limits[0].requests", "limits[0].window", "algorithm", "durability"]);
    assert_eq!(report["faults_count"], 4);
    assert!(report["faults"][2]["problem"].as_str().unwrap().contains("fixed-window, sliding-window, token-bucket"));
}

#[test]
fn every_fault_of_a_file_is_listed_with_its_place() {
    let file = r#"{"namespaces":{"default":{"clients":{"a":{"limits":[]},"b":{"limits":[{"requests":1,"window":"0s"}]}}},"x/y":{}}}"#;
    let report = validate(file).expect_code(1).json();
    let places =
        [r#"namespaces["default"].clients["a"].limits"#, r#"namespaces["default"].clients["b"].limits[0].window"#];
    assert_eq!(fields(&report), [places[0], places[1], r#"namespaces["x/y"]"#]);
    let ran = drl_reading(&["limits", "validate", "-"], file.as_bytes()).expect_code(1);
    assert_eq!(ran.stdout.lines().count(), 3, "{ran:?}");
    assert!(ran.stderr.contains("stdin is not valid: 3 faults"), "{ran:?}");
}

#[test]
fn what_is_not_json_or_misspelt_is_not_valid() {
    for (text, part) in [
        ("", "not an object"),
        ("{\"limits\":", "not JSON"),
        ("{\"namespaces\":{", "not JSON"),
        ("[]", "not an object"),
        (r#"{"limits":[{"requests":1,"window":"1m"}],"algoritm":"fixed-window"}"#, "algoritm"),
        (r#"{"limits":[{"requests":1,"window":"1m"}],"burst":5}"#, "token-bucket"),
        (r#"{"limits":[{"requests":-1,"window":"1m"}]}"#, "-1"),
        (r#"{"limits":[{"requests":1e400,"window":"1m"}]}"#, "number"),
    ] {
        let ran = validate(text).expect_code(1);
        assert!(ran.stdout.contains(part), "{part:?} is not in {ran:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_no_answer() {
    drl(&["limits", "validate", "/nowhere/limits.json"]).expect_refusal(2, "cannot read /nowhere/limits.json");
    drl(&["limits", "validate", "/"]).expect_refusal(2, "cannot read /");
    drl(&["limits", "validate"]).expect_refusal(2, "<FILE|CLIENT|--prefix <PREFIX>|--default>");
}
