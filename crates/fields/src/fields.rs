//! The header fields that tell a client how it stands: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10),
//! and `Retry-After` on a denial, which is never earlier than the `t` beside it.
//!
//! `RateLimit-Policy` has one item for each limit of the policy; `RateLimit` says of one of them, the tightest, how it stands. A name ties
//! the two together.
//!
//! Who knows the policy says so, and every limit is listed. From a decision alone the limit that it shows is told, under the name of an
//! only limit.

use drl_core::Nanos;
use drl_limits::{Algorithm, Decision, Limit, Policy, Reason, Retry};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The name of a policy's only limit.
const ONLY: &str = "default";

const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Puts the fields for a decision in place; `policy` is the one that decided, `None` where it is not known. A decision that says nothing
/// of a counter (the client is unknown, nobody could decide) has no `RateLimit` fields.
pub fn add(headers: &mut HeaderMap, decision: &Decision, policy: Option<&Policy>) {
    let retry_after = match decision.retry {
        _ if decision.allowed => None,
        Retry::After(wait) => Some(wait),
        Retry::Now | Retry::Never => None,
    };
    if decision.window > Nanos::ZERO && decision.reason != Reason::Unavailable {
        let more_after_s = retry_after.unwrap_or_else(|| more_after(policy, decision)).secs_ceil();
        let left = format!("\"{}\";r={};t={more_after_s}", shown_name(policy, decision), decision.remaining);
        let quotas = policy.map_or_else(|| quota(ONLY, decision.limit, decision.window), quotas);
        for (name, value) in [(RATELIMIT_POLICY, quotas), (RATELIMIT, left)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
    if let Some(wait) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.secs_ceil()));
    }
}

/// The name of the limit that a decision shows.
#[must_use]
pub fn shown_name(policy: Option<&Policy>, decision: &Decision) -> String {
    policy.map_or_else(|| ONLY.to_owned(), |policy| name(policy, shown(policy, decision)))
}

/// One item for each limit.
fn quotas(policy: &Policy) -> String {
    let item = |(limit, capacity): (&Limit, &u64)| quota(&name(policy, Some(limit)), *capacity, limit.window().nanos());
    policy.limits().iter().zip(policy.capacities()).map(item).collect::<Vec<_>>().join(", ")
}

/// Windows under a second count as one: the field knows no fractions.
fn quota(name: &str, capacity: u64, window: Nanos) -> String {
    format!("\"{name}\";q={capacity};w={}", window.secs_ceil())
}

/// Names are distinct within a policy, and stay when another limit is added.
fn name(policy: &Policy, limit: Option<&Limit>) -> String {
    match limit {
        Some(limit) if policy.limits().len() > 1 => format!("{}-per-{}", limit.requests(), limit.window()),
        _ => ONLY.to_owned(),
    }
}

/// The limit that a decision shows; `None` when the policy was changed since.
fn shown<'a>(policy: &'a Policy, decision: &Decision) -> Option<&'a Limit> {
    let mut limits = policy.limits().iter().zip(policy.capacities());
    let is_shown = |limit: &Limit, capacity| capacity == decision.limit && limit.window().nanos() == decision.window;
    limits.find(|(limit, capacity)| is_shown(limit, **capacity)).map(|(limit, _)| limit)
}

/// How long until the shown limit has more. A fixed window has more when it ends, a token bucket with its next token. A sliding window
/// has it with its oldest use, which a decision does not tell: there, and where the policy is not known, it is when all of it is back,
/// which is never too early.
fn more_after(policy: Option<&Policy>, decision: &Decision) -> Nanos {
    let bucket = policy.filter(|policy| policy.algorithm() == Algorithm::TokenBucket);
    let Some(limit) = bucket.and_then(|policy| shown(policy, decision)) else { return decision.reset_after };
    // A bucket is full when the last of its missing tokens comes, and they come one by one.
    let a_token = limit.window().nanos().0.div_ceil(limit.requests().max(1)).max(1);
    let whole_tokens = decision.reset_after.0.saturating_sub(1) / a_token;
    Nanos(decision.reset_after.0 - whole_tokens * a_token)
}

#[cfg(test)]
mod tests {
    use drl_core::ShardTime;
    use drl_limits::{OnUnavailable, PolicySpec, Reason};

    use super::*;

    fn policy(algorithm: Algorithm, limits: &[(u64, &str)]) -> Policy {
        let limits = limits.iter().map(|(requests, window)| Limit::new(*requests, window.parse().unwrap()).unwrap());
        Policy::new(PolicySpec { limits: limits.collect(), algorithm, ..PolicySpec::default() }).unwrap()
    }

    fn two_limits() -> Policy {
        policy(Algorithm::SlidingWindow, &[(100, "1m"), (1_000, "1h")])
    }

    fn fields(decision: &Decision, policy: Option<&Policy>) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        add(&mut headers, decision, policy);
        let mut fields: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        fields.sort();
        fields
    }

    fn decision(allowed: bool, retry: Retry) -> Decision {
        Decision {
            allowed,
            limit: 1_000,
            window: Nanos::from_secs(3_600),
            remaining: 50,
            retry,
            reset_after: Nanos::from_millis(30_001),
            policy_revision: 7,
            on_unavailable: OnUnavailable::Deny,
            decided_at: ShardTime::ZERO,
            reason: if allowed { Reason::WithinLimit } else { Reason::OverLimit },
        }
    }

    #[test]
    fn every_limit_is_listed_and_the_tightest_shown() {
        let expected = [
            ("ratelimit", "\"1000-per-1h\";r=50;t=31"),
            ("ratelimit-policy", "\"100-per-1m\";q=100;w=60, \"1000-per-1h\";q=1000;w=3600"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields(&decision(true, Retry::Now), Some(&two_limits())), expected);
    }

    #[test]
    fn of_two_limits_of_equal_capacity_the_one_that_decided_is_shown() {
        let policy = policy(Algorithm::SlidingWindow, &[(1_000, "10s"), (1_000, "1h")]);
        let found = fields(&decision(true, Retry::Now), Some(&policy));
        assert_eq!(found[0].1, "\"1000-per-1h\";r=50;t=31");
        assert_eq!(found[1].1, "\"1000-per-10s\";q=1000;w=10, \"1000-per-1h\";q=1000;w=3600");
    }

    #[test]
    fn a_token_bucket_has_more_with_its_next_token() {
        // A token every 3.6 s; 30.001 s until it is full are eight whole tokens and 1.201 s.
        let policy = policy(Algorithm::TokenBucket, &[(1_000, "1h")]);
        assert_eq!(fields(&decision(true, Retry::Now), Some(&policy))[0].1, "\"default\";r=50;t=2");
        let (tokens, full) =
            (Nanos::from_millis(7_200), Decision { reset_after: Nanos::ZERO, ..decision(true, Retry::Now) });
        let next = Decision { reset_after: tokens, ..full };
        assert_eq!(
            (more_after(Some(&policy), &next), more_after(Some(&policy), &full)),
            (Nanos::from_millis(3_600), Nanos::ZERO)
        );
    }

    #[test]
    fn a_denial_says_when_to_come_back_and_not_before_there_is_more() {
        let found = fields(&decision(false, Retry::After(Nanos::from_millis(2_500))), Some(&two_limits()));
        assert_eq!(found[0].1, "\"1000-per-1h\";r=50;t=3");
        assert_eq!(found[2], ("retry-after".to_owned(), "3".to_owned()));
    }

    #[test]
    fn what_can_never_pass_and_who_is_unknown_is_not_told_to_come_back() {
        assert_eq!(fields(&decision(false, Retry::Never), Some(&two_limits())).len(), 2);
        let unknown = Decision { limit: 0, window: Nanos::ZERO, ..decision(false, Retry::Never) };
        assert_eq!(fields(&unknown, None), []);
    }

    #[test]
    fn a_decision_alone_tells_the_limit_that_it_shows() {
        let found = fields(&decision(true, Retry::Now), None);
        let expected = [("ratelimit", "\"default\";r=50;t=31"), ("ratelimit-policy", "\"default\";q=1000;w=3600")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn where_nobody_could_decide_nothing_is_said_of_the_limit() {
        let unavailable =
            Decision { reason: Reason::Unavailable, ..decision(false, Retry::After(Nanos::from_secs(1))) };
        assert_eq!(fields(&unavailable, None), [("retry-after".to_owned(), "1".to_owned())]);
    }
}
