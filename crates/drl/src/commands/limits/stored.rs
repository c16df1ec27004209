//! A stored policy in print, and a checked policy as the JSON that is stored.

use anyhow::Context as _;
use drl_configuration::PolicyDocument;
use drl_limits::Policy;
use drl_proto::v1::{Selector, StoredPolicy};
use serde_json::{Map, Value};

use crate::selector;

/// The JSON of a policy, as docs/limits.md describes it.
///
/// # Errors
/// Never in practice: a checked policy can be written.
pub(super) fn document(policy: &Policy) -> anyhow::Result<Value> {
    serde_json::to_value(PolicyDocument::from(policy)).context("cannot write the policy as JSON")
}

/// A policy that a node keeps, with its document read as JSON. Fields that this version does not know are shown too.
pub(super) struct Stored {
    namespace: String,
    selector: Selector,
    revision: u64,
    policy: Value,
}

impl Stored {
    /// # Errors
    /// When the node sent something that is not JSON.
    pub(super) fn read(stored: StoredPolicy) -> anyhow::Result<Self> {
        let StoredPolicy { namespace, selector, policy_json, revision } = stored;
        let policy = serde_json::from_str(&policy_json).context("the node sent a policy that is not JSON")?;
        Ok(Self { namespace, selector: selector.unwrap_or_default(), revision, policy })
    }

    pub(super) fn json(&self) -> Map<String, Value> {
        let mut json = selector::json(&self.namespace, &self.selector);
        json.insert("revision".to_owned(), self.revision.into());
        json.insert("policy".to_owned(), self.policy.clone());
        json
    }

    /// One policy, a row for each of its fields.
    pub(super) fn rows(&self) -> Vec<[String; 2]> {
        let mut rows = vec![
            ["namespace".to_owned(), self.namespace.clone()],
            ["for".to_owned(), selector::phrase(&self.selector)],
            ["revision".to_owned(), self.revision.to_string()],
            ["limits".to_owned(), self.limits()],
        ];
        let fields = self.policy.as_object().into_iter().flatten().filter(|(name, _)| *name != "limits");
        rows.extend(fields.map(|(name, value)| [name.replace('_', " "), plain(value)]));
        rows
    }

    pub(super) const HEADINGS: [&str; 5] = ["NAMESPACE", "FOR", "LIMITS", "ALGORITHM", "REVISION"];

    /// One policy among others, a row of the list.
    pub(super) fn row(&self) -> [String; 5] {
        let algorithm = self.policy.get("algorithm").map(plain).unwrap_or_default();
        let place = selector::phrase(&self.selector);
        [self.namespace.clone(), place, self.limits(), algorithm, self.revision.to_string()]
    }

    /// `100 per 1m, 1000 per 1h`
    fn limits(&self) -> String {
        let limits = self.policy.get("limits").and_then(Value::as_array).into_iter().flatten();
        let phrases = limits.map(|limit| {
            let field = |name| limit.get(name).map(plain).unwrap_or_default();
            format!("{} per {}", field("requests"), field("window"))
        });
        phrases.collect::<Vec<_>>().join(", ")
    }
}

/// A value without the quotes of JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
