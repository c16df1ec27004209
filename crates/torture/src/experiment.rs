//! One run: clients ask, faults begin and are cured one after the other or one within the other, everything becomes whole again, and what
//! everybody saw is judged.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use drl_tests::cluster::{Since, let_pass};
use drl_tests::load::{Chance, used};

use crate::clients::{Client, everybody};
use crate::fault::Fault;
use crate::judge::{Circumstances, Verdict};
use crate::load::{Asked, Load};
use crate::schedule::Step;
use crate::stall::Stall;
use crate::world::World;

/// Before the first fault and after everything is whole again.
const CALM: Duration = Duration::from_secs(3);

/// What came of a run.
pub(crate) struct Outcome {
    pub verdict: Verdict,
    /// How long after a fault was cured until every shard had a copy in sync again, at most.
    pub whole: Duration,
    /// The longest that the machine itself stood still.
    pub stalled: Duration,
    pub histories: Vec<(Client, Vec<Asked>)>,
}

/// Tortures a world. `round`: clients of different rounds share no counters.
///
/// # Errors
/// A fault could not be begun or cured, or the world did not become whole again.
pub(crate) fn torture(world: &mut World, round: u64, steps: &[Step], chance: &mut Chance) -> Result<Outcome> {
    let (limiter, origin, stall) = (world.limiter()?, Since::now(), Stall::watch());
    let load = Load::start(&world.runtime, &limiter, &world.doors, everybody(round)?, origin);
    let mut run = Run { world, chance, origin, whole: Duration::ZERO, healed: origin.elapsed() };
    let_pass(CALM);
    let suffered = steps.iter().try_for_each(|step| run.suffer(step));
    let_pass(CALM);
    let Run { whole, healed, .. } = run;
    let histories = load.stop(&world.runtime)?;
    let stalled = stall.longest();
    suffered?;
    let mut verdict = Verdict::of(&histories, &circumstances(steps, healed));
    for (client, history) in histories.iter().filter(|(client, _)| client.is_remembered()) {
        let used = world.runtime.block_on(used(&limiter, &client.id))?;
        verdict.remembers(client, history, used, &circumstances(steps, healed));
    }
    Ok(Outcome { verdict, whole, stalled, histories })
}

fn circumstances(steps: &[Step], healed: Duration) -> Circumstances {
    let faults = || steps.iter().flat_map(Step::faults);
    Circumstances {
        healed: nanos(healed),
        late: nanos(faults().map(|fault| fault.lasts).sum()),
        take_overs: faults().map(|fault| fault.take_overs).sum(),
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

struct Run<'a> {
    world: &'a mut World,
    chance: &'a mut Chance,
    origin: Since,
    whole: Duration,
    healed: Duration,
}

impl Run<'_> {
    fn say(&self, what: &str) {
        eprintln!("{:8.3} s  {what}", self.origin.elapsed().as_secs_f64());
    }

    fn suffer(&mut self, step: &Step) -> Result<()> {
        self.during(step.fault, step.within)?;
        let ended = self.world.start_missing()?;
        if ended > 0 {
            self.say(&format!("{ended} nodes had ended and were started again"));
        }
        self.healed = self.origin.elapsed();
        self.world.whole()?;
        let took = self.origin.elapsed().saturating_sub(self.healed);
        self.say(&format!("whole again {:.1} s later", took.as_secs_f64()));
        self.whole = self.whole.max(took);
        Ok(())
    }

    /// A fault, and maybe another one while it lasts.
    fn during(&mut self, fault: Fault, within: Option<Fault>) -> Result<()> {
        let begun = (fault.begin)(self.world, self.chance)?;
        self.say(&format!("{}: {}", fault.name, begun.to));
        let_pass(fault.lasts / 2);
        if let Some(other) = within {
            self.during(other, None)?;
        }
        let_pass(fault.lasts / 2);
        (begun.cure)(self.world)?;
        self.say(&format!("{}: cured", fault.name));
        Ok(())
    }
}

/// Writes what everybody saw: a line a check, with the client, when it asked and heard (nanoseconds), what, and the shard time.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_history(to: &Path, histories: &[(Client, Vec<Asked>)]) -> Result<()> {
    let mut file = BufWriter::new(File::create(to)?);
    for (client, history) in histories {
        for Asked { sent, received, said, at } in history {
            let at = at.map(|at| at.to_string()).unwrap_or_default();
            writeln!(file, "{}\t{sent}\t{received}\t{said:?}\t{at}", client.id)?;
        }
    }
    file.flush()?;
    ensure!(!histories.is_empty(), "nobody asked");
    Ok(())
}
