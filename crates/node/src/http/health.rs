//! Whether the process lives, whether it serves, and what it counts.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::problem::Problem;
use crate::http::routes::Shared;

/// The process answers: that is all that this says. Restarting helps against a `/livez` that hangs, not against a full disk.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// 200 while the node decides; else 503 with the reason.
pub(super) async fn readyz(State(shared): State<Shared>) -> Result<&'static str, Problem> {
    match shared.judge.host().ready() {
        Ok(()) => Ok("ready\n"),
        Err(stopped) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Not ready", stopped.to_string())),
    }
}

pub(super) async fn metrics(State(shared): State<Shared>) -> Response {
    let text = shared.judge.metrics().text(shared.judge.host(), shared.policies.counted());
    let content = [(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"))];
    (content, text).into_response()
}
