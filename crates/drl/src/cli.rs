//! The command line as one value. A flag wins over its environment variable, that over the config file, that over the default:
//! the file's values become clap's defaults, so that every source passes the same parsers.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::commands::bench::{Bench, BenchEcho};
use crate::commands::check::Check;
use crate::commands::cluster::Cluster;
use crate::commands::completions::Completions;
use crate::commands::dev::Dev;
use crate::commands::explain::Explain;
use crate::commands::limits::Limits;
use crate::commands::man::Man;
use crate::commands::refund::Refund;
use crate::commands::replay::Replay;
use crate::commands::reset::Reset;
use crate::commands::serve::Serve;
use crate::config_file::ConfigFile;
use crate::exit::ExitCodes;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  drl dev                           a whole cluster in one process, to try things out
  drl serve                         a durable node on this machine
  drl limits set --default --limit 100 --window 1m
  drl check alice                   one decision; exits 0 allowed, 1 denied
  drl explain alice                 which policy applies and why, and what is used
  drl cluster status                is all well?
  drl replay access.log --key ip --limit 60 --window 1m
  drl bench --batch 256             how much, and how fast?

Units: windows and other spans are 500ms, 10s, 5m, 1h30m, 7d.
Data goes to stdout, talk to stderr.
Config file: every flag that has an environment variable can be a key of a TOML
file (--config); the environment wins over the file, and flags win over both.";

/// Distributed rate limiter.
#[derive(Debug, Parser)]
#[command(name = "drl", version, after_help = EXAMPLES, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Dev(Dev),
    Serve(Box<Serve>),
    Limits(Box<Limits>),
    Check(Check),
    Reset(Reset),
    Refund(Refund),
    Explain(Explain),
    Cluster(Cluster),
    Replay(Replay),
    Bench(Box<Bench>),
    #[command(hide = true)]
    BenchEcho(BenchEcho),
    Completions(Completions),
    Man(Man),
}

impl Command {
    /// What the exit codes of this command mean.
    pub(crate) fn exit_codes(&self) -> ExitCodes {
        match self {
            Self::Check(_) => ExitCodes::Asks,
            Self::Limits(limits) => limits.exit_codes(),
            Self::Cluster(cluster) => cluster.exit_codes(),
            _ => ExitCodes::Does,
        }
    }
}

/// The config file, for every command that has something to configure.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// TOML file with flag names as keys; flags and environment win over it
    #[arg(long, env = "DRL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Flags of every command that prints data.
#[derive(Debug, Args)]
pub(crate) struct CommonArgs {
    /// Data on stdout: aligned columns for people, JSON for programs
    #[arg(long, env = "DRL_OUTPUT", value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Reads the command line, and the config file that it or the environment names.
///
/// # Errors
/// [`clap::Error`] for wrong usage and for `--help`; others for a config file that cannot be used.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> anyhow::Result<Cli> {
    let arguments: Vec<OsString> = arguments.collect();
    let command = Cli::command();
    let mut matches = command.clone().try_get_matches_from(&arguments)?;
    if let Some(path) = config_path(&matches) {
        let command = ConfigFile::read(path, &command)?.apply(command);
        matches = command.try_get_matches_from(&arguments)?;
    }
    Ok(Cli::from_arg_matches(&matches)?)
}

/// The value of `--config`, which is a flag of the innermost subcommand.
fn config_path(matches: &clap::ArgMatches) -> Option<PathBuf> {
    let mut innermost = matches;
    while let Some((_, inner)) = innermost.subcommand() {
        innermost = inner;
    }
    innermost.try_get_one::<PathBuf>("config").ok().flatten().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command and flag of the program that `page` does not name in code.
    fn missing_in(page: &str, command: &clap::Command, path: &str, missing: &mut Vec<String>) {
        let flags = command.get_arguments().filter_map(|flag| Some((flag.get_long()?, flag.get_env())));
        for (name, variable) in flags.filter(|(name, _)| !["help", "version"].contains(name)) {
            let names = [Some(format!("--{name}")), variable.map(|variable| variable.to_string_lossy().into_owned())];
            missing.extend(names.into_iter().flatten().filter(|name| !page.contains(&format!("`{name}"))));
        }
        for inner in command.get_subcommands() {
            let path = format!("{path} {}", inner.get_name());
            if inner.get_subcommands().next().is_none() && !page.contains(&format!("`{path}")) {
                missing.push(path.clone());
            }
            missing_in(page, inner, &path, missing);
        }
    }

    #[test]
    fn the_reference_page_names_every_command_flag_and_variable() {
        let page = include_str!("../../../docs/cli.md");
        let mut missing = Vec::new();
        missing_in(page, &Cli::command(), "drl", &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// One config file serves all commands, so a name can have only one meaning.
    #[test]
    fn a_configurable_flag_has_one_environment_variable_everywhere() {
        fn check(command: &clap::Command) {
            for flag in command.get_arguments() {
                if let (Some(name), Some(variable)) = (flag.get_long(), flag.get_env()) {
                    assert_eq!(variable.to_string_lossy(), format!("DRL_{}", name.replace('-', "_").to_uppercase()));
                }
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
