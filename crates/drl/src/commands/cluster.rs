//! `drl cluster`: how a cluster stands, asked of any of its nodes, and nodes that are to give away what they have.

mod drain;
mod nodes;
mod progress;
mod shards;
mod status;
mod watch;

use clap::{Args, Subcommand};

use crate::exit::{ExitCodes, Verdict};

const EXAMPLES: &str = "\
Any node can be asked, one that runs alone too: it tells what it read last.

Examples:
  drl cluster status
  drl cluster nodes --endpoint 10.0.0.7:7700
  drl cluster shards --node n1 --output json
  drl cluster drain n1";

/// See how a cluster stands, and empty nodes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) struct Cluster {
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, Subcommand)]
enum Question {
    Status(status::Status),
    Nodes(nodes::Nodes),
    Shards(shards::Shards),
    Drain(drain::Drain),
    Undrain(drain::Undrain),
}

impl Cluster {
    /// # Errors
    /// Those of the question.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        match self.question {
            Question::Status(status) => status.run(),
            Question::Nodes(nodes) => nodes.run(),
            Question::Shards(shards) => shards.run(),
            Question::Drain(drain) => drain.run(),
            Question::Undrain(undrain) => undrain.run(),
        }
    }

    pub(crate) const fn exit_codes(&self) -> ExitCodes {
        match self.question {
            Question::Status(_) => ExitCodes::Asks,
            _ => ExitCodes::Does,
        }
    }
}
