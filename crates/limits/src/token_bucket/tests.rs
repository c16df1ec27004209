//! Moving `since` on changes no answer.

use proptest::prelude::*;

use super::*;
use crate::{Algorithm, Limit, Shape, Window};

proptest! {
    #[test]
    fn a_bucket_that_was_moved_on_answers_the_same(
        requests in 1u64..=1 << 53,
        nanos in 1_000_000u64..31_622_400_000_000_000,
        spent in 0..=SPENT_MAX,
        late in any::<u64>(),
        elapsed in any::<u64>(),
        wait in any::<u64>(),
        shifts in any::<[u8; 4]>(),
    ) {
        let limit = Limit::new((requests >> (shifts[0] % 53)).max(1), Window::new(Nanos(nanos)).unwrap()).unwrap();
        let shape = Shape::new(Algorithm::TokenBucket, [(limit, limit.requests())]).limits()[0];
        let now = ShardTime(elapsed >> (shifts[1] % 64));
        let bucket = TokenBucket::new(ShardTime::ZERO, spent >> (shifts[2] % 63), Nanos(late >> (shifts[3] % 64)));
        let mut moved = bucket;
        moved.move_on(&shape, now);
        prop_assert!(moved.since <= now);
        prop_assert!(moved.spent < requests.max(limit.requests()) || now.since(moved.since) < limit.window().nanos());
        for then in [now, now.plus(Nanos(wait)), ShardTime::MAX] {
            prop_assert_eq!(bucket.backlog(&shape, then), moved.backlog(&shape, then));
        }
    }
}

#[test]
fn a_bucket_full_for_long_has_nothing_saved_up() {
    let limit = Limit::new(60, "60s".parse().unwrap()).unwrap();
    let shape = Shape::new(Algorithm::TokenBucket, [(limit, limit.requests())]).limits()[0];
    let mut bucket = TokenBucket::default();
    bucket.charge(&shape, ShardTime(1_000_000_000), Cost::ONE);
    let standing = bucket.standing(&shape, 10, ShardTime(1_000_000_000_000));
    assert_eq!(standing, Standing { remaining: 10, reset_after: Nanos::ZERO });
    bucket.charge(&shape, ShardTime(1_000_000_000_000), Cost::ONE);
    assert_eq!(bucket.standing(&shape, 10, ShardTime(1_000_000_000_000)).remaining, 9);
}
