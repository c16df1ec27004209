//! The id of a client, as its caller sent it: any 1 to 256 bytes. It knows nothing of namespaces or limits.

use crate::caps::CLIENT_ID_BYTES_MAX;

/// A borrowed client id: 1 to 256 arbitrary bytes (no character set is imposed; zero bytes and newlines are fine).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId<'a>(&'a [u8]);

/// A client id that is empty or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("client id has {length} bytes; send 1 to {CLIENT_ID_BYTES_MAX}")]
pub struct InvalidClientId {
    /// Bytes that were sent.
    pub length: usize,
}

impl<'a> ClientId<'a> {
    /// # Errors
    /// [`InvalidClientId`] when `bytes` is empty or longer than [`CLIENT_ID_BYTES_MAX`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, InvalidClientId> {
        if bytes.is_empty() || bytes.len() > CLIENT_ID_BYTES_MAX {
            return Err(InvalidClientId { length: bytes.len() });
        }
        Ok(Self(bytes))
    }

    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

/// For people: bytes that are not printable ASCII are escaped, so an id cannot forge a log line.
impl std::fmt::Display for ClientId<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0.escape_ascii(), f)
    }
}

impl std::fmt::Debug for ClientId<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClientId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_over_long_ids_are_refused_and_the_edges_are_not() {
        assert_eq!(ClientId::new(b""), Err(InvalidClientId { length: 0 }));
        assert_eq!(ClientId::new(&[b'x'; 257]), Err(InvalidClientId { length: 257 }));
        assert!(ClientId::new(&[0]).is_ok());
        assert!(ClientId::new(&[b'x'; 256]).is_ok());
    }

    #[test]
    fn control_characters_are_escaped_for_people() {
        assert_eq!(ClientId::new(b"a\nb\xff").unwrap().to_string(), "a\\nb\\xff");
    }
}
