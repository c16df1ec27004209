//! `drl cluster drain` and `undrain`: a node gives away what it has and goes on answering for others, or takes its share again.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use drl_core::{Nanos, NodeId};
use drl_host::clock::monotonic;
use drl_limits::Window;
use drl_proto::v1::{DrainRequest, NodesRequest, PlacementNode, Seat, ShardsRequest, UndrainRequest};
use serde_json::json;
use tokio::time::interval;
use tonic::Code;

use super::progress::Progress;
use crate::cli::CommonArgs;
use crate::connection::{Connection, ConnectionArgs};
use crate::exit::{Verdict, say};
use crate::output::{self, Output};

const DRAIN_EXAMPLES: &str = "\
Every shard goes to another node together with its counters: nothing is denied, admitted
twice or forgotten meanwhile. The process goes on running and passes checks on; stop it
when this is done, and SIGTERM then takes no time (SIGTERM alone drains too). A node that
drains takes nothing until `drl cluster undrain`, or until its process ends: one that
starts again serves. Without another node that serves nothing can go anywhere.
Exit codes: 0 no shard names the node any more (with --no-wait: it has begun), 1 failed,
or shards are left after --drain-timeout: it says which and why, and the drain goes on;
2 wrong usage.

Examples:
  drl cluster drain n1
  drl cluster drain n1 --drain-timeout 5m --endpoint 10.0.0.7:7700
  drl cluster drain n1 --no-wait && drl cluster status --watch";

const UNDRAIN_EXAMPLES: &str = "\
The node gets its share of the shards again, in its own time: see `drl cluster status
--watch`. A node that does not drain stays as it is.
Exit codes: 0 done, 1 failed, no such node, or its process is ending, 2 wrong usage.

Examples:
  drl cluster undrain n1
  drl cluster undrain n1 --endpoint 10.0.0.7:7700";

/// How often it is looked how far the node is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Shards that are named in a sentence; JSON has all of them.
const SHARDS_NAMED: usize = 8;

/// Make a node give away its shards and copies, and wait until it has.
#[derive(Debug, Args)]
#[command(after_help = DRAIN_EXAMPLES)]
pub(crate) struct Drain {
    /// The node that is to have nothing any more
    #[arg(value_name = "NODE", value_parser = |id: &str| NodeId::new(id))]
    node: NodeId,
    /// Longest wait until no shard names the node
    #[arg(long = "drain-timeout", env = "DRL_DRAIN_TIMEOUT", value_name = "SPAN", default_value = "30s")]
    within: Window,
    /// Return as soon as it has begun
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Give a drained node its share again.
#[derive(Debug, Args)]
#[command(after_help = UNDRAIN_EXAMPLES)]
pub(crate) struct Undrain {
    /// The node that is to serve again
    #[arg(value_name = "NODE", value_parser = |id: &str| NodeId::new(id))]
    node: NodeId,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// What still names a node.
#[derive(Debug, Default)]
struct Left {
    /// The node says that it drains, or has no session any more.
    is_known: bool,
    /// With the reasons.
    shards: Vec<(u32, String)>,
}

impl Drain {
    /// # Errors
    /// When it could not begin, or nobody answers.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let left = self.connection.run(async |node| {
            let request = DrainRequest { node: self.node.to_string(), here_only: false };
            node.answer(node.admin().drain(request).await)?;
            if self.no_wait { look(&node, &self.node).await } else { self.wait(&node).await }
        })?;
        let is_done = left.is_known && left.shards.is_empty();
        let shards: Vec<_> = left.shards.iter().map(|(shard, why)| json!({"shard": shard, "why": why})).collect();
        match self.common.output {
            Output::Json => output::write_json(&json!({"node": self.node.as_str(), "draining": true, "left": shards}))?,
            Output::Table if is_done => output::write(&format!("{} has no shards any more\n", self.node))?,
            Output::Table => output::write(&format!("{} drains; {} shards left\n", self.node, shards.len()))?,
        };
        if is_done || self.no_wait {
            return Ok(Verdict::Yes);
        }
        say(&format!("error: {} shards still name {} after {}:", shards.len(), self.node, self.within));
        for (why, shards) in by_reason(&left.shards) {
            say(&format!("  {}: {why}", numbers(&shards)));
        }
        let undo = format!("drl cluster undrain {}", self.node);
        say(&format!("The drain goes on; ask again, see `drl cluster status --watch`, or take it back with `{undo}`."));
        Ok(Verdict::No)
    }

    /// Looks until nothing is left, or the time is over. One look without an answer is no reason to give up.
    async fn wait(&self, node: &Connection<'_>) -> anyhow::Result<Left> {
        let end = Nanos(monotonic().0.saturating_add(self.within.nanos().0));
        let mut looks = interval(LOOK_EVERY);
        let mut progress = Progress::new(format!("draining {}", self.node));
        let (mut most, mut is_seen) = (0, false);
        loop {
            looks.tick().await;
            match look(node, &self.node).await {
                Ok(left) => {
                    let count = left.shards.len();
                    (most, is_seen) = (count.max(most), true);
                    progress.show(most - count, most, &format!("{count} shards left"));
                    if (left.is_known && count == 0) || monotonic() >= end {
                        return Ok(left);
                    }
                }
                Err(error) if !is_seen || monotonic() >= end => return Err(error),
                Err(_) => {}
            }
        }
    }
}

impl Undrain {
    /// # Errors
    /// When it could not be told.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        self.connection.run(async |node| {
            let request = UndrainRequest { node: self.node.to_string(), here_only: false };
            node.answer(node.admin().undrain(request).await)
        })?;
        match self.common.output {
            Output::Json => output::write_json(&json!({"node": self.node.as_str(), "draining": false}))?,
            Output::Table => output::write(&format!("{} serves\n", self.node))?,
        };
        Ok(Verdict::Yes)
    }
}

/// How far the node is, as the asked node knows it.
async fn look(asked: &Connection<'_>, node: &NodeId) -> anyhow::Result<Left> {
    let nodes = asked.answer(asked.admin().nodes(NodesRequest::default()).await)?.nodes;
    let nodes: Vec<PlacementNode> = nodes.into_iter().filter_map(|status| status.node).collect();
    let is_known = nodes.iter().find(|other| other.id == node.as_str()).is_none_or(|known| known.draining);
    let shards = match asked.admin().shards(ShardsRequest { node: node.to_string(), with_lag: false }).await {
        // It has ended by itself, and nothing names it.
        Err(status) if status.code() == Code::NotFound => Vec::new(),
        answer => asked.answer(answer)?.shards,
    };
    let others = nodes.iter().filter(|other| other.id != node.as_str() && !other.draining).count();
    let seats = shards.into_iter().filter_map(|status| status.seat);
    Ok(Left { is_known, shards: seats.map(|seat| (seat.shard, reason(&seat, node.as_str(), others))).collect() })
}

/// Why a shard still names the node.
fn reason(seat: &Seat, node: &str, others: usize) -> String {
    let Seat { node: owner, follower, in_sync, .. } = seat;
    if others == 0 {
        "there is no other node that serves".to_owned()
    } else if owner != node {
        format!("its owner {owner} has no other copy in sync yet")
    } else if follower.is_empty() {
        format!("only {node} has its counters, and no other node is making a copy yet")
    } else if !in_sync {
        format!("the copy on {follower} is not complete yet")
    } else {
        format!("{follower} has a copy and is not the owner yet")
    }
}

fn by_reason(left: &[(u32, String)]) -> BTreeMap<&str, Vec<u32>> {
    let mut reasons: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (shard, why) in left {
        reasons.entry(why).or_default().push(*shard);
    }
    reasons
}

/// `shards 1, 2, 3 and 40 more`
fn numbers(shards: &[u32]) -> String {
    let named: Vec<String> = shards.iter().take(SHARDS_NAMED).map(ToString::to_string).collect();
    match shards.len() - named.len() {
        0 => format!("shards {}", named.join(", ")),
        more => format!("shards {} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shard_that_is_left_has_its_reason_and_many_are_named_by_a_few() {
        let seat = |owner: &str, follower: &str, in_sync| Seat {
            node: owner.to_owned(),
            follower: follower.to_owned(),
            in_sync,
            ..Seat::default()
        };
        for (seat, others, part) in [
            (seat("n1", "", false), 0, "no other node that serves"),
            (seat("n1", "", false), 1, "only n1 has its counters"),
            (seat("n1", "n2", false), 1, "the copy on n2 is not complete"),
            (seat("n1", "n2", true), 1, "n2 has a copy and is not the owner"),
            (seat("n2", "n1", true), 2, "its owner n2 has no other copy"),
        ] {
            let found = reason(&seat, "n1", others);
            assert!(found.contains(part), "{found}");
        }
        let left: Vec<(u32, String)> =
            (0..20).map(|shard| (shard, ["a", "b"][usize::from(shard > 17)].to_owned())).collect();
        let told: Vec<String> = by_reason(&left).values().map(|shards| numbers(shards)).collect();
        assert_eq!(told, ["shards 0, 1, 2, 3, 4, 5, 6, 7 and 10 more", "shards 18, 19"]);
    }
}
