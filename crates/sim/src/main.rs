//! The command `sim`: one seed, many seeds, or the list of planted bugs.

use std::process::ExitCode;

use drl_sim::{Ending, Mark, Marks, PLANTS, Plant, Talk, World};

const USAGE: &str = "\
usage: sim run --seed N [--plant NAME] [--log]      one seed; the last line is the digest of its events
       sim sweep --seeds A..B [--plant NAME]        seeds A to B - 1, until the first violation
       sim quiet --seconds N                        a world without faults
       sim deaf --seeds A..B --seconds N            one node hears nobody for so long; for how long its shards do not answer
       sim plants [--names]                         the planted bugs, one a line

exit code: 0 no violation, 1 a violation, 2 wrong usage";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command(&arguments) {
        Some(code) => code,
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// `None` when the command line makes no sense.
fn command(arguments: &[&str]) -> Option<ExitCode> {
    let (name, rest) = arguments.split_first()?;
    match *name {
        "run" => run(rest),
        "sweep" => sweep(rest),
        "quiet" => quiet(rest),
        "deaf" => deaf(rest),
        "plants" => Some(plants(rest)),
        _ => None,
    }
}

fn value<'a>(arguments: &[&'a str], flag: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| *argument == flag)?;
    arguments.get(at + 1).copied()
}

fn plant(arguments: &[&str]) -> Option<Plant> {
    if !arguments.contains(&"--plant") {
        return Some(Plant::NONE);
    }
    let name = value(arguments, "--plant")?;
    let plant = Plant::named(name);
    if plant.is_none() {
        eprintln!("no bug is called {name:?}; `sim plants --names` lists them");
    }
    plant
}

fn run(arguments: &[&str]) -> Option<ExitCode> {
    let seed = value(arguments, "--seed")?.parse().ok()?;
    let plant = plant(arguments)?;
    let talk = if arguments.contains(&"--log") { Talk::Aloud } else { Talk::Silent };
    let ending = World::run(seed, plant, talk);
    show_marks(&ending.marks);
    let code = judge(seed, plant, &ending);
    println!("{:016x}", ending.digest);
    Some(code)
}

fn seeds(arguments: &[&str]) -> Option<(u64, u64)> {
    let (first, last) = value(arguments, "--seeds")?.split_once("..")?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

fn sweep(arguments: &[&str]) -> Option<ExitCode> {
    let (first, last) = seeds(arguments)?;
    let plant = plant(arguments)?;
    let (mut marks, mut simulated) = (Marks::default(), 0);
    for seed in first..last {
        let ending = World::run(seed, plant, Talk::Silent);
        marks.add(&ending.marks);
        simulated += ending.simulated / 1_000_000_000;
        if ending.violation.is_some() {
            return Some(judge(seed, plant, &ending));
        }
    }
    show_marks(&marks);
    println!("{} seeds, {simulated} simulated seconds, no violation", last.saturating_sub(first));
    Some(ExitCode::SUCCESS)
}

fn quiet(arguments: &[&str]) -> Option<ExitCode> {
    let seconds = value(arguments, "--seconds")?.parse().ok()?;
    let ending = World::run_quiet(1, seconds);
    show_marks(&ending.marks);
    if let Some(violation) = &ending.violation {
        println!("{violation}");
    }
    println!("{:016x}", ending.digest);
    Some(if ending.violation.is_none() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn deaf(arguments: &[&str]) -> Option<ExitCode> {
    let (first, last) = seeds(arguments)?;
    let seconds = value(arguments, "--seconds")?.parse().ok()?;
    let mut longest = 0;
    for seed in first..last {
        let deafness = World::run_deaf(seed, seconds);
        if let Some(violation) = &deafness.violation {
            println!("seed {seed}: {violation}");
            return Some(ExitCode::from(1));
        }
        longest = longest.max(deafness.silence_ms);
    }
    println!("{} seeds, no shard was silent for longer than {longest} ms", last.saturating_sub(first));
    Some(ExitCode::SUCCESS)
}

fn plants(arguments: &[&str]) -> ExitCode {
    let names_only = arguments.contains(&"--names");
    for entry in PLANTS {
        if names_only {
            println!("{}", entry.name);
        } else {
            println!("{:<22} seed {:>3}  {}", entry.name, entry.caught_by, entry.what);
        }
    }
    ExitCode::SUCCESS
}

fn judge(seed: u64, plant: Plant, ending: &Ending) -> ExitCode {
    let Some(violation) = &ending.violation else { return ExitCode::SUCCESS };
    let planted = plant.name().map(|name| format!(" --plant {name}")).unwrap_or_default();
    println!("seed {seed}: {violation}");
    println!("replay: sim run --seed {seed}{planted}");
    ExitCode::from(1)
}

fn show_marks(marks: &Marks) {
    let seen: Vec<String> = Mark::ALL.iter().map(|mark| format!("{mark:?} {}", marks.count(*mark))).collect();
    println!("{}", seen.join(", "));
}
