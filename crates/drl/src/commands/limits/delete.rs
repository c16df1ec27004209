//! `drl limits delete`: removes a policy; the next wider one applies from then on.

use clap::Args;

use crate::cli::CommonArgs;
use crate::exit::Verdict;
use crate::output;
use crate::selector::SelectorArgs;
use crate::store_args::StoreArgs;

const EXAMPLES: &str = "\
Exit codes: 0 done, 1 there was none or failed, 2 wrong usage.

Examples:
  drl limits delete alice
  drl limits delete --prefix free- --namespace billing
  drl limits delete alice --etcd http://127.0.0.1:2379";

/// Remove one policy.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Delete {
    #[command(flatten)]
    selector: SelectorArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Delete {
    /// # Errors
    /// When there is no such policy, or nobody answers.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let place = self.selector.place();
        let revision = self.store.run(async |store| store.delete(&place).await)?;
        let mut json = place.json();
        json.insert("deleted".to_owned(), true.into());
        json.insert("revision".to_owned(), revision.into());
        output::record(self.common.output, &json, || {
            vec![["deleted".to_owned(), place.phrase()], ["revision".to_owned(), revision.to_string()]]
        })?;
        Ok(Verdict::Yes)
    }
}
