//! A limiter in process, and one that has nobody to ask.

use std::sync::Arc;

use drl_client::{Answer, Backend, CheckError, CheckRequest, Cost, Decision, RateLimiter, ShardTime, Terms};
use drl_core::LimitKey;
use drl_embedded::{InMemory, Namespace, Options, PolicyDocument, Selector};
use tempfile::TempDir;

/// A limiter with one policy for everybody. The directory goes with it.
pub(crate) fn limiter(policy: &str) -> (RateLimiter, InMemory, TempDir) {
    let (limits, dir) = (InMemory::new(), tempfile::tempdir().unwrap());
    limits.set(Namespace::DEFAULT, Selector::Default, PolicyDocument::parse(policy.as_bytes()).unwrap()).unwrap();
    let limiter = drl_embedded::open(dir.path(), Arc::new(limits.clone()), &Options::default()).unwrap();
    (limiter, limits, dir)
}

/// Answers each check with this, whatever is asked.
pub(crate) struct Always(pub(crate) Result<Decision, CheckError>);

impl Always {
    pub(crate) fn limiter(answer: Result<Decision, CheckError>) -> RateLimiter {
        RateLimiter::over(Arc::new(Self(answer)))
    }
}

impl Backend for Always {
    fn check<'a>(&'a self, checks: &'a [CheckRequest<'a>], _: Terms) -> Answer<'a, Vec<Result<Decision, CheckError>>> {
        Box::pin(async move { vec![self.0.clone(); checks.len()] })
    }

    fn peek<'a>(&'a self, _: CheckRequest<'a>, _: Terms) -> Answer<'a, Result<Decision, CheckError>> {
        Box::pin(async move { self.0.clone() })
    }

    fn refund<'a>(
        &'a self,
        _: LimitKey<'a>,
        _: Cost,
        _: Option<ShardTime>,
        _: Terms,
    ) -> Answer<'a, Result<(), CheckError>> {
        Box::pin(async move { self.0.clone().map(|_| ()) })
    }

    fn reset<'a>(&'a self, _: LimitKey<'a>, _: Terms) -> Answer<'a, Result<(), CheckError>> {
        Box::pin(async move { self.0.clone().map(|_| ()) })
    }
}
