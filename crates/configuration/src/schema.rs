//! The JSON schema of a policy, made from the types that read one: the names of a field are those that its type knows, the ranges are the
//! caps. `docs/policy.schema.json` is this, and a test keeps it so.
//!
//! The schema says what a schema can say. Whoever passes it may still be refused: a window must also be 1 ms to 366 d, and a burst must
//! refill within 100 years.

use std::str::FromStr;

use drl_core::caps::{CLIENT_ID_BYTES_MAX, COST_MAX, LIMITS_PER_POLICY_MAX, NAMESPACE_BYTES_MAX};
use drl_limits::{Algorithm, Durability, OnStateLoss, OnUnavailable, UnknownName};
use serde_json::{Value, json};

/// Whole numbers with units, the longest first and each at most once. No look-ahead, which many validators do not know: the shortest
/// length says that something must be there.
const WINDOW_PATTERN: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?([0-9]+us)?([0-9]+ns)?$";

/// The schema of one policy (JSON schema, draft 2020-12). A file of policies is its definition `policies`.
#[must_use]
pub fn policy_schema() -> Value {
    let number = || json!({"type": "integer", "minimum": 1, "maximum": COST_MAX});
    let limit = json!({
        "type": "object",
        "properties": {
            "requests": number(),
            "window": {
                "type": "string",
                "minLength": 2,
                "pattern": WINDOW_PATTERN,
                "description": "1ms to 366d, like 500ms, 10s, 5m, 1h30m, 7d",
            },
        },
        "required": ["requests", "window"],
        "additionalProperties": false,
    });
    let burst = json!({
        "anyOf": [number(), {"type": "null"}],
        "description": "with token-bucket only; when left out, the requests of the limit",
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Policy",
        "description": "The limits of a client, of a prefix of client ids, or of a namespace's other clients",
        "type": "object",
        "properties": {
            "limits": {"type": "array", "items": limit, "minItems": 1, "maxItems": LIMITS_PER_POLICY_MAX},
            "algorithm": names::<Algorithm>("how use is counted"),
            "burst": burst,
            "durability": names::<Durability>("how many copies an admission waits for"),
            "on_unavailable": names::<OnUnavailable>("the answer of clients when no node can decide"),
            "on_state_loss": names::<OnStateLoss>("whether lost counters count as used up or as fresh"),
            "shadow": {"type": "boolean", "default": false, "description": "decide and count, but always allow"},
        },
        "required": ["limits"],
        "additionalProperties": false,
        "$defs": {"policies": policies_schema()},
        "if": {"properties": {"burst": {"type": "integer"}}, "required": ["burst"]},
        "then": {"properties": {"algorithm": {"const": "token-bucket"}}, "required": ["algorithm"]},
    })
}

/// The schema of a file of policies, as a part of that of one.
fn policies_schema() -> Value {
    let named = |name: Value| json!({"type": "object", "propertyNames": name, "additionalProperties": {"$ref": "#"}});
    let ids = named(json!({"minLength": 1, "maxLength": CLIENT_ID_BYTES_MAX}));
    json!({
        "title": "Policies",
        "description": "Policies by namespace, as drl limits export writes them",
        "type": "object",
        "properties": {
            "namespaces": {
                "type": "object",
                "propertyNames": {"pattern": format!("^[a-zA-Z0-9._-]{{1,{NAMESPACE_BYTES_MAX}}}$")},
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "default": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
                        "clients": ids,
                        "prefixes": ids,
                    },
                    "additionalProperties": false,
                },
            },
        },
        "required": ["namespaces"],
        "additionalProperties": false,
    })
}

/// One of the names that `T` knows, or `null` for its default. No name is empty, so the refusal of the empty one lists them all.
fn names<T>(description: &str) -> Value
where
    T: Default + ToString + FromStr<Err = UnknownName>,
{
    let known = "".parse::<T>().err().map(|unknown| unknown.allowed.to_vec()).unwrap_or_default();
    let allowed: Vec<_> = known.into_iter().map(Value::from).chain([Value::Null]).collect();
    json!({"enum": allowed, "default": T::default().to_string(), "description": description})
}

#[cfg(test)]
mod tests;
