//! Policies over a take-over: frames say which revision they were decided under, and a new owner waits until it runs it. Rows are only
//! ever converted by the owner (protocol, epoch rules 5 and 6).

use drl_core::{CommitNo, Cost, Epoch, Nanos, ShardCount};
use drl_engine::ownership::{Command, Event};
use drl_engine::replication::{News, Order, Silence, Start};
use drl_engine::{Charge, Recoverer};
use drl_limits::{Algorithm, Limit, Policy, PolicySpec};

use crate::agent::*;
use crate::ledgers::{Ledgers, S, key, n};

fn answers(commands: &[Command]) -> bool {
    commands.iter().any(|command| matches!(command, Command::Activate { .. }))
}

/// The follower in sync of `n2`, which runs revision 8 and has taken a frame of revision 9, takes over; what it does when that is known.
fn taking_over() -> (Agent, Vec<Command>) {
    let mut agent = Agent::following();
    agent.run(Event::Policies { revision: 8 });
    agent.hear(News::Stamped { revision: 9 });
    agent.sees(in_sync(3, n2(), me()));
    agent.suspects(n2(), Silence::Silent);
    let commands = agent.commits();
    (agent, commands)
}

#[test]
fn a_new_owner_answers_only_when_it_runs_the_policies_of_the_last_frame() {
    let (mut agent, commands) = taking_over();
    assert_eq!(agent.record(), &record(4, me()));
    assert!(!answers(&commands));
    assert_eq!(promises(&commands).len(), 1, "it has taken over, and its promise is on disk");
    assert!(!answers(&agent.pass(1_000)));
    assert!(answers(&agent.run(Event::Policies { revision: 9 })));
}

#[test]
fn a_new_owner_that_runs_later_policies_answers_at_once() {
    let mut agent = Agent::following();
    agent.run(Event::Policies { revision: 10 });
    agent.hear(News::Stamped { revision: 9 });
    agent.sees(in_sync(3, n2(), me()));
    agent.suspects(n2(), Silence::Silent);
    assert!(answers(&agent.commits()));
}

#[test]
fn older_policies_do_not_let_a_new_owner_answer() {
    let (mut agent, _) = taking_over();
    assert!(!answers(&agent.run(Event::Policies { revision: 7 })));
}

#[test]
fn whoever_waits_for_policies_sends_no_more_heartbeats_than_else() {
    let (mut agent, _) = taking_over();
    let before = agent.heartbeats;
    (0..100).for_each(|_| drop(agent.pass(100)));
    assert_eq!(agent.heartbeats - before, 2, "in ten seconds");
}

/// What `n2` was told of policies.
fn stamped(ledgers: &mut Ledgers) -> Vec<u64> {
    let revision = |news| match news {
        News::Stamped { revision } => Some(revision),
        _ => None,
    };
    ledgers.take_news(2).into_iter().filter_map(revision).collect()
}

#[test]
fn a_follower_learns_the_policies_of_its_snapshot_and_of_every_later_frame() {
    let mut ledgers = Ledgers::seeded();
    assert_eq!(stamped(&mut ledgers), [7], "of the snapshot, which is of what was sealed under 7");
    ledgers.charge(1, S, 1).unwrap();
    ledgers.settle();
    assert_eq!(stamped(&mut ledgers), [0; 0], "told once");
    ledgers.policies = 8;
    ledgers.charge(1, S, 1).unwrap();
    ledgers.settle();
    assert_eq!(stamped(&mut ledgers), [8]);
}

#[test]
fn a_ledger_that_was_read_back_knows_the_policies_of_its_journal() {
    let mut ledgers = Ledgers::seeded();
    ledgers.policies = 9;
    ledgers.charge(1, S, 1).unwrap();
    let mut frame = Vec::new();
    ledgers.ledger(1).seal(9, &mut frame).unwrap();
    let mut recoverer = Recoverer::new(ShardCount::new(4).unwrap());
    recoverer.frame(&frame).unwrap();
    let mut ledger = recoverer.into_ledger(CommitNo(1));
    ledger.obey(Order::Lifetime(Some(me())), Nanos(1));
    assert_eq!(ledger.take_news(), [News::Stamped { revision: 9 }]);
}

#[test]
fn a_row_stays_with_its_follower_as_its_owner_wrote_it_until_the_owner_converts_it() {
    let mut ledgers = Ledgers::in_sync();
    let limits = vec![Limit::new(5, "1m".parse().unwrap()).unwrap()];
    let other = Policy::new(PolicySpec { limits, algorithm: Algorithm::TokenBucket, ..PolicySpec::default() }).unwrap();
    let now = ledgers.now;
    let digests = |ledgers: &mut Ledgers| {
        let at = ledgers.ledger(1).time_of(S, now);
        (ledgers.ledger(1).digest(S, at), ledgers.ledger(2).digest(S, at))
    };
    let (owner, follower) = digests(&mut ledgers);
    assert_eq!(owner, follower);
    // Peeks at the follower convert nothing, whatever policy it runs.
    let at = ledgers.ledger(2).time_of(S, now);
    ledgers.ledger(2).peek(Charge { shard: S, key: key(1), policy: &other, cost: Cost::new(0).unwrap() }, at);
    assert_eq!(digests(&mut ledgers), (owner, follower));
    let stamp = ledgers.ledger(1).stamp(S, Epoch(0), now).unwrap();
    ledgers.ledger(1).charge(Charge { shard: S, key: key(1), policy: &other, cost: Cost::ONE }, stamp.at);
    let (converted, before) = digests(&mut ledgers);
    assert_ne!(converted, owner, "converted by the owner");
    assert_eq!(before, follower, "and not yet there");
    ledgers.settle();
    assert_eq!(digests(&mut ledgers), (converted, converted), "as the owner's frame has it");
}

#[test]
fn a_snapshot_says_the_policies_of_what_its_owner_took_from_the_one_before() {
    let mut ledgers = Ledgers::seeded();
    ledgers.policies = 9;
    ledgers.charge(1, S, 1).unwrap();
    ledgers.commit(1);
    ledgers.deliver();
    // The next owner has not heard of those policies when it writes its own journal.
    ledgers.policies = 7;
    ledgers.commit(2);
    ledgers.own(2, S, 6);
    ledgers.obey(2, Order::Seat { shard: S, to: n(3), start: Start::Anew });
    ledgers.tick(2);
    ledgers.settle();
    assert!(ledgers.take_news(3).contains(&News::Stamped { revision: 9 }));
}
