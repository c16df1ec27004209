//! Planned moves: freeze, flush, swap; and what ends one that does not come to its end.

use drl_core::{Epoch, Nanos, ShardTime};
use drl_engine::ownership::{Closed, Command, Event, Holder, Outcome, ShardRecord};
use drl_engine::replication::{News, Order, Silence, Start};

use crate::agent::*;
use crate::ledgers::NOON;

/// `n1` has its follower `n2` in sync and drains; what it did then.
fn draining() -> (Agent, Vec<Command>) {
    let mut agent = Agent::with_follower(&[n2()]);
    let commands = agent.run(Event::Drain);
    (agent, commands)
}

/// Everything is acknowledged, and the swap is sent.
fn swapping() -> Agent {
    let (mut agent, _) = draining();
    agent.hear(News::Flushed { shard: ONE });
    assert_eq!(agent.wants(), Some(&swapped()));
    agent
}

fn swapped() -> ShardRecord {
    in_sync(6, n2(), me())
}

fn is_thawed(commands: &[Command]) -> bool {
    commands.contains(&Command::Thaw { shard: ONE })
}

fn is_frozen_again(commands: &[Command]) -> bool {
    commands.iter().any(|command| matches!(command, Command::Freeze { .. }))
}

#[test]
fn an_owner_freezes_first_then_flushes_and_swaps_only_when_everything_is_acknowledged() {
    let (mut agent, commands) = draining();
    assert!(is_frozen_again(&commands));
    assert_eq!(orders(&commands), [Order::Flush { shard: ONE }]);
    assert_eq!(agent.wants(), None, "frozen, and something may be under way");
    agent.pass(4_000);
    assert_eq!(agent.wants(), None);
    agent.hear(News::Flushed { shard: ONE });
    assert_eq!(agent.wants(), Some(&swapped()), "the old owner stays as the follower in sync");
}

#[test]
fn after_the_swap_the_old_owner_closes_and_says_where_callers_go() {
    let mut agent = swapping();
    let commands = agent.commits();
    let closed = Closed::NotOwner { epoch: Epoch(6), owner: n2() };
    assert!(commands.contains(&Command::Close { shard: ONE, closed }));
    assert!(!is_thawed(&commands));
}

#[test]
fn a_hand_over_is_given_up_after_five_seconds_and_not_tried_again_at_once() {
    let (mut agent, _) = draining();
    assert!(!is_thawed(&agent.pass(4_999)));
    let commands = agent.pass(1);
    assert!(is_thawed(&commands) && !is_frozen_again(&commands));
    agent.hear(News::Flushed { shard: ONE });
    assert_eq!(agent.wants(), None, "too late");
    assert!(!is_frozen_again(&agent.pass(19_999)));
    assert!(is_frozen_again(&agent.pass(1)));
}

#[test]
fn a_hand_over_is_given_up_when_its_heir_is_lost() {
    type Cause = fn(&mut Agent) -> Vec<Command>;
    let causes: [Cause; 2] =
        [|agent| agent.suspects(n2(), Silence::Quiet), |agent| agent.hear(News::Broken { shard: ONE, to: n2() })];
    for cause in causes {
        let (mut agent, _) = draining();
        cause(&mut agent);
        assert_ne!(agent.wants(), Some(&swapped()));
        let commands = agent.hear(News::Flushed { shard: ONE });
        assert!(!is_frozen_again(&commands));
        assert_ne!(agent.wants(), Some(&swapped()));
    }
}

#[test]
fn a_swap_with_an_unknown_outcome_stays_frozen_and_no_time_out_forces_it() {
    let mut agent = swapping();
    let sent = agent.asked[0].1.clone();
    let mut commands = agent.ends(Outcome::Unknown);
    for _ in 0..30 {
        commands.extend(agent.pass(1_000));
        while agent.wants().is_some() {
            assert_eq!(agent.asked[0].1, sent, "the same transaction, so that it happens once or never");
            commands.extend(agent.ends(Outcome::Unknown));
        }
    }
    assert!(!is_thawed(&commands) && !commands.iter().any(|command| matches!(command, Command::Close { .. })));
    agent.pass(1_000);
    assert!(agent.commits().iter().any(|command| matches!(command, Command::Close { shard: ONE, .. })));
}

#[test]
fn a_swap_that_was_refused_happens_no_more_and_the_owner_goes_on_under_its_epoch() {
    let mut agent = swapping();
    let commands = agent.refuses();
    assert!(is_thawed(&commands));
    assert!(!orders(&commands).iter().any(|order| matches!(order, Order::Advance { .. })));
}

#[test]
fn a_swap_that_is_refused_because_the_session_is_gone_is_not_tried_again_before_that_stands() {
    let mut agent = swapping();
    let beats = agent.heartbeats;
    let commands = agent.refuses_without_session();
    assert!(is_thawed(&commands), "callers do not wait for a session");
    assert_eq!(agent.heartbeats, beats + 1, "the heartbeat that creates it anew does not wait either");
    for _ in 0..20 {
        assert!(!is_frozen_again(&agent.pass(100)));
        assert_eq!(agent.wants(), None, "it would be refused, as often as etcd can");
    }
    assert!(agent.heartbeats <= beats + 2);
    assert!(is_frozen_again(&agent.sees(in_sync(5, me(), n2()))), "it is there again");
}

#[test]
fn nothing_is_handed_over_to_a_follower_that_is_not_in_sync() {
    let (mut agent, _) = Agent::seeding(&[n2()]);
    assert!(!is_frozen_again(&agent.run(Event::Drain)));
}

#[test]
fn nothing_is_handed_over_to_an_heir_whose_heartbeat_does_not_cover_the_shards_time() {
    let mut agent = Agent::with_follower(&[n2()]);
    agent.time_hi = NOON;
    agent.sees_nodes(&[(me(), false), (n2(), false)]);
    agent.pass(1);
    assert!(!is_frozen_again(&agent.run(Event::Drain)), "should it die before it answers, time would go back");
    agent.time_hi = ShardTime(u64::MAX);
    assert!(is_frozen_again(&agent.sees_nodes(&[(me(), true), (n2(), false)])));
}

#[test]
fn the_new_owner_keeps_the_old_one_as_a_copy_that_replies_wait_for() {
    let mut agent = Agent::following();
    agent.sees(in_sync(3, n2(), me()));
    let commands = agent.sees(in_sync(4, me(), n2()));
    let answers = commands.iter().position(|command| matches!(command, Command::Activate { .. })).unwrap();
    let seat = Command::Copies(Order::Seat { shard: ONE, to: n2(), start: Start::Continues });
    let require = Command::Copies(Order::Require { shard: ONE, to: n2() });
    assert_eq!(commands[answers + 1..answers + 3], [seat, require]);
}

#[test]
fn an_old_owner_goes_on_as_a_copy_of_the_new_one() {
    let mut agent = swapping();
    agent.commits();
    let owner: Holder = n2();
    let commands = agent.hear(News::Invited { from: owner.clone(), invites: vec![invite(6, 1, Start::Continues)] });
    assert!(matches!(orders(&commands).as_slice(), [Order::Follow { start: Start::Continues, .. }]));
}

#[test]
fn a_node_that_drains_ends_only_when_no_record_names_it() {
    let mut agent = swapping();
    assert!(!agent.commits().iter().any(|command| matches!(command, Command::Drained { .. })), "it is the follower");
    let commands = agent.sees(record(7, n2()));
    assert!(commands.contains(&Command::Drained { named: 0 }));
}

#[test]
fn a_drain_that_is_taken_back_thaws_what_was_frozen_for_it() {
    let (mut agent, _) = draining();
    let commands = agent.run(Event::Undrain);
    assert!(is_thawed(&commands) && !is_frozen_again(&commands), "{commands:?}");
    agent.hear(News::Flushed { shard: ONE });
    assert_eq!(agent.wants(), None, "it stays");
}

#[test]
fn a_swap_that_is_on_its_way_happens_although_the_drain_is_taken_back() {
    let mut agent = swapping();
    let commands = agent.run(Event::Undrain);
    assert!(!is_thawed(&commands), "{commands:?}");
    assert!(agent.commits().iter().any(|command| matches!(command, Command::Close { shard: ONE, .. })));
}

#[test]
fn an_heir_whose_heartbeat_covers_the_freeze_and_not_the_swap_gets_nothing() {
    let mut agent = Agent::with_follower(&[n2()]);
    // By this shard's clock it is a good thousand seconds past noon.
    agent.time_hi = NOON.plus(Nanos::from_secs(1_002));
    agent.sees_nodes(&[(me(), false), (n2(), false)]);
    assert!(is_frozen_again(&agent.run(Event::Drain)));
    agent.pass(3_000);
    let commands = agent.hear(News::Flushed { shard: ONE });
    assert_eq!(agent.wants(), None);
    assert!(is_thawed(&commands));
}
