//! A run: commands that were read together and are answered together. Its checks are decided in one call; replies to other commands
//! are written when they are read and wait here for their turn.
//!
//! Invariant: replies leave in the order of the commands, one for each.

use drl_core::{ClientId, Cost, Epoch, LimitKey, Namespace};
use drl_host::{Action, Ask, PolicyOf};
use drl_limits::{Decision, Retry};

use crate::judge::answers::Answers;
use crate::refusal::{Outlook, Refusal};
use crate::resp::parse::Span;
use crate::resp::reply::Replies;
use crate::resp::throttle::{self, Slot, Throttles};

/// Memory that a run keeps for its next replies.
const SAID_BYTES_KEPT: usize = 4 << 10;

/// A check whose arguments were found good.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Check {
    /// 1 to 256 bytes of the read buffer.
    pub(crate) key: Span,
    pub(crate) cost: Cost,
    pub(crate) form: Form,
}

/// Which command asks, and so how its answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `CL.THROTTLE`
    Throttle(Slot),
    /// `DRL.ALLOW`: 1 or 0.
    Allow,
    /// `DRL.CHECK`: five numbers.
    Check,
}

#[derive(Debug)]
enum Step {
    /// The reply is `said` from the last such end to this one.
    Said {
        end: usize,
    },
    Check(Check),
}

#[derive(Debug, Default)]
pub(crate) struct Run {
    steps: Vec<Step>,
    checks: usize,
    /// Replies to the commands between the checks.
    pub(crate) said: Replies,
    pub(crate) answers: Answers,
}

impl Run {
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.checks = 0;
        self.said.reset(SAID_BYTES_KEPT);
        self.answers.clear();
    }

    pub(crate) const fn checks(&self) -> usize {
        self.checks
    }

    pub(crate) fn commands(&self) -> usize {
        self.steps.len()
    }

    pub(crate) fn push_check(&mut self, check: Check) {
        self.checks += 1;
        self.steps.push(Step::Check(check));
    }

    /// The reply to a command was written to `said`.
    pub(crate) fn push_said(&mut self) {
        self.steps.push(Step::Said { end: self.said.len() });
    }

    /// The checks, in order, for one call of the host.
    pub(crate) fn asks<'a>(&self, input: &'a [u8], throttles: &'a Throttles) -> Vec<Ask<'a>> {
        let mut asks = Vec::with_capacity(self.checks);
        for step in &self.steps {
            if let Step::Check(check) = step
                && let Some(ask) = check.ask(input, throttles)
            {
                asks.push(ask);
            }
        }
        asks
    }

    /// Writes the replies of settled checks, and those that were said, in order.
    pub(crate) fn reply(&self, replies: &mut Replies) {
        let mut answers = self.answers.iter();
        let mut from = 0;
        for step in &self.steps {
            match step {
                Step::Check(check) => match answers.next() {
                    Some(Ok(decision)) => check.reply(decision, replies),
                    Some(Err(refusal)) => replies.error(&error_reply(refusal)),
                    None => replies.error(&error_reply(&Refusal::Undecided)),
                },
                Step::Said { end } => {
                    replies.append(self.said.as_bytes().get(from..*end).unwrap_or_default());
                    from = *end;
                }
            }
        }
    }
}

impl Check {
    fn ask<'a>(&self, input: &'a [u8], throttles: &'a Throttles) -> Option<Ask<'a>> {
        let client = ClientId::new(self.key.of(input)).ok()?;
        let (namespace, policy) = match self.form {
            Form::Throttle(slot) => (Namespace::THROTTLE, PolicyOf::Given(throttles.policy(slot)?)),
            Form::Allow | Form::Check => (Namespace::DEFAULT, PolicyOf::Configured),
        };
        Some(Ask {
            key: LimitKey::new(namespace, client),
            cost: self.cost,
            action: Action::Charge,
            policy,
            epoch: Epoch(0),
        })
    }

    fn reply(&self, decision: &Decision, replies: &mut Replies) {
        match self.form {
            Form::Throttle(_) => replies.integers(&throttle::reply(decision, self.cost)),
            Form::Allow => replies.integer(i64::from(decision.allowed)),
            Form::Check => replies.integers(&check_reply(decision)),
        }
    }
}

/// Redis' own words for "come back later" and "not now": client libraries know them.
pub(crate) fn error_reply(refusal: &Refusal) -> String {
    match refusal.outlook() {
        Outlook::Passing => format!("TRYAGAIN {refusal}"),
        Outlook::Down | Outlook::Broken => format!("CLUSTERDOWN {refusal}"),
    }
}

/// `[allowed, limit, remaining, retry_after_ms, reset_after_ms]`; retry is 0 when allowed and -1 when it can never pass.
fn check_reply(decision: &Decision) -> [i64; 5] {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let retry_after = match decision.retry {
        _ if decision.allowed => 0,
        Retry::Now => 0,
        Retry::After(wait) => signed(wait.millis_ceil()),
        Retry::Never => -1,
    };
    [
        i64::from(decision.allowed),
        signed(decision.limit),
        signed(decision.remaining),
        retry_after,
        signed(decision.reset_after.millis_ceil()),
    ]
}
