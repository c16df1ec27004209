//! The policies of a standalone node, kept in its own store. A change is written (with an fsync) before it is in force, so what anybody
//! has seen in force is there after a restart; each change has a revision, one higher than the one before. The newest revision is also kept
//! beside the database: when damage took changes away, that is said, and unknown clients are denied until somebody changes a policy.
//!
//! Invariant: the set, the keys and the records name the same policies, but for records that could not be read: those are reported,
//! kept, and not in force.

mod error;
mod last_good;
mod page;
mod record;
mod source;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use drl_configuration::{ConfigurationService, Entry, PolicyDocument, PolicySet, RateLimitConfiguration, Selector};
use drl_core::caps::{NAMESPACES_MAX, POLICIES_MAX, POLICY_PAGE_MAX};
use drl_core::{LimitKey, Namespace};
use drl_host::Stopper;
use drl_store::{Record, RecordKind, Store};
use tokio::sync::watch;

pub(crate) use error::ChangeError;
pub use error::LoadError;
pub(crate) use last_good::StoreLastGood;
pub(crate) use page::{Page, StoredPolicy};
use record::BadRecord;
pub(crate) use source::Policies;

use crate::metrics;

pub(crate) struct StoredPolicies {
    store: Arc<dyn Store>,
    set: RwLock<PolicySet>,
    writer: Mutex<Writer>,
    revision: watch::Sender<u64>,
    /// Records that could not be read at the start.
    broken: usize,
    /// Changes that were lost before this start, until the next change: by then an operator has looked.
    missing: AtomicU64,
    /// The host over the same store, which must hear of a failed write.
    stopper: OnceLock<Stopper>,
}

/// What only changes look at; whoever holds it is the one who changes.
#[derive(Debug, Default)]
struct Writer {
    /// The keys of all records that are in force.
    keys: BTreeSet<Vec<u8>>,
    revision: u64,
}

impl StoredPolicies {
    /// Reads all policies. One that cannot be read is reported and left out; the others are in force.
    ///
    /// # Errors
    /// [`LoadError`] when the store cannot be read.
    pub(crate) fn load(store: Arc<dyn Store>) -> Result<Self, LoadError> {
        let (mut set, mut writer, mut broken) = (PolicySet::new(), Writer::default(), 0);
        for (key, value) in store.records(RecordKind::Meta)? {
            if key == record::REVISION_KEY
                && let Ok((revision, _)) = record::read_revision(&value)
            {
                writer.revision = revision;
            }
        }
        for (key, value) in store.records(RecordKind::Policy)? {
            match admit(&mut set, &key, &value) {
                Ok(revision) => {
                    writer.revision = writer.revision.max(revision);
                    writer.keys.insert(key);
                }
                Err(error) => {
                    broken += 1;
                    let key = key.escape_ascii();
                    tracing::error!(%key, %error, "a stored policy cannot be read and is NOT in force; set it again");
                }
            }
        }
        let missing = missing(writer.revision, store.marked_policies()?);
        // What was lost keeps its numbers.
        writer.revision = writer.revision.saturating_add(missing);
        tracing::info!(policies = set.len(), broken, revision = writer.revision, "policies loaded");
        let revision = watch::Sender::new(writer.revision);
        Ok(Self {
            store,
            set: RwLock::new(set),
            writer: Mutex::new(writer),
            revision,
            broken,
            missing: AtomicU64::new(missing),
            stopper: OnceLock::new(),
        })
    }

    /// Names the host that a failed write stops. The first one stays: there is one host over a store.
    pub(crate) fn stops(&self, stopper: Stopper) {
        let _ = self.stopper.set(stopper);
    }

    /// Writes a policy and puts it in force; returns the revision of the change. Blocks for an fsync.
    ///
    /// # Errors
    /// [`ChangeError`] when the policy, the selector or their number is not possible, or the write failed.
    pub(crate) fn set(&self, namespace: Namespace<'_>, selector: Selector, json: &[u8]) -> Result<u64, ChangeError> {
        let policy = PolicyDocument::parse(json)?;
        selector.check()?;
        let mut writer = self.writer();
        let key = record::key(namespace, &selector);
        writer.make_room(namespace, &key)?;
        let revision = writer.revision.saturating_add(1);
        self.write(&key, Some(record::value(revision, &policy)), revision)?;
        let entry = Entry { policy: Arc::new(policy), revision };
        let inserted = self.set.write().unwrap_or_else(PoisonError::into_inner).insert(namespace, selector, entry);
        // Room was made above, so this is only reached if the set counts differently; the policy is on disk and loads next time.
        if let Err(error) = inserted {
            tracing::error!(%error, "a policy was written and could not be put in force");
        }
        writer.keys.insert(key);
        self.publish(&mut writer, revision);
        Ok(revision)
    }

    /// Removes a policy; returns the revision of the change. Blocks for an fsync.
    ///
    /// # Errors
    /// [`ChangeError::NotFound`], or [`ChangeError::Write`] when the write failed.
    pub(crate) fn delete(&self, namespace: Namespace<'_>, selector: &Selector) -> Result<u64, ChangeError> {
        let mut writer = self.writer();
        let key = record::key(namespace, selector);
        if !writer.keys.contains(&key) {
            return Err(ChangeError::NotFound { namespace: namespace.to_string(), selector: selector.to_string() });
        }
        let revision = writer.revision.saturating_add(1);
        self.write(&key, None, revision)?;
        self.set.write().unwrap_or_else(PoisonError::into_inner).remove(namespace, selector);
        writer.keys.remove(&key);
        self.publish(&mut writer, revision);
        Ok(revision)
    }

    /// The policy under exactly this selector, whatever applies to whom.
    pub(crate) fn stored(&self, namespace: Namespace<'_>, selector: &Selector) -> Option<StoredPolicy> {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        page::show(&record::key(namespace, selector), &set)
    }

    /// Policies behind the key `after`, of one namespace or of all; `size` 0, or too large, is a full page.
    pub(crate) fn list(&self, namespace: Option<Namespace<'_>>, after: &[u8], size: usize) -> Page {
        let size = if size == 0 { POLICY_PAGE_MAX } else { size.min(POLICY_PAGE_MAX) };
        let writer = self.writer();
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        page::page(&writer.keys, &set, namespace, after, size)
    }

    pub(crate) fn counted(&self) -> metrics::Policies {
        let count = self.set.read().unwrap_or_else(PoisonError::into_inner).len();
        metrics::Policies {
            count,
            broken: self.broken,
            missing: self.missing.load(Ordering::Relaxed),
            revision: self.revision(),
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record and the revision, both or neither; then the mark beside them.
    fn write(&self, key: &[u8], value: Option<Vec<u8>>, revision: u64) -> Result<(), ChangeError> {
        let policy = Record { kind: RecordKind::Policy, key: key.to_vec(), value };
        let key = record::REVISION_KEY.to_vec();
        let revision_record = Record { kind: RecordKind::Meta, key, value: Some(revision.to_le_bytes().to_vec()) };
        let written =
            self.store.put_records(&[policy, revision_record]).and_then(|()| self.store.mark_policies(revision));
        if let (Err(failed), Some(stopper)) = (&written, self.stopper.get()) {
            stopper.stop(&failed.to_string());
        }
        Ok(written?)
    }

    fn publish(&self, writer: &mut Writer, revision: u64) {
        writer.revision = revision;
        self.missing.store(0, Ordering::Relaxed);
        self.revision.send_replace(revision);
    }
}

impl Writer {
    /// Whether another policy under `key` fits: asked before it is written.
    fn make_room(&self, namespace: Namespace<'_>, key: &[u8]) -> Result<(), ChangeError> {
        if self.keys.contains(key) {
            return Ok(());
        }
        if self.keys.len() >= POLICIES_MAX {
            return Err(ChangeError::TooManyPolicies);
        }
        if self.keys.len() < NAMESPACES_MAX || self.has(&record::namespace_prefix(namespace)) {
            return Ok(());
        }
        let mut namespaces: Vec<&[u8]> =
            self.keys.iter().filter_map(|key| key.split(|byte| *byte == 0).next()).collect();
        namespaces.dedup();
        if namespaces.len() < NAMESPACES_MAX { Ok(()) } else { Err(ChangeError::TooManyNamespaces) }
    }

    /// Whether any key begins with `prefix`.
    fn has(&self, prefix: &[u8]) -> bool {
        self.keys.range(prefix.to_vec()..).next().is_some_and(|key| key.starts_with(prefix))
    }
}

/// How many changes were completed and are not there; one when that cannot be known. Says so in the log.
fn missing(found: u64, marked: Option<u64>) -> u64 {
    let until =
        "unknown clients are denied until a policy is set or deleted; check the policies and set what is missing";
    match marked {
        Some(marked) if marked <= found => 0,
        Some(marked) => {
            tracing::error!("policies up to revision {marked} are missing, up to {found} were found: {until}");
            marked - found
        }
        None => {
            tracing::error!(
                "the mark of the policies is unreadable, so some above revision {found} may be missing: {until}"
            );
            1
        }
    }
}

/// Puts a record into the set and returns its revision.
fn admit(set: &mut PolicySet, key: &[u8], value: &[u8]) -> Result<u64, BadRecord> {
    let (namespace, selector) = record::read_key(key)?;
    let (revision, json) = record::read_revision(value)?;
    let policy = Arc::new(PolicyDocument::parse(json)?);
    set.insert(namespace, selector, Entry { policy, revision })?;
    Ok(revision)
}

impl ConfigurationService for StoredPolicies {
    fn get(&self, key: LimitKey<'_>) -> Option<RateLimitConfiguration> {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        let found = set.get(key)?;
        let policy = Arc::clone(&found.entry.policy);
        Some(RateLimitConfiguration { policy, revision: found.entry.revision, matched: found.matched })
    }

    fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    fn is_complete(&self) -> bool {
        self.missing.load(Ordering::Relaxed) == 0
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }
}

impl std::fmt::Debug for StoredPolicies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredPolicies").field("revision", &self.revision()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
