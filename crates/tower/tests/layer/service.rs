//! In front of services that say when they are misused.

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{Request, Response};
use drl_client::{CheckError, Decision, OnUnavailable, Reason, Retry, ShardTime};
use drl_core::Nanos;
use drl_tower::{Fixed, RateLimit, RateLimitLayer};
use tower_layer::Layer as _;
use tower_service::Service;

use crate::support::{Always, limiter};

/// Takes a permit when it is found ready, and calls without one are a bug. A clone has none, as with tower's `ConcurrencyLimit`.
struct Permitted {
    permit: Option<Arc<()>>,
    permits: Arc<()>,
    calls: Arc<AtomicUsize>,
}

impl Clone for Permitted {
    fn clone(&self) -> Self {
        Self { permit: None, permits: Arc::clone(&self.permits), calls: Arc::clone(&self.calls) }
    }
}

impl Service<Request<Body>> for Permitted {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.permit = Some(Arc::clone(&self.permits));
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(self.permit.take().is_some(), "called without having been found ready");
        self.calls.fetch_add(1, Ordering::Relaxed);
        let own = Response::builder().header("ratelimit", "\"mine\";r=7").body(Body::empty()).unwrap();
        ready(Ok(own))
    }
}

fn permitted() -> Permitted {
    Permitted { permit: None, permits: Arc::new(()), calls: Arc::default() }
}

async fn ask(service: &mut RateLimit<Permitted, Fixed, drl_tower::One>) -> Response<drl_tower::ResponseBody<Body>> {
    poll_fn(|context| service.poll_ready(context)).await.unwrap();
    service.call(Request::new(Body::empty())).await.unwrap()
}

#[tokio::test]
async fn only_the_service_that_was_found_ready_is_called_and_a_denial_gives_readiness_back() {
    let (limiter, _, _dir) = limiter(r#"{"limits":[{"requests":2,"window":"1h"}]}"#);
    let inner = permitted();
    let (permits, calls) = (Arc::clone(&inner.permits), Arc::clone(&inner.calls));
    let mut service = RateLimitLayer::new(limiter, Fixed::new("all")).layer(inner);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(ask(&mut service).await.status().as_u16());
    }
    assert_eq!((statuses, calls.load(Ordering::Relaxed)), (vec![200, 200, 429, 429], 2));
    drop(service);
    assert_eq!(Arc::strong_count(&permits), 1, "a permit was kept");
}

#[tokio::test]
async fn fields_of_the_service_itself_stay() {
    let (limiter, _, _dir) = limiter(r#"{"limits":[{"requests":2,"window":"1h"}]}"#);
    let mut service = RateLimitLayer::new(limiter, Fixed::new("all")).layer(permitted());
    let answer = ask(&mut service).await;
    assert_eq!(answer.headers()["ratelimit"], "\"mine\";r=7");
    assert_eq!(answer.headers().get_all("ratelimit").iter().count(), 1);
}

#[tokio::test]
async fn a_denial_that_nobody_decided_is_the_servers_trouble_and_not_the_clients() {
    let denied = Decision {
        allowed: false,
        limit: 10,
        window: Nanos::from_secs(60),
        remaining: 0,
        retry: Retry::After(Nanos::from_secs(1)),
        reset_after: Nanos::ZERO,
        policy_revision: 3,
        on_unavailable: OnUnavailable::Deny,
        decided_at: ShardTime::ZERO,
        reason: Reason::Unavailable,
    };
    let mut service = RateLimitLayer::new(Always::limiter(Ok(denied)), Fixed::new("all")).layer(permitted());
    let answer = ask(&mut service).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    assert!(!answer.headers().contains_key("ratelimit"));
    let allowed = Decision { allowed: true, retry: Retry::Now, ..denied };
    let mut service = RateLimitLayer::new(Always::limiter(Ok(allowed)), Fixed::new("all")).layer(permitted());
    assert_eq!(ask(&mut service).await.status(), 200);
}

#[tokio::test]
async fn an_impossible_cost_is_refused() {
    let limiter = Always::limiter(Err(CheckError::Closed));
    let layer = RateLimitLayer::new(limiter, Fixed::new("all")).cost(|_: &Request<Body>| u64::MAX);
    let mut service = layer.layer(permitted());
    poll_fn(|context| service.poll_ready(context)).await.unwrap();
    assert_eq!(service.call(Request::new(Body::empty())).await.unwrap().status(), 400);
}
