//! `drl cluster shards`: who owns which shard, who has a copy, how far it is behind, and what happened last.

use std::collections::BTreeMap;

use clap::Args;
use drl_core::{Nanos, NodeId, ShardTime};
use drl_proto::v1::{NodesRequest, ReplicationLag, Seat, ShardMove, ShardStatus, ShardsRequest};
use drl_replay::to_rfc3339;
use serde_json::{Value, json};

use crate::cli::CommonArgs;
use crate::commands::decision::span;
use crate::connection::ConnectionArgs;
use crate::exit::Verdict;
use crate::output::{self, Output};

const EXAMPLES: &str = "\
EPOCH rises with every change of owner or follower. COPY: in sync; seeding: it is being
made; -: there is none. LAG is what the owner has sent to the follower's node and not
had acknowledged, as frames and the age of the oldest; ?: the owner did not answer.
LAST is what happened last and why, as far as the asked node saw it since it started;
JSON has the last four. STATE: owned; gone: the owner has no session,
and nobody answers for the shard; free: nobody has owned it yet. cold: the counters
were lost a moment ago (see on_state_loss; drl explain says so for a whole window).
Exit codes: 0 done, 1 failed or no such node, 2 wrong usage.

Examples:
  drl cluster shards
  drl cluster shards --node n1
  drl cluster shards --output json | jq 'map(select(.state != \"owned\"))'";

/// List the shards, their owners and copies, and what happened to them last.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Shards {
    /// Only the shards that name this node, as owner or follower
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
            let request = ShardsRequest { node: only, with_lag: true };
            let shards = node.answer(node.admin().shards(request).await)?.shards;
            Ok((shards, node.answer(node.admin().nodes(NodesRequest::default()).await)?.nodes))
        })?;
        let living: Living =
            nodes.into_iter().filter_map(|status| status.node).map(|node| (node.id, node.generation)).collect();
        match self.common.output {
            Output::Json => output::write_json(&shards.iter().map(|shard| json(shard, &living)).collect::<Vec<_>>())?,
            Output::Table => {
                let headings =
                    ["SHARD", "OWNER", "EPOCH", "STATE", "FOLLOWER", "COPY", "LAG", "LAST"].map(str::to_owned);
                let rows = shards.iter().map(|shard| row(shard, &living));
                output::write(&output::columns(&std::iter::once(headings).chain(rows).collect::<Vec<_>>()))?
            }
        };
        Ok(Verdict::Yes)
    }
}

fn json(shard: &ShardStatus, living: &Living) -> Value {
    let seat = &seat(shard);
    let moves =
        shard.moves.iter().map(|change| json!({"epoch": change.epoch, "at": time(change), "what": change.what}));
    let has_follower = !seat.follower.is_empty();
    json!({
        "shard": seat.shard,
        "owner": (seat.epoch != 0).then_some(&seat.node),
        "epoch": seat.epoch,
        "generation": (seat.epoch != 0).then(|| format!("{:016x}", seat.generation)),
        "state": state(seat, living),
        "cold": seat.cold,
        "follower": has_follower.then_some(&seat.follower),
        "follower_generation": has_follower.then(|| format!("{:016x}", seat.follower_generation)),
        "in_sync": seat.in_sync,
        "lag": shard.lag.as_ref().map(|lag| json!({"frames": lag.frames, "ms": Nanos(lag.nanos).millis_ceil()})),
        "moves": moves.collect::<Vec<_>>(),
    })
}

fn row(shard: &ShardStatus, living: &Living) -> [String; 8] {
    let seat = &seat(shard);
    let named = |node: &str| if node.is_empty() { "-".to_owned() } else { node.to_owned() };
    let cold = if seat.cold { ", cold" } else { "" };
    let copy = match (seat.follower.is_empty(), seat.in_sync) {
        (true, _) => "-",
        (false, true) => "in sync",
        (false, false) => "seeding",
    };
    let lag = match &shard.lag {
        _ if seat.follower.is_empty() => "-".to_owned(),
        None => "?".to_owned(),
        Some(ReplicationLag { frames: 0, .. }) => "0".to_owned(),
        Some(lag) => format!("{}, {}", lag.frames, span(Nanos(lag.nanos).millis_ceil())),
    };
    let last = shard.moves.first().map(|change| format!("{} {}", time(change), change.what));
    [
        seat.shard.to_string(),
        named(&seat.node),
        seat.epoch.to_string(),
        format!("{}{cold}", state(seat, living)),
        named(&seat.follower),
        copy.to_owned(),
        lag,
        last.unwrap_or_else(|| "-".to_owned()),
    ]
}

fn seat(shard: &ShardStatus) -> Seat {
    shard.seat.clone().unwrap_or_default()
}

fn time(change: &ShardMove) -> String {
    to_rfc3339(ShardTime(change.at_millis.saturating_mul(1_000_000)))
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

    #[test]
    fn a_row_says_who_has_a_copy_how_far_it_is_and_what_happened_last() {
        let seat = Seat {
            shard: 3,
            epoch: 7,
            node: "n1".to_owned(),
            generation: 7,
            follower: "n2".to_owned(),
            in_sync: true,
            ..Seat::default()
        };
        let lag = Some(ReplicationLag { node: "n2".to_owned(), frames: 2, nanos: 1 });
        let change = |epoch| ShardMove { epoch, at_millis: 1_000, what: format!("it moved to {epoch}") };
        let shard = ShardStatus { seat: Some(seat.clone()), lag, moves: vec![change(7), change(6)] };
        let living = Living::from([("n1".to_owned(), 7)]);
        let told = ["3", "n1", "7", "owned", "n2", "in sync", "2, 1ms", "1970-01-01T00:00:01Z it moved to 7"];
        assert_eq!(row(&shard, &living), told);
        let silent = ShardStatus { seat: Some(Seat { in_sync: false, ..seat }), lag: None, moves: vec![] };
        assert_eq!(row(&silent, &living)[4..], ["n2", "seeding", "?", "-"]);
        assert_eq!(json(&shard, &living)["moves"][1]["epoch"], 6);
    }
}
