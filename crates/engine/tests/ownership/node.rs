//! A node under test, of a cluster with two shards, and short names for what goes in and out. Its etcd is the test.

use drl_core::{Epoch, Generation, Nanos, NodeId, ShardCount, ShardId, ShardTime};
use drl_engine::ownership::{
    Authority, Beat, BootId, ClusterId, Command, Copies, Event, FloorState, Found, FoundShard, Guard, Held, Holder,
    Identity, LeaseId, Moment, NodeAgent, NodeEntry, Outcome, Promise, Revision, RoleMarker, Scope, ShardClock,
    ShardRecord, Token, Transaction, Versioned, View, Wholeness, Write, Written,
};

pub(crate) const CLUSTER: ClusterId = ClusterId(1);
pub(crate) const LEASE: LeaseId = LeaseId(11);
pub(crate) const WALL: ShardTime = ShardTime(1_000_000_000_000);

pub(crate) fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

pub(crate) fn holder(name: &str, generation: u64) -> Holder {
    Holder { node: id(name), generation: Generation(generation) }
}

pub(crate) const fn shard(index: u16) -> ShardId {
    ShardId::new(index)
}

pub(crate) fn owned_by(owner: Holder, epoch: u64, changed: u64) -> Option<Versioned> {
    Some(Versioned { record: record(owner, epoch), changed: Revision(changed) })
}

pub(crate) fn record(owner: Holder, epoch: u64) -> ShardRecord {
    ShardRecord { epoch: Epoch(epoch), owner, follower: None, in_sync: false, cold: false }
}

pub(crate) fn entry(generation: u64, lease: i64, created: u64) -> Option<NodeEntry> {
    let (generation, lease, created) = (Generation(generation), LeaseId(lease), Revision(created));
    Some(NodeEntry { generation, lease, created, draining: false })
}

/// Everything in etcd: two records, and the nodes that live beside the one under test.
pub(crate) fn everything(revision: u64, records: [Option<Versioned>; 2], others: &[(&str, Option<NodeEntry>)]) -> View {
    let mut nodes = vec![(id("n1"), entry(100, LEASE.0, 5))];
    nodes.extend(others.iter().map(|(name, entry)| (id(name), *entry)));
    let records = (0..).map(shard).zip(records).collect();
    View { scope: Scope::Everything, records, nodes, ..View::at(CLUSTER, Revision(revision)) }
}

pub(crate) fn at(revision: u64) -> View {
    View::at(CLUSTER, Revision(revision))
}

pub(crate) fn found(shards: [FoundShard; 2]) -> Found {
    Found { wholeness: Wholeness::Whole, shards: shards.to_vec(), lease: None, seen: None }
}

/// A shard that this directory held as (epoch, generation), and wrote to.
pub(crate) fn held(epoch: u64, generation: u64) -> FoundShard {
    let (epoch, generation) = (Epoch(epoch), Generation(generation));
    let held = Held { epoch, generation, clock: clock(), floor: FloorState::Journaled };
    let marker = RoleMarker { held: Some(held), wanted: None };
    FoundShard { marker, promise: Promise { epoch, generation }, written: Written::Yes, latest: WALL }
}

pub(crate) fn clock() -> ShardClock {
    ShardClock { base: WALL, at: Nanos::from_secs(0), wall: WALL, boot: BootId(1) }
}

pub(crate) fn lease_guard() -> Guard {
    Guard::Lease { node: id("n1"), lease: LEASE }
}

pub(crate) fn record_guard(index: u16, changed: u64) -> Guard {
    Guard::Record { shard: shard(index), changed: Revision(changed) }
}

/// The node `n1`, and the time.
pub(crate) struct Node {
    pub(crate) agent: NodeAgent,
    pub(crate) now: Moment,
}

impl Node {
    pub(crate) fn new() -> Self {
        let shards = ShardCount::new(2).unwrap();
        let agent =
            NodeAgent::new(Identity { node: id("n1"), shards, authority: Authority::default(), copies: Copies::One });
        Self { agent, now: Moment { boot: BootId(1), boottime: Nanos::from_secs(1_000), wall: WALL } }
    }

    /// One event, and everything that follows from it except the alarm clock.
    pub(crate) fn step(&mut self, event: Event) -> Vec<Command> {
        let mut out = Vec::new();
        self.agent.step(self.now, event, &mut out);
        out.retain(|command| !matches!(command, Command::WakeAt(_)));
        out
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.now.boottime.0 += Nanos::from_millis(millis).0;
        self.now.wall.0 += Nanos::from_millis(millis).0;
    }

    pub(crate) fn wake_after(&mut self, millis: u64) -> Vec<Command> {
        self.pass(millis);
        self.step(Event::Wake)
    }

    pub(crate) fn persisted(&mut self, commands: &[Command]) -> Vec<Command> {
        let token = commands.iter().find_map(|command| match command {
            Command::Persist { token, .. } => Some(*token),
            _ => None,
        });
        self.step(Event::Persisted { token: token.unwrap() })
    }

    pub(crate) fn committed(&mut self, token: Token, view: View) -> Vec<Command> {
        self.step(Event::Ended { token, outcome: Outcome::Committed(view) })
    }

    pub(crate) fn refused(&mut self, token: Token, view: View) -> Vec<Command> {
        self.step(Event::Ended { token, outcome: Outcome::Refused(view) })
    }

    /// From the start to a session in which `view` has been read; what it does then.
    pub(crate) fn serve(&mut self, found: Found, view: View) -> Vec<Command> {
        self.step(Event::Started(Box::new(found)));
        self.step(Event::Granted { token: Token(1), lease: LEASE, generation: Generation(100) });
        self.step(Event::Persisted { token: Token(2) });
        self.committed(Token(3), at(5));
        let promises = self.committed(Token(4), view);
        self.persisted(&promises)
    }

    /// Answers a heartbeat that is among `commands`.
    pub(crate) fn beat(&mut self, commands: &[Command], revision: u64) -> Vec<Command> {
        let token = transactions(commands).find(|(_, transaction)| is_beat(transaction)).map(|(token, _)| token);
        self.committed(token.unwrap(), at(revision))
    }
}

pub(crate) fn transactions(commands: &[Command]) -> impl Iterator<Item = (Token, &Transaction)> {
    commands.iter().filter_map(|command| match command {
        Command::Transact { token, transaction } => Some((*token, transaction)),
        _ => None,
    })
}

pub(crate) fn is_beat(transaction: &Transaction) -> bool {
    matches!(transaction.writes.as_slice(), [Write::Beat { .. }])
}

/// The transaction that changes records, and its token.
pub(crate) fn change(commands: &[Command]) -> (Token, Transaction) {
    let is_change = |transaction: &Transaction| matches!(transaction.writes.first(), Some(Write::Record { .. }));
    let (token, transaction) = transactions(commands).find(|(_, transaction)| is_change(transaction)).unwrap();
    (token, transaction.clone())
}

pub(crate) fn beat_of(changed: u64, time_hi: u64) -> Option<Beat> {
    Some(Beat { changed: Revision(changed), time_hi: ShardTime(time_hi) })
}
