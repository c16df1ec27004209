//! The answers to a stream's message, in columns.

use drl_core::{Nanos, ShardTime};
use drl_limits::{Decision, OnUnavailable};
use drl_proto::v1;

use crate::decision::{on_unavailable, read_on_unavailable, read_reason, read_retry, reason, retry_after_nanos};

/// Set in an outcome when the check is allowed; the other bits are its reason.
const ALLOWED: u8 = 0x80;

/// The outcome of a check that was refused.
const REFUSED: u8 = 0;

/// What was said to one check.
pub type Answered = Result<Decision, v1::Refusal>;

/// Answers that do not fit their message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAnswers {
    #[error("{length} {column} for {checks} checks")]
    Column { column: &'static str, length: usize, checks: usize },
    #[error("an outcome stands for neither a decision nor a refusal")]
    Outcome,
}

/// The answer to the message with this number: a decision, or none where a refusal stands for it.
#[expect(clippy::needless_pass_by_value, reason = "an iterator that is made for the call")]
pub fn answers<'a, D>(
    number: u64,
    detail: v1::Detail,
    decisions: D,
    refusals: Vec<v1::Refusal>,
) -> v1::CheckStreamResponse
where
    D: Iterator<Item = Option<&'a Decision>> + Clone,
{
    let outcomes: Vec<u8> = decisions.clone().map(|decision| decision.map_or(REFUSED, outcome)).collect();
    let classes = decisions.clone().flatten().any(|decision| decision.on_unavailable != OnUnavailable::Deny);
    let mut answer =
        v1::CheckStreamResponse { number, outcomes: outcomes.into(), refusals, ..v1::CheckStreamResponse::default() };
    if classes {
        answer.on_unavailable = column(&decisions, 0, |decision| class(decision.on_unavailable)).into();
    }
    if detail == v1::Detail::Full {
        answer.limits = column(&decisions, 0, |decision| decision.limit);
        answer.remaining = column(&decisions, 0, |decision| decision.remaining);
        answer.retry_after_nanos = column(&decisions, 0, retry_after_nanos);
        answer.reset_after_nanos = column(&decisions, 0, |decision| decision.reset_after.0);
        answer.policy_revisions = column(&decisions, 0, |decision| decision.policy_revision);
        answer.window_nanos = column(&decisions, 0, |decision| decision.window.0);
        answer.decided_at_nanos = column(&decisions, 0, |decision| decision.decided_at.0);
    }
    answer
}

/// The answers to a message of so many checks, in order. Columns that were not asked for are zero.
///
/// # Errors
/// [`InvalidAnswers`]: it is not an answer to such a message.
pub fn read_answers(mut answer: v1::CheckStreamResponse, checks: usize) -> Result<Vec<Answered>, InvalidAnswers> {
    let columns = [
        ("outcomes", answer.outcomes.len()),
        ("limits", answer.limits.len()),
        ("remaining", answer.remaining.len()),
        ("retry_after_nanos", answer.retry_after_nanos.len()),
        ("reset_after_nanos", answer.reset_after_nanos.len()),
        ("policy_revisions", answer.policy_revisions.len()),
        ("window_nanos", answer.window_nanos.len()),
        ("decided_at_nanos", answer.decided_at_nanos.len()),
        ("on_unavailable", answer.on_unavailable.len()),
    ];
    // A message of which nothing was decided has refusals only.
    let is_refused = answer.outcomes.is_empty() && answer.refusals.len() == checks;
    let is_left_out = |column: &str, length| length == 0 && (column != "outcomes" || is_refused);
    for (column, length) in columns {
        if length != checks && !is_left_out(column, length) {
            return Err(InvalidAnswers::Column { column, length, checks });
        }
    }
    let mut refusals = std::mem::take(&mut answer.refusals).into_iter().peekable();
    let mut told = Vec::with_capacity(checks);
    for index in 0..checks {
        let is_this = |refusal: &v1::Refusal| usize::try_from(refusal.index).is_ok_and(|refused| refused == index);
        told.push(match (refusals.next_if(is_this), answer.outcomes.get(index).copied().unwrap_or(REFUSED)) {
            (Some(refusal), _) => Err(refusal),
            (None, REFUSED) => return Err(InvalidAnswers::Outcome),
            (None, outcome) => Ok(read(&answer, index, outcome)),
        });
    }
    Ok(told)
}

fn read(answer: &v1::CheckStreamResponse, index: usize, outcome: u8) -> Decision {
    let value = |column: &[u64]| column.get(index).copied().unwrap_or(0);
    let allowed = outcome & ALLOWED != 0;
    let reason = v1::Reason::try_from(i32::from(outcome & !ALLOWED)).unwrap_or_default();
    let class = answer.on_unavailable.get(index).copied().unwrap_or(0);
    Decision {
        allowed,
        limit: value(&answer.limits),
        window: Nanos(value(&answer.window_nanos)),
        remaining: value(&answer.remaining),
        retry: read_retry(allowed, answer.retry_after_nanos.get(index).copied().unwrap_or(0)),
        reset_after: Nanos(value(&answer.reset_after_nanos)),
        policy_revision: value(&answer.policy_revisions),
        on_unavailable: read_on_unavailable(v1::OnUnavailable::try_from(i32::from(class)).unwrap_or_default()),
        decided_at: ShardTime(value(&answer.decided_at_nanos)),
        reason: read_reason(allowed, reason),
    }
}

/// One value for each check; those without a decision have `without`.
fn column<'a, T: Copy>(
    decisions: &(impl Iterator<Item = Option<&'a Decision>> + Clone),
    without: T,
    value: impl Fn(&Decision) -> T,
) -> Vec<T> {
    decisions.clone().map(|decision| decision.map_or(without, &value)).collect()
}

fn outcome(decision: &Decision) -> u8 {
    let reason = u8::try_from(i32::from(reason(decision.reason))).unwrap_or(0);
    if decision.allowed { reason | ALLOWED } else { reason }
}

fn class(class: OnUnavailable) -> u8 {
    u8::try_from(i32::from(on_unavailable(class))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::tests::samples;

    fn refusal(index: u32) -> v1::Refusal {
        v1::Refusal { index, kind: v1::RefusalKind::Moving.into(), shard: 9, ..v1::Refusal::default() }
    }

    #[test]
    fn decisions_and_refusals_come_back_in_order() {
        let samples = samples();
        let mut told: Vec<Answered> = samples.into_iter().map(Ok).collect();
        told.insert(2, Err(refusal(2)));
        told.push(Err(refusal(7)));
        let refusals = told.iter().filter_map(|answer| answer.clone().err()).collect();
        let decisions = told.iter().map(|answer| answer.as_ref().ok());
        let message = answers(5, v1::Detail::Full, decisions, refusals);
        assert_eq!(message.number, 5);
        assert_eq!(read_answers(message, told.len()).unwrap(), told);
    }

    #[test]
    fn outcomes_alone_say_whether_and_why() {
        let samples = samples();
        let message = answers(1, v1::Detail::Outcome, samples.iter().map(Some), Vec::new());
        assert!(message.limits.is_empty());
        let read = read_answers(message, samples.len()).unwrap();
        for (read, sample) in read.into_iter().map(Result::unwrap).zip(samples) {
            assert_eq!(
                (read.allowed, read.reason, read.on_unavailable),
                (sample.allowed, sample.reason, sample.on_unavailable)
            );
        }
    }

    #[test]
    fn the_class_of_a_client_costs_nothing_when_all_deny() {
        let decision = Decision { on_unavailable: OnUnavailable::Deny, ..samples()[0] };
        let message = answers(1, v1::Detail::Full, [Some(&decision)].into_iter(), Vec::new());
        assert!(message.on_unavailable.is_empty());
    }

    #[test]
    fn a_message_that_was_refused_as_a_whole_needs_no_outcomes() {
        let message =
            v1::CheckStreamResponse { refusals: vec![refusal(0), refusal(1)], ..v1::CheckStreamResponse::default() };
        assert_eq!(read_answers(message, 2).unwrap(), [Err(refusal(0)), Err(refusal(1))]);
    }

    #[test]
    fn answers_that_do_not_fit_are_refused() {
        let sample = samples()[0];
        let one = || answers(1, v1::Detail::Full, [Some(&sample)].into_iter(), Vec::new());
        let wrong = InvalidAnswers::Column { column: "outcomes", length: 1, checks: 2 };
        assert_eq!(read_answers(one(), 2), Err(wrong));
        let short = v1::CheckStreamResponse { limits: vec![1, 2], ..one() };
        assert_eq!(read_answers(short, 1), Err(InvalidAnswers::Column { column: "limits", length: 2, checks: 1 }));
        let blank = v1::CheckStreamResponse { outcomes: vec![0].into(), ..one() };
        assert_eq!(read_answers(blank, 1), Err(InvalidAnswers::Outcome));
        assert!(read_answers(v1::CheckStreamResponse::default(), 1).is_err());
    }
}
