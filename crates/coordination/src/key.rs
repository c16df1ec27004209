//! What is stored: keys, prefixes of keys, and entries under them. Bytes only; `keys.rs` knows what they mean.

use crate::{LeaseId, Revision};

/// A key: at least one byte. People type keys, so they print as text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<[u8]>);

/// What a set of keys starts with. The empty prefix means every key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(Box<[u8]>);

/// A key with its value, as of some revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: Key,
    pub value: Vec<u8>,
    /// In which revision the key appeared.
    pub created: Revision,
    /// In which revision it got this value; what a [`crate::Compare::Changed`] compares.
    pub changed: Revision,
    /// The lease with which the key vanishes.
    pub lease: Option<LeaseId>,
}

impl Key {
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Prefix {
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        key.0.starts_with(&self.0)
    }

    /// The first bytes behind every key with this prefix; `None` when there are none.
    #[must_use]
    pub fn end(&self) -> Option<Vec<u8>> {
        let last = self.0.iter().rposition(|byte| *byte != u8::MAX)?;
        let mut end = self.0[..=last].to_vec();
        end[last] = end[last].saturating_add(1);
        Some(end)
    }
}

macro_rules! bytes {
    ($($name:ident),+) => {$(
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.as_bytes().into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into_bytes().into())
            }
        }

        impl From<Vec<u8>> for $name {
            fn from(bytes: Vec<u8>) -> Self {
                Self(bytes.into())
            }
        }

        /// For people: bytes that are not printable ASCII are escaped, so that a key cannot forge a log line.
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0.escape_ascii(), f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }
    )+};
}

bytes!(Key, Prefix);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_first_key_behind_it() {
        assert_eq!(Prefix::from("/drl/a/").end(), Some(b"/drl/a0".to_vec()));
        assert_eq!(Prefix::from(b"a\xff\xff".to_vec()).end(), Some(b"b".to_vec()));
        assert_eq!(Prefix::from(b"\xff\xff".to_vec()).end(), None);
        assert_eq!(Prefix::from("").end(), None);
    }

    #[test]
    fn keys_print_without_control_characters() {
        assert_eq!(Key::from(b"/a\n\xff".to_vec()).to_string(), "/a\\n\\xff");
    }
}
