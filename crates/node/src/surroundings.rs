//! Where this node stands: its name, its cluster, who else is there. What placement, status and readiness are told from; a node that
//! stands alone is a cluster of one that never changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use drl_core::{Epoch, Generation, NodeId, ShardCount};
use drl_engine::ownership::Holder;
use drl_host::UnknownClient;
use tokio::sync::watch;

use crate::cluster::{ClusterOptions, Member, Standing};
use crate::listen::Addresses;
use crate::options::NodeOptions;
use drl_membership::{Node, NodeAddresses, Placement, Seat};

#[derive(Clone)]
pub(crate) struct Surroundings {
    me: NodeId,
    shards: ShardCount,
    unknown_client: UnknownClient,
    cluster: Option<ClusterOptions>,
    placement: watch::Receiver<Arc<Placement>>,
    /// Keeps the placement of a node that stands alone from ending.
    _alone: Option<Arc<watch::Sender<Arc<Placement>>>>,
}

impl Surroundings {
    /// Of a node with these options that listens there.
    pub(crate) fn of(options: &NodeOptions, addresses: Addresses) -> Self {
        let (placement, alone) = match &options.cluster {
            Some(of) => (of.member.placement(), None),
            None => {
                let (sender, receiver) = watch::channel(Arc::new(alone(&options.node_id, options.shards, addresses)));
                (receiver, Some(Arc::new(sender)))
            }
        };
        Self {
            me: options.node_id.clone(),
            shards: options.shards,
            unknown_client: options.unknown_client,
            cluster: options.cluster.clone(),
            placement,
            _alone: alone,
        }
    }

    pub(crate) const fn me(&self) -> &NodeId {
        &self.me
    }

    pub(crate) const fn shards(&self) -> ShardCount {
        self.shards
    }

    /// What happens to a client that no policy covers.
    pub(crate) const fn unknown_client(&self) -> UnknownClient {
        self.unknown_client
    }

    /// Empty for a node that stands alone.
    pub(crate) fn cluster_name(&self) -> &str {
        self.cluster.as_ref().map_or("", |of| &of.cluster.name)
    }

    /// How it stands as a member; `None` for a node that stands alone.
    pub(crate) fn standing(&self) -> Option<Standing> {
        self.cluster.as_ref().map(|of| of.member.standing())
    }

    /// `None` for a node that stands alone.
    pub(crate) fn member(&self) -> Option<&dyn Member> {
        self.cluster.as_ref().map(|of| &*of.member)
    }

    pub(crate) fn placement(&self) -> Arc<Placement> {
        Arc::clone(&self.placement.borrow())
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Placement>> {
        self.placement.clone()
    }
}

/// One node that owns every shard. It counts its epochs anew at each start, so whoever knows of the first one knows enough.
fn alone(me: &NodeId, shards: ShardCount, addresses: Addresses) -> Placement {
    let generation = Generation(1);
    let seat = Seat {
        epoch: Epoch(1),
        owner: Holder { node: me.clone(), generation },
        follower: None,
        in_sync: false,
        cold: false,
    };
    let addresses = NodeAddresses {
        grpc: addresses.grpc.to_string(),
        http: Some(addresses.http.to_string()),
        resp: addresses.resp.map(|resp| resp.to_string()),
    };
    let node = Node { generation, addresses, version: env!("CARGO_PKG_VERSION").to_owned(), draining: false };
    Placement {
        revision: 1,
        seats: shards.iter().map(|_| Some(seat.clone())).collect(),
        nodes: BTreeMap::from([(me.clone(), node)]),
    }
}
