//! The data directory: what lies where, whose it is, and that nobody else uses it.
//!
//! ```text
//! directory.json   format version, lineage, node id; written once, last of all
//! lock             held exclusively while the directory is open
//! mark             the high-water mark (mark.rs)
//! policies         that of the policies (policy_mark.rs)
//! db/              RocksDB
//! ```
//!
//! Creation writes `directory.json.new`, then the database and the marks, then renames it to `directory.json`. So a directory
//! with `directory.json` has had all its parts, and one of them missing is damage, not a beginning; a directory with
//! `directory.json.new` alone was never used, and its creation goes on. Invariant: a directory that is not ours is not touched.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use drl_core::NodeId;
use serde::{Deserialize, Serialize};

use crate::{Lineage, OpenError};

/// The layout of the directory, the keys and the envelopes together.
const FORMAT: u64 = 1;

/// Far more than a document takes; a longer file is not one.
const DOCUMENT_BYTES_MAX: u64 = 4_096;

/// What a new file system may hold before anybody used it.
const FOREIGN_TOLERATED: &[&str] = &["lost+found", "lock"];

/// An open and locked data directory.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    lineage: Lineage,
    stage: Stage,
    /// Holds the lock until it is dropped.
    _lock: File,
}

/// How far the directory has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Under creation: its database and mark may be missing.
    New,
    /// Complete: nothing may be missing.
    Established,
}

/// The whole document.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    format: u64,
    lineage: String,
    node_id: String,
}

/// What every format, later ones too, has in common.
#[derive(Debug, Deserialize)]
struct Versioned {
    format: u64,
}

impl Directory {
    /// Locks the directory and checks whose it is; begins one where there is none.
    ///
    /// # Errors
    /// Every [`OpenError`] but those of the database.
    pub(crate) fn open(root: &Path, node_id: &NodeId) -> Result<Self, OpenError> {
        fs::create_dir_all(root).map_err(|error| OpenError::io(root, error))?;
        refuse_foreign(root)?;
        let lock = lock(root)?;
        let established = root.join("directory.json");
        let begun = root.join("directory.json.new");
        if let Some(document) = read_document(root, &established)? {
            let lineage = adopt(root, &document, node_id)?;
            return Ok(Self { root: root.to_owned(), lineage, stage: Stage::Established, _lock: lock });
        }
        // Under the lock, so that a directory that another process finished in between was seen above.
        refuse_foreign(root)?;
        let lineage = Lineage::draw().map_err(|error| OpenError::io(root, error))?;
        let document = Document { format: FORMAT, lineage: lineage.to_string(), node_id: node_id.to_string() };
        write_document(&begun, &document).map_err(|error| OpenError::io(&begun, error))?;
        sync_directory(root).map_err(|error| OpenError::io(root, error))?;
        Ok(Self { root: root.to_owned(), lineage, stage: Stage::New, _lock: lock })
    }

    /// Declares that the database and the mark are there.
    ///
    /// # Errors
    /// [`OpenError::Io`] or [`OpenError::NoSpace`].
    pub(crate) fn establish(&mut self) -> Result<(), OpenError> {
        let established = self.root.join("directory.json");
        fs::rename(self.root.join("directory.json.new"), &established)
            .and_then(|()| sync_directory(&self.root))
            .and_then(|()| self.root.parent().map_or(Ok(()), sync_parent))
            .map_err(|error| OpenError::io(&established, error))?;
        self.stage = Stage::Established;
        Ok(())
    }

    pub(crate) const fn stage(&self) -> Stage {
        self.stage
    }

    pub(crate) const fn lineage(&self) -> Lineage {
        self.lineage
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("db")
    }

    /// Bytes of the database's WAL files; what cannot be asked counts as nothing.
    pub(crate) fn wal_bytes(&self) -> u64 {
        let entries = fs::read_dir(self.database()).into_iter().flatten().flatten();
        let logs = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log"));
        logs.filter_map(|log| log.metadata().ok()).fold(0, |sum, log| sum.saturating_add(log.len()))
    }

    pub(crate) fn mark(&self) -> PathBuf {
        self.root.join("mark")
    }

    pub(crate) fn policy_mark(&self) -> PathBuf {
        self.root.join("policies")
    }
}

/// Refuses a directory that holds something and is neither ours nor begun by us.
fn refuse_foreign(root: &Path) -> Result<(), OpenError> {
    let ours = |name: &str| root.join(name).try_exists().map_err(|error| OpenError::io(root, error));
    if ours("directory.json")? || ours("directory.json.new")? {
        return Ok(());
    }
    for entry in fs::read_dir(root).map_err(|error| OpenError::io(root, error))? {
        let name = entry.map_err(|error| OpenError::io(root, error))?.file_name();
        if !FOREIGN_TOLERATED.iter().any(|tolerated| name == *tolerated) {
            let reason = format!("it holds {} but no directory.json", name.display());
            return Err(OpenError::NotADataDirectory { dir: root.to_owned(), reason });
        }
    }
    Ok(())
}

fn lock(root: &Path) -> Result<File, OpenError> {
    let path = root.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| OpenError::io(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::AlreadyInUse { dir: root.to_owned() }),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&path, error)),
    }
}

/// `None` when there is no such file.
fn read_document(root: &Path, path: &Path) -> Result<Option<Document>, OpenError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::io(path, error)),
    };
    let mut text = Vec::new();
    file.take(DOCUMENT_BYTES_MAX).read_to_end(&mut text).map_err(|error| OpenError::io(path, error))?;
    let unreadable = |error: serde_json::Error| OpenError::NotADataDirectory {
        dir: root.to_owned(),
        reason: format!("its directory.json is not readable: {error}"),
    };
    let Versioned { format } = serde_json::from_slice(&text).map_err(unreadable)?;
    if format != FORMAT {
        return Err(OpenError::OtherFormat { dir: root.to_owned(), found: format, supported: FORMAT });
    }
    serde_json::from_slice(&text).map(Some).map_err(unreadable)
}

fn adopt(root: &Path, document: &Document, node_id: &NodeId) -> Result<Lineage, OpenError> {
    if document.node_id != node_id.as_str() {
        return Err(OpenError::OtherNode {
            dir: root.to_owned(),
            found: document.node_id.clone(),
            expected: node_id.to_string(),
        });
    }
    Lineage::parse(&document.lineage).ok_or_else(|| OpenError::NotADataDirectory {
        dir: root.to_owned(),
        reason: format!("the lineage {:?} in its directory.json is not 32 hexadecimal digits", document.lineage),
    })
}

fn write_document(path: &Path, document: &Document) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(document).map_err(io::Error::other)?;
    text.push(b'\n');
    fs::write(path, text)?;
    File::open(path)?.sync_all()
}

fn sync_directory(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The entry of the data directory itself. A relative path of one part has the empty parent, which is the present directory.
fn sync_parent(parent: &Path) -> io::Result<()> {
    sync_directory(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}
