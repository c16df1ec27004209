//! A durable rate limiter in process: [`open`] a directory, get a [`RateLimiter`] whose counters survive kill -9.
//!
//! ```
//! use std::sync::Arc;
//! use drl_embedded::{InMemory, Namespace, Options, PolicyDocument, Selector};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scratch = tempfile::tempdir()?; let dir = scratch.path();
//! let limits = InMemory::new();
//! let policy = PolicyDocument::parse(br#"{"limits":[{"requests":2,"window":"1m"}]}"#)?;
//! limits.set(Namespace::DEFAULT, Selector::Default, policy)?;
//! let limiter = drl_embedded::open(dir, Arc::new(limits), &Options::default())?;
//!
//! let limiter = limiter.blocking(); // or `.await` the same calls
//! assert!(limiter.allow_request("alice"));
//! assert!(limiter.allow_request("alice"));
//! assert!(!limiter.allow_request("alice"));
//! # Ok(()) }
//! ```
//!
//! One process at a time may have a directory open. Dropping the last clone of the limiter commits what is open and closes it.

mod backend;
mod open;

pub use drl_client::{
    BlockingRateLimiter, CheckError, CheckRequest, Cost, Decision, InvalidRequest, OnUnavailable, RateLimiter, Reason,
    Retry, ShardTime,
};
pub use drl_configuration::{
    ConfigurationService, File, FileError, InMemory, Matched, PolicyDocument, RateLimitConfiguration, Selector,
};
pub use drl_core::{LimitKey, Namespace, ShardCount};
pub use drl_host::{JournalSync, UnknownClient};
pub use open::{OpenError, Options, open};
