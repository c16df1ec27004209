//! Stop after a failed write. What a failed write left on disk is unknown, so nothing may be written behind it: the first
//! reason is kept, and every later write is refused with it. Invariant: once stopped, stopped for the life of the process.

use std::sync::OnceLock;

use crate::WriteError;

/// Set once, by the first write that failed.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    reason: OnceLock<String>,
}

impl Stop {
    /// # Errors
    /// [`WriteError`] with the first reason, when an earlier write failed.
    pub(crate) fn check(&self) -> Result<(), WriteError> {
        self.reason.get().map_or(Ok(()), |reason| Err(WriteError { reason: reason.clone() }))
    }

    /// Stops, unless that has happened already, and returns the reason that counts: the first.
    pub(crate) fn because(&self, reason: String) -> WriteError {
        let first = self.reason.get_or_init(|| {
            tracing::error!(%reason, "a journal write failed; nothing is written any more");
            reason
        });
        WriteError { reason: first.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_reason_stays() {
        let stop = Stop::default();
        assert!(stop.check().is_ok());
        assert_eq!(stop.because("disk full".to_owned()).reason, "disk full");
        assert_eq!(stop.because("something later".to_owned()).reason, "disk full");
        assert_eq!(stop.check().unwrap_err().reason, "disk full");
    }
}
