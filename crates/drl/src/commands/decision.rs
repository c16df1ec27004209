//! A decision in print: the JSON that every door of drl speaks, and rows for people. Spans are rounded up to milliseconds: whoever
//! waits so long has waited long enough.

use drl_core::Nanos;
use drl_limits::Window;
use drl_proto::v1::{Decision, Reason};
use serde::Serialize;

/// The fields are those of the HTTP API, in its order.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Shown {
    allowed: bool,
    limit: u64,
    remaining: u64,
    /// 0 when allowed, -1 when this cost can never pass.
    retry_after_ms: i64,
    reset_after_ms: u64,
    policy_revision: u64,
    reason: &'static str,
}

impl From<&Decision> for Shown {
    fn from(decision: &Decision) -> Self {
        let retry_after_ms = match u64::try_from(decision.retry_after_nanos) {
            Ok(nanos) => i64::try_from(Nanos(nanos).millis_ceil()).unwrap_or(i64::MAX),
            Err(_) => -1,
        };
        Self {
            allowed: decision.allowed,
            limit: decision.limit,
            remaining: decision.remaining,
            retry_after_ms,
            reset_after_ms: Nanos(decision.reset_after_nanos).millis_ceil(),
            policy_revision: decision.policy_revision,
            reason: reason(decision.reason()),
        }
    }
}

impl Shown {
    pub(super) fn rows(&self) -> Vec<[String; 2]> {
        let retry_after = u64::try_from(self.retry_after_ms).map_or_else(|_| "never".to_owned(), span);
        [
            ("allowed", if self.allowed { "yes" } else { "no" }.to_owned()),
            ("reason", self.reason.to_owned()),
            ("limit", self.limit.to_string()),
            ("remaining", self.remaining.to_string()),
            ("retry after", retry_after),
            ("reset after", span(self.reset_after_ms)),
            ("policy revision", self.policy_revision.to_string()),
        ]
        .map(|(name, value)| [name.to_owned(), value])
        .into()
    }
}

fn reason(reason: Reason) -> &'static str {
    use drl_limits::Reason as Known;
    let known = match reason {
        Reason::Unspecified => return "unspecified",
        Reason::WithinLimit => Known::WithinLimit,
        Reason::OverLimit => Known::OverLimit,
        Reason::CostAboveLimit => Known::CostAboveLimit,
        Reason::UnknownClient => Known::UnknownClient,
        Reason::Shadow => Known::Shadow,
        Reason::StateLost => Known::StateLost,
    };
    known.as_str()
}

/// `1m30s`; beyond a year in whole seconds.
pub(super) fn span(millis: u64) -> String {
    match Window::new(Nanos::from_millis(millis)) {
        Ok(window) => window.to_string(),
        Err(_) => format!("{}s", millis.div_ceil(1_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rounded_up_and_never_is_minus_one() {
        let mut decision = Decision { retry_after_nanos: 1, reset_after_nanos: 1_000_001, ..Decision::default() };
        let shown = Shown::from(&decision);
        assert_eq!((shown.retry_after_ms, shown.reset_after_ms), (1, 2));
        decision.retry_after_nanos = -1;
        let shown = Shown::from(&decision);
        assert_eq!(shown.retry_after_ms, -1);
        assert_eq!(shown.rows()[4], ["retry after", "never"]);
    }

    #[test]
    fn spans_read_as_windows_and_the_ends_hold() {
        assert_eq!(span(0), "0s");
        assert_eq!(span(90_000), "1m30s");
        assert_eq!(span(u64::MAX), "18446744073709552s");
    }
}
