//! The API for callers without an async runtime: each call parks the thread until the answer is there. Not for use inside one.

use drl_core::ShardTime;
use drl_limits::Decision;

use crate::error::CheckError;
use crate::rate_limiter::RateLimiter;
use crate::request::CheckRequest;

/// [`RateLimiter`] with blocking calls. Cheap to clone.
#[derive(Clone)]
pub struct BlockingRateLimiter {
    limiter: RateLimiter,
}

impl BlockingRateLimiter {
    pub(crate) const fn new(limiter: RateLimiter) -> Self {
        Self { limiter }
    }

    /// See [`RateLimiter::allow_request`].
    pub fn allow_request(&self, client_id: impl AsRef<[u8]> + Send) -> bool {
        pollster::block_on(self.limiter.allow_request(client_id))
    }

    /// See [`RateLimiter::check`].
    ///
    /// # Errors
    /// [`CheckError`] when there is no decision.
    pub fn check(&self, request: CheckRequest<'_>) -> Result<Decision, CheckError> {
        pollster::block_on(self.limiter.check(request))
    }

    /// See [`RateLimiter::check_batch`].
    #[must_use]
    pub fn check_batch(&self, requests: &[CheckRequest<'_>]) -> Vec<Result<Decision, CheckError>> {
        pollster::block_on(self.limiter.check_batch(requests))
    }

    /// See [`RateLimiter::peek`].
    ///
    /// # Errors
    /// [`CheckError`] when there is no decision.
    pub fn peek(&self, request: CheckRequest<'_>) -> Result<Decision, CheckError> {
        pollster::block_on(self.limiter.peek(request))
    }

    /// See [`RateLimiter::refund`].
    ///
    /// # Errors
    /// [`CheckError`] when it was not done.
    pub fn refund(&self, request: CheckRequest<'_>, decided_at: Option<ShardTime>) -> Result<(), CheckError> {
        pollster::block_on(self.limiter.refund(request, decided_at))
    }

    /// See [`RateLimiter::reset`].
    ///
    /// # Errors
    /// [`CheckError`] when it was not done.
    pub fn reset(&self, request: CheckRequest<'_>) -> Result<(), CheckError> {
        pollster::block_on(self.limiter.reset(request))
    }
}
