//! What messages mean: everything, gathered until it is complete and put into force at once; then each change as it comes.
//!
//! Invariant: no message stops what is in force. A policy that makes no sense leaves the one before under its selector.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use drl_configuration::{ConfigurationService, Entry, InMemory, PolicyDocument, PolicySet, Selector};
use drl_core::Namespace;
use drl_core::caps::BROKEN_POLICIES_LISTED_MAX;
use drl_limits::Policy;
use drl_proto::v1::selector::Selector as Sent;
use drl_proto::v1::{ConfiguredPolicy, ConfiguredSelector, WatchConfigurationResponse};

use crate::Refused;

/// A stream that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Nonsense {
    #[error("it took a policy back before it had told everything")]
    RemovedBeforeComplete,
    #[error("it said twice that it had told everything")]
    CompleteTwice,
}

/// The policies that make no sense, by where they stand. Those beyond what is listed are counted.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    listed: BTreeMap<Place, String>,
    unlisted: usize,
}

/// Namespace and selector, for people.
type Place = (String, String);

/// A stream, as far as it was taken.
pub(crate) struct Taking<'a> {
    policies: &'a InMemory,
    refusals: &'a Mutex<Refusals>,
    /// Until everything was told.
    gathered: Option<(PolicySet, Refusals)>,
}

impl Refusals {
    fn put(&mut self, place: Place, reason: String) {
        tracing::warn!(namespace = %place.0, selector = %place.1, %reason, "a policy of the configuration service makes no sense and changes nothing");
        if self.listed.len() < BROKEN_POLICIES_LISTED_MAX || self.listed.contains_key(&place) {
            self.listed.insert(place, reason);
        } else {
            self.unlisted += 1;
        }
    }

    pub(crate) fn list(&self) -> (Vec<Refused>, usize) {
        let refused = |((namespace, selector), reason): (&Place, &String)| Refused {
            namespace: namespace.clone(),
            selector: selector.clone(),
            reason: reason.clone(),
        };
        (self.listed.iter().map(refused).collect(), self.listed.len() + self.unlisted)
    }
}

impl<'a> Taking<'a> {
    pub(crate) fn new(policies: &'a InMemory, refusals: &'a Mutex<Refusals>) -> Self {
        Self { policies, refusals, gathered: Some((PolicySet::new(), Refusals::default())) }
    }

    /// Takes a message. Whether everything was told by now.
    ///
    /// # Errors
    /// [`Nonsense`]: nothing of the message was taken.
    pub(crate) fn take(&mut self, message: &WatchConfigurationResponse) -> Result<bool, Nonsense> {
        let Some((gathered, refusals)) = &mut self.gathered else {
            if message.is_complete {
                return Err(Nonsense::CompleteTwice);
            }
            self.change(message);
            return Ok(true);
        };
        if !message.removed.is_empty() {
            return Err(Nonsense::RemovedBeforeComplete);
        }
        // Nobody else changes them, so that this will be the revision of what is different.
        let revision = self.policies.revision().saturating_add(1);
        self.policies.with_policies(|before| {
            for policy in &message.set {
                gather(policy, gathered, before, revision, refusals);
            }
        });
        if message.is_complete
            && let Some((gathered, refusals)) = self.gathered.take()
        {
            self.policies.change(|policies, _| {
                let is_other = !is_same(policies, &gathered);
                *policies = gathered;
                is_other
            });
            *self.refusals.lock().unwrap_or_else(PoisonError::into_inner) = refusals;
        }
        Ok(self.gathered.is_none())
    }

    fn change(&self, message: &WatchConfigurationResponse) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        self.policies.change(|policies, revision| {
            let mut is_other = false;
            for policy in &message.set {
                is_other |= put(policy, policies, revision, &mut refusals);
            }
            for removed in &message.removed {
                let place = shown(Some(removed));
                match read(Some(removed)) {
                    Ok((namespace, selector)) => {
                        refusals.listed.remove(&place);
                        is_other |= policies.remove(namespace, &selector).is_some();
                    }
                    Err(reason) => refusals.put(place, reason),
                }
            }
            is_other
        });
    }
}

/// Adds a policy to what is gathered; one that makes no sense is as it was before.
fn gather(policy: &ConfiguredPolicy, into: &mut PolicySet, before: &PolicySet, revision: u64, refusals: &mut Refusals) {
    let place = shown(policy.selector.as_ref());
    let result = read(policy.selector.as_ref()).and_then(|(namespace, selector)| {
        let known = before.entry(namespace, &selector);
        let (entry, result) = match PolicyDocument::parse(&policy.policy_json) {
            Ok(new) => (Some(entry(known, new, revision)), Ok(())),
            Err(invalid) => (known.cloned(), Err(invalid.to_string())),
        };
        if let Some(entry) = entry {
            into.insert(namespace, selector, entry).map_err(|full| full.to_string())?;
        }
        result
    });
    if let Err(reason) = result {
        refusals.put(place, reason);
    }
}

/// Puts a policy into force. Whether it is another one than before.
fn put(policy: &ConfiguredPolicy, policies: &mut PolicySet, revision: u64, refusals: &mut Refusals) -> bool {
    let place = shown(policy.selector.as_ref());
    let result = read(policy.selector.as_ref()).and_then(|(namespace, selector)| {
        let new = PolicyDocument::parse(&policy.policy_json).map_err(|invalid| invalid.to_string())?;
        let known = policies.entry(namespace, &selector);
        let entry = entry(known, new, revision);
        let is_other = known != Some(&entry);
        policies.insert(namespace, selector, entry).map_err(|full| full.to_string())?;
        Ok(is_other)
    });
    match result {
        Ok(is_other) => {
            refusals.listed.remove(&place);
            is_other
        }
        Err(reason) => {
            refusals.put(place, reason);
            false
        }
    }
}

/// A policy that is the same has not changed since it was told first.
fn entry(known: Option<&Entry>, policy: Policy, revision: u64) -> Entry {
    match known.filter(|known| *known.policy == policy) {
        Some(known) => known.clone(),
        None => Entry { policy: Arc::new(policy), revision },
    }
}

fn is_same(one: &PolicySet, other: &PolicySet) -> bool {
    one.len() == other.len() && one.iter().eq(other.iter())
}

fn read(at: Option<&ConfiguredSelector>) -> Result<(Namespace<'_>, Selector), String> {
    let at = at.ok_or("it has no selector")?;
    let namespace = match &*at.namespace {
        "" => Namespace::DEFAULT,
        name => Namespace::new(name).map_err(|invalid| invalid.to_string())?,
    };
    let selector = match at.selector.as_ref().and_then(|selector| selector.selector.as_ref()) {
        Some(Sent::Client(id)) => Selector::Client(id.to_vec()),
        Some(Sent::Prefix(prefix)) => Selector::Prefix(prefix.to_vec()),
        Some(Sent::Default(_)) => Selector::Default,
        None => return Err("it does not say for whom it is: client, prefix or default".to_owned()),
    };
    selector.check().map_err(|invalid| invalid.to_string())?;
    Ok((namespace, selector))
}

fn shown(at: Option<&ConfiguredSelector>) -> Place {
    let namespace = at.map(|at| at.namespace.as_str()).filter(|name| !name.is_empty()).unwrap_or("default");
    let namespace: String = namespace.chars().take(64).collect();
    let selector = read(at).map_or_else(|_| "(none)".to_owned(), |(_, selector)| selector.to_string());
    (namespace, selector)
}
