//! The handle that callers hold.

use std::sync::Arc;

use drl_core::ShardTime;
use drl_limits::Decision;

use crate::backend::Backend;
use crate::blocking::BlockingRateLimiter;
use crate::error::CheckError;
use crate::request::CheckRequest;

/// Limits requests per client. Cheap to clone; every clone and every thread sees the same counters.
#[derive(Clone)]
pub struct RateLimiter {
    backend: Arc<dyn Backend>,
}

impl RateLimiter {
    /// A limiter over whatever decides.
    #[must_use]
    pub fn over(backend: Arc<dyn Backend>) -> Self {
        Self { backend }
    }

    /// Whether this client may send one more request now; charges it when it may. Where there is no decision (an id that is
    /// empty or longer than 256 bytes, nobody to decide) the answer is `false`: a backend is protected when in doubt. Use
    /// [`RateLimiter::check`] to tell a denial from a failure.
    pub async fn allow_request(&self, client_id: impl AsRef<[u8]> + Send) -> bool {
        let decision = match CheckRequest::new(client_id.as_ref()) {
            Ok(request) => self.check(request).await,
            Err(invalid) => Err(invalid.into()),
        };
        decision.is_ok_and(|decision| decision.allowed)
    }

    /// Decides one check and charges it when it passes.
    ///
    /// # Errors
    /// [`CheckError`] when there is no decision; a denial is a decision.
    pub async fn check(&self, request: CheckRequest<'_>) -> Result<Decision, CheckError> {
        let decisions = self.backend.check(&[request]).await?;
        decisions
            .into_iter()
            .next()
            .ok_or_else(|| CheckError::Unavailable { reason: "an answer without a decision".to_owned() })
    }

    /// Decides several checks in order; each is charged for itself when it passes. At most 1,024 at once.
    ///
    /// # Errors
    /// [`CheckError`] when there are no decisions.
    pub async fn check_batch(&self, requests: &[CheckRequest<'_>]) -> Result<Vec<Decision>, CheckError> {
        self.backend.check(requests).await
    }

    /// What [`RateLimiter::check`] would decide; charges nothing and creates nothing.
    ///
    /// # Errors
    /// [`CheckError`] when there is no decision.
    pub async fn peek(&self, request: CheckRequest<'_>) -> Result<Decision, CheckError> {
        self.backend.peek(request).await
    }

    /// Gives the request's cost back, for work that was charged at `decided_at` (absent: just now) and not done. It never opens
    /// a window that began after that.
    ///
    /// # Errors
    /// [`CheckError`] when it was not done.
    pub async fn refund(&self, request: CheckRequest<'_>, decided_at: Option<ShardTime>) -> Result<(), CheckError> {
        self.backend.refund(request.key(), request.units(), decided_at).await
    }

    /// Forgets what the client has used.
    ///
    /// # Errors
    /// [`CheckError`] when it was not done.
    pub async fn reset(&self, request: CheckRequest<'_>) -> Result<(), CheckError> {
        self.backend.reset(request.key()).await
    }

    /// The same API for callers without an async runtime.
    #[must_use]
    pub fn blocking(&self) -> BlockingRateLimiter {
        BlockingRateLimiter { limiter: self.clone() }
    }
}
