//! The service `Admin`: how this node and its cluster stand, and why a client is limited as it is.

use drl_core::NodeId;
use drl_core::caps::POLICY_FAULTS_MAX;
use drl_proto::v1;
use drl_proto::v1::admin_server::Admin;
use tonic::{Request, Response, Status};

use super::placing::{node_message, seat_message};
use super::status::invalid;
use super::{convert, explain};
use crate::cluster::{Session, Standing};
use crate::judge::Judge;
use crate::policies::Policies;
use crate::surroundings::Surroundings;
use drl_membership::{Node, Placement};

pub(super) struct AdminService {
    judge: Judge,
    surroundings: Surroundings,
    policies: Policies,
}

impl AdminService {
    pub(super) const fn new(judge: Judge, surroundings: Surroundings, policies: Policies) -> Self {
        Self { judge, surroundings, policies }
    }

    fn policies(&self, standing: Option<&Standing>) -> v1::PoliciesStatus {
        let counted = self.policies.counted();
        let broken = standing.map(|standing| &standing.broken[..]).unwrap_or_default();
        let message = |broken: &crate::cluster::BrokenPolicy| v1::BrokenPolicy {
            key: broken.key.clone(),
            reason: broken.reason.clone(),
            since_revision: broken.since_revision,
        };
        v1::PoliciesStatus {
            revision: counted.revision,
            count: counted.count as u64,
            broken: broken.iter().take(POLICY_FAULTS_MAX).map(message).collect(),
            broken_count: counted.broken.max(broken.len()) as u64,
            complete: counted.missing == 0,
        }
    }
}

#[tonic::async_trait]
impl Admin for AdminService {
    async fn status(&self, _: Request<v1::StatusRequest>) -> Result<Response<v1::StatusResponse>, Status> {
        let (placement, standing) = (self.surroundings.placement(), self.surroundings.standing());
        let owned = count(placement.owned_by(self.surroundings.me()));
        let (owned, answering) =
            standing.as_ref().map_or((owned, owned), |standing| (standing.shards_owned, standing.shards_answering));
        let mut troubles: Vec<String> =
            self.judge.host().ready().err().map(|stopped| stopped.to_string()).into_iter().collect();
        troubles.extend(standing.iter().flat_map(|standing| standing.troubles.iter().cloned()));
        let session_held = standing.as_ref().is_none_or(|standing| standing.session == Session::Held);
        Ok(Response::new(v1::StatusResponse {
            cluster: self.surroundings.cluster_name().to_owned(),
            node: Some(node_status(&placement, self.surroundings.me())),
            shard_count: self.surroundings.shards().get().into(),
            shards_with_owner: count(placement.with_owner()),
            shards_owned: owned,
            shards_answering: answering,
            session_held,
            authority_left_nanos: standing.as_ref().map(|standing| standing.authority_left.0),
            policies: Some(self.policies(standing.as_ref())),
            troubles,
            placement_revision: placement.revision,
        }))
    }

    async fn nodes(&self, _: Request<v1::NodesRequest>) -> Result<Response<v1::NodesResponse>, Status> {
        let placement = self.surroundings.placement();
        let nodes = placement.nodes.keys().map(|node| node_status(&placement, node)).collect();
        Ok(Response::new(v1::NodesResponse { nodes, placement_revision: placement.revision }))
    }

    async fn shards(&self, request: Request<v1::ShardsRequest>) -> Result<Response<v1::ShardsResponse>, Status> {
        let placement = self.surroundings.placement();
        let only = request.into_inner().node;
        let only = if only.is_empty() { None } else { Some(NodeId::new(&only).map_err(invalid)?) };
        if let Some(node) = &only
            && !placement.nodes.contains_key(node)
            && placement.owned_by(node) == 0
        {
            return Err(Status::not_found(format!("there is no node {node}; see the list of nodes")));
        }
        let seats = placement.seats.iter().enumerate().filter(|(_, seat)| {
            only.as_ref().is_none_or(|node| seat.as_ref().is_some_and(|seat| seat.owner.node == *node))
        });
        Ok(Response::new(v1::ShardsResponse {
            shards: seats.map(|(index, seat)| seat_message(index, seat.as_ref())).collect(),
            shard_count: self.surroundings.shards().get().into(),
            placement_revision: placement.revision,
        }))
    }

    async fn explain(&self, request: Request<v1::ExplainRequest>) -> Result<Response<v1::ExplainResponse>, Status> {
        let request = request.into_inner();
        let key = convert::key(&request.namespace, &request.client_id)?;
        let explained = explain::here(&self.judge, &self.surroundings, &*self.policies.service(), key).await;
        let answer = match explained {
            explain::Explained::Whole(answer) => answer,
            explain::Explained::Elsewhere(answer) if request.here_only => answer,
            explain::Explained::Elsewhere(answer) => explain::ask_owner(&self.surroundings, &request, answer).await,
        };
        Ok(Response::new(answer))
    }
}

/// A node of the placement; one without a session has a name only.
fn node_status(placement: &Placement, id: &NodeId) -> v1::NodeStatus {
    let named = || v1::PlacementNode { id: id.to_string(), ..v1::PlacementNode::default() };
    let known = |node: &Node| node_message(id, node);
    let node = placement.nodes.get(id).map_or_else(named, known);
    v1::NodeStatus { node: Some(node), shards_owned: count(placement.owned_by(id)) }
}

fn count(shards: usize) -> u32 {
    u32::try_from(shards).unwrap_or(u32::MAX)
}
