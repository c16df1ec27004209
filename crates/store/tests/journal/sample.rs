//! Frames and pages whose content follows from their number, so that whatever is read back can be checked without knowing how
//! it got there. Invariant: no two frames, and no two versions of a page, are alike.

use std::collections::BTreeMap;

use drl_core::{CommitNo, ShardId};
use drl_store::{Corrupt, PageId, Recovered, Recovery, RocksStore, Store, Wholeness};

/// Up to 5 KB, different for each commit.
pub(crate) fn frame(commit: u64) -> Vec<u8> {
    let length = usize::try_from(commit * 37 % 5_000).unwrap() + 8;
    commit
        .to_be_bytes()
        .into_iter()
        .chain((0..).map(|at: u32| (at.wrapping_mul(31) ^ 0x5a).to_le_bytes()[0]))
        .take(length)
        .collect()
}

pub(crate) const fn page_id(number: u16) -> PageId {
    PageId { shard: ShardId::new(number), bucket: 7 }
}

/// A page that holds everything up to `commit`; compressible, like real ones.
pub(crate) fn page(number: u16, commit: u64) -> Vec<u8> {
    let unit = [&number.to_be_bytes()[..], &commit.to_be_bytes()[..]].concat();
    unit.repeat(200)
}

/// The commit that a page was written at.
///
/// # Panics
/// When the page is not exactly one of [`page`].
pub(crate) fn commit_of(id: PageId, payload: &[u8]) -> u64 {
    let commit = u64::from_be_bytes(payload[2..10].try_into().unwrap());
    assert_eq!(payload, page(id.shard.get(), commit), "page {id:?} is not what was written");
    commit
}

/// What a recovery handed over, each value checked.
#[derive(Debug, Default)]
pub(crate) struct ReadBack {
    pub(crate) commits: Vec<u64>,
    pub(crate) pages: BTreeMap<PageId, u64>,
}

impl Recovery for ReadBack {
    fn page(&mut self, page: PageId, payload: &[u8]) -> Result<(), Corrupt> {
        self.pages.insert(page, commit_of(page, payload));
        Ok(())
    }

    fn frame(&mut self, commit: CommitNo, payload: &[u8]) -> Result<(), Corrupt> {
        assert_eq!(payload, frame(commit.0), "frame {} is not what was written", commit.0);
        if let Some(last) = self.commits.last() {
            assert_eq!(last + 1, commit.0, "frames come without a gap");
        }
        self.commits.push(commit.0);
        Ok(())
    }
}

/// Recovers a store that must be readable.
pub(crate) fn recover(store: &RocksStore) -> (Recovered, ReadBack) {
    let mut read_back = ReadBack::default();
    let recovered = store.recover(&mut read_back).unwrap();
    (recovered, read_back)
}

/// Recovers a store that must be whole.
pub(crate) fn recover_whole(store: &RocksStore) -> (Recovered, ReadBack) {
    let (recovered, read_back) = recover(store);
    assert_eq!(recovered.wholeness, Wholeness::Whole);
    (recovered, read_back)
}
