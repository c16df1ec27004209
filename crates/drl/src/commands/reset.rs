//! `drl reset`: forgets what a client has used.

use clap::Args;
use drl_proto::v1::ResetRequest;
use serde_json::Map;

use crate::cli::CommonArgs;
use crate::connection::ConnectionArgs;
use crate::exit::Verdict;
use crate::output;
use crate::selector::{self, NamespaceArgs};
use crate::values::{self, ClientBytes};

const EXAMPLES: &str = "\
In the namespace default the counter of CL.THROTTLE with this key is forgotten as
well, as by DEL over the Redis protocol.
Exit codes: 0 done, 1 failed, 2 wrong usage.

Examples:
  drl reset alice
  drl reset 'tenant 7' --namespace billing";

/// Forget what a client has used: all its limits start afresh.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Reset {
    /// The client: 1 to 256 bytes
    #[arg(value_name = "CLIENT", value_parser = values::client())]
    client: ClientBytes,
    #[command(flatten)]
    namespace: NamespaceArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Reset {
    /// # Errors
    /// When no node answers, or the node refuses.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let Self { client: ClientBytes(client_id), namespace, connection, common } = self;
        let (phrase, client) = selector::client(&client_id);
        let request = ResetRequest { namespace: namespace.namespace, client_id: client_id.into() };
        connection.run(async |node| node.answer(node.checks().reset(request).await))?;
        let reset = Map::from_iter([client, ("reset".to_owned(), true.into())]);
        output::record(common.output, &reset, || vec![["reset".to_owned(), phrase]])?;
        Ok(Verdict::Yes)
    }
}
