//! What a follower acknowledges, and when.
//!
//! Rules (protocol, epoch rules 1 and 3): a frame is acknowledged when it is in this node's own journal, and nothing past this node's own
//! deadline. A copy counts when its marker is on disk too; an acknowledgement names those that do not yet.

use drl_core::{CommitNo, Nanos, ShardId};

use super::message::Body;
use crate::ledger::Ledger;
use crate::ownership::{Bug, Bugs, Holder};

impl<B: Bugs> Ledger<B> {
    /// The marker of a complete copy is on disk.
    pub(crate) fn copy_counts(&mut self, shard: ShardId) {
        if let Some(following) = &self.shards[shard.index()].following
            && let Some(pair) = self.peers.pairs.get_mut(&following.owner)
        {
            pair.incoming.marked(shard);
        }
    }

    /// Everything up to a commit is in this node's journal: acknowledges what can be acknowledged.
    pub fn committed(&mut self, commit: CommitNo, now: Nanos) {
        self.journaled = commit;
        for pair in self.peers.pairs.values_mut() {
            pair.incoming.committed(commit);
        }
        self.look_at_the_restless();
        self.acknowledge(now);
    }

    /// Rule (protocol, epoch rule 3): only while this node's own deadline is ahead.
    pub(super) fn may_acknowledge(&self, now: Nanos) -> bool {
        !self.is_over(now) || self.bugs.has(Bug::AcksPastDeadline)
    }

    /// Acknowledges everything once more: what was said may be lost, and the other side may have nothing to repeat.
    pub(super) fn acknowledge_again(&mut self, now: Nanos) {
        self.peers.pairs.values_mut().for_each(|pair| pair.incoming.say_again());
        self.acknowledge(now);
    }

    /// Sends the acknowledgements that are news, unless this node is past its deadline.
    pub fn acknowledge(&mut self, now: Nanos) {
        if !self.may_acknowledge(now) {
            return;
        }
        let holders: Vec<Holder> = self.peers.pairs.keys().cloned().collect();
        for holder in holders {
            if let Some(ack) = self.peers.pairs.get_mut(&holder).and_then(|pair| pair.incoming.news()) {
                self.peers.say(&holder, Body::Ack(ack));
            }
        }
    }
}
