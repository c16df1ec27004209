//! The cells of a counter as bytes, frozen by tests. The shape is not among them: a frame names it once, in a dictionary.
//!
//! Per limit, in order; `word` is 8 bytes little-endian, `varint` is LEB128 in its shortest form:
//!
//! ```text
//!   fixed window     word from, varint used
//!   sliding window   byte count (top bit: a word counted_from follows), then per entry, oldest first:
//!                    word latest (the first) or varint latest - latest before (the others), varint cost
//!   token bucket     word since, varint 2 spent + (1 if late > 0), then varint late if it is not zero
//! ```
//!
//! Invariant: whatever decodes keeps every invariant of its cell, so nothing behind this file meets a number out of range. There is
//! one spelling of each state, and no allocation before the count is checked.

use std::sync::Arc;

use drl_core::caps::COST_MAX;
use drl_core::{Nanos, ShardTime};

use super::{Cells, Counter};
use crate::bytes::{put_varint, put_word, take_byte, take_varint, take_word};
use crate::cell::Cell;
use crate::fixed_window::FixedWindow;
use crate::shape::LimitShape;
use crate::sliding_window::{Entry, SlidingWindow};
use crate::token_bucket::{SPENT_MAX, TokenBucket};
use crate::{Algorithm, Shape};

/// Top bit of a sliding window's count.
const COUNTED_FROM_FOLLOWS: u8 = 0x80;

/// Bytes that are not a counter of the shape they were read with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a counter of its shape: {problem}")]
pub struct CorruptCounter {
    pub problem: &'static str,
}

const CUT: CorruptCounter = CorruptCounter { problem: "cut short, or a number not in its shortest form" };

impl Counter {
    /// Appends the cells; the shape is written elsewhere.
    pub fn encode_cells(&self, out: &mut Vec<u8>) {
        for cell in self.cells.as_slice() {
            match cell {
                Cell::Fixed(cell) => encode_fixed(cell, out),
                Cell::Sliding(cell) => encode_sliding(cell, out),
                Cell::Bucket(cell) => encode_bucket(cell, out),
            }
        }
    }

    /// Takes the cells of a counter of this shape from the front of `input`.
    ///
    /// # Errors
    /// [`CorruptCounter`] when the bytes end early, a number is out of its range, or they are not the one spelling of a state; what
    /// `input` then points at is unspecified.
    pub fn decode_cells(shape: Arc<Shape>, input: &mut &[u8]) -> Result<Self, CorruptCounter> {
        let cells = shape.limits().iter().map(|limit| decode_cell(limit, input)).collect::<Result<Cells, _>>()?;
        Ok(Self { shape, cells })
    }
}

fn decode_cell(shape: &LimitShape, input: &mut &[u8]) -> Result<Cell, CorruptCounter> {
    Ok(match shape.algorithm() {
        Algorithm::FixedWindow => Cell::Fixed(decode_fixed(input)?),
        Algorithm::SlidingWindow => Cell::Sliding(decode_sliding(shape, input)?),
        Algorithm::TokenBucket => Cell::Bucket(decode_bucket(input)?),
    })
}

fn encode_fixed(cell: &FixedWindow, out: &mut Vec<u8>) {
    put_word(out, cell.from().0);
    put_varint(out, cell.used());
}

fn decode_fixed(input: &mut &[u8]) -> Result<FixedWindow, CorruptCounter> {
    let from = ShardTime(take_word(input).ok_or(CUT)?);
    Ok(FixedWindow::new(from, take_cost(input)?))
}

fn encode_sliding(cell: &SlidingWindow, out: &mut Vec<u8>) {
    let complete = cell.counted_from() == ShardTime::ZERO;
    // At most 65 entries: one more than the largest number of sub-windows.
    let count = u8::try_from(cell.entries().len()).unwrap_or(u8::MAX);
    out.push(if complete { count } else { count | COUNTED_FROM_FOLLOWS });
    if !complete {
        put_word(out, cell.counted_from().0);
    }
    let mut before: Option<ShardTime> = None;
    for entry in cell.entries() {
        match before {
            None => put_word(out, entry.latest.0),
            Some(before) => put_varint(out, entry.latest.since(before).0),
        }
        put_varint(out, entry.cost);
        before = Some(entry.latest);
    }
}

fn decode_sliding(shape: &LimitShape, input: &mut &[u8]) -> Result<SlidingWindow, CorruptCounter> {
    let marked = take_byte(input).ok_or(CUT)?;
    let count = marked & !COUNTED_FROM_FOLLOWS;
    if count > shape.sub_windows().saturating_add(1) {
        return Err(CorruptCounter { problem: "more entries than sub-windows" });
    }
    let counted_from = if marked == count { ShardTime::ZERO } else { ShardTime(take_word(input).ok_or(CUT)?) };
    if marked != count && (count == 0 || counted_from == ShardTime::ZERO) {
        return Err(CorruptCounter { problem: "a start of counting that says nothing" });
    }
    let mut entries = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        entries.push(decode_entry(entries.last(), input)?);
    }
    check_entries(shape, &entries)?;
    Ok(SlidingWindow::new(counted_from, entries))
}

fn decode_entry(before: Option<&Entry>, input: &mut &[u8]) -> Result<Entry, CorruptCounter> {
    let latest = match before {
        None => take_word(input).ok_or(CUT)?,
        Some(before) => {
            let later = take_varint(input).ok_or(CUT)?;
            before.latest.0.checked_add(later).ok_or(CorruptCounter { problem: "an entry beyond the end of time" })?
        }
    };
    Ok(Entry { latest: ShardTime(latest), cost: take_cost(input)? })
}

fn check_entries(shape: &LimitShape, entries: &[Entry]) -> Result<(), CorruptCounter> {
    let slot = |entry: &Entry| entry.latest.0 / shape.sub_window_nanos();
    if !entries.windows(2).all(|pair| slot(&pair[0]) < slot(&pair[1])) {
        return Err(CorruptCounter { problem: "two entries of one sub-window" });
    }
    let [first, .., last] = entries else { return Ok(()) };
    if last.latest.since(first.latest) >= shape.window().nanos() {
        return Err(CorruptCounter { problem: "entries further apart than the window" });
    }
    if entries.iter().rev().skip(1).any(|entry| entry.cost == 0) {
        return Err(CorruptCounter { problem: "an entry without cost" });
    }
    let total = entries.iter().map(|entry| u128::from(entry.cost)).sum::<u128>();
    if total > u128::from(COST_MAX) {
        return Err(CorruptCounter { problem: "more used than any limit allows" });
    }
    Ok(())
}

fn encode_bucket(cell: &TokenBucket, out: &mut Vec<u8>) {
    put_word(out, cell.since().0);
    // At most 2^63 + 1: `spent` is at most 2^62.
    put_varint(out, (cell.spent() << 1) | u64::from(cell.late() > Nanos::ZERO));
    if cell.late() > Nanos::ZERO {
        put_varint(out, cell.late().0);
    }
}

fn decode_bucket(input: &mut &[u8]) -> Result<TokenBucket, CorruptCounter> {
    let since = ShardTime(take_word(input).ok_or(CUT)?);
    let marked = take_varint(input).ok_or(CUT)?;
    let (spent, is_late) = (marked >> 1, marked & 1 == 1);
    if spent > SPENT_MAX {
        return Err(CorruptCounter { problem: "more spent than a bucket keeps" });
    }
    let late = if is_late { Nanos(take_varint(input).ok_or(CUT)?) } else { Nanos::ZERO };
    if is_late && late == Nanos::ZERO {
        return Err(CorruptCounter { problem: "a lateness that says nothing" });
    }
    Ok(TokenBucket::new(since, spent, late))
}

fn take_cost(input: &mut &[u8]) -> Result<u64, CorruptCounter> {
    match take_varint(input).ok_or(CUT)? {
        cost if cost <= COST_MAX => Ok(cost),
        _ => Err(CorruptCounter { problem: "more used than any limit allows" }),
    }
}
