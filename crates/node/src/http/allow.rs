//! `/v1/allow`: the answer is the status, for proxies that ask before they pass a request on (forward-auth). Any method; no body is
//! read.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use drl_core::Cost;
use drl_host::Action;
use serde::Deserialize;

use crate::http::check::{Decided, decide, key};
use crate::http::problem::Problem;
use crate::http::routes::Shared;

/// Statuses that some proxy understands as a denial. nginx knows 401 and 403 only.
const DENY_STATUSES: [u16; 4] = [401, 403, 429, 503];

#[derive(Debug, Deserialize)]
pub(super) struct AllowQuery {
    client_id: Option<String>,
    namespace: Option<String>,
    cost: Option<i64>,
    deny_status: Option<u16>,
}

pub(super) async fn allow(
    State(shared): State<Shared>,
    headers: HeaderMap,
    query: Result<Query<AllowQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let client = match (&query.client_id, headers.get("x-client-id")) {
        (Some(client), _) => client.as_bytes(),
        (None, Some(client)) => client.as_bytes(),
        (None, None) => {
            return Err(Problem::bad_request("no client: send ?client_id=... or the header X-Client-Id"));
        }
    };
    let deny_status = deny_status(query.deny_status)?;
    let cost = query.cost.map_or(Ok(Cost::ONE), Cost::new).map_err(Problem::bad_request)?;
    let key = key(query.namespace.as_deref(), client)?;
    let Decided { decision, headers, shown } = decide(&shared, key, cost, Action::Charge).await?;
    if decision.allowed {
        return Ok((StatusCode::OK, headers).into_response());
    }
    let detail = format!("denied: {}", decision.reason);
    Ok((headers, Problem::quota_exceeded(deny_status, shown, detail)).into_response())
}

fn deny_status(asked: Option<u16>) -> Result<StatusCode, Problem> {
    let asked = asked.unwrap_or(429);
    StatusCode::from_u16(asked)
        .ok()
        .filter(|status| DENY_STATUSES.contains(&status.as_u16()))
        .ok_or_else(|| Problem::bad_request(format!("deny_status is {asked}; use one of {DENY_STATUSES:?}")))
}
