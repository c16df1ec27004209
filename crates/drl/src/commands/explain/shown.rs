//! An explanation in print.

use anyhow::Context as _;
use drl_core::Nanos;
use drl_limits::Window;
use drl_proto::v1::{AppliedPolicy, ExplainResponse, LimitUsage, Seat};
use serde_json::{Map, Value, json};

use crate::commands::decision::span;
use crate::commands::limits::stored;
use crate::{output, selector};

pub(super) struct Shown {
    namespace: String,
    /// As a phrase.
    client: String,
    /// As a field of JSON.
    field: (String, Value),
    applied: Option<Applied>,
    answer: ExplainResponse,
}

/// The policy that applies, with its document read as JSON.
struct Applied {
    matched: String,
    policy: Value,
    revision: u64,
}

impl Shown {
    /// # Errors
    /// When the node sent a policy that is not JSON.
    pub(super) fn new(namespace: String, id: &[u8], mut answer: ExplainResponse) -> anyhow::Result<Self> {
        let applied = answer.policy.take().map(|AppliedPolicy { matched, policy_json, revision }| {
            let policy = serde_json::from_str(&policy_json).context("the node sent a policy that is not JSON")?;
            anyhow::Ok(Applied { matched, policy, revision })
        });
        let (client, field) = selector::client(id);
        Ok(Self { namespace, client, field, applied: applied.transpose()?, answer })
    }

    /// Why it is not known what is used.
    pub(super) fn trouble(&self) -> Option<&str> {
        Some(self.answer.trouble.as_str()).filter(|trouble| !trouble.is_empty())
    }

    fn why(&self) -> String {
        match self.applied.as_ref().map(|applied| applied.matched.as_str()) {
            Some("client") => "it has a policy of its own".to_owned(),
            Some("default") => "no policy of its own, no prefix matches: the namespace's default".to_owned(),
            Some(matched) => format!("no policy of its own: the longest {matched} that matches"),
            None => format!(
                "no policy of its own, no prefix matches, the namespace has no default: unknown clients get {}",
                self.unknown_client()
            ),
        }
    }

    fn unknown_client(&self) -> &'static str {
        if self.answer.unknown_client_allowed { "allow" } else { "deny" }
    }

    fn is_lost(&self) -> bool {
        self.answer.usage.iter().any(|usage| usage.state_lost)
    }

    fn owner(&self) -> Option<&Seat> {
        self.answer.seat.as_ref().filter(|seat| seat.epoch != 0)
    }

    /// `matched` is `client`, `default`, or `prefix` with the prefix behind it; null for an unknown client.
    pub(super) fn json(&self) -> Value {
        let (seat, owner) = (self.answer.seat.as_ref(), self.owner());
        let mut json = Map::from_iter([("namespace".to_owned(), self.namespace.clone().into()), self.field.clone()]);
        let rest = json!({
            "matched": self.applied.as_ref().map(|applied| &applied.matched),
            "why": self.why(),
            "policy": self.applied.as_ref().map(|applied| &applied.policy),
            "policy_revision": self.applied.as_ref().map(|applied| applied.revision),
            "unknown_client": self.unknown_client(),
            "shard": seat.map(|seat| seat.shard),
            "owner": owner.map(|seat| &seat.node),
            "epoch": seat.map(|seat| seat.epoch),
            "cold": seat.is_some_and(|seat| seat.cold),
            "usage": self.answer.usage.iter().map(usage_json).collect::<Vec<_>>(),
            "state_lost": self.is_lost(),
            "trouble": self.trouble(),
        });
        if let Value::Object(rest) = rest {
            json.extend(rest);
        }
        Value::Object(json)
    }

    pub(super) fn table(&self) -> String {
        let shard = self.answer.seat.as_ref().map_or_else(|| "unknown".to_owned(), |seat| seat.shard.to_string());
        let owner = self.owner().map_or_else(
            || "nobody".to_owned(),
            |seat| format!("{}, epoch {}{}", seat.node, seat.epoch, if seat.cold { ", cold" } else { "" }),
        );
        let mut rows = vec![["for", &format!("{}, namespace {}", self.client, self.namespace)], ["why", &self.why()]]
            .into_iter()
            .map(|row| row.map(str::to_owned))
            .collect::<Vec<_>>();
        if let Some(applied) = &self.applied {
            rows.push(["policy".to_owned(), applied.policy.to_string()]);
            rows.push(["revision".to_owned(), applied.revision.to_string()]);
            rows.push(["limits".to_owned(), stored::limits(&applied.policy)]);
        }
        rows.extend([["shard".to_owned(), shard], ["owner".to_owned(), owner]]);
        if self.is_lost() {
            let lost = "its counters were lost with their node, and count as used up until a window has passed";
            rows.push(["note".to_owned(), lost.to_owned()]);
        }
        let mut text = output::columns(&rows);
        if !self.answer.usage.is_empty() {
            let headings = ["LIMIT", "USED", "FREE", "FRESH IN"].map(str::to_owned);
            let usage = self.answer.usage.iter().map(usage_row);
            text.push('\n');
            text += &output::columns(&std::iter::once(headings).chain(usage).collect::<Vec<_>>());
        }
        text
    }
}

fn usage_json(usage: &LimitUsage) -> Value {
    json!({
        "requests": usage.requests,
        "window": window(usage),
        "capacity": usage.capacity,
        "used": used(usage),
        "remaining": usage.remaining,
        "reset_after_ms": Nanos(usage.reset_after_nanos).millis_ceil(),
    })
}

fn usage_row(usage: &LimitUsage) -> [String; 4] {
    let burst = if usage.capacity == usage.requests { String::new() } else { format!(", burst {}", usage.capacity) };
    [
        format!("{} per {}{burst}", usage.requests, window(usage)),
        used(usage).to_string(),
        usage.remaining.to_string(),
        span(Nanos(usage.reset_after_nanos).millis_ceil()),
    ]
}

const fn used(usage: &LimitUsage) -> u64 {
    usage.capacity.saturating_sub(usage.remaining)
}

fn window(usage: &LimitUsage) -> String {
    let nanos = Nanos(usage.window_nanos);
    Window::new(nanos).map_or_else(|_| span(nanos.millis_ceil()), |window| window.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(matched: Option<&str>) -> Shown {
        let policy_json = r#"{"limits":[{"requests":5,"window":"1m"}]}"#.to_owned();
        let policy = matched.map(|matched| AppliedPolicy { matched: matched.to_owned(), policy_json, revision: 7 });
        let usage = LimitUsage {
            requests: 5,
            window_nanos: 60_000_000_000,
            capacity: 9,
            remaining: 4,
            reset_after_nanos: 1_000_001,
            state_lost: false,
        };
        let seat = Seat { shard: 3, epoch: 2, node: "n1".to_owned(), ..Seat::default() };
        let usage = if matched.is_some() { vec![usage] } else { Vec::new() };
        let answer = ExplainResponse { policy, seat: Some(seat), usage, ..ExplainResponse::default() };
        Shown::new("default".to_owned(), b"alice", answer).unwrap()
    }

    #[test]
    fn every_way_to_match_says_what_did_not() {
        assert_eq!(shown(Some("client")).why(), "it has a policy of its own");
        assert!(shown(Some("prefix al")).why().ends_with("the longest prefix al that matches"));
        assert!(shown(Some("default")).why().contains("no prefix matches"));
        assert!(shown(None).why().ends_with("unknown clients get deny"));
    }

    #[test]
    fn usage_is_what_is_not_free_of_the_capacity() {
        let shown = shown(Some("client"));
        let usage = &shown.json()["usage"][0];
        assert_eq!((&usage["used"], &usage["remaining"], &usage["reset_after_ms"]), (&json!(5), &json!(4), &json!(2)));
        assert!(shown.table().contains("5 per 1m, burst 9  5     4     2ms"), "{}", shown.table());
    }

    #[test]
    fn a_shard_without_an_owner_has_none_in_print() {
        let mut shown = shown(None);
        shown.answer.seat = Some(Seat { shard: 3, ..Seat::default() });
        assert_eq!((&shown.json()["owner"], &shown.json()["shard"]), (&Value::Null, &json!(3)));
        assert!(shown.table().contains("nobody"));
    }
}
