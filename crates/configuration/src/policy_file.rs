//! A file of policies as JSON text:
//!
//! ```text
//! {"namespaces":{"default":{"default":{policy},"clients":{"alice":{policy}},"prefixes":{"team-":{policy}}}}}
//! ```
//!
//! It is read as a whole or not at all, and every fault of it is said at once. A policy that is the same as in the set before keeps its
//! revision, and equal policies are one in memory. It knows no files and no services.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use drl_core::Namespace;
use drl_limits::Policy;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::fault::quoted;
use crate::policy_document::locate;
use crate::policy_set::{Entry, PolicySet};
use crate::{Fault, Faults, PolicyDocument, Selector};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText<'a> {
    #[serde(borrow)]
    namespaces: Pairs<'a, NamespaceText<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamespaceText<'a> {
    #[serde(borrow, default)]
    default: Option<&'a RawValue>,
    #[serde(borrow, default)]
    clients: Pairs<'a, &'a RawValue>,
    #[serde(borrow, default)]
    prefixes: Pairs<'a, &'a RawValue>,
}

/// An object as it is written: in order, and with names that stand there twice.
#[derive(Debug)]
struct Pairs<'a, T>(Vec<(Name<'a>, T)>);

#[derive(Debug, Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The policies of a file, and whether they are others than before.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) policies: PolicySet,
    pub(crate) differs: Differs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Differs {
    Yes,
    No,
}

/// A set that is being made.
struct Builder<'a> {
    before: &'a PolicySet,
    revision: u64,
    set: PolicySet,
    /// Policies by their text: thousands of clients often share one.
    parsed: HashMap<&'a str, Arc<Policy>>,
    faults: Faults,
    /// Entries that are as they were before.
    kept: usize,
}

/// Reads the policies of a file. Those that are not in `before`, or are another policy there, get `revision`.
pub(crate) fn parse(json: &[u8], before: &PolicySet, revision: u64) -> Result<Parsed, Faults> {
    let text: FileText<'_> = serde_json::from_slice(json).map_err(|error| form_faults(json, &error))?;
    let (set, parsed, faults) = (PolicySet::new(), HashMap::new(), Faults::default());
    let mut builder = Builder { before, revision, set, parsed, faults, kept: 0 };
    for (Name(name), policies) in text.namespaces.0 {
        let place = format!("namespaces[{}]", quoted(&name));
        match Namespace::new(&name) {
            Ok(namespace) => builder.add_namespace(namespace, &place, policies),
            Err(invalid) => builder.faults.push(Fault::new(place, invalid.to_string())),
        }
    }
    builder.finish()
}

/// What is wrong with the form of a file: one fault of each namespace, or the first of the whole.
fn form_faults(json: &[u8], error: &serde_json::Error) -> Faults {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outline<'a> {
        #[serde(borrow)]
        namespaces: Pairs<'a, &'a RawValue>,
    }
    let mut faults = Faults::default();
    if let Ok(outline) = serde_json::from_slice::<Outline<'_>>(json) {
        for (Name(name), text) in outline.namespaces.0 {
            let text = text.get().as_bytes();
            if let Err(error) = serde_json::from_slice::<NamespaceText<'_>>(text) {
                let place = format!("namespaces[{}]", quoted(&name));
                faults.push_all_within(&place, locate::<NamespaceText<'_>>(text, &error).into());
            }
        }
    }
    if faults.is_empty() { locate::<FileText<'_>>(json, error).into() } else { faults }
}

impl PolicySet {
    /// The policies of a file's text, all at revision 1.
    ///
    /// # Errors
    /// Every fault of the text.
    pub fn from_json(json: &[u8]) -> Result<Self, Faults> {
        parse(json, &Self::new(), 1).map(|parsed| parsed.policies)
    }
}

impl<'a> Builder<'a> {
    fn add_namespace(&mut self, namespace: Namespace<'_>, place: &str, policies: NamespaceText<'a>) {
        if let Some(json) = policies.default {
            self.add(namespace, Selector::Default, json, || format!("{place}.default"));
        }
        for (Name(id), json) in policies.clients.0 {
            let place = || format!("{place}.clients[{}]", quoted(&id));
            self.add(namespace, Selector::Client(id.as_bytes().to_vec()), json, place);
        }
        for (Name(prefix), json) in policies.prefixes.0 {
            let place = || format!("{place}.prefixes[{}]", quoted(&prefix));
            self.add(namespace, Selector::Prefix(prefix.as_bytes().to_vec()), json, place);
        }
    }

    fn add(&mut self, namespace: Namespace<'_>, selector: Selector, json: &'a RawValue, place: impl Fn() -> String) {
        let policy = match self.policy(json.get()) {
            Ok(policy) => policy,
            Err(faults) => return self.faults.push_all_within(&place(), faults),
        };
        let entry = match self.before.entry(namespace, &selector) {
            Some(before) if before.policy == policy => {
                self.kept += 1;
                before.clone()
            }
            _ => Entry { policy, revision: self.revision },
        };
        match self.set.insert(namespace, selector, entry) {
            Ok(None) => {}
            Ok(Some(_)) => self.faults.push(Fault::new(place(), "stands there twice; keep one of them")),
            Err(refused) => self.faults.push(Fault::new(place(), refused.to_string())),
        }
    }

    fn finish(self) -> Result<Parsed, Faults> {
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        let is_same = self.kept == self.set.len() && self.kept == self.before.len();
        Ok(Parsed { policies: self.set, differs: if is_same { Differs::No } else { Differs::Yes } })
    }

    fn policy(&mut self, json: &'a str) -> Result<Arc<Policy>, Faults> {
        if let Some(policy) = self.parsed.get(json) {
            return Ok(Arc::clone(policy));
        }
        let policy = Arc::new(PolicyDocument::parse(json.as_bytes()).map_err(|invalid| invalid.faults)?);
        self.parsed.insert(json, Arc::clone(&policy));
        Ok(policy)
    }
}

impl<T> Default for Pairs<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Pairs<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<'a, T>(PhantomData<Pairs<'a, T>>);

impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<'a, T> {
    type Value = Pairs<'a, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = fields.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests;
