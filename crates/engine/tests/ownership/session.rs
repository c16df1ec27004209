//! Sessions: how a node starts, and what makes it stop.

use drl_core::{Generation, Nanos, ShardTime};
use drl_engine::ownership::{
    Closed, Command, Event, Fact, FoundShard, Guard, LeaseId, Outcome, Promise, Reads, Report, Revision, RoleMarker,
    StopReason, Token, Transaction, Wholeness, Write,
};

use crate::node::*;

fn own_key() -> Write {
    Write::Node { node: id("n1"), generation: Generation(100), lease: LEASE, draining: false }
}

#[test]
fn a_start_takes_a_session_reads_everything_promises_and_then_serves() {
    let mut node = Node::new();
    let owner = holder("n2", 7);
    let started = node.step(Event::Started(Box::new(found([FoundShard::default(); 2]))));
    assert_eq!(started, [Command::Grant { token: Token(1) }]);
    let granted = node.step(Event::Granted { token: Token(1), lease: LEASE, generation: Generation(100) });
    assert_eq!(granted, [Command::Persist { token: Token(2), facts: vec![Fact::Lease(Some(LEASE))] }]);
    let guards = vec![Guard::NodeAbsent(id("n1"))];
    let registration = Transaction { guards, writes: vec![own_key()], reads: Reads::Nothing };
    let noted = node.step(Event::Persisted { token: Token(2) });
    assert_eq!(noted, [Command::Transact { token: Token(3), transaction: registration }]);
    let reading = Transaction { guards: vec![lease_guard()], writes: vec![own_key()], reads: Reads::Everything };
    let registered = node.committed(Token(3), at(5));
    assert_eq!(registered, [Command::Transact { token: Token(4), transaction: reading }]);
    let records = [owned_by(owner.clone(), 3, 4), owned_by(owner.clone(), 3, 4)];
    let read = node.committed(Token(4), everything(6, records, &[("n2", entry(7, 2, 1))]));
    let promise = Promise::of(&record(owner.clone(), 3));
    let fact = |index| Fact::Shard { shard: shard(index), marker: RoleMarker::default(), promise };
    let seen = Fact::Seen { cluster: CLUSTER, revision: Revision(6) };
    assert_eq!(read, [Command::Persist { token: Token(5), facts: vec![fact(0), fact(1), seen] }]);
    let guards = vec![lease_guard(), Guard::Beat { node: id("n1"), changed: Revision(0) }];
    let writes = vec![Write::Beat { node: id("n1"), time_hi: ShardTime(0) }];
    let beat = Transaction { guards, writes, reads: Reads::Nothing };
    let closed = |index| Command::Close {
        shard: shard(index),
        closed: Closed::NotOwner { epoch: record(owner.clone(), 3).epoch, owner: owner.clone() },
    };
    let served = node.step(Event::Persisted { token: Token(5) });
    assert_eq!(served, [Command::Transact { token: Token(6), transaction: beat }, closed(0), closed(1)]);
}

#[test]
fn a_restart_ends_the_session_of_the_process_before_it() {
    let mut node = Node::new();
    let mut found = found([FoundShard::default(); 2]);
    found.lease = Some(LeaseId(4));
    let started = node.step(Event::Started(Box::new(found)));
    assert_eq!(started, [Command::Revoke { token: Token(1), lease: LeaseId(4) }]);
    assert_eq!(node.step(Event::Revoked { token: Token(1) }), [Command::Grant { token: Token(2) }]);
}

#[test]
fn a_key_under_a_foreign_lease_is_waited_for_once_and_then_ends_the_process() {
    let mut node = Node::new();
    node.step(Event::Started(Box::new(found([FoundShard::default(); 2]))));
    node.step(Event::Granted { token: Token(1), lease: LEASE, generation: Generation(100) });
    node.step(Event::Persisted { token: Token(2) });
    let mut foreign = at(5);
    foreign.nodes = vec![(id("n1"), entry(9, 3, 2))];
    assert_eq!(node.refused(Token(3), foreign.clone()), []);
    assert_eq!(node.wake_after(5_000), [], "the other session may still end");
    let again = node.wake_after(500);
    assert!(matches!(again[..], [Command::Transact { token: Token(4), .. }]), "{again:?}");
    assert_eq!(node.refused(Token(4), foreign), [Command::Stop(StopReason::NodeIdInUse)]);
    assert_eq!(node.wake_after(60_000), [], "it has stopped");
}

#[test]
fn a_doubtful_directory_forgets_its_markers_and_counters_before_anything_else() {
    let mut node = Node::new();
    let mut found = found([held(3, 9), FoundShard::default()]);
    found.wholeness = Wholeness::Doubtful;
    let started = node.step(Event::Started(Box::new(found)));
    let forgotten = Fact::Shard { shard: shard(0), marker: RoleMarker::default(), promise: held(3, 9).promise };
    let facts = vec![forgotten, Fact::CountersDiscarded];
    let expected = [Command::Report(Report::JournalDoubtful), Command::Persist { token: Token(1), facts }];
    assert_eq!(started, expected);
    assert_eq!(node.step(Event::Persisted { token: Token(1) }), [Command::Grant { token: Token(2) }]);
}

#[test]
fn past_its_deadline_a_node_drops_every_role_and_takes_a_new_session() {
    let mut node = Node::new();
    let records = [owned_by(holder("n1", 9), 3, 4), owned_by(holder("n1", 9), 3, 4)];
    let served = node.serve(found([held(3, 9), held(3, 9)]), everything(6, records, &[]));
    node.beat(&served, 7);
    let intents = node.persisted(&served);
    let adopted = node.committed(change(&intents).0, at(8));
    let covered = node.persisted(&adopted);
    let active = node.beat(&covered, 9);
    assert_eq!(active.iter().filter(|command| matches!(command, Command::Activate { .. })).count(), 2, "{active:?}");
    node.pass(59_840);
    let lost = node.step(Event::Wake);
    let closed = |index| Command::Close { shard: shard(index), closed: Closed::Unknown };
    let expected = [
        Command::Report(Report::AuthorityLost),
        Command::SetDeadline(Nanos::ZERO),
        closed(0),
        closed(1),
        Command::Revoke { token: Token(11), lease: LEASE },
    ];
    assert_eq!(lost, expected);
    let late = node.step(Event::Granted { token: Token(9), lease: LEASE, generation: Generation(100) });
    assert_eq!(late, [], "answers to the session before find nobody");
}

#[test]
fn of_readings_without_an_outcome_only_the_latest_is_sent_again() {
    let mut node = Node::new();
    node.serve(found([FoundShard::default(); 2]), everything(6, [None, None], &[]));
    let readings = |commands: &[Command]| -> Vec<Token> {
        let all = transactions(commands).filter(|(_, transaction)| transaction.reads == Reads::Everything);
        all.map(|(token, _)| token).collect()
    };
    let asked: Vec<Token> = (0..100).flat_map(|_| readings(&node.step(Event::WatchBroken))).collect();
    assert_eq!(asked.len(), 100);
    for token in &asked {
        let ended = node.step(Event::Ended { token: *token, outcome: Outcome::Unknown });
        assert_eq!(readings(&ended), []);
    }
    assert_eq!(readings(&node.wake_after(501)), [asked[99]]);
    node.step(Event::Ended { token: asked[99], outcome: Outcome::Unknown });
    assert_eq!(readings(&node.step(Event::WatchBroken)).len(), 1);
    assert_eq!(readings(&node.wake_after(501)), [], "a later one is under way");
}

#[test]
fn etcd_that_went_back_in_time_stops_a_node() {
    let mut node = Node::new();
    let mut behind = found([held(3, 9), FoundShard::default()]);
    behind.seen = Some((CLUSTER, Revision(50)));
    node.step(Event::Started(Box::new(behind)));
    node.step(Event::Granted { token: Token(1), lease: LEASE, generation: Generation(100) });
    node.step(Event::Persisted { token: Token(2) });
    let reason = StopReason::RevisionWentBack { found: Revision(5), seen: Revision(50) };
    assert_eq!(node.committed(Token(3), at(5)), [Command::Stop(reason)]);
}

#[test]
fn a_record_below_a_promise_stops_a_node() {
    for record in [None, owned_by(holder("n2", 7), 2, 4), owned_by(holder("n2", 7), 3, 4)] {
        let mut node = Node::new();
        node.step(Event::Started(Box::new(found([held(3, 9), FoundShard::default()]))));
        node.step(Event::Granted { token: Token(1), lease: LEASE, generation: Generation(100) });
        node.step(Event::Persisted { token: Token(2) });
        node.committed(Token(3), at(5));
        let epoch = record.as_ref().map_or(0, |versioned| versioned.record.epoch.0);
        let reason = StopReason::EpochWentBack { shard: 0, found: epoch, promised: 3 };
        assert_eq!(node.committed(Token(4), everything(6, [record, None], &[])), [Command::Stop(reason)]);
    }
}

#[test]
fn a_record_that_falls_below_a_promise_while_a_node_serves_stops_it() {
    let mut node = Node::new();
    let records = [owned_by(holder("n1", 9), 3, 4), owned_by(holder("n2", 7), 3, 4)];
    let view = everything(6, records, &[("n2", entry(7, 2, 1))]);
    let served = node.serve(found([held(3, 9), FoundShard::default()]), view);
    let intents = node.persisted(&served);
    node.committed(change(&intents).0, at(8));
    // A backup was restored under a higher revision: nothing but the epoch says so.
    let mut restored = at(1_000);
    restored.records = vec![(shard(0), owned_by(holder("n2", 7), 3, 900))];
    let reason = StopReason::EpochWentBack { shard: 0, found: 3, promised: 4 };
    let stopped = node.step(Event::Changed(restored));
    assert_eq!(stopped.last(), Some(&Command::Stop(reason)), "{stopped:?}");
}
