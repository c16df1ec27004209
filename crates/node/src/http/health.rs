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

/// 200 while the node decides, for every shard that it owns, by policies that it knows; else 503 with the reason.
pub(super) async fn readyz(State(shared): State<Shared>) -> Result<&'static str, Problem> {
    let decides = shared.judge.host().ready().map_err(|stopped| stopped.to_string());
    let is_loaded = || {
        let loaded = shared.policies.is_loaded().then_some(());
        loaded.ok_or_else(|| "the policies of the cluster are not loaded yet".to_owned())
    };
    let stands = || shared.surroundings.standing().map_or(Ok(()), |standing| standing.ready());
    let ready = decides.and_then(|()| is_loaded()).and_then(|()| stands());
    match ready {
        Ok(()) => Ok("ready\n"),
        Err(reason) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Not ready", reason)),
    }
}

pub(super) async fn metrics(State(shared): State<Shared>) -> Response {
    let standing = shared.surroundings.standing();
    let text = shared.judge.metrics().text(shared.judge.host(), shared.policies.counted(), standing.as_ref());
    let content = [(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"))];
    (content, text).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use drl_configuration::{ConfigurationService, Selector};
    use drl_core::{ClientId, Cost, LimitKey, Namespace, NodeId};
    use drl_host::{Action, Host, HostOptions};
    use drl_store::MemoryStore;

    use super::*;
    use crate::http::check::decide;
    use crate::judge::{Judge, Routes};
    use crate::listen::Addresses;
    use crate::metrics::Metrics;
    use crate::options::NodeOptions;
    use crate::policies::{Policies, StoredPolicies};
    use crate::surroundings::Surroundings;

    #[tokio::test]
    async fn after_a_failed_write_the_node_is_alive_not_ready_and_says_why() {
        let store = Arc::new(MemoryStore::new());
        let policies = Arc::new(StoredPolicies::load(store.clone()).unwrap());
        let configuration: Arc<dyn ConfigurationService> = policies.clone();
        let host = Host::open(store.clone(), configuration, HostOptions::new("boot".to_owned())).unwrap();
        policies.set(Namespace::DEFAULT, Selector::Default, br#"{"limits":[{"requests":9,"window":"1h"}]}"#).unwrap();
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let addresses = Addresses { grpc: address, http: address, resp: None };
        let options = NodeOptions::new(NodeId::new("n1").unwrap(), std::path::PathBuf::new());
        let surroundings = Surroundings::of(&options, addresses);
        let shared = Shared {
            judge: Judge::new(host, Arc::new(Metrics::new()), Routes::Alone),
            policies: Policies::Stored(policies),
            surroundings,
        };
        let key = LimitKey::new(Namespace::DEFAULT, ClientId::new(b"alice").unwrap());
        assert!(decide(&shared, key, Cost::ONE, Action::Charge).await.unwrap().decision.allowed);
        assert_eq!(readyz(State(shared.clone())).await.unwrap(), "ready\n");
        store.fail_next_write("No space left on device");
        let refused = decide(&shared, key, Cost::ONE, Action::Charge).await.unwrap_err().into_response();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        let not_ready = readyz(State(shared)).await.unwrap_err().into_response();
        assert_eq!(not_ready.status(), StatusCode::SERVICE_UNAVAILABLE);
        let body = axum::body::to_bytes(not_ready.into_body(), 4_096).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("No space left on device"), "{body:?}");
        assert_eq!(livez().await, "ok\n");
    }
}
