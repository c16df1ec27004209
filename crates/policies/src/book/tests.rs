//! A follower of a store that anybody changes, against a model that says what is to be in force: through changes, snapshots after
//! changes that were missed, and restarts from what was saved.

use std::collections::BTreeMap;

use drl_configuration::PolicySet;
use drl_coordination::{ClusterName, Header};
use proptest::prelude::*;

use super::*;
use crate::broken::BrokenKeys;
use crate::in_force::InForce;
use crate::{place, record};

const CLUSTER: ClusterId = ClusterId(7);

/// What happens, to one of a few keys or to the follower.
#[derive(Debug, Clone, Copy)]
enum Event {
    Good(usize),
    Broken(usize),
    Deleted(usize),
    /// From now on the follower hears nothing.
    CutOff,
    /// It hears again, and gets a snapshot.
    Back,
    /// It starts again from what was saved, and gets a snapshot.
    Restarted,
    /// Everything is listed again although nothing is wrong.
    Relisted,
}

const NAMES: [&str; 4] = ["default", "clients/a", "clients/b", "prefixes/a"];

fn events() -> impl Strategy<Value = Vec<Event>> {
    let key = 0..NAMES.len();
    let event = prop_oneof![
        4 => key.clone().prop_map(Event::Good),
        4 => key.clone().prop_map(Event::Broken),
        3 => key.prop_map(Event::Deleted),
        1 => Just(Event::CutOff),
        2 => Just(Event::Back),
        1 => Just(Event::Restarted),
        1 => Just(Event::Relisted),
    ];
    proptest::collection::vec(event, 1..60)
}

fn keys() -> Keys {
    Keys::new(&ClusterName::default())
}

fn key(number: usize) -> Key {
    Key::from(format!("/drl/default/limits/default/{}", NAMES[number]))
}

/// The store, a follower of it with its disk, and the model of what the follower is to have in force.
struct World {
    store: BTreeMap<Key, Stored>,
    revision: u64,
    book: Book,
    in_force: InForce,
    broken: BrokenKeys,
    disk: BTreeMap<Key, Vec<u8>>,
    hears: bool,
    model: BTreeMap<Key, u64>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            store: BTreeMap::new(),
            revision: 1,
            book: Book::new(keys(), None),
            in_force: InForce::new(PolicySet::new(), 0),
            broken: BrokenKeys::default(),
            disk: BTreeMap::new(),
            hears: true,
            model: BTreeMap::new(),
        };
        world.list();
        world
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Good(number) => {
                // Other requests each time, so that no two policies are the same.
                let requests = self.revision + 1;
                self.put(number, &format!(r#"{{"limits":[{{"requests":{requests},"window":"1m"}}]}}"#));
            }
            Event::Broken(number) => self.put(number, "{"),
            Event::Deleted(number) => {
                if self.store.remove(&key(number)).is_some() {
                    self.revision += 1;
                    if self.hears {
                        self.model.remove(&key(number));
                        self.hear(Change::Deleted(key(number)));
                    }
                }
            }
            Event::CutOff => self.hears = false,
            Event::Back | Event::Relisted if !self.hears || matches!(event, Event::Relisted) => {
                self.hears = true;
                self.list();
            }
            Event::Back | Event::Relisted => {}
            Event::Restarted => {
                self.hears = true;
                self.restart();
                self.list();
            }
        }
    }

    fn put(&mut self, number: usize, value: &str) {
        self.revision += 1;
        let (key, changed) = (key(number), Revision(self.revision));
        let created = self.store.get(&key).map_or(changed, |before| before.created);
        let stored = Stored { key: key.clone(), value: value.into(), created, changed, lease: None };
        self.store.insert(key.clone(), stored.clone());
        if self.hears {
            if value != "{" {
                self.model.insert(key, self.revision);
            }
            self.hear(Change::Put(stored));
        }
    }

    fn hear(&mut self, change: Change) {
        let changes = Changes { revision: Revision(self.revision), changes: vec![change] };
        let step = self.book.changes(changes, &self.in_force.read());
        self.apply(step);
    }

    fn list(&mut self) {
        let revision = Revision(self.revision);
        let entries: Vec<_> = self.store.values().cloned().collect();
        // What is missing is gone, what is good counts, what is broken keeps the last good one of the same life.
        self.model = entries
            .iter()
            .filter_map(|stored| {
                let before = self.model.get(&stored.key).copied();
                let good = if stored.value == b"{" {
                    before.filter(|before| stored.created.0 <= *before)
                } else {
                    Some(stored.changed.0)
                };
                Some((stored.key.clone(), good?))
            })
            .collect();
        let listing = Listing { header: Header { cluster: CLUSTER, member: 1, revision }, revision, entries };
        let step = self.book.snapshot(listing, &self.in_force.read(), Rejudge::Nothing);
        self.apply(step);
    }

    fn apply(&mut self, step: Step) {
        for edit in &step.edits {
            match &edit.entry {
                Some(entry) => self.disk.insert(edit.key.clone(), record::value(entry)),
                None => self.disk.remove(&edit.key),
            };
        }
        assert!(self.in_force.apply(step.edits, step.revision).is_empty());
        for (key, health) in &step.health {
            self.broken.note(key, health);
        }
    }

    fn restart(&mut self) {
        self.book = Book::new(keys(), Some(CLUSTER));
        self.broken = BrokenKeys::default();
        let mut set = PolicySet::new();
        for (key, value) in &self.disk {
            let entry = record::read(value, &mut Texts::default()).unwrap();
            self.book.load(key.clone(), Revision(entry.revision));
            let place = place::of(&keys(), key).unwrap();
            let namespace = Namespace::new(&place.namespace).unwrap();
            set.insert(namespace, place::selector(place.whom), entry).unwrap();
        }
        self.in_force = InForce::new(set, 0);
    }

    /// By key, the revision of what is in force.
    fn found(&self) -> BTreeMap<Key, u64> {
        let set = self.in_force.read();
        let find =
            |number: usize| Some((key(number), in_force(&set, &place::of(&keys(), &key(number)).ok()?)?.revision));
        (0..NAMES.len()).filter_map(find).collect()
    }

    fn check(&self) {
        assert_eq!(self.found(), self.model);
        assert_eq!(self.in_force.read().len(), self.model.len());
        let saved: BTreeMap<_, _> = self
            .disk
            .iter()
            .map(|(key, value)| (key.clone(), record::read(value, &mut Texts::default()).unwrap().revision))
            .collect();
        assert_eq!(saved, self.model);
        if self.hears {
            let broken = self.store.values().filter(|stored| stored.value == b"{");
            let listed = self.broken.list().into_iter().map(|broken| (broken.key, broken.since_revision));
            assert!(listed.eq(broken.map(|stored| (stored.key.to_string(), stored.changed.0))));
        }
    }
}

proptest! {
    #[test]
    fn what_is_in_force_is_the_last_good_value_of_the_present_life_that_was_heard_of(events in events()) {
        let mut world = World::new();
        for event in events {
            world.happen(event);
            world.check();
        }
    }
}
