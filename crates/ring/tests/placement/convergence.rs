//! Nodes that plan for themselves and move their own shards, a few at a time, come to rest: with the same view, with views that
//! differ, and with handoffs that leave the old owner as the follower whatever the plan said.

use drl_core::NodeId;
use drl_ring::{Member, Move, MoveKind, Placement, Ring, Seats, moves, plan};
use proptest::prelude::*;

use crate::cluster::{Role, broken_bounds, changed, genesis, member, members};
use crate::draw::Draw;

/// What the record says after the move. After a swap or a handoff the old owner follows while it lives.
fn carry_out(placement: &mut Placement, living: &[Member], step: &Move) {
    let lives = |node: &NodeId| living.iter().any(|member| member.node == *node);
    let seats = placement.get_mut(step.shard).unwrap();
    *seats = match step.kind {
        MoveKind::Swap | MoveKind::Handoff => {
            Seats { owner: step.to.owner.clone(), follower: seats.owner.clone().filter(lives) }
        }
        _ => step.to.clone(),
    };
}

fn planned_moves(view: &[Member], placement: &Placement) -> Vec<Move> {
    moves(placement, &plan(&Ring::new(view), placement))
}

/// Whether `actor` is the one to make the move: the owner while it lives, else whoever is to be the owner.
fn is_up_to(step: &Move, living: &[Member], actor: &NodeId) -> bool {
    let owner = step.from.owner.as_ref().filter(|owner| living.iter().any(|member| member.node == **owner));
    owner.or(step.to.owner.as_ref()) == Some(actor)
}

/// Every node in turn plans from the records as they are and makes up to `batch` of its moves, until nobody has one. Returns
/// the rounds in which something moved.
fn come_to_rest(placement: &mut Placement, members: &[Member], batch: usize) -> usize {
    for round in 0..10_000 {
        let mut moved = 0;
        for actor in members {
            let mine = planned_moves(members, placement);
            for step in mine.iter().filter(|step| is_up_to(step, members, &actor.node)).take(batch) {
                carry_out(placement, members, step);
                moved += 1;
            }
        }
        if moved == 0 {
            return round;
        }
    }
    panic!("the members never come to rest");
}

fn share(shards: usize, nodes: usize) -> usize {
    (11 * shards / (10 * nodes)).max(shards.div_ceil(nodes))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_whole_plan_leaves_at_most_one_further_round(
        seed: u64, nodes in 2..=40_usize, shards in 16..=1_024_usize, joins in 0..3_usize, leaves in 0..3_usize,
    ) {
        let mut draw = Draw(seed);
        let mut members = members(nodes);
        let mut placement = genesis(&members, shards);
        for index in 0..leaves.min(nodes - 1) {
            let at = draw.below(members.len());
            if index == 0 { members[at] = members[at].clone().draining() } else { drop(members.remove(at)) }
        }
        members.extend((nodes..nodes + joins).map(member));
        for _ in 0..2 {
            for step in planned_moves(&members, &placement) {
                carry_out(&mut placement, &members, &step);
            }
        }
        prop_assert_eq!(planned_moves(&members, &placement), vec![]);
        prop_assert_eq!(broken_bounds(&members, &placement), Vec::<String>::new());
    }

    #[test]
    fn nodes_that_move_a_few_shards_at_a_time_move_no_more_for_a_joiner(
        nodes in 1..=12_usize, shards in 16..=512_usize, batch in 1..=16_usize,
    ) {
        let mut members = members(nodes);
        let before = genesis(&members, shards);
        members.push(member(nodes));
        let mut placement = before.clone();
        come_to_rest(&mut placement, &members, batch);
        prop_assert_eq!(broken_bounds(&members, &placement), Vec::<String>::new());
        let moved = changed(&before, &placement, Role::Owner);
        prop_assert!(moved.len() <= share(shards, nodes + 1));
        prop_assert!(moved.iter().all(|(_, _, after)| *after == Some(&member(nodes).node)));
    }

    #[test]
    fn nodes_with_different_views_come_to_rest_once_they_agree(
        seed: u64, nodes in 2..=12_usize, shards in 16..=512_usize, turns in 0..100_usize,
    ) {
        let mut draw = Draw(seed);
        let old = members(nodes);
        let mut placement = genesis(&old, shards);
        let mut new = old.clone();
        new[0] = member(0).draining();
        new.push(member(nodes));
        for _ in 0..turns {
            let view = if draw.below(2) == 0 { &old } else { &new };
            let actor = member(draw.below(nodes + 1)).node;
            if let Some(step) = planned_moves(view, &placement).iter().find(|step| is_up_to(step, &new, &actor)) {
                carry_out(&mut placement, &new, step);
            }
        }
        for _ in 0..2 {
            for step in planned_moves(&new, &placement) {
                carry_out(&mut placement, &new, &step);
            }
        }
        prop_assert_eq!(planned_moves(&new, &placement), vec![]);
        prop_assert_eq!(broken_bounds(&new, &placement), Vec::<String>::new());
    }
}

#[test]
fn a_drain_of_a_grown_cluster_mostly_swaps_with_followers() {
    let all = members(6);
    let mut placement = genesis(&all[..1], 1_024);
    for count in 2..=6 {
        placement = plan(&Ring::new(&all[..count]), &placement);
    }
    let mut draining = all;
    draining[0] = member(0).draining();
    let planned = planned_moves(&draining, &placement);
    let of = |kind| planned.iter().filter(move |step| step.from.owner == Some(member(0).node) && step.kind == kind);
    let (swaps, handoffs) = (of(MoveKind::Swap).count(), of(MoveKind::Handoff).count());
    assert!(swaps > 100 && swaps > 3 * handoffs, "{swaps} shards are swapped, {handoffs} handed off");
    let kept = of(MoveKind::Handoff).filter(|step| step.to.follower == step.from.follower).count();
    assert_eq!(kept, handoffs, "followers of shards that are handed off stay");
    come_to_rest(&mut placement, &draining, 16);
    assert!(placement.iter().all(|(_, seats)| !seats.names(&member(0).node)));
}
