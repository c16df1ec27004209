//! Which path goes where.

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{any, get, post};

use crate::http::problem::Problem;
use crate::http::{allow, check, health};
use crate::judge::Judge;
use crate::policies::Policies;
use crate::surroundings::Surroundings;

/// What the handlers use.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) judge: Judge,
    pub(crate) policies: Policies,
    pub(crate) surroundings: Surroundings,
}

pub(super) fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/v1/check", post(check::check))
        .route("/v1/allow", any(allow::allow))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .with_state(shared)
}

async fn nowhere(uri: Uri) -> Problem {
    let detail = format!("there is no {}; see POST /v1/check, /v1/allow, /livez, /readyz, /metrics", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "Not found", detail)
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", detail)
}
