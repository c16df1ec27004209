//! What answers behind a [`crate::RateLimiter`]. Implementations are conformance-tested together.

use std::future::Future;
use std::pin::Pin;

use drl_core::{Cost, LimitKey, ShardTime};
use drl_limits::Decision;

use crate::error::CheckError;
use crate::request::CheckRequest;

/// An answer that is on its way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, CheckError>> + Send + 'a>>;

/// Decides checks.
pub trait Backend: Send + Sync {
    /// Decides in order and charges what passes; as many decisions as checks.
    fn check<'a>(&'a self, checks: &'a [CheckRequest<'a>]) -> Answer<'a, Vec<Decision>>;

    /// Decides and charges nothing.
    fn peek<'a>(&'a self, check: CheckRequest<'a>) -> Answer<'a, Decision>;

    /// Gives back cost that was charged at `decided_at` (absent: just now).
    fn refund<'a>(&'a self, key: LimitKey<'a>, cost: Cost, decided_at: Option<ShardTime>) -> Answer<'a, ()>;

    /// Forgets what a client has used.
    fn reset<'a>(&'a self, key: LimitKey<'a>) -> Answer<'a, ()>;
}
