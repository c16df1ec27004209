//! The list of a sliding window stays short and in order.

use super::*;
use crate::{Algorithm, Limit, Shape};

fn shape(window: &str) -> LimitShape {
    let limit = Limit::new(1_000_000, window.parse().unwrap()).unwrap();
    Shape::new(Algorithm::SlidingWindow, [(limit, limit.requests())]).limits()[0]
}

#[test]
fn a_busy_window_keeps_at_most_one_entry_more_than_sub_windows() {
    for window in ["1ms", "1s", "1000003ns", "366d"] {
        let shape = shape(window);
        let step = shape.sub_window_nanos().get() / 7;
        let mut cell = SlidingWindow::default();
        let mut most = 0;
        for n in 0..1_000 {
            cell.charge(&shape, ShardTime(12_345 + n * step), Cost::ONE);
            most = most.max(cell.entries().len());
            let slots: Vec<u64> =
                cell.entries().iter().map(|entry| entry.latest.0 / shape.sub_window_nanos()).collect();
            assert!(slots.is_sorted_by(|a, b| a < b));
        }
        assert_eq!(most, 17, "{window}");
    }
}

#[test]
fn a_charge_that_names_an_earlier_time_opens_no_entry() {
    let shape = shape("1s");
    let mut cell = SlidingWindow::default();
    cell.charge(&shape, ShardTime(900_000_000), Cost::ONE);
    cell.charge(&shape, ShardTime(100_000_000), Cost::ONE);
    assert_eq!(cell.entries(), [Entry { latest: ShardTime(900_000_000), cost: 2 }]);
}

#[test]
fn a_refunded_entry_goes_and_the_newest_stays_to_know_the_time() {
    let shape = shape("1s");
    let mut cell = SlidingWindow::default();
    let [first, second] = [ShardTime(100_000_000), ShardTime(900_000_000)];
    cell.charge(&shape, first, Cost::ONE);
    cell.charge(&shape, second, Cost::ONE);
    cell.refund(&shape, second, Cost::ONE);
    assert_eq!(cell.entries().len(), 2);
    assert_eq!(cell.expires_at(&shape), ShardTime(1_100_000_000));
    cell.refund(&shape, first, Cost::ONE);
    assert_eq!(cell.entries(), [Entry { latest: second, cost: 0 }]);
    assert_eq!(cell.expires_at(&shape), ShardTime::ZERO);
}

#[test]
fn a_newest_entry_that_was_refunded_whole_is_used_again() {
    let shape = shape("1s");
    let mut cell = SlidingWindow::default();
    for now in [100_000_000, 900_000_000, 5_000_000_000] {
        cell.charge(&shape, ShardTime(now), Cost::ONE);
        cell.refund(&shape, ShardTime(now), Cost::ONE);
        assert_eq!(cell.entries(), [Entry { latest: ShardTime(now), cost: 0 }]);
    }
    cell.charge(&shape, ShardTime(5_500_000_000), Cost::ONE);
    assert_eq!(cell.entries(), [Entry { latest: ShardTime(5_500_000_000), cost: 1 }]);
}
