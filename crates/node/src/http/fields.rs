//! The header fields that tell a client how it stands: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10),
//! and `Retry-After` on a denial, which is never earlier than the `t` beside it.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use drl_limits::{Decision, Policy, Retry};

/// The name that ties the two fields together; a client has one policy here.
pub(super) const POLICY_NAME: &str = "default";

const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Adds the fields for a decision; `policy` is the one that decided, `None` for an unknown client, who gets no `RateLimit` fields.
pub(super) fn add(headers: &mut HeaderMap, decision: &Decision, policy: Option<&Policy>) {
    let retry_after_s = match decision.retry {
        _ if decision.allowed => None,
        Retry::After(wait) => Some(wait.secs_ceil()),
        Retry::Now | Retry::Never => None,
    };
    if let Some(policy) = policy {
        let window_s = window_s(policy, decision.limit);
        let more_after_s = retry_after_s.unwrap_or_else(|| decision.reset_after.secs_ceil());
        let quota = format!("\"{POLICY_NAME}\";q={};w={window_s}", decision.limit);
        let left = format!("\"{POLICY_NAME}\";r={};t={more_after_s}", decision.remaining);
        for (name, value) in [(RATELIMIT_POLICY, quota), (RATELIMIT, left)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
    if let Some(seconds) = retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// The window, in whole seconds, of the limit that a decision shows. Windows under a second count as one: the field knows no
/// fractions.
fn window_s(policy: &Policy, limit: u64) -> u64 {
    let shown = policy.capacities().iter().position(|capacity| *capacity == limit).unwrap_or(0);
    policy.limits().get(shown).map_or(1, |limit| limit.window().nanos().secs_ceil())
}

#[cfg(test)]
mod tests {
    use drl_core::Nanos;
    use drl_limits::{Limit, PolicySpec, Reason};

    use super::*;

    fn policy() -> Policy {
        let limits = [(100, "1m"), (1_000, "1h")];
        let limits = limits.map(|(requests, window)| Limit::new(requests, window.parse().unwrap()).unwrap());
        Policy::new(PolicySpec { limits: limits.to_vec(), ..PolicySpec::default() }).unwrap()
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
        let reason = if allowed { Reason::WithinLimit } else { Reason::OverLimit };
        let reset_after = Nanos::from_millis(30_001);
        Decision {
            allowed,
            limit: 1_000,
            window: Nanos::from_secs(3_600),
            remaining: 50,
            retry,
            reset_after,
            policy_revision: 7,
            reason,
        }
    }

    #[test]
    fn an_admission_shows_the_tightest_limit_with_its_own_window() {
        let expected = [("ratelimit", "\"default\";r=50;t=31"), ("ratelimit-policy", "\"default\";q=1000;w=3600")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields(&decision(true, Retry::Now), Some(&policy())), expected);
    }

    #[test]
    fn a_denial_says_when_to_come_back_and_not_before_there_is_more() {
        let found = fields(&decision(false, Retry::After(Nanos::from_millis(2_500))), Some(&policy()));
        assert_eq!(found[0].1, "\"default\";r=50;t=3");
        assert_eq!(found[2], ("retry-after".to_owned(), "3".to_owned()));
    }

    #[test]
    fn what_can_never_pass_and_who_is_unknown_is_not_told_to_come_back() {
        assert_eq!(fields(&decision(false, Retry::Never), Some(&policy())).len(), 2);
        assert_eq!(fields(&decision(false, Retry::Never), None), []);
    }
}
