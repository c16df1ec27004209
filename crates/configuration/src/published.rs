//! A policy set that is read by many threads and changed by one owner, and its revision. Both change under one lock, the set first: who
//! sees a revision finds the policies of that revision or later ones.

use std::convert::Infallible;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use drl_core::LimitKey;
use tokio::sync::watch;

use crate::{PolicySet, RateLimitConfiguration};

#[derive(Debug)]
pub(crate) struct Published {
    policies: RwLock<PolicySet>,
    revision: watch::Sender<u64>,
}

impl Published {
    pub(crate) fn new(policies: PolicySet, revision: u64) -> Self {
        Self { policies: RwLock::new(policies), revision: watch::Sender::new(revision) }
    }

    pub(crate) fn get(&self, key: LimitKey<'_>) -> Option<RateLimitConfiguration> {
        let policies = self.read();
        let found = policies.get(key)?;
        Some(RateLimitConfiguration {
            policy: found.entry.policy.clone(),
            revision: found.entry.revision,
            matched: found.matched,
        })
    }

    pub(crate) fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// For lists: changes wait for as long as it is held.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, PolicySet> {
        self.policies.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts other policies into force under the next revision and returns those before.
    pub(crate) fn replace(&self, policies: PolicySet) -> PolicySet {
        let replaced: Result<_, Infallible> = self.change(|current, _| Ok(Some(std::mem::replace(current, policies))));
        replaced.unwrap_or_else(|never| match never {}).unwrap_or_default()
    }

    /// Lets `change` work on the policies under the next revision. The revision is published when `change` says that it did something,
    /// that is, unless it returns an error or `None`.
    pub(crate) fn change<T, E>(
        &self,
        change: impl FnOnce(&mut PolicySet, u64) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        // A panic cannot leave a set half changed: every change of it is one step.
        let mut policies = self.policies.write().unwrap_or_else(PoisonError::into_inner);
        let next = self.revision().saturating_add(1);
        let changed = change(&mut policies, next)?;
        if changed.is_some() {
            self.revision.send_replace(next);
        }
        Ok(changed)
    }
}
