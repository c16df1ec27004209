//! The loop between events and commands: what has happened goes into the state machine, its commands are carried out in order, and
//! what has changed is published. Commands that take time become errands. What waits is taken together: the state machine looks at every
//! shard whenever it is asked, and a follower that is seeded says a few things about each of its shards.

mod commands;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use drl_coordination::{Compare, Coordination, Grant, Header, Keeper, Keys, Op, Place, Ttl, Txn, TxnError};
use drl_core::{Nanos, NodeId, ShardId};
use drl_engine::ownership::{ClusterId, Event, Holder, NodeAgent, Outcome, Token, Transaction};
use drl_engine::replication::{News, Silence};
use drl_host::{Ownership, Signal};
use rand::Rng;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::book::Book;
use crate::documents;
use crate::errands::{Errands, Input};
use crate::membership::{Departure, Standing, Stopped};
use crate::placement::Placement;
use crate::translate::{self, Introduction, Kind};

/// The state machine is woken at least this often, so that a timer that stood still in suspend is late by no more.
const WAKE_AT_LEAST_EVERY: Duration = Duration::from_millis(500);

/// What comes within so long of the last look is looked at together with what comes after it: a look costs some hundred microseconds whatever
/// it is about, and changes of records that are wanted together go into one transaction.
const LOOK_EVERY: Duration = Duration::from_millis(3);

/// Events that are taken together, at most: a node need not look at its deadline more rarely than every few milliseconds.
const EVENTS_TOGETHER_MAX: usize = 256;

/// How often requests that name a higher epoch may make this node read everything again.
const HIGHER_EPOCH_EVERY: Nanos = Nanos::from_secs(1);

/// What the driver publishes.
pub(crate) struct Board {
    pub(crate) placement: watch::Sender<Arc<Placement>>,
    pub(crate) standing: watch::Sender<Standing>,
    pub(crate) departure: watch::Sender<Option<Departure>>,
    pub(crate) stopped: watch::Sender<Option<Stopped>>,
    pub(crate) stamped: watch::Sender<u64>,
}

pub(crate) struct Driver {
    pub(crate) agent: NodeAgent,
    pub(crate) ownership: Arc<Ownership>,
    pub(crate) coordination: Arc<dyn Coordination>,
    pub(crate) keys: Keys,
    pub(crate) introduction: Introduction,
    pub(crate) me: NodeId,
    pub(crate) ttl: Ttl,
    pub(crate) within: Duration,
    pub(crate) errands: Errands,
    pub(crate) inputs: mpsc::Receiver<Input>,
    pub(crate) board: Board,
    pub(crate) book: Book,
    pub(crate) state: State,
}

/// What the driver remembers between events.
#[derive(Default)]
pub(crate) struct State {
    keeper: Option<Keeper>,
    /// The cluster that answered; watches start once it is known.
    cluster: Option<ClusterId>,
    wake_at: Nanos,
    deadline: Nanos,
    /// When a request last made this node read everything again.
    read_again_at: Nanos,
    answering: BTreeSet<ShardId>,
    /// The newest reason why the store does not answer; `None` since it did.
    trouble: Option<String>,
    /// Why the store must not be believed any more.
    distrust: Option<String>,
    /// Shards that were taken over without their counters, and not spoken of yet.
    taken_cold: usize,
    /// Shards that were taken over with their counters, and not spoken of yet.
    taken_warm: usize,
    /// Shards whose time is ahead of this machine's wall clock, and by how much at most; not spoken of yet.
    ahead: (usize, Nanos),
}

impl Driver {
    /// Runs until the state machine stops, or nobody sends inputs any more.
    pub(crate) async fn run(mut self, started: Event) {
        let mut events = vec![started];
        loop {
            let looked = self.ownership.now().boottime;
            if !events.is_empty() {
                self.step(std::mem::take(&mut events));
            }
            self.publish();
            if self.board.stopped.borrow().is_some() {
                return self.end().await;
            }
            let mut next = match timeout(self.patience(), self.inputs.recv()).await {
                Ok(None) => return self.end().await,
                Ok(input) => input,
                Err(_) => {
                    events.push(Event::Wake);
                    None
                }
            };
            // What comes after a while of silence does not wait.
            let since = Nanos(self.ownership.now().boottime.0.saturating_sub(looked.0));
            let left = LOOK_EVERY.saturating_sub(Duration::from(since));
            let _ = timeout(left, std::future::pending::<()>()).await;
            while let Some(input) = next {
                if matches!(input, Input::Leave) {
                    return self.end().await;
                }
                self.receive(input, &mut events);
                next = if events.len() < EVENTS_TOGETHER_MAX { self.inputs.try_recv().ok() } else { None };
            }
            self.errands.tidy();
        }
    }

    /// The session ends with the driver, so that others need not wait for its time to live.
    async fn end(self) {
        if self.state.distrust.is_some()
            && let Some(seen) = self.seen()
        {
            // The next start must know it, whatever it finds by then.
            let ownership = Arc::clone(&self.ownership);
            let _ = tokio::task::spawn_blocking(move || ownership.persist(&[seen])).await;
        }
        if let Some(keeper) = self.state.keeper {
            let lease = keeper.lease();
            drop(keeper);
            if let Err(fault) = self.coordination.revoke(lease, self.within).await {
                tracing::info!(%fault, "the session was not ended; it ends by itself");
            }
        }
    }

    fn patience(&self) -> Duration {
        let now = self.ownership.now().boottime;
        Duration::from(Nanos(self.state.wake_at.0.saturating_sub(now.0))).min(WAKE_AT_LEAST_EVERY)
    }

    /// What an input means to the state machine.
    fn receive(&mut self, input: Input, events: &mut Vec<Event>) {
        let event = match input {
            Input::Event(event) => event,
            Input::Granted { token, grant } => self.granted(token, grant),
            Input::Unanswered { fault, .. } if fault.is_distrust() => self.distrust(&fault.to_string()),
            Input::Unanswered { token, fault } => {
                self.troubled(&fault.to_string());
                Event::Unanswered { token }
            }
            Input::Ended { token, transaction, result } => self.ended(token, &transaction, result),
            Input::Watched { kind, update } => return self.watched(kind, &update, events),
            Input::WatchEnded { fault: Some(fault) } => self.distrust(&fault.to_string()),
            Input::WatchEnded { fault: None } => Event::WatchBroken,
            Input::Signal(Signal::Written(shard)) => Event::Written { shard },
            Input::Signal(Signal::HigherEpoch(shard)) => return events.extend(self.higher_epoch(shard)),
            Input::Signal(Signal::Copies(news)) => self.hear(news),
            Input::Drain => Event::Drain,
            Input::Undrain => Event::Undrain,
            Input::HostStopped => Event::StoreFailed,
            // Looked for before.
            Input::Leave => return,
        };
        events.push(event);
    }

    fn hear(&mut self, news: News) -> Event {
        match &news {
            News::Stamped { revision } => drop(self.board.stamped.send_replace(*revision)),
            News::Silence { of, silence: Silence::Silent, .. } => {
                tracing::warn!(node = %of.node, "a node that shares shards with this one is silent");
            }
            _ => {}
        }
        Event::Copies(news)
    }

    /// Anybody may name an epoch that never was, so the reading that follows is paced; until then who names it is told to ask again.
    fn higher_epoch(&mut self, shard: ShardId) -> Option<Event> {
        let now = self.ownership.now().boottime;
        if now.0.saturating_sub(self.state.read_again_at.0) < HIGHER_EPOCH_EVERY.0 {
            return None;
        }
        self.state.read_again_at = now;
        Some(Event::HigherEpoch { shard })
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where a generation is drawn")]
    fn granted(&mut self, token: Token, grant: Grant) -> Event {
        let generation = drl_core::Generation(rand::rng().random());
        let lease = drl_engine::ownership::LeaseId(grant.lease.get());
        self.state.keeper = Some(Keeper::start(Arc::clone(&self.coordination), grant));
        Event::Granted { token, lease, generation }
    }

    fn ended(
        &mut self,
        token: Token,
        transaction: &Transaction,
        result: Result<drl_coordination::Outcome, TxnError>,
    ) -> Event {
        let wall = self.ownership.now().wall;
        self.book.now = wall;
        let outcome = match result {
            Ok(outcome) => {
                self.answered(&outcome.reply().header);
                let (book, keys) = (&mut self.book, &self.keys);
                match &outcome {
                    drl_coordination::Outcome::Committed(reply) => {
                        Outcome::Committed(translate::committed(book, keys, transaction, reply, wall))
                    }
                    drl_coordination::Outcome::Refused(reply) => {
                        Outcome::Refused(translate::refused(book, keys, transaction, reply, wall))
                    }
                }
            }
            Err(TxnError::LeaseGone) => Outcome::LeaseGone,
            Err(TxnError::Invalid(invalid)) => return self.distrust(&invalid.to_string()),
            Err(TxnError::Unknown(fault) | TxnError::Unavailable(fault)) if fault.is_distrust() => {
                return self.distrust(&fault.to_string());
            }
            // Sending again is right whether it happened or not: a guard that failed once never holds again.
            Err(TxnError::Unknown(fault) | TxnError::Unavailable(fault)) => {
                self.troubled(&fault.to_string());
                Outcome::Unknown
            }
        };
        Event::Ended { token, outcome }
    }

    /// The store answered. From the first answer on its keys are watched.
    fn answered(&mut self, header: &Header) {
        if self.state.trouble.take().is_some() {
            tracing::info!("etcd answers again");
        }
        if self.state.cluster.is_none() {
            self.state.cluster = Some(ClusterId(header.cluster.0));
            self.errands.watch(Kind::Nodes, self.keys.nodes());
            self.errands.watch(Kind::Beats, self.keys.heartbeats());
            self.errands.watch(Kind::Records, self.keys.shards());
        }
    }

    fn troubled(&mut self, reason: &str) {
        if self.state.trouble.as_deref() != Some(reason) {
            tracing::warn!(reason, "etcd does not answer; checks go on until this node's authority ends");
            self.state.trouble = Some(reason.to_owned());
        }
    }

    /// Every role is dropped, as if the store of the node itself had failed, and for good.
    fn distrust(&mut self, reason: &str) -> Event {
        self.state.distrust = Some(reason.to_owned());
        Event::StoreFailed
    }

    fn watched(&mut self, kind: Kind, update: &drl_coordination::Update, events: &mut Vec<Event>) {
        let Some(cluster) = self.state.cluster else { return };
        let me = Holder { node: self.me.clone(), generation: self.agent.generation() };
        let wall = self.ownership.now().wall;
        self.book.now = wall;
        let seen = translate::update(&mut self.book, &self.keys, (kind, update), (&me, cluster), wall);
        self.repair(&me);
        events.push(Event::Changed(seen.view));
        events.extend(seen.must_read.then_some(Event::WatchBroken));
    }

    /// Puts back the records of this node that somebody broke by hand: nothing else may change them, and what they said is known.
    fn repair(&mut self, me: &Holder) {
        let Some(keeper) = &self.state.keeper else { return };
        for (key, broken) in self.book.broken() {
            let Ok(Place::Shard(shard)) = self.keys.parse(key) else { continue };
            let Some(known) = self.book.last_record(shard).filter(|known| known.record.owner == *me) else { continue };
            tracing::warn!(%shard, "putting back the record of a shard that was changed by hand");
            self.errands.repair(Txn {
                compares: vec![
                    Compare::Lease { key: self.keys.node(&self.me), is: keeper.lease() },
                    Compare::Changed { key: key.clone(), at: broken.changed },
                ],
                then: vec![Op::Put { key: key.clone(), value: documents::write_record(&known.record), lease: None }],
                otherwise: Vec::new(),
            });
        }
    }
}
