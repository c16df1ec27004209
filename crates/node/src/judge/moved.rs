//! Whether the owner that was asked is the owner no more, as far as the records say.
//!
//! An owner that is silent is taken over from within a second, and its answer would be waited for until the check's own deadline. One that
//! hands a shard over in order has answered before; its answer may only be a little behind the news.

use std::time::Duration;

use drl_core::{Epoch, NodeId, ShardId};
use drl_host::Host;

use crate::forward::errand::{self, Errand};
use crate::forward::{Forwarder, pause};

/// How long an answer may be behind the news that its shard has moved.
const BEHIND: Duration = Duration::from_millis(50);

/// Resolves when each of these errands, which `node` was asked for, has another owner.
pub(super) async fn all(node: &NodeId, errands: &[Errand], host: &Host, forwarder: &Forwarder) {
    let mut placement = forwarder.placement().clone();
    let asked: Vec<(Option<ShardId>, Epoch)> =
        errands.iter().map(|errand| (shard(errand, host), Epoch(errand.check.epoch))).collect();
    let have_moved = placement.wait_for(|placement| {
        asked.iter().all(|(shard, asked)| {
            let seat = shard.and_then(|shard| placement.seat(shard));
            seat.is_some_and(|seat| seat.epoch > *asked && seat.owner.node != *node)
        })
    });
    if have_moved.await.is_err() {
        // Nobody tells of placements any more.
        std::future::pending::<()>().await;
    }
    pause::wait(BEHIND).await;
}

/// The shard of an errand; every errand was a check before, so it has one.
pub(super) fn shard(errand: &Errand, host: &Host) -> Option<ShardId> {
    errand::key(&errand.check).ok().map(|key| host.shard_of(key))
}
