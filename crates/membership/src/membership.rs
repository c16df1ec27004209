//! Joining a cluster and leaving it, and what a node may ask meanwhile. The work is the driver's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use drl_coordination::{Coordination, InvalidTtl, Keys, Ttl};
use drl_core::{Generation, Nanos, NodeId, ShardCount};
use drl_engine::ownership::{Authority, Event, Identity, NodeAgent};
use drl_host::{Host, Ownership};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::book::Book;
use crate::documents::NodeAddresses;
use crate::driver::{Board, Driver, State};
use crate::errands::{Errands, Input};
use crate::placement::Placement;
use crate::translate::Introduction;

/// Who joins, and by which spans of time its cluster goes.
#[derive(Debug, Clone)]
pub struct MemberOptions {
    pub node: NodeId,
    pub shards: ShardCount,
    pub authority: Authority,
    pub addresses: NodeAddresses,
    pub version: String,
    /// For each call to the store.
    pub within: Duration,
}

/// How a node stands with its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Of the present session, or of the last one.
    pub generation: Option<Generation>,
    /// Until when this node may answer, by `CLOCK_BOOTTIME`; zero: not at all.
    pub deadline: Nanos,
    /// Shards whose records name this node.
    pub owned: usize,
    /// Shards that it answers for as long as the deadline is ahead.
    pub answering: usize,
    /// Why the store does not answer; `None` while it does.
    pub trouble: Option<String>,
    /// Keys whose values cannot be read, with the reasons.
    pub broken_keys: BTreeMap<String, String>,
}

/// What a node that was asked to leave could give away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    /// Records that still name this node: their shards have counters that nobody else has.
    pub named: usize,
    /// Other nodes with a session.
    pub others: usize,
}

/// The node answers for nothing any more, and only an operator can change that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Stopped {
    pub reason: Arc<str>,
}

/// A node's part in a cluster. Dropping it ends everything that it does, and its session expires; [`Membership::leave`] ends that too.
pub struct Membership {
    inputs: mpsc::Sender<Input>,
    placement: watch::Receiver<Arc<Placement>>,
    standing: watch::Receiver<Standing>,
    departure: watch::Receiver<Option<Departure>>,
    stopped: watch::Receiver<Option<Stopped>>,
    driver: JoinHandle<()>,
}

impl Membership {
    /// Joins: takes a session, reads everything, claims what the plan gives to this node, and goes on doing so. Returns at once; see
    /// [`Membership::standing`]. To be called in a tokio runtime.
    ///
    /// # Errors
    /// [`InvalidTtl`] when the session's time to live is not possible.
    pub fn join(
        coordination: Arc<dyn Coordination>,
        keys: Keys,
        (host, mut ownership): (Host, Ownership),
        options: MemberOptions,
    ) -> Result<Self, InvalidTtl> {
        let MemberOptions { node, shards, authority, addresses, version, within } = options;
        let ttl = Ttl::new(authority.session_ttl.into())?;
        let (found, signals) = (ownership.take_found(), ownership.take_signals());
        let ownership = Arc::new(ownership);
        let (mut errands, inputs) = Errands::start(Arc::clone(&coordination), Arc::clone(&ownership), within);
        let sender = errands.inputs();
        if let Some(signals) = signals {
            errands.listen(signals);
        }
        errands.attend(host);
        let (placement, placement_reader) = watch::channel(Arc::default());
        let (standing, standing_reader) = watch::channel(Standing::default());
        let (departure, departure_reader) = watch::channel(None);
        let (stopped, stopped_reader) = watch::channel(None);
        let driver = Driver {
            agent: NodeAgent::new(Identity { node: node.clone(), shards, authority }),
            ownership,
            coordination,
            keys,
            introduction: Introduction { addresses, version },
            me: node,
            ttl,
            within,
            errands,
            inputs,
            board: Board { placement, standing, departure, stopped },
            book: Book::new(shards),
            state: State::default(),
        };
        let started = found.map_or(Event::Wake, |found| Event::Started(Box::new(found)));
        Ok(Self {
            inputs: sender,
            placement: placement_reader,
            standing: standing_reader,
            departure: departure_reader,
            stopped: stopped_reader,
            driver: tokio::spawn(driver.run(started)),
        })
    }

    /// Who owns what.
    #[must_use]
    pub fn placement(&self) -> watch::Receiver<Arc<Placement>> {
        self.placement.clone()
    }

    /// How this node stands.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Resolves when this node answers for nothing any more.
    pub async fn stopped(&self) -> Stopped {
        let mut stopped = self.stopped.clone();
        let found = match stopped.wait_for(Option::is_some).await {
            Ok(found) => found.clone(),
            Err(_) => None,
        };
        found.unwrap_or_else(|| Stopped { reason: Arc::from("the membership has ended") })
    }

    /// Gives away what can be given. `None`: not within that time.
    pub async fn drain(&self, within: Duration) -> Option<Departure> {
        let mut departure = self.departure.clone();
        let drained = async {
            let _ = self.inputs.send(Input::Drain).await;
            departure.wait_for(Option::is_some).await.ok().and_then(|departure| *departure)
        };
        timeout(within, drained).await.ok().flatten()
    }

    /// Ends the session, so that others need not wait for its time to live.
    pub async fn leave(mut self, within: Duration) {
        let _ = self.inputs.send(Input::Leave).await;
        if timeout(within, &mut self.driver).await.is_err() {
            tracing::info!("the session was not ended in time; it ends by itself");
        }
    }
}

impl Drop for Membership {
    /// As a crash would: nothing is said to anybody, and the session expires.
    fn drop(&mut self) {
        self.driver.abort();
    }
}
