//! `drl limits get`: the policy under exactly one selector.

use clap::Args;
use drl_proto::v1::GetLimitsRequest;

use super::stored;
use crate::cli::CommonArgs;
use crate::connection::ConnectionArgs;
use crate::exit::Verdict;
use crate::output;
use crate::selector::SelectorArgs;

const EXAMPLES: &str = "\
Reads what was set under exactly this selector: a client without a policy of its
own has none here, even when a prefix or the default covers it.
Exit codes: 0 found, 1 none or failed, 2 wrong usage.

Examples:
  drl limits get alice
  drl limits get --default --output json";

/// Read one policy.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Get {
    #[command(flatten)]
    selector: SelectorArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Get {
    /// # Errors
    /// When there is no such policy, no node answers, or the node refuses.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let request =
            GetLimitsRequest { namespace: self.selector.namespace(), selector: Some(self.selector.to_proto()) };
        let answer = self.connection.run(async |node| node.answer(node.limits().get(request).await))?;
        let stored = stored::Stored::read(answer.policy.unwrap_or_default())?;
        output::record(self.common.output, &stored.json(), || stored.rows())?;
        Ok(Verdict::Yes)
    }
}
