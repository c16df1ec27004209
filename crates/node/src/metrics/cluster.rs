//! How a member stands with its cluster, as metrics. A node that stands alone has none of them.

use drl_host::Stats;

use crate::cluster::{Session, Standing};
use crate::metrics::text::{Kind, Text, Value};

pub(super) fn write(text: &mut Text, standing: &Standing) {
    let mut family = text.family(
        "drl_shards",
        Kind::Gauge,
        "Shards by the role of this node: owner, those of them it decides for, copies in sync, copies that are not in sync yet.",
    );
    for (role, count) in [
        ("owner", standing.shards_owned),
        ("answering", standing.shards_answering),
        ("follower", standing.shards_followed),
        ("learner", standing.shards_learning),
    ] {
        family.labelled("role", role, count.into());
    }
    text.family("drl_shards_in_sync", Kind::Gauge, "Shards of this node that have a copy in sync on another node.")
        .count(standing.shards_in_sync.into());
    text.family("drl_session", Kind::Gauge, "1 while the node has a session with the coordination service.")
        .count(u64::from(standing.session == Session::Held));
    text.family(
        "drl_authority_seconds",
        Kind::Gauge,
        "For how long the node answers if the coordination service stays away.",
    )
    .value(Value::Span(standing.authority_left));
    text.family(
        "drl_policy_keys_broken",
        Kind::Gauge,
        "Keys of policies whose value cannot be used; the last good value is in force.",
    )
    .count(standing.broken.len() as u64);
    text.family("drl_troubles", Kind::Gauge, "How many things are wrong with this member; status says which.")
        .count(standing.troubles.len() as u64);
}

/// How far the other nodes are behind this one. One series for each of them.
pub(super) fn copies(text: &mut Text, stats: &Stats) {
    text.family(
        "drl_unacked_cost",
        Kind::Gauge,
        "The most that a shard has answered ahead of its copy, in class async: what its loss may admit too much.",
    )
    .count(stats.unacked_cost);
    let mut family = text.family(
        "drl_replication_lag_frames",
        Kind::Gauge,
        "Frames that were sent to another node and are not acknowledged, by node.",
    );
    for (node, (frames, _)) in &stats.lags {
        family.labelled("node", node.as_str(), *frames);
    }
    let mut family =
        text.family("drl_replication_lag_seconds", Kind::Gauge, "Age of the oldest of those frames, by node.");
    for (node, (_, age)) in &stats.lags {
        family.part("", Some(("node", node.as_str())), Value::Span(*age));
    }
}
