//! The policies that are in force: the set that every check looks at, and how changes get into it. One task changes it.
//!
//! Invariant: the set and its revision are published together, the set first: who sees a revision finds its policies or later ones.
//! A check never waits for more than a lock that is held for some 100 us: a larger change becomes a new set beside the old one, and the
//! two are swapped, so that nobody sees half of it either.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use drl_configuration::{Entry, InsertError, PolicySet, RateLimitConfiguration, Selector};
use drl_coordination::{Key, LimitPlace};
use drl_core::caps::POLICY_CHANGES_AT_ONCE_MAX;
use drl_core::{LimitKey, Namespace};
use tokio::sync::watch;

use crate::place;

#[derive(Debug)]
pub(crate) struct InForce {
    set: RwLock<PolicySet>,
    revision: watch::Sender<u64>,
}

/// One policy's change.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    pub(crate) key: Key,
    pub(crate) place: LimitPlace,
    /// `None`: it is no more.
    pub(crate) entry: Option<Entry>,
}

/// A policy that did not get in.
#[derive(Debug)]
pub(crate) struct NoRoom {
    pub(crate) key: Key,
    pub(crate) revision: u64,
    pub(crate) reason: InsertError,
}

impl InForce {
    pub(crate) fn new(set: PolicySet, revision: u64) -> Self {
        Self { set: RwLock::new(set), revision: watch::Sender::new(revision) }
    }

    pub(crate) fn get(&self, key: LimitKey<'_>) -> Option<RateLimitConfiguration> {
        let set = self.read();
        let found = set.get(key)?;
        let (policy, revision) = (found.entry.policy.clone(), found.entry.revision);
        Some(RateLimitConfiguration { policy, revision, matched: found.matched })
    }

    pub(crate) fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Changes wait for as long as it is held, lookups do not.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, PolicySet> {
        self.set.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts changes into force, in order, as of `revision`; what there is no room for stays out. Without changes nothing happens.
    pub(crate) fn apply(&self, edits: Vec<Edit>, revision: u64) -> Vec<NoRoom> {
        if edits.is_empty() {
            return Vec::new();
        }
        if edits.len() > POLICY_CHANGES_AT_ONCE_MAX { self.swap(edits, revision) } else { self.edit(edits, revision) }
    }

    fn edit(&self, edits: Vec<Edit>, revision: u64) -> Vec<NoRoom> {
        let mut set = self.set.write().unwrap_or_else(PoisonError::into_inner);
        let left_out = change(&mut set, edits);
        self.publish(revision);
        left_out
    }

    fn swap(&self, edits: Vec<Edit>, revision: u64) -> Vec<NoRoom> {
        let mut aside = copy(&self.read());
        let left_out = change(&mut aside, edits);
        let mut set = self.set.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *set, aside);
        self.publish(revision);
        drop(set);
        // Takes its time, and nobody waits for it any more.
        drop(before);
        left_out
    }

    /// A revision never goes back and is another one for each change, also on a store that counts from the beginning again.
    fn publish(&self, revision: u64) {
        let next = self.revision().saturating_add(1);
        self.revision.send_replace(revision.max(next));
    }
}

fn copy(set: &PolicySet) -> PolicySet {
    let mut copy = PolicySet::new();
    for listed in set.iter() {
        if let Ok(namespace) = Namespace::new(listed.namespace) {
            // What fits one set fits another.
            let _ = copy.insert(namespace, listed.selector, listed.entry.clone());
        }
    }
    copy
}

fn change(set: &mut PolicySet, edits: Vec<Edit>) -> Vec<NoRoom> {
    let mut left_out = Vec::new();
    for Edit { key, place, entry } in edits {
        // The name was checked when the key was parsed.
        let Ok(namespace) = Namespace::new(&place.namespace) else { continue };
        let selector: Selector = place::selector(place.whom);
        match entry {
            None => drop(set.remove(namespace, &selector)),
            Some(entry) => {
                let revision = entry.revision;
                if let Err(reason) = set.insert(namespace, selector, entry) {
                    left_out.push(NoRoom { key, revision, reason });
                }
            }
        }
    }
    left_out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use drl_configuration::PolicyDocument;
    use drl_coordination::Whom;
    use drl_core::caps::NAMESPACES_MAX;

    use super::*;

    fn edit(namespace: &str, client: &str, revision: u64) -> Edit {
        let policy = PolicyDocument::parse(br#"{"limits":[{"requests":5,"window":"1m"}]}"#).unwrap();
        let place = LimitPlace { namespace: namespace.to_owned(), whom: Whom::Client(client.into()) };
        let key = Key::from(format!("/{namespace}/{client}"));
        Edit { key, place, entry: Some(Entry { policy: Arc::new(policy), revision }) }
    }

    #[test]
    fn a_change_of_many_policies_keeps_those_before_it() {
        let in_force = InForce::new(PolicySet::new(), 0);
        assert!(in_force.apply(vec![edit("a", "first", 1), edit("a", "second", 1)], 1).is_empty());
        let mut many: Vec<_> =
            (0..POLICY_CHANGES_AT_ONCE_MAX).map(|number| edit("b", &number.to_string(), 2)).collect();
        many.push(Edit { entry: None, ..edit("a", "first", 0) });
        assert!(in_force.apply(many, 2).is_empty());
        assert_eq!(in_force.read().len(), POLICY_CHANGES_AT_ONCE_MAX + 1);
        assert_eq!(in_force.revision(), 2);
    }

    #[test]
    fn what_there_is_no_room_for_is_named_and_a_removal_before_it_makes_room() {
        let in_force = InForce::new(PolicySet::new(), 0);
        let full = (0..NAMESPACES_MAX).map(|number| edit(&format!("n{number}"), "x", 1)).collect();
        assert!(in_force.apply(full, 1).is_empty());
        let left_out = in_force.apply(vec![edit("more", "x", 2)], 2);
        assert_eq!((left_out.len(), left_out[0].revision), (1, 2));
        let removal = Edit { entry: None, ..edit("n7", "x", 0) };
        assert!(in_force.apply(vec![removal, edit("more", "x", 2)], 3).is_empty());
    }

    #[test]
    fn a_revision_never_goes_back_and_watchers_hear_of_every_change() {
        let in_force = InForce::new(PolicySet::new(), 90);
        let mut watcher = in_force.watch();
        in_force.apply(vec![edit("a", "x", 3)], 3);
        assert!(watcher.has_changed().unwrap());
        assert_eq!(*watcher.borrow_and_update(), 91);
        in_force.apply(Vec::new(), 500);
        assert!(!watcher.has_changed().unwrap());
    }
}
