//! What a look of a node at its shards costs: `cargo run --release -p drl-engine --example bench_look`.
//!
//! A cluster of three nodes and 1,024 shards, all with a follower in sync, seen from `n1`. Each look takes one event: none of importance, news of a
//! record of somebody else (what the watch delivers all the time while nodes come and go), or news of another heartbeat. Prints the
//! microseconds of a look, the middle of many.

use std::collections::VecDeque;
use std::time::Instant;

use drl_core::{Generation, Nanos, NodeId, ShardCount, ShardId, ShardTime};
use drl_engine::ownership::{
    Authority, Beat, BootId, ClusterId, Command, Copies, Event, Found, FoundShard, Holder, Identity, LeaseId, Moment,
    NodeAgent, NodeEntry, Outcome, Reads, Revision, Scope, ShardRecord, Token, Transaction, Versioned, View, Wholeness,
    Write, Written,
};
use drl_engine::replication::{News, Order};
use drl_ring::{Member, Placement, Ring, plan};

const LOOKS: usize = 2_000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut node = Node::new()?;
    node.settle();
    let theirs: Vec<ShardId> =
        node.shards.iter().filter(|shard| node.record(*shard).is_some_and(|it| it.owner != node.names[0])).collect();
    println!("shards of n1       {}", node.shards.iter().count() - theirs.len());
    println!("nothing new        {:>8.1} us", node.median(|_, _| Event::Wake));
    println!(
        "a record changed   {:>8.1} us",
        node.median(|node, round| {
            let shard = theirs[round % theirs.len()];
            node.revision += 1;
            if let Some(versioned) = &mut node.records[shard.index()] {
                versioned.changed = Revision(node.revision);
                versioned.record.epoch = versioned.record.epoch.next();
            }
            Event::Changed(View { records: vec![(shard, node.records[shard.index()].clone())], ..node.view() })
        })
    );
    println!(
        "a heartbeat        {:>8.1} us",
        node.median(|node, _| {
            node.revision += 1;
            let beat = Beat { changed: Revision(node.revision), time_hi: ShardTime(u64::MAX) };
            Event::Changed(View { beats: vec![(node.names[1].node.clone(), Some(beat))], ..node.view() })
        })
    );
    Ok(())
}

/// `n1`, and an etcd in which everything succeeds at once.
struct Node {
    agent: NodeAgent,
    now: Moment,
    shards: ShardCount,
    names: Vec<Holder>,
    records: Vec<Option<Versioned>>,
    revision: u64,
    events: VecDeque<Event>,
}

impl Node {
    fn new() -> Result<Self, Failure> {
        let shards = ShardCount::DEFAULT;
        let name = |number: u64| NodeId::new(&format!("n{number}"));
        let names = (1..=3).map(|number| Ok(Holder { generation: Generation(99 + number), node: name(number)? }));
        let names: Vec<Holder> = names.collect::<Result<_, Failure>>()?;
        let members: Vec<Member> = names.iter().map(|holder| Member::new(holder.node.clone())).collect();
        let planned = plan(&Ring::new(&members), &Placement::empty(shards));
        let holder = |node: &NodeId| names.iter().find(|holder| holder.node == *node).cloned();
        let records = shards.iter().map(|shard| {
            let seats = planned.get(shard)?;
            let owner = holder(seats.owner.as_ref()?).filter(|owner| *owner != names[0])?;
            let follower = holder(seats.follower.as_ref()?);
            let record = ShardRecord { follower, in_sync: true, ..ShardRecord::first(owner) };
            Some(Versioned { record, changed: Revision(2) })
        });
        let records: Vec<_> = records.collect();
        let identity =
            Identity { node: names[0].node.clone(), shards, authority: Authority::default(), copies: Copies::Two };
        let now = Moment { boot: BootId(1), boottime: Nanos::from_secs(1_000), wall: ShardTime(1_000_000_000_000) };
        let found = FoundShard::default();
        let found = Found { wholeness: Wholeness::Whole, shards: vec![found; records.len()], lease: None, seen: None };
        let events = VecDeque::from([Event::Started(Box::new(found))]);
        Ok(Self { agent: NodeAgent::new(identity), now, shards, names, records, revision: 10, events })
    }

    fn record(&self, shard: ShardId) -> Option<&ShardRecord> {
        self.records[shard.index()].as_ref().map(|versioned| &versioned.record)
    }

    /// Whatever follows, until nothing follows.
    fn settle(&mut self) {
        while let Some(event) = self.events.pop_front() {
            let mut commands = Vec::new();
            self.agent.step(self.now, event, &mut commands);
            for command in commands {
                self.follow(command);
            }
        }
    }

    fn follow(&mut self, command: Command) {
        let event = match command {
            Command::Grant { token } => {
                Event::Granted { token, lease: LeaseId(11), generation: self.names[0].generation }
            }
            Command::Persist { token, .. } => Event::Persisted { token },
            Command::Freeze { shards } => {
                Event::Frozen { shards: shards.into_iter().map(|shard| (shard, Written::Yes)).collect() }
            }
            Command::Transact { token, transaction } => self.commit(token, &transaction),
            Command::Copies(Order::Seat { shard, to, .. }) => Event::Copies(News::Near { shard, to }),
            Command::Copies(Order::Require { shard, to }) => Event::Copies(News::CaughtUp { shard, to }),
            _ => return,
        };
        self.events.push_back(event);
    }

    fn commit(&mut self, token: Token, transaction: &Transaction) -> Event {
        self.revision += 1;
        let mut outcome = self.view();
        for write in &transaction.writes {
            if let Write::Record { shard, record } = write {
                let versioned = Versioned { record: record.clone(), changed: Revision(self.revision) };
                self.records[shard.index()] = Some(versioned);
            }
        }
        if transaction.reads == Reads::Everything {
            outcome.scope = Scope::Everything;
            outcome.records = self.shards.iter().map(|shard| (shard, self.records[shard.index()].clone())).collect();
            outcome.nodes = self.names.iter().map(|holder| (holder.node.clone(), Some(self.entry(holder)))).collect();
            let beat = Beat { changed: Revision(1), time_hi: ShardTime(u64::MAX) };
            outcome.beats = self.names[1..].iter().map(|holder| (holder.node.clone(), Some(beat))).collect();
        }
        Event::Ended { token, outcome: Outcome::Committed(outcome) }
    }

    fn entry(&self, holder: &Holder) -> NodeEntry {
        let lease = LeaseId(if *holder == self.names[0] { 11 } else { 1 });
        NodeEntry { generation: holder.generation, lease, created: Revision(1), draining: false }
    }

    fn view(&self) -> View {
        View::at(ClusterId(1), Revision(self.revision))
    }

    #[allow(clippy::cast_precision_loss, clippy::disallowed_methods)] // For people; it measures itself.
    fn median(&mut self, mut event: impl FnMut(&mut Self, usize) -> Event) -> f64 {
        let mut took = Vec::with_capacity(LOOKS);
        for round in 0..LOOKS {
            let event = event(self, round);
            let mut commands = Vec::new();
            let began = Instant::now();
            self.agent.step(self.now, event, &mut commands);
            took.push(began.elapsed().as_nanos());
            for command in commands {
                self.follow(command);
            }
            self.settle();
        }
        took.sort_unstable();
        took[LOOKS / 2] as f64 / 1_000.0
    }
}
