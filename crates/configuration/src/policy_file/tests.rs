//! Policy files as text: who gets which policy, which faults are said, and what keeps its revision.

use super::*;
use crate::Matched;
use crate::policy_set::tests::{key, policy};

fn fresh(json: &str) -> Result<PolicySet, Faults> {
    parse(json.as_bytes(), &PolicySet::new(), 1).map(|parsed| parsed.policies)
}

fn faults(json: &str) -> Vec<String> {
    fresh(json).unwrap_err().listed().iter().map(ToString::to_string).collect()
}

/// A policy like [`policy`].
fn per_minute(requests: u64) -> String {
    format!(r#"{{"limits":[{{"requests":{requests},"window":"1m"}}]}}"#)
}

/// A file whose default namespace holds `policies`.
fn file(policies: &str) -> String {
    format!(r#"{{"namespaces":{{"default":{{{policies}}}}}}}"#)
}

#[test]
fn a_file_says_who_has_which_policy() {
    let (one, two, three) = (per_minute(1), per_minute(2), per_minute(3));
    let default = format!(r#""default":{one},"clients":{{"é\n":{two}}},"prefixes":{{"team-":{three}}}"#);
    let json = format!(r#"{{"namespaces":{{"default":{{{default}}},"other":{{}}}}}}"#);
    let set = fresh(&json).unwrap();
    let found =
        |id: &str| set.get(key("default", id.as_bytes())).map(|found| (found.entry.policy.clone(), found.matched));
    assert_eq!(found("é\n"), Some((policy(2), Matched::Client)));
    assert_eq!(found("team-a"), Some((policy(3), Matched::Prefix("team-".into()))));
    assert_eq!(found("x"), Some((policy(1), Matched::Default)));
    assert_eq!(set.get(key("other", b"x")), None);
    assert_eq!(set.len(), 3);
}

#[test]
fn every_fault_of_every_policy_is_said_with_its_place() {
    let bad_window = r#"{"limits":[{"requests":1,"window":"5 minutes"}]}"#;
    let bad_twice = r#"{"limits":[{"requests":0,"window":"1s"}],"algorithm":"gcra"}"#;
    let unknown = r#"{"limits":[{"requests":1,"window":"1s"}],"brust":1}"#;
    let good = per_minute(1);
    let found = faults(&file(&format!(
        r#""default":{bad_window},"clients":{{"a":{bad_twice},"ok":{good},"b":[]}},"prefixes":{{"p":{unknown},"":{good}}}"#
    )));
    let expected = [
        r#"namespaces["default"].default.limits[0].window: "5 minutes" is not a window"#,
        r#"namespaces["default"].clients["a"].limits[0].requests: 0 is not possible"#,
        r#"namespaces["default"].clients["a"].algorithm: "gcra" is unknown; use"#,
        r#"namespaces["default"].clients["b"]"#,
        r#"namespaces["default"].prefixes["p"]"#,
        r#"namespaces["default"].prefixes[""]: a client id or prefix has 0 bytes"#,
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found} is not {expected}");
    }
}

#[test]
fn the_shape_of_the_file_is_checked() {
    assert_eq!(faults("{}"), ["missing field `namespaces`"]);
    assert!(faults(r#"{"namespaces":[]}"#)[0].contains("expected an object of names"));
    assert!(faults(r#"{"namespaces":{"default":{"client":{}}}}"#)[0].contains("unknown field `client`"));
    assert!(faults(r#"{"namespaces":{"default":{}},"more":1}"#)[0].contains("unknown field `more`"));
    let two = faults(r#"{"namespaces":{"a":{"client":{}},"ok":{},"b":{"prefix":{}}}}"#);
    assert_eq!(two.len(), 2, "one fault of each namespace: {two:?}");
    assert!(two[1].starts_with(r#"namespaces["b"]"#) && two[1].contains("unknown field `prefix`"), "{two:?}");
    assert!(
        faults(r#"{"namespaces":{"a/b":{}}}"#)[0].starts_with(r#"namespaces["a/b"]: namespace "a/b" is not a name"#)
    );
    assert!(faults("{\"namespaces\":{}} // all")[0].starts_with("not JSON: "));
    assert!(faults("")[0].starts_with("not JSON: "));
    assert_eq!(fresh(r#"{"namespaces":{}}"#).unwrap().len(), 0);
}

#[test]
fn a_client_that_stands_there_twice_is_a_fault() {
    let (one, two) = (per_minute(1), per_minute(2));
    let found = faults(&file(&format!(r#""clients":{{"a":{one},"\u0061":{two}}}"#)));
    assert_eq!(found, [r#"namespaces["default"].clients["a"]: stands there twice; keep one of them"#]);
}

#[test]
fn a_policy_that_did_not_change_keeps_its_revision_and_its_place_in_memory() {
    let (one, two, three) = (per_minute(1), per_minute(2), per_minute(3));
    let before = fresh(&file(&format!(r#""clients":{{"same":{one},"other":{two}}}"#))).unwrap();
    let spaced = format!(" {one} ");
    let json = file(&format!(r#""clients":{{"same":{spaced},"other":{three},"new":{one}}}"#));
    let after = parse(json.as_bytes(), &before, 2).unwrap().policies;
    let entry =
        |set: &PolicySet, id: &str| set.entry(Namespace::DEFAULT, &Selector::Client(id.into())).unwrap().clone();
    assert!(Arc::ptr_eq(&entry(&before, "same").policy, &entry(&after, "same").policy));
    let revisions = ["same", "other", "new"].map(|id| entry(&after, id).revision);
    assert_eq!(revisions, [1, 2, 2]);
}

#[test]
fn equal_policies_are_one_in_memory() {
    let one = per_minute(1);
    let set = fresh(&file(&format!(r#""clients":{{"a":{one},"b":{one}}}"#))).unwrap();
    let policies: Vec<_> = set.iter().map(|listed| &listed.entry.policy).collect();
    assert!(Arc::ptr_eq(policies[0], policies[1]));
}

#[test]
fn a_set_differs_by_a_policy_that_is_new_changed_or_gone() {
    let clients = |clients: &[(&str, u64)]| {
        let pairs: Vec<String> =
            clients.iter().map(|(id, requests)| format!(r#""{id}":{}"#, per_minute(*requests))).collect();
        file(&format!(r#""clients":{{{}}}"#, pairs.join(",")))
    };
    let before = fresh(&clients(&[("a", 1), ("b", 2)])).unwrap();
    for (after, differs) in [
        (clients(&[("b", 2), ("a", 1)]), Differs::No),
        (clients(&[("a", 1), ("b", 3)]), Differs::Yes),
        (clients(&[("a", 1)]), Differs::Yes),
        (clients(&[("a", 1), ("c", 2)]), Differs::Yes),
        (clients(&[("a", 1), ("b", 2), ("c", 2)]), Differs::Yes),
    ] {
        assert_eq!(parse(after.as_bytes(), &before, 2).unwrap().differs, differs, "{after}");
    }
}

#[test]
fn a_text_alone_makes_a_set_or_says_everything_that_is_wrong() {
    let set =
        PolicySet::from_json(br#"{"namespaces":{"a":{"default":{"limits":[{"requests":1,"window":"1m"}]}}}}"#).unwrap();
    assert_eq!((set.len(), set.namespace_count(), set.latest_revision()), (1, 1, 1));
    let faults = PolicySet::from_json(br#"{"namespaces":{"a/b":{},"c":{"default":{"limits":[]}}}}"#).unwrap_err();
    assert_eq!(faults.count(), 2);
}
