//! What a node promises before it follows, and which invitations it does not accept.

use drl_core::{Epoch, Nanos, ShardId};
use drl_engine::ownership::{Command, Fact, FoundShard, Promise, RoleMarker};
use drl_engine::replication::{Invite, Join, News, Order, Start};

use crate::agent::*;
use crate::ledgers::{NOON, holder};

/// `n1`, invited by the owner `n2` under epoch 3.
fn invited(invites: Vec<Invite>) -> (Agent, Vec<Command>) {
    let (mut agent, _) = Agent::serving(FoundShard::default(), Some(learner(3, n2(), me())), &[n2()]);
    let commands = agent.hear(News::Invited { from: n2(), invites });
    (agent, commands)
}

fn markers(commands: &[Command]) -> Vec<RoleMarker> {
    let facts = commands.iter().filter_map(|command| match command {
        Command::Persist { facts, .. } => Some(facts),
        _ => None,
    });
    let marker = |fact: &Fact| match fact {
        Fact::Shard { marker, .. } => Some(*marker),
        _ => None,
    };
    facts.flatten().filter_map(marker).collect()
}

#[test]
fn a_new_session_promises_the_epochs_of_all_records_before_anything_else() {
    let (_, commands) = Agent::serving(FoundShard::default(), Some(record(3, n2())), &[n2()]);
    assert_eq!(promises(&commands), [Promise { epoch: Epoch(3), generation: n2().generation }]);
    let promised =
        commands.iter().position(|command| matches!(command, Command::Persist { facts, .. } if facts.len() > 1));
    let speaks = commands.iter().position(|command| *command == Command::Copies(Order::Lifetime(Some(me()))));
    assert!(promised < speaks && promised.is_some());
}

#[test]
fn a_follower_joins_only_when_its_promise_is_on_disk_and_its_directory_says_that_it_has_nothing() {
    let (_, commands) = invited(vec![invite(3, 1, Start::Anew)]);
    let join = Join { shard: ONE, epoch: Epoch(3), attempt: 1 };
    assert_eq!(orders(&commands), [Order::Follow { owner: n2(), join, start: Start::Anew }]);
    assert!(matches!(commands[0], Command::Persist { .. }), "first");
    assert_eq!(promises(&commands), [Promise { epoch: Epoch(3), generation: n2().generation }]);
    assert_eq!(markers(&commands), [RoleMarker::default()]);
}

#[test]
fn a_follower_does_not_join_while_its_promise_is_on_its_way_to_the_disk() {
    let (mut agent, _) = Agent::serving(FoundShard::default(), Some(learner(3, n2(), me())), &[n2()]);
    agent.disk_hangs = true;
    let commands = agent.hear(News::Invited { from: n2(), invites: vec![invite(3, 1, Start::Anew)] });
    assert_eq!((promises(&commands).len(), orders(&commands)), (1, vec![]));
    let join = Join { shard: ONE, epoch: Epoch(3), attempt: 1 };
    assert_eq!(orders(&agent.writes()), [Order::Follow { owner: n2(), join, start: Start::Anew }]);
}

#[test]
fn an_owner_goes_on_under_its_next_epoch_only_when_that_is_promised_on_disk() {
    let mut agent = Agent::solo(&[n2()]);
    agent.disk_hangs = true;
    let commands = agent.commits();
    assert_eq!((agent.record(), orders(&commands)), (&learner(5, me(), n2()), vec![]));
    let advance = Order::Advance { shard: ONE, epoch: Epoch(5), keep: None };
    assert_eq!(orders(&agent.writes()).first(), Some(&advance));
}

#[test]
fn a_complete_copy_does_not_count_while_its_marker_is_on_its_way_to_the_disk() {
    let (mut agent, _) = invited(vec![invite(3, 1, Start::Anew)]);
    agent.disk_hangs = true;
    assert_eq!(orders(&agent.hear(News::Seeded { shard: ONE, epoch: Epoch(3) })), []);
    assert_eq!(orders(&agent.writes()), [Order::CopyCounts { shard: ONE }]);
}

#[test]
fn a_complete_copy_is_marked_on_disk_before_it_counts() {
    let (mut agent, _) = invited(vec![invite(3, 1, Start::Anew)]);
    let commands = agent.hear(News::Seeded { shard: ONE, epoch: Epoch(3) });
    let held = markers(&commands)[0].held.unwrap();
    assert_eq!((held.epoch, held.generation), (Epoch(3), me().generation));
    assert!(matches!(commands[0], Command::Persist { .. }));
    assert_eq!(orders(&commands), [Order::CopyCounts { shard: ONE }]);
    assert_eq!(agent.hear(News::Seeded { shard: ONE, epoch: Epoch(3) }), [], "once");
}

#[test]
fn a_copy_that_is_complete_under_another_epoch_is_not_marked() {
    let (mut agent, _) = invited(vec![invite(3, 1, Start::Anew)]);
    assert_eq!(agent.hear(News::Seeded { shard: ONE, epoch: Epoch(2) }), []);
}

#[test]
fn an_invitation_by_anybody_but_the_owner_of_the_record_is_not_accepted() {
    for liar in [n3(), holder(2, 6), holder(2, 8), me()] {
        let (mut agent, _) = Agent::serving(FoundShard::default(), Some(learner(3, n2(), me())), &[n2(), n3()]);
        let invites = vec![invite(3, 1, Start::Anew)];
        assert_eq!(agent.hear(News::Invited { from: liar.clone(), invites }), []);
        // Nothing is promised of this epoch yet: it is the record alone that speaks against the liar.
        agent.sees(learner(4, n2(), me()));
        assert_eq!(agent.hear(News::Invited { from: liar, invites: vec![invite(4, 1, Start::Anew)] }), []);
    }
}

#[test]
fn an_invitation_under_a_lower_epoch_or_to_a_shard_that_does_not_exist_is_not_accepted() {
    let nowhere = Invite { shard: ShardId::new(9), ..invite(3, 1, Start::Anew) };
    assert_eq!(invited(vec![invite(2, 1, Start::Anew), nowhere]).1, []);
}

#[test]
fn an_invitation_under_an_epoch_that_is_not_known_waits_for_the_record_and_is_accepted_then() {
    let (mut agent, commands) = invited(vec![invite(4, 1, Start::Anew)]);
    assert_eq!(orders(&commands), []);
    let join = Join { shard: ONE, epoch: Epoch(4), attempt: 1 };
    let commands = agent.sees(learner(4, n2(), me()));
    assert_eq!(orders(&commands), [Order::Follow { owner: n2(), join, start: Start::Anew }]);
}

#[test]
fn everything_is_read_again_when_the_record_of_an_invitation_does_not_come_and_not_before() {
    let (mut agent, _) = invited(vec![invite(4, 1, Start::Anew)]);
    // What its owner says again meanwhile does not begin another wait.
    agent.pass(499);
    agent.hear(News::Invited { from: n2(), invites: vec![invite(4, 1, Start::Anew)] });
    assert_eq!(agent.readings, 1, "at the start");
    agent.pass(1);
    // The alarm clock that this set.
    agent.pass(0);
    assert_eq!(agent.readings, 2);
}

#[test]
fn an_old_owner_that_hears_of_its_successor_first_by_an_invitation_follows_it_once_it_has_left_the_shard() {
    let mut agent = Agent::with_follower(&[n2()]);
    let commands = agent.hear(News::Invited { from: n2(), invites: vec![invite(6, 1, Start::Continues)] });
    assert_eq!(orders(&commands), []);
    let join = Join { shard: ONE, epoch: Epoch(6), attempt: 1 };
    let commands = agent.sees(in_sync(6, n2(), me()));
    assert_eq!(orders(&commands), [Order::Follow { owner: n2(), join, start: Start::Continues }]);
}

#[test]
fn an_invitation_that_comes_late_or_twice_does_not_empty_a_copy_and_a_newer_one_does() {
    let mut agent = Agent::following();
    for attempt in [0, 1] {
        let invites = vec![invite(3, attempt, Start::Anew)];
        assert_eq!(agent.hear(News::Invited { from: n2(), invites }), [], "attempt {attempt}");
    }
    let commands = agent.hear(News::Invited { from: n2(), invites: vec![invite(3, 2, Start::Anew)] });
    assert_eq!(markers(&commands), [RoleMarker::default()], "its owner began anew");
}

#[test]
fn a_copy_that_the_record_relies_on_is_not_emptied() {
    let mut agent = Agent::following();
    agent.sees(in_sync(3, n2(), me()));
    let commands = agent.hear(News::Invited { from: n2(), invites: vec![invite(3, 2, Start::Anew)] });
    assert_eq!(commands, []);
}

#[test]
fn only_a_complete_copy_of_this_lifetime_that_the_record_names_continues_into_the_next_epoch() {
    let goes_on = vec![invite(4, 2, Start::Continues)];
    let mut agent = Agent::following();
    agent.sees(learner(4, n2(), me()));
    assert_eq!(agent.hear(News::Invited { from: n2(), invites: goes_on.clone() }), [], "not in sync");

    let (mut agent, _) = invited(vec![invite(3, 1, Start::Anew)]);
    agent.sees(in_sync(4, n2(), me()));
    assert_eq!(agent.hear(News::Invited { from: n2(), invites: goes_on.clone() }), [], "not complete");

    let (mut agent, _) = Agent::serving(held(3, 99), Some(in_sync(4, n2(), me())), &[n2()]);
    assert_eq!(agent.hear(News::Invited { from: n2(), invites: goes_on.clone() }), [], "of another lifetime");

    let mut agent = Agent::following();
    agent.sees(in_sync(4, n2(), me()));
    let commands = agent.hear(News::Invited { from: n2(), invites: goes_on });
    assert_eq!(promises(&commands), [Promise { epoch: Epoch(4), generation: n2().generation }]);
    let join = Join { shard: ONE, epoch: Epoch(4), attempt: 2 };
    assert_eq!(orders(&commands), [Order::Follow { owner: n2(), join, start: Start::Continues }]);
}

#[test]
fn an_owner_follows_nobody_in_its_own_shard() {
    let mut agent = Agent::solo(&[n2()]);
    let invites = vec![invite(4, 1, Start::Anew)];
    assert_eq!(agent.hear(News::Invited { from: n2(), invites }), []);
}

#[test]
fn a_node_past_its_deadline_accepts_no_invitation() {
    let (mut agent, _) = Agent::serving(FoundShard::default(), Some(learner(3, n2(), me())), &[n2()]);
    agent.now.boottime.0 += Nanos::from_secs(61).0;
    let commands = agent.hear(News::Invited { from: n2(), invites: vec![invite(3, 1, Start::Anew)] });
    assert!(!orders(&commands).iter().any(|order| matches!(order, Order::Follow { .. })));
}

#[test]
fn a_copy_that_its_owners_record_names_no_more_is_left() {
    for next in [record(4, n2()), learner(4, n2(), n3()), record(4, n3())] {
        let mut agent = Agent::following();
        assert_eq!(orders(&agent.sees(next)), [Order::Unfollow { shard: ONE }]);
    }
    let mut agent = Agent::following();
    assert_eq!(orders(&agent.sees(in_sync(4, n2(), me()))), [], "it goes on");
}

#[test]
fn a_record_below_a_promise_means_that_etcd_went_back_and_the_node_stops() {
    let mut agent = Agent::following();
    let commands = agent.sees(record(2, n2()));
    assert!(commands.iter().any(|command| matches!(command, Command::Stop(_))));
    let mut agent = Agent::following();
    let commands = agent.sees(record(3, holder(2, 8)));
    assert!(commands.iter().any(|command| matches!(command, Command::Stop(_))), "the same epoch of another lifetime");
    assert_eq!(promises(&commands), []);
}

#[test]
fn an_invitation_of_an_epoch_that_is_over_is_not_accepted() {
    let mut agent = Agent::following();
    agent.sees(learner(4, n2(), me()));
    assert_eq!(agent.hear(News::Invited { from: n2(), invites: vec![invite(3, 2, Start::Anew)] }), []);
}

#[test]
fn a_promise_that_reaches_the_disk_late_joins_no_later_epoch() {
    let (mut agent, _) = Agent::serving(FoundShard::default(), Some(learner(3, n2(), me())), &[n2()]);
    agent.disk_hangs = true;
    agent.hear(News::Invited { from: n2(), invites: vec![invite(3, 1, Start::Anew)] });
    agent.sees(learner(4, n2(), me()));
    agent.hear(News::Invited { from: n2(), invites: vec![invite(4, 2, Start::Anew)] });
    assert_eq!(orders(&agent.writes_one()), [], "that was the promise of epoch 3");
    let join = Join { shard: ONE, epoch: Epoch(4), attempt: 2 };
    assert_eq!(orders(&agent.writes()), [Order::Follow { owner: n2(), join, start: Start::Anew }]);
}

#[test]
fn a_marker_that_reaches_the_disk_late_makes_no_later_copy_count() {
    let (mut agent, _) = invited(vec![invite(3, 1, Start::Anew)]);
    agent.disk_hangs = true;
    agent.hear(News::Seeded { shard: ONE, epoch: Epoch(3) });
    agent.hear(News::Invited { from: n2(), invites: vec![invite(3, 2, Start::Anew)] });
    assert_eq!(orders(&agent.writes_one()), [], "that was the marker of a copy that was emptied since");
    let join = Join { shard: ONE, epoch: Epoch(3), attempt: 2 };
    assert_eq!(orders(&agent.writes()), [Order::Follow { owner: n2(), join, start: Start::Anew }]);
}

#[test]
fn a_promise_that_reaches_the_disk_late_lets_nobody_answer_under_a_later_epoch() {
    let (mut agent, _) = Agent::serving(held(3, 9), Some(record(3, holder(1, 9))), &[n2()]);
    let answers = |commands: &[Command]| commands.iter().any(|command| matches!(command, Command::Activate { .. }));
    agent.disk_hangs = true;
    agent.commits();
    // The shard goes, and comes back.
    agent.sees(record(5, n2()));
    agent.sees(record(6, me()));
    assert!(!answers(&agent.writes_one()), "that was the promise of epoch 4");
    assert!(answers(&agent.writes()));
}

#[test]
fn a_heartbeat_promises_the_time_of_copies_too_so_that_a_shard_can_be_handed_over() {
    let mut agent = Agent::following();
    agent.pass(5_000);
    assert!(agent.promised > NOON, "the owner looks at it before it hands over");
}
