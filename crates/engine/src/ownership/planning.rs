//! What everybody should own: the planner of the ring, asked again whenever a record or the list of nodes has changed.
//!
//! Rule (protocol, section 2): the ring tells each node what it should want, from the present placement; the records say what it
//! may do.

use drl_ring::{Duty, Member, Placement, Ring, plan};

use super::agent::NodeAgent;
use super::bugs::Bugs;

/// The plan for what was known at some point.
#[derive(Debug, Clone, Default)]
pub(super) struct Planned {
    as_of: u64,
    placement: Option<Placement>,
}

impl<B: Bugs> NodeAgent<B> {
    /// What everybody should own, as the ring and the present records have it.
    pub(super) fn plan(&mut self) -> Option<&Placement> {
        if self.planned.placement.is_none() || self.planned.as_of != self.known.changes {
            let mut present = Placement::empty(self.shards);
            for shard in self.shards.iter() {
                let record = self.known.record(shard).map(|versioned| &versioned.record);
                if let (Some(seats), Some(record)) = (present.get_mut(shard), record) {
                    seats.owner = Some(record.owner.node.clone());
                    seats.follower = record.follower.as_ref().map(|follower| follower.node.clone());
                }
            }
            let duty = |is_draining: bool| if is_draining { Duty::Draining } else { Duty::Serving };
            let members: Vec<Member> = self
                .known
                .living()
                .map(|(node, entry)| Member { duty: duty(entry.draining), ..Member::new(node.clone()) })
                .collect();
            self.planned = Planned { as_of: self.known.changes, placement: Some(plan(&Ring::new(&members), &present)) };
        }
        self.planned.placement.as_ref()
    }
}
