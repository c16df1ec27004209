//! `drl cluster status`: is all well, and if not, what needs somebody?

use clap::Args;
use drl_core::Nanos;
use drl_proto::v1::{NodeStatus, NodesRequest, PoliciesStatus, StatusRequest, StatusResponse};
use serde_json::{Value, json};

use super::{nodes, watch};
use crate::cli::CommonArgs;
use crate::commands::decision::span;
use crate::connection::{Connection, ConnectionArgs};
use crate::exit::Verdict;
use crate::output::{self, Output};

const EXAMPLES: &str = "\
All is well when every shard has an owner with a session, the asked node has a session
and decides every shard that it owns, and every policy can be used. What is not well is
listed under `attention`. The authority is for how long the asked node still answers if
etcd stays away.
--watch shows nodes with the shards that they own, follow and are to follow, what they
wait for, and bars for copies in the making and for nodes that drain.
Exit codes: 0 all is well, 1 something needs attention, 2 no answer or wrong usage;
--watch exits 0 at Ctrl-C.

Examples:
  drl cluster status
  drl cluster status --endpoint 10.0.0.7:7700 --output json | jq .attention
  until drl cluster status; do sleep 1; done
  drl cluster status --watch";

/// Characters of a key in the table.
const KEY_CHARACTERS_SHOWN: usize = 80;

/// See whether all is well.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Status {
    /// Show it again every second, and on anything but a terminal a line for each change, until Ctrl-C
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Status {
    /// # Errors
    /// When no node answers.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        if self.watch {
            self.connection.run(async |node| watch::run(&node, self.common.output).await)?;
            return Ok(Verdict::Yes);
        }
        let seen = self.connection.run(async |node| look(&node, false).await)?;
        let attention = attention(&seen.status);
        match self.common.output {
            Output::Json => output::write_json(&json(&seen, &attention))?,
            Output::Table => output::write(&table(&seen, &attention))?,
        };
        Ok(if attention.is_empty() { Verdict::Yes } else { Verdict::No })
    }
}

/// What the asked node said.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) status: StatusResponse,
    pub(super) nodes: Vec<NodeStatus>,
}

/// # Errors
/// When the node does not answer.
pub(super) async fn look(node: &Connection<'_>, with_load: bool) -> anyhow::Result<Seen> {
    let status = node.answer(node.admin().status(StatusRequest {}).await)?;
    Ok(Seen { status, nodes: node.answer(node.admin().nodes(NodesRequest { with_load }).await)?.nodes })
}

/// What needs somebody, a sentence each.
pub(super) fn attention(status: &StatusResponse) -> Vec<String> {
    let StatusResponse { shard_count, shards_with_owner, shards_owned, shards_answering, .. } = status;
    let (node, policies) = (id(status), policies(status));
    let mut attention = Vec::new();
    if shards_with_owner < shard_count {
        let without = shard_count - shards_with_owner;
        attention
            .push(format!("{without} of {shard_count} shards have no owner with a session; see `drl cluster shards`"));
    }
    if !status.session_held {
        attention.push(format!("{node} has no session with etcd"));
    }
    if shards_answering < shards_owned {
        attention.push(format!("{node} decides {shards_answering} of the {shards_owned} shards that it owns"));
    }
    if !policies.complete {
        attention.push("not every policy is known yet: clients without one are denied".to_owned());
    }
    if policies.broken_count > 0 {
        attention.push(format!(
            "values of keys that cannot be used: {}; the last good ones are in force, where there were any",
            policies.broken_count
        ));
    }
    attention.extend(status.troubles.iter().cloned());
    attention
}

pub(super) fn json(Seen { status, nodes }: &Seen, attention: &[String]) -> Value {
    let policies = policies(status);
    let broken = policies
        .broken
        .iter()
        .map(|broken| json!({"key": broken.key, "reason": broken.reason, "since_revision": broken.since_revision}));
    json!({
        "cluster": (!status.cluster.is_empty()).then_some(&status.cluster),
        "healthy": attention.is_empty(),
        "attention": attention,
        "shards": {
            "count": status.shard_count,
            "with_owner": status.shards_with_owner,
            "in_sync": status.shards_in_sync,
            "seeding": status.shards_seeding,
        },
        "nodes": nodes.iter().map(nodes::json).collect::<Vec<_>>(),
        "asked": {
            "node": id(status),
            "session_held": status.session_held,
            "authority_left_ms": status.authority_left_nanos.map(|left| Nanos(left).millis_ceil()),
            "shards_owned": status.shards_owned,
            "shards_answering": status.shards_answering,
        },
        "policies": {
            "count": policies.count,
            "revision": policies.revision,
            "complete": policies.complete,
            "broken_count": policies.broken_count,
            "broken": broken.collect::<Vec<_>>(),
        },
        "troubles": status.troubles,
        "placement_revision": status.placement_revision,
    })
}

fn table(Seen { status, nodes }: &Seen, attention: &[String]) -> String {
    let policies = policies(status);
    let owners = match status.shards_with_owner {
        with_owner if with_owner == status.shard_count => "every one has an owner".to_owned(),
        with_owner => format!("{with_owner} have an owner with a session"),
    };
    let copies = match (status.shards_in_sync, status.shards_seeding) {
        (0, 0) => "none".to_owned(),
        (in_sync, 0) => format!("{in_sync} in sync"),
        (in_sync, seeding) => format!("{in_sync} in sync, {seeding} being made"),
    };
    let cluster = if status.cluster.is_empty() { "none: this node runs alone" } else { &status.cluster };
    let rows = [
        ["cluster", cluster],
        ["shards", &format!("{}; {owners}", status.shard_count)],
        ["copies", &copies],
        ["policies", &format!("{}, revision {}", policies.count, policies.revision)],
        ["asked", &asked(status)],
    ];
    let mut text = output::columns(&rows.map(|row| row.map(str::to_owned)));
    text.push('\n');
    let headings = ["NODE", "ADDRESS", "SHARDS", "COPIES", "STATE"].map(str::to_owned);
    text += &output::columns(&std::iter::once(headings).chain(nodes.iter().map(nodes::short_row)).collect::<Vec<_>>());
    if !attention.is_empty() {
        text += "\nattention\n";
        text.extend(attention.iter().map(|sentence| format!("  {sentence}\n")));
    }
    if !policies.broken.is_empty() {
        let headings = ["KEY", "SINCE REVISION", "REASON"].map(str::to_owned);
        let rows = policies
            .broken
            .iter()
            .map(|broken| [shortened(&broken.key), broken.since_revision.to_string(), broken.reason.clone()]);
        text.push('\n');
        text += &output::columns(&std::iter::once(headings).chain(rows).collect::<Vec<_>>());
    }
    text
}

/// A key as a table has room for it; JSON shows the whole.
fn shortened(key: &str) -> String {
    match key.char_indices().nth(KEY_CHARACTERS_SHOWN) {
        Some((end, _)) => format!("{}...", &key[..end]),
        None => key.to_owned(),
    }
}

/// `n1: session held, 54s of authority left, decides 342 of its 342 shards`
fn asked(status: &StatusResponse) -> String {
    let session = if status.session_held { "session held" } else { "no session" };
    // Whoever needs no authority has no session either, and holds it for good.
    let standing = match status.authority_left_nanos {
        Some(left) => format!("{session}, {} of authority left", whole_seconds(left)),
        None => "no session needed".to_owned(),
    };
    format!("{}: {standing}, decides {} of its {} shards", id(status), status.shards_answering, status.shards_owned)
}

/// Rounded down: what is said to be left is left.
fn whole_seconds(nanos: u64) -> String {
    span(nanos / 1_000_000_000 * 1_000)
}

fn id(status: &StatusResponse) -> &str {
    let node = status.node.as_ref().and_then(|status| status.node.as_ref());
    node.map_or("the asked node", |node| node.id.as_str())
}

fn policies(status: &StatusResponse) -> PoliciesStatus {
    status.policies.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> StatusResponse {
        StatusResponse {
            shard_count: 4,
            shards_with_owner: 4,
            shards_owned: 2,
            shards_answering: 2,
            session_held: true,
            authority_left_nanos: Some(59_999_999_999),
            policies: Some(PoliciesStatus { complete: true, ..PoliciesStatus::default() }),
            ..StatusResponse::default()
        }
    }

    #[test]
    fn each_thing_that_is_not_well_needs_attention() {
        assert_eq!(attention(&well()), Vec::<String>::new());
        let broken = PoliciesStatus { complete: true, broken_count: 1, ..PoliciesStatus::default() };
        for (status, part) in [
            (StatusResponse { shards_with_owner: 3, ..well() }, "1 of 4 shards have no owner"),
            (StatusResponse { session_held: false, ..well() }, "no session with etcd"),
            (StatusResponse { shards_answering: 1, ..well() }, "decides 1 of the 2 shards"),
            (StatusResponse { policies: Some(PoliciesStatus::default()), ..well() }, "not every policy is known"),
            (StatusResponse { policies: Some(broken), ..well() }, "values of keys that cannot be used: 1"),
            (StatusResponse { troubles: vec!["etcd is away".to_owned()], ..well() }, "etcd is away"),
        ] {
            let found = attention(&status);
            assert!(found.len() == 1 && found[0].contains(part), "{part:?}: {found:?}");
        }
    }

    #[test]
    fn authority_that_is_left_is_rounded_down() {
        assert!(asked(&well()).contains("session held, 59s of authority left, decides 2 of its 2 shards"));
    }
}
