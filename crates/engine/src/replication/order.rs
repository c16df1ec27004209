//! What the machine of records tells the ledger about copies of shards.

use std::collections::BTreeSet;

use drl_core::{Epoch, Nanos, ShardId};

use super::message::{Join, Start};
use crate::ledger::Ledger;
use crate::ownership::{Bugs, Holder};

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Be this lifetime to others, or none: copies and acknowledgements of the one before are void.
    Lifetime(Option<Holder>),
    /// Listen to these lifetimes for signs of life.
    Listen { to: BTreeSet<Holder> },
    /// Want a copy of this shard there.
    Seat { shard: ShardId, to: Holder, start: Start },
    /// Want no copy there any more.
    Unseat { shard: ShardId, to: Holder },
    /// Replies of this shard wait for the acknowledgements of that copy.
    Require { shard: ShardId, to: Holder },
    /// Go on under the next epoch, with no copy but `keep`.
    Advance { shard: ShardId, epoch: Epoch, keep: Option<Holder> },
    /// Say when a frozen shard has nothing more to send and everything is acknowledged.
    Flush { shard: ShardId },
    /// Follow this owner; the promise is on disk.
    Follow { owner: Holder, join: Join, start: Start },
    /// Take nothing more of this shard from others.
    Unfollow { shard: ShardId },
    /// The marker of a complete copy is on disk: its last part may be acknowledged.
    CopyCounts { shard: ShardId },
}

impl<B: Bugs> Ledger<B> {
    /// Does what ownership wants. Replies that waited may leave afterwards.
    pub fn obey(&mut self, order: Order, now: Nanos) {
        match order {
            Order::Lifetime(me) => self.begin_lifetime(me),
            Order::Listen { to } => self.listen(to, now),
            Order::Seat { shard, to, start } => self.seat(shard, &to, start, now),
            Order::Unseat { shard, to } => self.unseat(shard, &to),
            Order::Require { shard, to } => self.require(shard, &to),
            Order::Advance { shard, epoch, keep } => self.advance(shard, epoch, keep.as_ref()),
            Order::Flush { shard } => self.flush(shard),
            Order::Follow { owner, join, start } => self.follow(&owner, join, start, now),
            Order::Unfollow { shard } => self.unfollow(shard),
            Order::CopyCounts { shard } => self.copy_counts(shard),
        }
    }
}
