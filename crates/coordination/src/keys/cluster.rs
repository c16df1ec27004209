//! The name of a cluster: the first part of its keys, so that several clusters may share one etcd.

use drl_core::caps::CLUSTER_NAME_BYTES_MAX;

/// 1 to 64 characters of `a-z A-Z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterName(Box<str>);

/// A cluster name with a wrong length or character.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cluster name {name:?} is not a name; use 1 to {CLUSTER_NAME_BYTES_MAX} of a-z A-Z 0-9 . _ -")]
pub struct InvalidClusterName {
    /// What was sent, cut to the length that a name may have.
    pub name: String,
}

impl ClusterName {
    /// # Errors
    /// [`InvalidClusterName`] when `name` is empty, too long, or has a character outside the set.
    pub fn new(name: &str) -> Result<Self, InvalidClusterName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > CLUSTER_NAME_BYTES_MAX || !name.bytes().all(allowed) {
            return Err(InvalidClusterName { name: name.chars().take(CLUSTER_NAME_BYTES_MAX).collect() });
        }
        Ok(Self(name.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ClusterName {
    type Err = InvalidClusterName;

    fn from_str(name: &str) -> Result<Self, InvalidClusterName> {
        Self::new(name)
    }
}

/// `default`.
impl Default for ClusterName {
    fn default() -> Self {
        Self("default".into())
    }
}

impl std::fmt::Display for ClusterName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
