//! Nodes whose copies were dropped, and when they are tried again.
//!
//! Rule (protocol, section 5): re-adding the same node waits 2 s after a second drop, doubling to 30 s, forgotten after 60 s of health.
//! Another node may be named meanwhile.

use std::collections::BTreeMap;

use drl_core::{Nanos, NodeId};

const FIRST_WAIT: Nanos = Nanos::from_secs(2);
const LONGEST_WAIT: Nanos = Nanos::from_secs(30);
const FORGOTTEN_AFTER: Nanos = Nanos::from_secs(60);

/// Who was dropped how often, and when last.
#[derive(Debug, Clone, Default)]
pub(super) struct Drops {
    of: BTreeMap<NodeId, (u32, Nanos)>,
}

impl Drops {
    pub(super) fn note(&mut self, node: &NodeId, now: Nanos) {
        self.of.retain(|_, (_, at)| now.0 < at.0.saturating_add(FORGOTTEN_AFTER.0));
        let (count, at) = self.of.entry(node.clone()).or_insert((0, now));
        // Shards that are dropped together were dropped once.
        let is_same = *count > 0 && now.0 < at.0.saturating_add(FIRST_WAIT.0 / 2);
        *count = count.saturating_add(u32::from(!is_same));
        *at = now;
    }

    /// Whether a node is not tried again yet.
    pub(super) fn waits(&self, node: &NodeId, now: Nanos) -> bool {
        self.of.get(node).is_some_and(|dropped| end(*dropped) > now)
    }

    /// When the next one is tried again.
    pub(super) fn next_end(&self, now: Nanos) -> Option<Nanos> {
        self.of.values().map(|dropped| end(*dropped)).filter(|end| *end > now).min()
    }
}

fn end((count, at): (u32, Nanos)) -> Nanos {
    let wait = match count.checked_sub(2) {
        None => 0,
        Some(doublings) => FIRST_WAIT.0.checked_shl(doublings).unwrap_or(u64::MAX).min(LONGEST_WAIT.0),
    };
    Nanos(at.0.saturating_add(wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_drop_waits_two_seconds_and_each_further_one_twice_as_long_up_to_thirty() {
        let node = NodeId::new("n2").unwrap();
        let mut drops = Drops::default();
        let mut now = Nanos::from_secs(100);
        for wait in [0, 2, 4, 8, 16, 30, 30] {
            drops.note(&node, now);
            let end = Nanos(now.0 + Nanos::from_secs(wait).0);
            assert!(!drops.waits(&node, end), "after {wait} s");
            assert!(wait == 0 || drops.waits(&node, Nanos(end.0 - 1)));
            now = Nanos(end.0 + Nanos::from_secs(3).0);
        }
        drops.note(&node, Nanos(now.0 + Nanos::from_secs(61).0));
        assert!(!drops.waits(&node, Nanos(now.0 + Nanos::from_secs(61).0)), "forgotten");
    }
}
