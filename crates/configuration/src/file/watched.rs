//! A path that is looked at: whether other bytes are there than at the last look. It knows nothing of what they mean.
//!
//! File systems keep times in ticks of some milliseconds, so a second edit of the same length can hide in the tick of the first. A file
//! is therefore read once more at the look after a change; only when both looks agree is its stamp trusted.

use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use drl_core::caps::POLICY_FILE_BYTES_MAX;

use super::FileError;

#[derive(Debug)]
pub(super) struct Watched {
    path: PathBuf,
    /// `None` when the last look failed or there was none.
    seen: Option<Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    stamp: Stamp,
    digest: u64,
    trust: Trust,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The file was read once under this stamp.
    Once,
    /// It was read twice and was the same.
    Settled,
}

/// What tells one version of a file from another without reading it. Links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Watched {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes that are there; `None` when they are those of the last look.
    pub(super) fn look(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        let before = self.seen.take();
        let failed = |source| FileError::Read { path: self.path.clone(), source };
        // The stamp is taken first: an edit while the file is read shows as another stamp at the next look.
        let stamp = Stamp::of(&fs::metadata(&self.path).map_err(failed)?);
        let same_stamp = before.filter(|seen| seen.stamp == stamp);
        if let Some(settled) = same_stamp.filter(|seen| seen.trust == Trust::Settled) {
            self.seen = Some(settled);
            return Ok(None);
        }
        let Some(content) = read(&self.path).map_err(failed)? else {
            return Err(FileError::TooLarge { path: self.path.clone() });
        };
        let digest = digest(&content);
        let trust = if same_stamp.is_some_and(|seen| seen.digest == digest) { Trust::Settled } else { Trust::Once };
        self.seen = Some(Seen { stamp, digest, trust });
        Ok((before.map(|seen| seen.digest) != Some(digest)).then_some(content))
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The bytes of the file; `None` when there are more than the cap.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    let length = fs::File::open(path)?.take(POLICY_FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    let fits = u64::try_from(length).is_ok_and(|length| length <= POLICY_FILE_BYTES_MAX);
    Ok(fits.then_some(content))
}

/// Tells contents apart; nobody gains by making two that collide.
fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(content);
    hasher.finish()
}
