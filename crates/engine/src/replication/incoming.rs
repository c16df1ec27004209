//! What one process lifetime takes from another: frames in order, and which of them may be acknowledged.
//!
//! Rule (protocol, section 8 of the design and epoch rules 1 and 3): a follower journals what it acknowledges. A frame is acknowledged
//! when the commit that holds its sections is in the journal. The marker that makes a copy count reaches the disk later than the copy's
//! last part; until then its shard is named in every acknowledgement, and no other shard's frames wait for it. A shard whose section was
//! refused is named in every acknowledgement until it is followed anew.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use drl_core::caps::PEER_FRAMES_UNJOURNALED_MAX;
use drl_core::{CommitNo, Epoch, ShardId};

use super::message::Ack;

#[derive(Debug, Clone, Default)]
pub(crate) struct Incoming {
    stream: u64,
    /// The last frame that was taken.
    received: u64,
    /// Frames by the commit of this node that they are in.
    journaling: VecDeque<(CommitNo, u64)>,
    /// The last frame whose commit is in the journal.
    journaled: u64,
    /// Shards whose copy is complete and whose marker is not on disk yet.
    unmarked: BTreeSet<ShardId>,
    refused: BTreeMap<ShardId, Epoch>,
    /// Shards that were ever followed: nothing else is sent here.
    joined: BTreeSet<ShardId>,
    said: Option<Ack>,
}

impl Incoming {
    /// Takes note of the stream of a frame. `false`: it is of one that its sender has forgotten.
    pub(crate) fn is_of(&mut self, stream: u64) -> bool {
        if stream > self.stream {
            let (refused, joined) = (std::mem::take(&mut self.refused), std::mem::take(&mut self.joined));
            *self = Self { stream, refused, joined, ..Self::default() };
        }
        stream == self.stream
    }

    /// Whether nothing of the stream was ever taken.
    pub(crate) const fn is_new(&self) -> bool {
        self.received == 0
    }

    /// Whether a frame of this number comes next. An earlier one was taken; a later one is sent again when its time comes.
    pub(crate) const fn is_next(&self, number: u64) -> bool {
        number == self.received + 1
    }

    /// A frame was taken, and is in the journal with that commit.
    pub(crate) fn took(&mut self, number: u64, commit: CommitNo) {
        self.received = number;
        self.journaling.push_back((commit, number));
    }

    /// A copy is complete, and does not count yet.
    pub(crate) fn completed(&mut self, shard: ShardId) {
        self.unmarked.insert(shard);
    }

    /// The marker is on disk.
    pub(crate) fn marked(&mut self, shard: ShardId) {
        self.unmarked.remove(&shard);
    }

    /// A copy is given up. One that does not count yet never will: its owner is told so.
    pub(crate) fn abandon(&mut self, shard: ShardId, epoch: Epoch) {
        if self.unmarked.contains(&shard) {
            self.refuse(shard, epoch);
        }
    }

    pub(crate) fn refuse(&mut self, shard: ShardId, epoch: Epoch) {
        self.unmarked.remove(&shard);
        self.refused.insert(shard, epoch);
    }

    /// A shard is followed anew.
    pub(crate) fn join(&mut self, shard: ShardId) {
        self.refused.remove(&shard);
        self.unmarked.remove(&shard);
        self.joined.insert(shard);
    }

    pub(crate) fn joined(&self) -> Vec<ShardId> {
        self.joined.iter().copied().collect()
    }

    /// Whether nothing more is taken until the journal has caught up.
    pub(crate) fn is_full(&self) -> bool {
        self.journaling.len() >= PEER_FRAMES_UNJOURNALED_MAX
    }

    /// Everything up to this commit is in the journal.
    pub(crate) fn committed(&mut self, commit: CommitNo) {
        while let Some((_, number)) = self.journaling.pop_front_if(|(of, _)| *of <= commit) {
            self.journaled = number;
        }
    }

    /// What can be acknowledged now, if that was not said yet.
    pub(crate) fn news(&mut self) -> Option<Ack> {
        let ack = self.ack();
        if ack.number == 0 && ack.refused.is_empty() || self.said.as_ref() == Some(&ack) {
            return None;
        }
        self.said = Some(ack.clone());
        Some(ack)
    }

    /// Everything is to be acknowledged once more: what was said may be lost.
    pub(crate) fn say_again(&mut self) {
        self.said = None;
    }

    /// What can be acknowledged now.
    pub(crate) fn ack(&self) -> Ack {
        Ack {
            stream: self.stream,
            number: self.journaled,
            refused: self.refused.iter().map(|(shard, epoch)| (*shard, *epoch)).collect(),
            unmarked: self.unmarked.iter().copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_acknowledged_when_its_commit_is_in_the_journal() {
        let mut incoming = Incoming::default();
        incoming.took(1, CommitNo(5));
        incoming.took(2, CommitNo(6));
        assert_eq!(incoming.news(), None);
        incoming.committed(CommitNo(5));
        assert_eq!(incoming.news().map(|ack| ack.number), Some(1));
        assert_eq!(incoming.news(), None, "once");
    }

    #[test]
    fn a_copy_without_its_marker_is_named_until_that_is_on_disk_and_holds_nothing_up() {
        let mut incoming = Incoming::default();
        incoming.took(1, CommitNo(1));
        incoming.completed(ShardId::new(7));
        incoming.took(2, CommitNo(1));
        incoming.committed(CommitNo(1));
        let said = |incoming: &mut Incoming| incoming.news().map(|ack| (ack.number, ack.unmarked));
        assert_eq!(said(&mut incoming), Some((2, vec![ShardId::new(7)])));
        incoming.marked(ShardId::new(7));
        assert_eq!(said(&mut incoming), Some((2, vec![])), "that is news");
        assert_eq!(said(&mut incoming), None);
        incoming.say_again();
        assert_eq!(said(&mut incoming), Some((2, vec![])));
    }

    #[test]
    fn a_refusal_is_said_with_every_later_acknowledgement() {
        let mut incoming = Incoming::default();
        for number in 1..=2 {
            incoming.took(number, CommitNo(number));
            incoming.refuse(ShardId::new(3), Epoch(9));
            incoming.committed(CommitNo(number));
            assert_eq!(incoming.news().map(|ack| ack.refused), Some(vec![(ShardId::new(3), Epoch(9))]));
        }
    }
}
