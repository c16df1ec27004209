//! What became of the checks of one call. Denied, rejected and failed are three different things and are never added up.

/// The five things that can become of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verdict {
    /// A node decided: yes.
    Allowed,
    /// A node decided: no.
    Denied,
    /// Nobody decided in time, and the policy's `on_unavailable` did: yes or no, it says nothing about a counter.
    Unavailable,
    /// Nobody decided, and nothing was charged: busy, invalid.
    Rejected,
    /// Something broke; whether it was charged may be unknown.
    Failed,
}

/// The outcomes of one call, counted by verdict and reason.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Few: a run sees two or three reasons, so that a list is faster than a map.
    counts: Vec<(Verdict, &'static str, u64)>,
    failure: Option<String>,
}

impl Told {
    /// `checks` more came to this.
    pub(crate) fn add(&mut self, verdict: Verdict, reason: &'static str, checks: u64) {
        let known = self.counts.iter_mut().find(|(of, why, _)| *of == verdict && *why == reason);
        match known {
            Some((.., count)) => *count += checks,
            None => self.counts.push((verdict, reason, checks)),
        }
    }

    /// As [`Told::add`] for what was rejected or failed, with the sentence that says it to people.
    pub(crate) fn fail(
        &mut self,
        verdict: Verdict,
        reason: &'static str,
        checks: usize,
        sentence: impl FnOnce() -> String,
    ) {
        self.add(verdict, reason, u64::try_from(checks).unwrap_or(u64::MAX));
        if self.failure.is_none() {
            self.failure = Some(sentence());
        }
    }

    /// Every verdict and reason with its count.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Verdict, &'static str, u64)> {
        self.counts.iter().copied()
    }

    /// The first sentence.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Whether any check was decided, whoever decided it.
    pub(crate) fn has_decisions(&self) -> bool {
        self.counts.iter().any(|(verdict, ..)| !matches!(verdict, Verdict::Rejected | Verdict::Failed))
    }

    pub(crate) fn clear(&mut self) {
        self.counts.clear();
        self.failure = None;
    }

    /// Adds what another call was told.
    pub(crate) fn absorb(&mut self, other: &Self) {
        for (verdict, reason, checks) in other.counts() {
            self.add(verdict, reason, checks);
        }
        if self.failure.is_none() {
            self.failure.clone_from(&other.failure);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_by_verdict_and_reason_and_the_first_failure_is_kept() {
        let mut told = Told::default();
        assert!(!told.has_decisions());
        told.fail(Verdict::Rejected, "busy", 3, || "first".to_owned());
        told.fail(Verdict::Failed, "unavailable", 1, || "second".to_owned());
        assert!(!told.has_decisions());
        told.add(Verdict::Unavailable, "unavailable", 2);
        assert!(told.has_decisions());
        let mut all = Told::default();
        all.add(Verdict::Rejected, "busy", 1);
        all.absorb(&told);
        let mut counts: Vec<_> = all.counts().collect();
        counts.sort_unstable();
        let expected = [
            (Verdict::Unavailable, "unavailable", 2),
            (Verdict::Rejected, "busy", 4),
            (Verdict::Failed, "unavailable", 1),
        ];
        assert_eq!((counts.as_slice(), all.failure()), (&expected[..], Some("first")));
        told.clear();
        assert_eq!((told.counts().count(), told.failure()), (0, None));
    }
}
