//! `drl cluster shards`: who owns which shard.

use std::collections::BTreeMap;

use clap::Args;
use drl_core::NodeId;
use drl_proto::v1::{NodesRequest, Seat, ShardsRequest};
use serde_json::{Value, json};

use crate::cli::CommonArgs;
use crate::connection::ConnectionArgs;
use crate::exit::Verdict;
use crate::output::{self, Output};

const EXAMPLES: &str = "\
EPOCH rises with every change of owner. STATE: owned; gone: the owner has no session,
and nobody answers for the shard; free: nobody has owned it yet. cold: the counters
were lost and count as used up (see on_state_loss).
Exit codes: 0 done, 1 failed or no such node, 2 wrong usage.

Examples:
  drl cluster shards
  drl cluster shards --node n1
  drl cluster shards --output json | jq 'map(select(.state != \"owned\"))'";

/// List the shards and their owners.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Shards {
    /// Only the shards of this node
    #[arg(long, value_name = "ID", value_parser = |id: &str| NodeId::new(id))]
    node: Option<NodeId>,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Generations of the nodes that have a session, by id.
type Living = BTreeMap<String, u64>;

impl Shards {
    /// # Errors
    /// When no node answers, or the named one is not there.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let only = self.node.as_ref().map(ToString::to_string).unwrap_or_default();
        let (shards, nodes) = self.connection.run(async |node| {
            let shards = node.answer(node.admin().shards(ShardsRequest { node: only }).await)?.shards;
            Ok((shards, node.answer(node.admin().nodes(NodesRequest {}).await)?.nodes))
        })?;
        let living: Living =
            nodes.into_iter().filter_map(|status| status.node).map(|node| (node.id, node.generation)).collect();
        match self.common.output {
            Output::Json => output::write_json(&shards.iter().map(|seat| json(seat, &living)).collect::<Vec<_>>())?,
            Output::Table => {
                let headings = ["SHARD", "OWNER", "EPOCH", "STATE"].map(str::to_owned);
                let rows = shards.iter().map(|seat| row(seat, &living));
                output::write(&output::columns(&std::iter::once(headings).chain(rows).collect::<Vec<_>>()))?
            }
        };
        Ok(Verdict::Yes)
    }
}

fn json(seat: &Seat, living: &Living) -> Value {
    json!({
        "shard": seat.shard,
        "owner": (seat.epoch != 0).then_some(&seat.node),
        "epoch": seat.epoch,
        "generation": (seat.epoch != 0).then(|| format!("{:016x}", seat.generation)),
        "state": state(seat, living),
        "cold": seat.cold,
    })
}

fn row(seat: &Seat, living: &Living) -> [String; 4] {
    let owner = if seat.epoch == 0 { "-".to_owned() } else { seat.node.clone() };
    let cold = if seat.cold { ", cold" } else { "" };
    [seat.shard.to_string(), owner, seat.epoch.to_string(), format!("{}{cold}", state(seat, living))]
}

/// An owner of an earlier lifetime is gone as well.
fn state(seat: &Seat, living: &Living) -> &'static str {
    if seat.epoch == 0 {
        "free"
    } else if living.get(&seat.node) == Some(&seat.generation) {
        "owned"
    } else {
        "gone"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_owned_free_or_its_owner_is_gone() {
        let living = Living::from([("n1".to_owned(), 7)]);
        let seat = |epoch, node: &str, generation| Seat { epoch, node: node.to_owned(), generation, ..Seat::default() };
        assert_eq!(state(&seat(1, "n1", 7), &living), "owned");
        assert_eq!(state(&seat(1, "n1", 6), &living), "gone");
        assert_eq!(state(&seat(1, "n2", 7), &living), "gone");
        assert_eq!(state(&seat(0, "", 0), &living), "free");
    }
}
