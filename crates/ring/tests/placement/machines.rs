//! Several nodes on one machine: owner and follower are never on the same one, followers are as even as that allows, and one
//! machine alone has no followers.

use drl_ring::{Member, Ring, plan};
use proptest::prelude::*;

use crate::cluster::{Role, broken_bounds, loads, member, nobody};
use crate::draw::Draw;

/// As many nodes on each machine as asked for.
fn on_machines(counts: &[usize]) -> Vec<Member> {
    let machines = counts.iter().enumerate().flat_map(|(machine, count)| std::iter::repeat_n(machine, *count));
    machines.enumerate().map(|(number, machine)| member(number).on(&format!("m{machine}"))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn copies_are_on_distinct_machines_and_as_even_as_these_allow(
        seed: u64, counts in prop::collection::vec(1..12_usize, 1..8), shards in 1..=2_048_usize, skew in 0..4_usize,
    ) {
        let members = on_machines(&counts);
        let ring = Ring::new(&members);
        let mut draw = Draw(seed);
        for present in [nobody(shards), draw.placement(shards, members.len() + 2, skew)] {
            let planned = plan(&ring, &present);
            prop_assert_eq!(broken_bounds(&members, &planned), Vec::<String>::new());
            prop_assert!(plan(&ring, &planned) == planned, "the second plan differs");
        }
    }
}

#[test]
fn nodes_on_one_machine_do_not_follow_each_other() {
    let members = on_machines(&[3]);
    let planned = plan(&Ring::new(&members), &nobody(64));
    assert!(planned.iter().all(|(_, seats)| seats.owner.is_some() && seats.follower.is_none()));
}

#[test]
fn a_follower_on_its_owners_machine_is_replaced() {
    let apart = on_machines(&[1, 1, 1]);
    let present = plan(&Ring::new(&apart), &nobody(64));
    let together = on_machines(&[2, 1]);
    assert_ne!(broken_bounds(&together, &present), Vec::<String>::new());
    assert_eq!(broken_bounds(&together, &plan(&Ring::new(&together), &present)), Vec::<String>::new());
}

#[test]
fn beside_a_crowded_machine_the_others_follow_all_that_it_owns() {
    let members = on_machines(&[3, 1]);
    let ring = Ring::new(&members);
    let planned = plan(&ring, &nobody(1_000));
    assert_eq!(broken_bounds(&members, &planned), Vec::<String>::new());
    assert_eq!(loads(&ring, &planned, Role::Follower)[&member(3).node], 750);
}
