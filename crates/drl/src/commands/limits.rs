//! `drl limits`: reads and changes policies, in etcd or through a node, and checks them.

mod delete;
mod get;
mod list;
mod set;
pub(super) mod stored;
mod validate;

use clap::{Args, Subcommand};

use crate::exit::{ExitCodes, Verdict};

const EXAMPLES: &str = "\
A client's own policy wins over the longest prefix, a prefix over the namespace's
default. A client that nothing matches is denied, unless the node runs with
--unknown-client allow.

Examples:
  drl limits set alice --limit 100 --window 5m
  drl limits set --prefix free- --limit 10 --window 1s --limit 1000 --window 1d
  drl limits set --default --limit 20 --window 1m --algorithm token-bucket --burst 50
  drl limits get alice
  drl limits list --output json
  drl limits delete alice
  drl limits validate limits.json";

/// Read and change who may do what.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) struct Limits {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Set(set::Set),
    Get(get::Get),
    List(list::List),
    Delete(delete::Delete),
    Validate(validate::Validate),
}

impl Limits {
    /// # Errors
    /// Those of the action.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        match self.action {
            Action::Set(set) => set.run(),
            Action::Get(get) => get.run(),
            Action::List(list) => list.run(),
            Action::Delete(delete) => delete.run(),
            Action::Validate(validate) => validate.run(),
        }
    }

    pub(crate) const fn exit_codes(&self) -> ExitCodes {
        match self.action {
            Action::Validate(_) => ExitCodes::Asks,
            _ => ExitCodes::Does,
        }
    }
}
