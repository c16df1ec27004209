//! Policies by namespace and selector, and the lookup order among them. It has caps and no revision of its own: whoever owns a set
//! numbers its entries. A value; it is shared by a service.

use std::collections::HashMap;
use std::sync::Arc;

use drl_core::caps::{NAMESPACES_MAX, POLICIES_MAX};
use drl_core::{LimitKey, Namespace};
use drl_limits::Policy;

use crate::seeded::Seeded;
use crate::selector_map::SelectorMap;
use crate::{InvalidSelector, Matched, Selector};

#[derive(Debug, Default)]
pub struct PolicySet {
    namespaces: HashMap<Box<str>, SelectorMap<Entry>, Seeded>,
    len: usize,
}

/// A policy and the revision in which it became what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub policy: Arc<Policy>,
    pub revision: u64,
}

/// What applies to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    pub entry: &'a Entry,
    pub matched: Matched,
}

/// One row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<'a> {
    pub namespace: &'a str,
    pub selector: Selector,
    pub entry: &'a Entry,
}

/// Why a policy was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    #[error(transparent)]
    Selector(#[from] InvalidSelector),
    #[error("there are {POLICIES_MAX} policies already; delete some, or let a prefix or the default cover them")]
    TooManyPolicies,
    #[error("there are {NAMESPACES_MAX} namespaces already; use one of them")]
    TooManyNamespaces,
}

impl PolicySet {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What applies to `key`: the exact client, else the longest prefix, else the default of the namespace. Allocates nothing.
    #[must_use]
    pub fn get(&self, key: LimitKey<'_>) -> Option<Found<'_>> {
        let (entry, matched) = self.namespaces.get(key.namespace.as_str())?.find(key.client.as_bytes())?;
        Some(Found { entry, matched })
    }

    /// The entry of this very selector, whatever else would apply.
    #[must_use]
    pub fn entry(&self, namespace: Namespace<'_>, selector: &Selector) -> Option<&Entry> {
        self.namespaces.get(namespace.as_str())?.get(selector)
    }

    /// Puts an entry in the place of the one that has the same selector, and returns that one.
    ///
    /// # Errors
    /// [`InsertError`] when the selector is not possible or the set is full; nothing has changed then.
    pub fn insert(
        &mut self,
        namespace: Namespace<'_>,
        selector: Selector,
        entry: Entry,
    ) -> Result<Option<Entry>, InsertError> {
        selector.check()?;
        if self.len >= POLICIES_MAX && self.entry(namespace, &selector).is_none() {
            return Err(InsertError::TooManyPolicies);
        }
        if self.namespaces.len() >= NAMESPACES_MAX && !self.namespaces.contains_key(namespace.as_str()) {
            return Err(InsertError::TooManyNamespaces);
        }
        let policies = self.namespaces.entry(namespace.as_str().into()).or_insert_with(SelectorMap::new);
        let replaced = policies.insert(selector, entry);
        self.len += usize::from(replaced.is_none());
        Ok(replaced)
    }

    /// Takes the entry of this very selector out. A namespace without policies is gone.
    pub fn remove(&mut self, namespace: Namespace<'_>, selector: &Selector) -> Option<Entry> {
        let policies = self.namespaces.get_mut(namespace.as_str())?;
        let removed = policies.remove(selector)?;
        if policies.is_empty() {
            self.namespaces.remove(namespace.as_str());
        }
        self.len -= 1;
        Some(removed)
    }

    /// All entries, by namespace and selector: the default, then prefixes, then clients. It sorts, so it is for lists, not for lookups.
    pub fn iter(&self) -> impl Iterator<Item = Listed<'_>> {
        let mut namespaces: Vec<_> = self.namespaces.iter().collect();
        namespaces.sort_unstable_by_key(|(namespace, _)| *namespace);
        namespaces.into_iter().flat_map(|(namespace, policies)| {
            policies.sorted().into_iter().map(|(selector, entry)| Listed { namespace, selector, entry })
        })
    }

    /// The latest revision of an entry; zero without entries.
    #[must_use]
    pub fn latest_revision(&self) -> u64 {
        let entries = self.namespaces.values().flat_map(SelectorMap::values);
        entries.map(|entry| entry.revision).max().unwrap_or(0)
    }

    /// Number of policies.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[must_use]
    pub fn namespace_count(&self) -> usize {
        self.namespaces.len()
    }
}

#[cfg(test)]
pub(crate) mod tests;
