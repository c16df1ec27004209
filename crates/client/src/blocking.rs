//! The API for callers without an async runtime: each call parks the thread until the answer is there. Not for use inside one.

use std::sync::Arc;

use drl_core::ShardTime;
use drl_limits::Decision;
use tokio::runtime::{Builder, Runtime};

use crate::connect::Connect;
use crate::error::{CheckError, ConnectError};
use crate::rate_limiter::RateLimiter;
use crate::request::CheckRequest;

/// [`RateLimiter`] with blocking calls. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BlockingRateLimiter {
    limiter: RateLimiter,
    /// Held for its drop, after the limiter.
    _runtime: Option<Arc<OwnRuntime>>,
}

/// A runtime that ends with its last limiter, without waiting for anything: the last one may be dropped anywhere.
#[derive(Debug)]
struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl BlockingRateLimiter {
    pub(crate) const fn new(limiter: RateLimiter) -> Self {
        Self { limiter, _runtime: None }
    }

    /// As [`RateLimiter::connect`], with a thread of its own for the network.
    ///
    /// # Errors
    /// [`ConnectError`]: an endpoint is no address, none of them answers in time, or there can be no thread.
    pub fn connect(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, ConnectError> {
        Self::connect_as(Connect::new(endpoints))
    }

    /// As [`Connect::connect`], with a thread of its own for the network.
    ///
    /// # Errors
    /// As [`BlockingRateLimiter::connect`].
    pub fn connect_as(connect: Connect) -> Result<Self, ConnectError> {
        let failed = |error: &dyn std::fmt::Display| ConnectError::Runtime { reason: error.to_string() };
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("drl-client").enable_all().build();
        let runtime = OwnRuntime(Some(runtime.map_err(|error| failed(&error))?));
        let Some(inner) = &runtime.0 else { return Err(ConnectError::NoRuntime) };
        let limiter = pollster::block_on(inner.spawn(connect.connect())).map_err(|error| failed(&error))??;
        Ok(Self { limiter, _runtime: Some(Arc::new(runtime)) })
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
