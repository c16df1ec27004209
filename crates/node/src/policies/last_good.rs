//! The last good policies of a cluster, kept in this node's store beside its counters, so that they are in force again after a restart
//! of everything, whatever etcd holds by then.

use std::sync::{Arc, OnceLock};

use drl_host::Stopper;
use drl_policies::{LastGood, LastGoodError, LastGoodRecord};
use drl_store::{Record, RecordKind, Store};

pub(crate) struct StoreLastGood {
    store: Arc<dyn Store>,
    /// The host over the same store, which must hear of a failed write.
    stopper: OnceLock<Stopper>,
}

impl StoreLastGood {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, stopper: OnceLock::new() }
    }

    /// Names the host that a failed write stops. The first one stays: there is one host over a store.
    pub(crate) fn stops(&self, stopper: Stopper) {
        let _ = self.stopper.set(stopper);
    }
}

impl LastGood for StoreLastGood {
    fn load(&self) -> Result<Vec<LastGoodRecord>, LastGoodError> {
        self.store.records(RecordKind::Policy).map_err(|error| LastGoodError { reason: error.to_string() })
    }

    fn save(&self, changes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<(), LastGoodError> {
        let record = |(key, value): &(Vec<u8>, Option<Vec<u8>>)| Record {
            kind: RecordKind::Policy,
            key: key.clone(),
            value: value.clone(),
        };
        let records: Vec<Record> = changes.iter().map(record).collect();
        if records.is_empty() {
            return Ok(());
        }
        self.store.put_records(&records).map_err(|failed| {
            if let Some(stopper) = self.stopper.get() {
                stopper.stop(&failed.to_string());
            }
            LastGoodError { reason: failed.to_string() }
        })
    }
}

#[cfg(test)]
mod tests {
    use drl_policies::conformance::{Broken, Subject, check};
    use drl_store::{Crash, MemoryStore, Recovery};

    use super::*;

    struct Nothing;

    impl Recovery for Nothing {
        fn page(&mut self, _: drl_store::PageId, _: &[u8]) -> Result<(), drl_store::Corrupt> {
            Ok(())
        }

        fn frame(&mut self, _: drl_core::CommitNo, _: &[u8]) -> Result<(), drl_store::Corrupt> {
            Ok(())
        }
    }

    struct OverStore {
        store: Arc<MemoryStore>,
        last_good: StoreLastGood,
    }

    impl Subject for OverStore {
        fn last_good(&self) -> &dyn LastGood {
            &self.last_good
        }

        fn restart(&mut self) -> Result<(), Broken> {
            self.store.crash(Crash::Power);
            self.store.recover(&mut Nothing).map(|_| ()).map_err(|error| Broken { what: error.to_string() })
        }
    }

    #[test]
    fn the_store_keeps_every_claim() {
        let store = Arc::new(MemoryStore::new());
        store.recover(&mut Nothing).unwrap();
        let last_good = StoreLastGood::new(store.clone());
        check(&mut OverStore { store, last_good }).unwrap();
    }
}
