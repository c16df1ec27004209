//! `drl check`: one decision.

use clap::Args;
use drl_core::Cost;
use drl_proto::v1::CheckRequest;

use super::decision::Shown;
use crate::cli::CommonArgs;
use crate::connection::ConnectionArgs;
use crate::exit::Verdict;
use crate::output;
use crate::selector::NamespaceArgs;
use crate::values::{self, ClientBytes};

const EXAMPLES: &str = "\
Exit codes: 0 allowed, 1 denied, 2 error or wrong usage.

Examples:
  drl check alice                charges 1
  drl check alice --cost 10      charges 10, or nothing when 10 do not fit
  drl check alice --peek         looks whether 1 would pass; charges nothing
  drl check alice --output json

JSON: allowed, limit, remaining, retry_after_ms (0 when allowed, -1 when this
cost can never pass), reset_after_ms, policy_revision, reason. Times are rounded up.";

/// Ask for one decision: may this client go on?
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Check {
    /// The client: 1 to 256 bytes
    #[arg(value_name = "CLIENT", value_parser = values::client())]
    client: ClientBytes,
    /// Units to charge, 0 to 2^53; 0 looks and charges nothing
    #[arg(long, value_name = "N", default_value_t = Cost::ONE.units(), allow_negative_numbers = true, value_parser = values::cost)]
    cost: u64,
    /// Look whether the cost would pass; charge nothing
    #[arg(long)]
    peek: bool,
    #[command(flatten)]
    namespace: NamespaceArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Check {
    /// # Errors
    /// When no node answers, or the node refuses.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let Self { client: ClientBytes(client_id), cost, peek, namespace, connection, common } = self;
        let request =
            CheckRequest { namespace: namespace.namespace, client_id: client_id.into(), cost: Some(cost), peek };
        let decision = connection.run(async |node| node.answer(node.checks().check(request).await))?;
        let shown = Shown::from(&decision);
        output::record(common.output, &shown, || shown.rows())?;
        Ok(if decision.allowed { Verdict::Yes } else { Verdict::No })
    }
}
