//! Follows the placement: from one node at a time, from another one when that node is gone, is behind, or somebody says that it is. A
//! connection for the watch alone is given up for one that checks use, so that a limiter has no more connections than nodes it asks.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use drl_core::caps::SHARDS_MAX;
use drl_proto::v1;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tonic::Streaming;

use crate::chance::{self, Pause};
use crate::clock;
use crate::connection::{Connection, Connections};
use crate::endpoint::{self, OPEN_TIMEOUT};
use crate::error::ConnectError;
use crate::placement::{NotTaken, Placement, Trust};

/// Pauses between rounds in which no node told anything.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Somebody's word that a node is behind counts only once that node had the time to catch up.
const CATCH_UP: Duration = Duration::from_millis(200);

/// A watch that held this long was good: another one follows at once.
const GOOD: Duration = Duration::from_secs(1);

/// What keeps a placement up to date.
pub(crate) struct Watcher {
    endpoints: Vec<Arc<str>>,
    connections: Arc<Connections>,
    /// The node that tells now.
    address: Arc<str>,
    telling: Telling,
}

/// A watch that is open.
struct Telling {
    updates: Streaming<v1::PlacementUpdate>,
    /// Held so that checks for the same node join it.
    connection: Connection,
    /// An update of which messages are missing.
    begun: Option<v1::PlacementUpdate>,
}

impl Telling {
    /// The next update, of all its messages; `None` when there will be none. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Option<v1::PlacementUpdate>, tonic::Status> {
        loop {
            let Some(piece) = self.updates.message().await? else { return Ok(None) };
            let update = match self.begun.take() {
                None => piece,
                Some(mut begun) => {
                    begun.more = piece.more && begun.seats.len() < usize::from(SHARDS_MAX);
                    begun.seats.extend(piece.seats);
                    begun
                }
            };
            if !update.more {
                return Ok(Some(update));
            }
            self.begun = Some(update);
        }
    }
}

impl Watcher {
    /// Asks the endpoints, beginning anywhere, until one tells where the shards are.
    ///
    /// # Errors
    /// [`ConnectError::Unreachable`] with what each said last.
    pub(crate) async fn begin(
        endpoints: Vec<Arc<str>>,
        connections: Arc<Connections>,
        within: Duration,
    ) -> Result<(Self, Placement), ConnectError> {
        let mut said: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
        // Each has its share of the time, so that those which are silent do not keep it from the one that answers.
        let share = within / u32::try_from(endpoints.len().max(1)).unwrap_or(u32::MAX);
        let asked = timeout(within, async {
            let mut pause = Pause::new(PAUSES.0, PAUSES.1);
            loop {
                for address in rotated(&endpoints) {
                    let reason = match timeout(share, first(&connections, &address)).await {
                        Ok(Ok((update, telling))) => match Placement::new(update) {
                            Ok(placement) => return (address, telling, placement),
                            Err(reason) => reason.to_string().into(),
                        },
                        Ok(Err(reason)) => reason,
                        Err(_) => format!("no answer within {share:?}").into(),
                    };
                    said.insert(address, reason);
                }
                clock::pass(pause.next()).await;
            }
        });
        if let Ok((address, telling, placement)) = asked.await {
            return Ok((Self { endpoints, connections, address, telling }, placement));
        }
        let last = |address| said.get(address).map_or("no answer", |reason| reason);
        let reasons: Vec<_> = endpoints.iter().map(|address| format!("{address}: {}", last(address))).collect();
        Err(ConnectError::Unreachable { within, reasons: reasons.join("; ") })
    }

    /// What it shares with whoever asks the same nodes.
    pub(crate) fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.connections)
    }

    /// Keeps `placement` up to date. `doubt` rings when an owner said that this is not.
    pub(crate) async fn follow(mut self, placement: Arc<watch::Sender<Placement>>, doubt: Arc<Notify>) {
        let mut pause = Pause::new(PAUSES.0, PAUSES.1);
        loop {
            let since = clock::now();
            let reason = self.listen(&placement, &doubt).await;
            tracing::debug!(node = %self.address, %reason, "the placement is watched at another node");
            if since.elapsed() > GOOD {
                pause = Pause::new(PAUSES.0, PAUSES.1);
            } else {
                clock::pass(pause.next()).await;
            }
            self.move_on(&placement).await;
        }
    }

    /// Takes what the node tells until it does not, or is in doubt.
    async fn listen(&mut self, placement: &watch::Sender<Placement>, doubt: &Notify) -> Arc<str> {
        let (since, connections) = (clock::now(), Arc::clone(&self.connections));
        let in_doubt = async {
            loop {
                doubt.notified().await;
                if since.elapsed() > CATCH_UP {
                    return;
                }
            }
        };
        let mut in_doubt = pin!(in_doubt);
        loop {
            tokio::select! {
                update = self.telling.next() => match update {
                    // It told the truth so far: if it goes back now, then because the cluster did.
                    Ok(Some(update)) => if let Err(reason) = take(placement, update, Trust::Any) {
                        return reason.to_string().into();
                    },
                    Ok(None) => return "it ended the stream".into(),
                    Err(status) => return endpoint::sentence(&status),
                },
                () = &mut in_doubt => return "an owner says that it is behind".into(),
                () = connections.opened(), if self.telling.connection.is_alone() => self.join_checks(placement).await,
            }
        }
    }

    /// Watches over a connection that is there for checks, if its node tells as much as this one.
    async fn join_checks(&mut self, placement: &watch::Sender<Placement>) {
        let Some(address) = self.connections.another(&self.address) else { return };
        if let Ok((update, telling)) = first(&self.connections, &address).await
            && take(placement, update, Trust::Newer).is_ok()
        {
            (self.address, self.telling) = (address, telling);
        }
    }

    /// Finds another node that tells, however long it takes.
    async fn move_on(&mut self, placement: &watch::Sender<Placement>) {
        let mut pause = Pause::new(PAUSES.0, PAUSES.1);
        let mut trust = Trust::Newer;
        let mut is_said = false;
        loop {
            let mut reason: Arc<str> = "no node is known".into();
            for address in self.candidates(placement) {
                let taken = match first(&self.connections, &address).await {
                    Ok((update, telling)) => match take(placement, update, trust) {
                        Ok(()) => {
                            (self.address, self.telling) = (address, telling);
                            return;
                        }
                        Err(not_taken) => {
                            if matches!(not_taken, NotTaken::Behind { .. }) {
                                trust = Trust::Any;
                            }
                            not_taken.to_string().into()
                        }
                    },
                    Err(reason) => reason,
                };
                reason = format!("{address}: {taken}").into();
            }
            if !std::mem::replace(&mut is_said, true) {
                tracing::warn!(%reason, "no node tells where the shards are; the last placement stays in use");
            }
            clock::pass(pause.next()).await;
        }
    }

    /// Every node that is known: first those to which there is a connection already, the one that told last at the end.
    fn candidates(&self, placement: &watch::Sender<Placement>) -> Vec<Arc<str>> {
        let mut known: BTreeSet<Arc<str>> = placement.borrow().nodes().map(|node| node.address).collect();
        known.extend(self.endpoints.iter().cloned());
        let is_another = known.remove(&self.address);
        let mut candidates: Vec<_> = rotated(&known.into_iter().collect::<Vec<_>>()).collect();
        candidates.sort_by_key(|address| self.connections.held(address).is_none());
        if is_another {
            candidates.push(Arc::clone(&self.address));
        }
        candidates
    }
}

fn take(placement: &watch::Sender<Placement>, update: v1::PlacementUpdate, trust: Trust) -> Result<(), NotTaken> {
    let mut taken = Ok(());
    placement.send_modify(|placement| taken = placement.apply(update, trust));
    taken
}

/// Opens a watch, and its first message.
///
/// # Errors
/// Why there is none, for people.
async fn first(connections: &Connections, address: &Arc<str>) -> Result<(v1::PlacementUpdate, Telling), Arc<str>> {
    let connection = connections.to(address).await?;
    let mut client = endpoint::placements(connection.clone());
    let asked = async {
        let updates = client.watch(v1::WatchPlacementRequest {}).await?.into_inner();
        let mut telling = Telling { updates, connection, begun: None };
        let update = telling.next().await?;
        update.map(|update| (update, telling)).ok_or_else(|| tonic::Status::unavailable("it ended the stream"))
    };
    match timeout(OPEN_TIMEOUT, asked).await {
        Ok(Ok(told)) => Ok(told),
        Ok(Err(status)) => Err(match endpoint::sentence(&status) {
            lost if *lost == *endpoint::LOST => {
                "it closed the connection before it said anything; is it a node's gRPC address?".into()
            }
            reason => reason,
        }),
        Err(_) => Err(format!("no answer within {OPEN_TIMEOUT:?}").into()),
    }
}

/// The list, beginning anywhere.
fn rotated(list: &[Arc<str>]) -> impl Iterator<Item = Arc<str>> {
    let (front, back) = list.split_at(chance::place(list.len()));
    back.iter().chain(front).cloned().collect::<Vec<_>>().into_iter()
}
