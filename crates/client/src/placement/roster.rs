//! The nodes that a placement speaks of, each with a number, so that a seat names its owner in two bytes.
//!
//! Invariant: a number stands for the same node for as long as a seat names it or the node has a session; then it is free for another.

use std::sync::Arc;

use crate::placement::NodeName;

/// A node of a [`Roster`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(u16);

impl Number {
    /// What stands for no node.
    pub(super) const NOBODY: Self = Self(u16::MAX);
}

#[derive(Debug, Clone, Default)]
pub(super) struct Roster {
    /// By number; `None` is free.
    places: Vec<Option<Node>>,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) name: NodeName,
    /// The gRPC address, `host:port`; `None` when only an owner has named the node so far.
    pub(super) address: Option<Arc<str>>,
    /// A node that went keeps its address while a shard names it: its session may only have been renewed late.
    pub(super) is_here: bool,
}

impl Roster {
    pub(super) fn get(&self, number: Number) -> Option<&Node> {
        self.places.get(usize::from(number.0))?.as_ref()
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&Node> {
        self.all().find(|node| &*node.name == name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Node> {
        self.places.iter().flatten()
    }

    /// A node has a session, at this address.
    pub(super) fn arrive(&mut self, name: &str, address: &str) {
        if let Some(node) = self.entry(name).and_then(|number| self.places.get_mut(usize::from(number.0))?.as_mut()) {
            (node.address, node.is_here) = (Some(address.into()), true);
        }
    }

    /// A node has no session any more.
    pub(super) fn leave(&mut self, name: &str) {
        self.places.iter_mut().flatten().filter(|node| &*node.name == name).for_each(|node| node.is_here = false);
    }

    /// No node has a session, as far as is known.
    pub(super) fn leave_all(&mut self) {
        self.places.iter_mut().flatten().for_each(|node| node.is_here = false);
    }

    /// The number of a node, which is new if need be. `None`: there are as many as can be told apart.
    pub(super) fn entry(&mut self, name: &str) -> Option<Number> {
        let known = self.places.iter().position(|node| node.as_ref().is_some_and(|node| &*node.name == name));
        let index = known.or_else(|| self.places.iter().position(Option::is_none)).unwrap_or(self.places.len());
        let number = u16::try_from(index).ok().map(Number).filter(|number| *number != Number::NOBODY)?;
        if known.is_none() {
            let node = Node { name: name.into(), address: None, is_here: false };
            match self.places.get_mut(index) {
                Some(place) => *place = Some(node),
                None => self.places.push(Some(node)),
            }
        }
        Some(number)
    }

    /// Forgets who is gone, unless `named` has its number.
    pub(super) fn forget_gone(&mut self, named: &[Number]) {
        if self.all().all(|node| node.is_here) {
            return;
        }
        let mut is_named = vec![false; self.places.len()];
        for number in named {
            if let Some(is_named) = is_named.get_mut(usize::from(number.0)) {
                *is_named = true;
            }
        }
        for (place, is_named) in self.places.iter_mut().zip(is_named) {
            if !is_named && place.as_ref().is_some_and(|node| !node.is_here) {
                *place = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_given_to_another_node_only_when_nobody_means_the_first_one_by_it() {
        let mut roster = Roster::default();
        roster.arrive("n1", "a:1");
        let first = roster.entry("n1").unwrap();
        roster.leave("n1");
        roster.forget_gone(&[first]);
        assert_ne!(roster.entry("n2"), Some(first), "a seat still names it");
        assert_eq!(roster.get(first).unwrap().address.as_deref(), Some("a:1"));
        roster.forget_gone(&[]);
        assert!(roster.get(first).is_none());
        assert_eq!(roster.entry("n3"), Some(first));
    }

    #[test]
    fn more_nodes_than_numbers_are_not_taken() {
        let mut roster = Roster { places: vec![None; usize::from(u16::MAX)] };
        let some = Node { name: "some".into(), address: None, is_here: true };
        roster.places.fill(Some(some));
        assert_eq!(roster.entry("another"), None);
        roster.arrive("another", "b:2");
        assert!(roster.by_name("another").is_none() && roster.get(Number::NOBODY).is_none());
    }
}
