//! `drl explain`: why a client is limited as it is: its policy, the owner of its counter, and what every limit has left.

mod shown;

use clap::Args;
use drl_proto::v1::ExplainRequest;

use self::shown::Shown;
use crate::cli::CommonArgs;
use crate::connection::ConnectionArgs;
use crate::exit::{self, Verdict};
use crate::output::{self, Output};
use crate::selector::NamespaceArgs;
use crate::values::{self, ClientBytes};

const EXAMPLES: &str = "\
A client's own policy wins over the longest prefix, a prefix over the namespace's
default. Any node can be asked; it asks the owner of the client's shard what is used.
Nothing is charged.
Exit codes: 0 explained, 1 failed or the owner could not be asked what is used, 2 wrong
usage.

Examples:
  drl explain alice
  drl explain 'tenant 7' --namespace billing
  drl explain alice --output json | jq .usage";

/// Explain why a client is limited as it is.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
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

impl Explain {
    /// # Errors
    /// When no node answers, or the node refuses.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let Self { client: ClientBytes(id), namespace, connection, common } = self;
        let namespace = namespace.namespace;
        let request = ExplainRequest { namespace: namespace.clone(), client_id: id.clone().into(), here_only: false };
        let answer = connection.run(async |node| node.answer(node.admin().explain(request).await))?;
        let shown = Shown::new(namespace, &id, answer)?;
        match common.output {
            Output::Json => output::write_json(&shown.json())?,
            Output::Table => output::write(&shown.table())?,
        };
        match shown.trouble() {
            None => Ok(Verdict::Yes),
            Some(trouble) => {
                exit::say(&format!("note: it is not known what is used: {trouble}"));
                Ok(Verdict::No)
            }
        }
    }
}
