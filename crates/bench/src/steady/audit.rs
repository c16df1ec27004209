//! What clients were told beside what their owners count.
//!
//! ```text
//!   granted > used                          an admission that nobody remembers: the next ones go over
//!   denied, and used < limit                a denial without need
//!   used > granted + unknown                charged twice across a take-over, which only withholds
//! ```

use serde::Serialize;

use super::Account;

/// Clients that are named in a report; the rest is a number.
const NAMED_MAX: usize = 10;

/// Sums over clients.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Audit {
    pub clients: u64,
    pub granted: u64,
    pub denied: u64,
    /// No owner said anything: each may have been charged.
    pub unknown: u64,
    /// What owners count.
    pub used: u64,
    /// Admissions that owners do not count, or beyond the limit. Must be 0.
    pub over: u64,
    /// Denials of clients that had credit left. Must be 0.
    pub denied_needlessly: u64,
    /// Cost that owners count and that no admission and no unknown check explains: retries after a take-over.
    pub charged_in_vain: u64,
    /// Clients whose owner did not say what it counts, so that nothing is known of them.
    pub not_audited: u64,
    /// Some of the clients with which something is wrong, for people.
    pub wrong: Vec<String>,
}

/// What an owner says that a client has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) used: u64,
    pub(crate) limit: u64,
}

impl Audit {
    /// Adds a client. `usage`: `None` when its owner does not say.
    pub(crate) fn add(&mut self, client: &str, account: &Account, usage: Option<Usage>) {
        let Account { granted, denied, unknown, .. } = *account;
        self.clients += 1;
        self.granted += granted;
        self.denied += denied;
        self.unknown += unknown;
        let Some(Usage { used, limit }) = usage else {
            self.not_audited += 1;
            return;
        };
        let over = granted.saturating_sub(used.min(limit));
        let needless = if used < limit { denied } else { 0 };
        self.used += used;
        self.over += over;
        self.denied_needlessly += needless;
        self.charged_in_vain += used.saturating_sub(granted + unknown);
        if over + needless > 0 && self.wrong.len() < NAMED_MAX {
            let account = format!("granted {granted}, denied {denied}, unknown {unknown}, used {used} of {limit}");
            self.wrong.push(format!("{client}: {account}"));
        }
    }

    /// Nobody went over, nobody was denied without need, and everybody could be asked.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.over == 0 && self.denied_needlessly == 0 && self.not_audited == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(granted: u64, denied: u64, unknown: u64, used: u64, limit: u64) -> Audit {
        let mut audit = Audit::default();
        let account = Account { granted, denied, unknown, first_answer: None };
        audit.add("a", &account, Some(Usage { used, limit }));
        audit
    }

    #[test]
    fn what_adds_up_is_clean() {
        assert!(audit(5, 0, 0, 5, 100).is_clean());
        assert!(audit(5, 0, 2, 6, 100).is_clean());
        assert!(audit(10, 7, 0, 10, 10).is_clean());
        let retried = audit(5, 0, 1, 8, 100);
        assert!(retried.is_clean() && retried.charged_in_vain == 2, "{retried:?}");
    }

    #[test]
    fn a_forgotten_admission_and_one_beyond_the_limit_are_over() {
        let forgotten = audit(7, 0, 3, 5, 100);
        assert_eq!((forgotten.over, forgotten.is_clean(), forgotten.wrong.len()), (2, false, 1));
        assert_eq!(audit(12, 0, 0, 10, 10).over, 2);
    }

    #[test]
    fn a_denial_with_credit_left_is_needless() {
        let denied = audit(9, 3, 0, 9, 10);
        assert_eq!((denied.denied_needlessly, denied.is_clean()), (3, false));
    }

    #[test]
    fn a_client_whose_owner_is_silent_is_not_taken_for_clean() {
        let mut audit = Audit::default();
        audit.add("a", &Account::default(), None);
        assert_eq!((audit.not_audited, audit.is_clean()), (1, false));
    }
}
