//! Cold take-overs of shards that had a follower, and what comes after them.

use drl_core::{Nanos, ShardTime};
use drl_engine::ownership::{Command, Event, FoundShard, Guard, Holder, Origin, Revision, ShardClock, ShardRecord};

use crate::agent::*;
use crate::ledgers::{NOON, holder};

/// So long, with heartbeats.
fn pass(agent: &mut Agent, seconds: u64) {
    (0..seconds).for_each(|_| drop(agent.pass(1_000)));
}

/// Beside the record of `n2` and its follower in sync `n3`.
fn beside(others: &[Holder]) -> Agent {
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
    agent.run(Event::FloorJournaled { shard: ONE, epoch: cold.epoch });
    assert_eq!(agent.wants(), Some(&cold.settled()));
    agent.commits();
    assert_eq!(agent.wants(), Some(&cold.settled().with_learner(holder(2, 70))));
}

/// What `n1` does when it has waited, the shard is its own, and a heartbeat covers it.
fn takes_cold(agent: &mut Agent) -> Vec<Command> {
    pass(agent, 61);
    let mut commands = agent.commits();
    commands.extend(agent.pass(5_000));
    commands
}

#[test]
fn the_floor_of_an_earlier_ownership_is_not_taken_for_that_of_the_present_one() {
    let mut agent = beside(&[]);
    takes_cold(&mut agent);
    let (mine, theirs) = (agent.record().clone(), holder(2, 70));
    agent.sees(mine.taken_cold_by(theirs));
    takes_cold(&mut agent);
    let present = agent.record().clone();
    assert_eq!((&present.owner, present.cold), (&me(), true));
    // The journal hung meanwhile: what it has now is the floor from before the other node answered.
    agent.run(Event::FloorJournaled { shard: ONE, epoch: mine.epoch });
    assert_eq!(agent.wants(), None);
    agent.run(Event::FloorJournaled { shard: ONE, epoch: present.epoch });
    assert_eq!(agent.wants(), Some(&present.settled()));
}

#[test]
fn a_cold_start_begins_behind_the_wall_clock_and_behind_what_is_stored() {
    let hour = Nanos::from_secs(3_600);
    for (stored, behind) in [(ShardTime::ZERO, NOON.plus(Nanos::from_secs(61))), (NOON.plus(hour), NOON.plus(hour))] {
        let found = FoundShard { latest: stored, ..FoundShard::default() };
        let (mut agent, _) = Agent::serving(found, Some(record(3, n2())), &[]);
        let clock = takes_cold(&mut agent).into_iter().find_map(|command| match command {
            Command::Activate { clock, .. } => Some(clock),
            _ => None,
        });
        assert_eq!(clock.unwrap().base, behind);
    }
}

#[test]
fn of_more_shards_than_one_transaction_takes_over_cold_the_later_ones_begin_no_further_ahead() {
    let (mut agent, _) = Agent::serving_many(250, FoundShard::default(), Some(record(3, n2())), &[]);
    pass(&mut agent, 61);
    let (mut clocks, mut batches) = (Vec::new(), 0);
    for _ in 0..20 {
        if agent.wants().is_some() {
            batches += 1;
            clocks.extend(clocks_of(&agent.commits()));
            // It has written a heartbeat of this node, which the others compare.
            while agent.wants().is_some_and(|_| agent.asked.len() + batches > 3) {
                clocks.extend(clocks_of(&agent.refuses()));
            }
        }
        clocks.extend(clocks_of(&agent.pass(1_000)));
    }
    assert_eq!((batches, clocks.len()), (3, 250));
    assert!(
        clocks.iter().all(|clock| clock.base == clock.wall),
        "nobody before has promised a time that is still to come"
    );
}

/// With which clocks shards are answered for.
fn clocks_of(commands: &[Command]) -> Vec<ShardClock> {
    let clock = |command: &Command| match command {
        Command::Activate { clock, .. } => Some(*clock),
        _ => None,
    };
    commands.iter().filter_map(clock).collect()
}

#[test]
fn a_node_that_drains_takes_nothing_over_cold() {
    let mut agent = beside(&[]);
    agent.run(Event::Drain);
    pass(&mut agent, 120);
    assert_eq!(agent.wants(), None, "it is on its way out");
}

#[test]
fn an_owner_whose_node_began_another_lifetime_is_compared_as_that() {
    let (mut agent, _) = Agent::serving(FoundShard::default(), Some(record(3, n3())), &[]);
    agent.sees_nodes(&[(me(), false), (holder(3, 80), true)]);
    pass(&mut agent, 61);
    assert_eq!(agent.wants(), Some(&record(3, n3()).taken_cold_by(me())));
    let guards = &agent.asked[0].1.guards;
    let (node, created) = (n3().node, Revision(1));
    assert!(guards.contains(&Guard::NodeSince { node: node.clone(), created }), "it has stood since then");
    assert!(guards.contains(&Guard::Beat { node, changed: Revision(1) }), "and promised no later time");
}
