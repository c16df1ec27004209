//! The table of a shard's counters.
//!
//! There are millions of counters, and a check of one that was not asked for lately takes as long as the memory that it waits for. So a
//! counter lies with its key in one cache line, and where that line is follows from the key alone: whoever knows what is asked next can
//! have all the lines fetched together ([`Table::fetch`]).
//!
//! ```text
//!   key --> home slot, then the next ones to the first that is free         (linear probing, Knuth 6.4 algorithm L)
//!   removal moves back whoever would not be found any more behind the gap   (Knuth 6.4 algorithm R)
//! ```
//!
//! Keys are keyed hashes already, so their bits are used as they are, and nobody outside can choose keys that crowd.

use std::hint::black_box;

use drl_core::KeyHash;

use crate::row::Row;

/// Slots of the smallest table that is not empty.
const SLOTS_MIN: usize = 8;

/// Rows by key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    /// A power of two of them, or none. At least three of eight are free.
    slots: Vec<Slot>,
    len: usize,
}

#[derive(Debug, Clone, Default)]
#[repr(align(64))]
struct Slot(Option<(KeyHash, Row)>);

const _: () = assert!(size_of::<Slot>() == 64, "a slot is one cache line");

impl Table {
    /// Has the line of a key fetched, whether there is a row or not. Nothing depends on what is read, so it is not waited for.
    pub(crate) fn fetch(&self, key: KeyHash) {
        if let Some(slot) = self.slots.get(self.home(key)) {
            black_box(slot.0.as_ref().map(|(found, _)| found.table_word()));
        }
    }

    pub(crate) fn get(&self, key: KeyHash) -> Option<&Row> {
        self.slots.get(self.find(key)?)?.0.as_ref().map(|(_, row)| row)
    }

    pub(crate) fn get_mut(&mut self, key: KeyHash) -> Option<&mut Row> {
        let place = self.find(key)?;
        self.slots.get_mut(place)?.0.as_mut().map(|(_, row)| row)
    }

    /// Returns the row that was there.
    pub(crate) fn insert(&mut self, key: KeyHash, row: Row) -> Option<Row> {
        if let Some(found) = self.get_mut(key) {
            return Some(std::mem::replace(found, row));
        }
        self.reserve(1);
        self.put(key, row);
        None
    }

    pub(crate) fn remove(&mut self, key: KeyHash) -> Option<Row> {
        let mut gap = self.find(key)?;
        let (_, row) = self.slots[gap].0.take()?;
        self.len -= 1;
        let mut place = gap;
        loop {
            place = self.next(place);
            let Some((found, _)) = &self.slots[place].0 else { return Some(row) };
            // It stays when its home lies behind the gap, on the way from there to where it is.
            let from_home = self.distance(self.home(*found), place);
            if from_home >= self.distance(gap, place) {
                self.slots[gap].0 = self.slots[place].0.take();
                gap = place;
            }
        }
    }

    /// In an order that means nothing.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (KeyHash, &Row)> {
        self.slots.iter().filter_map(|slot| slot.0.as_ref()).map(|(key, row)| (*key, row))
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Drops every row, and the memory.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, additional: usize) {
        let slots = slots_for(self.len + additional);
        if slots > self.slots.len() {
            self.resize(slots);
        }
    }

    /// Keeps the rows of which `keeps` says so. A table that was once large gives its memory back when most of it is gone.
    pub(crate) fn retain(&mut self, mut keeps: impl FnMut(KeyHash, &Row) -> bool) {
        let dropped: Vec<KeyHash> = self.iter().filter(|(key, row)| !keeps(*key, row)).map(|(key, _)| key).collect();
        for key in dropped {
            self.remove(key);
        }
        if self.slots.len() > 4 * slots_for(self.len) {
            self.resize(slots_for(self.len));
        }
    }

    fn resize(&mut self, slots: usize) {
        let before = std::mem::take(&mut self.slots);
        self.slots.resize_with(slots, Slot::default);
        self.len = 0;
        for (key, row) in before.into_iter().filter_map(|slot| slot.0) {
            self.put(key, row);
        }
    }

    /// There is a free slot, and no row of this key.
    fn put(&mut self, key: KeyHash, row: Row) {
        let mut place = self.home(key);
        while self.slots[place].0.is_some() {
            place = self.next(place);
        }
        self.slots[place].0 = Some((key, row));
        self.len += 1;
    }

    fn find(&self, key: KeyHash) -> Option<usize> {
        let mut place = self.home(key);
        loop {
            match &self.slots.get(place)?.0 {
                Some((found, _)) if *found == key => return Some(place),
                Some(_) => place = self.next(place),
                None => return None,
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low bits are what it takes")]
    const fn home(&self, key: KeyHash) -> usize {
        key.table_word() as usize & self.slots.len().wrapping_sub(1)
    }

    const fn next(&self, place: usize) -> usize {
        (place + 1) & (self.slots.len() - 1)
    }

    /// Slots from one to the other, onwards.
    const fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.slots.len() - 1)
    }
}

/// Slots for so many rows. More than five of eight in use would make the way to a free one long.
const fn slots_for(rows: usize) -> usize {
    if rows == 0 {
        return 0;
    }
    let slots = (rows * 8).div_ceil(5).next_power_of_two();
    if slots < SLOTS_MIN { SLOTS_MIN } else { slots }
}

#[cfg(test)]
mod tests;
