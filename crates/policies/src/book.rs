//! What is known of every key of the policies, and what an update from the store makes of it. No lock, no task, no disk.
//!
//! Invariant: what is in force under a key is the last good value of the key's present life. A value that is broken changes nothing; a
//! deletion does, also one that nobody saw because the key came back broken meanwhile (the store says when a key was created). A good
//! value that came and was broken again while nobody looked is not known: the one before it stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use drl_configuration::{Entry, PolicySet};
use drl_coordination::{Change, Changes, ClusterId, Entry as Stored, Key, Keys, LimitPlace, Listing, Prefix, Revision};
use drl_core::Namespace;
use drl_core::caps::LISTING_KEYS_MAX;
use drl_limits::Policy;

use crate::broken::Health;
use crate::in_force::{Edit, NoRoom};
use crate::place;
use crate::texts::Texts;

pub(crate) struct Book {
    keys: Keys,
    /// What every policy's key starts with.
    limits: Prefix,
    held: BTreeMap<Key, Held>,
    /// The number of the last snapshot.
    snapshot: u64,
    /// Of which cluster the records on disk are, until the first snapshot; their numbers say nothing about another one.
    loaded_from: Option<ClusterId>,
}

/// What is known of one key.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    /// The value that was judged; `None`: it is to be judged (again).
    judged: Option<Revision>,
    /// The value that is in force.
    good: Option<Revision>,
    is_broken: bool,
    /// The last snapshot that had it.
    snapshot: u64,
    /// What is in force came from disk, numbered by another cluster.
    is_foreign: bool,
}

/// What an update changes.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// Removals first, so that they make room.
    pub(crate) edits: Vec<Edit>,
    pub(crate) health: Vec<(Key, Health)>,
    pub(crate) revision: u64,
}

/// Whether a snapshot judges broken values again that were judged already: to list them when there is room in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejudge {
    Nothing,
    Broken,
}

impl Book {
    pub(crate) fn new(keys: Keys, loaded_from: Option<ClusterId>) -> Self {
        Self { limits: keys.limits(), keys, held: BTreeMap::new(), snapshot: 0, loaded_from }
    }

    /// A policy from disk is in force until the store says otherwise.
    pub(crate) fn load(&mut self, key: Key, revision: Revision) {
        self.held.insert(key, Held { good: Some(revision), ..Held::default() });
    }

    /// Everything there is; what is not in it is gone.
    pub(crate) fn snapshot(&mut self, listing: Listing, set: &PolicySet, rejudge: Rejudge) -> Step {
        self.snapshot = self.snapshot.saturating_add(1);
        if self.loaded_from.take().is_some_and(|cluster| cluster != listing.header.cluster) {
            self.held.values_mut().for_each(|held| held.is_foreign = true);
        }
        let mut step = Step { revision: listing.revision.0, ..Step::default() };
        let mut texts = Texts::default();
        for stored in listing.entries {
            let held = self.held.get_mut(&stored.key);
            if let Some(held) = held
                && held.judged == Some(stored.changed)
                && !(rejudge == Rejudge::Broken && held.is_broken)
            {
                held.snapshot = self.snapshot;
                continue;
            }
            self.judge(stored, set, &mut texts, &mut step);
        }
        let missing = self.held.iter().filter(|(_, held)| held.snapshot != self.snapshot);
        for key in missing.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.forget(&key, &mut step);
        }
        step.ordered()
    }

    /// Changes behind everything that came before.
    pub(crate) fn changes(&mut self, changes: Changes, set: &PolicySet) -> Step {
        let mut step = Step { revision: changes.revision.0, ..Step::default() };
        let mut texts = Texts::default();
        for change in changes.changes {
            match change {
                Change::Put(stored) => self.judge(stored, set, &mut texts, &mut step),
                Change::Deleted(key) => self.forget(&key, &mut step),
            }
        }
        step.ordered()
    }

    /// A good value that did not get in: it is broken until there is room, and judged again with every snapshot.
    pub(crate) fn leave_out(&mut self, left_out: &NoRoom) -> Health {
        if let Some(held) = self.held.get_mut(&left_out.key) {
            *held = Held { judged: None, good: None, is_broken: true, ..*held };
        }
        Health::Broken { reason: left_out.reason.to_string(), since: Revision(left_out.revision) }
    }

    fn judge(&mut self, stored: Stored, set: &PolicySet, texts: &mut Texts, step: &mut Step) {
        let Stored { key, value, created, changed, .. } = stored;
        if !self.limits.contains(&key) {
            // The milestone, or what else lies beside the policies.
            return;
        }
        let before = self.held.get(&key).copied().unwrap_or_default();
        let held = Held { judged: Some(changed), good: Some(changed), snapshot: self.snapshot, ..Held::default() };
        match self.read(&key, value, texts) {
            Ok((place, policy)) => {
                if before.is_broken {
                    step.health.push((key.clone(), Health::Well));
                }
                let entry = Entry { policy, revision: changed.0 };
                if in_force(set, &place) != Some(&entry) {
                    step.edits.push(Edit { key: key.clone(), place, entry: Some(entry) });
                }
                self.held.insert(key, held);
            }
            Err(reason) => {
                // Broken keys beyond what a listing may hold are said, and not remembered.
                if self.held.len() < LISTING_KEYS_MAX || self.held.contains_key(&key) {
                    let good = before.good.filter(|good| before.is_foreign || created <= *good);
                    if good.is_none() && before.good.is_some() {
                        self.remove(&key, step);
                    }
                    let is_foreign = before.is_foreign;
                    self.held.insert(key.clone(), Held { good, is_broken: true, is_foreign, ..held });
                }
                step.health.push((key, Health::Broken { reason, since: changed }));
            }
        }
    }

    /// The policy of a value and whom it is for, or what is wrong with them.
    fn read(&self, key: &Key, value: Vec<u8>, texts: &mut Texts) -> Result<(LimitPlace, Arc<Policy>), String> {
        let place = place::of(&self.keys, key).map_err(|invalid| invalid.to_string())?;
        let policy = texts.policy(value).map_err(|invalid| invalid.to_string())?;
        Ok((place, policy))
    }

    fn forget(&mut self, key: &Key, step: &mut Step) {
        let Some(held) = self.held.remove(key) else { return };
        if held.is_broken {
            step.health.push((key.clone(), Health::Well));
        }
        if held.good.is_some() {
            self.remove(key, step);
        }
    }

    fn remove(&self, key: &Key, step: &mut Step) {
        // What is in force has a key that parses.
        if let Ok(place) = place::of(&self.keys, key) {
            step.edits.push(Edit { key: key.clone(), place, entry: None });
        }
    }
}

impl Step {
    fn ordered(mut self) -> Self {
        self.edits.sort_by_key(|edit| edit.entry.is_some());
        self
    }
}

fn in_force<'a>(set: &'a PolicySet, place: &LimitPlace) -> Option<&'a Entry> {
    let namespace = Namespace::new(&place.namespace).ok()?;
    set.entry(namespace, &place::selector(place.whom.clone()))
}

#[cfg(test)]
mod tests;
