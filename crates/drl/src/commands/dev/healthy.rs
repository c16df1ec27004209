//! When the nodes of `drl dev` are a cluster: each says that every shard has an owner, and that it decides all of its own. They are
//! asked as anybody would ask them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::anyhow;
use drl_proto::v1::admin_client::AdminClient;
use drl_proto::v1::{StatusRequest, StatusResponse};
use tokio::time::{interval, timeout};

/// A start takes a second or two; a machine that is busy takes longer.
const WITHIN: Duration = Duration::from_mins(2);

/// How often a node is asked that is not ready.
const PACE: Duration = Duration::from_millis(50);

/// # Errors
/// When it takes too long.
pub(super) async fn wait(nodes: impl Iterator<Item = SocketAddr>) -> anyhow::Result<()> {
    let all = async {
        for address in nodes {
            until_ready(address).await;
        }
    };
    timeout(WITHIN, all)
        .await
        .map_err(|_| anyhow!("the nodes do not come together within {WITHIN:?}; --log-level info tells more"))
}

async fn until_ready(address: SocketAddr) {
    let mut pace = interval(PACE);
    loop {
        pace.tick().await;
        // It listens already; an answer that fails is asked for again.
        let Ok(mut admin) = AdminClient::connect(format!("http://{address}")).await else { continue };
        while let Ok(answer) = admin.status(StatusRequest {}).await {
            if is_ready(answer.get_ref()) {
                return;
            }
            pace.tick().await;
        }
    }
}

fn is_ready(status: &StatusResponse) -> bool {
    let is_owned = status.shard_count > 0 && status.shards_with_owner == status.shard_count;
    status.session_held && is_owned && status.shards_answering == status.shards_owned
}
