//! Policies in lists: a page at a time, in the order of namespace and selector. A page costs what is on it, however many policies there
//! are; a change between two pages neither repeats nor hides what did not change.

use std::collections::BTreeSet;
use std::ops::Bound;

use drl_configuration::{PolicyDocument, PolicySet, Selector};
use drl_core::Namespace;

use super::record;

/// A policy as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredPolicy {
    pub(crate) namespace: String,
    pub(crate) selector: Selector,
    /// On one line, with every field.
    pub(crate) json: String,
    /// Of the change that brought it.
    pub(crate) revision: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) policies: Vec<StoredPolicy>,
    /// Where the next page begins; `None` when this was the last.
    pub(crate) next: Option<Vec<u8>>,
}

/// The policies of one namespace, or of all, behind the key `after`; at most `size`.
pub(super) fn page(
    keys: &BTreeSet<Vec<u8>>,
    set: &PolicySet,
    namespace: Option<Namespace<'_>>,
    after: &[u8],
    size: usize,
) -> Page {
    let prefix = namespace.map(record::namespace_prefix).unwrap_or_default();
    let from = if after < &prefix[..] { Bound::Included(&prefix[..]) } else { Bound::Excluded(after) };
    let mut range =
        keys.range::<[u8], _>((from, Bound::Unbounded)).take_while(|key| key.starts_with(&prefix)).peekable();
    let mut page = Page::default();
    let mut last = None;
    for key in range.by_ref().take(size) {
        page.policies.extend(show(key, set));
        last = Some(key);
    }
    page.next = last.filter(|_| range.peek().is_some()).cloned();
    page
}

/// The policy under a key.
pub(super) fn show(key: &[u8], set: &PolicySet) -> Option<StoredPolicy> {
    let (namespace, selector) = record::read_key(key).ok()?;
    let entry = set.entry(namespace, &selector)?;
    let json = PolicyDocument::from(&*entry.policy).to_string();
    Some(StoredPolicy { namespace: namespace.as_str().to_owned(), selector, json, revision: entry.revision })
}
