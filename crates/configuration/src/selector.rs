//! Whom a policy applies to, within a namespace.

use drl_core::caps::CLIENT_ID_BYTES_MAX;

/// One client, all clients whose ids begin alike, or all. Ids are bytes, not text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    /// Everyone whom no other policy of the namespace matches.
    Default,
    /// Every id that starts with these 1 to 256 bytes; an id matches the longest prefix there is.
    Prefix(Vec<u8>),
    /// The id of 1 to 256 bytes that is exactly this.
    Client(Vec<u8>),
}

/// A client id or prefix that is empty or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a client id or prefix has {length} bytes; use 1 to {CLIENT_ID_BYTES_MAX}, and the default policy for everyone"
)]
pub struct InvalidSelector {
    pub length: usize,
}

impl Selector {
    /// # Errors
    /// [`InvalidSelector`] when the id or prefix is empty or longer than [`CLIENT_ID_BYTES_MAX`].
    pub fn check(&self) -> Result<(), InvalidSelector> {
        match self {
            Self::Client(bytes) | Self::Prefix(bytes) if !(1..=CLIENT_ID_BYTES_MAX).contains(&bytes.len()) => {
                Err(InvalidSelector { length: bytes.len() })
            }
            _ => Ok(()),
        }
    }
}

/// Bytes for people: text as it is, anything else with escapes.
pub(crate) fn printable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    }
}

/// `client alice`, `prefix team-`, `default`.
impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Client(id) => write!(f, "client {}", printable(id)),
            Self::Prefix(prefix) => write!(f, "prefix {}", printable(prefix)),
            Self::Default => f.write_str("default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_prefixes_are_checked_at_the_exact_edge() {
        for length in [0, 257] {
            assert_eq!(Selector::Client(vec![b'x'; length]).check(), Err(InvalidSelector { length }));
            assert_eq!(Selector::Prefix(vec![b'x'; length]).check(), Err(InvalidSelector { length }));
        }
        assert_eq!(Selector::Client(vec![0xff; 256]).check(), Ok(()));
        assert_eq!(Selector::Default.check(), Ok(()));
    }

    #[test]
    fn a_selector_prints_without_control_characters() {
        assert_eq!(Selector::Client("é".into()).to_string(), "client é");
        assert_eq!(Selector::Prefix(b"a\x1b[\xff".to_vec()).to_string(), "prefix a\\x1b[\\xff");
    }
}
