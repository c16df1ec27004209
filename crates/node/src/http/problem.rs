//! Errors of this door as problem details.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::refusal::{Outlook, Refusal};

/// A problem that axum sends.
#[derive(Debug)]
pub(super) struct Problem(drl_fields::Problem);

impl Problem {
    pub(super) fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self(drl_fields::Problem::new(status, title, detail))
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is what map_err passes")]
    pub(super) fn bad_request(detail: impl ToString) -> Self {
        Self(drl_fields::Problem::bad_request(detail.to_string()))
    }

    /// The client is over its limit.
    pub(super) fn quota_exceeded(status: StatusCode, limit: String, detail: impl Into<String>) -> Self {
        Self(drl_fields::Problem::quota_exceeded(status, limit, detail))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let retry_after_s = (refusal.outlook() != Outlook::Broken).then_some(1);
        Self(drl_fields::Problem::no_decision(refusal.to_string(), retry_after_s))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.0.into_response().into_response()
    }
}
