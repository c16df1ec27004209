//! Errors as problem details (RFC 9457): what went wrong, and what to do about it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::refusal::{Outlook, Refusal};

/// Registered by draft-ietf-httpapi-ratelimit-headers for a client that is over its quota.
pub(super) const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// The same for a server that cannot serve as much as usual.
const REDUCED_CAPACITY: &str = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    detail: String,
    #[serde(rename = "violated-policies", skip_serializing_if = "Option::is_none")]
    violated_policies: Option<[String; 1]>,
    #[serde(skip)]
    retry_after_s: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    pub(super) fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { kind: "about:blank", title, status, detail, violated_policies: None, retry_after_s: None }
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is what map_err passes")]
    pub(super) fn bad_request(detail: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Bad request", detail.to_string())
    }

    /// The client is over its limit.
    pub(super) fn quota_exceeded(status: StatusCode, policy: String, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(status, "Quota exceeded", detail);
        problem.kind = QUOTA_EXCEEDED;
        problem.violated_policies = Some([policy]);
        problem
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "No decision", refusal.to_string());
        problem.kind = REDUCED_CAPACITY;
        problem.retry_after_s = (refusal.outlook() != Outlook::Broken).then_some(1);
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let content = [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
        let mut response = (self.status, content, body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
