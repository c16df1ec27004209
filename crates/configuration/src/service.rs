//! The question that everyone who decides asks: which policy applies to this client, now?

use std::sync::Arc;

use drl_core::LimitKey;
use drl_limits::Policy;
use tokio::sync::watch;

/// What applies to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitConfiguration {
    pub policy: Arc<Policy>,
    /// The service's revision in which this policy became what it is. It goes with every decision.
    pub revision: u64,
    pub matched: Matched,
}

/// By which selector a client was found. Cheap to clone: a check makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matched {
    Client,
    /// The prefix for people; bytes that are not text are escaped.
    Prefix(Arc<str>),
    Default,
}

/// Knows the policies. Every method is quick and waits for nobody but other lookups and changes in memory; it is called for each check.
pub trait ConfigurationService: Send + Sync {
    /// The policy for `key`: of the exact client, else of the longest prefix, else the namespace's default. `None`: the client is not
    /// known, and what that means is the caller's rule.
    fn get(&self, key: LimitKey<'_>) -> Option<RateLimitConfiguration>;

    /// The number of the last change; it never goes back. Whoever reads it and then calls [`ConfigurationService::get`] sees that
    /// change or a later one.
    fn revision(&self) -> u64;

    /// Whether every policy that was ever set is known. While some are lost, a client without a policy may be one whose policy is
    /// missing, so nobody is let through as unknown.
    fn is_complete(&self) -> bool {
        true
    }

    /// Tells of every new revision. A receiver that is slow sees the latest and misses those between.
    fn watch(&self) -> watch::Receiver<u64>;
}

impl<T: ConfigurationService + ?Sized> ConfigurationService for Arc<T> {
    fn get(&self, key: LimitKey<'_>) -> Option<RateLimitConfiguration> {
        (**self).get(key)
    }

    fn revision(&self) -> u64 {
        (**self).revision()
    }

    fn is_complete(&self) -> bool {
        (**self).is_complete()
    }

    fn watch(&self) -> watch::Receiver<u64> {
        (**self).watch()
    }
}

/// `client`, `prefix team-`, `default`.
impl std::fmt::Display for Matched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Prefix(prefix) => write!(f, "prefix {prefix}"),
            Self::Default => f.write_str("default"),
        }
    }
}
