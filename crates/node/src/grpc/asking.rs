//! Asking the other nodes of the cluster what only they know. Each is asked at the same time as the others and has a short while; one
//! that does not answer is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use drl_core::NodeId;
use drl_core::caps::FORWARD_MILLIS_MAX;
use drl_membership::Placement;
use drl_proto::v1;
use drl_proto::v1::admin_client::AdminClient;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

/// How long one node may take that is asked alone.
const ONE_TIMEOUT: Duration = Duration::from_millis(FORWARD_MILLIS_MAX);

/// How long each may take when all are asked.
const ALL_TIMEOUT: Duration = Duration::from_secs(1);

/// The service `Admin` of the node at an address. It connects with the first call.
///
/// # Errors
/// What is wrong with the address.
pub(super) fn admin_at(address: &str) -> Result<AdminClient<Channel>, String> {
    admin(address, ONE_TIMEOUT)
}

fn admin(address: &str, within: Duration) -> Result<AdminClient<Channel>, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| error.to_string())?;
    Ok(AdminClient::new(endpoint.connect_timeout(within).timeout(within).connect_lazy()))
}

/// How every other node that has a session stands, as far as they answer.
pub(super) async fn everybody(placement: &Placement, me: &NodeId) -> BTreeMap<NodeId, v1::StatusResponse> {
    let mut asked = JoinSet::new();
    for (id, node) in placement.nodes.iter().filter(|(id, _)| *id != me) {
        let (id, address) = (id.clone(), node.addresses.grpc.clone());
        asked.spawn(async move {
            let status = admin(&address, ALL_TIMEOUT).ok()?.status(v1::StatusRequest {}).await.ok()?.into_inner();
            Some((id, status))
        });
    }
    asked.join_all().await.into_iter().flatten().collect()
}
