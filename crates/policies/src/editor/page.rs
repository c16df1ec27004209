//! Policies as they are written in etcd, a page at a time, in the order of their keys. What is broken is shown with what is wrong with it.

use drl_configuration::{PolicyDocument, Selector};
use drl_coordination::{Entry, Keys};
use drl_core::Namespace;

use crate::broken::shown;
use crate::{BrokenKey, place};

/// A policy as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPolicy {
    pub namespace: String,
    pub selector: Selector,
    /// On one line, with every field; a broken value as it is.
    pub json: String,
    /// Of the change that brought it.
    pub revision: u64,
    /// Why it is not in force; `None` when it is a policy.
    pub fault: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyPage {
    pub policies: Vec<WrittenPolicy>,
    /// Keys among them that are no keys of policies.
    pub strays: Vec<BrokenKey>,
    /// Where the next page begins; `None` when this was the last.
    pub next: Option<Vec<u8>>,
}

impl WrittenPolicy {
    pub(super) fn new(namespace: Namespace<'_>, selector: Selector, entry: &Entry) -> Self {
        let (json, fault) = match PolicyDocument::parse(&entry.value) {
            Ok(policy) => (PolicyDocument::from(&policy).to_string(), None),
            Err(invalid) => (String::from_utf8_lossy(&entry.value).into_owned(), Some(invalid.to_string())),
        };
        Self { namespace: namespace.as_str().to_owned(), selector, json, revision: entry.changed.0, fault }
    }
}

/// The first `size` of some entries; there is a next page when there are more.
pub(super) fn page(keys: &Keys, entries: &[Entry], size: usize) -> PolicyPage {
    let mut page = PolicyPage::default();
    for entry in entries.iter().take(size) {
        page.push(keys, entry);
    }
    if entries.len() > size {
        page.next = entries.get(size.saturating_sub(1)).map(|last| last.key.as_bytes().to_vec());
    }
    page
}

impl PolicyPage {
    fn push(&mut self, keys: &Keys, entry: &Entry) {
        let place = match place::of(keys, &entry.key) {
            Ok(place) => place,
            Err(invalid) => {
                let (key, reason) = (shown(&entry.key), invalid.to_string());
                return self.strays.push(BrokenKey { key, reason, since_revision: entry.changed.0 });
            }
        };
        // The name was checked when the key was parsed.
        if let Ok(namespace) = Namespace::new(&place.namespace) {
            self.policies.push(WrittenPolicy::new(namespace, place::selector(place.whom), entry));
        }
    }
}
