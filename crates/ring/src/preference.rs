//! The walk around the ring from one shard's place: each member once, in the order in which its first virtual node is met.
//! `hashring` can list neighbours too, but copies the whole ring for each question and names a member as often as it is met.

use crate::ring::Slot;

/// The order of preference of one shard, found as far as it is asked for.
pub(crate) struct Preference<'r> {
    /// Whose virtual node stands at each rank.
    order: &'r [Slot],
    next: usize,
    met: Vec<bool>,
    left: usize,
}

impl<'r> Preference<'r> {
    pub(crate) fn new(order: &'r [Slot], start: usize, members: usize) -> Self {
        Self { order, next: start, met: vec![false; members], left: members }
    }
}

/// Every member has a virtual node, so the walk ends within one round.
impl Iterator for Preference<'_> {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        while self.left > 0 {
            let slot = *self.order.get(self.next)?;
            self.next = if self.next + 1 == self.order.len() { 0 } else { self.next + 1 };
            if !std::mem::replace(&mut self.met[slot.0], true) {
                self.left -= 1;
                return Some(slot);
            }
        }
        None
    }
}
