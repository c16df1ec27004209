//! Why a node gives up every role and ends.

use super::view::{ClusterId, Revision};

/// A reason to stop that only an operator can remove.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StopReason {
    #[error(
        "node id in use: another process holds a session under this node's name; give each node its own --node-id, or wait until the other one has ended"
    )]
    NodeIdInUse,
    #[error(
        "etcd went back in time: revision {} after {} was seen; an older backup was restored. Stop all nodes and give etcd its newest data back, or start over with another --cluster and empty data directories (every client then begins with its full limit)",
        found.0, seen.0
    )]
    RevisionWentBack { found: Revision, seen: Revision },
    #[error(
        "this is another etcd cluster ({:x} instead of {:x}): check --etcd; if the old one is gone, start over with another --cluster and empty data directories (every client then begins with its full limit)",
        found.0, seen.0
    )]
    OtherCluster { found: ClusterId, seen: ClusterId },
    #[error(
        "the record of shard {shard} is at epoch {found}, but this node promised {promised} to somebody: etcd lost writes. Stop all nodes and give etcd its newest data back, or start over with another --cluster and empty data directories (every client then begins with its full limit)"
    )]
    EpochWentBack { shard: u16, found: u64, promised: u64 },
    #[error("the journal cannot be written any more")]
    StoreFailed,
}
