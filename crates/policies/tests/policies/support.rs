//! What the tests share: policies by their requests, lookups, and waiting with a deadline that says how long it took.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use drl_configuration::ConfigurationService;
use drl_coordination::{ClusterName, Coordination, Keys};
use drl_core::{ClientId, LimitKey, Namespace};
use drl_policies::{ClusterPolicies, ClusterPoliciesOptions, InMemoryLastGood};
use tokio::time::{interval, timeout};

/// For anything that should take milliseconds, on a machine that is busy.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// For one call to the store.
pub(crate) const CALL: Duration = Duration::from_secs(5);

pub(crate) fn keys() -> Keys {
    Keys::new(&ClusterName::default())
}

/// The key of a client of the default namespace.
pub(crate) fn key(client: &str) -> String {
    format!("/drl/default/limits/default/clients/{client}")
}

pub(crate) fn policy(requests: u64) -> String {
    format!(r#"{{"limits":[{{"requests":{requests},"window":"1m"}}]}}"#)
}

pub(crate) async fn follow(store: Arc<dyn Coordination>, disk: &Arc<InMemoryLastGood>) -> Result<Arc<ClusterPolicies>> {
    Ok(ClusterPolicies::start(store, keys(), disk.clone(), ClusterPoliciesOptions::default()).await?)
}

/// The requests of what applies to a client of the default namespace.
pub(crate) fn limit_of(policies: &ClusterPolicies, client: &str) -> Option<u64> {
    let client = ClientId::new(client.as_bytes()).unwrap();
    policies.get(LimitKey::new(Namespace::DEFAULT, client)).map(|found| found.policy.limits()[0].requests())
}

/// Waits until something is so; how long it took.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<Duration> {
    let begun = now();
    let asking = async {
        let mut ticks = interval(Duration::from_millis(1));
        while !is_so() {
            ticks.tick().await;
        }
    };
    timeout(SOON, asking).await.with_context(|| format!("{what}: not within {SOON:?}"))?;
    Ok(begun.elapsed())
}

#[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
