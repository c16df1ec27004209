//! The high-water mark: the last write that was completed, in a file of its own beside the database. The page cache keeps it
//! through kill -9 as it keeps the journal, so a journal that ends below its mark has lost its tail, and that can be said.
//!
//! ```text
//! offset  bytes  what (little-endian)
//!      0      7  "drlmark"
//!      7      1  format, 1
//!      8     16  lineage of the data directory
//!     24      8  commit: the last frame that was appended
//!     32      8  sequence: RocksDB's number of the last write that was answered (frames, records, checkpoints)
//!     40      8  XXH3-64 of the 40 bytes before
//! ```
//!
//! It is written after each such write and not synced, except where a run begins or ends: behind a power cut it may be old,
//! never ahead of what it promises (unsynced writes of that run are a doubt of their own). 48 bytes lie in one sector, so they
//! are not torn. Does not know what the marked writes hold.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use drl_core::CommitNo;
use xxhash_rust::xxh3::xxh3_64;

use crate::Lineage;

const MAGIC: &[u8; 8] = b"drlmark\x01";
const MARK_BYTES: usize = 48;

/// What had been completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Mark {
    pub(crate) commit: CommitNo,
    pub(crate) sequence: u64,
}

/// The file, open for writing.
#[derive(Debug)]
pub(crate) struct MarkFile {
    file: File,
    lineage: Lineage,
}

/// The mark at `path`; `None` when it is missing, damaged or of another lineage.
///
/// # Errors
/// When the file is there and the operating system cannot read it.
pub(crate) fn read(path: &Path, lineage: Lineage) -> io::Result<Option<Mark>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = [0; MARK_BYTES];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok(decode(lineage, &bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

impl MarkFile {
    /// Creates the file or takes it over, writes `mark` and syncs it. The directory is synced by the caller.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub(crate) fn begin(path: &Path, lineage: Lineage, mark: Mark) -> io::Result<Self> {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        let mark_file = Self { file, lineage };
        mark_file.write(mark)?;
        mark_file.sync()?;
        Ok(mark_file)
    }

    /// Moves the mark, for the page cache to keep.
    pub(crate) fn write(&self, mark: Mark) -> io::Result<()> {
        self.file.write_all_at(&encode(self.lineage, mark), 0)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

fn encode(lineage: Lineage, mark: Mark) -> [u8; MARK_BYTES] {
    let mut bytes = [0; MARK_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..24].copy_from_slice(&lineage.bytes());
    bytes[24..32].copy_from_slice(&mark.commit.0.to_le_bytes());
    bytes[32..40].copy_from_slice(&mark.sequence.to_le_bytes());
    let sum = xxh3_64(&bytes[..40]);
    bytes[40..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode(lineage: Lineage, bytes: &[u8; MARK_BYTES]) -> Option<Mark> {
    let number = |at: usize| bytes[at..].first_chunk::<8>().map_or(0, |chunk| u64::from_le_bytes(*chunk));
    let genuine = bytes.starts_with(MAGIC) && bytes[8..24] == lineage.bytes() && number(40) == xxh3_64(&bytes[..40]);
    genuine.then(|| Mark { commit: CommitNo(number(24)), sequence: number(32) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINEAGE: Lineage = Lineage::from_bytes([7; 16]);
    const MARK: Mark = Mark { commit: CommitNo(258), sequence: 1027 };

    /// The expected sum was computed by another implementation of XXH3.
    #[test]
    fn bytes_are_frozen() {
        let mut expected = b"drlmark\x01".to_vec();
        expected.extend_from_slice(&[7; 16]);
        expected.extend_from_slice(&[2, 1, 0, 0, 0, 0, 0, 0]);
        expected.extend_from_slice(&[3, 4, 0, 0, 0, 0, 0, 0]);
        expected.extend_from_slice(FROZEN_SUM);
        assert_eq!(encode(LINEAGE, MARK).as_slice(), expected);
    }

    const FROZEN_SUM: &[u8] = &[0x32, 0xbe, 0x1e, 0x7a, 0xd6, 0xc7, 0x4d, 0x25];

    #[test]
    fn any_flipped_bit_makes_it_unreadable() {
        let bytes = encode(LINEAGE, MARK);
        assert_eq!(decode(LINEAGE, &bytes), Some(MARK));
        for bit in 0..MARK_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(LINEAGE, &flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn mark_of_another_directory_is_unreadable() {
        assert_eq!(decode(Lineage::from_bytes([8; 16]), &encode(LINEAGE, MARK)), None);
    }

    #[test]
    fn missing_and_short_files_are_unreadable_not_errors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mark");
        assert_eq!(read(&path, LINEAGE).unwrap(), None);
        std::fs::write(&path, &encode(LINEAGE, MARK)[..47]).unwrap();
        assert_eq!(read(&path, LINEAGE).unwrap(), None);
    }

    #[test]
    fn moved_mark_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mark");
        let file = MarkFile::begin(&path, LINEAGE, Mark::default()).unwrap();
        assert_eq!(read(&path, LINEAGE).unwrap(), Some(Mark::default()));
        file.write(MARK).unwrap();
        assert_eq!(read(&path, LINEAGE).unwrap(), Some(MARK));
    }
}
