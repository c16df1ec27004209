//! What a seed says: of what the world is made, and which faults come in which order.

use std::time::Duration;

use drl_tests::load::Chance;

use crate::fault::{FAULTS, Fault, Needs, lacks};
use crate::world::{Disks, Net, Plan};

/// A fault, and maybe one that begins and is cured while it lasts.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub fault: Fault,
    pub within: Option<Fault>,
}

impl Step {
    pub(crate) fn faults(&self) -> impl Iterator<Item = Fault> {
        std::iter::once(self.fault).chain(self.within)
    }
}

/// A world and what it goes through.
pub(crate) struct Schedule {
    pub plan: Plan,
    pub steps: Vec<Step>,
}

/// One fault in so many comes together with another one.
const TOGETHER: u64 = 4;

/// What a fault costs besides the time that it lasts: becoming whole again.
const BETWEEN: Duration = Duration::from_secs(5);

impl Schedule {
    /// Draws one that lasts about so long, of what can be had here.
    #[must_use]
    pub(crate) fn draw(chance: &mut Chance, lasts: Duration, is_inside: bool) -> Self {
        let possible = |fault: &&Fault| lacks(fault.needs, is_inside).is_none();
        let has = |needs| lacks(needs, is_inside).is_none();
        let plan = Plan {
            nodes: 3 + usize::try_from(chance.below(3)).unwrap_or(0),
            etcd: if chance.below(2) == 0 { 1 } else { 3 },
            net: match chance.below(3) {
                0 => Net::Proxies,
                _ if has(Needs::Namespaces) => Net::Namespaces,
                _ => Net::Loopback,
            },
            has_clocks: chance.below(2) == 0 && has(Needs::Clocks),
            has_rooms: has(Needs::Rooms),
            disks: match chance.below(4) {
                0 if has(Needs::SmallDisks(Disks::SmallOfNodes)) => Disks::SmallOfNodes,
                _ => Disks::Usual,
            },
            ..Plan::default()
        };
        // The first is none.
        let fitting: Vec<Fault> =
            FAULTS.iter().skip(1).filter(possible).filter(|fault| fault.fits(&plan)).copied().collect();
        let (mut steps, mut left) = (Vec::new(), lasts);
        let mut drawn = |longest: Duration| {
            let short: Vec<Fault> = fitting.iter().filter(|fault| fault.lasts <= longest).copied().collect();
            let index = usize::try_from(chance.below(short.len().max(1) as u64)).unwrap_or(0);
            (short.get(index).copied(), chance.below(TOGETHER) == 0)
        };
        while let (Some(fault), is_together) = drawn(left) {
            let within = if is_together { drawn(fault.lasts).0 } else { None };
            // It starts a node, which may not find etcd while another fault lasts.
            let within = within.filter(|fault| fault.needs != Needs::Clocks);
            let cost = fault.lasts + within.map_or(Duration::ZERO, |fault| fault.lasts) + BETWEEN;
            steps.push(Step { fault, within });
            left = left.saturating_sub(cost);
            if left < BETWEEN {
                break;
            }
        }
        Self { plan, steps }
    }

    /// In words.
    #[must_use]
    pub(crate) fn shown(&self) -> String {
        let Plan { nodes, etcd, net, disks, has_clocks, .. } = &self.plan;
        let clocks = if *has_clocks { "wrong clocks" } else { "true clocks" };
        let steps: Vec<String> = self
            .steps
            .iter()
            .map(|step| {
                let within = step.within.map(|fault| format!(" (within it: {})", fault.name)).unwrap_or_default();
                format!("{}{within}", step.fault.name)
            })
            .collect();
        format!("{nodes} nodes, {etcd} etcd, {net:?}, {disks:?} disks, {clocks}: {}", steps.join("; "))
    }
}
