//! Warm take-over and resume: who may, and when.

use drl_core::{Epoch, Nanos};
use drl_engine::ownership::{Command, FoundShard, Guard, Origin, Promise, Report, RoleMarker, ShardClock};
use drl_engine::replication::{Heard, News, Order, Silence, Start};

use crate::agent::*;
use crate::ledgers::{NOON, holder};

/// A directory with the copy that this generation had under the epoch.
fn copy(epoch: u64, generation: u64) -> FoundShard {
    FoundShard { promise: Promise::default(), ..held(epoch, generation) }
}

/// The follower in sync of `n2`, under epoch 3.
fn follower() -> Agent {
    let mut agent = Agent::following();
    agent.sees(in_sync(3, n2(), me()));
    agent
}

#[test]
fn the_follower_in_sync_takes_over_at_once_when_its_owner_is_silent() {
    let mut agent = follower();
    assert_eq!(agent.wants(), None);
    agent.suspects(n2(), Silence::Silent);
    assert_eq!(agent.wants(), Some(&record(4, me())), "the next epoch, with no follower");
    let guards = &agent.asked[0].1.guards;
    assert!(guards.iter().any(|guard| matches!(guard, Guard::Record { .. })));
    assert!(guards.contains(&Guard::Lease { node: me().node, lease: LEASE }));
    assert!(!guards.iter().any(|guard| matches!(guard, Guard::NodeAbsent(_))), "nobody has to be gone");
}

#[test]
fn whoever_takes_over_leaves_its_owner_and_promises_on_disk_before_it_answers() {
    let mut agent = follower();
    agent.suspects(n2(), Silence::Silent);
    let commands = agent.commits();
    let place = |what: &dyn Fn(&Command) -> bool| commands.iter().position(what).unwrap();
    let left = place(&|command| *command == Command::Copies(Order::Unfollow { shard: ONE }));
    let promised = place(&|command| matches!(command, Command::Persist { .. }));
    let answers = place(&|command| matches!(command, Command::Activate { origin: Origin::Resume, .. }));
    assert!(left < answers && promised < answers);
    assert_eq!(promises(&commands)[0], Promise { epoch: Epoch(4), generation: me().generation });
    assert!(commands.contains(&Command::Report(Report::TakenWarm { shard: ONE })));
}

#[test]
fn whoever_takes_over_answers_only_when_its_promise_is_on_disk() {
    let mut agent = follower();
    agent.suspects(n2(), Silence::Silent);
    agent.disk_hangs = true;
    let answers = |commands: &[Command]| commands.iter().any(|command| matches!(command, Command::Activate { .. }));
    assert!(!answers(&agent.commits()) && !answers(&agent.pass(6_000)));
    assert!(answers(&agent.writes()));
}

#[test]
fn a_take_over_is_sent_only_when_the_intent_is_on_disk() {
    let mut agent = follower();
    agent.disk_hangs = true;
    agent.suspects(n2(), Silence::Silent);
    assert_eq!(agent.wants(), None);
    agent.writes();
    assert_eq!(agent.wants(), Some(&record(4, me())));
}

#[test]
fn shard_time_goes_on_from_what_was_heard_last() {
    let mut agent = follower();
    agent.suspects(n2(), Silence::Silent);
    let heard_at = agent.now.boottime;
    let commands = agent.commits();
    // Heard when the owner's clock showed 1 s; it had invited at 1 ns and at noon.
    let passed = Nanos(Nanos::from_secs(1).0 - 1);
    assert_eq!(clock(&commands).time(heard_at), NOON.plus(passed));
}

/// The clock that the shard is answered for with.
fn clock(commands: &[Command]) -> ShardClock {
    let clock = |command: &Command| match command {
        Command::Activate { clock, .. } => Some(*clock),
        _ => None,
    };
    commands.iter().find_map(clock).unwrap()
}

/// 100 s, with a heartbeat now and then.
fn pass_100_s(agent: &mut Agent) {
    (0..20).for_each(|_| drop(agent.pass(5_000)));
}

#[test]
fn shard_time_of_an_owner_that_was_heard_long_ago_goes_on_slowed() {
    let mut agent = follower();
    agent.suspects(n2(), Silence::Silent);
    // The transaction takes that long: etcd is away, or out of reach.
    pass_100_s(&mut agent);
    let now = agent.now.boottime;
    let clock = clock(&agent.commits());
    let passed = Nanos::from_millis(1_000 + 100_000 - 200);
    assert_eq!(clock.time(now), NOON.plus(Nanos(passed.0 - 1)), "0.2 % less, since it was heard");
}

#[test]
fn shard_time_of_an_owner_that_was_never_heard_goes_on_as_if_this_clock_were_fast_and_its_own_slow() {
    let mut agent = follower();
    pass_100_s(&mut agent);
    let heard = Heard { at: agent.now.boottime, boottime: Nanos::ZERO };
    agent.hear(News::Silence { of: n2(), silence: Silence::Silent, heard });
    let now = agent.now.boottime;
    let clock = clock(&agent.commits());
    assert_eq!(clock.time(now), NOON.plus(Nanos::from_millis(100_000 - 200)), "0.2 % less, since the invitation");
}

#[test]
fn shard_time_of_an_earlier_lifetimes_copy_goes_on_slowed_too() {
    let of_earlier = in_sync(3, n2(), holder(1, 99));
    let found = FoundShard { promise: Promise { epoch: Epoch(3), generation: n2().generation }, ..copy(3, 99) };
    let (mut agent, _) = Agent::serving(found, Some(of_earlier), &[]);
    let now = agent.now.boottime;
    let clock = clock(&agent.commits());
    assert_eq!(clock.time(now), NOON.plus(Nanos::from_millis(1_000_000 - 2_000)), "a copy of 1,000 s ago");
}

#[test]
fn an_owner_that_is_merely_quiet_is_not_taken_over_from() {
    let mut agent = follower();
    agent.suspects(n2(), Silence::Quiet);
    assert_eq!(agent.wants(), None);
}

#[test]
fn an_owner_whose_lifetime_is_over_is_taken_over_from() {
    let mut agent = follower();
    agent.sees_nodes(&[(me(), false), (holder(2, 70), false)]);
    assert_eq!(agent.wants(), Some(&record(4, me())));
}

#[test]
fn a_learner_does_not_take_over_however_complete_it_is() {
    let mut agent = Agent::following();
    agent.suspects(n2(), Silence::Silent);
    assert_eq!(agent.wants(), None);
}

#[test]
fn a_copy_that_is_not_complete_does_not_take_over_whatever_the_record_says() {
    let (mut agent, _) = Agent::serving(FoundShard::default(), Some(learner(3, n2(), me())), &[n2()]);
    agent.hear(News::Invited { from: n2(), invites: vec![invite(3, 1, Start::Anew)] });
    agent.sees(in_sync(3, n2(), me()));
    agent.suspects(n2(), Silence::Silent);
    assert_eq!(agent.wants(), None);
}

#[test]
fn whoever_the_record_does_not_name_does_not_take_over() {
    for other in [in_sync(3, n2(), n3()), in_sync(4, n2(), n3()), record(4, n2())] {
        let mut agent = Agent::following();
        agent.sees(other);
        agent.suspects(n2(), Silence::Silent);
        assert_eq!(agent.wants(), None);
    }
}

#[test]
fn a_take_over_that_is_refused_because_the_owner_dropped_it_is_over() {
    let mut agent = follower();
    agent.suspects(n2(), Silence::Silent);
    agent.sees(record(4, n2()));
    let commands = agent.refuses();
    assert!(!commands.iter().any(|command| matches!(command, Command::Activate { .. })));
    assert_eq!(agent.wants(), None, "the owner was faster");
}

#[test]
fn an_earlier_lifetimes_follower_resumes_only_when_the_owner_is_gone() {
    let of_earlier = in_sync(3, n2(), holder(1, 99));
    let (agent, _) = Agent::serving(copy(3, 99), Some(of_earlier.clone()), &[n2()]);
    assert_eq!(agent.wants(), None, "its owner lives and goes first");
    for others in [vec![], vec![holder(2, 70)]] {
        let (agent, _) = Agent::serving(copy(3, 99), Some(of_earlier.clone()), &others);
        assert_eq!(agent.wants(), Some(&record(4, me())));
    }
}

#[test]
fn an_earlier_lifetimes_follower_resumes_only_from_a_directory_that_had_the_copy() {
    let of_earlier = in_sync(3, n2(), holder(1, 99));
    for found in [copy(1, 99), copy(3, 98), FoundShard::default()] {
        let (agent, _) = Agent::serving(found, Some(of_earlier.clone()), &[]);
        assert_eq!(agent.wants(), None);
    }
}

#[test]
fn an_earlier_lifetimes_learner_does_not_resume() {
    let (agent, _) = Agent::serving(copy(3, 99), Some(learner(3, n2(), holder(1, 99))), &[]);
    assert_eq!(agent.wants(), None);
}

#[test]
fn an_owner_that_restarts_does_not_resume_while_its_directory_says_that_a_copy_was_begun() {
    let found = FoundShard { marker: RoleMarker::default(), ..held(3, 9) };
    let (agent, _) = Agent::serving(found, Some(record(3, holder(1, 9))), &[]);
    assert_eq!(agent.wants(), None);
}
