//! A counter survives its bytes, and no bytes are more than an error.

use std::sync::Arc;

use drl_core::{Cost, ShardTime};
use drl_limits::{Algorithm, Counter, Policy, Shape};
use proptest::prelude::*;

use crate::scenario::{cost, policies, policy, scenarios};

fn bytes(counter: &Counter) -> Vec<u8> {
    let mut out = Vec::new();
    counter.encode_cells(&mut out);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_counter_and_its_shape_survive_their_bytes(scenario in scenarios(60), refunds in any::<u64>()) {
        let policy = &scenario.policy;
        let mut counter = Counter::fresh(policy);
        for (turn, (now, cost)) in scenario.checks.into_iter().enumerate() {
            counter.check(policy, now, cost);
            if refunds >> (turn % 64) & 1 == 1 {
                counter.refund(ShardTime(now.0 - 1_000), now, cost);
            }
            let mut encoded = Vec::new();
            counter.shape().encode(&mut encoded);
            counter.encode_cells(&mut encoded);
            encoded.push(0xee);
            let mut input = &encoded[..];
            let shape = Arc::new(Shape::decode(&mut input).unwrap());
            let decoded = Counter::decode_cells(shape, &mut input).unwrap();
            prop_assert_eq!(input, [0xee]);
            prop_assert_eq!(&decoded, &counter);
            // A reader that goes on with it shares the policy's shape and nothing is converted.
            let mut goes_on = decoded;
            goes_on.check(policy, now, Cost::ONE);
            prop_assert!(Arc::ptr_eq(goes_on.shape(), policy.shape()));
        }
    }

    #[test]
    fn cells_cut_anywhere_are_refused(scenario in scenarios(40)) {
        let policy = &scenario.policy;
        let mut counter = Counter::fresh(policy);
        for (now, cost) in scenario.checks {
            counter.check(policy, now, cost);
        }
        let bytes = bytes(&counter);
        for end in 0..bytes.len() {
            prop_assert!(Counter::decode_cells(policy.shape().clone(), &mut &bytes[..end]).is_err());
        }
    }

    /// What does decode is usable at any time and has these bytes and no others.
    #[test]
    fn any_bytes_are_a_usable_counter_or_an_error(policy in policies(), noise in proptest::collection::vec(any::<u8>(), 0..200), now in any::<u64>()) {
        use_if_decodes(&policy, &noise, now)?;
    }

    #[test]
    fn bytes_with_a_fault_are_a_usable_counter_or_an_error(scenario in scenarios(40), at in any::<usize>(), fault in any::<u8>(), now in any::<u64>()) {
        let mut counter = Counter::fresh(&scenario.policy);
        for (now, cost) in scenario.checks {
            counter.check(&scenario.policy, now, cost);
        }
        let mut bytes = bytes(&counter);
        let at = at % bytes.len();
        bytes[at] = fault;
        use_if_decodes(&scenario.policy, &bytes, now)?;
    }
}

fn use_if_decodes(policy: &Policy, input: &[u8], now: u64) -> Result<(), TestCaseError> {
    let mut rest = input;
    if let Ok(mut counter) = Counter::decode_cells(policy.shape().clone(), &mut rest) {
        prop_assert_eq!(&bytes(&counter)[..], &input[..input.len() - rest.len()]);
        counter.refund(ShardTime(now / 2), ShardTime(now), cost(3));
        counter.check(policy, ShardTime(now), Cost::ONE);
        counter.check(policy, ShardTime(now).plus(counter.expires_at().since(ShardTime(now))), cost(1 << 53));
        prop_assert!(Counter::decode_cells(policy.shape().clone(), &mut &bytes(&counter)[..]).is_ok());
    }
    Ok(())
}

const NOW: ShardTime = ShardTime(0x1122_3344_5566_7788);

#[test]
fn the_bytes_of_a_fixed_window_are_frozen() {
    let policy = policy(Algorithm::FixedWindow, &[(1_000, "1m"), (500, "1s")], None);
    let mut counter = Counter::fresh(&policy);
    assert_eq!(bytes(&counter), [0; 18]);
    counter.check(&policy, NOW, cost(300));
    let cell = [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0xac, 2];
    assert_eq!(bytes(&counter), [cell, cell].concat());
}

#[test]
fn the_bytes_of_a_sliding_window_are_frozen() {
    let policy = policy(Algorithm::SlidingWindow, &[(1_000, "1s")], None);
    let mut counter = Counter::fresh(&policy);
    assert_eq!(bytes(&counter), [0]);
    let time = [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11];
    counter.check(&policy, NOW, cost(300));
    // One entry, not counted from the start of its sub-window.
    assert_eq!(bytes(&counter), [&[0x81][..], &time, &time, &[0xac, 2]].concat());
    counter.check(&policy, ShardTime(NOW.0 + 62_500_000), cost(1));
    // 62,500,000 later, one unit.
    assert_eq!(bytes(&counter), [&[0x82][..], &time, &time, &[0xac, 2, 0xa0, 0xd9, 0xe6, 0x1d, 1]].concat());
    counter.check(&policy, ShardTime(NOW.0 + 1_000_000_000), cost(2));
    // The first is gone, and all that is left is complete.
    let second = (NOW.0 + 62_500_000).to_le_bytes();
    assert_eq!(bytes(&counter), [&[2][..], &second, &[1, 0xe0, 0xba, 0x84, 0xbf, 3, 2]].concat());
}

#[test]
fn the_bytes_of_a_token_bucket_are_frozen() {
    let policy = policy(Algorithm::TokenBucket, &[(1_000, "1s")], Some(2_000));
    let mut counter = Counter::fresh(&policy);
    assert_eq!(bytes(&counter), [0; 9]);
    let time = [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11];
    counter.check(&policy, NOW, cost(300));
    assert_eq!(bytes(&counter), [&time[..], &[0xd8, 4]].concat());
    counter.refund(NOW, ShardTime(NOW.0 + 5), cost(3));
    assert_eq!(bytes(&counter), [&time[..], &[0xd3, 4, 5]].concat());
}

#[test]
fn a_long_list_of_a_short_input_allocates_nothing_and_is_refused() {
    let policy = policy(Algorithm::SlidingWindow, &[(1_000, "1s")], None);
    for count in [1, 17, 18, 127, 128, 129, 255] {
        assert!(Counter::decode_cells(policy.shape().clone(), &mut &[count, 1, 2][..]).is_err(), "{count}");
    }
}
