//! `drl limits delete`: removes a policy; the next wider one applies from then on.

use clap::Args;
use drl_proto::v1::DeleteLimitsRequest;

use crate::cli::CommonArgs;
use crate::connection::ConnectionArgs;
use crate::exit::Verdict;
use crate::output;
use crate::selector::{self, SelectorArgs};

const EXAMPLES: &str = "\
Exit codes: 0 done, 1 there was none or failed, 2 wrong usage.

Examples:
  drl limits delete alice
  drl limits delete --prefix free- --namespace billing";

/// Remove one policy.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Delete {
    #[command(flatten)]
    selector: SelectorArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Delete {
    /// # Errors
    /// When there is no such policy, no node answers, or the node refuses.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let (namespace, selector) = (self.selector.namespace(), self.selector.to_proto());
        let request = DeleteLimitsRequest { namespace: namespace.clone(), selector: Some(selector.clone()) };
        let answer = self.connection.run(async |node| node.answer(node.limits().delete(request).await))?;
        let mut json = selector::json(&namespace, &selector);
        json.insert("deleted".to_owned(), true.into());
        json.insert("revision".to_owned(), answer.revision.into());
        output::record(self.common.output, &json, || {
            vec![
                ["deleted".to_owned(), format!("{}, namespace {namespace}", selector::phrase(&selector))],
                ["revision".to_owned(), answer.revision.to_string()],
            ]
        })?;
        Ok(Verdict::Yes)
    }
}
