//! Names of nodes and of their process lifetimes.

use std::sync::Arc;

use crate::caps::NODE_ID_BYTES_MAX;

/// The configured name of a node: 1 to 253 characters of `a-z A-Z 0-9 . _ -`. Cheap to clone: every record names two.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Arc<str>);

/// A node id with a wrong length or character.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("node id {id:?} is not a name; use 1 to {NODE_ID_BYTES_MAX} of a-z A-Z 0-9 . _ -")]
pub struct InvalidNodeId {
    pub id: String,
}

/// A number drawn at every process start: a record names a lifetime of a node, never just its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

impl NodeId {
    /// # Errors
    /// [`InvalidNodeId`] when `id` is empty, too long, or has a character outside the set.
    pub fn new(id: &str) -> Result<Self, InvalidNodeId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if id.is_empty() || id.len() > NODE_ID_BYTES_MAX || !id.bytes().all(allowed) {
            return Err(InvalidNodeId { id: id.chars().take(NODE_ID_BYTES_MAX).collect() });
        }
        Ok(Self(id.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
