//! How many shards each node gives away and how many it takes, so that all end within their bands and the fewest move. Counts
//! only: which shards is decided by the ring order.

use std::cmp::Reverse;

use crate::band::Band;
use crate::ring::Slot;

/// What each node may still give and take.
pub(super) struct Quotas {
    give: Vec<usize>,
    take: Vec<usize>,
}

impl Quotas {
    /// Nodes above their cap give the excess; if that and what is vacant does not lift everybody to the low end, the highest give
    /// more. It goes to whoever is below the low end, then to the lowest.
    pub(super) fn of(loads: &[usize], bands: &[Band], vacant: usize) -> Self {
        let mut goal = loads.to_vec();
        let mut pool = vacant;
        for (load, band) in goal.iter_mut().zip(bands) {
            pool += load.saturating_sub(band.cap);
            *load = (*load).min(band.cap);
        }
        let missing = missing(&goal, bands);
        while pool < missing
            && let Some(highest) = highest(&goal, bands)
        {
            goal[highest] -= 1;
            pool += 1;
        }
        while pool > 0
            && let Some(lowest) = lowest(&goal, bands, loads)
        {
            goal[lowest] += 1;
            pool -= 1;
        }
        let left = |(have, want): (&usize, &usize)| have.saturating_sub(*want);
        Self { give: loads.iter().zip(&goal).map(left).collect(), take: goal.iter().zip(loads).map(left).collect() }
    }

    pub(super) fn gives(&self, node: Slot) -> bool {
        self.give[node.0] > 0
    }

    pub(super) fn takes(&self, node: Slot) -> bool {
        self.take[node.0] > 0
    }

    pub(super) fn anybody_takes(&self) -> bool {
        self.take.iter().any(|room| *room > 0)
    }

    /// One shard goes from `giver`, if somebody holds it, to `taker`.
    pub(super) fn pass(&mut self, giver: Option<Slot>, taker: Slot) {
        if let Some(giver) = giver {
            self.give[giver.0] -= 1;
        }
        self.take[taker.0] -= 1;
    }
}

/// How many shards are missing for everybody to reach the low end.
fn missing(loads: &[usize], bands: &[Band]) -> usize {
    loads.iter().zip(bands).map(|(load, band)| band.low.saturating_sub(*load)).sum()
}

fn highest(goal: &[usize], bands: &[Band]) -> Option<usize> {
    (0..goal.len())
        .filter(|at| goal[*at] > bands[*at].low)
        .max_by_key(|at| (bands[*at].height(goal[*at]), Reverse(*at)))
}

/// Between equals the one that had less before: it takes from others already, so nobody else has to.
fn lowest(goal: &[usize], bands: &[Band], before: &[usize]) -> Option<usize> {
    let rank = |at: &usize| (goal[*at] >= bands[*at].low, bands[*at].height(goal[*at]), before[*at]);
    (0..goal.len()).filter(|at| goal[*at] < bands[*at].cap).min_by_key(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotas(loads: &[usize], vacant: usize) -> (Vec<usize>, Vec<usize>) {
        let shards = loads.iter().sum::<usize>() + vacant;
        let quotas = Quotas::of(loads, &vec![Band::of(shards, loads.len()); loads.len()], vacant);
        (quotas.give, quotas.take)
    }

    #[test]
    fn nobody_gives_within_the_band() {
        assert_eq!(quotas(&[110, 95, 100, 95], 0), (vec![0; 4], vec![0; 4]));
    }

    #[test]
    fn a_joiner_takes_up_to_the_low_end_from_the_highest() {
        assert_eq!(quotas(&[100, 110, 90, 0], 0), (vec![23, 33, 12, 0], vec![0, 0, 0, 68]));
    }

    #[test]
    fn what_is_vacant_goes_to_the_lowest_and_nobody_gives() {
        assert_eq!(quotas(&[100, 110, 90], 100), (vec![0; 3], vec![33, 23, 44]));
    }

    #[test]
    fn above_the_cap_the_excess_is_given_and_no_more() {
        assert_eq!(quotas(&[115, 95, 90], 0), (vec![5, 0, 0], vec![0, 0, 5]));
    }

    #[test]
    fn nothing_vacant_is_shared_out_evenly() {
        assert_eq!(quotas(&[0, 0, 0], 16), (vec![0; 3], vec![6, 5, 5]));
    }
}
