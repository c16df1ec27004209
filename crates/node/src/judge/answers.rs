//! The answers to a batch of checks, in order: a decision or a refusal for each.
//!
//! A batch of a busy connection is all decisions, and the buffer is used again for the next one; so refusals, which are rare, are
//! kept beside the host's answers and not among them.

use drl_host::{Answer, NotHere};
use drl_limits::Decision;

use crate::forward::outcome::Told;
use crate::refusal::Refusal;

/// One answer for each check of a batch.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// How many checks there are.
    checks: usize,
    /// What the host said, and what other owners did in the places where it said that it is not the owner.
    given: Vec<Answer>,
    /// Checks without a decision, by place; what is given there does not count.
    refused: Vec<(usize, Refusal)>,
}

impl Answers {
    /// Forgets everything; `checks` answers will come.
    pub(super) fn begin(&mut self, checks: usize) {
        self.clear();
        self.checks = checks;
    }

    pub(crate) fn clear(&mut self) {
        self.checks = 0;
        self.given.clear();
        self.refused.clear();
    }

    /// Where the host puts its answers.
    pub(super) const fn given(&mut self) -> &mut Vec<Answer> {
        &mut self.given
    }

    /// The checks that the host did not decide, and what it said.
    pub(super) fn take_elsewhere(&self) -> Vec<(usize, NotHere)> {
        let elsewhere =
            |(index, answer): (usize, &Answer)| answer.as_ref().err().map(|not_here| (index, not_here.clone()));
        self.given.iter().enumerate().filter_map(elsewhere).collect()
    }

    /// Nothing was decided.
    pub(super) fn refuse_all(&mut self, refusal: &Refusal) {
        self.refused = (0..self.checks).map(|index| (index, refusal.clone())).collect();
    }

    /// What the host decided may not leave.
    pub(super) fn refuse_decided(&mut self, refusal: &Refusal) {
        let decided = self.given.iter().enumerate().filter(|(_, answer)| answer.is_ok());
        self.refused.extend(decided.map(|(index, _)| (index, refusal.clone())));
    }

    pub(super) fn refuse(&mut self, index: usize, refusal: Refusal) {
        self.refused.push((index, refusal));
    }

    /// What another owner said.
    pub(super) fn tell(&mut self, index: usize, told: Result<Told, Refusal>) {
        match (told, self.given.get_mut(index)) {
            (Ok(Told::Decided(decision)), Some(given)) => *given = Ok(decision),
            (Err(refusal), _) => self.refuse(index, refusal),
            (Ok(_), _) => self.refuse(index, Refusal::Undecided),
        }
    }

    /// Everything was told. Returns how many decisions there are.
    pub(super) fn finish(&mut self) -> usize {
        self.refused.sort_by_key(|(index, _)| *index);
        self.checks.saturating_sub(self.refused.len())
    }

    /// The checks without a decision, by place.
    pub(crate) fn refused(&self) -> &[(usize, Refusal)] {
        &self.refused
    }

    /// The answers in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<&Decision, &Refusal>> + Clone {
        let mut refused = self.refused.iter().peekable();
        (0..self.checks).map(move |index| {
            if let Some((_, refusal)) = refused.next_if(|(refused, _)| *refused == index) {
                return Err(refusal);
            }
            match self.given.get(index) {
                Some(Ok(decision)) => Ok(decision),
                _ => Err(&Refusal::Undecided),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use drl_core::{Nanos, ShardId, ShardTime};
    use drl_limits::{OnUnavailable, Reason, Retry};

    use super::*;

    fn decision(limit: u64) -> Decision {
        Decision {
            allowed: true,
            limit,
            window: Nanos::ZERO,
            remaining: 0,
            retry: Retry::Now,
            reset_after: Nanos::ZERO,
            policy_revision: 0,
            on_unavailable: OnUnavailable::Deny,
            decided_at: ShardTime::ZERO,
            reason: Reason::WithinLimit,
        }
    }

    fn shown(answers: &Answers) -> Vec<Result<u64, Refusal>> {
        answers.iter().map(|answer| answer.map(|decision| decision.limit).map_err(Clone::clone)).collect()
    }

    #[test]
    fn answers_of_this_node_and_of_others_come_in_order() {
        let not_here = NotHere::Moving { shard: ShardId::new(7) };
        let mut answers = Answers::default();
        answers.begin(4);
        let elsewhere = || Err(not_here.clone());
        answers.given().extend([Ok(decision(1)), elsewhere(), elsewhere(), Ok(decision(4))]);
        assert_eq!(answers.take_elsewhere(), [(1, not_here.clone()), (2, not_here.clone())]);
        answers.tell(2, Err(Refusal::Slow));
        answers.tell(1, Ok(Told::Decided(decision(2))));
        assert_eq!(answers.finish(), 3);
        assert_eq!(shown(&answers), [Ok(1), Ok(2), Err(Refusal::Slow), Ok(4)]);
    }

    #[test]
    fn what_may_not_leave_is_refused_and_the_answers_of_others_stay() {
        let mut answers = Answers::default();
        answers.begin(3);
        answers.given().extend([Ok(decision(1)), Err(NotHere::Moving { shard: ShardId::new(7) }), Ok(decision(3))]);
        answers.refuse_decided(&Refusal::Slow);
        answers.tell(1, Ok(Told::Decided(decision(2))));
        assert_eq!(answers.finish(), 1);
        assert_eq!(shown(&answers), [Err(Refusal::Slow), Ok(2), Err(Refusal::Slow)]);
    }

    #[test]
    fn a_batch_that_was_not_decided_is_refused_check_by_check_and_leaves_nothing_behind() {
        let mut answers = Answers::default();
        answers.begin(2);
        answers.refuse_all(&Refusal::Slow);
        assert_eq!((answers.finish(), shown(&answers)), (0, vec![Err(Refusal::Slow); 2]));
        answers.begin(2);
        answers.given().push(Ok(decision(1)));
        assert_eq!(shown(&answers), [Ok(1), Err(Refusal::Undecided)], "an answer is owed for each");
    }
}
