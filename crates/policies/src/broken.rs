//! Keys whose value cannot be in force, and why. Every one is counted; the list that is shown has a cap, and whoever mends what is listed
//! sees the rest at the next listing of everything.

use std::collections::BTreeMap;

use drl_coordination::{Key, Revision};
use drl_core::caps::{BROKEN_POLICIES_LISTED_MAX, BROKEN_REASON_BYTES_MAX};

/// A key of the policies whose value is not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenKey {
    /// As it is in etcd; bytes that do not print are escaped, and a key that is too long for a policy is cut.
    pub key: String,
    /// What is wrong and what is allowed.
    pub reason: String,
    /// In which revision the value came.
    pub since_revision: u64,
}

/// What became of a key.
#[derive(Debug)]
pub(crate) enum Health {
    /// It is good, or gone.
    Well,
    Broken {
        reason: String,
        since: Revision,
    },
}

#[derive(Debug, Default)]
pub(crate) struct BrokenKeys {
    all: BTreeMap<Key, Revision>,
    reasons: BTreeMap<Key, String>,
}

impl BrokenKeys {
    /// Whether this is news: a value that was not known to be broken.
    pub(crate) fn note(&mut self, key: &Key, health: &Health) -> bool {
        match health {
            Health::Well => {
                self.reasons.remove(key);
                self.all.remove(key).is_some()
            }
            Health::Broken { reason, since } => {
                let is_news = self.all.insert(key.clone(), *since) != Some(*since);
                if self.reasons.len() < BROKEN_POLICIES_LISTED_MAX || self.reasons.contains_key(key) {
                    self.reasons.insert(key.clone(), cut(reason, BROKEN_REASON_BYTES_MAX));
                }
                is_news
            }
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// Whether some that are not listed could be.
    pub(crate) fn could_list_more(&self) -> bool {
        self.reasons.len() < self.all.len().min(BROKEN_POLICIES_LISTED_MAX)
    }

    /// By key.
    pub(crate) fn list(&self) -> Vec<BrokenKey> {
        self.reasons
            .iter()
            .map(|(key, reason)| BrokenKey {
                key: shown(key),
                reason: reason.clone(),
                since_revision: self.all.get(key).map_or(0, |since| since.0),
            })
            .collect()
    }
}

/// A key for people.
pub(crate) fn shown(key: &Key) -> String {
    cut(&key.to_string(), drl_core::caps::RECORD_KEY_BYTES_MAX)
}

/// The text, with dots in place of what is behind `bytes_max`.
pub(crate) fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        text.to_owned()
    } else {
        format!("{}...", &text[..text.floor_char_boundary(bytes_max)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(since: u64) -> Health {
        Health::Broken { reason: "no".to_owned(), since: Revision(since) }
    }

    #[test]
    fn the_list_is_bounded_the_count_is_not_and_room_is_noticed() {
        let mut keys = BrokenKeys::default();
        let key = |number: usize| Key::from(format!("/k/{number:06}"));
        for number in 0..BROKEN_POLICIES_LISTED_MAX + 2 {
            assert!(keys.note(&key(number), &broken(1)));
        }
        assert_eq!(keys.list().len(), BROKEN_POLICIES_LISTED_MAX);
        assert_eq!(keys.count(), BROKEN_POLICIES_LISTED_MAX + 2);
        assert!(!keys.could_list_more());
        assert!(keys.note(&key(0), &Health::Well));
        assert!(keys.could_list_more());
        assert!(!keys.note(&key(BROKEN_POLICIES_LISTED_MAX), &broken(1)));
        assert!(!keys.could_list_more());
    }

    #[test]
    fn the_same_broken_value_is_news_once_and_another_one_is_again() {
        let mut keys = BrokenKeys::default();
        let key = Key::from("/k");
        assert!(keys.note(&key, &broken(5)));
        assert!(!keys.note(&key, &broken(5)));
        assert!(keys.note(&key, &broken(6)));
        assert_eq!(keys.list()[0].since_revision, 6);
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("aéb", 2), "a...");
    }
}
