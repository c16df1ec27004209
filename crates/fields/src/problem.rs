//! Errors as problem details (RFC 9457): what went wrong, and what to do about it.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

/// Registered by draft-ietf-httpapi-ratelimit-headers for a client that is over its quota.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// The same for a server that cannot serve as much as usual.
const REDUCED_CAPACITY: &str = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

/// The media type of a problem.
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// One problem: a status, and a body that says the same to programs and people.
#[derive(Debug, Serialize)]
pub struct Problem {
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
    /// A problem of no registered type.
    #[must_use]
    pub fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { kind: "about:blank", title, status, detail, violated_policies: None, retry_after_s: None }
    }

    /// 400.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Bad request", detail)
    }

    /// The client is over the limit of this name. The header fields say when to come back.
    #[must_use]
    pub fn quota_exceeded(status: StatusCode, limit: String, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(status, "Quota exceeded", detail);
        problem.kind = QUOTA_EXCEEDED;
        problem.violated_policies = Some([limit]);
        problem
    }

    /// 503: nobody could decide. `retry_after_s` is when it may be otherwise; `None` when asking again does not help.
    #[must_use]
    pub fn no_decision(detail: impl Into<String>, retry_after_s: Option<u64>) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "No decision", detail);
        problem.kind = REDUCED_CAPACITY;
        problem.retry_after_s = retry_after_s;
        problem
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What went wrong, for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// When to come back, where that is not told by the fields of a decision.
    pub fn add_retry_after(&self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }

    /// The whole response, with a JSON body.
    #[must_use]
    pub fn into_response(self) -> Response<String> {
        let mut response = Response::new(serde_json::to_string(&self).unwrap_or_default());
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM_JSON);
        self.add_retry_after(response.headers_mut());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_names_the_limit_and_has_its_registered_type() {
        let response =
            Problem::quota_exceeded(StatusCode::TOO_MANY_REQUESTS, "default".to_owned(), "denied: over-limit");
        let response = response.into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let expected = format!(
            r#"{{"type":"{QUOTA_EXCEEDED}","title":"Quota exceeded","status":429,"detail":"denied: over-limit","violated-policies":["default"]}}"#
        );
        assert_eq!(response.into_body(), expected);
    }

    #[test]
    fn without_a_decision_the_client_is_told_to_come_back_where_that_helps() {
        let retry_after = |seconds| {
            let response = Problem::no_decision("the owner is away", seconds).into_response();
            assert_eq!(response.status(), 503);
            response.headers().get(header::RETRY_AFTER).cloned()
        };
        assert_eq!((retry_after(Some(1)), retry_after(None)), (Some(HeaderValue::from(1)), None));
    }
}
