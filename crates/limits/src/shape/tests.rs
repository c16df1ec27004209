//! The bytes of a shape are frozen, and other bytes are refused.

use proptest::prelude::*;

use super::*;

fn limit(requests: u64, window: &str) -> Limit {
    Limit::new(requests, window.parse().unwrap()).unwrap()
}

fn shape(algorithm: Algorithm, limits: &[Limit]) -> Shape {
    Shape::new(algorithm, limits.iter().map(|limit| (*limit, limit.requests())))
}

fn bytes(shape: &Shape) -> Vec<u8> {
    let mut out = Vec::new();
    shape.encode(&mut out);
    out
}

const TWO_SLIDING: [u8; 37] = [
    2, // limits
    2, 0x00, 0xca, 0x9a, 0x3b, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 16, // 10 per 1s, 16 sub-windows
    2, 0x00, 0x58, 0x47, 0xf8, 0x0d, 0, 0, 0, 0xe8, 3, 0, 0, 0, 0, 0, 0, 16, // 1000 per 1m
];

const BURSTING_9: [u8; 26] = [1, 4, 0x40, 0x42, 0x0f, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn the_bytes_are_frozen() {
    let sliding = shape(Algorithm::SlidingWindow, &[limit(10, "1s"), limit(1_000, "1m")]);
    assert_eq!(bytes(&sliding), TWO_SLIDING);
    let fixed = shape(Algorithm::FixedWindow, &[limit(1, "1ms")]);
    assert_eq!(bytes(&fixed), [1, 1, 0x40, 0x42, 0x0f, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    let bucket = shape(Algorithm::TokenBucket, &[limit(1 << 53, "366d")]);
    let found = bytes(&bucket);
    assert_eq!(found, [1, 3, 0x00, 0x00, 0xf2, 0xbe, 0x67, 0x58, 0x70, 0, 0, 0, 0, 0, 0, 0, 0x20, 0]);
    let bursting = Shape::new(Algorithm::TokenBucket, [(limit(1, "1ms"), 9)]);
    assert_eq!(bytes(&bursting), BURSTING_9);
}

#[test]
fn a_shape_cut_anywhere_is_refused() {
    for end in 0..TWO_SLIDING.len() {
        assert!(Shape::decode(&mut &TWO_SLIDING[..end]).is_err(), "{end}");
    }
    let mut input = &[&TWO_SLIDING[..], &[9]].concat()[..];
    assert!(Shape::decode(&mut input).is_ok());
    assert_eq!(input, [9]);
}

#[test]
fn numbers_out_of_range_are_refused() {
    let spoiled = |at: usize, byte: u8| {
        let mut bytes = TWO_SLIDING;
        bytes[at] = byte;
        Shape::decode(&mut &bytes[..]).map_err(|error| error.problem)
    };
    assert_eq!(spoiled(0, 0), Err("number of limits out of range"));
    assert_eq!(spoiled(0, 9), Err("number of limits out of range"));
    assert_eq!(spoiled(1, 5), Err("unknown algorithm"));
    assert_eq!(spoiled(9, 1), Err("window out of range"));
    assert_eq!(spoiled(10, 0), Err("requests out of range"));
    assert_eq!(spoiled(17, 1), Err("requests out of range"));
    assert_eq!(spoiled(18, 0), Err("number of sub-windows out of range"));
    assert_eq!(spoiled(18, 65), Err("number of sub-windows out of range"));
    assert!(spoiled(18, 64).is_ok_and(|shape| bytes(&shape)[18] == 64));
}

/// A bucket that holds its requests has one spelling.
#[test]
fn a_burst_is_in_range_and_not_what_the_bucket_would_hold_without_it() {
    for burst in [0, 1, (1 << 53) + 1, u64::MAX] {
        let bytes = [&BURSTING_9[..18], &burst.to_le_bytes()].concat();
        assert_eq!(Shape::decode(&mut &bytes[..]).map_err(|error| error.problem), Err("burst out of range"));
    }
    assert_eq!(Shape::decode(&mut &BURSTING_9[..]).map(|shape| shape.limits()[0].capacity()), Ok(9));
}

proptest! {
    #[test]
    fn any_bytes_are_a_shape_with_these_bytes_or_an_error(noise in proptest::collection::vec(any::<u8>(), 0..80), cut in 0usize..40) {
        let near = [&TWO_SLIDING[..cut.min(37)], &noise[..]].concat();
        let bursting = [&BURSTING_9[..cut.min(26)], &noise[..]].concat();
        for input in [noise, near, bursting] {
            let mut rest = &input[..];
            if let Ok(shape) = Shape::decode(&mut rest) {
                prop_assert_eq!(&bytes(&shape)[..], &input[..input.len() - rest.len()]);
            }
        }
    }
}
