//! `drl cluster status --watch`: the state again and again, until Ctrl-C. On a terminal it is one screen that is redrawn; anywhere else a
//! line for each change.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use drl_core::Nanos;
use drl_proto::v1::{NodeStatus, ReplicationLag, StatusResponse};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::progress::bar;
use super::status::{Seen, attention, json};
use crate::commands::decision::span;
use crate::connection::Connection;
use crate::exit::say;
use crate::output::{self, Output, Reader};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Writes what is seen until Ctrl-C, or until nobody reads it any more.
///
/// # Errors
/// When the first look gets no answer, or stdout cannot be written.
pub(super) async fn run(node: &Connection<'_>, output: Output) -> anyhow::Result<()> {
    let is_screen = output == Output::Table && std::io::stdout().is_terminal();
    let (mut memory, mut said) = (Memory::default(), String::new());
    let mut seen = super::status::look(node, true).await?;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks.tick().await;
    loop {
        memory.note(&seen);
        let (sign, text) = match output {
            Output::Table if is_screen => (String::new(), screen(&seen, &memory)),
            Output::Table => (steady(&seen), line(&seen)),
            Output::Json => (steady(&seen), format!("{}\n", json(&seen, &attention(&seen.status)))),
        };
        let is_news = is_screen || said != sign;
        said = sign;
        if is_news && output::write(&text)? == Reader::Gone {
            return Ok(());
        }
        seen = tokio::select! {
            stopped = tokio::signal::ctrl_c() => return Ok(stopped?),
            seen = next(node, &mut looks, &mut said) => seen,
        };
    }
}

/// The next answer. Why there is none is said once.
async fn next(node: &Connection<'_>, looks: &mut Interval, said: &mut String) -> Seen {
    loop {
        looks.tick().await;
        match super::status::look(node, true).await {
            Ok(seen) => return seen,
            Err(error) if *said == error.to_string() => {}
            Err(error) => {
                *said = error.to_string();
                say(said);
            }
        }
    }
}

/// The most that each draining node had since it began to drain: what its bar is measured by.
#[derive(Debug, Default)]
struct Memory(BTreeMap<String, usize>);

impl Memory {
    fn note(&mut self, seen: &Seen) {
        let draining = seen.nodes.iter().filter(|status| is_draining(status));
        let before = std::mem::take(&mut self.0);
        self.0 = draining
            .map(|status| {
                let most = before.get(id(status)).copied().unwrap_or_default();
                (id(status).to_owned(), most.max(named(status)))
            })
            .collect();
    }
}

fn id(status: &NodeStatus) -> &str {
    status.node.as_ref().map_or("", |node| &node.id)
}

fn is_draining(status: &NodeStatus) -> bool {
    status.node.as_ref().is_some_and(|node| node.draining)
}

/// Shards that name a node.
fn named(status: &NodeStatus) -> usize {
    (status.shards_owned + status.shards_followed + status.shards_learning) as usize
}

/// How many shards are in which state: in sync, with a copy in the making, with one copy only, without an owner.
fn counts(status: &StatusResponse) -> [u32; 4] {
    let StatusResponse { shard_count, shards_with_owner, shards_in_sync, shards_seeding, .. } = status;
    let alone = shards_with_owner.saturating_sub(*shards_in_sync).saturating_sub(*shards_seeding);
    [*shards_in_sync, *shards_seeding, alone, shard_count.saturating_sub(*shards_with_owner)]
}

fn shards(status: &StatusResponse) -> String {
    let [in_sync, seeding, alone, without] = counts(status);
    let count = status.shard_count;
    format!(
        "{count} shards: {in_sync} in sync, {seeding} being copied, {alone} without a copy, {without} without an owner"
    )
}

/// `n2 3 frames, 2ms`
fn behind(lags: &[ReplicationLag]) -> String {
    let late = lags.iter().filter(|lag| lag.frames > 0);
    let each = late.map(|lag| format!("{} {} frames, {}", lag.node, lag.frames, span(Nanos(lag.nanos).millis_ceil())));
    each.collect::<Vec<_>>().join("; ")
}

/// What makes a new line when it changes: everything but what changes all the time.
fn steady(seen: &Seen) -> String {
    format!("{}\n{}\n{:?}", shards(&seen.status), nodes(seen, false), attention(&seen.status))
}

fn nodes(seen: &Seen, with_lag: bool) -> String {
    let each = seen.nodes.iter().map(|status| {
        let NodeStatus { shards_owned, shards_followed, shards_learning, load, .. } = status;
        let state = if is_draining(status) { " draining" } else { "" };
        let behind = load.as_ref().map(|load| behind(&load.lags)).filter(|text| with_lag && !text.is_empty());
        let behind = behind.map(|text| format!(", waits for {text}")).unwrap_or_default();
        format!("{}{state} {shards_owned}+{shards_followed}+{shards_learning}{behind}", id(status))
    });
    each.collect::<Vec<_>>().join("; ")
}

/// Owner + follower + learner of each node.
fn line(seen: &Seen) -> String {
    let mut parts = vec![shards(&seen.status), nodes(seen, true)];
    parts.extend(attention(&seen.status).iter().map(|sentence| format!("! {sentence}")));
    parts.join("; ") + "\n"
}

fn screen(seen: &Seen, memory: &Memory) -> String {
    let Seen { status, nodes } = seen;
    let cluster = if status.cluster.is_empty() { "none: this node runs alone" } else { &status.cluster };
    let mut text = format!("cluster {cluster}   {}\n\n", shards(status));
    let headings = ["NODE", "ADDRESS", "OWNER", "FOLLOWER", "LEARNER", "STATE", "WAITS FOR"].map(str::to_owned);
    let rows = nodes.iter().map(|status| {
        let address = status.node.as_ref().and_then(|node| node.addresses.as_ref());
        let behind = status.load.as_ref().map_or_else(|| "no answer".to_owned(), |load| behind(&load.lags));
        [
            id(status).to_owned(),
            address.map(|addresses| addresses.grpc.clone()).unwrap_or_default(),
            status.shards_owned.to_string(),
            status.shards_followed.to_string(),
            status.shards_learning.to_string(),
            if is_draining(status) { "draining" } else { "serving" }.to_owned(),
            if behind.is_empty() { "-".to_owned() } else { behind },
        ]
    });
    text += &output::columns(&std::iter::once(headings).chain(rows).collect::<Vec<_>>());
    text += "\n";
    let [in_sync, seeding, ..] = counts(status);
    if seeding > 0 {
        text.extend(["copies in sync  ", &bar(in_sync as usize, status.shard_count as usize), "\n"]);
    }
    for status in nodes.iter().filter(|status| is_draining(status)) {
        let (left, most) = (named(status), memory.0.get(id(status)).copied().unwrap_or_default());
        text.extend([id(status), " gives away  ", &bar(most.saturating_sub(left), most), "\n"]);
    }
    text.extend(attention(status).iter().map(|sentence| format!("! {sentence}\n")));
    text += "\nCtrl-C ends it.\n";
    // Each line clears its rest and the end clears what is below: nothing flickers.
    format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n"))
}

#[cfg(test)]
mod tests {
    use drl_proto::v1::{NodeLoad, PlacementNode};

    use super::*;

    fn seen() -> Seen {
        let node = |id: &str, draining, owned| NodeStatus {
            node: Some(PlacementNode { id: id.to_owned(), draining, ..PlacementNode::default() }),
            shards_owned: owned,
            shards_followed: 1,
            load: Some(NodeLoad {
                lags: vec![ReplicationLag { node: "n9".to_owned(), frames: 3, nanos: 1_500_000 }],
                unacked_cost: 0,
            }),
            ..NodeStatus::default()
        };
        let status = StatusResponse {
            cluster: "c".to_owned(),
            shard_count: 8,
            shards_with_owner: 7,
            shards_in_sync: 4,
            shards_seeding: 2,
            ..StatusResponse::default()
        };
        Seen { status, nodes: vec![node("n1", true, 2), node("n2", false, 5)] }
    }

    #[test]
    fn a_line_says_how_all_shards_and_nodes_stand() {
        let line = line(&seen());
        assert!(
            line.starts_with("8 shards: 4 in sync, 2 being copied, 1 without a copy, 1 without an owner; "),
            "{line}"
        );
        assert!(line.contains("n1 draining 2+1+0, waits for n9 3 frames, 2ms; n2 5+1+0"), "{line}");
        assert!(line.contains("! 1 of 8 shards have no owner") && line.ends_with('\n'), "{line}");
    }

    #[test]
    fn what_changes_all_the_time_makes_no_new_line() {
        let mut later = seen();
        later.nodes[0].load = None;
        later.status.authority_left_nanos = Some(5);
        assert_eq!(steady(&later), steady(&seen()));
        later.nodes[0].shards_owned = 1;
        assert_ne!(steady(&later), steady(&seen()));
    }

    #[test]
    fn a_draining_node_is_measured_by_the_most_that_it_had() {
        let (mut memory, mut seen) = (Memory::default(), seen());
        memory.note(&seen);
        seen.nodes[0].shards_owned = 0;
        memory.note(&seen);
        let screen = screen(&seen, &memory);
        assert!(screen.contains("n1 gives away  [################........] 2/3"), "{screen}");
        assert!(screen.contains("copies in sync  [############............] 4/8"), "{screen}");
        seen.nodes[0].node.as_mut().unwrap().draining = false;
        memory.note(&seen);
        assert_eq!(memory.0.len(), 0);
    }
}
