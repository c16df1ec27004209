//! The store's own record of a run, the time between a start and the next one: on which boot of the machine, whether it left
//! commits to a later sync, and whether a doubt of an earlier start is still unsettled. Stored as JSON under `keys::RUN`, always
//! with an fsync. Invariant: a run that has unsynced commits is marked `lax` *before* the first of them.

use serde::{Deserialize, Serialize};

use crate::{Corrupt, Lineage};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Of the data directory; the database of another one is refused.
    pub(crate) lineage: String,
    /// Of the machine; empty when the caller does not know it, which equals no other boot.
    pub(crate) boot_id: String,
    /// Commits of this run may not be on disk: a power cut loses them without a trace.
    pub(crate) lax: bool,
    /// Why the journal was not whole when it was last read, until the counters are discarded.
    pub(crate) doubt: Option<String>,
}

impl Run {
    /// A run that begins now, with nothing left to a later sync.
    pub(crate) fn begin(lineage: Lineage, boot_id: &str, doubt: Option<String>) -> Self {
        Self { lineage: lineage.to_string(), boot_id: boot_id.to_owned(), lax: false, doubt }
    }

    pub(crate) fn with_lax(&self) -> Self {
        Self { lax: true, ..self.clone() }
    }

    pub(crate) fn without_lax(&self) -> Self {
        Self { lax: false, ..self.clone() }
    }

    pub(crate) fn without_doubt(&self) -> Self {
        Self { doubt: None, ..self.clone() }
    }

    /// Whether the page cache that held this run's commits is known to have lived until `boot_id`.
    pub(crate) fn is_same_boot(&self, boot_id: &str) -> bool {
        !boot_id.is_empty() && self.boot_id == boot_id
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        // Strings, a flag and an option always serialize; an empty value would be refused when it is read.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// # Errors
    /// [`Corrupt`] when the bytes are not such a record.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        serde_json::from_slice(bytes)
            .map_err(|error| Corrupt { reason: format!("the run record is not readable: {error}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_frozen() {
        let run = Run::begin(Lineage::from_bytes([1; 16]), "b0", Some("torn".to_owned())).with_lax();
        let text = r#"{"lineage":"01010101010101010101010101010101","boot_id":"b0","lax":true,"doubt":"torn"}"#;
        assert_eq!(run.encode(), text.as_bytes());
        assert_eq!(Run::decode(text.as_bytes()).unwrap(), run);
    }

    #[test]
    fn unknown_boot_equals_no_boot() {
        let run = Run::begin(Lineage::from_bytes([1; 16]), "", None);
        assert!(!run.is_same_boot(""));
        assert!(Run::begin(Lineage::from_bytes([1; 16]), "b", None).is_same_boot("b"));
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [&b""[..], b"{}", b"[]", b"{\"lineage\":1}"] {
            assert!(Run::decode(bytes).is_err());
        }
    }
}
