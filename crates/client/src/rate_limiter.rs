//! The handle that callers hold.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use drl_core::ShardTime;
use drl_core::caps::BATCH_CHECKS_MAX;
use drl_limits::Decision;

use crate::backend::{Backend, Terms, WhenUnavailable};
use crate::blocking::BlockingRateLimiter;
use crate::error::{CheckError, InvalidRequest};
use crate::request::CheckRequest;

/// Limits requests per client. Cheap to clone; every clone and every thread sees the same counters.
#[derive(Clone)]
pub struct RateLimiter {
    backend: Arc<dyn Backend>,
    terms: Terms,
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter").field("terms", &self.terms).finish_non_exhaustive()
    }
}

impl RateLimiter {
    /// A limiter over whatever decides.
    #[must_use]
    pub fn over(backend: Arc<dyn Backend>) -> Self {
        Self { backend, terms: Terms::default() }
    }

    /// The same limiter with another deadline: no call through this handle takes longer, all retries included. Zero waits for nobody.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Self { backend: Arc::clone(&self.backend), terms: Terms { within: Some(deadline), ..self.terms } }
    }

    /// The same limiter, but a check that nobody decides in time is an error and not a decision by the policy's `on_unavailable`.
    #[must_use]
    pub fn strict(&self) -> Self {
        let terms = Terms { when_unavailable: WhenUnavailable::Fail, ..self.terms };
        Self { backend: Arc::clone(&self.backend), terms }
    }

    /// Whether this client may send one more request now; charges it when it may. Where there is no decision (an id that is
    /// empty or longer than 256 bytes, a runtime that has ended) the answer is `false`: a backend is protected when in doubt. Use
    /// [`RateLimiter::check`] to tell a denial from a failure.
    pub async fn allow_request(&self, client_id: impl AsRef<[u8]> + Send) -> bool {
        let decision = match CheckRequest::new(&client_id) {
            Ok(request) => self.check(request).await,
            Err(invalid) => Err(invalid.into()),
        };
        decision.is_ok_and(|decision| decision.allowed)
    }

    /// Decides one check and charges it when it passes. When nobody can decide in time, the policy's `on_unavailable` does, and the
    /// decision's reason is [`crate::Reason::Unavailable`] or [`crate::Reason::LocalEstimate`].
    ///
    /// # Errors
    /// [`CheckError`] when there is no decision; a denial is a decision.
    pub async fn check(&self, request: CheckRequest<'_>) -> Result<Decision, CheckError> {
        let answers = self.backend.check(&[request], self.terms).await;
        let missing = || Err(CheckError::Unavailable { reason: "an answer without a decision".to_owned() });
        answers.into_iter().next().unwrap_or_else(missing)
    }

    /// Decides several checks in order; each is charged for itself when it passes and has an answer of its own, in the order of the
    /// requests. At most 1,024 at once.
    pub async fn check_batch(&self, requests: &[CheckRequest<'_>]) -> Vec<Result<Decision, CheckError>> {
        if requests.len() > BATCH_CHECKS_MAX {
            let too_long = InvalidRequest::BatchTooLong { count: requests.len() };
            return vec![Err(too_long.into()); requests.len()];
        }
        self.backend.check(requests, self.terms).await
    }

    /// What [`RateLimiter::check`] would decide; charges nothing and creates nothing.
    ///
    /// # Errors
    /// [`CheckError`] when there is no decision.
    pub async fn peek(&self, request: CheckRequest<'_>) -> Result<Decision, CheckError> {
        self.backend.peek(request, self.terms).await
    }

    /// Gives the request's cost back, for work that was charged at `decided_at` (of the decision; absent: just now) and not done. It
    /// never opens a window that began after that.
    ///
    /// # Errors
    /// [`CheckError`] when it was not done, or when nobody said that it was.
    pub async fn refund(&self, request: CheckRequest<'_>, decided_at: Option<ShardTime>) -> Result<(), CheckError> {
        self.backend.refund(request.key(), request.units(), decided_at, self.terms).await
    }

    /// Forgets what the client has used.
    ///
    /// # Errors
    /// [`CheckError`] when it was not done, or when nobody said that it was.
    pub async fn reset(&self, request: CheckRequest<'_>) -> Result<(), CheckError> {
        self.backend.reset(request.key(), self.terms).await
    }

    /// The same API for callers without an async runtime.
    #[must_use]
    pub fn blocking(&self) -> BlockingRateLimiter {
        BlockingRateLimiter::new(self.clone())
    }
}
