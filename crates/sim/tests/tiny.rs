//! The tiny world: every order in which things can happen, within a budget of faults. Model checker: `stateright`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use drl_sim::Plant;
use drl_sim::tiny::{Act, Budget, Tiny};
use stateright::{Checker, Model, Property};

/// Nothing happens that need not.
const NOTHING: Budget =
    Budget { asks: 0, resets: 0, ticks: 0, suspicions: 0, crashes: 0, wipes: 0, drains: 0, windows: 0 };

/// Worlds that are looked at before an exploration ends. Only that of crashes has more: it sees those of the first steps.
const ENOUGH: usize = 60_000;

struct World {
    plant: Plant,
    budget: Budget,
}

impl Model for World {
    type State = Tiny;
    type Action = Act;

    fn init_states(&self) -> Vec<Tiny> {
        Tiny::begin(self.plant, self.budget).into_iter().collect()
    }

    fn actions(&self, state: &Tiny, acts: &mut Vec<Act>) {
        acts.extend(state.acts());
    }

    fn next_state(&self, state: &Tiny, act: Act) -> Option<Tiny> {
        Some(state.after(act))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("nothing is wrong", |_, state: &Tiny| state.violation().is_none())]
    }
}

/// The number of worlds that were looked at, the nearest first, and what was wrong in one of them.
fn explore(plant: Plant, budget: Budget, at_most: usize) -> (usize, Option<String>) {
    let world = World { plant, budget };
    assert_eq!(world.init_states().len(), 1, "the world begins with an owner and a follower in sync");
    let checker = world.checker().threads(2).target_state_count(at_most).spawn_bfs().join();
    let wrong = checker.discovery("nothing is wrong").map(|path| {
        let acts: Vec<String> = path.into_actions().iter().map(|act| format!("{act:?}")).collect();
        acts.join(", ")
    });
    (checker.unique_state_count(), wrong)
}

fn is_clean(name: &str, budget: Budget) {
    let (worlds, wrong) = explore(Plant::NONE, budget, ENOUGH);
    println!("{name}: {worlds} worlds");
    assert_eq!(wrong, None, "{name}");
    assert!(worlds > 1_000, "{name}: {worlds} worlds prove little");
}

#[test]
fn a_follower_that_takes_over_from_a_living_owner_admits_nothing_twice() {
    is_clean("false suspicion", Budget { asks: 2, suspicions: 1, ..NOTHING });
}

#[test]
fn a_crash_of_any_node_at_any_moment_loses_nothing_that_was_answered() {
    is_clean("crash", Budget { asks: 2, crashes: 1, ..NOTHING });
}

#[test]
fn a_shard_that_is_handed_over_is_answered_for_by_one() {
    is_clean("drain", Budget { asks: 2, drains: 1, ticks: 1, ..NOTHING });
}

#[test]
fn a_reset_connection_loses_nothing() {
    is_clean("reset", Budget { asks: 2, resets: 1, ticks: 1, suspicions: 1, ..NOTHING });
}

#[test]
fn a_planted_bug_is_found() {
    let plants = [
        ("reply-before-ack", Budget { asks: 2, suspicions: 1, ..NOTHING }),
        ("reply-before-commit", Budget { asks: 2, suspicions: 1, ..NOTHING }),
    ];
    for (name, budget) in plants {
        let (worlds, wrong) = explore(Plant::named(name).unwrap(), budget, ENOUGH);
        println!("{name}: {worlds} worlds, {wrong:?}");
        assert!(wrong.is_some(), "{name} is not found");
    }
}
