//! What joins, leaves and crashes move, and how long a plan takes: `cargo run --release -p drl-ring --example placement_table`.
//!
//! 1,024 shards. Moves are those of whole plans, carried out one after the other. After a crash the followers have taken over
//! before anybody plans. Times are the best and the middle of 21 rounds.

use std::time::{Duration, Instant};

use drl_core::{NodeId, ShardCount};
use drl_ring::{Member, Placement, Ring, Seats, moves, plan};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const NODES_MAX: usize = 20;
const ROUNDS: usize = 21;

fn main() -> Outcome<()> {
    joins_and_leaves()?;
    crashes()?;
    times()
}

fn members(count: usize) -> Outcome<Vec<Member>> {
    (0..count).map(|number| Ok(Member::new(NodeId::new(&format!("n{number}"))?))).collect()
}

fn genesis(members: &[Member]) -> Placement {
    plan(&Ring::new(members), &Placement::empty(ShardCount::DEFAULT))
}

fn owned(placement: &Placement, node: &NodeId) -> usize {
    placement.iter().filter(|(_, seats)| seats.owner.as_ref() == Some(node)).count()
}

/// Busiest owner, as a percentage of the mean.
#[allow(clippy::cast_precision_loss)] // A percentage for people.
fn busiest_percent(placement: &Placement, members: &[Member]) -> f64 {
    let busiest = members.iter().map(|member| owned(placement, &member.node)).max().unwrap_or(0);
    100.0 * (busiest * members.len()) as f64 / placement.shards() as f64
}

fn owners_moved(before: &Placement, after: &Placement) -> usize {
    before.iter().zip(after.iter()).filter(|((_, was), (_, is))| was.owner != is.owner).count()
}

#[allow(clippy::cast_precision_loss)] // Shares for people.
fn joins_and_leaves() -> Outcome<()> {
    println!("a join to n nodes, then the node that was there first leaves\n");
    println!(
        "{:>3} {:>12} {:>7} {:>7} {:>7} {:>8} {:>12}",
        "n", "owners moved", "share", "bound", "copies", "busiest", "leave moves"
    );
    let all = members(NODES_MAX + 1)?;
    let mut placement = genesis(&all[..1]);
    for n in 1..=NODES_MAX {
        let joined = plan(&Ring::new(&all[..=n]), &placement);
        let left = plan(&Ring::new(&all[1..=n]), &joined);
        let moved = owners_moved(&placement, &joined);
        let sent: usize = moves(&placement, &joined).iter().map(|step| step.copies().count()).sum();
        println!(
            "{n:>3} {moved:>12} {:>7.4} {:>7.4} {sent:>7} {:>7.1}% {:>12}",
            moved as f64 / placement.shards() as f64,
            1.1 / (n + 1) as f64,
            busiest_percent(&joined, &all[..=n]),
            format!("{} of {}", owners_moved(&joined, &left), owned(&joined, &all[0].node)),
        );
        placement = joined;
    }
    Ok(())
}

/// What is left to move once followers have taken over.
fn crashes() -> Outcome<()> {
    println!("\none of n nodes crashes, its followers take over, then everybody plans\n");
    println!("{:>3} {:>10} {:>17} {:>12} {:>8}", "n", "taken over", "busiest then", "owners moved", "busiest");
    for n in [3, 4, 5, 10, 30, 100] {
        let all = members(n)?;
        let (lost, living) = (&all[0].node, &all[1..]);
        let mut placement = Placement::empty(ShardCount::DEFAULT);
        for count in 1..=n {
            placement = plan(&Ring::new(&all[..count]), &placement);
        }
        let taken = owned(&placement, lost);
        for shard in ShardCount::DEFAULT.iter() {
            if let Some(seats) = placement.get_mut(shard).filter(|seats| seats.owner.as_ref() == Some(lost)) {
                *seats = Seats { owner: seats.follower.take(), follower: None };
            }
        }
        let planned = plan(&Ring::new(living), &placement);
        let (then, after) = (busiest_percent(&placement, living), busiest_percent(&planned, living));
        println!("{n:>3} {taken:>10} {then:>16.1}% {:>12} {after:>7.1}%", owners_moved(&placement, &planned));
    }
    Ok(())
}

fn times() -> Outcome<()> {
    println!("\n{:<44} {:>10} {:>10}", "time", "best", "middle");
    let (hundred, more) = (members(100)?, members(101)?);
    let (ring, larger) = (Ring::new(&hundred), Ring::new(&more));
    let nobody = Placement::empty(ShardCount::DEFAULT);
    let lone = genesis(&hundred[..1]);
    let settled = genesis(&hundred);
    time("ring of 100 nodes", || Ring::new(&hundred));
    time("plan for 100 nodes, from nothing", || plan(&ring, &nobody));
    time("plan for 100 nodes, from one owner of all", || plan(&ring, &lone));
    time("plan for 100 nodes, nothing to do", || plan(&ring, &settled));
    time("plan for 101 nodes, one joins", || plan(&larger, &settled));
    Ok(())
}

#[allow(clippy::disallowed_methods)] // A benchmark measures this machine's time; nothing is decided by it.
fn time<T>(what: &str, work: impl Fn() -> T) {
    let mut rounds: Vec<Duration> = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        std::hint::black_box(work());
        rounds.push(start.elapsed());
    }
    rounds.sort();
    println!("{what:<44} {:>10.2?} {:>10.2?}", rounds[0], rounds[ROUNDS / 2]);
}
