//! A policy on the command line: `--limit` and `--window` in pairs and the classes. What comes out is a checked
//! [`Policy`]; which combinations are possible is decided there, not here.

use clap::Args;
use drl_limits::{Algorithm, Durability, Limit, Mode, OnStateLoss, OnUnavailable, Policy, PolicySpec, Window};

use crate::exit::usage;
use crate::values::{self, Named};

/// Limits and how they are counted.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Requests per window, 1 to 2^53; repeat with --window for several limits
    #[arg(long = "limit", value_name = "N", required = true, allow_negative_numbers = true, value_parser = values::requests)]
    requests: Vec<u64>,
    /// Length of the window: 1ms to 366d, as 500ms, 10s, 5m, 1h30m, 7d; one for each --limit, in the same order
    #[arg(long = "window", value_name = "SPAN", required = true)]
    windows: Vec<Window>,
    /// How use is counted
    #[arg(
        long, value_name = "NAME", default_value_t = Algorithm::default(),
        value_parser = Named::<Algorithm>::new(&["fixed-window", "sliding-window", "token-bucket"])
    )]
    algorithm: Algorithm,
    /// Size of the bucket in requests (token-bucket only) [default: the limit]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = values::requests)]
    burst: Option<u64>,
}

/// What a stored policy says beyond its limits.
#[derive(Debug, Args)]
pub(crate) struct ClassArgs {
    /// replicated: an admission is answered once a second copy (alone: the disk) has it; async: at once
    #[arg(
        long, value_name = "CLASS", default_value_t = Durability::default(),
        value_parser = Named::<Durability>::new(&["replicated", "async"])
    )]
    durability: Durability,
    /// The answer of clients when no node can decide
    #[arg(
        long, value_name = "ANSWER", default_value_t = OnUnavailable::default(),
        value_parser = Named::<OnUnavailable>::new(&["deny", "allow", "local"])
    )]
    on_unavailable: OnUnavailable,
    /// deny: lost counters count as used up; allow: as fresh
    #[arg(
        long, value_name = "ANSWER", default_value_t = OnStateLoss::default(),
        value_parser = Named::<OnStateLoss>::new(&["deny", "allow"])
    )]
    on_state_loss: OnStateLoss,
    /// Decide and count, but always allow
    #[arg(long)]
    shadow: bool,
}

impl LimitArgs {
    /// The policy of these limits, with the default classes.
    ///
    /// # Errors
    /// A usage error when limits and windows do not pair up or the combination is not possible.
    pub(crate) fn policy(&self) -> anyhow::Result<Policy> {
        policy(self.spec()?)
    }

    fn spec(&self) -> Result<PolicySpec, clap::Error> {
        let (limits, windows) = (self.requests.len(), self.windows.len());
        if limits != windows {
            let text = format!(
                "--limit is given {limits} times and --window {windows} times; each --limit needs its --window"
            );
            return Err(usage(&text));
        }
        let pairs = self.requests.iter().zip(&self.windows);
        let limits = pairs.map(|(requests, window)| Limit::new(*requests, *window)).collect::<Result<Vec<_>, _>>();
        let limits = limits.map_err(|error| usage(&error.to_string()))?;
        Ok(PolicySpec { limits, algorithm: self.algorithm, burst: self.burst, ..PolicySpec::default() })
    }
}

impl ClassArgs {
    /// The policy of these limits and classes.
    ///
    /// # Errors
    /// As [`LimitArgs::policy`].
    pub(crate) fn policy(&self, limits: &LimitArgs) -> anyhow::Result<Policy> {
        let Self { durability, on_unavailable, on_state_loss, shadow } = *self;
        let mode = if shadow { Mode::Shadow } else { Mode::Enforce };
        policy(PolicySpec { durability, on_unavailable, on_state_loss, mode, ..limits.spec()? })
    }
}

fn policy(spec: PolicySpec) -> anyhow::Result<Policy> {
    Ok(Policy::new(spec).map_err(|error| usage(&error.to_string()))?)
}
