//! `POST /v1/check`: a check as JSON, its decision as JSON. 200 whether allowed or not; the body says which.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, HttpBody as _};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use drl_core::caps::HTTP_BODY_BYTES_MAX;
use drl_core::{ClientId, Cost, Epoch, LimitKey, Namespace};
use drl_host::{Action, Ask, PolicyOf};
use drl_limits::{Decision, Reason, Retry};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::http::problem::Problem;
use crate::http::routes::Shared;

/// How long a client may take to send 16 KiB.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckBody {
    client_id: String,
    /// 0 looks without charging.
    #[serde(default = "one")]
    cost: i64,
    namespace: Option<String>,
    /// Looks whether `cost` would pass.
    #[serde(default)]
    peek: bool,
}

const fn one() -> i64 {
    1
}

/// What is answered.
#[derive(Debug, Serialize)]
pub(super) struct DecisionBody {
    allowed: bool,
    limit: u64,
    remaining: u64,
    /// 0 when allowed, -1 when it can never pass.
    retry_after_ms: i64,
    reset_after_ms: u64,
    policy_revision: u64,
    reason: &'static str,
}

impl From<&Decision> for DecisionBody {
    fn from(decision: &Decision) -> Self {
        let retry_after_ms = match decision.retry {
            _ if decision.allowed => 0,
            Retry::Now => 0,
            Retry::After(wait) => i64::try_from(wait.millis_ceil()).unwrap_or(i64::MAX),
            Retry::Never => -1,
        };
        Self {
            allowed: decision.allowed,
            limit: decision.limit,
            remaining: decision.remaining,
            retry_after_ms,
            reset_after_ms: decision.reset_after.millis_ceil(),
            policy_revision: decision.policy_revision,
            reason: decision.reason.as_str(),
        }
    }
}

pub(super) async fn check(
    State(shared): State<Shared>,
    body: Body,
) -> Result<(HeaderMap, Json<DecisionBody>), Problem> {
    // What is announced as too long is not waited for.
    if body.size_hint().lower() > HTTP_BODY_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let bytes = read(body).await?;
    let body: CheckBody = serde_json::from_slice(&bytes).map_err(|error| {
        Problem::bad_request(format!(
            "the body is not a check ({error}); send {{\"client_id\":\"...\",\"cost\":1,\"namespace\":\"default\",\"peek\":false}}"
        ))
    })?;
    let key = key(body.namespace.as_deref(), body.client_id.as_bytes())?;
    let cost = Cost::new(body.cost).map_err(Problem::bad_request)?;
    let action = if body.peek { Action::Peek } else { Action::Charge };
    let Decided { decision, headers, .. } = decide(&shared, key, cost, action).await?;
    Ok((headers, Json(DecisionBody::from(&decision))))
}

/// A decision and how it is told.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) decision: Decision,
    pub(super) headers: HeaderMap,
    /// The limit that it shows.
    pub(super) shown: String,
}

/// Decides, and fills in the header fields that every decision carries.
pub(super) async fn decide(shared: &Shared, key: LimitKey<'_>, cost: Cost, action: Action) -> Result<Decided, Problem> {
    let ask = Ask { key, cost, action, policy: PolicyOf::Configured, epoch: Epoch(0) };
    let decision = shared.judge.check(ask).await?;
    let mut headers = HeaderMap::new();
    let known = (decision.reason != Reason::UnknownClient).then(|| shared.policies.get(key)).flatten();
    let policy = known.as_ref().map(|found| &*found.policy);
    drl_fields::add(&mut headers, &decision, policy);
    Ok(Decided { decision, headers, shown: drl_fields::shown_name(policy, &decision) })
}

pub(super) fn key<'a>(namespace: Option<&'a str>, client: &'a [u8]) -> Result<LimitKey<'a>, Problem> {
    let namespace = match namespace {
        None | Some("") => Namespace::DEFAULT,
        Some(name) => Namespace::new(name).map_err(Problem::bad_request)?,
    };
    Ok(LimitKey::new(namespace, ClientId::new(client).map_err(Problem::bad_request)?))
}

fn too_large() -> Problem {
    let detail = format!("the body is broken or longer than {HTTP_BODY_BYTES_MAX} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Body not read", detail)
}

async fn read(body: Body) -> Result<axum::body::Bytes, Problem> {
    match timeout(BODY_TIMEOUT, axum::body::to_bytes(body, HTTP_BODY_BYTES_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            let detail = format!("the body did not arrive within {BODY_TIMEOUT:?}");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "Body not read", detail))
        }
    }
}
