//! The agent of node `n1`, and an etcd that is the test; it has one shard, or many that are alike. Facts are on disk at once and heartbeats
//! succeed at once; a transaction that changes records waits until the test says how it ended.

use std::collections::VecDeque;

use drl_core::{Epoch, Generation, Nanos, ShardCount, ShardId, ShardTime};
use drl_engine::ownership::{
    Authority, Beat, BootId, ClusterId, Command, Copies, Event, Fact, FloorState, Found, FoundShard, Held, Holder,
    Identity, LeaseId, Moment, NodeAgent, NodeEntry, Outcome, Promise, Reads, Revision, RoleMarker, Scope, ShardClock,
    ShardRecord, Token, Transaction, Versioned, View, Wholeness, Write, Written,
};
use drl_engine::replication::{Heard, Invite, News, Order, Silence, Start};

use crate::ledgers::{NOON, holder};

pub(crate) const CLUSTER: ClusterId = ClusterId(1);
pub(crate) const LEASE: LeaseId = LeaseId(11);
/// The only shard of most tests.
pub(crate) const ONE: ShardId = ShardId::new(0);

/// `n1` in the lifetime under test.
pub(crate) fn me() -> Holder {
    holder(1, 100)
}

/// The other nodes, in their present lifetimes.
pub(crate) fn n2() -> Holder {
    holder(2, 7)
}

pub(crate) fn n3() -> Holder {
    holder(3, 8)
}

pub(crate) fn record(epoch: u64, owner: Holder) -> ShardRecord {
    ShardRecord { epoch: Epoch(epoch), ..ShardRecord::first(owner) }
}

pub(crate) fn learner(epoch: u64, owner: Holder, follower: Holder) -> ShardRecord {
    ShardRecord { follower: Some(follower), ..record(epoch, owner) }
}

pub(crate) fn in_sync(epoch: u64, owner: Holder, follower: Holder) -> ShardRecord {
    ShardRecord { in_sync: true, ..learner(epoch, owner, follower) }
}

/// A directory that held the shard as (epoch, generation), and wrote to it.
pub(crate) fn held(epoch: u64, generation: u64) -> FoundShard {
    let (epoch, generation) = (Epoch(epoch), Generation(generation));
    let clock = ShardClock { base: NOON, at: Nanos::ZERO, wall: NOON, boot: BootId(1) };
    let held = Held { epoch, generation, clock, floor: FloorState::Journaled };
    let marker = RoleMarker { held: Some(held), wanted: None };
    FoundShard { marker, promise: Promise { epoch, generation }, written: Written::Yes, latest: NOON }
}

pub(crate) fn invite(epoch: u64, attempt: u64, start: Start) -> Invite {
    Invite { shard: ONE, epoch: Epoch(epoch), start, attempt, time: NOON, boottime: Nanos(1) }
}

pub(crate) struct Agent {
    machine: NodeAgent,
    pub(crate) now: Moment,
    revision: u64,
    records: Vec<Option<Versioned>>,
    nodes: Vec<(Holder, bool)>,
    /// Transactions that change the record and have no outcome yet.
    pub(crate) asked: VecDeque<(Token, Transaction)>,
    /// How many were sent, and the time that the last one promised.
    pub(crate) heartbeats: usize,
    pub(crate) promised: ShardTime,
    /// How often everything was read.
    pub(crate) readings: usize,
    /// What the other nodes have promised.
    pub(crate) time_hi: ShardTime,
    /// Whether nothing reaches the disk, and what is on its way there.
    pub(crate) disk_hangs: bool,
    unwritten: Vec<Token>,
    /// Whether etcd's answers do not come, and what was asked meanwhile: heartbeats.
    pub(crate) is_deaf: bool,
    unanswered: Vec<Token>,
}

impl Agent {
    /// Has read everything, and has a session: `found` in its directory, `record` in etcd, `others` alive.
    pub(crate) fn serving(found: FoundShard, record: Option<ShardRecord>, others: &[Holder]) -> (Self, Vec<Command>) {
        Self::serving_many(1, found, record, others)
    }

    /// The same, with so many shards that are alike.
    pub(crate) fn serving_many(
        count: u16,
        found: FoundShard,
        record: Option<ShardRecord>,
        others: &[Holder],
    ) -> (Self, Vec<Command>) {
        let shards = ShardCount::new(u64::from(count)).unwrap();
        let identity = Identity { node: me().node, shards, authority: Authority::default(), copies: Copies::Two };
        let now = Moment { boot: BootId(1), boottime: Nanos::from_secs(1_000), wall: NOON };
        let records = vec![record.map(|record| Versioned { record, changed: Revision(2) }); usize::from(count)];
        let mut nodes = vec![(me(), false)];
        nodes.extend(others.iter().map(|other| (other.clone(), false)));
        let mut agent = Self {
            machine: NodeAgent::new(identity),
            now,
            revision: 10,
            records,
            nodes,
            asked: VecDeque::new(),
            heartbeats: 0,
            promised: ShardTime::ZERO,
            readings: 0,
            time_hi: ShardTime(u64::MAX),
            disk_hangs: false,
            unwritten: Vec::new(),
            is_deaf: false,
            unanswered: Vec::new(),
        };
        let shards = vec![found; usize::from(count)];
        let found = Found { wholeness: Wholeness::Whole, shards, lease: None, seen: None };
        let commands = agent.run(Event::Started(Box::new(found)));
        (agent, commands)
    }

    /// The owner under epoch 4, without a follower, as the restart of the owner under epoch 3.
    pub(crate) fn solo(others: &[Holder]) -> Self {
        let (mut agent, _) = Self::serving(held(3, 9), Some(record(3, holder(1, 9))), others);
        let commands = agent.commits();
        assert!(commands.iter().any(|command| matches!(command, Command::Activate { .. })), "{commands:?}");
        agent
    }

    /// The owner under epoch 5, with `n2` as learner; what it did when that was known.
    pub(crate) fn seeding(others: &[Holder]) -> (Self, Vec<Command>) {
        let mut agent = Self::solo(others);
        let commands = agent.commits();
        assert_eq!(agent.record(), &learner(5, me(), n2()));
        (agent, commands)
    }

    /// The owner under epoch 5, with `n2` in sync.
    pub(crate) fn with_follower(others: &[Holder]) -> Self {
        let (mut agent, _) = Self::seeding(others);
        agent.hear(News::Near { shard: ONE, to: n2() });
        agent.hear(News::CaughtUp { shard: ONE, to: n2() });
        agent.commits();
        assert_eq!(agent.record(), &in_sync(5, me(), n2()));
        agent
    }

    /// The learner of `n2` under epoch 3, with everything and a marker that says so; not in sync by the record.
    pub(crate) fn following() -> Self {
        let (mut agent, _) = Self::serving(FoundShard::default(), Some(learner(3, n2(), me())), &[n2()]);
        agent.hear(News::Invited { from: n2(), invites: vec![invite(3, 1, Start::Anew)] });
        agent.hear(News::Seeded { shard: ONE, epoch: Epoch(3) });
        agent
    }

    pub(crate) fn record(&self) -> &ShardRecord {
        &self.records[0].as_ref().unwrap().record
    }

    pub(crate) fn record_of(&self, shard: ShardId) -> &ShardRecord {
        &self.records[shard.index()].as_ref().unwrap().record
    }

    /// One event, and everything that follows from it, in order; without the alarm clock and heartbeats.
    pub(crate) fn run(&mut self, event: Event) -> Vec<Command> {
        let (mut events, mut said) = (VecDeque::from([event]), Vec::new());
        while let Some(event) = events.pop_front() {
            let mut commands = Vec::new();
            self.machine.step(self.now, event, &mut commands);
            for command in commands {
                match &command {
                    Command::Grant { token } => {
                        events.push_back(Event::Granted { token: *token, lease: LEASE, generation: me().generation });
                    }
                    Command::Persist { token, .. } if self.disk_hangs => self.unwritten.push(*token),
                    Command::Persist { token, .. } => events.push_back(Event::Persisted { token: *token }),
                    Command::Freeze { shards } => {
                        let frozen = shards.iter().map(|shard| (*shard, Written::Yes)).collect();
                        events.push_back(Event::Frozen { shards: frozen });
                    }
                    Command::Transact { token, transaction } => match self.answer(transaction) {
                        Some(_) if self.is_deaf => {
                            self.unanswered.push(*token);
                            continue;
                        }
                        Some(outcome) => {
                            events.push_back(Event::Ended { token: *token, outcome });
                            continue;
                        }
                        None => self.asked.push_back((*token, transaction.clone())),
                    },
                    Command::WakeAt(_) => continue,
                    _ => {}
                }
                said.push(command);
            }
        }
        said
    }

    /// What etcd was asked while nothing of it was heard ends so, and from now on it is heard.
    pub(crate) fn hears_of_etcd(&mut self, outcome: &Outcome) -> Vec<Command> {
        self.is_deaf = false;
        let tokens = std::mem::take(&mut self.unanswered);
        let ended = |token| Event::Ended { token, outcome: outcome.clone() };
        tokens.into_iter().flat_map(|token| self.run(ended(token))).collect()
    }

    /// The first of what was on its way to the disk is there, and nothing else.
    pub(crate) fn writes_one(&mut self) -> Vec<Command> {
        let token = self.unwritten.remove(0);
        self.run(Event::Persisted { token })
    }

    /// The disk goes on: what was on its way is there.
    pub(crate) fn writes(&mut self) -> Vec<Command> {
        self.disk_hangs = false;
        let tokens = std::mem::take(&mut self.unwritten);
        tokens.into_iter().flat_map(|token| self.run(Event::Persisted { token })).collect()
    }

    /// The outcome of what changes no record.
    fn answer(&mut self, transaction: &Transaction) -> Option<Outcome> {
        if transaction.writes.iter().any(|write| matches!(write, Write::Record { .. })) {
            return None;
        }
        self.revision += 1;
        if let [Write::Beat { time_hi, .. }] = transaction.writes.as_slice() {
            self.heartbeats += 1;
            self.promised = *time_hi;
        }
        self.readings += usize::from(transaction.reads == Reads::Everything);
        let announces = |write: &Write| matches!(write, Write::Node { draining: true, .. });
        self.nodes[0].1 |= transaction.writes.iter().any(announces);
        Some(Outcome::Committed(match transaction.reads {
            Reads::Everything => self.everything(),
            Reads::Nothing => self.view(),
        }))
    }

    pub(crate) fn view(&self) -> View {
        View::at(CLUSTER, Revision(self.revision))
    }

    fn everything(&self) -> View {
        let entry = |(holder, draining): &(Holder, bool)| {
            let lease = if *holder == me() { LEASE } else { LeaseId(1) };
            let entry = NodeEntry { generation: holder.generation, lease, created: Revision(1), draining: *draining };
            (holder.node.clone(), Some(entry))
        };
        let beat = Beat { changed: Revision(1), time_hi: self.time_hi };
        let others = self.nodes.iter().filter(|(holder, _)| *holder != me());
        View {
            scope: Scope::Everything,
            records: (0..).map(ShardId::new).zip(self.records.iter().cloned()).collect(),
            nodes: self.nodes.iter().map(entry).collect(),
            beats: others.map(|(holder, _)| (holder.node.clone(), Some(beat))).collect(),
            ..self.view()
        }
    }

    /// The transaction on the record that waits longest is committed.
    pub(crate) fn commits(&mut self) -> Vec<Command> {
        let (token, transaction) = self.asked.pop_front().unwrap();
        self.revision += 1;
        for write in &transaction.writes {
            if let Write::Record { shard, record } = write {
                let versioned = Versioned { record: record.clone(), changed: Revision(self.revision) };
                self.records[shard.index()] = Some(versioned);
            }
        }
        let outcome = Outcome::Committed(self.view());
        self.run(Event::Ended { token, outcome })
    }

    /// It ends in another way.
    pub(crate) fn ends(&mut self, outcome: Outcome) -> Vec<Command> {
        let (token, _) = self.asked.pop_front().unwrap();
        self.run(Event::Ended { token, outcome })
    }

    pub(crate) fn refuses(&mut self) -> Vec<Command> {
        let (token, _) = self.asked.pop_front().unwrap();
        self.revision += 1;
        let view = View { scope: Scope::Named, ..self.everything() };
        self.run(Event::Ended { token, outcome: Outcome::Refused(view) })
    }

    /// The same, because this node's key is gone.
    pub(crate) fn refuses_without_session(&mut self) -> Vec<Command> {
        let (token, _) = self.asked.pop_front().unwrap();
        self.revision += 1;
        let view = View { nodes: vec![(me().node, None)], ..self.view() };
        self.run(Event::Ended { token, outcome: Outcome::Refused(view) })
    }

    /// Somebody else changed the record, or all of them alike.
    pub(crate) fn sees(&mut self, record: ShardRecord) -> Vec<Command> {
        self.revision += 1;
        self.records.fill(Some(Versioned { record, changed: Revision(self.revision) }));
        self.look()
    }

    /// The nodes are these from now on; the flag says whether one drains.
    pub(crate) fn sees_nodes(&mut self, nodes: &[(Holder, bool)]) -> Vec<Command> {
        self.revision += 1;
        self.nodes = nodes.to_vec();
        self.look()
    }

    fn look(&mut self) -> Vec<Command> {
        let view = self.everything();
        self.run(Event::Changed(view))
    }

    pub(crate) fn hear(&mut self, news: News) -> Vec<Command> {
        self.run(Event::Copies(news))
    }

    pub(crate) fn suspects(&mut self, of: Holder, silence: Silence) -> Vec<Command> {
        let heard = Heard { at: self.now.boottime, boottime: Nanos::from_secs(1) };
        self.hear(News::Silence { of, silence, heard })
    }

    pub(crate) fn pass(&mut self, millis: u64) -> Vec<Command> {
        self.now.boottime.0 += Nanos::from_millis(millis).0;
        self.now.wall.0 += Nanos::from_millis(millis).0;
        self.run(Event::Wake)
    }

    /// The record that the transaction which waits would write.
    pub(crate) fn wants(&self) -> Option<&ShardRecord> {
        self.asked.front().and_then(|(_, transaction)| {
            transaction.writes.iter().find_map(|write| match write {
                Write::Record { record, .. } => Some(record),
                _ => None,
            })
        })
    }
}

pub(crate) fn orders(commands: &[Command]) -> Vec<Order> {
    let order = |command: &Command| match command {
        Command::Copies(order) if !matches!(order, Order::Listen { .. }) => Some(order.clone()),
        _ => None,
    };
    commands.iter().filter_map(order).collect()
}

/// The promises that were put on disk.
pub(crate) fn promises(commands: &[Command]) -> Vec<Promise> {
    let facts = commands.iter().filter_map(|command| match command {
        Command::Persist { facts, .. } => Some(facts),
        _ => None,
    });
    let promise = |fact: &Fact| match fact {
        Fact::Shard { promise, .. } => Some(*promise),
        _ => None,
    };
    facts.flatten().filter_map(promise).collect()
}
