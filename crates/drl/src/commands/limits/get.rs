//! `drl limits get`: the policy under exactly one selector.

use clap::Args;

use super::stored::Stored;
use crate::cli::CommonArgs;
use crate::exit::{self, Verdict};
use crate::output;
use crate::selector::SelectorArgs;
use crate::store_args::StoreArgs;

const EXAMPLES: &str = "\
Reads what was set under exactly this selector: a client without a policy of its
own has none here, even when a prefix or the default covers it (`drl explain` tells).
Exit codes: 0 found, 1 none or failed, 2 wrong usage.

Examples:
  drl limits get alice
  drl limits get --default --output json
  drl limits get alice --etcd http://127.0.0.1:2379";

/// Read one policy.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Get {
    #[command(flatten)]
    selector: SelectorArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Get {
    /// # Errors
    /// When there is no such policy, or nobody answers.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let place = self.selector.place();
        let stored = Stored::from(self.store.run(async |store| store.get(&place).await)?);
        output::record(self.common.output, &stored.json(), || stored.rows())?;
        if let Some(fault) = stored.fault() {
            exit::say(&format!("note: this value is not in force: {fault}"));
        }
        Ok(Verdict::Yes)
    }
}
