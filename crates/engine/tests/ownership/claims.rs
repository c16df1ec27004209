//! Claims: genesis, resume and cold take-over, and what they compare.

use drl_core::{Epoch, Nanos, ShardTime};
use drl_engine::ownership::{
    Command, Event, Fact, FloorState, FoundShard, Guard, Held, Origin, Outcome, Promise, Reads, Report, Revision,
    RoleMarker, ShardClock, ShardRecord, Transaction, View, Wanted, Write,
};

use crate::node::*;

fn mine(epoch: u64) -> ShardRecord {
    record(holder("n1", 100), epoch)
}

const fn wanted(epoch: u64, origin: Origin) -> Wanted {
    Wanted { epoch: Epoch(epoch), generation: drl_core::Generation(100), origin }
}

#[test]
fn the_first_node_writes_down_its_intent_claims_every_shard_promises_and_answers() {
    let mut node = Node::new();
    let served = node.serve(found([FoundShard::default(); 2]), everything(6, [None, None], &[]));
    let marker = RoleMarker { held: None, wanted: Some(wanted(1, Origin::Empty)) };
    let intent = |index| Fact::Shard { shard: shard(index), marker, promise: Promise::default() };
    assert!(is_beat(transactions(&served).next().unwrap().1));
    let intents = Command::Persist { token: drl_engine::ownership::Token(7), facts: vec![intent(0), intent(1)] };
    assert_eq!(served[1..], [intents]);

    let claimed = node.persisted(&served);
    let write = |index| Write::Record { shard: shard(index), record: mine(1) };
    let guards = vec![lease_guard(), record_guard(0, 0), record_guard(1, 0)];
    let expected = Transaction { guards, writes: vec![write(0), write(1)], reads: Reads::Nothing };
    let (token, transaction) = change(&claimed);
    assert_eq!((transaction, claimed.len()), (expected, 1));

    let adopted = node.committed(token, at(8));
    let clock = ShardClock { at: node.now.boottime, ..clock() };
    let (epoch, generation) = (Epoch(1), drl_core::Generation(100));
    let held = Held { epoch, generation, clock, floor: FloorState::Journaled };
    let marker = RoleMarker { held: Some(held), wanted: None };
    let fact = |index| Fact::Shard { shard: shard(index), marker, promise: Promise::of(&mine(1)) };
    let seen = Fact::Seen { cluster: CLUSTER, revision: Revision(8) };
    let token = drl_engine::ownership::Token(9);
    assert_eq!(adopted, [Command::Persist { token, facts: vec![fact(0), fact(1), seen] }]);

    assert_eq!(node.persisted(&adopted), [], "nobody answers before a heartbeat covers the shards' time");
    let counted = node.beat(&served, 9);
    assert!(!counted.iter().any(|command| matches!(command, Command::Activate { .. })), "the first one did not");
    let active = node.beat(&counted, 10);
    let activate = |index| Command::Activate { shard: shard(index), epoch, origin: Origin::Empty, clock };
    assert_eq!(active, [activate(0), activate(1)]);
}

#[test]
fn a_restart_with_its_own_directory_resumes_at_once_and_time_goes_on() {
    let mut node = Node::new();
    let records = [owned_by(holder("n1", 9), 3, 4), owned_by(holder("n1", 8), 3, 4)];
    let served = node.serve(found([held(3, 9), FoundShard::default()]), everything(6, records, &[]));
    let (_, transaction) = change(&node.persisted(&served));
    let guards = vec![lease_guard(), record_guard(0, 4)];
    let writes = vec![Write::Record { shard: shard(0), record: mine(4) }];
    assert_eq!(transaction, Transaction { guards, writes, reads: Reads::Nothing }, "what it never held must wait");
}

#[test]
fn a_crash_between_claim_and_answer_resumes_and_one_under_cold_is_exhausted_again() {
    for (cold, origin) in [(false, Origin::Resume), (true, Origin::Cold)] {
        let mut node = Node::new();
        let marker = RoleMarker {
            wanted: Some(Wanted { epoch: Epoch(4), generation: drl_core::Generation(10), origin }),
            ..held(3, 9).marker
        };
        let shards = [FoundShard { marker, ..held(3, 9) }, FoundShard::default()];
        let versioned = owned_by(holder("n1", 10), 4, 5).map(|mut versioned| {
            versioned.record.cold = cold;
            versioned
        });
        let records = [versioned, owned_by(holder("n2", 7), 1, 1)];
        let served = node.serve(found(shards), everything(6, records, &[("n2", entry(7, 2, 1))]));
        let (token, transaction) = change(&node.persisted(&served));
        let resumed = ShardRecord { cold, ..mine(5) };
        assert_eq!(transaction.writes, [Write::Record { shard: shard(0), record: resumed }], "cold is kept");
        let adopted = node.committed(token, at(8));
        let floor = adopted.iter().find_map(|command| match command {
            Command::Persist { facts, .. } => facts.iter().find_map(|fact| match fact {
                Fact::Shard { marker, .. } => marker.held.map(|held| held.floor),
                _ => None,
            }),
            _ => None,
        });
        let expected = if cold { FloorState::Pending } else { FloorState::Journaled };
        assert_eq!(floor, Some(expected));
    }
}

#[test]
fn an_owner_that_took_over_cold_and_died_before_it_answered_goes_on_from_the_time_that_its_claim_promised() {
    let mut node = Node::new();
    let wanted = Wanted { epoch: Epoch(4), generation: drl_core::Generation(10), origin: Origin::Cold };
    let found_shard = FoundShard { marker: RoleMarker { held: None, wanted: Some(wanted) }, ..FoundShard::default() };
    let cold = |epoch| ShardRecord { cold: true, ..record(holder("n1", 10), epoch) };
    let taken = drl_engine::ownership::Versioned { record: cold(4), changed: Revision(5) };
    let mut view = everything(6, [Some(taken), owned_by(holder("n2", 7), 1, 1)], &[("n2", entry(7, 2, 1))]);
    // The claim's transaction wrote this heartbeat; the wall clock of this node is 200 s behind it.
    let promised = ShardTime(WALL.0 + 200 * 1_000_000_000);
    view.beats = vec![(id("n1"), beat_of(5, promised.0))];
    let served = node.serve(found([found_shard, FoundShard::default()]), view);
    let (_, beat) = transactions(&served).next().unwrap();
    assert_eq!(
        beat.writes,
        [Write::Beat { node: id("n1"), time_hi: promised }],
        "a new generation does not take it back"
    );
    let adopted = {
        let claimed = node.persisted(&served);
        node.committed(change(&claimed).0, at(8))
    };
    assert_eq!(base_of(&adopted), Some(promised));
}

/// A node beside `n2`, which owns both shards and has just gone, having promised a `time_hi` of `WALL` + 5.
fn beside_a_node_that_is_gone() -> (Node, Vec<Command>) {
    let mut node = Node::new();
    let records = [owned_by(holder("n2", 7), 3, 4), owned_by(holder("n2", 7), 3, 4)];
    let mut view = everything(6, records, &[]);
    view.beats = vec![(id("n2"), beat_of(5, WALL.0 + 200 * 1_000_000_000))];
    let served = node.serve(found([FoundShard::default(); 2]), view);
    (node, served)
}

/// Heartbeats until the wait is over; what happens then.
fn wait_with_heartbeats(node: &mut Node, served: &[Command], millis: u64) -> Vec<Command> {
    let mut last = served.to_vec();
    let mut revision = 100;
    for step in 0..millis.div_ceil(5_000) {
        if transactions(&last).any(|(_, transaction)| is_beat(transaction)) {
            node.beat(&last, revision);
            revision += 1;
        }
        last = node.wake_after((millis - step * 5_000).min(5_000));
    }
    last
}

#[test]
fn a_cold_take_over_waits_and_compares_again() {
    let (mut node, served) = beside_a_node_that_is_gone();
    let early = wait_with_heartbeats(&mut node, &served, 60_159);
    assert!(!early.iter().any(|command| matches!(command, Command::Persist { .. })), "{early:?}");
    let over = node.wake_after(1);
    let claimed = node.persisted(&over);
    let (token, transaction) = change(&claimed);
    let gone = [Guard::NodeAbsent(id("n2")), Guard::Beat { node: id("n2"), changed: Revision(5) }];
    let mut guards = vec![lease_guard()];
    guards.extend(gone);
    guards.push(Guard::Beat { node: id("n1"), changed: Revision(112) });
    guards.extend([record_guard(0, 4), record_guard(1, 4)]);
    let cold = ShardRecord { cold: true, ..mine(4) };
    let mut writes: Vec<Write> =
        (0..2).map(|index| Write::Record { shard: shard(index), record: cold.clone() }).collect();
    writes.push(Write::Beat { node: id("n1"), time_hi: ShardTime(WALL.0 + 200 * 1_000_000_000) });
    assert_eq!(transaction, Transaction { guards, writes, reads: Reads::Nothing });

    let adopted = node.committed(token, at(200));
    let covering = node.persisted(&adopted);
    let active = node.beat(if covering.is_empty() { &early } else { &covering }, 201);
    let base = ShardTime(WALL.0 + 200 * 1_000_000_000);
    let clock = ShardClock { base, at: node.now.boottime, wall: node.now.wall, boot: node.now.boot };
    let report = |index| Command::Report(Report::TakenCold { shard: shard(index) });
    let by = base.since(node.now.wall);
    let warning = |index| Command::Report(Report::TimeAhead { shard: shard(index), by, floor: base });
    let activate = |index| Command::Activate { shard: shard(index), epoch: Epoch(4), origin: Origin::Cold, clock };
    let shown: Vec<_> = active.iter().filter(|command| !matches!(command, Command::SetDeadline(_))).cloned().collect();
    let expected = [report(0), warning(0), activate(0), report(1), warning(1), activate(1)];
    assert_eq!(shown, expected, "time starts at what the predecessor promised, and this wall clock is far behind that");

    let noted = node.step(Event::FloorJournaled { shard: shard(0), epoch: Epoch(4) });
    assert!(matches!(&noted[..], [Command::Persist { .. }]), "{noted:?}");
    let (_, settled) = change(&node.persisted(&noted));
    assert_eq!(settled.writes, [Write::Record { shard: shard(0), record: mine(4) }]);
}

/// The time from which the shards go on that are put on disk as held.
fn base_of(commands: &[Command]) -> Option<ShardTime> {
    commands.iter().find_map(|command| match command {
        Command::Persist { facts, .. } => facts.iter().find_map(|fact| match fact {
            Fact::Shard { marker, .. } => marker.held.map(|held| held.clock.base),
            _ => None,
        }),
        _ => None,
    })
}

#[test]
fn what_an_earlier_lifetime_of_this_node_lost_begins_behind_its_promises_and_not_behind_those_of_the_present_one() {
    for (promised, ahead) in [(20_000, 0), (600_000, 600_000 - 60_160)] {
        let mut node = Node::new();
        let records = [owned_by(holder("n1", 9), 3, 4), owned_by(holder("n1", 8), 3, 4)];
        let promised = WALL.plus(Nanos::from_millis(promised));
        let view = View { beats: vec![(id("n1"), beat_of(5, promised.0))], ..everything(6, records, &[]) };
        let mut last = node.serve(found([held(3, 9), FoundShard::default()]), view);
        let adopted = {
            let resumed = node.persisted(&last);
            node.committed(change(&resumed).0, at(8))
        };
        node.persisted(&adopted);
        // The first shard is answered for from now on, and every heartbeat promises the time that it can reach in a minute.
        for (revision, millis) in (10..).step_by(10).zip([5_000; 12].into_iter().chain([160])) {
            for again in 0..9 {
                if transactions(&last).any(|(_, transaction)| is_beat(transaction)) {
                    last = node.beat(&last, revision + again);
                }
            }
            last = node.wake_after(millis);
        }
        let (token, transaction) = change(&node.persisted(&last));
        let Some(Write::Beat { time_hi, .. }) = transaction.writes.last() else { panic!("{transaction:?}") };
        assert!(time_hi.since(node.now.wall) >= Nanos::from_secs(60));
        let adopted = node.committed(token, at(200));
        assert_eq!(base_of(&adopted), Some(node.now.wall.plus(Nanos::from_millis(ahead))));
    }
}

/// How many of the two shards are claimed when the wait is over, if `n3` joins so long after `n2` was seen to be gone.
fn claimed_beside_one_that_joined(after_millis: u64) -> usize {
    let (mut node, mut last) = beside_a_node_that_is_gone();
    if after_millis > 0 {
        last = wait_with_heartbeats(&mut node, &last, after_millis);
        if transactions(&last).any(|(_, transaction)| is_beat(transaction)) {
            node.beat(&last, 120);
        }
    }
    let joined = View { nodes: vec![(id("n3"), entry(33, 12, 130))], ..at(130) };
    node.step(Event::Changed(joined));
    node.pass(60_160 - after_millis);
    // Past its own deadline it would begin a new session.
    let over = node.step(Event::Wake);
    change(&node.persisted(&over)).1.writes.iter().filter(|write| matches!(write, Write::Record { .. })).count()
}

#[test]
fn whoever_joins_while_others_wait_does_not_prolong_the_waiting() {
    assert_eq!(claimed_beside_one_that_joined(0), 1, "the ring names the other one, which has waited as long");
    assert_eq!(claimed_beside_one_that_joined(20_000), 2, "that one would have to wait for as long again");
}

#[test]
fn an_owner_that_showed_itself_meanwhile_is_waited_for_anew() {
    let (mut node, served) = beside_a_node_that_is_gone();
    wait_with_heartbeats(&mut node, &served, 60_159);
    let over = node.wake_after(1);
    let came_back = View { beats: vec![(id("n2"), beat_of(150, WALL.0))], ..at(150) };
    node.step(Event::Changed(came_back));
    let dropped = node.persisted(&over);
    assert_eq!(dropped, [], "what was seen while the intent was written down counts");
}

#[test]
fn a_batch_without_an_outcome_is_sent_again_as_it_was() {
    let mut node = Node::new();
    let served = node.serve(found([FoundShard::default(); 2]), everything(6, [None, None], &[]));
    let claimed = node.persisted(&served);
    let (token, transaction) = change(&claimed);
    let unknown = node.step(Event::Ended { token, outcome: Outcome::Unknown });
    assert_eq!(unknown, [Command::Report(Report::OutcomeUnknown)]);
    assert_eq!(node.wake_after(500), [Command::Transact { token, transaction }]);
    // It had happened; the refusal says so, and the record decides.
    let mut view = at(9);
    view.records = (0..2).map(|index| (shard(index), owned_by(holder("n1", 100), 1, 8))).collect();
    view.nodes = vec![(id("n1"), entry(100, LEASE.0, 5))];
    let adopted = node.refused(token, view);
    assert!(matches!(&adopted[..], [Command::Persist { .. }]), "{adopted:?}");
}

#[test]
fn a_refused_batch_leaves_what_others_took_and_claims_the_rest_again() {
    let mut node = Node::new();
    let served = node.serve(found([FoundShard::default(); 2]), everything(6, [None, None], &[]));
    let (token, _) = change(&node.persisted(&served));
    let mut view = at(9);
    view.records = vec![(shard(0), owned_by(holder("n2", 7), 1, 8)), (shard(1), None)];
    view.nodes = vec![(id("n1"), entry(100, LEASE.0, 5))];
    let refused = node.refused(token, view);
    let (_, transaction) = change(&node.persisted(&refused));
    assert_eq!(transaction.guards, [lease_guard(), record_guard(1, 0)]);
}

#[test]
fn the_wait_is_a_minute_and_its_margins() {
    let wait = drl_engine::ownership::Authority::default().cold_wait();
    assert_eq!(wait, Nanos::from_millis(60_160));
}

#[test]
fn a_record_that_makes_no_sense_is_not_claimed_and_stops_nobody() {
    let mut node = Node::new();
    let view = View { unreadable: vec![shard(0)], records: Vec::new(), ..everything(6, [None, None], &[]) };
    let served = node.serve(found([held(3, 9), FoundShard::default()]), view);
    let shards = |facts: &[Fact]| {
        facts.iter().filter(|fact| matches!(fact, Fact::Shard { shard: claimed, .. } if *claimed == shard(0))).count()
    };
    let persisted = served.iter().filter_map(|command| match command {
        Command::Persist { facts, .. } => Some(shards(facts)),
        _ => None,
    });
    assert_eq!(persisted.sum::<usize>(), 0, "nothing is noted of it: {served:?}");
    let mut again = at(9);
    again.records = vec![(shard(0), owned_by(holder("n1", 9), 3, 9))];
    let resumed = node.step(Event::Changed(again));
    assert!(resumed.iter().any(|command| matches!(command, Command::Persist { .. })), "it can be read: {resumed:?}");
}
