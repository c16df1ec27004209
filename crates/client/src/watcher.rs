//! Follows the placement: from one node at a time, from another one when that node is gone, is behind, or somebody says that it is.

use std::collections::BTreeSet;
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
    /// The node that tells now.
    address: Arc<str>,
    updates: Streaming<v1::PlacementUpdate>,
}

impl Watcher {
    /// Asks the endpoints, beginning anywhere, until one tells where the shards are.
    ///
    /// # Errors
    /// [`ConnectError::Unreachable`] with what each said last.
    pub(crate) async fn begin(endpoints: Vec<Arc<str>>, within: Duration) -> Result<(Self, Placement), ConnectError> {
        let mut reasons = Vec::new();
        let asked = timeout(within, async {
            let mut pause = Pause::new(PAUSES.0, PAUSES.1);
            loop {
                let mut said = Vec::new();
                for address in rotated(&endpoints) {
                    match first(&address).await {
                        Ok((update, updates)) => match Placement::new(update) {
                            Ok(placement) => return (address, updates, placement),
                            Err(reason) => said.push(format!("{address}: {reason}")),
                        },
                        Err(reason) => said.push(format!("{address}: {reason}")),
                    }
                    // What was said so far stands if the deadline comes within this round.
                    if reasons.len() < endpoints.len() {
                        reasons.clone_from(&said);
                    }
                }
                reasons = said;
                clock::pass(pause.next()).await;
            }
        });
        match asked.await {
            Ok((address, updates, placement)) => Ok((Self { endpoints, address, updates }, placement)),
            Err(_) if reasons.is_empty() => {
                let reasons = format!("{}: no answer", endpoints.join(", "));
                Err(ConnectError::Unreachable { within, reasons })
            }
            Err(_) => Err(ConnectError::Unreachable { within, reasons: reasons.join("; ") }),
        }
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
        let since = clock::now();
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
                update = whole(&mut self.updates) => match update {
                    // It told the truth so far: if it goes back now, then because the cluster did.
                    Ok(Some(update)) => if let Err(reason) = take(placement, update, Trust::Any) {
                        return reason.to_string().into();
                    },
                    Ok(None) => return "it ended the stream".into(),
                    Err(status) => return endpoint::sentence(&status),
                },
                () = &mut in_doubt => return "an owner says that it is behind".into(),
            }
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
                let taken = match first(&address).await {
                    Ok((update, updates)) => match take(placement, update, trust) {
                        Ok(()) => {
                            (self.address, self.updates) = (address, updates);
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

    /// Every node that is known, the one that told last at the end.
    fn candidates(&self, placement: &watch::Sender<Placement>) -> Vec<Arc<str>> {
        let mut known: BTreeSet<Arc<str>> = placement.borrow().addresses().cloned().collect();
        known.extend(self.endpoints.iter().cloned());
        let is_another = known.remove(&self.address);
        let mut candidates: Vec<_> = rotated(&known.into_iter().collect::<Vec<_>>()).collect();
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
async fn first(address: &str) -> Result<(v1::PlacementUpdate, Streaming<v1::PlacementUpdate>), Arc<str>> {
    let mut client = endpoint::placements(endpoint::channel(address)?);
    let asked = async {
        let mut updates = client.watch(v1::WatchPlacementRequest {}).await?.into_inner();
        let update = whole(&mut updates).await?;
        update.map(|update| (update, updates)).ok_or_else(|| tonic::Status::unavailable("it ended the stream"))
    };
    match timeout(OPEN_TIMEOUT, asked).await {
        Ok(told) => told.map_err(|status| match endpoint::sentence(&status) {
            lost if *lost == *endpoint::LOST => {
                "it closed the connection before it said anything; is it a node's gRPC address?".into()
            }
            reason => reason,
        }),
        Err(_) => Err(format!("no answer within {OPEN_TIMEOUT:?}").into()),
    }
}

/// The next update, of all its messages. Dropping the future loses what came of it: then the stream is of no use any more.
async fn whole(updates: &mut Streaming<v1::PlacementUpdate>) -> Result<Option<v1::PlacementUpdate>, tonic::Status> {
    let Some(mut update) = updates.message().await? else { return Ok(None) };
    while update.more {
        let Some(piece) = updates.message().await? else { return Ok(None) };
        update.more = piece.more && update.seats.len() < usize::from(SHARDS_MAX);
        update.seats.extend(piece.seats);
    }
    Ok(Some(update))
}

/// The list, beginning anywhere.
fn rotated(list: &[Arc<str>]) -> impl Iterator<Item = Arc<str>> {
    let (front, back) = list.split_at(chance::place(list.len()));
    back.iter().chain(front).cloned().collect::<Vec<_>>().into_iter()
}
