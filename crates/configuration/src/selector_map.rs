//! The policies of one namespace and their lookup order: the exact client, else the longest prefix, else the default.
//!
//! Prefixes are kept by length, one hash table each, the longest length first. A lookup hashes the beginning of the id once per distinct
//! length that is no longer than the id (at most 256, in practice a handful), however many prefixes there are; it allocates nothing.

use std::collections::HashMap;
use std::sync::Arc;

use crate::seeded::Seeded;
use crate::selector::printable;
use crate::{Matched, Selector};

#[derive(Debug)]
pub(crate) struct SelectorMap<V> {
    clients: HashMap<Box<[u8]>, V, Seeded>,
    /// Longest first; none is empty.
    prefixes: Vec<PrefixesOfLength<V>>,
    default: Option<V>,
}

#[derive(Debug)]
struct PrefixesOfLength<V> {
    length: usize,
    values: HashMap<Box<[u8]>, PrefixValue<V>, Seeded>,
}

#[derive(Debug)]
struct PrefixValue<V> {
    value: V,
    /// The prefix for people, made once so that an answer can share it.
    text: Arc<str>,
}

impl<V> SelectorMap<V> {
    pub(crate) fn new() -> Self {
        Self { clients: HashMap::default(), prefixes: Vec::new(), default: None }
    }

    /// The value for a client, and by what it was matched.
    pub(crate) fn find(&self, client: &[u8]) -> Option<(&V, Matched)> {
        if let Some(value) = self.clients.get(client) {
            return Some((value, Matched::Client));
        }
        let longest = self.prefixes.iter().find_map(|of_length| of_length.values.get(client.get(..of_length.length)?));
        longest
            .map(|found| (&found.value, Matched::Prefix(Arc::clone(&found.text))))
            .or_else(|| self.default.as_ref().map(|value| (value, Matched::Default)))
    }

    /// The value of this very selector.
    pub(crate) fn get(&self, selector: &Selector) -> Option<&V> {
        match selector {
            Selector::Client(id) => self.clients.get(id.as_slice()),
            Selector::Prefix(prefix) => {
                let at = self.place_of(prefix.len()).ok()?;
                self.prefixes[at].values.get(prefix.as_slice()).map(|found| &found.value)
            }
            Selector::Default => self.default.as_ref(),
        }
    }

    /// Returns the value that was there.
    pub(crate) fn insert(&mut self, selector: Selector, value: V) -> Option<V> {
        match selector {
            Selector::Client(id) => self.clients.insert(id.into(), value),
            Selector::Prefix(prefix) => {
                let length = prefix.len();
                let at = self.place_of(length).unwrap_or_else(|at| {
                    self.prefixes.insert(at, PrefixesOfLength { length, values: HashMap::default() });
                    at
                });
                let text = printable(&prefix).into();
                self.prefixes[at].values.insert(prefix.into(), PrefixValue { value, text }).map(|old| old.value)
            }
            Selector::Default => self.default.replace(value),
        }
    }

    /// Returns the value that was there.
    pub(crate) fn remove(&mut self, selector: &Selector) -> Option<V> {
        match selector {
            Selector::Client(id) => self.clients.remove(id.as_slice()),
            Selector::Prefix(prefix) => {
                let at = self.place_of(prefix.len()).ok()?;
                let removed = self.prefixes[at].values.remove(prefix.as_slice())?;
                if self.prefixes[at].values.is_empty() {
                    self.prefixes.remove(at);
                }
                Some(removed.value)
            }
            Selector::Default => self.default.take(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.prefixes.is_empty() && self.default.is_none()
    }

    /// All values, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        let prefixes = self.prefixes.iter().flat_map(|of_length| of_length.values.values().map(|found| &found.value));
        self.clients.values().chain(prefixes).chain(&self.default)
    }

    /// All selectors and values, in the order of the selectors.
    pub(crate) fn sorted(&self) -> Vec<(Selector, &V)> {
        let default = self.default.iter().map(|value| (Selector::Default, value));
        let prefixes = self.prefixes.iter().flat_map(|of_length| &of_length.values);
        let prefixes = prefixes.map(|(prefix, found)| (Selector::Prefix(prefix.to_vec()), &found.value));
        let clients = self.clients.iter().map(|(id, value)| (Selector::Client(id.to_vec()), value));
        let mut all: Vec<_> = default.chain(prefixes).chain(clients).collect();
        all.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        all
    }

    /// Where the prefixes of `length` are, or belong.
    fn place_of(&self, length: usize) -> Result<usize, usize> {
        self.prefixes.binary_search_by(|of_length| length.cmp(&of_length.length))
    }
}
