//! The service `PlacementService`: where every shard is, and every change of it.

use std::pin::Pin;
use std::sync::Arc;

use drl_core::caps::PLACEMENT_SEATS_PER_MESSAGE;
use drl_core::{NodeId, ShardId};
use drl_proto::v1;
use drl_proto::v1::placement_service_server::PlacementService;
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::surroundings::Surroundings;
use drl_membership::{Node, Placement, Seat};

type Update = Result<v1::PlacementUpdate, Status>;

pub(super) struct PlacingService {
    surroundings: Surroundings,
    /// A watch goes on for as long as its client; it ends when the door closes.
    stop: CancellationToken,
}

impl PlacingService {
    pub(super) const fn new(surroundings: Surroundings, stop: CancellationToken) -> Self {
        Self { surroundings, stop }
    }
}

#[tonic::async_trait]
impl PlacementService for PlacingService {
    type WatchStream = Pin<Box<dyn Stream<Item = Update> + Send>>;

    async fn watch(&self, _: Request<v1::WatchPlacementRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let placement = self.surroundings.watch();
        if placement.borrow().revision == 0 {
            return Err(Status::unavailable("this node has not read the placement yet; ask again or another node"));
        }
        let (updates, stream) = mpsc::channel(1);
        let (stop, shards) = (self.stop.clone(), self.surroundings.shards().get());
        // It ends with the stream, or when the door closes.
        tokio::spawn(async move { stop.run_until_cancelled(tell(placement, shards, updates)).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

/// Sends everything, then what changed since the last time; what changes while the client does not read is one change.
async fn tell(mut placement: watch::Receiver<Arc<Placement>>, shards: u16, updates: mpsc::Sender<Update>) {
    let mut known = None;
    loop {
        let now = Arc::clone(&placement.borrow_and_update());
        for piece in pieces(update(known.as_deref(), &now, shards)) {
            if updates.send(Ok(piece)).await.is_err() {
                return;
            }
        }
        known = Some(now);
        tokio::select! {
            () = updates.closed() => return,
            changed = placement.changed() => if changed.is_err() { return },
        }
    }
}

/// What `now` has that `known` has not. Without a predecessor, or when time went back, it is everything.
fn update(known: Option<&Placement>, now: &Placement, shards: u16) -> v1::PlacementUpdate {
    let known = known.filter(|known| known.revision <= now.revision);
    let is_known_node = |id: &NodeId, node: &Node| known.is_some_and(|known| known.nodes.get(id) == Some(node));
    let is_known_seat =
        |index: usize, seat: &Option<Seat>| known.is_some_and(|known| known.seats.get(index) == Some(seat));
    let nodes = now.nodes.iter().filter(|(id, node)| !is_known_node(id, node));
    let seats = now.seats.iter().enumerate().filter(|(index, seat)| !is_known_seat(*index, seat));
    let gone = known.into_iter().flat_map(|known| known.nodes.keys()).filter(|id| !now.nodes.contains_key(id));
    v1::PlacementUpdate {
        revision: now.revision,
        whole: known.is_none(),
        shard_count: shards.into(),
        nodes: nodes.map(|(id, node)| node_message(id, node)).collect(),
        nodes_gone: gone.map(ToString::to_string).collect(),
        seats: seats.map(|(index, seat)| seat_message(index, seat.as_ref())).collect(),
        more: false,
    }
}

/// An update as messages of a bounded size.
fn pieces(mut update: v1::PlacementUpdate) -> Vec<v1::PlacementUpdate> {
    let mut seats = std::mem::take(&mut update.seats).into_iter();
    let (revision, shard_count) = (update.revision, update.shard_count);
    let mut pieces = vec![update];
    loop {
        let some: Vec<_> = seats.by_ref().take(PLACEMENT_SEATS_PER_MESSAGE).collect();
        if let Some(piece) = pieces.last_mut() {
            piece.seats = some;
            piece.more = seats.len() > 0;
            if !piece.more {
                return pieces;
            }
        }
        pieces.push(v1::PlacementUpdate { revision, shard_count, ..v1::PlacementUpdate::default() });
    }
}

pub(super) fn node_message(id: &NodeId, node: &Node) -> v1::PlacementNode {
    let addresses = node.addresses.clone();
    v1::PlacementNode {
        id: id.to_string(),
        generation: node.generation.0,
        addresses: Some(v1::NodeAddresses {
            grpc: addresses.grpc,
            http: addresses.http.unwrap_or_default(),
            resp: addresses.resp.unwrap_or_default(),
        }),
        version: node.version.clone(),
        draining: node.draining,
    }
}

/// The seat of the shard with this index; without an owner its epoch is 0.
pub(super) fn seat_message(index: usize, seat: Option<&Seat>) -> v1::Seat {
    let shard = u32::try_from(index).unwrap_or(u32::MAX);
    let Some(seat) = seat else { return v1::Seat { shard, ..v1::Seat::default() } };
    v1::Seat {
        shard,
        epoch: seat.epoch.0,
        node: seat.owner.node.to_string(),
        generation: seat.owner.generation.0,
        cold: seat.cold,
        follower: seat.follower.as_ref().map(|follower| follower.node.to_string()).unwrap_or_default(),
        follower_generation: seat.follower.as_ref().map_or(0, |follower| follower.generation.0),
        in_sync: seat.in_sync,
    }
}

pub(super) fn seat_of(placement: &Placement, shard: ShardId) -> v1::Seat {
    seat_message(shard.index(), placement.seat(shard))
}

#[cfg(test)]
mod tests {
    use drl_core::{Epoch, Generation};
    use drl_engine::ownership::Holder;

    use super::*;
    use drl_membership::NodeAddresses;

    #[test]
    fn an_update_with_many_seats_comes_in_pieces() {
        for (seats, expected) in [(0, vec![0]), (1, vec![1]), (128, vec![128]), (300, vec![128, 128, 44])] {
            let seats = vec![v1::Seat::default(); seats];
            let whole = v1::PlacementUpdate { revision: 4, whole: true, shard_count: 9, seats, ..Default::default() };
            let pieces = pieces(whole);
            assert_eq!(pieces.iter().map(|piece| piece.seats.len()).collect::<Vec<_>>(), expected);
            assert!(pieces[0].whole && pieces.iter().skip(1).all(|piece| !piece.whole));
            assert!(pieces.iter().all(|piece| (piece.revision, piece.shard_count) == (4, 9)));
            let (last, before) = pieces.split_last().unwrap();
            assert!(!last.more && before.iter().all(|piece| piece.more));
        }
    }

    fn id(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    fn placement(revision: u64, nodes: &[&str], owners: &[Option<(&str, u64)>]) -> Placement {
        let node = |name: &&str| {
            let addresses = NodeAddresses { grpc: format!("{name}:7700"), ..NodeAddresses::default() };
            (id(name), Node { generation: Generation(1), addresses, version: String::new(), draining: false })
        };
        let seat = |owner: &Option<(&str, u64)>| {
            let (name, epoch) = (*owner)?;
            let owner = Holder { node: id(name), generation: Generation(1) };
            Some(Seat { epoch: Epoch(epoch), owner, follower: None, in_sync: false, cold: false })
        };
        Placement { revision, seats: owners.iter().map(seat).collect(), nodes: nodes.iter().map(node).collect() }
    }

    #[test]
    fn the_first_update_is_everything_and_the_next_what_changed() {
        let first = placement(5, &["n1", "n2"], &[Some(("n1", 1)), Some(("n2", 1)), None]);
        let whole = update(None, &first, 3);
        assert_eq!((whole.whole, whole.nodes.len(), whole.seats.len(), whole.shard_count), (true, 2, 3, 3));
        assert_eq!((whole.seats[2].epoch, &*whole.seats[2].node), (0, ""), "nobody owned it yet");
        let second = placement(6, &["n1", "n3"], &[Some(("n1", 1)), Some(("n3", 2)), None]);
        let changed = update(Some(&first), &second, 3);
        assert_eq!((changed.whole, changed.revision, &changed.nodes_gone[..]), (false, 6, &["n2".to_owned()][..]));
        assert_eq!((changed.nodes.len(), &*changed.nodes[0].id), (1, "n3"));
        assert_eq!(changed.seats, [seat_message(1, second.seats[1].as_ref())]);
    }

    #[test]
    fn a_revision_that_went_back_is_told_from_the_beginning() {
        let (later, earlier) = (placement(9, &["n1"], &[Some(("n1", 4))]), placement(3, &["n1"], &[Some(("n1", 4))]));
        let told = update(Some(&later), &earlier, 1);
        assert_eq!((told.whole, told.revision, told.seats.len(), told.nodes.len()), (true, 3, 1, 1));
    }
}
