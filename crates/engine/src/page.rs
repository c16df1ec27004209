//! The page: the counters of one hash bucket of a shard, as of a checkpoint. Beside its 64 pages a shard has a head page
//! ([`HEAD_BUCKET`]) with its epoch, seq, time and floor; it is written last, so that frames up to it are never skipped early.
//!
//! Format (little-endian; the store adds version and checksum around it):
//!
//! ```text
//! page:       u8 format = 1 | u32 offset of the dictionary | u32 count of rows | rows | dictionary
//! head page:  u8 format = 1 | u16 shard | u64 epoch | u64 seq | u64 shard time | u64 floor (0: none)
//! ```

use drl_core::KeyHash;
use drl_core::caps::PAGES_PER_SHARD;
use drl_limits::Counter;

use crate::bytes::{Malformed, Reader, patch_u32};
use crate::dictionary::{self, DictionaryWriter};
use crate::frame::Head;
use crate::row;

const FORMAT: u8 = 1;
const DICTIONARY_OFFSET_AT: usize = 1;
const ROW_COUNT_AT: usize = 5;
const ROWS_AT: usize = 9;

/// The bucket number of a shard's head page.
pub const HEAD_BUCKET: u8 = PAGES_PER_SHARD;

/// A page to be stored; an empty payload says that the page is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub bucket: u8,
    pub payload: Vec<u8>,
}

/// Collects the rows of one page.
#[derive(Default)]
pub(crate) struct PageWriter {
    out: Vec<u8>,
    dictionary: DictionaryWriter,
    rows: u32,
}

impl PageWriter {
    /// `false` when the dictionary is full and the row was not taken.
    pub(crate) fn row(&mut self, key: KeyHash, counter: &Counter) -> bool {
        if self.out.is_empty() {
            self.out.push(FORMAT);
            self.out.extend_from_slice(&[0; ROWS_AT - DICTIONARY_OFFSET_AT]);
        }
        let is_written = row::write(key, Some(counter), &mut self.dictionary, &mut self.out);
        self.rows += u32::from(is_written);
        is_written
    }

    /// The payload; empty when there was no row.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.rows > 0 {
            let offset = u32::try_from(self.out.len()).unwrap_or(u32::MAX);
            patch_u32(&mut self.out, DICTIONARY_OFFSET_AT, offset);
            patch_u32(&mut self.out, ROW_COUNT_AT, self.rows);
            self.dictionary.finish(&mut self.out);
        }
        self.out
    }
}

pub(crate) fn read(payload: &[u8]) -> Result<Vec<(KeyHash, Counter)>, Malformed> {
    let mut header = Reader::new(payload);
    if header.u8("page format")? != FORMAT {
        return Err(Malformed { what: "page format" });
    }
    let offset = header.u32("dictionary offset")? as usize;
    let count = header.u32("row count")?;
    let (_, dictionary) = payload.split_at_checked(offset).ok_or(Malformed { what: "dictionary" })?;
    let shapes = dictionary::read(dictionary)?;
    let mut reader = Reader::new(payload.get(ROWS_AT..offset).ok_or(Malformed { what: "rows" })?);
    let mut rows = Vec::new();
    for _ in 0..count {
        let (key, counter) = row::read(&mut reader, &shapes)?;
        rows.push((key, counter.ok_or(Malformed { what: "row shape" })?));
    }
    reader.end("bytes behind the rows")?;
    Ok(rows)
}

pub(crate) fn write_head(head: &Head) -> Vec<u8> {
    let mut out = vec![FORMAT];
    head.write(&mut out);
    out
}

pub(crate) fn read_head(payload: &[u8]) -> Result<Head, Malformed> {
    let mut reader = Reader::new(payload);
    if reader.u8("head format")? != FORMAT {
        return Err(Malformed { what: "head format" });
    }
    let head = Head::read(&mut reader)?;
    reader.end("bytes behind the head")?;
    Ok(head)
}
