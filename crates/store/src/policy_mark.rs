//! The revision up to which policies were written, in a file of its own beside the database. Policies lie in the database alone;
//! damage to it may take the newest of them away without leaving a trace in it, and this file tells.
//!
//! ```text
//! offset  bytes  what (little-endian)
//!      0      7  "drlpols"
//!      7      1  format, 1
//!      8     16  lineage of the data directory
//!     24      8  revision of the last change of a policy that was completed; 0 before the first
//!     32      8  XXH3-64 of the 32 bytes before
//! ```
//!
//! Written and synced after the change itself, so it never promises what was not written. 40 bytes lie in one sector, so they are
//! not torn. Does not know what a policy is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use crate::Lineage;

const MAGIC: &[u8; 8] = b"drlpols\x01";
const FILE_BYTES: usize = 40;

/// The revision at `path`; `None` when it is missing, damaged or of another lineage.
///
/// # Errors
/// When the file is there and the operating system cannot read it.
pub(crate) fn read(path: &Path, lineage: Lineage) -> io::Result<Option<u64>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = [0; FILE_BYTES];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok(decode(lineage, &bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the revision, with an fsync. Policies change rarely, so the file is not kept open.
///
/// # Errors
/// When the operating system refuses.
pub(crate) fn write(path: &Path, lineage: Lineage, revision: u64) -> io::Result<()> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    file.write_all_at(&encode(lineage, revision), 0)?;
    file.sync_all()
}

fn encode(lineage: Lineage, revision: u64) -> [u8; FILE_BYTES] {
    let mut bytes = [0; FILE_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..24].copy_from_slice(&lineage.bytes());
    bytes[24..32].copy_from_slice(&revision.to_le_bytes());
    let sum = xxh3_64(&bytes[..32]);
    bytes[32..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode(lineage: Lineage, bytes: &[u8; FILE_BYTES]) -> Option<u64> {
    let number = |at: usize| bytes[at..].first_chunk::<8>().map_or(0, |chunk| u64::from_le_bytes(*chunk));
    let genuine = bytes.starts_with(MAGIC) && bytes[8..24] == lineage.bytes() && number(32) == xxh3_64(&bytes[..32]);
    genuine.then(|| number(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINEAGE: Lineage = Lineage::from_bytes([7; 16]);

    #[test]
    fn layout_is_frozen() {
        let bytes = encode(LINEAGE, 258);
        assert_eq!(&bytes[..8], b"drlpols\x01");
        assert_eq!(bytes[8..24], [7; 16]);
        assert_eq!(bytes[24..32], [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[32..], xxh3_64(&bytes[..32]).to_le_bytes());
    }

    #[test]
    fn any_flipped_bit_makes_it_unreadable() {
        let bytes = encode(LINEAGE, 258);
        assert_eq!(decode(LINEAGE, &bytes), Some(258));
        assert_eq!(decode(Lineage::from_bytes([8; 16]), &bytes), None);
        for bit in 0..FILE_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(LINEAGE, &flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn missing_and_short_files_are_unreadable_not_errors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policies");
        assert_eq!(read(&path, LINEAGE).unwrap(), None);
        write(&path, LINEAGE, 5).unwrap();
        assert_eq!(read(&path, LINEAGE).unwrap(), Some(5));
        std::fs::write(&path, &encode(LINEAGE, 5)[..39]).unwrap();
        assert_eq!(read(&path, LINEAGE).unwrap(), None);
    }
}
