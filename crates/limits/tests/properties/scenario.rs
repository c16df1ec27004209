//! Policies and histories for the properties. Windows and limits are small enough that a short history fills and empties them many
//! times, and the gaps between checks prefer the edges: zero, one nanosecond, a token, a sub-window, a window, and one off each.

use drl_core::{Cost, ShardTime};
use drl_limits::{Algorithm, Limit, Policy, PolicySpec, Window};
use proptest::prelude::*;

/// A policy and the checks that one client makes under it.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) policy: Policy,
    pub(crate) checks: Vec<(ShardTime, Cost)>,
}

impl Scenario {
    pub(crate) fn first_limit_only(&self) -> Policy {
        Policy::new(PolicySpec { limits: vec![self.policy.limits()[0]], ..self.policy.spec().clone() }).unwrap()
    }
}

/// How the gap before a check is chosen, and its cost.
pub(crate) type Step = (u8, u64, u64);

pub(crate) fn cost(units: u64) -> Cost {
    Cost::new(units).unwrap()
}

pub(crate) fn policy(algorithm: Algorithm, limits: &[(u64, &str)], burst: Option<u64>) -> Policy {
    let limit = |(requests, window): &(u64, &str)| Limit::new(*requests, window.parse().unwrap()).unwrap();
    let limits = limits.iter().map(limit).collect();
    Policy::new(PolicySpec { limits, algorithm, burst, ..PolicySpec::default() }).unwrap()
}

pub(crate) fn algorithms() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(Algorithm::FixedWindow), Just(Algorithm::SlidingWindow), Just(Algorithm::TokenBucket)]
}

/// One to three limits of 1 to 12 per 1 to 5 ms, where milliseconds need not be whole.
pub(crate) fn policies_of(algorithm: Algorithm) -> impl Strategy<Value = Policy> {
    let limit = (1u64..=12, prop_oneof![1u64..=5, Just(2)], prop_oneof![Just(0), 0u64..1_000]);
    (proptest::collection::vec(limit, 1..=3), proptest::option::of(1u64..=20)).prop_map(move |(limits, burst)| {
        let window = |millis: u64, nanos: u64| Window::new(drl_core::Nanos(millis * 1_000_000 + nanos)).unwrap();
        let limits =
            limits.into_iter().map(|(requests, millis, nanos)| Limit::new(requests, window(millis, nanos)).unwrap());
        let burst = burst.filter(|_| algorithm == Algorithm::TokenBucket);
        Policy::new(PolicySpec { limits: limits.collect(), algorithm, burst, ..PolicySpec::default() }).unwrap()
    })
}

pub(crate) fn policies() -> impl Strategy<Value = Policy> {
    algorithms().prop_flat_map(policies_of)
}

pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(
        (0u8..12, any::<u64>(), prop_oneof![4 => Just(1u64), 2 => 1u64..=4, 1 => 1u64..=24]),
        1..=most,
    )
}

/// The gap that a step stands for under a limit.
pub(crate) fn gap(policy: &Policy, (kind, random, _): Step) -> u64 {
    let limit = policy.limits()[usize::try_from(random % policy.limits().len() as u64).unwrap()];
    let (window, requests) = (limit.window().nanos().0, limit.requests());
    let (token, sub_window) = (window.div_ceil(requests), window.div_ceil(16));
    match kind {
        0..=2 => 0,
        3 => 1,
        4 => token - 1,
        5 => token,
        6 => sub_window,
        7 => window - 1,
        8 => window,
        9 => random % (2 * window),
        _ => random % (2 * token),
    }
}

pub(crate) fn checks(policy: &Policy, steps: &[Step]) -> Vec<(ShardTime, Cost)> {
    let mut now = 1_700_000_000_000_000_000;
    let check = |step: &Step| {
        now += gap(policy, *step);
        (ShardTime(now), cost(step.2))
    };
    steps.iter().map(check).collect()
}

pub(crate) fn scenarios(most: usize) -> impl Strategy<Value = Scenario> {
    (policies(), steps(most)).prop_map(|(policy, steps)| Scenario { checks: checks(&policy, &steps), policy })
}
