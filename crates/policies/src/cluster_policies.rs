//! The policies of a cluster as a service: what is in force, what is broken, how far behind the disk is.
//!
//! At the start the last good policies from disk are in force. The first snapshot of the store replaces them, but for keys whose value is
//! broken; from then on changes are in force as they come. When the store is away, or must not be believed (a restored backup, another
//! cluster), what is in force stays.

mod loading;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drl_configuration::{ConfigurationService, Entry, PolicySet, RateLimitConfiguration, Selector};
use drl_coordination::{Coordination, Fault, Keys, WatchOptions};
use drl_core::{LimitKey, Namespace};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use self::loading::Loaded;
use crate::broken::{BrokenKey, BrokenKeys};
use crate::follow::{self, Follower};
use crate::in_force::InForce;
use crate::look::{self, Looker};
use crate::saver::{self, Saving, Unsaved};
use crate::{LastGood, LastGoodError};

/// The `ConfigurationService` of a cluster. Dropping it ends its tasks; see [`ClusterPolicies::until_saved`].
pub struct ClusterPolicies {
    shared: Arc<Shared>,
    trouble: watch::Receiver<Option<Fault>>,
    wanted: watch::Sender<u64>,
    tasks: [AbortHandle; 3],
}

/// What the tasks and the service share.
pub(crate) struct Shared {
    pub(crate) in_force: InForce,
    pub(crate) unsaved: Arc<Unsaved>,
    broken: Mutex<BrokenKeys>,
    refused: AtomicU64,
    is_synced: watch::Sender<bool>,
    /// See [`ClusterPolicies::seen`].
    seen: watch::Sender<u64>,
    /// Whether the policies from disk were all there were.
    was_complete: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterPoliciesOptions {
    /// How the store is followed.
    pub watch: WatchOptions,
    /// Whether the disk may be written at once.
    pub saving: Saving,
    /// The pause after a save that failed; it doubles up to 30 s.
    pub save_pause: Duration,
}

/// Numbers for status and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Policies in force.
    pub policies: usize,
    /// Keys whose value is not in force now.
    pub broken: usize,
    /// Values that were not taken, since the start.
    pub refused: u64,
    /// The highest revision of the store that is in force.
    pub revision: u64,
    /// Changes that are in force and not on disk.
    pub unsaved: usize,
    /// Why the last save failed; `None` when it did not.
    pub save_trouble: Option<LastGoodError>,
}

/// The policies cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    LastGood(#[from] LastGoodError),
    #[error("the policies were not loaded: {reason}")]
    Interrupted { reason: String },
}

impl Default for ClusterPoliciesOptions {
    /// Everything is listed again every 5 minutes, since a listing of 100,000 policies keeps etcd busy for a second; and it may take 30 s,
    /// which is enough for millions.
    fn default() -> Self {
        let (relist_every, within) = (Duration::from_mins(5), Duration::from_secs(30));
        let watch = WatchOptions { relist_every, within, ..WatchOptions::default() };
        Self { watch, saving: Saving::AtOnce, save_pause: Duration::from_secs(1) }
    }
}

impl ClusterPolicies {
    /// Puts the last good policies into force and starts to follow the store, which need not be there. Call it in a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] when the last good policies cannot be read. One that is unreadable by itself is said and left out.
    pub async fn start(
        coordination: Arc<dyn Coordination>,
        keys: Keys,
        last_good: Arc<dyn LastGood>,
        options: ClusterPoliciesOptions,
    ) -> Result<Arc<Self>, StartError> {
        let (prefix, milestone) = (keys.limits_and_milestone(), keys.milestone());
        let source = Arc::clone(&last_good);
        let loading = tokio::task::spawn_blocking(move || loading::load(&*source, &keys));
        let interrupted = |stopped: tokio::task::JoinError| StartError::Interrupted { reason: stopped.to_string() };
        let Loaded { set, book, revision, mark, unreadable } = loading.await.map_err(interrupted)??;
        let complete = mark.filter(|_| unreadable.is_empty());
        let unsaved = Arc::new(Unsaved::new(revision, options.saving));
        let shared = Arc::new(Shared {
            in_force: InForce::new(set, revision),
            unsaved: Arc::clone(&unsaved),
            broken: Mutex::default(),
            refused: AtomicU64::new(0),
            is_synced: watch::Sender::new(false),
            seen: watch::Sender::new(complete.map_or(0, |mark| mark.revision.0)),
            was_complete: complete.is_some(),
        });
        let watch = coordination.watch(prefix, options.watch);
        let trouble = watch.troubles();
        let follower = Follower::new(Arc::clone(&shared), book, mark, unreadable);
        let (wanted, seen) = (watch::Sender::new(0), shared.seen.subscribe());
        let looker = Looker { coordination, milestone, wanted: wanted.subscribe(), seen };
        let tasks = [
            tokio::spawn(follow::run(watch, follower)).abort_handle(),
            tokio::spawn(saver::run(unsaved, last_good, options.save_pause)).abort_handle(),
            tokio::spawn(look::run(looker)).abort_handle(),
        ];
        Ok(Arc::new(Self { shared, trouble, wanted, tasks }))
    }

    /// Keys whose value is not in force, by key; at most [`drl_core::caps::BROKEN_POLICIES_LISTED_MAX`] of [`Counted::broken`].
    #[must_use]
    pub fn broken(&self) -> Vec<BrokenKey> {
        self.shared.broken().list()
    }

    /// Whether everything in the store was seen since the start.
    #[must_use]
    pub fn synced(&self) -> bool {
        *self.shared.is_synced.borrow()
    }

    /// Resolves when [`ClusterPolicies::synced`].
    pub async fn until_synced(&self) {
        // The sender lives as long as `self`, so that the wait cannot fail.
        let _ = self.shared.is_synced.subscribe().wait_for(|is_synced| *is_synced).await;
    }

    /// Everything that the store had up to this revision is in force here; it never goes back. It starts with what the disk has as a whole
    /// (0 when that is nothing), and is from the first update on never below [`ConfigurationService::revision`], which stands still
    /// while no policy changes: this one rises with every listing too, and on demand.
    #[must_use]
    pub fn seen(&self) -> watch::Receiver<u64> {
        self.shared.seen.subscribe()
    }

    /// Somebody has seen this revision of the store: sees to it that [`ClusterPolicies::seen`] gets there soon, although no policy changes,
    /// or as soon as etcd answers. Cheap, and may be called for every frame: it waits for nothing, and `look.rs` asks etcd at most once a
    /// second, and not at all for what comes by itself.
    pub fn look_again(&self, wanted: u64) {
        self.wanted.send_if_modified(|now| {
            let is_higher = wanted > *now;
            *now = wanted.max(*now);
            is_higher
        });
    }

    /// Lets the first save happen, with [`Saving::WhenAllowed`].
    pub fn allow_saving(&self) {
        self.shared.unsaved.allow();
    }

    /// Resolves when everything that is in force is on disk; before an orderly end, with a deadline of the caller's.
    pub async fn until_saved(&self) {
        self.shared.unsaved.until_saved(self.revision()).await;
    }

    /// Why nothing new can come at present; `None` while the store is followed. After a fault that is distrust nothing ever comes.
    #[must_use]
    pub fn trouble(&self) -> Option<Fault> {
        self.trouble.borrow().clone()
    }

    #[must_use]
    pub fn counted(&self) -> Counted {
        let saving = self.shared.unsaved.state();
        Counted {
            policies: self.shared.in_force.read().len(),
            broken: self.shared.broken().count(),
            refused: self.shared.refused.load(Ordering::Relaxed),
            revision: self.revision(),
            unsaved: saving.unsaved,
            save_trouble: saving.trouble,
        }
    }

    /// The entry of this very selector that is in force, whatever else would apply.
    #[must_use]
    pub fn entry(&self, namespace: Namespace<'_>, selector: &Selector) -> Option<Entry> {
        self.shared.in_force.read().entry(namespace, selector).cloned()
    }

    /// Lets `look` see all policies in force; changes wait until it returns.
    pub fn with_policies<T>(&self, look: impl FnOnce(&PolicySet) -> T) -> T {
        look(&self.shared.in_force.read())
    }
}

impl Drop for ClusterPolicies {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl ConfigurationService for ClusterPolicies {
    fn get(&self, key: LimitKey<'_>) -> Option<RateLimitConfiguration> {
        self.shared.in_force.get(key)
    }

    fn revision(&self) -> u64 {
        self.shared.in_force.revision()
    }

    /// Once synced. Before that, when the disk had everything as of some revision.
    fn is_complete(&self) -> bool {
        self.shared.was_complete || self.synced()
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.shared.in_force.watch()
    }
}

impl Shared {
    pub(crate) fn broken(&self) -> MutexGuard<'_, BrokenKeys> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn say_synced(&self) {
        self.is_synced.send_if_modified(|is_synced| !std::mem::replace(is_synced, true));
    }

    /// An update up to `revision` of the store is in force.
    pub(crate) fn say_seen(&self, revision: u64) {
        let revision = revision.max(self.in_force.revision());
        self.seen.send_if_modified(|seen| {
            let is_higher = revision > *seen;
            *seen = revision.max(*seen);
            is_higher
        });
    }

    pub(crate) fn count_refused(&self, values: usize) {
        self.refused.fetch_add(u64::try_from(values).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl std::fmt::Debug for ClusterPolicies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterPolicies").field("counted", &self.counted()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
