//! The matrix: every fault by itself, on every class with every algorithm, as a table.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use drl_limits::Durability;
use drl_tests::load::Chance;

use crate::clients::GROUPS;
use crate::experiment::{Outcome, torture};
use crate::fault::{FAULTS, Fault, Needs, lacks};
use crate::judge::Cell;
use crate::schedule::Step;
use crate::stall::TOO_LONG;
use crate::world::{Plan, World};

/// What came of every fault.
pub(crate) struct Matrix {
    seed: u64,
    rows: Vec<(Fault, Outcome)>,
    skipped: Vec<(Fault, &'static str)>,
    /// Faults that could not be begun or cured, and why.
    broken: Vec<(Fault, String)>,
}

const NODES: usize = 3;

/// How often a fault is tried while the machine stands still.
const TRIES: u64 = 3;

impl Matrix {
    /// Runs the faults whose names contain this.
    pub(crate) fn run(seed: u64, only: &str, is_inside: bool) -> Self {
        let mut matrix = Self { seed, rows: Vec::new(), skipped: Vec::new(), broken: Vec::new() };
        let mut world: Option<(Needs, World)> = None;
        for (round, fault) in FAULTS.iter().enumerate().filter(|(_, fault)| fault.name.contains(only)) {
            if let Some(why) = lacks(fault.needs, is_inside) {
                eprintln!("SKIPPED: {}: {why}", fault.name);
                matrix.skipped.push((*fault, why));
                continue;
            }
            eprintln!("== {}", fault.name);
            world = world.filter(|(needs, _)| *needs == fault.needs);
            let outcome = matrix.row(*fault, round as u64, &mut world);
            match outcome {
                Ok(outcome) => {
                    outcome.verdict.wrongs.iter().for_each(|wrong| eprintln!("WRONG: {wrong}"));
                    matrix.rows.push((*fault, outcome));
                }
                Err(error) => {
                    eprintln!("BROKEN: {error:#}");
                    matrix.broken.push((*fault, format!("{error:#}")));
                    world = None;
                }
            }
        }
        matrix
    }

    fn row(&self, fault: Fault, round: u64, world: &mut Option<(Needs, World)>) -> Result<Outcome> {
        if world.is_none() {
            let mut plan = Plan { nodes: NODES, etcd: 1, ..Plan::default() };
            fault.furnish(&mut plan);
            *world = World::start(plan)?.map(|world| (fault.needs, world));
        }
        let Some((_, world)) = world else { anyhow::bail!("there is no etcd") };
        let step = Step { fault, within: None };
        for attempt in 0..TRIES {
            let mut chance = Chance::from_seed(self.seed ^ round << 32);
            let outcome = torture(world, round + attempt * 1_000, &[step], &mut chance)?;
            if !outcome.verdict.wrongs.is_empty() {
                eprintln!("logs of the nodes: {}", world.keep_logs()?.display());
            }
            if outcome.stalled <= TOO_LONG {
                return Ok(outcome);
            }
            eprintln!("the machine stood still for {:?}: once more", outcome.stalled);
        }
        anyhow::bail!("the machine stood still in each of {TRIES} tries")
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub(crate) fn is_clean(&self) -> bool {
        self.broken.is_empty() && self.rows.iter().all(|(_, outcome)| outcome.verdict.wrongs.is_empty())
    }

    /// The last line of a run.
    #[must_use]
    pub(crate) fn summary(&self) -> String {
        let wrong = self.rows.iter().filter(|(_, outcome)| !outcome.verdict.wrongs.is_empty()).count();
        let (clean, skipped, broken) = (self.rows.len() - wrong, self.skipped.len(), self.broken.len());
        format!("{clean} faults clean, {wrong} wrong, {broken} broken, {skipped} skipped (seed {})", self.seed)
    }

    /// The tables, as Markdown.
    #[must_use]
    pub(crate) fn tables(&self) -> String {
        let mut text = String::new();
        for durability in [Durability::Replicated, Durability::Async] {
            let _ = writeln!(text, "### Class `{durability}`\n");
            let _ = writeln!(text, "| fault | fixed window | sliding window | token bucket | in sync again |");
            let _ = writeln!(text, "|---|---|---|---|---|");
            for (fault, Outcome { verdict, whole, .. }) in &self.rows {
                let _ = write!(text, "| {} |", fault.name);
                for (group, cell) in
                    GROUPS.iter().zip(&verdict.cells).filter(|(group, _)| group.durability == durability)
                {
                    let _ = (group, write!(text, " {} |", shown(cell)));
                }
                let _ = writeln!(text, " {} |", seconds(*whole));
            }
            let _ = writeln!(text);
        }
        for (fault, why) in &self.skipped {
            let _ = writeln!(text, "* not run: {} ({why})", fault.name);
        }
        for (fault, why) in &self.broken {
            let _ = writeln!(text, "* came to no end: {} ({why})", fault.name);
        }
        text
    }

    /// Puts the tables into a document, between its marks.
    ///
    /// # Errors
    /// It cannot be read or written, or has no marks.
    pub(crate) fn write_into(&self, document: &Path) -> Result<()> {
        const MARKS: (&str, &str) = ("<!-- matrix -->\n", "<!-- end of matrix -->");
        let text = std::fs::read_to_string(document)?;
        let parts = text.split_once(MARKS.0).and_then(|(before, rest)| Some((before, rest.split_once(MARKS.1)?.1)));
        let Some((before, after)) = parts else { anyhow::bail!("{} has no marks", document.display()) };
        let (start, end) = MARKS;
        Ok(std::fs::write(document, format!("{before}{start}\n{}\n{end}{after}", self.tables()))?)
    }
}

fn shown(cell: &Cell) -> String {
    let lost = if cell.lost > 0 { format!(" ({} lost)", cell.lost) } else { String::new() };
    format!("{} / {}{lost} / {} / {}", cell.over, cell.needless, seconds(cell.silence), seconds(cell.recovery))
}

fn seconds(span: Duration) -> String {
    format!("{:.2} s", span.as_secs_f64())
}
