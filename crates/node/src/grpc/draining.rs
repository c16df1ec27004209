//! A node is asked to give away what it has, or to stay after all: any node takes that and passes it on to the one that is meant.

use drl_core::NodeId;
use drl_proto::v1;
use tonic::Status;

use super::asking;
use super::status::invalid;
use crate::cluster::Refused;
use crate::surroundings::Surroundings;

/// What is asked of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Drain,
    Undrain,
}

/// # Errors
/// Statuses as the protocol says.
pub(super) async fn carry_out(
    surroundings: &Surroundings,
    wanted: Wanted,
    node: &str,
    here_only: bool,
) -> Result<(), Status> {
    let node = NodeId::new(node).map_err(invalid)?;
    let Some(member) = surroundings.member() else {
        return Err(Status::failed_precondition("this node runs alone: there is nobody who could take its shards"));
    };
    if node == *surroundings.me() {
        tracing::info!(?wanted, "asked by an operator");
        let done = match wanted {
            Wanted::Drain => member.start_draining().await,
            Wanted::Undrain => member.stop_draining().await,
        };
        return done.map_err(|Refused { reason }| Status::failed_precondition(reason));
    }
    if here_only {
        return Err(Status::failed_precondition(format!("node {} is here, not {node}", surroundings.me())));
    }
    let placement = surroundings.placement();
    let Some(named) = placement.nodes.get(&node) else {
        return Err(Status::not_found(format!("there is no node {node} with a session; see the list of nodes")));
    };
    let address = &named.addresses.grpc;
    let silent = |reason: &str| Status::unavailable(format!("node {node} at {address} did not answer: {reason}"));
    let mut admin = asking::admin_at(address).map_err(|reason| silent(&reason))?;
    let node_name = node.to_string();
    let answer = match wanted {
        Wanted::Drain => admin.drain(v1::DrainRequest { node: node_name, here_only: true }).await.map(drop),
        Wanted::Undrain => admin.undrain(v1::UndrainRequest { node: node_name, here_only: true }).await.map(drop),
    };
    answer.map_err(|status| match status.code() {
        tonic::Code::FailedPrecondition => Status::failed_precondition(status.message()),
        _ => silent(status.message()),
    })
}
