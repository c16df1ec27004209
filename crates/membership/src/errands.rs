//! What takes time: calls to the store of the cluster, and writes to the node's own disk. Each errand runs beside the driver and
//! reports to it; none decides anything.

use std::sync::Arc;
use std::time::Duration;

use drl_coordination::{
    Coordination, Fault, Grant, LeaseId, Outcome, Prefix, Ttl, Txn, TxnError, Update, WatchOptions,
};
use drl_core::{CommitNo, Epoch, ShardId};
use drl_engine::ownership::{Event, Fact, Token, Transaction, Write};
use drl_host::{Heard, Ownership, Signal, faults};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::translate::Kind;

/// Facts that are written with one fsync, at most: some hundred KiB.
const FACTS_TOGETHER_MAX: usize = 4_096;

/// What reaches the driver.
#[derive(Debug)]
pub(crate) enum Input {
    Event(Event),
    Granted {
        token: Token,
        grant: Grant,
    },
    /// A grant or revocation that was not answered.
    Unanswered {
        token: Token,
        fault: Fault,
    },
    Ended {
        token: Token,
        transaction: Transaction,
        result: Result<Outcome, TxnError>,
    },
    Watched {
        kind: Kind,
        update: Update,
    },
    /// A watch ended: the store must not be believed any more.
    WatchEnded {
        fault: Option<Fault>,
    },
    Signal(Signal),
    /// The node is to give away what it has.
    Drain,
    /// The node is to stay.
    Undrain,
    /// The session is to end.
    Leave,
    /// The host has stopped.
    HostStopped,
}

/// The errands of one membership. Dropping it ends them.
pub(crate) struct Errands {
    coordination: Arc<dyn Coordination>,
    ownership: Arc<Ownership>,
    within: Duration,
    inputs: mpsc::Sender<Input>,
    /// The queue is as long as there are commands without an answer, and the state machine has few of those.
    facts: mpsc::UnboundedSender<(Token, Vec<Fact>)>,
    running: JoinSet<()>,
}

impl Errands {
    pub(crate) fn start(
        coordination: Arc<dyn Coordination>,
        ownership: Arc<Ownership>,
        within: Duration,
        inputs: mpsc::Sender<Input>,
    ) -> Self {
        let (facts, to_persist) = mpsc::unbounded_channel();
        let mut running = JoinSet::new();
        running.spawn(persist_in_order(Arc::clone(&ownership), to_persist, inputs.clone()));
        Self { coordination, ownership, within, inputs, facts, running }
    }

    /// Forgets errands that have ended.
    pub(crate) fn tidy(&mut self) {
        while self.running.try_join_next().is_some() {}
    }

    fn run(&mut self, errand: impl Future<Output = Input> + Send + 'static) {
        let inputs = self.inputs.clone();
        self.running.spawn(async move {
            // The driver is gone when nobody receives.
            let _ = inputs.send(errand.await).await;
        });
    }

    pub(crate) fn grant(&mut self, token: Token, ttl: Ttl) {
        let (coordination, within) = (Arc::clone(&self.coordination), self.within);
        self.run(async move {
            match coordination.grant(ttl, within).await {
                Ok(grant) => Input::Granted { token, grant },
                Err(fault) => Input::Unanswered { token, fault },
            }
        });
    }

    pub(crate) fn revoke(&mut self, token: Token, lease: LeaseId) {
        let (coordination, within) = (Arc::clone(&self.coordination), self.within);
        self.run(async move {
            match coordination.revoke(lease, within).await {
                Ok(()) => Input::Event(Event::Revoked { token }),
                Err(fault) => Input::Unanswered { token, fault },
            }
        });
    }

    pub(crate) fn transact(&mut self, token: Token, transaction: Transaction, txn: Txn) {
        let (coordination, within) = (Arc::clone(&self.coordination), self.within);
        self.run(async move {
            // A heartbeat changes no record.
            let is_swap = transaction.writes.iter().any(|write| matches!(write, Write::Record { .. }));
            let pass = |name: &str| {
                if is_swap {
                    faults::point(name);
                }
            };
            pass("swap");
            let result = coordination.transact(txn, within).await;
            pass("swapped");
            Input::Ended { token, transaction, result }
        });
    }

    /// Puts back a record that somebody broke. Nothing follows from its outcome: the watch tells.
    pub(crate) fn repair(&mut self, txn: Txn) {
        let (coordination, within) = (Arc::clone(&self.coordination), self.within);
        self.running.spawn(async move {
            if let Err(error) = coordination.transact(txn, within).await {
                tracing::warn!(%error, "a broken record could not be put back");
            }
        });
    }

    pub(crate) fn persist(&self, token: Token, facts: Vec<Fact>) {
        // The task that persists lives as long as this does.
        let _ = self.facts.send((token, facts));
    }

    /// Reports a floor once it is on disk.
    pub(crate) fn journaled(&mut self, shard: ShardId, epoch: Epoch, commit: CommitNo) {
        let ownership = Arc::clone(&self.ownership);
        self.run(async move {
            match ownership.journaled(commit).await {
                Ok(()) => Input::Event(Event::FloorJournaled { shard, epoch }),
                Err(_) => Input::HostStopped,
            }
        });
    }

    pub(crate) fn watch(&mut self, kind: Kind, prefix: Prefix) {
        let mut watch =
            self.coordination.watch(prefix, WatchOptions { within: self.within, ..WatchOptions::default() });
        let inputs = self.inputs.clone();
        self.running.spawn(async move {
            while let Some(update) = watch.next().await {
                if inputs.send(Input::Watched { kind, update }).await.is_err() {
                    return;
                }
            }
            let _ = inputs.send(Input::WatchEnded { fault: watch.trouble() }).await;
        });
    }

    /// Passes on what the host says.
    pub(crate) fn listen(&mut self, mut signals: Heard) {
        let inputs = self.inputs.clone();
        self.running.spawn(async move {
            while let Some(signal) = signals.next().await {
                if inputs.send(Input::Signal(signal)).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Reports which policies this node runs.
    pub(crate) fn follow(&mut self, mut policies: watch::Receiver<u64>) {
        let inputs = self.inputs.clone();
        self.running.spawn(async move {
            loop {
                let revision = *policies.borrow_and_update();
                if inputs.send(Input::Event(Event::Policies { revision })).await.is_err() {
                    return;
                }
                if policies.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// Reports the end of the host.
    pub(crate) fn attend(&mut self) {
        let ownership = Arc::clone(&self.ownership);
        self.run(async move {
            let _ = ownership.stopped().await;
            Input::HostStopped
        });
    }
}

/// Facts reach the disk in the order of the commands. What waits meanwhile is written with one fsync; counters are discarded by themselves,
/// because that is no record and has a place in the order.
async fn persist_in_order(
    ownership: Arc<Ownership>,
    mut waiting: mpsc::UnboundedReceiver<(Token, Vec<Fact>)>,
    inputs: mpsc::Sender<Input>,
) {
    let discards = |facts: &[Fact]| facts.contains(&Fact::CountersDiscarded);
    let mut held = None;
    loop {
        let Some((token, mut facts)) = (match held.take() {
            Some(first) => Some(first),
            None => waiting.recv().await,
        }) else {
            return;
        };
        let mut tokens = vec![token];
        while !discards(&facts) && facts.len() < FACTS_TOGETHER_MAX {
            match waiting.try_recv() {
                Ok((token, more)) if !discards(&more) => {
                    tokens.push(token);
                    facts.extend(more);
                }
                Ok(next) => {
                    held = Some(next);
                    break;
                }
                Err(_) => break,
            }
        }
        let ownership = Arc::clone(&ownership);
        let persisted = tokio::task::spawn_blocking(move || ownership.persist(&facts)).await;
        let is_there = matches!(persisted, Ok(Ok(())));
        for token in tokens {
            let input = if is_there { Input::Event(Event::Persisted { token }) } else { Input::HostStopped };
            if inputs.send(input).await.is_err() {
                return;
            }
        }
    }
}
