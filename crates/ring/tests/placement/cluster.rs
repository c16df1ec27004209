//! A cluster for tests: members by number, what is out of bounds in a plan, and what a plan changed. The bounds are worked out
//! here once more from the members, so that the planner is not its own judge.

use std::collections::{BTreeMap, BTreeSet};

use drl_core::{NodeId, ShardCount, ShardId};
use drl_ring::{Band, Duty, Member, Placement, Ring, Seats, plan};

pub(crate) fn node(number: usize) -> NodeId {
    NodeId::new(&format!("n{number}")).unwrap()
}

/// On a machine of its own.
pub(crate) fn member(number: usize) -> Member {
    Member::new(node(number))
}

pub(crate) fn members(count: usize) -> Vec<Member> {
    (0..count).map(member).collect()
}

pub(crate) fn nobody(shards: usize) -> Placement {
    Placement::empty(ShardCount::new(shards as u64).unwrap())
}

/// What a cluster of these members comes to from nothing.
pub(crate) fn genesis(members: &[Member], shards: usize) -> Placement {
    plan(&Ring::new(members), &nobody(shards))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Owner,
    Follower,
}

impl Role {
    pub(crate) const BOTH: [Self; 2] = [Self::Owner, Self::Follower];

    pub(crate) fn node(self, seats: &Seats) -> Option<&NodeId> {
        match self {
            Self::Owner => seats.owner.as_ref(),
            Self::Follower => seats.follower.as_ref(),
        }
    }
}

/// How many shards each node of the ring holds; 0 included.
pub(crate) fn loads(ring: &Ring, placement: &Placement, role: Role) -> BTreeMap<NodeId, usize> {
    let mut loads: BTreeMap<NodeId, usize> = ring.nodes().iter().map(|node| (node.clone(), 0)).collect();
    for (_, seats) in placement.iter() {
        if let Some(load) = role.node(seats).and_then(|node| loads.get_mut(node)) {
            *load += 1;
        }
    }
    loads
}

/// What the members mean for bounds: which machine each eligible node is on.
fn machines(members: &[Member]) -> BTreeMap<&NodeId, String> {
    let everyone_drains = members.iter().all(|member| member.duty == Duty::Draining);
    let eligible = members.iter().filter(|member| everyone_drains || member.duty == Duty::Serving);
    let machine =
        |member: &Member| member.machine.as_ref().map_or(format!("of {}", member.node), |name| format!("named {name}"));
    eligible.map(|member| (&member.node, machine(member))).collect()
}

/// The bounds that a plan for these members breaks, in words.
pub(crate) fn broken_bounds(members: &[Member], planned: &Placement) -> Vec<String> {
    let machines = machines(members);
    let several = machines.values().collect::<BTreeSet<_>>().len() > 1;
    let mut broken = Vec::new();
    for (shard, Seats { owner, follower }) in planned.iter() {
        let on = |node: &Option<NodeId>| node.as_ref().map(|node| machines.get(node));
        match (on(owner), on(follower)) {
            (None, None) if machines.is_empty() => {}
            (Some(Some(_)), None) if !several => {}
            (Some(Some(owner)), Some(Some(follower))) if owner != follower => {}
            _ => broken.push(format!("shard {shard}: {owner:?} and {follower:?}")),
        }
    }
    let ring = Ring::new(members);
    if ring.everyone_drains() {
        return broken;
    }
    for role in Role::BOTH.into_iter().take(if several { 2 } else { 1 }) {
        for (node, load) in loads(&ring, planned, role) {
            let band = band(&machines, planned, role, &node);
            if !(band.low..=band.cap).contains(&load) {
                broken.push(format!("{role:?} {node}: {load} is not within {band:?}"));
            }
        }
    }
    broken
}

/// The even band, unless a machine with more than half of the nodes leaves no choice to followers.
fn band(machines: &BTreeMap<&NodeId, String>, planned: &Placement, role: Role, node: &NodeId) -> Band {
    let nodes_on = |name: &String| machines.values().filter(|machine| *machine == name).count();
    let crowded = machines.values().find(|name| 2 * nodes_on(name) > machines.len());
    let (Role::Follower, Some(crowded)) = (role, crowded) else { return Band::of(planned.shards(), machines.len()) };
    let owned = planned.iter().filter(|(_, seats)| seats.owner.as_ref().map(|owner| &machines[owner]) == Some(crowded));
    let (inside, owned) = (nodes_on(crowded), owned.count());
    if machines[node] == *crowded {
        Band::of(planned.shards() - owned, inside)
    } else {
        Band::of(owned, machines.len() - inside)
    }
}

/// The shards whose node in this role differs, with the nodes before and after.
pub(crate) fn changed<'a>(
    present: &'a Placement,
    planned: &'a Placement,
    role: Role,
) -> Vec<(ShardId, Option<&'a NodeId>, Option<&'a NodeId>)> {
    let pairs = present.iter().zip(planned.iter());
    pairs
        .map(|((shard, before), (_, after))| (shard, role.node(before), role.node(after)))
        .filter(|(_, before, after)| before != after)
        .collect()
}

/// Copies that are sent: the shard, and who gets one that had none.
pub(crate) fn copies<'a>(present: &'a Placement, planned: &'a Placement) -> Vec<(ShardId, &'a NodeId)> {
    let pairs = present.iter().zip(planned.iter());
    pairs
        .flat_map(|((shard, before), (_, after))| {
            after.nodes().filter(|node| !before.names(node)).map(move |node| (shard, node))
        })
        .collect()
}
