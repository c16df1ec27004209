//! The name of a set of policies and of the clients they apply to. Two namespaces never share a counter.

use crate::caps::NAMESPACE_BYTES_MAX;

/// 1 to 64 characters of `a-z A-Z 0-9 . _ -`: safe in an etcd key, a URL and a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace<'a>(&'a str);

/// A namespace name with a wrong length or character.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("namespace {name:?} is not a name; use 1 to {NAMESPACE_BYTES_MAX} of a-z A-Z 0-9 . _ -")]
pub struct InvalidNamespace {
    /// What was sent, cut to the length that a name may have.
    pub name: String,
}

impl<'a> Namespace<'a> {
    /// Where clients live when nobody names a namespace.
    pub const DEFAULT: Namespace<'static> = Namespace("default");

    /// Where the keys of `CL.THROTTLE` live. No user can name it: `@` is not allowed in a name.
    pub const THROTTLE: Namespace<'static> = Namespace("@throttle");

    /// # Errors
    /// [`InvalidNamespace`] when `name` is empty, too long, or has a character outside the set.
    pub fn new(name: &'a str) -> Result<Self, InvalidNamespace> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > NAMESPACE_BYTES_MAX || !name.bytes().all(allowed) {
            return Err(InvalidNamespace { name: name.chars().take(NAMESPACE_BYTES_MAX).collect() });
        }
        Ok(Self(name))
    }

    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl std::fmt::Display for Namespace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_break_a_key_or_a_label_are_refused() {
        for bad in ["", "a/b", "a b", "é", "@throttle", &"x".repeat(65)] {
            assert!(Namespace::new(bad).is_err(), "{bad:?}");
        }
        for good in ["default", "Team-1.api_v2", &"x".repeat(64)] {
            assert!(Namespace::new(good).is_ok(), "{good:?}");
        }
    }
}
