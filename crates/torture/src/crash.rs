//! Crash points: the program that was built with faults (`cargo build --release -p drl --features faults`, called `drl-faults` beside this one)
//! dies at each of them, alone and with everybody else, and is started again. And planted bugs of the effects, each with what must
//! notice it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use drl_tests::cluster::{SOON, eventually, let_pass};
use drl_tests::load::Chance;
use drl_tests::node::built;
use serde_json::Value;

use crate::disks::boot_anew;
use crate::experiment::{Outcome, torture};
use crate::fault::{Begun, Fault, Needs};
use crate::schedule::Step;
use crate::world::{Disks, Plan, World};

const PROGRAM: &str = "drl-faults";

/// A place at which a process may die, and what has to be done so that it passes there.
struct Point {
    name: &'static str,
    provoke: Provoke,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provoke {
    /// Load is enough.
    Nothing,
    /// Another node is killed: its shards are taken over and get other copies.
    Take,
    /// Another node leaves and comes back: shards are handed over.
    Move,
    /// The node itself begins with an empty directory and is given copies.
    Seed,
    /// A policy is changed: a checkpoint follows soon.
    Change,
}

const fn point(name: &'static str, provoke: Provoke) -> Point {
    Point { name, provoke }
}

const POINTS: &[Point] = &[
    point("journal", Provoke::Nothing),
    point("write", Provoke::Nothing),
    point("written", Provoke::Nothing),
    point("journaled", Provoke::Nothing),
    point("fsync", Provoke::Nothing),
    point("fsynced", Provoke::Nothing),
    point("ack", Provoke::Nothing),
    point("acked", Provoke::Nothing),
    point("frame", Provoke::Nothing),
    point("promise", Provoke::Take),
    point("promised", Provoke::Take),
    point("swap", Provoke::Take),
    point("swapped", Provoke::Take),
    point("swap", Provoke::Move),
    point("swapped", Provoke::Move),
    point("frame", Provoke::Seed),
    point("journaled", Provoke::Seed),
    point("promise", Provoke::Seed),
    point("pages", Provoke::Change),
    point("checkpoint", Provoke::Change),
    point("checkpoint-cut", Provoke::Change),
    point("checkpointed", Provoke::Change),
];

/// Whether the program with faults was built; says so when not.
#[must_use]
pub(crate) fn is_possible() -> bool {
    let is_built = built(PROGRAM).is_some();
    if !is_built {
        eprintln!(
            "SKIPPED: {PROGRAM} was not built: nothing dies at a point (cargo build --release -p drl --features faults)"
        );
    }
    is_built
}

fn plan(plant: Option<&str>) -> Plan {
    let environment = plant.iter().map(|name| ("DRL_PLANT".to_owned(), (*name).to_owned())).collect();
    Plan { nodes: 3, etcd: 1, program: Some(PROGRAM.to_owned()), environment, ..Plan::default() }
}

/// Dies at every point whose name contains this. What was wrong.
///
/// # Errors
/// There is no etcd.
pub(crate) fn every_point(seed: u64, only: &str) -> Result<Vec<String>> {
    let (mut wrongs, mut world) = (Vec::new(), None);
    let points = POINTS.iter().enumerate().filter(|(_, point)| point.name.contains(only));
    for (round, point) in points.flat_map(|(index, point)| [(2 * index, point), (2 * index + 1, point)]) {
        let with_all = round % 2 == 1;
        let name =
            format!("dies at `{}` ({:?}){}", point.name, point.provoke, if with_all { ", then all" } else { "" });
        eprintln!("== {name}");
        let mut present = match world.take() {
            Some(present) => present,
            None => World::start(plan(None))?.context("there is no etcd")?,
        };
        let result = die(&mut present, seed, round as u64, point, with_all);
        match result {
            Ok(outcome) => {
                wrongs.extend(outcome.verdict.wrongs.iter().map(|wrong| format!("{name}: {wrong}")));
                world = Some(present);
            }
            Err(error) => wrongs.push(format!("{name}: {error:#}")),
        }
    }
    Ok(wrongs)
}

/// What a fault function cannot be told otherwise: it is a plain function, and steps are values.
fn die(world: &mut World, seed: u64, round: u64, point: &Point, with_all: bool) -> Result<Outcome> {
    let mut chance = Chance::from_seed(seed ^ round);
    let victim = usize::try_from(chance.below(3))?;
    let (name, provoke) = (point.name.to_owned(), point.provoke);
    world.next = Some(Box::new(move |world, _| {
        arm(world, victim, &format!("{name} 0 die"))?;
        match provoke {
            Provoke::Nothing => {}
            Provoke::Take => world.kill((victim + 1) % 3)?,
            Provoke::Move => world.terminate((victim + 1) % 3)?,
            Provoke::Seed => {
                disarm(world, victim)?;
                world.kill(victim)?;
                std::fs::remove_dir_all(world.directory(victim))?;
                world.whole_without(victim)?;
                arm_when_ready(world, victim, &format!("{name} 0 die"))?;
            }
            Provoke::Change => {
                let value = r#"{"limits":[{"requests":7,"window":"1m"}]}"#;
                world.member()?.etcdctl(&["put", "/drl/default/limits/default/clients/nobody", value])?;
            }
        }
        eventually("it dies at the point", SOON, || world.has_ended(victim))?;
        disarm(world, victim)?;
        if with_all {
            (0..3).try_for_each(|node| world.kill(node))?;
        }
        Ok(Begun { to: format!("n{}", victim + 1), cure: Box::new(|world| world.start_missing().map(drop)) })
    }));
    torture(world, round, &[Step { fault: planned("a crash point", 1, 2), within: None }], &mut chance)
}

/// A fault that the world has been told of.
fn planned(name: &'static str, seconds: u64, take_overs: u64) -> Fault {
    let lasts = Duration::from_secs(seconds);
    Fault {
        name,
        needs: Needs::Nothing,
        lasts,
        take_overs,
        begin: |world, chance| {
            let begin = world.next.take().context("nothing was planned")?;
            begin(world, chance)
        },
    }
}

fn arm(world: &World, node: usize, what: &str) -> Result<()> {
    let (file, new) = (world.fault_file(node), world.fault_file(node).with_extension("new"));
    std::fs::write(&new, what)?;
    Ok(std::fs::rename(new, file)?)
}

fn disarm(world: &World, node: usize) -> Result<()> {
    let file = world.fault_file(node);
    if file.exists() { Ok(std::fs::remove_file(file)?) } else { Ok(()) }
}

/// Starts a node that is armed as soon as it has said that it is ready: its copies come afterwards.
fn arm_when_ready(world: &mut World, node: usize, what: &str) -> Result<()> {
    world.start_node(node)?;
    arm(world, node, what)
}

/// A planted bug, how it is looked for, and what of it was noticed: without it nothing, with it something.
pub(crate) struct Planted {
    pub name: &'static str,
    pub without: Vec<String>,
    pub with: Vec<String>,
}

/// Looks for every planted bug whose name contains this, without and with it.
///
/// # Errors
/// There is no etcd, or a run came to no end.
pub(crate) fn every_plant(seed: u64, only: &str) -> Result<Vec<Planted>> {
    let looks: [(&'static str, Look); 3] =
        [("lost-fsync", power_cut), ("ack-before-journal", slow_death), ("beat-of-committer", slow_disk)];
    let mut found = Vec::new();
    for (name, look) in looks.into_iter().filter(|(name, _)| name.contains(only)) {
        eprintln!("== {name}: without it");
        let without = look(seed, None)?;
        eprintln!("== {name}: with it");
        let with = look(seed, Some(name))?;
        found.push(Planted { name, without, with });
    }
    Ok(found)
}

type Look = fn(u64, Option<&str>) -> Result<Vec<String>>;

/// The power of all goes, under `--journal-sync commit`: what was answered is on the disks.
fn power_cut(seed: u64, plant: Option<&str>) -> Result<Vec<String>> {
    let flags = vec!["--journal-sync".to_owned(), "commit".to_owned()];
    let mut world = World::start(Plan { disks: Disks::Lossy, flags, ..plan(plant) })?.context("there is no etcd")?;
    let mut wrongs = Vec::new();
    for round in 0..2 {
        world.next = Some(Box::new(move |world, _| {
            (0..3).try_for_each(|node| world.kill(node))?;
            world.lossy_disks.iter().try_for_each(crate::disks::LossyDisk::lose_power)?;
            boot_anew(world.work(), seed ^ round)?;
            Ok(Begun { to: "all".to_owned(), cure: Box::new(|world| world.start_missing().map(drop)) })
        }));
        let step = Step { fault: planned("power cut", 1, 1), within: None };
        match torture(&mut world, round, &[step], &mut Chance::from_seed(seed)) {
            Ok(outcome) => wrongs.extend(outcome.verdict.wrongs),
            Err(error) => {
                wrongs.push(format!("{error:#} (logs of the nodes: {})", world.keep_logs()?.display()));
                return Ok(wrongs);
            }
        }
    }
    Ok(wrongs)
}

/// In three of them an answer ahead of its journal was noticed three times of four.
const SLOW_DEATHS: u64 = 10;

/// All disks stand still for a moment, in the middle of a write, and then everybody dies.
fn slow_death(seed: u64, plant: Option<&str>) -> Result<Vec<String>> {
    let mut world = World::start(plan(plant))?.context("there is no etcd")?;
    let mut wrongs = Vec::new();
    for round in 0..SLOW_DEATHS {
        world.next = Some(Box::new(move |world, _| {
            (0..3).try_for_each(|node| arm(world, node, "journal 100 die"))?;
            for node in 0..3 {
                eventually("it dies at the point", SOON, || world.has_ended(node))?;
            }
            (0..3).try_for_each(|node| disarm(world, node))?;
            Ok(Begun { to: "all".to_owned(), cure: Box::new(|world| world.start_missing().map(drop)) })
        }));
        let step = Step { fault: planned("slow death", 1, 1), within: None };
        let outcome = torture(&mut world, round, &[step], &mut Chance::from_seed(seed))?;
        wrongs.extend(outcome.verdict.wrongs);
    }
    Ok(wrongs)
}

/// The disk of one node stands still for two seconds. It lives, so nobody takes anything from it.
fn slow_disk(seed: u64, plant: Option<&str>) -> Result<Vec<String>> {
    const DISK_STANDS_STILL: &str = "journal 2000 go";
    let mut world = World::start(plan(plant))?.context("there is no etcd")?;
    let before = held(&world.records()?);
    world.next = Some(Box::new(move |world, _| {
        arm(world, 0, DISK_STANDS_STILL)?;
        let_pass(Duration::from_secs(4));
        ensure!(!world.fault_file(0).exists(), "the disk did not stand still");
        Ok(Begun { to: "n1".to_owned(), cure: Box::new(|_| Ok(())) })
    }));
    let step = Step { fault: planned("slow disk", 1, 0), within: None };
    let outcome = torture(&mut world, 0, &[step], &mut Chance::from_seed(seed))?;
    let after = held(&world.records()?);
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    let mut wrongs = outcome.verdict.wrongs;
    if changed > 0 {
        wrongs.push(format!("{changed} shards changed hands, and nobody had died"));
    }
    Ok(wrongs)
}

/// Who holds each shard.
fn held(records: &[Value]) -> Vec<[Option<String>; 2]> {
    let name = |record: &Value, role: &str| record[role]["node"].as_str().map(str::to_owned);
    records.iter().map(|record| ["owner", "follower"].map(|role| name(record, role))).collect()
}
