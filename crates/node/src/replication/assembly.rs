//! Parts of frames, put together. A frame that comes whole passes through.

use std::sync::Arc;

use drl_core::caps::REPLICATION_FRAME_BYTES_MAX;
use drl_engine::ownership::Holder;
use drl_engine::replication::PeerFrame;
use drl_proto::v1::letter::FramePart;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A part that is of no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    #[error("a frame has {length} bytes; at most {REPLICATION_FRAME_BYTES_MAX} are taken")]
    TooLong { length: u64 },
    #[error("a part of a frame has nothing in it")]
    Empty,
    #[error("the parts of a frame have {sent} bytes, and it has {length}")]
    Overfull { sent: usize, length: usize },
    #[error("too much has come of frames that are not complete; try again")]
    Crowded,
}

/// The frame that is not complete yet.
pub(super) struct Assembly {
    /// A place for each byte, shared by all streams.
    room: Arc<Semaphore>,
    incomplete: Option<Incomplete>,
}

struct Incomplete {
    of: (Holder, Holder, u64, u64),
    length: usize,
    bytes: Vec<u8>,
    room: OwnedSemaphorePermit,
}

impl Assembly {
    pub(super) const fn new(room: Arc<Semaphore>) -> Self {
        Self { room, incomplete: None }
    }

    /// The frame that this part completes.
    ///
    /// # Errors
    /// [`Misfit`]
    pub(super) fn take(&mut self, from: &Holder, to: &Holder, part: &FramePart) -> Result<Option<PeerFrame>, Misfit> {
        let &FramePart { stream, number, length, part: ref bytes } = part;
        let length = usize::try_from(length).ok().filter(|length| *length <= REPLICATION_FRAME_BYTES_MAX);
        let length = length.ok_or(Misfit::TooLong { length: part.length })?;
        if bytes.len() == length {
            self.incomplete = None;
            return Ok(Some(PeerFrame { stream, number, payload: Arc::from(&bytes[..]) }));
        }
        if bytes.is_empty() {
            return Err(Misfit::Empty);
        }
        let of = (from.clone(), to.clone(), stream, number);
        let before = self.incomplete.take().filter(|before| before.of == of && before.length == length);
        let sent = before.as_ref().map_or(0, |before| before.bytes.len()) + bytes.len();
        if sent > length {
            return Err(Misfit::Overfull { sent, length });
        }
        let places = u32::try_from(bytes.len()).map_err(|_| Misfit::Crowded)?;
        let places = Arc::clone(&self.room).try_acquire_many_owned(places).map_err(|_| Misfit::Crowded)?;
        let incomplete = match before {
            Some(mut before) => {
                before.bytes.extend_from_slice(bytes);
                before.room.merge(places);
                before
            }
            None => Incomplete { of, length, bytes: bytes.to_vec(), room: places },
        };
        if sent == length {
            return Ok(Some(PeerFrame { stream, number, payload: incomplete.bytes.into() }));
        }
        self.incomplete = Some(incomplete);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use drl_core::{Generation, NodeId};

    use super::*;

    fn part(number: u64, length: u64, bytes: &'static [u8]) -> FramePart {
        FramePart { stream: 1, number, length, part: bytes.into() }
    }

    fn take(assembly: &mut Assembly, part: &FramePart) -> Result<Option<Vec<u8>>, Misfit> {
        let holder = Holder { node: NodeId::new("a").unwrap(), generation: Generation(1) };
        Ok(assembly.take(&holder, &holder, part)?.map(|frame| frame.payload.to_vec()))
    }

    #[test]
    fn parts_become_a_frame_and_leave_their_room() {
        let room = Arc::new(Semaphore::new(4));
        let mut assembly = Assembly::new(Arc::clone(&room));
        for _ in 0..3 {
            assert_eq!(take(&mut assembly, &part(1, 4, b"ab")), Ok(None));
            assert_eq!(take(&mut assembly, &part(1, 4, b"cd")), Ok(Some(b"abcd".to_vec())));
        }
        assert_eq!(room.available_permits(), 4);
    }

    #[test]
    fn a_frame_that_begins_ends_one_that_is_not_complete() {
        let mut assembly = Assembly::new(Arc::new(Semaphore::new(9)));
        assert_eq!(take(&mut assembly, &part(1, 4, b"ab")), Ok(None));
        assert_eq!(take(&mut assembly, &part(2, 3, b"x")), Ok(None));
        assert_eq!(take(&mut assembly, &part(2, 3, b"yz")), Ok(Some(b"xyz".to_vec())));
        assert_eq!(take(&mut assembly, &part(1, 4, b"cd")), Ok(None), "its first part is gone");
        assert_eq!(take(&mut assembly, &part(3, 0, b"")), Ok(Some(Vec::new())));
    }

    #[test]
    fn what_is_too_long_or_fits_nowhere_is_refused() {
        let room = Arc::new(Semaphore::new(4));
        let mut assembly = Assembly::new(Arc::clone(&room));
        let long = REPLICATION_FRAME_BYTES_MAX as u64 + 1;
        assert_eq!(take(&mut assembly, &part(1, long, b"a")), Err(Misfit::TooLong { length: long }));
        assert_eq!(take(&mut assembly, &part(1, 3, b"")), Err(Misfit::Empty));
        assert_eq!(take(&mut assembly, &part(1, 3, b"ab")), Ok(None));
        assert_eq!(take(&mut assembly, &part(1, 3, b"cd")), Err(Misfit::Overfull { sent: 4, length: 3 }));
        assert_eq!(take(&mut assembly, &part(1, 9, b"12345")), Err(Misfit::Crowded));
        assert_eq!(room.available_permits(), 4);
    }
}
