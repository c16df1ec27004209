//! The commits behind the last checkpoint: how many there are, how large, and which number comes next. Invariant: their
//! numbers are consecutive, so `last = checkpoint + frames`. Knows sizes, not frames.

use std::collections::VecDeque;

use drl_core::CommitNo;

/// What the journal holds behind its checkpoint.
#[derive(Debug)]
pub(crate) struct Tail {
    checkpoint: CommitNo,
    last: CommitNo,
    /// One per frame, oldest first; a frame is far below 4 GiB (caps).
    sizes_bytes: VecDeque<u32>,
    bytes: u64,
}

impl Tail {
    /// An empty journal behind a checkpoint.
    pub(crate) const fn behind(checkpoint: CommitNo) -> Self {
        Self { checkpoint, last: checkpoint, sizes_bytes: VecDeque::new(), bytes: 0 }
    }

    pub(crate) const fn last(&self) -> CommitNo {
        self.last
    }

    pub(crate) const fn checkpoint(&self) -> CommitNo {
        self.checkpoint
    }

    /// Bytes of the frames behind the checkpoint.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// # Errors
    /// A sentence, when `commit` is not the successor of the last one: the journal would have a gap.
    pub(crate) fn expect_next(&self, commit: CommitNo) -> Result<(), String> {
        if self.last.0.checked_add(1) == Some(commit.0) {
            return Ok(());
        }
        Err(format!("commit {} is not the successor of commit {}, the last one in the journal", commit.0, self.last.0))
    }

    /// Counts the frame that follows the last one.
    pub(crate) fn push(&mut self, frame_bytes: usize) {
        let size = u32::try_from(frame_bytes).unwrap_or(u32::MAX);
        self.sizes_bytes.push_back(size);
        self.bytes = self.bytes.saturating_add(u64::from(size));
        self.last = self.last.next();
    }

    /// # Errors
    /// A sentence, when `upto` was never committed: the frames that the pages claim to hold do not exist.
    pub(crate) fn expect_committed(&self, upto: CommitNo) -> Result<(), String> {
        if upto <= self.last {
            return Ok(());
        }
        Err(format!(
            "a checkpoint at commit {} is ahead of commit {}, the last one in the journal",
            upto.0, self.last.0
        ))
    }

    /// Forgets the frames up to and including `upto`; an older checkpoint than the present one changes nothing.
    pub(crate) fn cut(&mut self, upto: CommitNo) {
        while self.checkpoint < upto {
            let Some(size) = self.sizes_bytes.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(u64::from(size));
            self.checkpoint = self.checkpoint.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_successor_is_expected() {
        let mut tail = Tail::behind(CommitNo(7));
        assert!(tail.expect_next(CommitNo(7)).is_err());
        assert!(tail.expect_next(CommitNo(9)).is_err());
        assert!(tail.expect_next(CommitNo(8)).is_ok());
        tail.push(10);
        assert_eq!(tail.last(), CommitNo(8));
        assert!(Tail::behind(CommitNo(u64::MAX)).expect_next(CommitNo(u64::MAX)).is_err());
    }

    #[test]
    fn cut_forgets_exactly_what_is_behind_it() {
        let mut tail = Tail::behind(CommitNo(0));
        for size in [1, 10, 100] {
            tail.push(size);
        }
        assert_eq!(tail.bytes(), 111);
        tail.cut(CommitNo(2));
        assert_eq!((tail.bytes(), tail.last()), (100, CommitNo(3)));
        tail.cut(CommitNo(1));
        assert_eq!((tail.bytes(), tail.last()), (100, CommitNo(3)));
        tail.cut(CommitNo(3));
        assert_eq!((tail.bytes(), tail.last()), (0, CommitNo(3)));
        assert!(tail.expect_committed(CommitNo(3)).is_ok());
        assert!(tail.expect_committed(CommitNo(4)).is_err());
    }
}
