//! What those are told who may not pass: over HTTP a problem, over gRPC a status.

use bytes::Bytes;
use drl_client::{CheckError, Decision, Reason};
use drl_fields::Problem;
use drl_limits::Policy;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::grpc;

/// An answer instead of the service's.
#[derive(Debug)]
pub(crate) struct Refusal {
    problem: Problem,
    code: grpc::Code,
    fields: HeaderMap,
}

impl Refusal {
    pub(crate) fn no_client() -> Self {
        Self::without_fields(Problem::bad_request("the request names no client"), grpc::Code::InvalidArgument)
    }

    /// The client is over its limit; or nobody could decide, which is no fault of the client.
    pub(crate) fn denied(decision: &Decision, policy: Option<&Policy>, fields: HeaderMap) -> Self {
        let detail = format!("denied: {}", decision.reason);
        if decision.reason == Reason::Unavailable {
            return Self { problem: Problem::no_decision(detail, None), code: grpc::Code::Unavailable, fields };
        }
        let shown = drl_fields::shown_name(policy, decision);
        let problem = Problem::quota_exceeded(StatusCode::TOO_MANY_REQUESTS, shown, detail);
        Self { problem, code: grpc::Code::ResourceExhausted, fields }
    }

    /// As an answer to a request, which came by gRPC when `grpc` is its content type.
    pub(crate) fn into_response(self, grpc: Option<HeaderValue>) -> Response<Bytes> {
        let mut response = match grpc {
            Some(content_type) => {
                let mut response = grpc::trailers_only(content_type, self.code, self.problem.detail());
                self.problem.add_retry_after(response.headers_mut());
                response
            }
            None => self.problem.into_response().map(Bytes::from),
        };
        response.headers_mut().extend(self.fields);
        response
    }

    fn without_fields(problem: Problem, code: grpc::Code) -> Self {
        Self { problem, code, fields: HeaderMap::new() }
    }
}

impl From<CheckError> for Refusal {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Invalid(invalid) => {
                Self::without_fields(Problem::bad_request(invalid.to_string()), grpc::Code::InvalidArgument)
            }
            error => {
                // A second, where asking again may help: how long it takes is not known.
                let retry_after_s = error.is_retryable().then_some(1);
                Self::without_fields(Problem::no_decision(error.to_string(), retry_after_s), grpc::Code::Unavailable)
            }
        }
    }
}
