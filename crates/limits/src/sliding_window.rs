//! The sliding window: no half-open interval of the window's length ever admits more than the limit.
//!
//! What is charged at `s` counts until exactly `s + W`, or a little longer: charges are kept per sub-window (an aligned piece of time
//! of the length ceil(W / B)), and all charges of a sub-window count until the *latest* of them is W old.
//!
//! ```text
//!   time      |---- sub-window ----|---- sub-window ----|
//!   charges      a        b   c          d
//!   entries   (latest: c, a+b+c)   (latest: d, d)
//!   released  c + W, all three: `a` is held c - a longer than needed, less than W / B
//! ```
//!
//! Invariant: any two charges within less than W of each other are both counted when the later one is decided. So the sum over any
//! interval [x, x + W) is at most the limit. The price: a unit is withheld for at most W / B longer than a list of every single
//! charge would, and a client that sends alone is released exactly W after it sent.
//!
//! A check that names a time before the newest charge is decided as if at that charge: nothing opens because time went back.

mod entries;

use std::hint::black_box;
use std::num::NonZeroU64;

use drl_core::{Cost, Nanos, ShardTime};

use crate::Retry;
use crate::cell::{Level, Standing, wait_until};
use crate::shape::LimitShape;
use entries::Entries;

/// Sub-windows per window (B). Sixteen hold a unit for at most a sixteenth of the window too long, and bound a counter to 17
/// entries, some 270 bytes; half the delay would cost twice the memory of the busiest clients.
pub const SUB_WINDOWS: NonZeroU64 = NonZeroU64::new(16).unwrap();

/// The charges of one sub-window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// When the latest of them was made; all of them count until this plus the window.
    pub(crate) latest: ShardTime,
    /// Their sum, 1 to 2^53; zero only in the newest entry, which stays after a refund so that time does not go back.
    pub(crate) cost: u64,
}

/// Recent use. Fresh: no entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SlidingWindow {
    /// A decision made before this moment is in no entry, so it cannot be refunded. Zero: every entry is complete.
    counted_from: ShardTime,
    /// Oldest first, at most one per sub-window, all of them within one window of the newest.
    entries: Entries,
}

impl SlidingWindow {
    /// The caller has seen to it that the entries are in order and within one window.
    pub(crate) fn new(counted_from: ShardTime, entries: Vec<Entry>) -> Self {
        let entries = Entries::from(entries);
        let counted_from = if entries.is_empty() { ShardTime::ZERO } else { counted_from };
        Self { counted_from, entries }
    }

    pub(crate) const fn counted_from(&self) -> ShardTime {
        self.counted_from
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Reads both ends of the list: the processor guesses what lies between.
    pub(crate) fn fetch(&self) {
        black_box(self.entries.first().map(|entry| entry.latest));
        black_box(self.entries.last().map(|entry| entry.latest));
    }

    /// When the newest charge was made; zero if there is none.
    pub(crate) fn latest(&self) -> ShardTime {
        self.entries.last().map_or(ShardTime::ZERO, |entry| entry.latest)
    }

    pub(crate) fn retry(&self, shape: &LimitShape, capacity: u64, now: ShardTime, cost: Cost) -> Retry {
        if cost.units() > capacity {
            return Retry::Never;
        }
        let live = self.live(shape, now);
        let mut used = sum(live);
        let fits = capacity - cost.units();
        if used <= fits {
            return Retry::Now;
        }
        // The oldest entries are released first; the wait ends when enough of them are gone.
        for entry in live {
            used = used.saturating_sub(entry.cost);
            if used <= fits {
                return Retry::After(wait_until(entry.latest, shape.window().nanos(), now));
            }
        }
        Retry::Now
    }

    pub(crate) fn standing(&self, shape: &LimitShape, capacity: u64, now: ShardTime) -> Standing {
        let live = self.live(shape, now);
        let newest_used = live.iter().rev().find(|entry| entry.cost > 0);
        let reset_after =
            newest_used.map_or(Nanos::ZERO, |entry| wait_until(entry.latest, shape.window().nanos(), now));
        Standing { remaining: capacity.saturating_sub(sum(live)), reset_after }
    }

    /// The caller has seen that `cost` fits.
    pub(crate) fn charge(&mut self, shape: &LimitShape, now: ShardTime, cost: Cost) {
        let now = now.max(self.latest());
        let expired = self.entries.len() - self.live(shape, now).len();
        if expired == self.entries.len() {
            self.counted_from = now;
        }
        let charged = Entry { latest: now, cost: cost.units() };
        let slot = |time: ShardTime| time.0 / shape.sub_window_nanos();
        match self.entries.last_mut() {
            // An entry that was refunded whole has done its duty once time is past it.
            Some(newest) if newest.cost == 0 || slot(newest.latest) == slot(now) => {
                newest.latest = now;
                newest.cost = newest.cost.saturating_add(charged.cost);
                let expired = expired.min(self.entries.len() - 1);
                self.entries.drop_oldest(expired);
            }
            _ => {
                self.entries.drop_oldest(expired);
                self.entries.push(charged);
            }
        }
        self.forget_counted_from(shape);
    }

    /// Gives back what a decision took, if its sub-window still counts. A time after every charge names no decision: the caller
    /// knows that there was one lately, but not when. Then the oldest use goes first. What stays counted is at least as young as
    /// what it stands for, so no later window is opened by it.
    pub(crate) fn refund(&mut self, shape: &LimitShape, decided_at: ShardTime, cost: Cost) {
        if decided_at > self.latest() {
            return self.refund_oldest(shape, decided_at, cost);
        }
        let slot = |time: ShardTime| time.0 / shape.sub_window_nanos();
        let found = self.entries.iter().position(|entry| slot(entry.latest) == slot(decided_at));
        let Some(at) = found.filter(|_| decided_at >= self.counted_from) else { return };
        self.entries[at].cost = self.entries[at].cost.saturating_sub(cost.units());
        self.drop_empty();
    }

    fn refund_oldest(&mut self, shape: &LimitShape, now: ShardTime, cost: Cost) {
        let expired = self.entries.len() - self.live(shape, now).len();
        let mut left = cost.units();
        for entry in &mut self.entries[expired..] {
            let back = entry.cost.min(left);
            entry.cost -= back;
            left -= back;
        }
        self.drop_empty();
    }

    /// An empty entry goes, unless it is the newest: that one knows how late it is.
    fn drop_empty(&mut self) {
        if let [older @ .., newest] = &*self.entries
            && older.iter().any(|entry| entry.cost == 0)
        {
            let used = older.iter().filter(|entry| entry.cost > 0);
            let kept: Vec<Entry> = used.chain([newest]).copied().collect();
            self.entries = kept.into();
        }
    }

    pub(crate) fn expires_at(&self, shape: &LimitShape) -> ShardTime {
        let newest_used = self.entries.iter().rev().find(|entry| entry.cost > 0);
        newest_used.map_or(ShardTime::ZERO, |entry| entry.latest.plus(shape.window().nanos()))
    }

    pub(crate) fn level(&self, shape: &LimitShape, now: ShardTime) -> Level {
        Level::whole(sum(self.live(shape, now)))
    }

    /// The entries that still count at `now`. At a time before the newest charge all do: a charge drops what expired until then.
    pub(crate) fn live(&self, shape: &LimitShape, now: ShardTime) -> &[Entry] {
        let window = shape.window().nanos();
        let expired = self.entries.iter().take_while(|entry| now.since(entry.latest) >= window).count();
        &self.entries[expired..]
    }

    /// Nothing is left to say once `counted_from` is no later than the start of the oldest sub-window: every entry is complete.
    fn forget_counted_from(&mut self, shape: &LimitShape) {
        if self.counted_from > ShardTime::ZERO
            && let Some(oldest) = self.entries.first()
            && oldest.latest.0 - oldest.latest.0 % shape.sub_window_nanos() >= self.counted_from.0
        {
            self.counted_from = ShardTime::ZERO;
        }
    }
}

fn sum(entries: &[Entry]) -> u64 {
    entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.cost))
}

#[cfg(test)]
mod tests;
