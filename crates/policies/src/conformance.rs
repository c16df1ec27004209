//! What every [`LastGood`] must do, as claims that run against each implementation. A claim returns what it found broken instead of
//! panicking, so that this may live beside the trait.

use drl_core::caps::{LAST_GOOD_SAVE_RECORDS_MAX, RECORD_KEY_BYTES_MAX};

use crate::{LastGood, LastGoodError, LastGoodRecord};

/// An implementation under test.
pub trait Subject {
    /// The implementation, in the present process.
    fn last_good(&self) -> &dyn LastGood;

    /// Ends the process, as a power cut does, and starts the next one.
    ///
    /// # Errors
    /// When it cannot be opened again.
    fn restart(&mut self) -> Result<(), Broken>;
}

/// What an implementation did not keep.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Broken {
    pub what: String,
}

/// Runs every claim on one new, empty subject.
///
/// # Errors
/// [`Broken`] for the first claim that does not hold.
pub fn check(subject: &mut dyn Subject) -> Result<(), Broken> {
    holds(subject, "a new one is empty", &[])?;
    saved_records_survive(subject)?;
    changes_of_one_save_happen_together(subject)?;
    a_full_save_with_the_longest_key_fits(subject)
}

fn saved_records_survive(subject: &mut dyn Subject) -> Result<(), Broken> {
    // Keys of which one begins another, bytes that are no text, a value without bytes.
    let records = [record(b"/a", b"1"), record(b"/a/b", b""), record(&[0, 0xff], &[0xff, 0])];
    subject.last_good().save(&puts(&records))?;
    holds(subject, "what was saved is there", &records)?;
    subject.restart()?;
    holds(subject, "what was saved survives a restart", &records)
}

fn changes_of_one_save_happen_together(subject: &mut dyn Subject) -> Result<(), Broken> {
    let changes = [
        (b"/a".to_vec(), Some(b"2".to_vec())),
        (b"/a/b".to_vec(), None),
        (b"/never".to_vec(), None),
        (vec![0, 0xff], None),
        (b"/c".to_vec(), Some(b"3".to_vec())),
    ];
    subject.last_good().save(&changes)?;
    subject.last_good().save(&[])?;
    subject.restart()?;
    let after = [record(b"/a", b"2"), record(b"/c", b"3")];
    holds(subject, "a later value replaces, and what was deleted stays away", &after)?;
    subject.last_good().save(&[(b"/a".to_vec(), None), (b"/c".to_vec(), None)])?;
    subject.restart()?;
    holds(subject, "everything can be deleted", &[])
}

fn a_full_save_with_the_longest_key_fits(subject: &mut dyn Subject) -> Result<(), Broken> {
    let mut records: Vec<_> =
        (1..LAST_GOOD_SAVE_RECORDS_MAX).map(|number| record(format!("/{number}").as_bytes(), &[b'v'; 300])).collect();
    records.push(record(&[b'/'; RECORD_KEY_BYTES_MAX], b"longest"));
    subject.last_good().save(&puts(&records))?;
    subject.restart()?;
    holds(subject, "a save of the largest size is there as a whole", &records)
}

fn record(key: &[u8], value: &[u8]) -> LastGoodRecord {
    (key.to_vec(), value.to_vec())
}

fn puts(records: &[LastGoodRecord]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    records.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect()
}

fn holds(subject: &dyn Subject, claim: &str, expected: &[LastGoodRecord]) -> Result<(), Broken> {
    let (mut found, mut expected) = (subject.last_good().load()?, expected.to_vec());
    found.sort_unstable();
    expected.sort_unstable();
    if found == expected {
        return Ok(());
    }
    let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    let (found, expected) = (found.len(), expected.len());
    Err(Broken { what: format!("{claim}: {found} records, expected {expected}; first difference: {differs:?}") })
}

impl From<LastGoodError> for Broken {
    fn from(error: LastGoodError) -> Self {
        Self { what: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InMemoryLastGood;

    struct InMemory(InMemoryLastGood);

    impl Subject for InMemory {
        fn last_good(&self) -> &dyn LastGood {
            &self.0
        }

        fn restart(&mut self) -> Result<(), Broken> {
            Ok(())
        }
    }

    /// Forgets what was deleted: a planted bug.
    struct Hoarder(InMemoryLastGood);

    impl LastGood for Hoarder {
        fn load(&self) -> Result<Vec<LastGoodRecord>, LastGoodError> {
            self.0.load()
        }

        fn save(&self, changes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<(), LastGoodError> {
            let puts: Vec<_> = changes.iter().filter(|(_, value)| value.is_some()).cloned().collect();
            self.0.save(&puts)
        }
    }

    impl Subject for Hoarder {
        fn last_good(&self) -> &dyn LastGood {
            self
        }

        fn restart(&mut self) -> Result<(), Broken> {
            Ok(())
        }
    }

    #[test]
    fn records_in_memory_keep_every_claim() {
        check(&mut InMemory(InMemoryLastGood::new())).unwrap();
    }

    #[test]
    fn deletions_that_are_lost_are_caught() {
        assert!(check(&mut Hoarder(InMemoryLastGood::new())).is_err());
    }
}
