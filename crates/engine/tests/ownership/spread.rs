//! Spreading never-written shards, and draining.

use drl_engine::ownership::{
    Command, Event, FoundShard, Guard, Outcome, Reads, Revision, ShardRecord, Transaction, View, Write, Written,
};

use crate::node::*;

/// A node that owns both shards, never written.
fn owner_of_both() -> Node {
    let mut node = Node::new();
    let served = node.serve(found([FoundShard::default(); 2]), everything(6, [None, None], &[]));
    let (token, _) = change(&node.persisted(&served));
    let adopted = node.committed(token, at(8));
    node.persisted(&adopted);
    let counted = node.beat(&served, 9);
    let active = node.beat(&counted, 10);
    assert_eq!(active.len(), 2);
    node
}

fn joins(revision: u64) -> Event {
    Event::Changed(View { nodes: vec![(id("n2"), entry(7, 2, revision))], ..at(revision) })
}

/// The shard that is frozen when `n2` joins.
fn frozen(node: &mut Node) -> drl_core::ShardId {
    let commands = node.step(joins(11));
    let [Command::Freeze { shards }] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(shards.len(), 1, "one of two");
    shards[0]
}

#[test]
fn a_node_that_joins_gets_its_share_of_what_was_never_written() {
    let mut node = owner_of_both();
    let shard = frozen(&mut node);
    let swapped = node.step(Event::Frozen { shards: vec![(shard, Written::Never)] });
    let (token, transaction) = change(&swapped);
    let since = Guard::NodeSince { node: id("n2"), created: Revision(11) };
    let guards = vec![lease_guard(), since, Guard::Record { shard, changed: Revision(8) }];
    let handed: ShardRecord = record(holder("n2", 7), 2);
    let writes = vec![Write::Record { shard, record: handed }];
    assert_eq!((transaction, swapped.len()), (Transaction { guards, writes, reads: Reads::Nothing }, 1));
    let left = node.committed(token, at(12));
    let closed = drl_engine::ownership::Closed::NotOwner { epoch: drl_core::Epoch(2), owner: holder("n2", 7) };
    assert_eq!(left, [Command::Close { shard, closed }]);
}

#[test]
fn a_shard_that_was_written_meanwhile_goes_on_and_stays() {
    let mut node = owner_of_both();
    let shard = frozen(&mut node);
    let thawed = node.step(Event::Frozen { shards: vec![(shard, Written::Yes)] });
    assert_eq!(thawed[0], Command::Thaw { shard });
    node.step(Event::Written { shard: drl_core::ShardId::new(1 - shard.get()) });
    assert_eq!(node.step(joins(13)), [], "nothing that was written moves");
}

#[test]
fn a_swap_without_an_outcome_stays_frozen_and_a_refused_one_thaws() {
    let mut node = owner_of_both();
    let shard = frozen(&mut node);
    let swapped = node.step(Event::Frozen { shards: vec![(shard, Written::Never)] });
    let (token, transaction) = change(&swapped);
    node.step(Event::Ended { token, outcome: Outcome::Unknown });
    assert_eq!(node.wake_after(500), [Command::Transact { token, transaction }], "no thaw");
    let mut view = at(14);
    view.records = vec![(shard, owned_by(holder("n1", 100), 1, 8))];
    view.nodes = vec![(id("n1"), entry(100, LEASE.0, 5)), (id("n2"), None)];
    assert_eq!(node.refused(token, view), [Command::Thaw { shard }]);
}

#[test]
fn a_shard_that_went_and_came_back_is_adopted_under_its_later_epoch() {
    let mut node = owner_of_both();
    let shard = frozen(&mut node);
    let swapped = node.step(Event::Frozen { shards: vec![(shard, Written::Never)] });
    let (token, _) = change(&swapped);
    node.step(Event::Ended { token, outcome: Outcome::Unknown });
    let mut view = at(14);
    view.records = vec![(shard, owned_by(holder("n1", 100), 3, 14))];
    let back = node.step(Event::Changed(view));
    let closed = drl_engine::ownership::Closed::NotOwner { epoch: drl_core::Epoch(3), owner: holder("n1", 100) };
    assert!(
        matches!(&back[..], [Command::Close { closed: now, .. }, Command::Persist { .. }] if *now == closed),
        "{back:?}"
    );
}

#[test]
fn a_node_that_drains_gives_away_what_it_can_and_says_what_still_names_it() {
    let mut node = owner_of_both();
    let kept = frozen(&mut node);
    node.step(Event::Frozen { shards: vec![(kept, Written::Yes)] });
    let given = drl_core::ShardId::new(1 - kept.get());
    let announced = node.step(Event::Drain);
    let (token, transaction) = transactions(&announced).next().unwrap();
    assert!(matches!(transaction.writes[..], [Write::Node { draining: true, .. }]));
    assert_eq!(node.committed(token, at(15)), [Command::Freeze { shards: vec![given] }]);
    let swapped = node.step(Event::Frozen { shards: vec![(given, Written::Never)] });
    let left = node.committed(change(&swapped).0, at(17));
    assert_eq!(left[1..], [Command::Drained { named: 1 }], "{left:?}");
}

#[test]
fn a_reading_that_was_sent_before_the_drain_and_takes_it_back_is_answered_by_telling_it_again() {
    let mut node = owner_of_both();
    node.step(Event::WatchBroken);
    let announced = node.step(Event::Drain);
    let (token, announcement) = transactions(&announced).next().unwrap();
    node.committed(token, at(15));
    let mut late = at(16);
    late.nodes = vec![(id("n1"), entry(100, LEASE.0, 5))];
    let again = node.step(Event::Changed(late));
    assert_eq!(transactions(&again).next().unwrap().1, announcement);
}

/// `n1` owns both shards, one of them written, and has said that it drains.
fn drained() -> Node {
    let mut node = owner_of_both();
    let kept = frozen(&mut node);
    node.step(Event::Frozen { shards: vec![(kept, Written::Yes)] });
    let given = drl_core::ShardId::new(1 - kept.get());
    let announced = node.step(Event::Drain);
    node.committed(transactions(&announced).next().unwrap().0, at(15));
    let swapped = node.step(Event::Frozen { shards: vec![(given, Written::Never)] });
    let left = node.committed(change(&swapped).0, at(17));
    assert_eq!(left[1..], [Command::Drained { named: 1 }], "{left:?}");
    node
}

#[test]
fn a_drain_that_is_taken_back_is_told_to_everybody_and_told_again_when_something_older_comes_late() {
    for mut node in [drained(), {
        let mut node = owner_of_both();
        let announced = node.step(Event::Drain);
        node.committed(transactions(&announced).next().unwrap().0, at(15));
        node
    }] {
        let announced = node.step(Event::Undrain);
        let (token, announcement) = transactions(&announced).next().unwrap();
        assert!(matches!(announcement.writes[..], [Write::Node { draining: false, .. }]));
        assert_eq!(node.step(Event::Undrain), [], "one at a time");
        assert_eq!(transactions(&node.committed(token, at(18))).count(), 0, "it is told");
        let mut late = at(19);
        late.nodes = vec![(
            id("n1"),
            drl_engine::ownership::NodeEntry { draining: true, ..entry(100, LEASE.0, 5).unwrap() }.into(),
        )];
        let again = node.step(Event::Changed(late));
        assert_eq!(transactions(&again).next().unwrap().1, announcement);
    }
}

#[test]
fn a_drain_that_is_taken_back_before_it_was_told_leaves_nothing_behind() {
    let mut node = owner_of_both();
    let announced = node.step(Event::Drain);
    let (token, _) = transactions(&announced).next().unwrap();
    assert_eq!(node.step(Event::Undrain), [], "the first one has no outcome yet");
    let taken_back = node.committed(token, at(15));
    let told = transactions(&taken_back).next().unwrap();
    assert!(matches!(told.1.writes[..], [Write::Node { draining: false, .. }]), "{taken_back:?}");
    assert_eq!(transactions(&node.committed(told.0, at(16))).count(), 0);
}

#[test]
fn a_node_that_is_asked_to_drain_again_says_again_what_names_it() {
    let mut node = drained();
    assert_eq!(node.step(Event::Drain), [Command::Drained { named: 1 }]);
    node.step(Event::Undrain);
}
