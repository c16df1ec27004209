//! `drl limits set`: writes a policy. Consumption is kept; the new limits are in force at once.

use clap::Args;
use drl_proto::v1::SetLimitsRequest;

use super::stored;
use crate::cli::CommonArgs;
use crate::connection::ConnectionArgs;
use crate::exit::Verdict;
use crate::output;
use crate::policy_args::{ClassArgs, LimitArgs};
use crate::selector::{self, SelectorArgs};

const EXAMPLES: &str = "\
Several limits are one check: all of them must pass, and a denial charges none.
What a client has used stays used.
Exit codes: 0 done, 1 failed, 2 wrong usage.

Examples:
  drl limits set alice --limit 100 --window 5m
  drl limits set alice --limit 10 --window 1s --limit 1000 --window 1h
  drl limits set --default --limit 9 --window 1m --algorithm token-bucket --burst 20
  drl limits set --prefix free- --limit 60 --window 1m --shadow";

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
    connection: ConnectionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Set {
    /// # Errors
    /// Limits that are not possible; when no node answers, or the node refuses.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let policy = stored::document(&self.classes.policy(&self.limits)?)?;
        let (namespace, selector) = (self.selector.namespace(), self.selector.to_proto());
        let request = SetLimitsRequest {
            namespace: namespace.clone(),
            selector: Some(selector.clone()),
            policy_json: policy.to_string(),
        };
        let answer = self.connection.run(async |node| node.answer(node.limits().set(request).await))?;
        let mut json = selector::json(&namespace, &selector);
        json.insert("revision".to_owned(), answer.revision.into());
        json.insert("policy".to_owned(), policy);
        output::record(self.common.output, &json, || {
            vec![
                ["set".to_owned(), format!("{}, namespace {namespace}", selector::phrase(&selector))],
                ["revision".to_owned(), answer.revision.to_string()],
            ]
        })?;
        Ok(Verdict::Yes)
    }
}
