//! Ledgers `n1`, `n2` and `n3` with their journals, and the post between them, which delivers only what the test lets it. Promises and
//! markers are on disk at once, unless the test holds them back.

use std::collections::VecDeque;

use drl_core::{CommitNo, Cost, Epoch, Generation, KeyHash, Nanos, NodeId, ShardCount, ShardId, ShardTime};
use drl_engine::ownership::{Holder, Origin, ShardClock};
use drl_engine::replication::{Body, Join, Letter, News, Order, PeerFrame, Received, Rejected, Start};
use drl_engine::{Charge, Ledger, Refusal};
use drl_limits::{Algorithm, Limit, Policy, PolicySpec};

pub(crate) const SHARDS: u16 = 4;
pub(crate) const NOON: ShardTime = ShardTime(1_000_000_000_000);
pub(crate) const LIMIT: u64 = 1_000_000;
/// The shard of most tests.
pub(crate) const S: ShardId = ShardId::new(1);

pub(crate) fn holder(node: usize, generation: u64) -> Holder {
    Holder { node: NodeId::new(&format!("n{node}")).unwrap(), generation: Generation(generation) }
}

/// `n1`, `n2` and `n3` in their present lifetimes.
pub(crate) fn n(node: usize) -> Holder {
    holder(node, 1)
}

pub(crate) fn hourly() -> Policy {
    let limits = vec![Limit::new(LIMIT, "1h".parse().unwrap()).unwrap()];
    Policy::new(PolicySpec { limits, algorithm: Algorithm::FixedWindow, ..PolicySpec::default() }).unwrap()
}

pub(crate) fn key(id: u64) -> KeyHash {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&id.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    bytes[8..].copy_from_slice(&id.to_le_bytes());
    KeyHash::from_bytes(bytes)
}

/// What a test compares to see that nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    times: Vec<ShardTime>,
    counters: usize,
    open_rows: usize,
    open: CommitNo,
    is_clean: bool,
    remaining: Vec<u64>,
    stamps: Vec<Result<Epoch, Refusal>>,
}

pub(crate) struct Node {
    pub(crate) ledger: Ledger,
    pub(crate) journal: Vec<Vec<u8>>,
    pub(crate) news: Vec<News>,
}

pub(crate) struct Ledgers {
    nodes: Vec<Node>,
    pub(crate) post: VecDeque<Letter>,
    pub(crate) now: Nanos,
    policy: Policy,
    /// The revision of policies that frames are sealed under.
    pub(crate) policies: u64,
    /// Whether a complete copy is marked as soon as it is.
    pub(crate) marks: bool,
}

impl Ledgers {
    pub(crate) fn new() -> Self {
        let node = |node: usize| {
            let mut ledger = Ledger::new(ShardCount::new(u64::from(SHARDS)).unwrap(), Epoch(0), CommitNo(0));
            ledger.obey(Order::Lifetime(Some(n(node))), Nanos::ZERO);
            ledger.set_deadline(Nanos::MAX);
            Node { ledger, journal: Vec::new(), news: Vec::new() }
        };
        let now = Nanos::from_secs(100);
        Self {
            nodes: (1..=3).map(node).collect(),
            post: VecDeque::new(),
            now,
            policy: hourly(),
            policies: 7,
            marks: true,
        }
    }

    pub(crate) fn node(&mut self, node: usize) -> &mut Node {
        &mut self.nodes[node - 1]
    }

    pub(crate) fn ledger(&mut self, node: usize) -> &mut Ledger {
        &mut self.node(node).ledger
    }

    pub(crate) fn obey(&mut self, node: usize, order: Order) {
        let now = self.now;
        self.ledger(node).obey(order, now);
    }

    /// Answers for a shard from now on.
    pub(crate) fn own(&mut self, node: usize, shard: ShardId, epoch: u64) {
        let clock = ShardClock { base: NOON, at: self.now, ..ShardClock::default() };
        self.ledger(node).activate(shard, Epoch(epoch), Origin::Empty, clock);
    }

    /// Charges one; the commit that its answer waits for.
    pub(crate) fn charge(&mut self, node: usize, shard: ShardId, id: u64) -> Result<CommitNo, Refusal> {
        let (now, policy) = (self.now, self.policy.clone());
        let ledger = self.ledger(node);
        let stamp = ledger.stamp(shard, Epoch(0), now)?;
        let charge = Charge { shard, key: key(id), policy: &policy, cost: Cost::new(1).unwrap() };
        assert!(ledger.charge(charge, stamp.at).0.allowed);
        Ok(ledger.open())
    }

    pub(crate) fn used(&mut self, node: usize, shard: ShardId, id: u64) -> u64 {
        let policy = self.policy.clone();
        let charge = Charge { shard, key: key(id), policy: &policy, cost: Cost::new(0).unwrap() };
        let ledger = self.ledger(node);
        // The time is given to the shard by the peek, so it is one that the shard has seen.
        let at = ledger.time_of(shard, Nanos::ZERO);
        LIMIT - ledger.peek(charge, at).remaining
    }

    /// Seals the open frame; it is not in the journal yet.
    pub(crate) fn seal(&mut self, node: usize) -> Option<CommitNo> {
        let policies = self.policies;
        let node = self.node(node);
        let mut frame = Vec::new();
        let commit = node.ledger.seal(policies, &mut frame)?;
        node.journal.push(frame);
        Some(commit)
    }

    /// Everything that was sealed is in the journal.
    pub(crate) fn journaled(&mut self, node: usize) {
        let now = self.now;
        let ledger = self.ledger(node);
        let sealed = CommitNo(ledger.open().0 - 1);
        ledger.committed(sealed, now);
    }

    pub(crate) fn commit(&mut self, node: usize) {
        while self.seal(node).is_some() {}
        self.journaled(node);
    }

    /// Whether an answer that waits for `commit` may leave.
    pub(crate) fn is_released(&mut self, node: usize, shard: ShardId, commit: CommitNo) -> bool {
        self.ledger(node).is_released(shard, commit)
    }

    pub(crate) fn tick(&mut self, node: usize) {
        let now = self.now;
        self.ledger(node).tick(now);
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.now = Nanos(self.now.0 + Nanos::from_millis(millis).0);
    }

    /// Time passes with everybody awake and on speaking terms.
    pub(crate) fn live(&mut self, millis: u64) {
        for _ in 0..millis / 100 {
            self.pass(100);
            (1..=3).for_each(|node| self.tick(node));
            self.deliver();
        }
    }

    /// Gives one letter to the node that it names.
    pub(crate) fn give(&mut self, letter: Letter) -> Result<Received, Rejected> {
        let (now, to) = (self.now, letter.to.node.clone());
        let index = (1..=3).find(|index| n(*index).node == to).unwrap();
        let received = self.ledger(index).receive(letter, now);
        self.attend();
        received
    }

    /// What is on its way; nothing of it arrives unless the test gives it.
    pub(crate) fn letters(&mut self) -> Vec<Letter> {
        self.attend();
        self.post.drain(..).collect()
    }

    /// Gives these letters, in order, whatever becomes of them.
    pub(crate) fn give_all(&mut self, letters: Vec<Letter>) {
        for letter in letters {
            let _ = self.give(letter);
        }
    }

    /// Gives what is on its way, and nothing of what follows from it.
    pub(crate) fn give_waiting(&mut self) {
        let letters = self.letters();
        self.give_all(letters);
    }

    /// Delivers what is on its way, and what follows from it, until there is nothing more. Nobody writes a journal meanwhile.
    pub(crate) fn deliver(&mut self) {
        self.attend();
        while let Some(letter) = self.post.pop_front() {
            let _ = self.give(letter);
        }
    }

    /// As [`Self::deliver`], with journals that are written.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100 {
            self.deliver();
            (1..=3).for_each(|node| self.commit(node));
            self.attend();
            if self.post.is_empty() {
                return;
            }
        }
        panic!("the post never ends");
    }

    /// Collects letters and news, and does what an agent would: it accepts every invitation and marks every copy.
    fn attend(&mut self) {
        let (now, marks) = (self.now, self.marks);
        for node in &mut self.nodes {
            for news in node.ledger.take_news() {
                if let News::Invited { from, invites } = &news {
                    for invite in invites {
                        let join = Join { shard: invite.shard, epoch: invite.epoch, attempt: invite.attempt };
                        node.ledger.obey(Order::Follow { owner: from.clone(), join, start: invite.start }, now);
                    }
                }
                if let News::Seeded { shard, .. } = &news
                    && marks
                {
                    node.ledger.obey(Order::CopyCounts { shard: *shard }, now);
                    node.ledger.acknowledge(now);
                }
                node.news.push(news);
            }
            self.post.extend(node.ledger.take_letters());
        }
    }

    pub(crate) fn take_news(&mut self, node: usize) -> Vec<News> {
        self.attend();
        std::mem::take(&mut self.node(node).news)
    }

    /// A copy of what `owner` has, on `to`: invited, seeded and acknowledged.
    pub(crate) fn seat(&mut self, owner: usize, to: usize, start: Start) {
        self.obey(owner, Order::Seat { shard: S, to: n(to), start });
        self.tick(owner);
        self.settle();
    }

    /// `n1` owns the shard under epoch 5 with 3 charged for key 1; `n2` is a copy that replies wait for.
    pub(crate) fn in_sync() -> Self {
        let mut ledgers = Self::seeded();
        ledgers.obey(1, Order::Require { shard: S, to: n(2) });
        ledgers.settle();
        assert!(ledgers.take_news(1).contains(&News::CaughtUp { shard: S, to: n(2) }));
        ledgers
    }

    /// As [`Self::in_sync`], but no reply waits for the copy yet.
    pub(crate) fn seeded() -> Self {
        let mut ledgers = Self::new();
        ledgers.own(1, S, 5);
        for _ in 0..3 {
            ledgers.charge(1, S, 1).unwrap();
        }
        ledgers.commit(1);
        ledgers.seat(1, 2, Start::Anew);
        ledgers
    }

    /// The next frame from `n1` to `n2`, with one more charge of key 1; it is taken from the post.
    pub(crate) fn next_frame(&mut self) -> PeerFrame {
        self.charge(1, S, 1).unwrap();
        self.seal(1);
        frames(&self.letters()).pop().unwrap()
    }

    pub(crate) fn state(&mut self, node: usize) -> State {
        let now = self.now;
        let shards: Vec<ShardId> = (0..SHARDS).map(ShardId::new).collect();
        let remaining = shards.iter().map(|shard| self.used(node, *shard, 1)).collect();
        let ledger = self.ledger(node);
        State {
            times: shards.iter().map(|shard| ledger.time_of(*shard, now)).collect(),
            counters: ledger.counters(),
            open_rows: ledger.open_rows(),
            open: ledger.open(),
            is_clean: ledger.is_clean(),
            remaining,
            stamps: shards.iter().map(|shard| ledger.stamp(*shard, Epoch(0), now).map(|stamp| stamp.epoch)).collect(),
        }
    }
}

pub(crate) fn frames(letters: &[Letter]) -> Vec<PeerFrame> {
    let frame = |letter: &Letter| match &letter.body {
        Body::Frame(frame) => Some(frame.clone()),
        _ => None,
    };
    letters.iter().filter_map(frame).collect()
}

pub(crate) fn letter(from: Holder, to: Holder, body: Body) -> Letter {
    Letter { from, to, body }
}
