//! Policies that their owner sets and deletes at run time: for tests, for programs that embed the limiter, and for a node that keeps its
//! policies in a store of its own.

use std::convert::Infallible;
use std::sync::Arc;

use drl_core::{LimitKey, Namespace};
use drl_limits::Policy;
use tokio::sync::watch;

use crate::policy_set::{Entry, InsertError, PolicySet};
use crate::published::Published;
use crate::{ConfigurationService, RateLimitConfiguration, Selector};

/// A cheap handle; clones share the policies.
#[derive(Debug, Clone)]
pub struct InMemory(Arc<Published>);

impl InMemory {
    /// Without policies, at revision 0.
    #[must_use]
    pub fn new() -> Self {
        Self::resume(PolicySet::new(), 0)
    }

    /// With the policies of an earlier process, whose last revision was `revision`. An entry with a later revision raises it.
    #[must_use]
    pub fn resume(policies: PolicySet, revision: u64) -> Self {
        let revision = revision.max(policies.latest_revision());
        Self(Arc::new(Published::new(policies, revision)))
    }

    /// Puts a policy into force and returns its revision, which is the next one of the service.
    ///
    /// # Errors
    /// [`InsertError`] when the selector is not possible or the set is full; nothing has changed then.
    pub fn set(
        &self,
        namespace: Namespace<'_>,
        selector: Selector,
        policy: impl Into<Arc<Policy>>,
    ) -> Result<u64, InsertError> {
        let policy = policy.into();
        let set = self.0.change(|policies, revision| {
            policies.insert(namespace, selector, Entry { policy, revision })?;
            Ok(Some(revision))
        });
        set.map(|revision| revision.unwrap_or_else(|| self.revision()))
    }

    /// Takes the policy of this very selector out of force and returns the revision in which it is gone; `None` when there is none.
    #[expect(clippy::must_use_candidate, reason = "whoever only wants it gone need not look")]
    pub fn delete(&self, namespace: Namespace<'_>, selector: &Selector) -> Option<u64> {
        let deleted: Result<_, Infallible> =
            self.0.change(|policies, revision| Ok(policies.remove(namespace, selector).map(|_| revision)));
        deleted.unwrap_or_else(|never| match never {})
    }

    /// Lets `change` work on all policies under the next revision, which is given: nobody sees a part of what it does. Whether it did
    /// something is what it returns; then that revision is the service's, and is returned.
    pub fn change(&self, change: impl FnOnce(&mut PolicySet, u64) -> bool) -> Option<u64> {
        let changed: Result<_, Infallible> =
            self.0.change(|policies, revision| Ok(change(policies, revision).then_some(revision)));
        changed.unwrap_or_else(|never| match never {})
    }

    /// The entry of this very selector, whatever else would apply.
    #[must_use]
    pub fn entry(&self, namespace: Namespace<'_>, selector: &Selector) -> Option<Entry> {
        self.0.read().entry(namespace, selector).cloned()
    }

    /// Lets `look` see all policies; changes wait until it returns.
    pub fn with_policies<T>(&self, look: impl FnOnce(&PolicySet) -> T) -> T {
        look(&self.0.read())
    }
}

impl Default for InMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl ConfigurationService for InMemory {
    fn get(&self, key: LimitKey<'_>) -> Option<RateLimitConfiguration> {
        self.0.get(key)
    }

    fn revision(&self) -> u64 {
        self.0.revision()
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.0.watch()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Matched;
    use crate::policy_set::tests::{key, policy};

    fn client(id: &str) -> Selector {
        Selector::Client(id.into())
    }

    #[test]
    fn a_client_that_nothing_matches_is_none() {
        let service = InMemory::new();
        assert_eq!(service.get(key("default", b"alice")), None);
        service.set(Namespace::DEFAULT, client("bob"), policy(1)).unwrap();
        assert_eq!(service.get(key("default", b"alice")), None);
    }

    #[test]
    fn a_change_is_in_force_at_once_and_raises_the_revision() {
        let service = InMemory::new();
        let mut watch = service.watch();
        assert_eq!(service.set(Namespace::DEFAULT, client("a"), policy(1)), Ok(1));
        assert_eq!(service.set(Namespace::DEFAULT, Selector::Default, policy(2)), Ok(2));
        let found = service.get(key("default", b"a")).unwrap();
        assert_eq!((found.policy, found.revision, found.matched), (policy(1), 1, Matched::Client));
        assert_eq!(service.delete(Namespace::DEFAULT, &client("a")), Some(3));
        assert_eq!(service.get(key("default", b"a")).unwrap().matched, Matched::Default);
        assert!(watch.has_changed().unwrap());
        assert_eq!(*watch.borrow_and_update(), 3);
    }

    #[test]
    fn what_changes_nothing_raises_nothing() {
        let service = InMemory::new();
        assert_eq!(service.delete(Namespace::DEFAULT, &client("a")), None);
        assert!(service.set(Namespace::DEFAULT, client(""), policy(1)).is_err());
        assert_eq!(service.revision(), 0);
        assert!(!service.watch().has_changed().unwrap());
    }

    #[test]
    fn a_restart_goes_on_after_the_last_revision() {
        let mut policies = PolicySet::new();
        policies.insert(Namespace::DEFAULT, client("a"), Entry { policy: policy(1), revision: 7 }).unwrap();
        let service = InMemory::resume(policies, 9);
        assert_eq!(service.get(key("default", b"a")).unwrap().revision, 7);
        assert_eq!(service.set(Namespace::DEFAULT, client("a"), policy(2)), Ok(10));
    }

    #[test]
    fn readers_see_whole_changes_and_revisions_that_never_go_back() {
        let service = InMemory::new();
        service.set(Namespace::DEFAULT, client("a"), policy(1)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut seen = 0;
                    while seen < 2_000 {
                        let published = service.revision();
                        let found = service.get(key("default", b"a")).unwrap();
                        // The writer gives every policy the requests of its revision.
                        assert_eq!(found.policy.limits()[0].requests(), found.revision);
                        assert!(found.revision >= published && published >= seen);
                        seen = published;
                    }
                });
            }
            for requests in 2..=2_000 {
                assert_eq!(service.set(Namespace::DEFAULT, client("a"), policy(requests)), Ok(requests));
            }
        });
    }

    #[test]
    fn writers_from_many_threads_lose_no_change() {
        let service = InMemory::new();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let service = service.clone();
                scope.spawn(move || {
                    for number in 0..500 {
                        let id = format!("{thread}-{number}");
                        service.set(Namespace::DEFAULT, client(&id), policy(1)).unwrap();
                        if number % 2 == 0 {
                            service.delete(Namespace::DEFAULT, &client(&id)).unwrap();
                        }
                    }
                });
            }
        });
        assert_eq!(service.revision(), 4 * 750);
        assert_eq!(service.with_policies(PolicySet::len), 4 * 250);
    }
}
