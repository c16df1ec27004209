//! The service `Admin`: how this node and its cluster stand, and why a client is limited as it is.

use drl_core::NodeId;
use drl_core::caps::POLICY_FAULTS_MAX;
use drl_proto::v1;
use drl_proto::v1::admin_server::Admin;
use tonic::{Request, Response, Status};

use super::draining::{self, Wanted};
use super::placing::node_message;
use super::status::invalid;
use super::{asking, convert, explain, shards};
use crate::cluster::{Session, Standing};
use crate::judge::Judge;
use crate::policies::Policies;
use crate::surroundings::Surroundings;
use drl_membership::{InSync, Node, Placement};

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
        let stats = self.judge.host().stats();
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
            shards_in_sync: count(placement.owned().filter(|seat| seat.in_sync).count()),
            shards_seeding: count(placement.owned().filter(|seat| !seat.in_sync && seat.follower.is_some()).count()),
            lags: shards::lags(&stats),
            unacked_cost: stats.unacked_cost,
        }))
    }

    async fn nodes(&self, request: Request<v1::NodesRequest>) -> Result<Response<v1::NodesResponse>, Status> {
        let (placement, me) = (self.surroundings.placement(), self.surroundings.me());
        let mut nodes: Vec<v1::NodeStatus> = placement.nodes.keys().map(|node| node_status(&placement, node)).collect();
        if request.into_inner().with_load {
            let others = asking::everybody(&placement, me).await;
            let stats = self.judge.host().stats();
            for (id, status) in placement.nodes.keys().zip(&mut nodes) {
                status.load = match others.get(id) {
                    Some(other) => Some(v1::NodeLoad { lags: other.lags.clone(), unacked_cost: other.unacked_cost }),
                    None if id == me => {
                        Some(v1::NodeLoad { lags: shards::lags(&stats), unacked_cost: stats.unacked_cost })
                    }
                    None => None,
                };
            }
        }
        Ok(Response::new(v1::NodesResponse { nodes, placement_revision: placement.revision }))
    }

    async fn shards(&self, request: Request<v1::ShardsRequest>) -> Result<Response<v1::ShardsResponse>, Status> {
        let v1::ShardsRequest { node, with_lag } = request.into_inner();
        let only = if node.is_empty() { None } else { Some(NodeId::new(&node).map_err(invalid)?) };
        let stats = self.judge.host().stats();
        Ok(Response::new(shards::list(&self.surroundings, &stats, only, with_lag).await?))
    }

    async fn drain(&self, request: Request<v1::DrainRequest>) -> Result<Response<v1::DrainResponse>, Status> {
        let v1::DrainRequest { node, here_only } = request.into_inner();
        draining::carry_out(&self.surroundings, Wanted::Drain, &node, here_only).await?;
        Ok(Response::new(v1::DrainResponse {}))
    }

    async fn undrain(&self, request: Request<v1::UndrainRequest>) -> Result<Response<v1::UndrainResponse>, Status> {
        let v1::UndrainRequest { node, here_only } = request.into_inner();
        draining::carry_out(&self.surroundings, Wanted::Undrain, &node, here_only).await?;
        Ok(Response::new(v1::UndrainResponse {}))
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
    v1::NodeStatus {
        node: Some(node),
        shards_owned: count(placement.owned_by(id)),
        shards_followed: count(placement.followed_by(id, InSync::Yes)),
        shards_learning: count(placement.followed_by(id, InSync::No)),
        load: None,
    }
}

fn count(shards: usize) -> u32 {
    u32::try_from(shards).unwrap_or(u32::MAX)
}
