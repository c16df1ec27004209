//! `drl cluster nodes`: every node that has a session. Here is also how a node looks in print, for `drl cluster status` too.

use clap::Args;
use drl_proto::v1::{NodeAddresses, NodeStatus, NodesRequest, PlacementNode};
use serde_json::{Value, json};

use crate::cli::CommonArgs;
use crate::connection::ConnectionArgs;
use crate::exit::Verdict;
use crate::output::{self, Output};

const EXAMPLES: &str = "\
A node is listed while it has a session. SHARDS are those that it owns, COPIES those of
other nodes' shards that it has in sync. GENERATION is the number of this lifetime of
its process. A door that is shut shows as -.
Exit codes: 0 done, 1 failed, 2 wrong usage.

Examples:
  drl cluster nodes
  drl cluster nodes --output json | jq -r '.[].grpc'";

/// List the nodes of the cluster.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Nodes {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Nodes {
    /// # Errors
    /// When no node answers.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let answer =
            self.connection.run(async |node| node.answer(node.admin().nodes(NodesRequest::default()).await))?;
        match self.common.output {
            Output::Json => output::write_json(&answer.nodes.iter().map(json).collect::<Vec<_>>())?,
            Output::Table => {
                let headings = ["NODE", "GRPC", "HTTP", "RESP", "SHARDS", "COPIES", "STATE", "VERSION", "GENERATION"];
                let rows = answer.nodes.iter().map(row);
                output::write(&output::columns(
                    &std::iter::once(headings.map(str::to_owned)).chain(rows).collect::<Vec<_>>(),
                ))?
            }
        };
        Ok(Verdict::Yes)
    }
}

/// The generation is a string, as in etcd: hexadecimal, because it is too large for the numbers of some JSON readers.
pub(super) fn json(status: &NodeStatus) -> Value {
    let PlacementNode { id, generation, version, draining, .. } = node(status);
    let NodeAddresses { grpc, http, resp } = addresses(status);
    json!({
        "node": id,
        "grpc": door(&grpc),
        "http": door(&http),
        "resp": door(&resp),
        "shards": status.shards_owned,
        "copies": status.shards_followed,
        "copies_in_the_making": status.shards_learning,
        "draining": draining,
        "version": version,
        "generation": format!("{generation:016x}"),
    })
}

fn row(status: &NodeStatus) -> [String; 9] {
    let PlacementNode { id, generation, version, .. } = node(status);
    let NodeAddresses { grpc, http, resp } = addresses(status);
    let [grpc, http, resp] =
        [grpc, http, resp].map(|address| if address.is_empty() { "-".to_owned() } else { address });
    let [shards, copies] = [status.shards_owned, status.shards_followed].map(|count| count.to_string());
    [id, grpc, http, resp, shards, copies, state(status).to_owned(), version, format!("{generation:016x}")]
}

/// Id, gRPC address, shards, copies, state: what fits beside other things.
pub(super) fn short_row(status: &NodeStatus) -> [String; 5] {
    let [shards, copies] = [status.shards_owned, status.shards_followed].map(|count| count.to_string());
    [node(status).id, addresses(status).grpc, shards, copies, state(status).to_owned()]
}

fn state(status: &NodeStatus) -> &'static str {
    if node(status).draining { "draining" } else { "serving" }
}

fn node(status: &NodeStatus) -> PlacementNode {
    status.node.clone().unwrap_or_default()
}

fn addresses(status: &NodeStatus) -> NodeAddresses {
    node(status).addresses.unwrap_or_default()
}

fn door(address: &str) -> Option<&str> {
    (!address.is_empty()).then_some(address)
}
