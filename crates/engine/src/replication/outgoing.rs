//! What one process lifetime sends to another: frames, kept until they are acknowledged.
//!
//! Rule (protocol, epoch rule 1 and section 5): an acknowledgement names both lifetimes and covers every frame up to its number. What
//! is not acknowledged is sent again, the same bytes under the same number. A lifetime that does not acknowledge fills its window,
//! and then the owner decides nothing more for the shards that wait for it (`excerpts.rs`): back-pressure, not memory. One that acknowledges
//! nothing at all for 5 s is given up, also when it beats.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use drl_core::caps::{
    REPLICATION_FRAMES_IN_FLIGHT_MAX, REPLICATION_FRAMES_SEEDING_MAX, REPLICATION_RESEND_MILLIS,
    REPLICATION_STALL_MILLIS,
};
use drl_core::{CommitNo, Nanos, ShardId};

use super::message::{Ack, PeerFrame};

/// Frames on their way to one lifetime.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outgoing {
    stream: u64,
    last: u64,
    acked: u64,
    unacked: VecDeque<Sent>,
    /// Shards whose copy does not count yet, as the last acknowledgement says.
    unmarked: BTreeSet<ShardId>,
    /// When anything was acknowledged or sent again last.
    moved: Nanos,
    /// Since when nothing was acknowledged of what was sent.
    waits_since: Nanos,
}

#[derive(Debug, Clone)]
struct Sent {
    frame: PeerFrame,
    /// The last commit that was sealed when it was sent.
    commit: CommitNo,
    at: Nanos,
}

/// What was sent to another lifetime and is not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lag {
    pub frames: u64,
    /// Since when the oldest of them waits.
    pub since: Option<Nanos>,
}

impl Outgoing {
    pub(crate) fn new(stream: u64) -> Self {
        Self { stream, ..Self::default() }
    }

    /// The number of the last frame that was sent.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// Whether this stream is meant, and something of it was acknowledged before.
    pub(crate) const fn was_taken(&self, stream: u64) -> bool {
        self.stream == stream && self.acked > 0
    }

    pub(crate) const fn acked(&self) -> u64 {
        self.acked
    }

    pub(crate) fn send(&mut self, payload: Arc<[u8]>, commit: CommitNo, now: Nanos) -> PeerFrame {
        if self.unacked.is_empty() {
            (self.moved, self.waits_since) = (now, now);
        }
        self.last += 1;
        let frame = PeerFrame { stream: self.stream, number: self.last, payload };
        self.unacked.push_back(Sent { frame: frame.clone(), commit, at: now });
        frame
    }

    pub(crate) fn lag(&self) -> Lag {
        Lag { frames: self.unacked.len() as u64, since: self.unacked.front().map(|sent| sent.at) }
    }

    /// Whether there is room for another frame.
    pub(crate) fn has_room(&self) -> bool {
        self.unacked.len() < REPLICATION_FRAMES_IN_FLIGHT_MAX
    }

    /// Whether there is room for another part of a snapshot.
    pub(crate) fn has_room_to_seed(&self) -> bool {
        self.unacked.len() < REPLICATION_FRAMES_SEEDING_MAX
    }

    /// Takes an acknowledgement. Whether it covers more than any before; one that names what was never sent says nothing.
    ///
    /// A copy is on its follower's list from before the first acknowledgement that covers it until its marker is on disk: whichever
    /// acknowledgement covers it and does not name it says that it counts, in whatever order they come.
    pub(crate) fn acknowledged(&mut self, ack: &Ack, now: Nanos) -> bool {
        if ack.stream != self.stream || ack.number < self.acked || ack.number > self.last {
            return false;
        }
        if ack.number == self.acked {
            self.unmarked.retain(|shard| ack.unmarked.contains(shard));
            return false;
        }
        (self.acked, self.moved, self.waits_since) = (ack.number, now, now);
        self.unmarked = ack.unmarked.iter().copied().collect();
        while self.unacked.front().is_some_and(|sent| sent.frame.number <= ack.number) {
            self.unacked.pop_front();
        }
        true
    }

    /// Whether the copy of a shard there counts, as far as it is acknowledged.
    pub(crate) fn counts(&self, shard: ShardId) -> bool {
        !self.unmarked.contains(&shard)
    }

    /// Whether every frame that was sent with this commit or before is acknowledged.
    pub(crate) fn covers(&self, commit: CommitNo) -> bool {
        self.unacked.front().is_none_or(|sent| sent.commit > commit)
    }

    /// Whether nothing is acknowledged for so long that nothing will be.
    pub(crate) fn is_stalled(&self, now: Nanos) -> bool {
        let patience = Nanos::from_millis(REPLICATION_STALL_MILLIS).0;
        !self.unacked.is_empty() && self.waits_since.0.saturating_add(patience) < now.0
    }

    /// Waits from now on: this process was not there to hear anything.
    pub(crate) const fn forgive(&mut self, now: Nanos) {
        self.waits_since = now;
    }

    /// What is to be sent again, because nothing moved for a while.
    pub(crate) fn again(&mut self, now: Nanos) -> Vec<PeerFrame> {
        let due = Nanos(self.moved.0.saturating_add(Nanos::from_millis(REPLICATION_RESEND_MILLIS).0));
        if self.unacked.is_empty() || due > now {
            return Vec::new();
        }
        self.moved = now;
        self.unacked.iter().map(|sent| sent.frame.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(stream: u64, number: u64) -> Ack {
        Ack { stream, number, ..Ack::default() }
    }

    fn sent(frames: u64) -> Outgoing {
        let mut outgoing = Outgoing::default();
        for number in 1..=frames {
            outgoing.send(Arc::from([]), CommitNo(10 * number), Nanos::ZERO);
        }
        outgoing
    }

    #[test]
    fn a_commit_is_covered_when_its_frame_and_all_before_it_are_acknowledged() {
        let mut outgoing = sent(3);
        assert!(!outgoing.covers(CommitNo(10)));
        assert!(outgoing.acknowledged(&ack(0, 2), Nanos::ZERO));
        assert!(outgoing.covers(CommitNo(29)) && !outgoing.covers(CommitNo(30)));
    }

    #[test]
    fn the_lag_is_what_is_not_acknowledged_and_since_when() {
        let mut outgoing = Outgoing::default();
        assert_eq!(outgoing.lag(), Lag::default());
        for millis in [5, 7, 9] {
            outgoing.send(Arc::from([]), CommitNo(1), Nanos::from_millis(millis));
        }
        assert_eq!(outgoing.lag(), Lag { frames: 3, since: Some(Nanos::from_millis(5)) });
        outgoing.acknowledged(&ack(0, 2), Nanos::from_millis(11));
        assert_eq!(outgoing.lag(), Lag { frames: 1, since: Some(Nanos::from_millis(9)) });
    }

    #[test]
    fn an_acknowledgement_that_is_old_or_of_what_was_never_sent_says_nothing() {
        let mut outgoing = sent(2);
        assert!(!outgoing.acknowledged(&ack(0, 3), Nanos::ZERO));
        assert!(outgoing.acknowledged(&ack(0, 1), Nanos::ZERO) && !outgoing.acknowledged(&ack(0, 1), Nanos::ZERO));
        assert!(!outgoing.covers(CommitNo(20)));
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_after_a_while() {
        let mut outgoing = sent(2);
        assert!(outgoing.again(Nanos::from_millis(1)).is_empty());
        let later = Nanos::from_millis(REPLICATION_RESEND_MILLIS);
        assert_eq!(outgoing.again(later).iter().map(|frame| frame.number).collect::<Vec<_>>(), [1, 2]);
        assert!(outgoing.again(later).is_empty(), "once, and then again after a while");
    }

    #[test]
    fn a_copy_counts_from_the_first_acknowledgement_on_that_covers_it_and_does_not_name_it() {
        let (mut outgoing, shard) = (sent(3), ShardId::new(7));
        let naming = |number| Ack { unmarked: vec![shard], ..ack(0, number) };
        outgoing.acknowledged(&naming(2), Nanos::ZERO);
        assert!(!outgoing.counts(shard) && outgoing.counts(ShardId::new(8)));
        outgoing.acknowledged(&ack(0, 1), Nanos::ZERO);
        assert!(!outgoing.counts(shard), "that one is older, and does not cover it");
        outgoing.acknowledged(&ack(0, 2), Nanos::ZERO);
        assert!(outgoing.counts(shard));
        outgoing.acknowledged(&naming(2), Nanos::ZERO);
        assert!(outgoing.counts(shard), "that one was said before");
    }
}
