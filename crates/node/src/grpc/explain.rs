//! Why a client is limited as it is: its policy, the owner of its counter, and what every limit has left. The owner looks; any other
//! node asks it.

use std::sync::Arc;

use drl_configuration::{ConfigurationService, PolicyDocument};
use drl_core::{Cost, Epoch, LimitKey};
use drl_host::{Action, Ask, PolicyOf, UnknownClient};
use drl_limits::{Algorithm, Decision, Limit, Policy, PolicySpec, Reason};
use drl_proto::v1;

use super::asking;
use super::placing::seat_of;
use crate::judge::answers::Answers;
use crate::judge::{Judge, Routing};
use crate::surroundings::Surroundings;

pub(super) enum Explained {
    Whole(v1::ExplainResponse),
    /// Somebody else owns the counter: the usage is missing.
    Elsewhere(v1::ExplainResponse),
}

/// What this node knows of a client.
pub(super) async fn here(
    judge: &Judge,
    surroundings: &Surroundings,
    policies: &dyn ConfigurationService,
    key: LimitKey<'_>,
) -> Explained {
    let found = policies.get(key);
    let applied = found.as_ref().map(|found| v1::AppliedPolicy {
        matched: found.matched.to_string(),
        policy_json: PolicyDocument::from(&*found.policy).to_string(),
        revision: found.revision,
    });
    let mut answer = v1::ExplainResponse {
        policy: applied,
        unknown_client_allowed: surroundings.unknown_client() == UnknownClient::Allow && policies.is_complete(),
        seat: Some(seat_of(&surroundings.placement(), judge.host().shard_of(key))),
        ..v1::ExplainResponse::default()
    };
    let Some(found) = found else { return Explained::Whole(answer) };
    match usage(judge, key, &found.policy).await {
        Ok(usage) => {
            answer.usage = usage;
            Explained::Whole(answer)
        }
        Err(trouble) => {
            answer.trouble = trouble;
            Explained::Elsewhere(answer)
        }
    }
}

/// How every limit stands. A decision shows the tightest one only, so each is looked at by a policy that has no other.
async fn usage(judge: &Judge, key: LimitKey<'_>, policy: &Policy) -> Result<Vec<v1::LimitUsage>, String> {
    let limits = || policy.limits().iter().zip(policy.capacities());
    let single = limits().map(|(limit, capacity)| single(policy, *limit, *capacity)).collect::<Option<Vec<_>>>();
    let single = single.ok_or("a limit of the policy cannot be looked at alone")?;
    let ask = |policy| Ask {
        key,
        cost: Cost::PEEK,
        action: Action::Peek,
        policy: PolicyOf::Given(policy),
        epoch: Epoch::default(),
    };
    let asks: Vec<Ask<'_>> = single.iter().map(ask).collect();
    let mut answers = Answers::default();
    let pending = judge.decide(&asks, Routing::Here, &mut answers).await;
    judge.settle(pending, &mut answers).await;
    let used = |((limit, capacity), answer): ((&Limit, &u64), Result<&Decision, _>)| {
        let decision = answer?;
        Ok(v1::LimitUsage {
            requests: limit.requests(),
            window_nanos: limit.window().nanos().0,
            capacity: *capacity,
            remaining: decision.remaining,
            reset_after_nanos: decision.reset_after.0,
            state_lost: decision.reason == Reason::StateLost,
        })
    };
    let usage: Result<Vec<_>, &crate::refusal::Refusal> = limits().zip(answers.iter()).map(used).collect();
    usage.map_err(ToString::to_string)
}

/// A policy with one limit of `policy`, which reads the counter's cell of that limit as it is.
fn single(policy: &Policy, limit: Limit, capacity: u64) -> Option<Arc<Policy>> {
    let burst = (policy.algorithm() == Algorithm::TokenBucket).then_some(capacity);
    Policy::new(PolicySpec { limits: vec![limit], burst, ..policy.spec().clone() }).ok().map(Arc::new)
}

/// The owner's answer to the same question; without one, `known` and why.
pub(super) async fn ask_owner(
    surroundings: &Surroundings,
    request: &v1::ExplainRequest,
    mut known: v1::ExplainResponse,
) -> v1::ExplainResponse {
    let owner = known.seat.as_ref().map(|seat| seat.node.clone()).unwrap_or_default();
    let placement = surroundings.placement();
    let address =
        placement.nodes.iter().find(|(id, _)| id.as_str() == owner).map(|(_, node)| node.addresses.grpc.clone());
    let Some(address) = address.filter(|_| owner != surroundings.me().as_str()) else { return known };
    let request = v1::ExplainRequest { here_only: true, ..request.clone() };
    let asked = async {
        let answer = asking::admin_at(&address)?.explain(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| status.message().to_owned())
    };
    match asked.await {
        Ok(answer) => answer,
        Err(reason) => {
            known.trouble = format!("the owner, node {owner}, did not answer: {reason}");
            known
        }
    }
}
