//! What is done for many shards at once, and how many at a time.

use std::collections::BTreeSet;

use drl_core::ShardId;
use drl_core::caps::{COPIES_IN_THE_MAKING_MAX, MOVES_IN_FLIGHT_MAX, TXN_RECORDS_MAX};
use drl_engine::ownership::{Command, Event, Fact, FoundShard, Write};
use drl_engine::replication::{Invite, News, Silence, Start};

use crate::agent::*;
use crate::ledgers::holder;

const MANY: u16 = 250;

fn shards() -> impl Iterator<Item = ShardId> {
    (0..MANY).map(ShardId::new)
}

/// How many records each transaction that waits would change.
fn batches(agent: &Agent) -> Vec<usize> {
    let records = |write: &&Write| matches!(write, Write::Record { .. });
    agent.asked.iter().map(|(_, transaction)| transaction.writes.iter().filter(records).count()).collect()
}

/// How many shards each write to the disk is about.
fn writes(commands: &[Command]) -> Vec<usize> {
    let shards = |fact: &&Fact| matches!(fact, Fact::Shard { .. });
    let of = |command: &Command| match command {
        Command::Persist { facts, .. } => Some(facts.iter().filter(shards).count()),
        _ => None,
    };
    commands.iter().filter_map(of).collect()
}

/// The owner of all of them under epoch 4, restarted.
fn owner(others: &[drl_engine::ownership::Holder]) -> Agent {
    let (mut agent, _) = Agent::serving_many(MANY, held(3, 9), Some(record(3, holder(1, 9))), others);
    while agent.wants().is_some_and(|record| record.follower.is_none()) {
        agent.commits();
    }
    agent
}

#[test]
fn a_take_over_goes_by_transactions_of_a_hundred_records_with_one_write_to_the_disk_before_and_one_behind_each() {
    let (mut agent, _) = Agent::serving_many(MANY, FoundShard::default(), Some(learner(3, n2(), me())), &[n2()]);
    let invites = shards().map(|shard| Invite { shard, ..invite(3, 1, Start::Anew) }).collect();
    assert_eq!(
        writes(&agent.hear(News::Invited { from: n2(), invites })),
        [250],
        "one write for all promises to follow"
    );
    for shard in shards() {
        agent.hear(News::Seeded { shard, epoch: drl_core::Epoch(3) });
    }
    agent.sees(in_sync(3, n2(), me()));
    assert_eq!(writes(&agent.suspects(n2(), Silence::Silent)), [250], "one write for all intents");
    assert_eq!(batches(&agent), [TXN_RECORDS_MAX, TXN_RECORDS_MAX, 50]);
    for answers in [100, 100, 50] {
        let commands = agent.commits();
        assert_eq!(writes(&commands), [answers], "one write for all promises of the transaction");
        let activated = commands.iter().filter(|command| matches!(command, Command::Activate { .. })).count();
        assert_eq!(activated, answers);
    }
}

#[test]
fn no_more_copies_than_may_be_are_in_the_making_at_once() {
    let mut agent = owner(&[n2()]);
    assert_eq!(batches(&agent), [COPIES_IN_THE_MAKING_MAX]);
    agent.pass(100);
    assert_eq!(batches(&agent), [COPIES_IN_THE_MAKING_MAX], "whatever becomes of those");
    agent.commits();
    assert_eq!(batches(&agent), [0; 0], "until one of them has its snapshot");
    let done = shards().find(|shard| agent.record_of(*shard).follower.is_some()).unwrap();
    agent.hear(News::Near { shard: done, to: n2() });
    agent.pass(100);
    assert_eq!(batches(&agent), [1], "and the next one is named");
}

#[test]
fn no_more_than_sixteen_shards_are_frozen_at_once() {
    let mut agent = owner(&[n2()]);
    let (mut commands, mut frozen, mut most) = (agent.run(Event::Drain), BTreeSet::new(), 0);
    for _ in 0..10_000 {
        for command in &commands {
            match command {
                Command::Freeze { shards } => frozen.extend(shards.iter().copied()),
                Command::Close { shard, .. } | Command::Thaw { shard } => drop(frozen.remove(shard)),
                _ => {}
            }
        }
        most = most.max(frozen.len());
        commands = if agent.wants().is_some() { agent.commits() } else { next_step(&mut agent, &frozen) };
        if shards().all(|shard| agent.record_of(shard).owner == n2()) {
            break;
        }
    }
    assert!(shards().all(|shard| agent.record_of(shard).owner == n2()), "all of them have moved");
    assert_eq!(most, MOVES_IN_FLIGHT_MAX);
}

#[test]
fn followers_are_dropped_by_transactions_of_a_hundred_records_at_most() {
    let mut agent = owner(&[n2()]);
    let (nobody, mut rounds) = (BTreeSet::new(), 0);
    while shards().any(|shard| !agent.record_of(shard).in_sync) {
        rounds += 1;
        assert!(rounds < 10_000, "it comes to no end");
        let _ = if agent.wants().is_some() { agent.commits() } else { next_step(&mut agent, &nobody) };
    }
    agent.suspects(n2(), Silence::Quiet);
    let batches = batches(&agent);
    // Those that are frozen to be handed over stay until that is given up.
    assert!(batches.iter().sum::<usize>() >= 250 - MOVES_IN_FLIGHT_MAX, "{batches:?}");
    assert!(batches.iter().all(|records| *records <= TXN_RECORDS_MAX), "{batches:?}");
}

/// A copy comes forward: one that is being made, or one that is frozen.
fn next_step(agent: &mut Agent, frozen: &BTreeSet<ShardId>) -> Vec<Command> {
    let is_made = |shard: &ShardId| agent.record_of(*shard).follower.is_some() && !agent.record_of(*shard).in_sync;
    if let Some(shard) = shards().find(is_made) {
        let mut commands = agent.hear(News::Near { shard, to: n2() });
        commands.extend(agent.hear(News::CaughtUp { shard, to: n2() }));
        return commands;
    }
    match frozen.first() {
        Some(shard) => agent.hear(News::Flushed { shard: *shard }),
        None => agent.pass(100),
    }
}
