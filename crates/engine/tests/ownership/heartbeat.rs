//! Heartbeats: what moves the deadline and what does not.

use drl_core::{Epoch, Generation, Nanos, ShardTime};
use drl_engine::ownership::{
    Closed, Command, Event, Fact, FoundShard, Guard, Held, LeaseId, Outcome, Promise, Report, Revision, ShardClock,
    StopReason, Token, View, Write,
};

use crate::node::*;

/// A node that owns nothing, with one heartbeat committed that was sent at 1,000 s.
fn serving() -> Node {
    let mut node = Node::new();
    let records = [owned_by(holder("n2", 7), 3, 4), owned_by(holder("n2", 7), 3, 4)];
    let served = node.serve(found([FoundShard::default(); 2]), everything(6, records, &[("n2", entry(7, 2, 1))]));
    node.pass(300);
    let counted = node.beat(&served, 7);
    assert_eq!(counted, [Command::SetDeadline(Nanos::from_millis(1_059_840))], "from when it was sent");
    node
}

fn next_beat(node: &mut Node) -> Token {
    let due = node.wake_after(4_700);
    let (token, transaction) = transactions(&due).next().unwrap();
    assert!(is_beat(transaction));
    token
}

#[test]
fn a_heartbeat_follows_the_one_before_it_every_five_seconds() {
    let mut node = serving();
    assert_eq!(node.wake_after(4_699), []);
    let due = node.wake_after(1);
    let (_, transaction) = transactions(&due).next().unwrap();
    assert_eq!(transaction.guards, [lease_guard(), Guard::Beat { node: id("n1"), changed: Revision(7) }]);
}

#[test]
fn no_answer_changes_nothing_and_is_tried_again_soon() {
    let mut node = serving();
    let token = next_beat(&mut node);
    assert_eq!(node.step(Event::Ended { token, outcome: Outcome::Unknown }), []);
    assert_eq!(node.wake_after(499), []);
    assert!(transactions(&node.wake_after(1)).next().is_some());
    assert_eq!(node.committed(token, at(8)), [], "a late answer to the first one does not count");
}

#[test]
fn a_session_that_is_gone_is_created_again_and_counts() {
    let mut node = serving();
    let token = next_beat(&mut node);
    let mut absent = at(8);
    absent.nodes = vec![(id("n1"), None)];
    absent.beats = vec![(id("n1"), beat_of(7, 0))];
    let Command::Grant { token } = node.refused(token, absent)[0] else { panic!("a lease comes first") };
    let granted = node.step(Event::Granted { token, lease: LeaseId(12), generation: Generation(999) });
    assert_eq!(granted, [Command::Persist { token: Token(9), facts: vec![Fact::Lease(Some(LeaseId(12)))] }]);
    let renewal = node.persisted(&granted);
    let (token, transaction) = transactions(&renewal).next().unwrap();
    let last_beat = Guard::Beat { node: id("n1"), changed: Revision(7) };
    assert_eq!(transaction.guards, [Guard::NodeAbsent(id("n1")), last_beat]);
    let key = Write::Node { node: id("n1"), generation: Generation(100), lease: LeaseId(12), draining: false };
    assert_eq!(transaction.writes[0], key, "the generation stays");
    let renewed = node.committed(token, at(9));
    let deadline = Command::SetDeadline(Nanos::from_millis(1_064_840));
    assert_eq!(renewed[..2], [Command::Report(Report::SessionRecreated), deadline]);
}

#[test]
fn a_session_that_was_created_again_too_late_does_not_count() {
    let mut node = serving();
    let token = next_beat(&mut node);
    let mut absent = at(8);
    absent.nodes = vec![(id("n1"), None)];
    let Command::Grant { token } = node.refused(token, absent)[0] else { panic!("a lease comes first") };
    let granted = node.step(Event::Granted { token, lease: LeaseId(12), generation: Generation(999) });
    let renewal = node.persisted(&granted);
    let (token, _) = transactions(&renewal).next().unwrap();
    node.pass(60_000);
    let late = node.committed(token, at(9));
    assert_eq!(late[..2], [Command::Report(Report::AuthorityLost), Command::SetDeadline(Nanos::ZERO)]);
    assert!(late.iter().all(|command| !matches!(command, Command::SetDeadline(until) if until.0 > 0)), "{late:?}");
}

#[test]
fn a_session_that_was_created_again_and_lost_again_before_its_answer_came_is_created_once_more() {
    let mut node = serving();
    let token = next_beat(&mut node);
    let mut absent = at(8);
    absent.nodes = vec![(id("n1"), None)];
    let Command::Grant { token } = node.refused(token, absent)[0] else { panic!("a lease comes first") };
    let granted = node.step(Event::Granted { token, lease: LeaseId(12), generation: Generation(999) });
    let renewal = node.persisted(&granted);
    let (token, transaction) = transactions(&renewal).next().unwrap();
    node.step(Event::Ended { token, outcome: Outcome::Unknown });
    assert_eq!(node.wake_after(500), [Command::Transact { token, transaction: transaction.clone() }], "as it was");
    let mut gone = at(10);
    gone.nodes = vec![(id("n1"), None)];
    gone.beats = vec![(id("n1"), beat_of(9, 0))];
    assert!(matches!(node.refused(token, gone)[..], [Command::Grant { .. }]));
}

#[test]
fn another_lease_under_this_nodes_name_stops_it_at_once() {
    let mut node = serving();
    let token = next_beat(&mut node);
    let mut foreign = at(8);
    foreign.nodes = vec![(id("n1"), entry(55, 99, 8))];
    let stopped = node.refused(token, foreign);
    assert_eq!(stopped, [Command::SetDeadline(Nanos::ZERO), Command::Stop(StopReason::NodeIdInUse)]);
}

/// The owner of shard 0 as soon as its next heartbeat covers that, and what it did last: it sent that heartbeat.
fn owning() -> (Node, Vec<Command>) {
    let mut node = Node::new();
    let records = [owned_by(holder("n1", 9), 3, 4), owned_by(holder("n2", 7), 3, 4)];
    let view = everything(6, records, &[("n2", entry(7, 2, 1))]);
    let served = node.serve(found([held(3, 9), FoundShard::default()]), view);
    node.beat(&served, 7);
    let intents = node.persisted(&served);
    let adopted = node.committed(change(&intents).0, at(8));
    let covered = node.persisted(&adopted);
    (node, covered)
}

#[test]
fn a_request_under_a_higher_epoch_suspends_the_shard_until_everything_was_read() {
    let (mut node, covered) = owning();
    node.beat(&covered, 9);
    let suspended = node.step(Event::HigherEpoch { shard: shard(0) });
    assert_eq!(suspended[0], Command::Freeze { shards: vec![shard(0)] });
    let (token, _) = transactions(&suspended).next().unwrap();
    assert_eq!(node.wake_after(1), [], "nothing goes on before the answer");
    let records = [owned_by(holder("n1", 100), 4, 8), owned_by(holder("n2", 7), 3, 4)];
    let told = node.committed(token, everything(9, records, &[("n2", entry(7, 2, 1))]));
    assert_eq!(told, [Command::Thaw { shard: shard(0) }], "whoever asked was wrong");
    let suspended = node.step(Event::HigherEpoch { shard: shard(0) });
    let (token, _) = transactions(&suspended).next().unwrap();
    let records = [owned_by(holder("n2", 7), 5, 10), owned_by(holder("n2", 7), 3, 4)];
    let told = node.committed(token, everything(10, records, &[("n2", entry(7, 2, 1))]));
    let closed = Closed::NotOwner { epoch: Epoch(5), owner: holder("n2", 7) };
    assert_eq!(told, [Command::Close { shard: shard(0), closed }]);
}

#[test]
fn a_heartbeat_that_does_not_cover_a_shard_which_came_after_it_was_sent_moves_no_deadline() {
    let mut node = Node::new();
    let promised = ShardTime(WALL.0 + Nanos::from_secs(2_000).0);
    // The second shard's time is close to what was promised: covered until the present deadline, and not until the next one.
    let mut ahead = held(3, 9);
    ahead.promise = Promise::default();
    ahead.marker.held = ahead.marker.held.map(|held| {
        let base = ShardTime(WALL.0 + Nanos::from_secs(940).0);
        Held { clock: ShardClock { base, ..clock() }, ..held }
    });
    let mut view = everything(6, [owned_by(holder("n1", 9), 3, 4), None], &[("n2", entry(7, 2, 1))]);
    view.beats = vec![(id("n1"), beat_of(5, promised.0))];
    let served = node.serve(found([held(3, 9), ahead]), view);
    let beaten = node.beat(&served, 7);
    assert!(beaten.iter().any(|command| matches!(command, Command::SetDeadline(_))));
    node.pass(300);
    let sent = next_beat(&mut node);
    let mut comes = at(9);
    comes.records = vec![(shard(1), owned_by(holder("n1", 9), 3, 9))];
    let intents = node.step(Event::Changed(comes));
    let (token, _) = change(&node.persisted(&intents));
    let adopted = node.committed(token, at(10));
    let active = node.persisted(&adopted);
    assert!(active.iter().any(|command| matches!(command, Command::Activate { epoch: Epoch(4), .. })), "{active:?}");
    let ended = node.committed(sent, at(11));
    assert!(!ended.iter().any(|command| matches!(command, Command::SetDeadline(_))), "{ended:?}");
    assert!(transactions(&ended).any(|(_, transaction)| is_beat(transaction)), "the next one does not wait");
}

#[test]
fn a_session_that_was_gone_before_its_first_heartbeat_is_not_created_again() {
    let mut node = Node::new();
    let records = [owned_by(holder("n1", 9), 3, 4), owned_by(holder("n2", 7), 3, 4)];
    let view = everything(6, records, &[("n2", entry(7, 2, 1))]);
    let served = node.serve(found([held(3, 9), FoundShard::default()]), view);
    let (token, _) = transactions(&served).find(|(_, transaction)| is_beat(transaction)).unwrap();
    let gone = View { nodes: vec![(id("n1"), None)], ..at(9) };
    let commands = node.refused(token, gone);
    assert!(commands.contains(&Command::Revoke { token: Token(8), lease: LEASE }), "another session: {commands:?}");
}

#[test]
fn what_the_watch_says_late_replaces_nothing_that_is_known_since() {
    let mut node = serving();
    let mut late = at(7);
    late.records = vec![(shard(0), owned_by(holder("n3", 8), 4, 7)), (shard(1), owned_by(holder("n3", 8), 4, 7))];
    let told = node.step(Event::Changed(late.clone()));
    assert!(told.iter().any(|command| matches!(command, Command::Close { .. })), "{told:?}");
    let mut new = at(9);
    new.records = vec![(shard(0), owned_by(holder("n2", 7), 5, 9)), (shard(1), owned_by(holder("n2", 7), 5, 9))];
    node.step(Event::Changed(new));
    assert_eq!(node.step(Event::Changed(late)), []);
}

#[test]
fn a_heartbeat_never_promises_less_than_the_one_before_it() {
    let (mut node, covered) = owning();
    let promised = |commands: &[Command]| match transactions(commands).find(|(_, transaction)| is_beat(transaction)) {
        Some((_, transaction)) => transaction.writes.clone(),
        None => vec![],
    };
    let while_it_owns = promised(&covered);
    node.beat(&covered, 9);
    let mut gone = at(10);
    gone.records = vec![(shard(0), owned_by(holder("n2", 7), 5, 10))];
    node.step(Event::Changed(gone));
    assert_eq!(promised(&node.wake_after(5_000)), while_it_owns);
}
