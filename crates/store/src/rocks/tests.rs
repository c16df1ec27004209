//! What only RocksDB's own counters show: which writes reach the disk before they are answered.

use rocksdb::statistics::Ticker;

use super::*;
use crate::Corrupt;

struct Ignore;

impl Recovery for Ignore {
    fn page(&mut self, _: PageId, _: &[u8]) -> Result<(), Corrupt> {
        Ok(())
    }

    fn frame(&mut self, _: CommitNo, _: &[u8]) -> Result<(), Corrupt> {
        Ok(())
    }
}

#[test]
fn exactly_the_promised_writes_are_synced() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::open(dir.path(), &NodeId::new("node-1").unwrap()).unwrap();
    let mut settings = options::database(directory.stage());
    settings.enable_statistics();
    let store = RocksStore::open_with(directory, &settings, "boot".to_owned()).unwrap();
    store.recover(&mut Ignore).unwrap();
    let synced = |write: &dyn Fn() -> Result<(), WriteError>| {
        let before = settings.get_ticker_count(Ticker::WalFileSynced);
        write().unwrap();
        settings.get_ticker_count(Ticker::WalFileSynced) - before
    };
    let record = Record { kind: RecordKind::Role, key: vec![0, 1], value: Some(b"owner".to_vec()) };
    let page = (PageId { shard: drl_core::ShardId::new(0), bucket: 0 }, vec![1]);

    assert_eq!(synced(&|| store.append(CommitNo(1), b"one", CommitSync::Now)), 1);
    assert_eq!(synced(&|| store.append(CommitNo(2), b"two", CommitSync::Later)), 1, "the run is marked first");
    assert_eq!(synced(&|| store.append(CommitNo(3), b"three", CommitSync::Later)), 0);
    assert_eq!(synced(&|| store.append(CommitNo(4), b"four", CommitSync::Now)), 1);
    assert_eq!(synced(&|| store.sync()), 1);
    assert_eq!(synced(&|| store.write_pages(std::slice::from_ref(&page))), 0);
    assert_eq!(synced(&|| store.put_records(std::slice::from_ref(&record))), 1);
    assert!(synced(&|| store.checkpoint(CommitNo(2))) >= 2, "before the cut, and the cut");
    assert!(synced(&|| store.discard_counters()) >= 1);
    assert!(synced(&|| store.close()) >= 1);
}
