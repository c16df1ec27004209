//! Names of the column families and the keys inside them: the other half of the format on disk (values are in `envelope.rs`).
//!
//! ```text
//! journal   commit u64 big-endian                          8 bytes
//! pages     shard u16 big-endian, bucket u8                3 bytes
//! records   kind u8, key                                   1 to 1,025 bytes
//!           kind 0 is the store's own: "run" (run.rs) and "checkpoint" (commit u64 big-endian)
//!           kind 1 meta, 2 role, 3 policy
//! ```
//!
//! Big-endian, so that RocksDB's byte order is the order of the numbers. Invariant: parsing is the inverse of writing, and a
//! key of any other length is refused.

use drl_core::{CommitNo, ShardId};

use crate::{PageId, RecordKind};

pub(crate) const JOURNAL: &str = "journal";
pub(crate) const PAGES: &str = "pages";
pub(crate) const RECORDS: &str = "records";

/// The store's own record of the present run.
pub(crate) const RUN: &[u8] = b"\x00run";

/// The store's own record of the commit up to which the pages hold everything.
pub(crate) const CHECKPOINT: &[u8] = b"\x00checkpoint";

/// Above every frame and every page: longer than both, and all ones.
pub(crate) const END: &[u8] = &[0xff; 9];

pub(crate) const fn frame(commit: CommitNo) -> [u8; 8] {
    commit.0.to_be_bytes()
}

/// `None` when the key is not one of a frame.
pub(crate) fn parse_frame(key: &[u8]) -> Option<CommitNo> {
    Some(CommitNo(u64::from_be_bytes(key.try_into().ok()?)))
}

pub(crate) const fn page(page: PageId) -> [u8; 3] {
    let [high, low] = page.shard.get().to_be_bytes();
    [high, low, page.bucket]
}

/// `None` when the key is not one of a page.
pub(crate) fn parse_page(key: &[u8]) -> Option<PageId> {
    let [high, low, bucket] = key.try_into().ok()?;
    Some(PageId { shard: ShardId::new(u16::from_be_bytes([high, low])), bucket })
}

pub(crate) const fn kind_byte(kind: RecordKind) -> u8 {
    match kind {
        RecordKind::Meta => 1,
        RecordKind::Role => 2,
        RecordKind::Policy => 3,
    }
}

pub(crate) fn record(kind: RecordKind, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len().saturating_add(1));
    full.push(kind_byte(kind));
    full.extend_from_slice(key);
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_frozen() {
        assert_eq!(frame(CommitNo(0x0102_0304_0506_0708)), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(page(PageId { shard: ShardId::new(0x0102), bucket: 63 }), [1, 2, 63]);
        assert_eq!(record(RecordKind::Meta, b"clock"), b"\x01clock");
        assert_eq!(record(RecordKind::Role, &[0, 7]), [2, 0, 7]);
        assert_eq!(record(RecordKind::Policy, b""), [3]);
        assert_eq!((RUN, CHECKPOINT), (&b"\x00run"[..], &b"\x00checkpoint"[..]));
    }

    #[test]
    fn byte_order_is_number_order() {
        assert!(frame(CommitNo(255)) < frame(CommitNo(256)));
        assert!(frame(CommitNo(u64::MAX)).as_slice() < END);
        assert!(page(PageId { shard: ShardId::new(u16::MAX), bucket: u8::MAX }).as_slice() < END);
    }

    #[test]
    fn keys_of_another_length_are_refused() {
        assert_eq!(parse_frame(&[0; 8]), Some(CommitNo(0)));
        assert_eq!(parse_frame(&[0; 7]), None);
        assert_eq!(parse_frame(&[0; 9]), None);
        assert_eq!(parse_page(&[0, 1, 2]), Some(PageId { shard: ShardId::new(1), bucket: 2 }));
        assert_eq!(parse_page(&[0, 1]), None);
        assert_eq!(parse_page(&[0; 4]), None);
    }
}
