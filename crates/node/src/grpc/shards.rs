//! Which shard is where, how far its follower is behind, and what happened to it last.

use std::collections::BTreeMap;

use drl_core::{NodeId, ShardId};
use drl_host::Stats;
use drl_membership::{Move, Seat};
use drl_proto::v1;
use tonic::Status;

use super::asking;
use super::placing::seat_message;
use crate::surroundings::Surroundings;

/// By owner: how far each other node is behind it.
type Lags = BTreeMap<NodeId, Vec<v1::ReplicationLag>>;

/// The shards that name `only`, or all.
///
/// # Errors
/// Not found.
pub(super) async fn list(
    surroundings: &Surroundings,
    stats: &Stats,
    only: Option<NodeId>,
    with_lag: bool,
) -> Result<v1::ShardsResponse, Status> {
    let placement = surroundings.placement();
    if let Some(node) = &only
        && !placement.nodes.contains_key(node)
        && placement.naming(node) == 0
    {
        return Err(Status::not_found(format!("there is no node {node}; see the list of nodes")));
    }
    let mut known = Lags::new();
    if with_lag {
        let others = asking::everybody(&placement, surroundings.me()).await;
        known.extend(others.into_iter().map(|(node, status)| (node, status.lags)));
        known.insert(surroundings.me().clone(), lags(stats));
    }
    let names =
        |seat: &Option<Seat>| only.as_ref().is_none_or(|node| seat.as_ref().is_some_and(|seat| seat.names(node)));
    let shards = surroundings.shards().iter().zip(&placement.seats).filter(|(_, seat)| names(seat));
    Ok(v1::ShardsResponse {
        shards: shards.map(|(shard, seat)| status(surroundings, &known, shard, seat.as_ref())).collect(),
        shard_count: surroundings.shards().get().into(),
        placement_revision: placement.revision,
    })
}

fn status(surroundings: &Surroundings, known: &Lags, shard: ShardId, seat: Option<&Seat>) -> v1::ShardStatus {
    let moves = surroundings.member().map(|member| member.moves(shard)).unwrap_or_default();
    v1::ShardStatus {
        seat: Some(seat_message(shard.index(), seat)),
        lag: seat.and_then(|seat| lag(known, seat)),
        moves: moves.iter().map(move_message).collect(),
    }
}

/// How far a follower is behind; an owner that answered and has nothing to say of it waits for nothing.
fn lag(known: &Lags, seat: &Seat) -> Option<v1::ReplicationLag> {
    let follower = &seat.follower.as_ref()?.node;
    let lags = known.get(&seat.owner.node)?;
    let found = lags.iter().find(|lag| lag.node == follower.as_str()).cloned();
    Some(found.unwrap_or_else(|| v1::ReplicationLag { node: follower.to_string(), ..Default::default() }))
}

fn move_message(latest: &Move) -> v1::ShardMove {
    v1::ShardMove { epoch: latest.epoch.0, at_millis: latest.at.0 / 1_000_000, what: latest.what.to_string() }
}

/// How far the other nodes are behind this one.
pub(super) fn lags(stats: &Stats) -> Vec<v1::ReplicationLag> {
    let message = |(node, (frames, age)): (&NodeId, &(u64, drl_core::Nanos))| v1::ReplicationLag {
        node: node.to_string(),
        frames: *frames,
        nanos: age.0,
    };
    stats.lags.iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use drl_core::{Epoch, Generation};
    use drl_engine::ownership::Holder;

    use super::*;

    fn holder(node: &str) -> Holder {
        Holder { node: NodeId::new(node).unwrap(), generation: Generation(1) }
    }

    #[test]
    fn the_lag_of_a_shard_is_its_owners_word_and_nobodys_when_the_owner_is_silent() {
        let behind = v1::ReplicationLag { node: "n2".to_owned(), frames: 3, nanos: 7 };
        let known = Lags::from([(holder("n1").node, vec![behind.clone()])]);
        let seat = |owner: &str, follower: Option<&str>| Seat {
            epoch: Epoch(1),
            owner: holder(owner),
            follower: follower.map(holder),
            in_sync: true,
            cold: false,
        };
        assert_eq!(lag(&known, &seat("n1", Some("n2"))), Some(behind));
        let nothing = lag(&known, &seat("n1", Some("n3"))).unwrap();
        assert_eq!((nothing.frames, nothing.nanos), (0, 0));
        assert_eq!(lag(&known, &seat("n2", Some("n1"))), None);
        assert_eq!(lag(&known, &seat("n1", None)), None);
    }
}
