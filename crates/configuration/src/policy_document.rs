//! A policy as JSON, the value that people write into a file, into etcd or after `drl limits set`:
//!
//! ```text
//! {"limits":[{"requests":100,"window":"1m"},{"requests":1000,"window":"1h"}],
//!  "algorithm":"token-bucket","burst":20,"durability":"replicated",
//!  "on_unavailable":"deny","on_state_loss":"deny","shadow":false}
//! ```
//!
//! Only `limits` must be there. A field that is not known is refused: a misspelt one would silently not be in force. The document holds
//! what was written; [`PolicyDocument::policy`] says whether it can be.

mod form;
mod number;

use std::fmt;

use drl_core::caps::{COST_MAX, LIMITS_PER_POLICY_MAX, POLICY_BYTES_MAX};
use drl_limits::{InvalidPolicy, Limit, Mode, Policy, PolicySpec, UnknownName, Window};
use serde::{Deserialize, Serialize};

use crate::fault::quoted;
use crate::{Fault, Faults, InvalidPolicyDocument};

/// A policy as it is written. Names that are left out are the defaults of the field's type in `drl_limits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    pub limits: Vec<LimitDocument>,
    /// `fixed-window`, `sliding-window` (when left out) or `token-bucket`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// With `token-bucket` only; when left out, the requests of the limit.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "number::or_null")]
    pub burst: Option<u64>,
    /// `replicated` (when left out) or `async`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durability: Option<String>,
    /// `deny` (when left out), `allow` or `local`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_unavailable: Option<String>,
    /// `deny` (when left out) or `allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_state_loss: Option<String>,
    /// Decide and count, but always allow.
    #[serde(default)]
    pub shadow: bool,
}

/// One limit as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitDocument {
    /// 1 to 2^53.
    #[serde(deserialize_with = "number::whole")]
    pub requests: u64,
    /// `1ms` to `366d`.
    pub window: String,
}

impl PolicyDocument {
    /// # Errors
    /// [`InvalidPolicyDocument`] when `json` is longer than [`POLICY_BYTES_MAX`], is not JSON, or has fields of a wrong type or name, with
    /// all of them.
    pub fn read(json: &[u8]) -> Result<Self, InvalidPolicyDocument> {
        if json.len() > POLICY_BYTES_MAX {
            let problem = format!("{} bytes are too many for a policy; use at most {POLICY_BYTES_MAX}", json.len());
            return Err(Faults::from(Fault::new("", problem)).into());
        }
        serde_json::from_slice(json).map_err(|error| {
            let faults = if error.is_data() { form::faults(json) } else { Faults::default() };
            if faults.is_empty() { Faults::from(locate::<Self>(json, &error)).into() } else { faults.into() }
        })
    }

    /// Reads `json` and makes the policy of it.
    ///
    /// # Errors
    /// [`InvalidPolicyDocument`] as [`PolicyDocument::read`] and [`PolicyDocument::policy`].
    pub fn parse(json: &[u8]) -> Result<Policy, InvalidPolicyDocument> {
        Self::read(json)?.policy()
    }

    /// # Errors
    /// [`InvalidPolicyDocument`] with every field whose value is not possible.
    pub fn policy(&self) -> Result<Policy, InvalidPolicyDocument> {
        let mut faults = Faults::default();
        let spec = self.values(&mut faults);
        if !faults.is_empty() {
            return Err(faults.into());
        }
        Policy::new(spec).map_err(|invalid| Faults::from(self.fault_of(&invalid)).into())
    }

    /// What each field says; those whose value is not possible go to `faults`.
    fn values(&self, faults: &mut Faults) -> PolicySpec {
        let limits = (0..).zip(&self.limits).filter_map(|(index, limit)| limit.limit(index, faults)).collect();
        PolicySpec {
            limits,
            algorithm: named("algorithm", self.algorithm.as_deref(), faults),
            burst: self.burst,
            durability: named("durability", self.durability.as_deref(), faults),
            on_unavailable: named("on_unavailable", self.on_unavailable.as_deref(), faults),
            on_state_loss: named("on_state_loss", self.on_state_loss.as_deref(), faults),
            mode: if self.shadow { Mode::Shadow } else { Mode::Enforce },
            carry: drl_limits::Carry::Units,
        }
    }

    /// The field that makes the whole impossible, though each value is possible.
    fn fault_of(&self, invalid: &InvalidPolicy) -> Fault {
        let burst = self.burst.unwrap_or_default();
        match invalid {
            InvalidPolicy::NumberOfLimits { count } => {
                Fault::new("limits", format!("{count} limits are not possible; write 1 to {LIMITS_PER_POLICY_MAX}"))
            }
            InvalidPolicy::BurstWithoutBucket { algorithm } => {
                let problem = format!("{burst} means nothing to {algorithm}; leave it out, or use token-bucket");
                Fault::new("burst", problem)
            }
            InvalidPolicy::BurstOutOfRange { .. } => {
                Fault::new("burst", format!("{burst} is not possible; write 1 to {COST_MAX}"))
            }
            InvalidPolicy::BurstTooSlow { limit, .. } => {
                let problem =
                    format!("{burst} takes more than 100 years to refill at {limit}; write less, or a higher rate");
                Fault::new("burst", problem)
            }
        }
    }
}

impl From<&Policy> for PolicyDocument {
    /// Every field is written out, so that nobody has to know the defaults of the version that wrote it.
    fn from(policy: &Policy) -> Self {
        let limit = |limit: &Limit| LimitDocument { requests: limit.requests(), window: limit.window().to_string() };
        Self {
            limits: policy.limits().iter().map(limit).collect(),
            algorithm: Some(policy.algorithm().to_string()),
            burst: policy.burst(),
            durability: Some(policy.durability().to_string()),
            on_unavailable: Some(policy.on_unavailable().to_string()),
            on_state_loss: Some(policy.on_state_loss().to_string()),
            shadow: policy.mode() == Mode::Shadow,
        }
    }
}

/// The JSON on one line.
impl fmt::Display for PolicyDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl LimitDocument {
    /// The limit at `index`; its faults go to `faults`.
    fn limit(&self, index: usize, faults: &mut Faults) -> Option<Limit> {
        if !(1..=COST_MAX).contains(&self.requests) {
            let problem = format!("{} is not possible; write 1 to {COST_MAX}", self.requests);
            faults.push(Fault::new(format!("limits[{index}].requests"), problem));
        }
        let window = self.window.parse::<Window>();
        if window.is_err() {
            let allowed = "write 1ms to 366d, like 500ms, 10s, 5m, 1h30m, 7d";
            let problem = format!("{} is not a window; {allowed}", quoted(&self.window));
            faults.push(Fault::new(format!("limits[{index}].window"), problem));
        }
        Limit::new(self.requests, window.ok()?).ok()
    }
}

/// The value that `text` names; a name that is not known goes to `faults`.
fn named<T>(field: &str, text: Option<&str>, faults: &mut Faults) -> T
where
    T: Default + std::str::FromStr<Err = UnknownName>,
{
    text.map_or_else(|| Ok(T::default()), str::parse).unwrap_or_else(|UnknownName { allowed, .. }| {
        let problem = format!("{} is unknown; use {}", quoted(text.unwrap_or_default()), allowed.join(", "));
        faults.push(Fault::new(field, problem));
        T::default()
    })
}

/// Names the field that `error` is about. Reading a second time is for broken JSON only, and keeps the first time fast.
pub(crate) fn locate<'de, T: Deserialize<'de>>(json: &'de [u8], error: &serde_json::Error) -> Fault {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let path = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(located) if !error.is_syntax() && !error.is_eof() => located.path().to_string(),
        _ => String::new(),
    };
    let text = error.to_string();
    match error.classify() {
        // A place in the text helps with text that is broken; otherwise the field says more.
        serde_json::error::Category::Data => {
            let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
            Fault::new(if path == "." { "" } else { &path }, text)
        }
        _ => Fault::new("", format!("not JSON: {text}")),
    }
}

#[cfg(test)]
mod tests;
