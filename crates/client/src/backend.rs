//! What answers behind a [`crate::RateLimiter`]. Implementations keep the claims of `conformance`.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use drl_core::{Cost, LimitKey, ShardTime};
use drl_limits::Decision;

use crate::error::CheckError;
use crate::request::CheckRequest;

/// Something that is on its way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How one handle wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Longest wait, retries included. `None`: as the limiter was made. A limiter in process waits for its own disk and has none.
    pub within: Option<Duration>,
    pub when_unavailable: WhenUnavailable,
}

/// What a check gets when nobody can decide it in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenUnavailable {
    /// A decision by the policy's `on_unavailable`, whose reason says so.
    #[default]
    Decide,
    /// The error.
    Fail,
}

/// Decides checks.
pub trait Backend: Send + Sync {
    /// Decides in order and charges what passes; one answer for each check.
    fn check<'a>(
        &'a self,
        checks: &'a [CheckRequest<'a>],
        terms: Terms,
    ) -> Answer<'a, Vec<Result<Decision, CheckError>>>;

    /// Decides and charges nothing.
    fn peek<'a>(&'a self, check: CheckRequest<'a>, terms: Terms) -> Answer<'a, Result<Decision, CheckError>>;

    /// Gives back cost that was charged at `decided_at` (absent: just now).
    fn refund<'a>(
        &'a self,
        key: LimitKey<'a>,
        cost: Cost,
        decided_at: Option<ShardTime>,
        terms: Terms,
    ) -> Answer<'a, Result<(), CheckError>>;

    /// Forgets what a client has used.
    fn reset<'a>(&'a self, key: LimitKey<'a>, terms: Terms) -> Answer<'a, Result<(), CheckError>>;
}
