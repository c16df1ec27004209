//! Where process lifetimes listen. One that has lost its session is still where it was; its node's next lifetime may be elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use drl_core::caps::REPLICATION_LINKS_MAX;
use drl_engine::ownership::Holder;
use drl_membership::Placement;

/// The last known address of each lifetime that was seen.
#[derive(Debug, Default)]
pub(super) struct Addresses(BTreeMap<Holder, Arc<str>>);

impl Addresses {
    /// Takes note of everybody who has a session. Lifetimes that have none are forgotten when they are too many.
    pub(super) fn learn(&mut self, placement: &Placement) {
        for (node, here) in &placement.nodes {
            let holder = Holder { node: node.clone(), generation: here.generation };
            self.0.insert(holder, here.addresses.grpc.as_str().into());
        }
        if self.0.len() > placement.nodes.len() + REPLICATION_LINKS_MAX {
            self.0.retain(|holder, _| address(placement, holder).is_some());
        }
    }

    pub(super) fn of(&self, holder: &Holder) -> Option<Arc<str>> {
        self.0.get(holder).cloned()
    }
}

/// Where a lifetime is that has a session.
pub(super) fn address<'a>(placement: &'a Placement, of: &Holder) -> Option<&'a str> {
    let node = placement.nodes.get(&of.node).filter(|node| node.generation == of.generation)?;
    Some(&node.addresses.grpc)
}

#[cfg(test)]
mod tests {
    use drl_core::{Generation, NodeId};
    use drl_membership::{Node, NodeAddresses};

    use super::*;

    fn placement(generation: u64, address: &str) -> Placement {
        let addresses = NodeAddresses { grpc: address.to_owned(), ..NodeAddresses::default() };
        let node = Node { generation: Generation(generation), addresses, version: String::new(), draining: false };
        Placement { nodes: [(NodeId::new("a").unwrap(), node)].into(), ..Placement::default() }
    }

    fn holder(generation: u64) -> Holder {
        Holder { node: NodeId::new("a").unwrap(), generation: Generation(generation) }
    }

    #[test]
    fn a_lifetime_without_a_session_is_where_it_was_and_no_other_one_is_taken_for_it() {
        let mut addresses = Addresses::default();
        addresses.learn(&placement(1, "here:1"));
        addresses.learn(&Placement::default());
        assert_eq!(addresses.of(&holder(1)).as_deref(), Some("here:1"));
        addresses.learn(&placement(2, "there:2"));
        assert_eq!(addresses.of(&holder(1)).as_deref(), Some("here:1"));
        assert_eq!(addresses.of(&holder(2)).as_deref(), Some("there:2"));
        assert_eq!(addresses.of(&holder(3)), None);
    }

    #[test]
    fn no_more_are_remembered_than_may_be() {
        let mut addresses = Addresses::default();
        for generation in 0..2_000 {
            addresses.learn(&placement(generation, "here:1"));
            assert!(addresses.0.len() <= REPLICATION_LINKS_MAX + 1);
        }
        assert!(addresses.of(&holder(1_999)).is_some());
    }
}
