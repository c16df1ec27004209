//! How each fault begins, and how it is cured.

use std::time::Duration;

use anyhow::{Context, Result};
use drl_test_etcd::Server;
use drl_tests::cluster::let_pass;
use drl_tests::load::Chance;
use serde_json::Value;

use super::Begun;
use crate::network::Network;
use crate::world::World;

/// One of so many.
fn one_of(count: usize, chance: &mut Chance) -> usize {
    usize::try_from(chance.below(count as u64)).unwrap_or(0)
}

/// A node, in words.
fn name(node: usize) -> String {
    format!("n{}", node + 1)
}

#[expect(clippy::unnecessary_wraps, reason = "what every fault ends with")]
fn begun(to: String, cure: impl FnOnce(&mut World) -> Result<()> + 'static) -> Result<Begun> {
    Ok(Begun { to, cure: Box::new(cure) })
}

/// Nodes have ended. They are started again when everything else is cured: one that cannot reach etcd would be waited for in vain.
fn ended(nodes: String) -> Result<Begun> {
    begun(nodes, |_| Ok(()))
}

fn network(world: &World) -> Result<&Network> {
    world.network.as_ref().context("no network of our own")
}

pub(super) fn nothing(_: &mut World, _: &mut Chance) -> Result<Begun> {
    begun("nobody".to_owned(), |_| Ok(()))
}

pub(super) fn restart(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    world.terminate(node)?;
    ended(name(node))
}

pub(super) fn kill(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    world.kill(node)?;
    ended(name(node))
}

pub(super) fn kill_two(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let (one, nodes) = (one_of(world.seats.len(), chance), world.seats.len());
    let other = (one + 1) % nodes;
    world.kill(one)?;
    world.kill(other)?;
    ended(format!("{}, {}", name(one), name(other)))
}

pub(super) fn kill_all(world: &mut World, _: &mut Chance) -> Result<Begun> {
    (0..world.seats.len()).try_for_each(|node| world.kill(node))?;
    ended("all".to_owned())
}

pub(super) fn pause(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    world.signal(node, "STOP")?;
    begun(name(node), move |world| world.signal(node, "CONT"))
}

pub(super) fn pause_shortly(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let Begun { to, cure } = pause(world, chance)?;
    let_pass(Duration::from_millis(500));
    cure(world)?;
    begun(to, |_| Ok(()))
}

fn heal(world: &mut World) -> Result<()> {
    network(world)?.heal()
}

pub(super) fn cut_link(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let from = one_of(world.seats.len(), chance);
    let to = (from + 1) % world.seats.len();
    network(world)?.cut(from, to)?;
    network(world)?.cut(to, from)?;
    begun(format!("{} - {}", name(from), name(to)), heal)
}

pub(super) fn cut_one_way(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let from = one_of(world.seats.len(), chance);
    let to = (from + 1) % world.seats.len();
    network(world)?.cut(from, to)?;
    begun(format!("{} -> {}", name(from), name(to)), heal)
}

pub(super) fn cut_all(world: &mut World, _: &mut Chance) -> Result<Begun> {
    let nodes = world.seats.len();
    for from in 0..nodes {
        (0..nodes).filter(|to| *to != from).try_for_each(|to| network(world)?.cut(from, to))?;
    }
    begun("all".to_owned(), heal)
}

pub(super) fn isolate(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    network(world)?.deafen(node)?;
    network(world)?.mute(node)?;
    begun(name(node), heal)
}

pub(super) fn deafen(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    network(world)?.deafen(node)?;
    begun(name(node), heal)
}

pub(super) fn mute(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    network(world)?.mute(node)?;
    begun(name(node), heal)
}

pub(super) fn cut_from_etcd(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    network(world)?.cut_from_hub(node, &world.etcd_ports())?;
    begun(name(node), heal)
}

pub(super) fn delay(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    world.seats[node].proxy.as_ref().context("no proxy")?.delay(Duration::from_millis(30));
    begun(name(node), move |world| {
        world.seats[node].proxy.as_ref().context("no proxy")?.delay(Duration::ZERO);
        Ok(())
    })
}

pub(super) fn flaky(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    let proxy = world.seats[node].proxy.as_ref().context("no proxy")?;
    for _ in 0..20 {
        let_pass(Duration::from_millis(chance.below(500)));
        proxy.cut();
    }
    begun(name(node), |_| Ok(()))
}

pub(super) fn half_open(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    world.seats[node].proxy.as_ref().context("no proxy")?.freeze_all();
    begun(name(node), move |world| {
        world.seats[node].proxy.as_ref().context("no proxy")?.thaw();
        Ok(())
    })
}

pub(super) fn deaf_proxy(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    world.seats[node].proxy.as_ref().context("no proxy")?.lose_replies();
    begun(name(node), move |world| {
        world.seats[node].proxy.as_ref().context("no proxy")?.cut();
        Ok(())
    })
}

/// The wall clock of a node jumps, and somewhere in between the node is killed and started again: that is when it is looked at.
fn move_wall(world: &mut World, chance: &mut Chance, seconds: i64) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    world.clocks.as_ref().context("no clocks")?.set_wall(node, seconds)?;
    let_pass(Duration::from_millis(2_500));
    world.kill(node)?;
    let_pass(Duration::from_millis(500));
    world.start_node(node)?;
    begun(name(node), move |world| world.clocks.as_ref().context("no clocks")?.set_wall(node, 0))
}

pub(super) fn wall_hour_ahead(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    move_wall(world, chance, 3_600)
}

pub(super) fn wall_hour_behind(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    move_wall(world, chance, -3_600)
}

pub(super) fn wall_ahead(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    move_wall(world, chance, 10)
}

pub(super) fn wall_behind(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    move_wall(world, chance, -10)
}

pub(super) fn stop_etcd(world: &mut World, _: &mut Chance) -> Result<Begun> {
    for member in &mut world.etcd {
        member.kill();
    }
    begun("etcd".to_owned(), run_all)
}

fn run_all(world: &mut World) -> Result<()> {
    // All first, then each waits: a member that is alone does not serve.
    for member in &mut world.etcd {
        if member.has_ended() {
            member.kill();
            member.begin()?;
        }
    }
    world.etcd.iter_mut().try_for_each(Server::wait_until_ready)
}

pub(super) fn kill_etcd_leader(world: &mut World, _: &mut Chance) -> Result<Begun> {
    let mut leader = 0;
    for (index, member) in world.etcd.iter().enumerate() {
        let status: Value = serde_json::from_str(&member.etcdctl(&["endpoint", "status", "--write-out", "json"])?)?;
        let status = &status[0]["Status"];
        if status["leader"] == status["header"]["member_id"] {
            leader = index;
        }
    }
    world.etcd[leader].kill();
    begun(world.etcd[leader].name().to_owned(), run_all)
}

pub(super) fn fill_etcd_disk(world: &mut World, _: &mut Chance) -> Result<Begun> {
    let filler = world.etcd_disks.first().context("no small disk")?.fill()?;
    // What etcd has reserved before still fits; then it fails.
    let junk = "x".repeat(1 << 16);
    for number in 0..2_000 {
        if world.etcd[0].etcdctl(&["--command-timeout", "2s", "put", &format!("/junk/{}", number % 8), &junk]).is_err()
        {
            break;
        }
    }
    let state = if world.etcd[0].has_ended() { "it ended" } else { "it goes on and takes no more" };
    begun(format!("etcd ({state})"), move |world| {
        std::fs::remove_file(filler)?;
        run_all(world)?;
        world.etcd[0].etcdctl(&["del", "--prefix", "/junk/"]).map(drop)
    })
}

pub(super) fn fill_node_disk(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    let filler = world.seats[node].disk.as_ref().context("no small disk")?.fill()?;
    begun(name(node), move |_| Ok(std::fs::remove_file(filler)?))
}

pub(super) fn little_memory(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    let resident = world.resident(node)?;
    // What it has and next to nothing more: the kernel takes pages of files away, and kills it when nothing is left to take.
    let room = world.seats[node].room.as_ref().context("no group")?;
    room.memory(Some(resident * 3 / 4)).or_else(|_| room.memory(Some(resident + 1)))?;
    begun(name(node), move |world| {
        world.seats[node].room.as_ref().context("no group")?.memory(None)?;
        Ok(())
    })
}

pub(super) fn little_processor(world: &mut World, chance: &mut Chance) -> Result<Begun> {
    let node = one_of(world.seats.len(), chance);
    world.seats[node].room.as_ref().context("no group")?.processors(Some(3))?;
    begun(name(node), move |world| world.seats[node].room.as_ref().context("no group")?.processors(None))
}
