//! Joining a cluster and leaving it, and what a node may ask meanwhile. The work is the driver's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drl_coordination::{Coordination, InvalidTtl, Keys, Ttl};
use drl_core::{Generation, Nanos, NodeId, ShardCount, ShardId};
use drl_engine::ownership::{Authority, Copies, Event, Identity, NodeAgent};
use drl_host::Ownership;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::book::Book;
use crate::documents::NodeAddresses;
use crate::driver::{Board, Driver, State};
use crate::errands::{Errands, Input};
use crate::moves::{Move, Moves};
use crate::placement::Placement;
use crate::running::Running;
use crate::translate::Introduction;

/// Inputs that wait for the driver. Whoever finds it full waits; the driver never does.
const INPUTS_MAX: usize = 1_024;

/// Who joins, and by which spans of time its cluster goes.
#[derive(Debug, Clone)]
pub struct MemberOptions {
    pub node: NodeId,
    pub shards: ShardCount,
    pub authority: Authority,
    pub version: String,
    /// How many nodes have the counters of a shard.
    pub copies: Copies,
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
    /// Shards whose records name this node as owner.
    pub owned: usize,
    /// Of those, the ones of which another node has a copy in sync.
    pub in_sync: usize,
    /// Shards of which it has a copy in sync.
    pub followed: usize,
    /// Shards of which it is to have a copy that is not in sync yet.
    pub learning: usize,
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
    /// Records that still name this node, as owner or as follower.
    pub named: usize,
    /// Other nodes with a session that were not asked to leave.
    pub others: usize,
}

/// The node answers for nothing any more, and only an operator can change that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Stopped {
    pub reason: Arc<str>,
}

/// A node's part in a cluster. Dropping it is as a crash would be: everything that it does ends, and its session expires;
/// [`Membership::leave`] ends that too.
pub struct Membership {
    inputs: mpsc::Sender<Input>,
    placement: watch::Receiver<Arc<Placement>>,
    standing: watch::Receiver<Standing>,
    departure: watch::Receiver<Option<Departure>>,
    stopped: watch::Receiver<Option<Stopped>>,
    stamped: watch::Receiver<u64>,
    moves: Arc<Moves>,
    stage: Mutex<Stage>,
}

/// How far it is.
enum Stage {
    Prepared(Box<Prepared>),
    Joined(Running),
    Left,
}

/// What the driver is made of, once it is known what the node owns and where it listens.
struct Prepared {
    coordination: Arc<dyn Coordination>,
    keys: Keys,
    options: MemberOptions,
    ttl: Ttl,
    board: Board,
    moves: Arc<Moves>,
    inputs: mpsc::Receiver<Input>,
}

impl Membership {
    /// A membership that has not begun; what it publishes is empty until [`Membership::join`].
    ///
    /// # Errors
    /// [`InvalidTtl`] when the session's time to live is not possible.
    pub fn new(coordination: Arc<dyn Coordination>, keys: Keys, options: MemberOptions) -> Result<Self, InvalidTtl> {
        let ttl = Ttl::new(options.authority.session_ttl.into())?;
        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let (placement, placement_reader) = watch::channel(Arc::default());
        let (standing, standing_reader) = watch::channel(Standing::default());
        let (departure, departure_reader) = watch::channel(None);
        let (stopped, stopped_reader) = watch::channel(None);
        let (stamped, stamped_reader) = watch::channel(0);
        let board = Board { placement, standing, departure, stopped, stamped };
        let moves = Arc::new(Moves::new(options.shards));
        Ok(Self {
            inputs: sender,
            placement: placement_reader,
            standing: standing_reader,
            departure: departure_reader,
            stopped: stopped_reader,
            stamped: stamped_reader,
            moves: Arc::clone(&moves),
            stage: Mutex::new(Stage::Prepared(Box::new(Prepared {
                coordination,
                keys,
                options,
                ttl,
                board,
                moves,
                inputs,
            }))),
        })
    }

    /// Takes a session, reads everything, claims what the plan gives to this node, and goes on doing so. Returns at once; see
    /// [`Membership::standing`]. `policies` is the revision up to which this node runs the policies of the cluster: it takes over from
    /// nobody that decided by later ones. Only the first call does anything.
    pub fn join(&self, mut ownership: Ownership, addresses: NodeAddresses, policies: watch::Receiver<u64>) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let Stage::Prepared(prepared) = std::mem::replace(&mut *stage, Stage::Left) else { return };
        let Prepared { coordination, keys, options, ttl, board, moves, inputs } = *prepared;
        let MemberOptions { node, shards, authority, version, copies, within } = options;
        let (found, signals) = (ownership.take_found(), ownership.take_signals());
        let (ownership, sender, stopped) = (Arc::new(ownership), self.inputs.clone(), board.stopped.clone());
        let begin = move || {
            let mut errands = Errands::start(Arc::clone(&coordination), Arc::clone(&ownership), within, sender);
            if let Some(signals) = signals {
                errands.listen(signals);
            }
            errands.follow(policies);
            errands.attend();
            let driver = Driver {
                agent: NodeAgent::new(Identity { node: node.clone(), shards, authority, copies }),
                ownership,
                coordination,
                keys,
                introduction: Introduction { addresses, version },
                me: node,
                ttl,
                within,
                errands,
                inputs,
                board,
                book: Book::new(shards, moves),
                state: State::default(),
            };
            driver.run(found.map_or(Event::Wake, |found| Event::Started(Box::new(found))))
        };
        match Running::start(begin) {
            Ok(running) => *stage = Stage::Joined(running),
            Err(error) => {
                let reason = format!("there is no thread for the node's part in the cluster: {error}").into();
                stopped.send_replace(Some(Stopped { reason }));
            }
        }
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

    /// The highest revision of policies that another owner decided by, as far as its copies here say.
    #[must_use]
    pub fn stamped(&self) -> watch::Receiver<u64> {
        self.stamped.clone()
    }

    /// What happened last to a shard, newest first, as far as this node saw it since it began.
    #[must_use]
    pub fn moves(&self, shard: ShardId) -> Vec<Move> {
        self.moves.of(shard)
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

    /// Begins to give away what can be given; see [`Membership::placement`] for how far it is. It goes on until
    /// [`Membership::stop_draining`], and takes nothing meanwhile.
    pub async fn start_draining(&self) {
        let _ = self.inputs.send(Input::Drain).await;
    }

    /// Takes its share again.
    pub async fn stop_draining(&self) {
        let _ = self.inputs.send(Input::Undrain).await;
    }

    /// Gives away what can be given. `None`: not within that time.
    pub async fn drain(&self, within: Duration) -> Option<Departure> {
        let mut departure = self.departure.clone();
        // What was said at the end of an earlier drain need not be so any more.
        departure.mark_unchanged();
        let drained = async {
            self.start_draining().await;
            departure.changed().await.ok().and_then(|()| *departure.borrow())
        };
        timeout(within, drained).await.ok().flatten()
    }

    /// Ends the session, so that others need not wait for its time to live.
    pub async fn leave(&self, within: Duration) {
        let stage = std::mem::replace(&mut *self.stage.lock().unwrap_or_else(PoisonError::into_inner), Stage::Left);
        let Stage::Joined(running) = stage else { return };
        let _ = self.inputs.send(Input::Leave).await;
        if !running.end(within).await {
            tracing::info!("the session was not ended in time; it ends by itself");
        }
    }
}
