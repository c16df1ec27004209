//! How a member stands with its cluster, as metrics. A node that stands alone has none of them.

use crate::cluster::{Session, Standing};
use crate::metrics::text::{Kind, Text, Value};

pub(super) fn write(text: &mut Text, standing: &Standing) {
    let mut family = text.family("drl_shards", Kind::Gauge, "Shards of this node, and those of them it decides for.");
    family.labelled("role", "owner", standing.shards_owned.into());
    family.labelled("role", "answering", standing.shards_answering.into());
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
