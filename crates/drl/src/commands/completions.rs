//! `drl completions`: a script that completes commands, flags and values in a shell.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Verdict;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  drl completions bash > /etc/bash_completion.d/drl
  drl completions zsh > ~/.zfunc/_drl
  drl completions fish > ~/.config/fish/completions/drl.fish";

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    /// # Errors
    /// When stdout cannot be written.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "drl", &mut script);
        output::write(&String::from_utf8_lossy(&script))?;
        Ok(Verdict::Yes)
    }
}
