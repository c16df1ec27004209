//! The numbers of one client session: which messages were decided, and what was answered to them.
//!
//! ```text
//!    forgotten          remembered: decided or under way, or not heard of yet           too far
//!   ------------|---------------------------------------------------------------|------------------>
//!             oldest                                                oldest + 1,024
//! ```
//!
//! Rule (protocol, client): a number is decided at most once. So what lies below the oldest number that is not settled is never decided,
//! whether it was before or not: nobody knows. The oldest is what the client said last that everything is settled below, and never goes back.
//!
//! It knows neither what an answer is nor when it is complete, and reads no clock.

use std::collections::BTreeMap;

use drl_core::caps::{CLIENT_SESSION_CHECKS_MAX, CLIENT_SESSION_NUMBERS_MAX};

/// The answers `A` of one session.
#[derive(Debug)]
pub(super) struct Window<A> {
    oldest: u64,
    /// By number; none is below the oldest.
    remembered: BTreeMap<u64, Remembered<A>>,
    /// Checks of all that is remembered.
    checks: usize,
}

#[derive(Debug)]
struct Remembered<A> {
    answer: A,
    checks: usize,
}

/// What to do with a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a, A> {
    /// It was not heard of: decide it, and [`Window::remember`] its answer before looking at the next one.
    Decide,
    /// It was decided or is under way; this is its answer.
    Again(&'a A),
    /// It is not remembered and may have been decided.
    Forgotten,
    /// More than is allowed lies between it and the oldest unsettled message.
    TooFar,
    /// The answers that the session holds already are too many.
    Full,
}

impl<A> Window<A> {
    /// A session of which nothing is known but that everything below this number is settled.
    pub(super) const fn new(settled_below: u64) -> Self {
        Self { oldest: settled_below, remembered: BTreeMap::new(), checks: 0 }
    }

    /// The oldest number that is not settled.
    pub(super) const fn oldest(&self) -> u64 {
        self.oldest
    }

    /// Checks of all that is remembered.
    pub(super) const fn checks(&self) -> usize {
        self.checks
    }

    /// Forgets every answer. What was decided is not decided again: it lies below the oldest number from now on.
    pub(super) fn forget(&mut self) {
        let last = self.remembered.last_key_value().map(|(number, _)| number.saturating_add(1));
        self.settle(last.unwrap_or(self.oldest));
    }

    /// Looks at a message of so many checks, whose sender says that everything below `settled_below` is settled.
    pub(super) fn look(&mut self, number: u64, settled_below: u64, checks: usize) -> Verdict<'_, A> {
        self.settle(settled_below);
        let Some(ahead) = number.checked_sub(self.oldest) else { return Verdict::Forgotten };
        if ahead >= CLIENT_SESSION_NUMBERS_MAX as u64 {
            return Verdict::TooFar;
        }
        match self.remembered.get(&number) {
            Some(remembered) => Verdict::Again(&remembered.answer),
            _ if self.checks + checks > CLIENT_SESSION_CHECKS_MAX => Verdict::Full,
            _ => Verdict::Decide,
        }
    }

    /// Remembers the answer to a message that was to be decided.
    pub(super) fn remember(&mut self, number: u64, checks: usize, answer: A) {
        if number >= self.oldest {
            self.checks += checks;
            self.remembered.insert(number, Remembered { answer, checks });
        }
    }

    /// Forgets the answers to everything below a number.
    fn settle(&mut self, below: u64) {
        self.oldest = self.oldest.max(below);
        while let Some(oldest) = self.remembered.first_entry().filter(|entry| *entry.key() < below) {
            self.checks -= oldest.remove().checks;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use drl_core::caps::BATCH_CHECKS_MAX;
    use proptest::prelude::*;

    use super::*;

    const WIDTH: u64 = CLIENT_SESSION_NUMBERS_MAX as u64;

    /// Forgets nothing: what was answered to every number that was ever decided, and the highest word on what is settled.
    #[derive(Default)]
    struct Model {
        decided: BTreeMap<u64, (usize, usize)>,
        oldest: u64,
    }

    impl Model {
        fn expected(&self, number: u64, checks: usize) -> Verdict<'_, usize> {
            let held: usize = self.decided.range(self.oldest..).map(|(_, (_, checks))| checks).sum();
            match self.decided.get(&number) {
                _ if number < self.oldest => Verdict::Forgotten,
                Some((answer, _)) => Verdict::Again(answer),
                None if number - self.oldest >= WIDTH => Verdict::TooFar,
                None if held + checks > CLIENT_SESSION_CHECKS_MAX => Verdict::Full,
                None => Verdict::Decide,
            }
        }
    }

    /// Messages near the oldest, as they come over streams that die: again, late, out of order, and sometimes with an absurd number.
    fn messages() -> impl Strategy<Value = Vec<(i64, i64, usize)>> {
        let near = prop_oneof![4 => -70_i64..70, 4 => -1_100_i64..1_100, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
        let settled = prop_oneof![4 => -10_i64..3, 1 => -70_i64..70, 1 => -1_100_i64..1_100];
        let checks = prop_oneof![2 => 0_usize..5, 1 => Just(BATCH_CHECKS_MAX)];
        prop::collection::vec((near, settled, checks), 0..400)
    }

    proptest! {
        #[test]
        fn a_number_is_decided_once_and_answered_as_it_was(messages in messages(), begin in 0_u64..1_000) {
            let (mut window, mut model) = (Window::new(begin), Model { oldest: begin, ..Model::default() });
            for (answer, (near, settled, checks)) in messages.into_iter().enumerate() {
                let number = model.oldest.saturating_add_signed(near);
                let settled_below = model.oldest.saturating_add_signed(settled);
                model.oldest = model.oldest.max(settled_below);
                let verdict = window.look(number, settled_below, checks);
                prop_assert_eq!(&verdict, &model.expected(number, checks));
                if verdict == Verdict::Decide {
                    window.remember(number, checks, answer);
                    prop_assert!(model.decided.insert(number, (answer, checks)).is_none(), "{} again", number);
                }
                prop_assert!(window.remembered.len() <= CLIENT_SESSION_NUMBERS_MAX);
                prop_assert!(window.checks <= CLIENT_SESSION_CHECKS_MAX);
                prop_assert_eq!(window.oldest(), model.oldest);
            }
        }
    }

    #[test]
    fn the_window_is_as_wide_as_a_stream_and_its_edges_are_exact() {
        let mut window = Window::<u8>::new(10);
        assert_eq!(window.look(9, 0, 1), Verdict::Forgotten);
        assert_eq!(window.look(10, 0, 1), Verdict::Decide);
        assert_eq!(window.look(10 + WIDTH - 1, 0, 1), Verdict::Decide);
        assert_eq!(window.look(10 + WIDTH, 0, 1), Verdict::TooFar);
        assert_eq!(window.look(10 + WIDTH, 11, 1), Verdict::Decide);
    }

    #[test]
    fn a_message_that_comes_after_it_was_settled_is_not_decided() {
        let mut window = Window::new(1);
        assert_eq!(window.look(1, 1, 1), Verdict::Decide);
        window.remember(1, 1, 'a');
        assert_eq!(window.look(1, 1, 1), Verdict::Again(&'a'), "it was sent again over another stream");
        assert_eq!(window.look(2, 2, 1), Verdict::Decide);
        assert_eq!(window.look(1, 1, 1), Verdict::Forgotten, "the first copy arrives over the dying stream");
    }

    #[test]
    fn what_is_forgotten_is_not_decided_again() {
        let mut window = Window::new(1);
        for number in [1, 3] {
            assert_eq!(window.look(number, 1, 7), Verdict::Decide);
            window.remember(number, 7, ());
        }
        window.forget();
        assert_eq!((window.checks(), window.oldest()), (0, 4));
        for number in 1..=3 {
            assert_eq!(window.look(number, 1, 7), Verdict::Forgotten, "{number}");
        }
        assert_eq!(window.look(4, 1, 7), Verdict::Decide);
    }

    #[test]
    fn answers_that_are_settled_make_room() {
        let mut window = Window::new(0);
        let full = (CLIENT_SESSION_CHECKS_MAX / BATCH_CHECKS_MAX) as u64;
        for number in 0..full {
            assert_eq!(window.look(number, 0, BATCH_CHECKS_MAX), Verdict::Decide);
            window.remember(number, BATCH_CHECKS_MAX, ());
        }
        assert_eq!(window.look(full, 0, 1), Verdict::Full);
        assert_eq!(window.look(full, 1, BATCH_CHECKS_MAX), Verdict::Decide);
    }
}
