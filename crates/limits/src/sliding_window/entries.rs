//! The charges of one sliding window, oldest first.
//!
//! Most clients send rarely, and there are millions of them: a single entry lies in the counter itself, so that a check of such a
//! client waits for one cache line and not for two. Longer lists have a little slack, so that not every new sub-window moves them.

use std::ops::{Deref, DerefMut};

use super::Entry;

/// Capacity of the shortest list: one cache line.
const LISTED_MIN: usize = 4;

/// Most that a list grows by: it doubles up to 16, and a full list of 17 has little slack.
const GROWTH_MAX: usize = 8;

/// A list of entries. Equal lists are equal however they are kept.
#[derive(Debug, Clone)]
pub(crate) enum Entries {
    One(Entry),
    Listed(Vec<Entry>),
}

impl Entries {
    /// Behind the others.
    pub(super) fn push(&mut self, entry: Entry) {
        match self {
            Self::Listed(list) if list.is_empty() => *self = Self::One(entry),
            Self::Listed(list) => {
                if list.len() == list.capacity() {
                    list.reserve_exact(list.len().clamp(1, GROWTH_MAX));
                }
                list.push(entry);
            }
            Self::One(oldest) => {
                let mut list = Vec::with_capacity(LISTED_MIN);
                list.extend([*oldest, entry]);
                *self = Self::Listed(list);
            }
        }
    }

    /// Drops so many of the oldest; at most as many as there are. A list that has become much shorter gives its memory back.
    pub(super) fn drop_oldest(&mut self, count: usize) {
        if count >= self.len() {
            *self = Self::default();
        } else if let Self::Listed(list) = self {
            list.drain(..count);
            if list.capacity() > LISTED_MIN && list.len() <= list.capacity() / 4 {
                list.shrink_to(LISTED_MIN);
            }
        }
    }
}

impl Default for Entries {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

impl From<Vec<Entry>> for Entries {
    fn from(list: Vec<Entry>) -> Self {
        match *list {
            [only] => Self::One(only),
            _ => Self::Listed(list),
        }
    }
}

impl Deref for Entries {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        match self {
            Self::One(entry) => std::slice::from_ref(entry),
            Self::Listed(list) => list,
        }
    }
}

impl DerefMut for Entries {
    fn deref_mut(&mut self) -> &mut [Entry] {
        match self {
            Self::One(entry) => std::slice::from_mut(entry),
            Self::Listed(list) => list,
        }
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Entries {}

#[cfg(test)]
mod tests {
    use drl_core::ShardTime;
    use proptest::prelude::*;

    use super::*;

    fn entry(number: u64) -> Entry {
        Entry { latest: ShardTime(number), cost: number }
    }

    #[test]
    fn a_single_entry_takes_no_memory_of_its_own() {
        assert_eq!(size_of::<Entries>(), 24);
        let mut entries = Entries::default();
        entries.push(entry(1));
        assert!(matches!(entries, Entries::One(_)));
        entries.drop_oldest(1);
        entries.push(entry(2));
        assert!(matches!(entries, Entries::One(_)));
        assert!(matches!(Entries::from(vec![entry(3)]), Entries::One(_)));
    }

    proptest! {
        #[test]
        fn it_is_a_list(steps in prop::collection::vec(0_usize..6, 0..100)) {
            let (mut entries, mut model) = (Entries::default(), Vec::new());
            for (number, step) in (1..).zip(steps) {
                if step < 4 {
                    entries.push(entry(number));
                    model.push(entry(number));
                } else {
                    let dropped = (step - 3) * model.len() / 2;
                    entries.drop_oldest(dropped);
                    model.drain(..dropped);
                }
                prop_assert_eq!(&*entries, &*model);
                prop_assert_eq!(&entries, &Entries::from(model.clone()));
                if let Entries::Listed(list) = &entries {
                    prop_assert!(list.capacity() <= LISTED_MIN.max(4 * list.len()), "it holds memory for nothing");
                }
            }
        }
    }
}
