//! The schema is published as it is, and judges every documented example as the reader does.

use std::collections::BTreeSet;

use boon::{Compiler, SchemaIndex, Schemas};
use proptest::prelude::*;

use super::*;
use crate::{PolicyDocument, PolicySet};

const DOCUMENTED: &str = include_str!("../../../../docs/limits.md");

/// The schema, compiled by somebody else's validator.
struct Validator {
    schemas: Schemas,
    policy: SchemaIndex,
    policies: SchemaIndex,
}

impl Validator {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("policy.json", policy_schema()).unwrap();
        let mut compile = |place| compiler.compile(place, &mut schemas).unwrap();
        let (policy, policies) = (compile("policy.json"), compile("policy.json#/$defs/policies"));
        Self { schemas, policy, policies }
    }

    fn accepts(&self, value: &Value) -> bool {
        let index = if value.get("namespaces").is_some() { self.policies } else { self.policy };
        self.schemas.validate(value, index).is_ok()
    }
}

fn is_read(json: &str) -> bool {
    let is_file = json.contains("\"namespaces\"");
    if is_file { PolicySet::from_json(json.as_bytes()).is_ok() } else { PolicyDocument::parse(json.as_bytes()).is_ok() }
}

/// The lines of JSON that stand indented below a heading of docs/limits.md.
fn examples(heading: &str) -> Vec<&'static str> {
    let (_, section) = DOCUMENTED.split_once(&format!("\n### {heading}\n")).unwrap();
    let section = section.split("\n#").next().unwrap();
    section.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| line.starts_with('{')).collect()
}

#[test]
fn the_published_schema_is_up_to_date() {
    let published: Value = serde_json::from_str(include_str!("../../../../docs/policy.schema.json")).unwrap();
    assert_eq!(
        published,
        policy_schema(),
        "write it anew: cargo run --release -p drl-configuration --example policy_schema > docs/policy.schema.json"
    );
}

#[test]
fn every_documented_example_is_valid_for_the_schema_and_is_read() {
    let (validator, examples) = (Validator::new(), examples("Valid"));
    assert!(examples.len() >= 5, "{examples:?}");
    for json in examples {
        assert!(validator.accepts(&serde_json::from_str(json).unwrap()), "the schema refuses {json}");
        assert!(is_read(json), "{json}");
    }
}

#[test]
fn no_example_that_is_documented_as_invalid_is_valid_for_the_schema_or_is_read() {
    let (validator, examples) = (Validator::new(), examples("Not valid"));
    assert!(examples.len() >= 10, "{examples:?}");
    for json in examples {
        assert!(!validator.accepts(&serde_json::from_str(json).unwrap()), "the schema accepts {json}");
        assert!(!is_read(json), "{json}");
    }
}

#[test]
fn the_schema_has_the_fields_of_a_policy_and_no_others() {
    let json = br#"{"limits":[{"requests":1,"window":"1s"}],"algorithm":"token-bucket","burst":1}"#;
    let every_field = serde_json::to_value(PolicyDocument::from(&PolicyDocument::parse(json).unwrap())).unwrap();
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let schema = policy_schema();
    assert_eq!(fields(&every_field), fields(&schema["properties"]));
    assert_eq!(fields(&every_field["limits"][0]), fields(&schema["properties"]["limits"]["items"]["properties"]));
}

#[test]
fn every_name_of_the_schema_is_read_and_its_default_is_what_is_left_out() {
    for field in ["algorithm", "durability", "on_unavailable", "on_state_loss"] {
        let schema = &policy_schema()["properties"][field];
        let names = schema["enum"].as_array().unwrap();
        assert!(names.len() > 2, "{field}: {names:?}");
        let limits = json!([{"requests": 1, "window": "1s"}]);
        let read = |policy: Value| PolicyDocument::parse(policy.to_string().as_bytes()).unwrap();
        for name in names {
            read(json!({"limits": limits, field: name}));
        }
        assert_eq!(read(json!({"limits": limits, field: schema["default"]})), read(json!({"limits": limits})));
    }
}

proptest! {
    /// Whoever writes what the reader takes is never told by an editor that it is wrong.
    #[test]
    fn what_is_read_is_valid_for_the_schema(
        requests in prop_oneof![Just(0_u64), 1..=COST_MAX, Just(COST_MAX + 1)],
        window in prop_oneof!["[0-9]{1,3}(d|h|m|s|ms|us|ns)([0-9]{1,3}(h|m|s|ms|us|ns)){0,2}", "\\PC{0,6}"],
        burst in prop_oneof![Just(None), (0..=COST_MAX).prop_map(Some)],
        algorithm in prop_oneof![Just("fixed-window"), Just("sliding-window"), Just("token-bucket"), Just("gcra")],
        count in 0..=LIMITS_PER_POLICY_MAX + 1,
    ) {
        let limits = vec![json!({"requests": requests, "window": window}); count];
        let policy = json!({"limits": limits, "algorithm": algorithm, "burst": burst});
        if PolicyDocument::parse(policy.to_string().as_bytes()).is_ok() {
            prop_assert!(Validator::new().accepts(&policy), "{policy}");
        }
    }
}
