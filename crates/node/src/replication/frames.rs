//! Frames that wait to be sent to one lifetime, in the order of their numbers. Long ones leave in parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use drl_core::caps::{REPLICATION_BYTES_WAITING_MAX, REPLICATION_FRAMES_WAITING_MAX};
use drl_engine::replication::PeerFrame;
use drl_proto::v1::letter::FramePart;

use super::waiting::Put;

#[derive(Debug, Default)]
pub(super) struct Frames {
    /// By stream and number: a frame that is sent again while it waits is the same one.
    waiting: BTreeMap<(u64, u64), Arc<[u8]>>,
    /// Of what waits and what is being cut.
    bytes: usize,
    cut: Option<Cut>,
}

/// A frame of which a part was sent.
#[derive(Debug)]
struct Cut {
    number: (u64, u64),
    whole: Bytes,
    sent: usize,
}

impl Frames {
    pub(super) fn put(&mut self, frame: PeerFrame) -> Put {
        let PeerFrame { stream, number, payload } = frame;
        self.forget_before(stream);
        let key = (stream, number);
        if self.waiting.contains_key(&key) || self.cut.as_ref().is_some_and(|cut| cut.number == key) {
            return Put::Waits;
        }
        let is_long = self.bytes > 0 && self.bytes + payload.len() > REPLICATION_BYTES_WAITING_MAX;
        if is_long || self.waiting.len() >= REPLICATION_FRAMES_WAITING_MAX {
            return Put::Full;
        }
        self.bytes += payload.len();
        self.waiting.insert(key, payload);
        Put::Waits
    }

    /// What waits of earlier streams was given up by its sender.
    fn forget_before(&mut self, stream: u64) {
        while let Some(first) = self.waiting.first_entry().filter(|first| first.key().0 < stream) {
            self.bytes -= first.remove().len();
        }
    }

    /// The next part, of at most so many bytes.
    pub(super) fn next(&mut self, bytes_max: usize) -> Option<FramePart> {
        let mut cut = match self.cut.take() {
            Some(cut) => cut,
            None => {
                let (number, payload) = self.waiting.pop_first()?;
                Cut { number, whole: Bytes::from_owner(payload), sent: 0 }
            }
        };
        let end = cut.whole.len().min(cut.sent.saturating_add(bytes_max));
        let ((stream, number), length) = (cut.number, cut.whole.len() as u64);
        let part = FramePart { stream, number, length, part: cut.whole.slice(cut.sent..end) };
        if end < cut.whole.len() {
            cut.sent = end;
            self.cut = Some(cut);
        } else {
            self.bytes -= cut.whole.len();
        }
        Some(part)
    }

    /// Begins the frame that is being cut anew: the parts that were sent are lost.
    pub(super) const fn restart(&mut self) {
        if let Some(cut) = &mut self.cut {
            cut.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u64, number: u64, bytes: usize) -> PeerFrame {
        PeerFrame { stream, number, payload: vec![7; bytes].into() }
    }

    fn numbers(frames: &mut Frames) -> Vec<u64> {
        std::iter::from_fn(|| frames.next(usize::MAX)).map(|part| part.number).collect()
    }

    #[test]
    fn frames_leave_in_order_and_one_that_waits_is_not_put_twice() {
        let mut frames = Frames::default();
        for number in [3, 4, 1, 2, 3, 4] {
            assert_eq!(frames.put(frame(1, number, 10)), Put::Waits);
        }
        assert_eq!(frames.bytes, 40);
        assert_eq!(numbers(&mut frames), [1, 2, 3, 4]);
        assert_eq!(frames.bytes, 0);
    }

    #[test]
    fn a_long_frame_leaves_in_parts_and_begins_anew_when_they_are_lost() {
        let mut frames = Frames::default();
        frames.put(frame(1, 1, 10));
        frames.put(frame(1, 2, 1));
        assert_eq!(frames.next(4).map(|part| part.part.len()), Some(4));
        frames.put(frame(1, 1, 10));
        frames.restart();
        let sizes: Vec<(u64, usize)> =
            std::iter::from_fn(|| frames.next(4)).map(|part| (part.number, part.part.len())).collect();
        assert_eq!(sizes, [(1, 4), (1, 4), (1, 2), (2, 1)]);
    }

    #[test]
    fn no_more_wait_than_may_and_one_always_may() {
        let mut frames = Frames::default();
        assert_eq!(frames.put(frame(1, 1, REPLICATION_BYTES_WAITING_MAX + 1)), Put::Waits);
        assert_eq!(frames.put(frame(1, 2, 1)), Put::Full);
        let mut frames = Frames::default();
        for number in 0..REPLICATION_FRAMES_WAITING_MAX as u64 {
            assert_eq!(frames.put(frame(1, number, 1)), Put::Waits);
        }
        assert_eq!(frames.put(frame(1, 1_000, 1)), Put::Full);
    }

    #[test]
    fn a_later_stream_ends_what_waits_of_the_one_before() {
        let mut frames = Frames::default();
        frames.put(frame(1, 7, 10));
        frames.put(frame(2, 1, 10));
        assert_eq!((numbers(&mut frames), frames.bytes), (vec![1], 0));
    }
}
