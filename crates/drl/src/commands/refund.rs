//! `drl refund`: gives back cost that was charged and not used.

use clap::Args;
use drl_proto::v1::RefundRequest;
use serde_json::Map;

use crate::cli::CommonArgs;
use crate::connection::ConnectionArgs;
use crate::exit::Verdict;
use crate::output;
use crate::selector::{self, NamespaceArgs};
use crate::values::{self, ClientBytes};

const EXAMPLES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage.

Examples:
  drl refund alice --cost 10";

/// Give back cost that was charged and not used.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Refund {
    /// The client: 1 to 256 bytes
    #[arg(value_name = "CLIENT", value_parser = values::client())]
    client: ClientBytes,
    /// Units to give back, 1 to 2^53
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = values::refunded_cost)]
    cost: u64,
    #[command(flatten)]
    namespace: NamespaceArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Refund {
    /// # Errors
    /// When no node answers, or the node refuses.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let Self { client: ClientBytes(client_id), cost, namespace, connection, common } = self;
        let (phrase, client) = selector::client(&client_id);
        let request =
            RefundRequest { namespace: namespace.namespace, client_id: client_id.into(), cost, decided_at_nanos: None };
        connection.run(async |node| node.answer(node.checks().refund(request).await))?;
        let refunded = Map::from_iter([client, ("refunded".to_owned(), cost.into())]);
        output::record(common.output, &refunded, || vec![["refunded".to_owned(), format!("{cost} to {phrase}")]])?;
        Ok(Verdict::Yes)
    }
}
