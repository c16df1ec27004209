//! The claims hold for a plain counter, and each planted bug in it is caught by the claim that is about it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use drl_core::{Cost, LimitKey, Nanos, ShardTime};
use drl_limits::OnUnavailable;

use super::*;
use crate::{Backend, Reason, Retry, Terms};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bug {
    None,
    OneTooMany,
    PeekCharges,
    PartIsCharged,
    StrangersPass,
    LastFirst,
    RefundIsLost,
    RefundAddsUp,
    ResetIsLost,
    NamespacesAreOne,
    ReadThenWrite,
}

/// Counters without time.
struct Counters {
    bug: Bug,
    used: Mutex<BTreeMap<(String, Vec<u8>), i128>>,
}

fn units(cost: Cost) -> i128 {
    i128::from(cost.units())
}

impl Counters {
    fn limit(&self, key: LimitKey<'_>) -> i128 {
        match key.namespace.as_str() {
            NOBODY => 0,
            SMALL => i128::from(SMALL_LIMIT),
            _ if self.bug == Bug::OneTooMany => i128::from(LIMIT) + 1,
            _ => i128::from(LIMIT),
        }
    }

    fn name(&self, key: LimitKey<'_>) -> (String, Vec<u8>) {
        let namespace = if self.bug == Bug::NamespacesAreOne { "" } else { key.namespace.as_str() };
        (namespace.to_owned(), key.client.as_bytes().to_vec())
    }

    fn change(&self, key: LimitKey<'_>, change: impl FnOnce(i128) -> i128) {
        let mut used = self.used.lock().unwrap();
        let counter = used.entry(self.name(key)).or_default();
        *counter = change(*counter);
    }

    fn decide(&self, request: &CheckRequest<'_>, charges: bool) -> Decision {
        let (limit, cost) = (self.limit(request.key), units(request.cost));
        let mut used = self.used.lock().unwrap();
        let counter = used.entry(self.name(request.key)).or_default();
        let fits = *counter + cost.max(1) <= limit;
        if charges && fits {
            *counter += cost;
        } else if charges && self.bug == Bug::PartIsCharged {
            *counter = limit;
        }
        let (reason, retry) = match () {
            () if limit == 0 => (Reason::UnknownClient, Retry::Never),
            () if fits => (Reason::WithinLimit, Retry::Now),
            () if cost > limit => (Reason::CostAboveLimit, Retry::Never),
            () => (Reason::OverLimit, Retry::After(Nanos(1))),
        };
        Decision {
            allowed: fits || (limit == 0 && self.bug == Bug::StrangersPass),
            limit: u64::try_from(limit).unwrap(),
            window: Nanos::from_secs(3_600),
            remaining: u64::try_from((limit - *counter).max(0)).unwrap(),
            retry,
            reset_after: Nanos(1),
            policy_revision: 1,
            on_unavailable: OnUnavailable::Deny,
            decided_at: ShardTime::ZERO,
            reason,
        }
    }
}

impl Backend for Counters {
    fn check<'a>(&'a self, checks: &'a [CheckRequest<'a>], _: Terms) -> Answer<'a, Vec<Result<Decision, CheckError>>> {
        Box::pin(async move {
            let seen = checks.first().map(|check| self.decide(check, false));
            if let (Bug::ReadThenWrite, Some(seen)) = (self.bug, seen) {
                tokio::task::yield_now().await;
                let [check] = checks else { return checks.iter().map(|check| Ok(self.decide(check, true))).collect() };
                self.change(check.key, |used| used + if seen.allowed { units(check.cost) } else { 0 });
                let remaining = self.decide(check, false).remaining;
                return vec![Ok(Decision { remaining, ..seen })];
            }
            let mut answers: Vec<_> = checks.iter().map(|check| Ok(self.decide(check, true))).collect();
            if self.bug == Bug::LastFirst {
                answers.reverse();
            }
            answers
        })
    }

    fn peek<'a>(&'a self, check: CheckRequest<'a>, _: Terms) -> Answer<'a, Result<Decision, CheckError>> {
        Box::pin(async move { Ok(self.decide(&check, self.bug == Bug::PeekCharges)) })
    }

    fn refund<'a>(
        &'a self,
        key: LimitKey<'a>,
        cost: Cost,
        _: Option<ShardTime>,
        _: Terms,
    ) -> Answer<'a, Result<(), CheckError>> {
        let least = if self.bug == Bug::RefundAddsUp { i128::MIN } else { 0 };
        if self.bug != Bug::RefundIsLost {
            self.change(key, |used| (used - units(cost)).max(least));
        }
        Box::pin(async { Ok(()) })
    }

    fn reset<'a>(&'a self, key: LimitKey<'a>, _: Terms) -> Answer<'a, Result<(), CheckError>> {
        if self.bug != Bug::ResetIsLost {
            self.change(key, |_| 0);
        }
        Box::pin(async { Ok(()) })
    }
}

fn limiter(bug: Bug) -> RateLimiter {
    RateLimiter::over(Arc::new(Counters { bug, used: Mutex::default() }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_claim_holds_for_a_plain_counter() {
    check(&limiter(Bug::None)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_planted_bug_is_caught_by_a_claim_that_is_about_it() {
    for (bug, claim) in [
        (Bug::OneTooMany, "a_check_charges"),
        (Bug::PeekCharges, "a_peek_charges_nothing"),
        (Bug::PartIsCharged, "a_cost_is_charged_whole"),
        (Bug::StrangersPass, "a_client_without_a_policy"),
        (Bug::LastFirst, "a_batch_is_decided_in_order"),
        (Bug::RefundIsLost, "a_refund_gives_back"),
        (Bug::RefundAddsUp, "a_refund_gives_back"),
        (Bug::ResetIsLost, "a_reset_forgets"),
        (Bug::NamespacesAreOne, "namespaces_do_not_share"),
    ] {
        assert_caught(bug, claim).await;
    }
}

async fn assert_caught(bug: Bug, name: &str) {
    let claims = CLAIMS.iter().copied().flatten();
    let claim = claims.into_iter().find(|claim| claim.name.starts_with(name)).unwrap();
    let held = (claim.run)(limiter(bug)).await;
    assert!(held.is_err(), "{} does not catch {bug:?}", claim.name);
}

/// On one thread, so that the tasks meet between reading and writing for certain.
#[tokio::test]
async fn a_counter_that_is_read_and_then_written_is_caught() {
    assert_caught(Bug::ReadThenWrite, "many_tasks").await;
}
