//! One file per subcommand: its flags, its help, and what it does.

pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod cluster;
pub(crate) mod completions;
mod decision;
pub(crate) mod dev;
pub(crate) mod explain;
pub(crate) mod limits;
pub(crate) mod man;
pub(crate) mod refund;
pub(crate) mod replay;
pub(crate) mod reset;
mod running;
pub(crate) mod serve;

use crate::cli::Command;
use crate::commands::man::Man;
use crate::exit::Verdict;

/// Runs one command to its end.
///
/// # Errors
/// Whatever the command fails with; a sentence that says what to do.
pub(crate) fn run(command: Command) -> anyhow::Result<Verdict> {
    match command {
        Command::Dev(dev) => dev.run(),
        Command::Serve(serve) => serve.run(),
        Command::Limits(limits) => limits.run(),
        Command::Check(check) => check.run(),
        Command::Reset(reset) => reset.run(),
        Command::Refund(refund) => refund.run(),
        Command::Explain(explain) => explain.run(),
        Command::Cluster(cluster) => cluster.run(),
        Command::Replay(replay) => replay.run(),
        Command::Bench(bench) => bench.run(),
        Command::BenchEcho(echo) => echo.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(_) => Man::run(),
    }
}
