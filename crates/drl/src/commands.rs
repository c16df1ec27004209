//! One file per subcommand: its flags, its help, and what it does.

pub(crate) mod check;
pub(crate) mod completions;
mod decision;
pub(crate) mod limits;
pub(crate) mod man;
pub(crate) mod refund;
pub(crate) mod replay;
pub(crate) mod reset;
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
        Command::Serve(serve) => serve.run(),
        Command::Limits(limits) => limits.run(),
        Command::Check(check) => check.run(),
        Command::Reset(reset) => reset.run(),
        Command::Refund(refund) => refund.run(),
        Command::Replay(replay) => replay.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(_) => Man::run(),
    }
}
