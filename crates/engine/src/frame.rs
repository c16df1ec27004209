//! The frame: everything that changed since the last commit, as resulting state.
//!
//! Format (little-endian; the store adds version and checksum around it):
//!
//! ```text
//! u8 format = 2 | u64 policy revision | u32 offset of the dictionary | u32 count of sections
//! section:  u16 shard | u64 epoch | u64 seq | u64 shard time | u64 floor (0: none) | u8 part | u32 count of rows | rows
//! dictionary
//! ```

use drl_core::{Epoch, KeyHash, Seq, ShardId, ShardTime};
use drl_limits::Counter;

use crate::bytes::{Malformed, Reader, patch_u32};
use crate::dictionary::{self, DictionaryWriter};
use crate::row;

const FORMAT: u8 = 2;
const DICTIONARY_OFFSET_AT: usize = 9;
const SECTION_COUNT_AT: usize = 13;

/// The head of a section: whose rows follow, and where they stand in the order of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) shard: ShardId,
    pub(crate) epoch: Epoch,
    pub(crate) seq: Seq,
    pub(crate) time: ShardTime,
    pub(crate) floor: Option<ShardTime>,
}

impl Head {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.shard.get().to_le_bytes());
        for field in [self.epoch.0, self.seq.0, self.time.0, self.floor.map_or(0, |floor| floor.0)] {
            out.extend_from_slice(&field.to_le_bytes());
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            shard: ShardId::new(reader.u16("section shard")?),
            epoch: Epoch(reader.u64("section epoch")?),
            seq: Seq(reader.u64("section seq")?),
            time: ShardTime(reader.u64("section time")?),
            floor: Some(ShardTime(reader.u64("section floor")?)).filter(|floor| *floor != ShardTime::ZERO),
        })
    }
}

/// What a section's rows are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// What changed.
    Changes,
    /// The first part of a snapshot: nothing from before it stays.
    First,
    Middle,
    Last,
    /// A snapshot in one part.
    Whole,
}

impl Part {
    const ALL: [Self; 5] = [Self::Changes, Self::First, Self::Middle, Self::Last, Self::Whole];

    pub(crate) const fn is_first(self) -> bool {
        matches!(self, Self::First | Self::Whole)
    }

    pub(crate) const fn is_last(self) -> bool {
        matches!(self, Self::Last | Self::Whole)
    }
}

/// Writes one frame into a buffer that the caller keeps for the next one.
pub(crate) struct FrameWriter<'a> {
    out: &'a mut Vec<u8>,
    dictionary: &'a mut DictionaryWriter,
    sections: u32,
    rows: u32,
    section_at: usize,
    row_count_at: usize,
}

impl<'a> FrameWriter<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, dictionary: &'a mut DictionaryWriter, policy_revision: u64) -> Self {
        out.clear();
        out.push(FORMAT);
        out.extend_from_slice(&policy_revision.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        Self { out, dictionary, sections: 0, rows: 0, section_at: 0, row_count_at: 0 }
    }

    pub(crate) fn section(&mut self, head: Head, part: Part) {
        self.close_section();
        self.section_at = self.out.len();
        head.write(self.out);
        self.out.push(part as u8);
        self.row_count_at = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        self.sections += 1;
    }

    /// `false` when the dictionary is full: the row belongs into the next frame.
    pub(crate) fn row(&mut self, key: KeyHash, counter: Option<&Counter>) -> bool {
        let is_written = row::write(key, counter, self.dictionary, self.out);
        self.rows += u32::from(is_written);
        is_written
    }

    /// Ends the section, so that its bytes are as they will stay.
    pub(crate) fn close(&mut self) -> &[u8] {
        self.close_section();
        &self.out[self.section_at..]
    }

    pub(crate) fn finish(mut self) {
        self.close_section();
        let offset = u32::try_from(self.out.len()).unwrap_or(u32::MAX);
        patch_u32(self.out, DICTIONARY_OFFSET_AT, offset);
        patch_u32(self.out, SECTION_COUNT_AT, self.sections);
        self.dictionary.finish(self.out);
    }

    fn close_section(&mut self) {
        if self.sections > 0 && self.rows > 0 {
            patch_u32(self.out, self.row_count_at, self.rows);
        }
        self.rows = 0;
    }
}

/// Some of the sections of a frame, as a frame of their own: the same bytes, with the same dictionary.
#[derive(Debug)]
pub(crate) struct Excerpt {
    bytes: Vec<u8>,
    sections: u32,
}

impl Excerpt {
    pub(crate) fn new() -> Self {
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(&[0; SECTION_COUNT_AT + 4 - 1]);
        Self { bytes, sections: 0 }
    }

    pub(crate) fn take(&mut self, section: &[u8]) {
        self.bytes.extend_from_slice(section);
        self.sections += 1;
    }

    /// The frame, with what `whole`, from which its sections are, says of policies and shapes.
    pub(crate) fn finish(mut self, whole: &[u8]) -> Vec<u8> {
        let offset = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let field = |at: usize| whole.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        let dictionary =
            field(DICTIONARY_OFFSET_AT).and_then(|offset| whole.get(offset as usize..)).unwrap_or_default();
        let revision = whole.get(1..DICTIONARY_OFFSET_AT).unwrap_or_default();
        self.bytes[1..DICTIONARY_OFFSET_AT].copy_from_slice(revision);
        patch_u32(&mut self.bytes, DICTIONARY_OFFSET_AT, offset);
        patch_u32(&mut self.bytes, SECTION_COUNT_AT, self.sections);
        self.bytes.extend_from_slice(dictionary);
        self.bytes
    }
}

/// A section that was read.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) head: Head,
    pub(crate) part: Part,
    pub(crate) rows: Vec<(KeyHash, Option<Counter>)>,
}

/// The revision of the policies that a frame was sealed under.
pub(crate) fn policy_revision(payload: &[u8]) -> u64 {
    payload.get(1..DICTIONARY_OFFSET_AT).and_then(|field| field.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// The format of a frame, when it is another one than this program's.
pub(crate) fn other_format(payload: &[u8]) -> Option<u8> {
    payload.first().copied().filter(|format| *format != FORMAT)
}

/// Reads a whole frame before anything of it is applied, so that a malformed one changes nothing.
pub(crate) fn read(payload: &[u8]) -> Result<Vec<Section>, Malformed> {
    let mut header = Reader::new(payload);
    if header.u8("frame format")? != FORMAT {
        return Err(Malformed { what: "frame format" });
    }
    let _policy_revision = header.u64("policy revision")?;
    let offset = header.u32("dictionary offset")? as usize;
    let sections = header.u32("section count")?;
    let (_, dictionary) = payload.split_at_checked(offset).ok_or(Malformed { what: "dictionary" })?;
    let shapes = dictionary::read(dictionary)?;
    let body = payload.get(SECTION_COUNT_AT + 4..offset).ok_or(Malformed { what: "sections" })?;
    let mut reader = Reader::new(body);
    let mut found = Vec::new();
    for _ in 0..sections {
        let head = Head::read(&mut reader)?;
        let part = usize::from(reader.u8("section part")?);
        let part = *Part::ALL.get(part).ok_or(Malformed { what: "section part" })?;
        let count = reader.u32("row count")?;
        let mut rows = Vec::new();
        for _ in 0..count {
            rows.push(row::read(&mut reader, &shapes)?);
        }
        found.push(Section { head, part, rows });
    }
    reader.end("bytes behind the sections")?;
    Ok(found)
}
