//! Cold take-overs of shards that had a follower, and what comes after them.

use drl_engine::ownership::{Command, Event, FoundShard, Guard, Origin, ShardRecord};

use crate::agent::*;
use crate::ledgers::holder;

/// So long, with heartbeats.
fn pass(agent: &mut Agent, seconds: u64) {
    (0..seconds).for_each(|_| drop(agent.pass(1_000)));
}

/// Beside the record of `n2` and its follower in sync `n3`.
fn beside(others: &[drl_engine::ownership::Holder]) -> Agent {
    Agent::serving(FoundShard::default(), Some(in_sync(3, n2(), n3())), others).0
}

#[test]
fn as_long_as_the_follower_in_sync_lives_nobody_takes_over_cold() {
    let mut agent = beside(&[n3()]);
    pass(&mut agent, 120);
    assert_eq!(agent.wants(), None);
    agent.sees_nodes(&[(me(), false)]);
    pass(&mut agent, 60);
    assert_eq!(agent.wants(), None, "it is waited for as long as for the owner");
    pass(&mut agent, 1);
    assert_eq!(agent.wants(), Some(&in_sync(3, n2(), n3()).taken_cold_by(me())));
    let guards = &agent.asked[0].1.guards;
    for gone in [n2(), n3()] {
        assert!(guards.contains(&Guard::NodeAbsent(gone.node)), "and compared so again");
    }
}

#[test]
fn a_learner_that_takes_over_cold_begins_exhausted_however_complete_its_copy_is() {
    let mut agent = Agent::following();
    agent.sees_nodes(&[(me(), false)]);
    pass(&mut agent, 61);
    assert_eq!(agent.wants(), Some(&learner(3, n2(), me()).taken_cold_by(me())));
    let mut commands = agent.commits();
    commands.extend(agent.pass(5_000));
    let origin = commands.iter().find_map(|command| match command {
        Command::Activate { origin, .. } => Some(*origin),
        _ => None,
    });
    assert_eq!(origin, Some(Origin::Cold), "no answer waited for it");
}

#[test]
fn a_shard_that_was_lost_names_no_follower_before_that_is_in_its_journal_and_off_its_record() {
    let mut agent = beside(&[]);
    pass(&mut agent, 61);
    let cold: ShardRecord = agent.wants().unwrap().clone();
    let mut commands = agent.commits();
    commands.extend(agent.pass(5_000));
    assert!(commands.iter().any(|command| matches!(command, Command::Activate { origin: Origin::Cold, .. })));
    agent.sees_nodes(&[(me(), false), (holder(2, 70), false)]);
    agent.pass(1_000);
    assert_eq!(agent.wants(), None);
    agent.run(Event::FloorJournaled { shard: ONE });
    assert_eq!(agent.wants(), Some(&cold.settled()));
    agent.commits();
    assert_eq!(agent.wants(), Some(&cold.settled().with_learner(holder(2, 70))));
}
