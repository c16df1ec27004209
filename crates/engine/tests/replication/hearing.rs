//! Silence that may be this node's own: what follows from it waits until etcd was heard.

use drl_engine::ownership::{Event, Outcome, ShardRecord};
use drl_engine::replication::{News, Silence};

use crate::agent::*;
use crate::ledgers::holder;

/// An owner with a follower in sync, and what it wants when that is silent; a follower in sync, and what it wants when its owner is.
fn both() -> [(Agent, ShardRecord); 2] {
    let mut follower = Agent::following();
    follower.sees(in_sync(3, n2(), me()));
    [(Agent::with_follower(&[n2()]), record(6, me())), (follower, record(4, me()))]
}

#[test]
fn nothing_follows_from_a_silence_before_etcd_is_heard_and_a_heartbeat_asks_at_once() {
    for (mut agent, wanted) in both() {
        agent.is_deaf = true;
        let before = agent.heartbeats;
        agent.suspects(n2(), Silence::Silent);
        assert_eq!((agent.wants(), agent.heartbeats), (None, before + 1), "whatever was heard before says nothing");
        agent.pass(1_900);
        assert_eq!((agent.wants(), agent.heartbeats), (None, before + 1), "one asks");
        let answer = Outcome::Committed(agent.view());
        agent.hears_of_etcd(&answer);
        assert_eq!(agent.wants(), Some(&wanted));
    }
}

#[test]
fn a_request_without_an_outcome_is_not_heard_and_asks_again_until_one_is() {
    for (mut agent, wanted) in both() {
        agent.is_deaf = true;
        agent.suspects(n2(), Silence::Silent);
        let before = agent.heartbeats;
        agent.hears_of_etcd(&Outcome::Unknown);
        assert_eq!(agent.wants(), None, "it may have arrived, and nobody has said so");
        agent.pass(500);
        assert_eq!((agent.wants(), agent.heartbeats), (Some(&wanted), before + 1));
    }
}

#[test]
fn the_watch_is_etcd_too() {
    for (mut agent, wanted) in both() {
        agent.is_deaf = true;
        agent.suspects(n2(), Silence::Silent);
        let view = agent.view();
        agent.run(Event::Changed(view));
        assert_eq!(agent.wants(), Some(&wanted));
    }
}

#[test]
fn what_was_heard_while_a_lifetime_was_merely_quiet_counts_when_it_is_silent() {
    for (mut agent, wanted) in both() {
        agent.suspects(n2(), Silence::Quiet);
        agent.is_deaf = true;
        agent.suspects(n2(), Silence::Silent);
        assert_eq!(agent.wants(), Some(&wanted), "a follower loses no time");
    }
}

#[test]
fn each_silence_is_believed_for_itself() {
    for (mut agent, _) in both() {
        let asked = agent.asked.len();
        agent.is_deaf = true;
        agent.suspects(n2(), Silence::Silent);
        agent.suspects(n2(), Silence::None);
        let view = agent.view();
        agent.run(Event::Changed(view));
        agent.suspects(n2(), Silence::Silent);
        assert_eq!(agent.asked.len(), asked, "etcd was heard before this one");
    }
}

#[test]
fn a_follower_that_speaks_and_is_of_no_use_and_one_whose_lifetime_is_over_are_dropped_whether_etcd_is_heard_or_not() {
    let mut broken = Agent::with_follower(&[n2()]);
    broken.is_deaf = true;
    broken.hear(News::Broken { shard: ONE, to: n2() });
    assert_eq!(broken.wants(), Some(&record(6, me())));
    let mut over = Agent::with_follower(&[n2()]);
    over.is_deaf = true;
    over.sees_nodes(&[(me(), false), (holder(2, 70), false)]);
    assert_eq!(over.wants(), Some(&record(6, me())));
}
