//! The two implementations as subjects of the claims, and a data directory to play with. On disk a crash is dropping the store
//! without closing it (real kills are in `kill.rs`); a power cut keeps what was not synced, which no claim forbids.

use std::path::{Path, PathBuf};

use drl_core::{CommitNo, NodeId};
use drl_store::conformance::{Broken, Subject};
use drl_store::{Crash, Damage, MemoryStore, OpenError, OpenOptions, PageId, RocksStore, Store};
use tempfile::TempDir;

#[derive(Default)]
pub(crate) struct InMemory(MemoryStore);

impl Subject for InMemory {
    fn store(&self) -> &dyn Store {
        &self.0
    }

    fn restart(&mut self, crash: Crash, damage: &[Damage]) -> Result<(), Broken> {
        self.0.crash(crash);
        for damage in damage {
            self.0.damage(*damage);
        }
        Ok(())
    }
}

pub(crate) struct OnDisk {
    dir: TempDir,
    boot: u32,
    store: Option<RocksStore>,
}

impl OnDisk {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), "boot 0").unwrap();
        Self { dir, boot: 0, store: Some(store) }
    }
}

impl Subject for OnDisk {
    fn store(&self) -> &dyn Store {
        self.store.as_ref().unwrap()
    }

    fn restart(&mut self, crash: Crash, damage: &[Damage]) -> Result<(), Broken> {
        drop(self.store.take());
        if !damage.is_empty() {
            damage_directory(self.dir.path(), damage);
        }
        if crash == Crash::Power {
            self.boot += 1;
        }
        let store = open(self.dir.path(), &format!("boot {}", self.boot))
            .map_err(|error| Broken { what: error.to_string() })?;
        self.store = Some(store);
        Ok(())
    }
}

pub(crate) fn open(dir: &Path, boot_id: &str) -> Result<RocksStore, OpenError> {
    RocksStore::open(dir, OpenOptions { node_id: NodeId::new("node-1").unwrap(), boot_id: boot_id.to_owned() })
}

/// Changes values behind the store's back, through RocksDB itself; keys and names are those of the frozen format.
fn damage_directory(dir: &Path, damage: &[Damage]) {
    let names = ["default", "journal", "pages", "records"];
    let db = rocksdb::DB::open_cf(&rocksdb::Options::default(), dir.join("db"), names).unwrap();
    let flip = |name: &str, key: &[u8]| {
        let column_family = db.cf_handle(name).unwrap();
        let mut value = db.get_cf(column_family, key).unwrap().unwrap();
        *value.last_mut().unwrap() ^= 1;
        db.put_cf(column_family, key, value).unwrap();
    };
    for damage in damage {
        match *damage {
            Damage::LoseMark => std::fs::remove_file(dir.join("mark")).unwrap(),
            Damage::LoseFrame(commit) => db.delete_cf(db.cf_handle("journal").unwrap(), frame_key(commit)).unwrap(),
            Damage::CorruptFrame(commit) => flip("journal", &frame_key(commit)),
            Damage::CorruptPage(page) => flip("pages", &page_key(page)),
        }
    }
}

fn frame_key(commit: CommitNo) -> [u8; 8] {
    commit.0.to_be_bytes()
}

fn page_key(page: PageId) -> [u8; 3] {
    let [high, low] = page.shard.get().to_be_bytes();
    [high, low, page.bucket]
}

/// A copy of a data directory that nobody has open, for one experiment.
pub(crate) fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    copy_into(from, to.path());
    to
}

fn copy_into(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_into(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// The files of the database with this ending, oldest first.
pub(crate) fn database_files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

/// Bytes in the files of a directory.
pub(crate) fn bytes_on_disk(dir: &Path) -> u64 {
    sum_of_files(dir, std::fs::Metadata::len)
}

/// Bytes that the file system holds for a directory, those that were reserved and not written included.
pub(crate) fn bytes_reserved(dir: &Path) -> u64 {
    sum_of_files(dir, |file| std::os::unix::fs::MetadataExt::blocks(file) * 512)
}

fn sum_of_files(dir: &Path, measure: fn(&std::fs::Metadata) -> u64) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    // A file may vanish between listing and asking: RocksDB deletes in the background.
    entries
        .map(|entry| {
            if entry.path().is_dir() {
                sum_of_files(&entry.path(), measure)
            } else {
                entry.metadata().map_or(0, |file| measure(&file))
            }
        })
        .sum()
}
