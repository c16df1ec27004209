//! The last good policies as records. A policy's key is its key in etcd; the value is the revision (eight bytes, little-endian) and
//! the JSON with every field, so that a later version with other defaults reads the same policy.
//!
//! One more record, the mark, says that the records are all policies of a cluster as of some revision or a later one. It is written with
//! the last change that was waiting, so it is there only when nothing from before it is missing.

use drl_configuration::{Entry, InvalidPolicyDocument, PolicyDocument};
use drl_coordination::{ClusterId, Revision};

use crate::texts::Texts;

/// No key of a policy is like this: they begin with a slash.
pub(crate) const MARK_KEY: &[u8] = b"complete";

/// Of which cluster the records are, and until when nothing is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) cluster: ClusterId,
    pub(crate) revision: Revision,
}

/// A record that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRecord {
    #[error("it is shorter than a revision")]
    Short,
    #[error("{0}")]
    Policy(#[from] InvalidPolicyDocument),
}

pub(crate) fn value(entry: &Entry) -> Vec<u8> {
    let mut value = entry.revision.to_le_bytes().to_vec();
    value.extend_from_slice(PolicyDocument::from(&*entry.policy).to_string().as_bytes());
    value
}

pub(crate) fn read(value: &[u8], texts: &mut Texts) -> Result<Entry, BadRecord> {
    let (revision, json) = value.split_first_chunk().ok_or(BadRecord::Short)?;
    let policy = texts.policy(json.to_vec())?;
    Ok(Entry { policy, revision: u64::from_le_bytes(*revision) })
}

impl Mark {
    pub(crate) fn value(self) -> Vec<u8> {
        [self.cluster.0.to_le_bytes(), self.revision.0.to_le_bytes()].concat()
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, BadRecord> {
        let (cluster, rest) = value.split_first_chunk().ok_or(BadRecord::Short)?;
        let revision = rest.first_chunk().ok_or(BadRecord::Short)?;
        let (cluster, revision) = (u64::from_le_bytes(*cluster), u64::from_le_bytes(*revision));
        Ok(Self { cluster: ClusterId(cluster), revision: Revision(revision) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_as_a_record_is_frozen() {
        let json = r#"{"limits":[{"requests":100,"window":"1m"}],"algorithm":"sliding-window","durability":"replicated","on_unavailable":"deny","on_state_loss":"deny","shadow":false}"#;
        let record = [&[2, 1, 0, 0, 0, 0, 0, 0], json.as_bytes()].concat();
        let entry = read(&record, &mut Texts::default()).unwrap();
        assert_eq!(entry.revision, 258);
        assert_eq!(value(&entry), record);
    }

    #[test]
    fn a_mark_is_frozen() {
        let mark = Mark { cluster: ClusterId(3), revision: Revision(258) };
        assert_eq!(mark.value(), [3, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Mark::read(&mark.value()), Ok(mark));
    }

    #[test]
    fn records_that_are_cut_or_no_policy_are_refused() {
        let mut texts = Texts::default();
        assert_eq!(read(b"1234567", &mut texts), Err(BadRecord::Short));
        assert!(matches!(read(b"12345678{\"limits\":[]}", &mut texts), Err(BadRecord::Policy(_))));
        assert_eq!(Mark::read(b"123456781234567"), Err(BadRecord::Short));
    }
}
