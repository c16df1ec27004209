//! What everybody should own: the planner of the ring, asked again whenever a shard or a node has come or gone somewhere.
//!
//! Rule (protocol, section 2): the ring tells each node what it should want, from the present placement; the records say what it
//! may do.

use std::collections::BTreeSet;

use drl_core::NodeId;
use drl_ring::{Duty, Member, Placement, Ring, plan};

use super::agent::NodeAgent;
use super::bugs::Bugs;

/// The plan for what was known at some point.
#[derive(Debug, Clone, Default)]
pub(super) struct Planned {
    as_of: u64,
    placement: Option<Placement>,
    /// Of all who live; the ring of the same members is the same ring.
    ring: Option<(Vec<Member>, Ring)>,
    /// As it would be without some nodes.
    without: Option<(BTreeSet<NodeId>, Placement)>,
}

impl<B: Bugs> NodeAgent<B> {
    /// What everybody should own, as the ring and the present records have it.
    pub(super) fn plan(&mut self) -> Option<&Placement> {
        self.forget_old_plans();
        if self.planned.placement.is_none() {
            let members = self.members(&BTreeSet::new());
            let ring = self.planned.ring.take().filter(|(of, _)| *of == members);
            let (members, ring) = ring.unwrap_or_else(|| {
                let ring = Ring::new(&members);
                (members, ring)
            });
            self.planned.placement = Some(plan(&ring, &self.present()));
            self.planned.ring = Some((members, ring));
        }
        self.planned.placement.as_ref()
    }

    /// What everybody should own if these nodes were not there. Which ones only this node knows, so that others may go by another plan: it
    /// may say who has a copy meanwhile, and who takes over what is lost, where the record decides between two; not who owns a shard else.
    pub(super) fn plan_without(&mut self, gone: &BTreeSet<NodeId>) -> Option<&Placement> {
        self.forget_old_plans();
        if self.planned.without.as_ref().is_none_or(|(of, _)| of != gone) {
            let ring = Ring::new(&self.members(gone));
            self.planned.without = Some((gone.clone(), plan(&ring, &self.present())));
        }
        self.planned.without.as_ref().map(|(_, placement)| placement)
    }

    fn forget_old_plans(&mut self) {
        if self.planned.as_of != self.known.layouts {
            let ring = self.planned.ring.take();
            self.planned = Planned { as_of: self.known.layouts, ring, ..Planned::default() };
        }
    }

    /// Who holds what, as the records have it.
    fn present(&self) -> Placement {
        let mut present = Placement::empty(self.shards);
        for shard in self.shards.iter() {
            let record = self.known.record(shard).map(|versioned| &versioned.record);
            if let (Some(seats), Some(record)) = (present.get_mut(shard), record) {
                seats.owner = Some(record.owner.node.clone());
                seats.follower = record.follower.as_ref().map(|follower| follower.node.clone());
            }
        }
        present
    }

    /// Everybody with a session, but for some.
    fn members(&self, gone: &BTreeSet<NodeId>) -> Vec<Member> {
        let duty = |is_draining: bool| if is_draining { Duty::Draining } else { Duty::Serving };
        let stay = self.known.living().filter(|(node, _)| !gone.contains(*node));
        stay.map(|(node, entry)| Member { duty: duty(entry.draining), ..Member::new(node.clone()) }).collect()
    }
}
