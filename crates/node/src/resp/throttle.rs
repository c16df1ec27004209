//! `CL.THROTTLE key max_burst count period [quantity]`, as redis-cell understands it: its errors word for word, its reply of five
//! numbers, seconds rounded up. The limit in the command is the limit, so policies are made here and remembered by their numbers.

use std::collections::HashMap;
use std::sync::Arc;

use drl_core::caps::{COST_MAX, RESP_THROTTLES_MAX};
use drl_core::{Cost, Nanos};
use drl_limits::{Decision, Durability, Policy, Retry};

use crate::forward::given::Given;
use crate::resp::parse::parse_integer;

/// The numbers of a command that make its policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Rate {
    max_burst: i64,
    count: i64,
    period_s: i64,
}

/// Which of the remembered policies; good until [`Throttles::trim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(usize);

/// Policies that were made before.
#[derive(Debug, Default)]
pub(crate) struct Throttles {
    slots: HashMap<Rate, Slot>,
    policies: Vec<Arc<Policy>>,
    /// Most connections send one rate only.
    last: Option<(Rate, Slot)>,
}

/// A command that cannot be answered; the text is the reply.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ThrottleError {
    #[error("Cell error: Usage: cl.throttle <key> <max_burst> <count per period> <period> [<quantity>]")]
    Usage,
    #[error("Cell error: Couldn't parse as integer: {found}")]
    NotAnInteger { found: String },
    #[error("Cell error: Zero rates are not supported")]
    ZeroRate,
    #[error("Cell error: {what} is {sent}; send {allowed}")]
    OutOfRange { what: &'static str, sent: i64, allowed: String },
    #[error("Cell error: {reason}")]
    Policy { reason: String },
}

/// The policy and the cost of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Throttle {
    pub(crate) policy: Slot,
    pub(crate) cost: Cost,
}

impl Throttles {
    /// Forgets everything when it has become too much. Slots from before mean nothing afterwards.
    pub(crate) fn trim(&mut self) {
        if self.policies.len() >= RESP_THROTTLES_MAX {
            *self = Self::default();
        }
    }

    pub(crate) fn policy(&self, slot: Slot) -> Option<&Arc<Policy>> {
        self.policies.get(slot.0)
    }

    /// Reads what stands behind the key: three numbers, or four.
    ///
    /// # Errors
    /// [`ThrottleError`] with redis-cell's text where it has one.
    pub(crate) fn read<'a>(
        &mut self,
        numbers: impl ExactSizeIterator<Item = &'a [u8]>,
        durability: Durability,
    ) -> Result<Throttle, ThrottleError> {
        if !(3..=4).contains(&numbers.len()) {
            return Err(ThrottleError::Usage);
        }
        let mut read = [0, 0, 0, 1];
        for (number, text) in read.iter_mut().zip(numbers) {
            *number = parse_integer(text).ok_or_else(|| ThrottleError::NotAnInteger { found: excerpt(text) })?;
        }
        let [max_burst, count, period_s, quantity] = read;
        let cost = Cost::new(quantity).map_err(|_| out_of_range("quantity", quantity, "0 (look)", COST_MAX))?;
        Ok(Throttle { policy: self.slot(Rate { max_burst, count, period_s }, durability)?, cost })
    }

    fn slot(&mut self, rate: Rate, durability: Durability) -> Result<Slot, ThrottleError> {
        if let Some((last, slot)) = self.last
            && last == rate
        {
            return Ok(slot);
        }
        let slot = match self.slots.get(&rate) {
            Some(&slot) => slot,
            None => {
                let policy = rate.policy(durability)?;
                let slot = Slot(self.policies.len());
                self.policies.push(Arc::new(policy));
                self.slots.insert(rate, slot);
                slot
            }
        };
        self.last = Some((rate, slot));
        Ok(slot)
    }
}

impl Rate {
    fn policy(self, durability: Durability) -> Result<Policy, ThrottleError> {
        if self.count == 0 || self.period_s == 0 {
            return Err(ThrottleError::ZeroRate);
        }
        let burst = u64::try_from(self.max_burst)
            .ok()
            .and_then(|burst| burst.checked_add(1))
            .filter(|burst| *burst <= COST_MAX)
            .ok_or_else(|| out_of_range("max_burst", self.max_burst, "0", COST_MAX - 1))?;
        let count = u64::try_from(self.count).map_err(|_| out_of_range("count", self.count, "1", COST_MAX))?;
        let period =
            u64::try_from(self.period_s).map_err(|_| out_of_range("period", self.period_s, "1", 366 * 86_400))?;
        let given = Given { requests: count, window: Nanos::from_secs(period), burst, durability };
        given.policy().map_err(|nonsense| ThrottleError::Policy { reason: nonsense.problem })
    }
}

/// `[limited, max_burst + 1, remaining, retry_after_s, reset_after_s]`. A quantity of zero always fits, whatever is left.
pub(crate) fn reply(decision: &Decision, cost: Cost) -> [i64; 5] {
    let allowed = decision.allowed || cost.is_peek();
    let retry_after = match decision.retry {
        Retry::After(wait) if !allowed => signed(wait.secs_ceil()),
        _ => -1,
    };
    [
        i64::from(!allowed),
        signed(decision.limit),
        signed(decision.remaining),
        retry_after,
        signed(decision.reset_after.secs_ceil()),
    ]
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn out_of_range(what: &'static str, sent: i64, from: &str, to: u64) -> ThrottleError {
    ThrottleError::OutOfRange { what, sent, allowed: format!("{from} to {to}") }
}

/// What was sent, safe and short enough for a reply.
fn excerpt(text: &[u8]) -> String {
    text.get(..64).unwrap_or(text).escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(command: &str) -> Result<Throttle, ThrottleError> {
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        Throttles::default().read(words.into_iter(), Durability::Replicated)
    }

    #[test]
    fn the_errors_are_those_of_redis_cell() {
        for (command, reply) in [
            ("1", "Cell error: Usage: cl.throttle <key> <max_burst> <count per period> <period> [<quantity>]"),
            ("1 2 3 4 5", "Cell error: Usage: cl.throttle <key> <max_burst> <count per period> <period> [<quantity>]"),
            ("x 30 60", "Cell error: Couldn't parse as integer: x"),
            ("15 30 60 1.5", "Cell error: Couldn't parse as integer: 1.5"),
            ("15 0 60", "Cell error: Zero rates are not supported"),
            ("15 30 0", "Cell error: Zero rates are not supported"),
            ("15 0 60 z", "Cell error: Couldn't parse as integer: z"),
        ] {
            assert_eq!(read(command).unwrap_err().to_string(), reply, "{command}");
        }
    }

    #[test]
    fn numbers_outside_the_range_are_named_with_what_is_allowed() {
        for (command, reply) in [
            ("-1 30 60", "Cell error: max_burst is -1; send 0 to 9007199254740991"),
            ("9007199254740992 30 60", "Cell error: max_burst is 9007199254740992; send 0 to 9007199254740991"),
            ("15 -30 60", "Cell error: count is -30; send 1 to 9007199254740992"),
            ("15 30 -60", "Cell error: period is -60; send 1 to 31622400"),
            ("15 30 60 -1", "Cell error: quantity is -1; send 0 (look) to 9007199254740992"),
        ] {
            assert_eq!(read(command).unwrap_err().to_string(), reply, "{command}");
        }
        let too_long = read("15 30 31622401").unwrap_err();
        assert!(too_long.to_string().contains("366d"), "{too_long}");
    }

    #[test]
    fn the_same_rate_is_the_same_policy_and_the_memory_is_bounded() {
        let mut throttles = Throttles::default();
        let mut slot = |burst: usize| {
            let burst = burst.to_string();
            let numbers = [burst.as_bytes(), b"30", b"60"];
            throttles.read(numbers.into_iter(), Durability::Async).unwrap().policy
        };
        let (first, second, again) = (slot(1), slot(2), slot(1));
        assert_eq!(first, again);
        assert_ne!(first, second);
        for burst in 0..2 * RESP_THROTTLES_MAX {
            slot(burst);
        }
        throttles.trim();
        assert!(throttles.policies.is_empty() && throttles.slots.is_empty());
    }
}
