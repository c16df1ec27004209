//! What is wrong with a policy that someone wrote: where it is, what stands there and what is allowed. One wrong policy may have several
//! faults, and all of them are said at once.

use std::fmt;

use drl_core::caps::POLICY_FAULTS_MAX;

/// Longest piece of someone's text that is repeated in a fault.
const QUOTED_CHARS_MAX: usize = 64;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// As `limits[1].window`; empty when it is the whole value.
    pub field: String,
    /// What stands there and what is allowed.
    pub problem: String,
}

/// Everything that is wrong: the first [`POLICY_FAULTS_MAX`] faults and the number of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    listed: Vec<Fault>,
    unlisted: usize,
}

/// JSON that is not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{faults}")]
pub struct InvalidPolicyDocument {
    pub faults: Faults,
}

impl Fault {
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    /// The same fault of a value that stands at `place` in something larger.
    fn within(self, place: &str) -> Self {
        let field = if self.field.is_empty() { place.to_owned() } else { format!("{place}.{}", self.field) };
        Self { field, ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() { f.write_str(&self.problem) } else { write!(f, "{}: {}", self.field, self.problem) }
    }
}

impl Faults {
    /// In the order in which they stand in the text.
    #[must_use]
    pub fn listed(&self) -> &[Fault] {
        &self.listed
    }

    /// All of them, listed or not.
    #[must_use]
    pub fn count(&self) -> usize {
        self.listed.len().saturating_add(self.unlisted)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    pub(crate) fn push(&mut self, fault: Fault) {
        if self.listed.len() < POLICY_FAULTS_MAX {
            self.listed.push(fault);
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
    }

    /// Takes over the faults of a part that stands at `place`.
    pub(crate) fn push_all_within(&mut self, place: &str, part: Self) {
        self.unlisted = self.unlisted.saturating_add(part.unlisted);
        part.listed.into_iter().for_each(|fault| self.push(fault.within(place)));
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self { listed: vec![fault], unlisted: 0 }
    }
}

impl From<Faults> for InvalidPolicyDocument {
    fn from(faults: Faults) -> Self {
        Self { faults }
    }
}

/// On one line, apart by semicolons.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.listed.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{fault}")?;
        }
        if self.unlisted > 0 {
            write!(f, "; and {} more", self.unlisted)?;
        }
        Ok(())
    }
}

/// Someone's text as it may be repeated: in quotes, control characters escaped, cut to a length that fits a log line.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_listed_up_to_the_cap_and_counted_beyond_it() {
        let mut faults = Faults::default();
        for _ in 0..POLICY_FAULTS_MAX + 5 {
            let mut part = Faults::from(Fault::new("burst", "no"));
            part.push(Fault::new("", "neither"));
            faults.push_all_within("default", part);
        }
        assert_eq!(faults.listed().len(), POLICY_FAULTS_MAX);
        assert_eq!(faults.count(), 2 * POLICY_FAULTS_MAX + 10);
        assert_eq!(faults.listed()[0].to_string(), "default.burst: no");
        assert_eq!(faults.listed()[1].to_string(), "default: neither");
        assert!(faults.to_string().ends_with("; and 110 more"));
    }

    #[test]
    fn what_someone_wrote_is_repeated_escaped_and_cut() {
        assert_eq!(quoted("a\n\"b\""), r#""a\n\"b\"""#);
        assert_eq!(quoted(&"é".repeat(65)), format!("\"{}\"...", "é".repeat(64)));
    }
}
