//! What one client was told.

use drl_core::Nanos;

use crate::told::Verdict;

/// Checks of one client by what became of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// Its owner said yes.
    pub granted: u64,
    /// Its owner said no.
    pub denied: u64,
    /// No owner said anything: each may have been charged.
    pub unknown: u64,
    /// When its owner first answered a check that was watched.
    pub first_answer: Option<Nanos>,
}

impl Account {
    /// Notes what became of one check; `watched`: when it was done, if it is one to look at.
    pub(crate) fn note(&mut self, verdict: Verdict, watched: Option<Nanos>) {
        match verdict {
            Verdict::Allowed => self.granted += 1,
            Verdict::Denied => self.denied += 1,
            Verdict::Unavailable | Verdict::Rejected | Verdict::Failed => {
                self.unknown += 1;
                return;
            }
        }
        self.first_answer = match (self.first_answer, watched) {
            (Some(first), Some(done)) => Some(first.min(done)),
            (first, done) => first.or(done),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_is_the_earliest_of_an_owner_and_no_other() {
        let mut account = Account::default();
        account.note(Verdict::Allowed, None);
        account.note(Verdict::Unavailable, Some(Nanos(3)));
        account.note(Verdict::Failed, Some(Nanos(4)));
        assert_eq!(account.first_answer, None);
        account.note(Verdict::Denied, Some(Nanos(9)));
        account.note(Verdict::Allowed, Some(Nanos(7)));
        account.note(Verdict::Allowed, None);
        assert_eq!(account, Account { granted: 3, denied: 1, unknown: 2, first_answer: Some(Nanos(7)) });
    }
}
