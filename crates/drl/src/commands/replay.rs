//! `drl replay`: what a policy would have done to an access log. Needs no server; the log's own times count.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use drl_replay::{Key, Replay as Player, Report};

use crate::cli::CommonArgs;
use crate::exit::{self, Verdict};
use crate::output::{self, Output};
use crate::policy_args::LimitArgs;
use crate::values::Named;

/// One read of the file: fewer system calls than lines by far, and still in the second-level cache.
const BUFFER_BYTES: usize = 1 << 20;

const EXAMPLES: &str = "\
Lines are in combined or common format, or JSON objects; the log's own times
count, sorted first. Lines that cannot be read are counted and shown.
Exit codes: 0 done, 1 failed or no line could be read, 2 wrong usage.

Examples:
  drl replay access.log --limit 60 --window 1m
  drl replay a.log b.log --key user --limit 10 --window 1s --limit 999 --window 1h
  zcat access.log.*.gz | drl replay - --limit 60 --window 1m --output json

JSON: requests, allowed, denied, clients, clients_denied, malformed, unkeyed,
first, last, top_denied, worst_minutes, malformed_lines.";

/// What-if: run an access log through a policy; who would have been denied, and when?
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Replay {
    /// Files, as of a rotated log; - is stdin
    #[arg(value_name = "ACCESS_LOG", required = true)]
    logs: Vec<PathBuf>,
    /// What a client is: ip, user, path, user-agent, or field:NAME of JSON lines
    #[arg(
        long, value_name = "KEY", default_value_t = Key::default(),
        value_parser = Named::<Key>::new(&["ip", "user", "path", "user-agent"])
    )]
    key: Key,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Replay {
    /// # Errors
    /// Limits that are not possible; a log that cannot be opened or read, or has lines but no request.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let mut player = Player::new(self.limits.policy()?, self.key);
        for path in &self.logs {
            let log = open(path)?;
            player.read(log).with_context(|| format!("cannot replay {}", path.display()))?;
        }
        let report = player.run();
        match self.common.output {
            Output::Table => output::write(&report.to_string())?,
            Output::Json => output::write_json(&report)?,
        };
        judge(&report)
    }
}

/// A log of which nothing could be read is the wrong file, and a script should notice.
fn judge(report: &Report) -> anyhow::Result<Verdict> {
    if report.requests == 0 && report.malformed > 0 {
        bail!("no line could be read as a request; logs are combined format, common format or JSON lines");
    }
    if report.requests == 0 {
        exit::say("note: the log has no request with this key");
    }
    Ok(Verdict::Yes)
}

fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if path.as_os_str() == "-" {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            exit::say("note: reading the log from the terminal; Ctrl-D ends it");
        }
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, stdin.lock())));
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, file)))
}
