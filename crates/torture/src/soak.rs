//! A soak: clients, limits and nodes come and go, and what a node that stays takes of the machine is measured: memory, descriptors, journal,
//! and the database of etcd. What grows from the second quarter of the time to the last is a leak.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use drl_tests::cluster::{Since, let_pass};
use serde_json::Value;

use crate::clients::everybody;
use crate::load::Load;
use crate::world::{Plan, World};

/// What is measured, in words, and how it is read.
type Kind = (&'static str, fn(&Taken) -> u64);

/// One look at what is taken.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    resident_mebibytes: u64,
    descriptors: u64,
    journal_kibibytes: u64,
    etcd_kibibytes: u64,
}

/// How much more the last quarter may take than the second, on top of a fifth.
const MARGIN: Taken =
    Taken { resident_mebibytes: 24, descriptors: 24, journal_kibibytes: 64 << 10, etcd_kibibytes: 8 << 10 };

/// How long one set of clients asks.
const SHIFT: Duration = Duration::from_secs(15);

/// What grew.
///
/// # Errors
/// There is no etcd, or something does not start.
pub(crate) fn soak(lasts: Duration) -> Result<Vec<String>> {
    let etcd_flags = ["--auto-compaction-mode", "periodic", "--auto-compaction-retention", "1m"].map(str::to_owned);
    let plan = Plan { nodes: 3, etcd: 1, etcd_flags: etcd_flags.to_vec(), ..Plan::default() };
    let mut world = World::start(plan)?.context("there is no etcd")?;
    let (since, mut looks, mut round) = (Since::now(), Vec::new(), 0);
    while since.elapsed() < lasts {
        let limiter = world.limiter()?;
        let load = Load::start(&world.runtime, &limiter, &world.doors, everybody(1_000 + round)?, Since::now());
        for number in 0..20 {
            let place = format!("/drl/default/limits/default/clients/soak-{}", (round * 7 + number) % 100);
            let value = format!(r#"{{"limits":[{{"requests":{},"window":"1m"}}]}}"#, 1 + round % 50);
            world.member()?.etcdctl(&["put", &place, &value])?;
        }
        // The first node stays and is measured; the others come and go, by goodbye and without.
        let guest = 1 + usize::try_from(round % 2)?;
        if round % 4 < 2 {
            world.terminate(guest)?;
        } else {
            world.kill(guest)?;
        }
        let_pass(SHIFT / 3);
        world.start_missing()?;
        let_pass(SHIFT * 2 / 3);
        load.stop(&world.runtime)?;
        world.whole()?;
        let look = look(&mut world)?;
        println!("{:6.0} s  {look:?}", since.elapsed().as_secs_f64());
        looks.push(look);
        round += 1;
    }
    Ok(grown(&looks))
}

fn look(world: &mut World) -> Result<Taken> {
    let pid = world.seats[0].node.as_ref().context("the first node does not run")?.pid();
    let status = world.member()?.etcdctl(&["endpoint", "status", "--write-out", "json"])?;
    let status: Value = serde_json::from_str(&status)?;
    Ok(Taken {
        resident_mebibytes: world.resident(0)?,
        descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
        journal_kibibytes: size(&world.directory(0))? >> 10,
        etcd_kibibytes: status[0]["Status"]["dbSize"].as_u64().context("no size")? >> 10,
    })
}

/// The bytes of all files of a directory.
fn size(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)?.flatten() {
        // Files of a database come and go.
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

fn grown(looks: &[Taken]) -> Vec<String> {
    let quarter = looks.len() / 4;
    if quarter == 0 {
        return vec![format!("{} looks are too few to say anything: give it more time", looks.len())];
    }
    let kinds: [Kind; 4] = [
        ("resident MiB", |taken| taken.resident_mebibytes),
        ("descriptors", |taken| taken.descriptors),
        ("journal KiB", |taken| taken.journal_kibibytes),
        ("etcd KiB", |taken| taken.etcd_kibibytes),
    ];
    let middle = |looks: &[Taken], of: fn(&Taken) -> u64| {
        let mut values: Vec<u64> = looks.iter().map(of).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    let grew = |(name, of): Kind| {
        let (before, after) = (middle(&looks[quarter..2 * quarter], of), middle(&looks[3 * quarter..], of));
        println!("{name}: {before} in the second quarter, {after} in the last");
        (after > before + before / 5 + of(&MARGIN)).then(|| format!("{name} grew from {before} to {after}"))
    };
    kinds.into_iter().filter_map(grew).collect()
}

#[cfg(test)]
mod tests {
    use super::{Taken, grown};

    fn taken(resident_mebibytes: u64) -> Taken {
        Taken { resident_mebibytes, ..Taken::default() }
    }

    #[test]
    fn what_grows_without_end_is_a_leak_and_what_levels_off_is_not() {
        let leak: Vec<_> = (0..40).map(|look| taken(100 + 5 * look)).collect();
        assert_eq!(grown(&leak).len(), 1);
        let level: Vec<_> = (0..40).map(|look| taken(100 + 5 * look.min(8))).collect();
        assert!(grown(&level).is_empty());
        assert_eq!(grown(&leak[..3]).len(), 1, "too little to tell");
    }
}
