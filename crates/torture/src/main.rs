//! The command `torture`: real nodes, a real etcd and real load, faults from a seed, and a checker that it shares with the simulator.
//!
//! * what is tortured: `world.rs`, put together by a plan; `network.rs`, `clocks.rs`, `room.rs` make it breakable, `jail.rs` keeps it in
//! * what is done: `fault.rs`, drawn by `schedule.rs`, carried out by `experiment.rs`
//! * who asks, and what came of it: `clients.rs`, `load.rs`, `judge.rs`
//! * `matrix.rs`: every fault by itself, as a table; `crash.rs`: points at which a process dies, and planted bugs; `soak.rs`: what grows

mod clients;
mod clocks;
mod crash;
mod disks;
mod experiment;
mod fault;
mod jail;
mod judge;
mod load;
mod matrix;
mod network;
mod room;
mod schedule;
mod shell;
mod soak;
mod stall;
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use drl_tests::load::Chance;

use crate::crash::Planted;
use crate::experiment::{torture, write_history};
use crate::fault::{FAULTS, lacks};
use crate::matrix::Matrix;
use crate::schedule::Schedule;
use crate::stall::TOO_LONG;
use crate::world::World;

const USAGE: &str = "\
usage: torture run --seed N [--seconds S] [--history FILE]   a world and faults drawn from a seed, for about S seconds (60)
       torture long --seed N --minutes M                      seeds N, N + 1, ... until so much time has passed
       torture matrix [--seed N] [--only TEXT] [--into FILE]  every fault by itself, or those with TEXT in their names, as a table
       torture crash [--seed N] [--only TEXT]                 dies at every point around every effect (needs drl-faults beside it)
       torture plants [--seed N] [--only TEXT]                bugs of the effects, each of which must be noticed (needs drl-faults)
       torture soak --minutes M                               what comes and goes, and whether anything grows
       torture faults                                         the faults, and what of them cannot be had here

exit code: 0 nothing wrong, 1 something wrong, 2 wrong usage. As root it keeps itself in namespaces of its own.";

/// How long a seed of many lasts.
const SEED: Duration = Duration::from_mins(2);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let is_inside = arguments.first().is_some_and(|first| first == jail::INSIDE);
    if is_inside {
        jail::settle_in()?;
    } else if let Some(code) = jail::enter(arguments)? {
        return Ok(code);
    } else {
        eprintln!("SKIPPED: namespaces are not permitted here: no link is cut, nothing is mounted");
    }
    let arguments: Vec<&str> = arguments.iter().skip(usize::from(is_inside)).map(String::as_str).collect();
    let number = |flag: &str| value(&arguments, flag).map(str::parse::<u64>).transpose();
    let seed = number("--seed")?.unwrap_or(1);
    match arguments.first().copied() {
        Some("run") => {
            let seconds = Duration::from_secs(number("--seconds")?.unwrap_or(60));
            let is_clean = one(seed, seconds, value(&arguments, "--history"), is_inside)?;
            Ok(code(is_clean))
        }
        Some("long") => {
            let minutes = Duration::from_secs(60 * number("--minutes")?.context("--minutes")?);
            Ok(code(long(seed, minutes, is_inside)))
        }
        Some("matrix") => {
            let matrix = Matrix::run(seed, value(&arguments, "--only").unwrap_or_default(), is_inside);
            println!("{}", matrix.tables());
            if let Some(document) = value(&arguments, "--into") {
                matrix.write_into(Path::new(document))?;
            }
            println!("{}", matrix.summary());
            Ok(code(matrix.is_clean()))
        }
        Some("crash") if crash::is_possible() => {
            let wrongs = crash::every_point(seed, value(&arguments, "--only").unwrap_or_default())?;
            Ok(code(report("crash points", &wrongs)))
        }
        Some("plants") if crash::is_possible() => plants(seed, value(&arguments, "--only").unwrap_or_default()),
        Some("crash" | "plants") => {
            println!("1 skipped");
            Ok(ExitCode::SUCCESS)
        }
        Some("soak") => {
            let minutes = Duration::from_secs(60 * number("--minutes")?.context("--minutes")?);
            Ok(code(report("soak", &soak::soak(minutes)?)))
        }
        Some("faults") => {
            for fault in FAULTS {
                println!("{:<28} {}", fault.name, lacks(fault.needs, is_inside).unwrap_or("can be had"));
            }
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

fn value<'a>(arguments: &[&'a str], flag: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| *argument == flag)?;
    arguments.get(at + 1).copied()
}

fn code(is_clean: bool) -> ExitCode {
    if is_clean { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Says what was wrong. Whether nothing was.
fn report(what: &str, wrongs: &[String]) -> bool {
    for wrong in wrongs {
        println!("WRONG: {wrong}");
    }
    println!("{what}: {} wrong", wrongs.len());
    wrongs.is_empty()
}

/// Every planted bug must be noticed, and nothing without it.
fn plants(seed: u64, only: &str) -> Result<ExitCode> {
    let found = crash::every_plant(seed, only)?;
    for Planted { name, without, with } in &found {
        for wrong in without {
            println!("{name}: WRONG without the bug: {wrong}");
        }
        for noticed in with {
            println!("{name}: noticed: {noticed}");
        }
        println!("{name}: {} things were wrong with it, {} without it", with.len(), without.len());
    }
    let noticed = found.iter().filter(|planted| planted.without.is_empty() && !planted.with.is_empty()).count();
    println!("{noticed} of {} planted bugs noticed", found.len());
    Ok(code(noticed == found.len()))
}

/// One seed. Whether nothing was wrong.
fn one(seed: u64, seconds: Duration, history: Option<&str>, is_inside: bool) -> Result<bool> {
    let mut chance = Chance::from_seed(seed);
    let Schedule { plan, steps } = {
        let schedule = Schedule::draw(&mut chance, seconds, is_inside);
        println!("seed {seed}: {}", schedule.shown());
        schedule
    };
    let Some(mut world) = World::start(plan)? else {
        bail!("there is no etcd (apt-get install etcd-server etcd-client)")
    };
    let outcome = torture(&mut world, seed, &steps, &mut chance);
    if !outcome.as_ref().is_ok_and(|outcome| outcome.verdict.wrongs.is_empty()) {
        println!("logs of the nodes: {}", world.keep_logs()?.display());
    }
    let outcome = outcome?;
    if outcome.stalled > TOO_LONG {
        println!("seed {seed}: the machine stood still for {:?}: what follows says little", outcome.stalled);
    }
    if let Some(file) = history {
        write_history(Path::new(file), &outcome.histories)?;
    }
    let verdict = &outcome.verdict;
    verdict.wrongs.iter().for_each(|wrong| println!("WRONG: {wrong}"));
    let sum = |of: fn(&judge::Cell) -> u64| verdict.cells.iter().map(of).sum::<u64>();
    let (granted, denied, unanswered) =
        (sum(|cell| cell.granted), sum(|cell| cell.denied), sum(|cell| cell.unanswered));
    let skipped = FAULTS.iter().filter(|fault| lacks(fault.needs, is_inside).is_some()).count();
    println!(
        "seed {seed}: {granted} granted, {denied} denied, {unanswered} unanswered, {} wrong, {skipped} kinds of fault skipped",
        verdict.wrongs.len()
    );
    Ok(verdict.wrongs.is_empty())
}

/// One seed after the other. Whether nothing was wrong.
fn long(first: u64, lasts: Duration, is_inside: bool) -> bool {
    let since = drl_tests::cluster::Since::now();
    let (mut seed, mut wrong) = (first, Vec::new());
    while since.elapsed() < lasts {
        // A world that came to no end is as wrong as one in which somebody got too much; the others go on.
        let is_clean = one(seed, SEED, None, is_inside).unwrap_or_else(|error| {
            println!("seed {seed}: BROKEN: {error:#}");
            false
        });
        wrong.extend((!is_clean).then_some(seed));
        seed += 1;
    }
    println!("{} seeds in {:.0} s, wrong: {wrong:?}", seed - first, since.elapsed().as_secs_f64());
    wrong.is_empty()
}
