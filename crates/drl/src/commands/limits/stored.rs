//! A stored policy in print, and a checked policy as the JSON that is stored.

use anyhow::Context as _;
use drl_configuration::PolicyDocument;
use drl_limits::Policy;
use serde_json::{Map, Value};

use crate::policy_store::Kept;
use crate::selector;

/// The JSON of a policy, as docs/limits.md describes it.
///
/// # Errors
/// Never in practice: a checked policy can be written.
pub(super) fn document(policy: &Policy) -> anyhow::Result<Value> {
    serde_json::to_value(PolicyDocument::from(policy)).context("cannot write the policy as JSON")
}

/// A policy as it is kept, with its document read as JSON. Fields that this version does not know are shown too.
pub(super) struct Stored {
    kept: Kept,
    /// What is not JSON is a string.
    policy: Value,
}

impl From<Kept> for Stored {
    fn from(mut kept: Kept) -> Self {
        let policy = serde_json::from_str(&kept.json).unwrap_or_else(|error| {
            kept.fault.get_or_insert_with(|| format!("not JSON: {error}"));
            Value::String(kept.json.clone())
        });
        Self { kept, policy }
    }
}

impl Stored {
    /// Why it is not in force; `None` when nothing is known to be wrong.
    pub(super) fn fault(&self) -> Option<&str> {
        self.kept.fault.as_deref()
    }

    pub(super) fn json(&self) -> Map<String, Value> {
        let mut json = selector::json(&self.kept.namespace, self.kept.selector.as_ref());
        json.insert("revision".to_owned(), self.kept.revision.into());
        json.insert("policy".to_owned(), self.policy.clone());
        if let Some(fault) = self.fault() {
            json.insert("fault".to_owned(), fault.into());
        }
        json
    }

    /// One policy, a row for each of its fields.
    pub(super) fn rows(&self) -> Vec<[String; 2]> {
        let mut rows = vec![
            ["namespace".to_owned(), self.kept.namespace.clone()],
            ["for".to_owned(), selector::phrase(self.kept.selector.as_ref())],
            ["revision".to_owned(), self.kept.revision.to_string()],
        ];
        if let Some(fault) = self.fault() {
            rows.push(["not in force".to_owned(), fault.to_owned()]);
            rows.push(["value".to_owned(), plain(&self.policy)]);
            return rows;
        }
        rows.push(["limits".to_owned(), limits(&self.policy)]);
        let fields = self.policy.as_object().into_iter().flatten().filter(|(name, _)| *name != "limits");
        rows.extend(fields.map(|(name, value)| [name.replace('_', " "), plain(value)]));
        rows
    }

    pub(super) const HEADINGS: [&str; 5] = ["NAMESPACE", "FOR", "LIMITS", "ALGORITHM", "REVISION"];

    /// One policy among others, a row of the list.
    pub(super) fn row(&self) -> [String; 5] {
        let (limits, algorithm) = match self.fault() {
            Some(fault) => (format!("not in force: {fault}"), String::new()),
            None => (limits(&self.policy), self.policy.get("algorithm").map(plain).unwrap_or_default()),
        };
        let place = selector::phrase(self.kept.selector.as_ref());
        [self.kept.namespace.clone(), place, limits, algorithm, self.kept.revision.to_string()]
    }
}

/// `100 per 1m, 1000 per 1h`
pub(in crate::commands) fn limits(policy: &Value) -> String {
    let limits = policy.get("limits").and_then(Value::as_array).into_iter().flatten();
    let phrases = limits.map(|limit| {
        let field = |name| limit.get(name).map(plain).unwrap_or_default();
        format!("{} per {}", field("requests"), field("window"))
    });
    phrases.collect::<Vec<_>>().join(", ")
}

/// A value without the quotes of JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
