//! `drl limits set`: writes a policy. Consumption is kept; the new limits are in force at once.

use clap::Args;

use super::stored;
use crate::cli::CommonArgs;
use crate::exit::{self, Verdict};
use crate::output;
use crate::policy_args::{ClassArgs, LimitArgs};
use crate::selector::SelectorArgs;
use crate::store_args::StoreArgs;

const EXAMPLES: &str = "\
Several limits are one check: all of them must pass, and a denial charges none.
What a client has used stays used. With --etcd the policy is written to etcd, and
every node has it in force within a moment; else the node does it.
Exit codes: 0 done, 1 failed, 2 wrong usage.

Examples:
  drl limits set alice --limit 100 --window 5m
  drl limits set alice --limit 10 --window 1s --limit 1000 --window 1h
  drl limits set --default --limit 9 --window 1m --algorithm token-bucket --burst 20
  drl limits set --prefix free- --limit 60 --window 1m --shadow
  drl limits set alice --limit 100 --window 5m --etcd http://127.0.0.1:2379";

/// Write the policy of a client, a prefix or the default.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Set {
    #[command(flatten)]
    selector: SelectorArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    classes: ClassArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Set {
    /// # Errors
    /// Limits that are not possible; when nobody answers, or the policy is refused.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let policy = stored::document(&self.classes.policy(&self.limits)?)?;
        let place = self.selector.place();
        let (revision, is_untouched) = self.store.run(async |store| {
            let revision = store.set(&place, policy.to_string()).await?;
            Ok((revision, store.is_untouched().await))
        })?;
        let mut json = place.json();
        json.insert("revision".to_owned(), revision.into());
        json.insert("policy".to_owned(), policy);
        output::record(self.common.output, &json, || {
            vec![["set".to_owned(), place.phrase()], ["revision".to_owned(), revision.to_string()]]
        })?;
        if is_untouched {
            let cluster = self.store.cluster();
            exit::say(&format!(
                "note: no node has started in cluster {cluster} yet; if that is a surprise, see --cluster"
            ));
        }
        Ok(Verdict::Yes)
    }
}
