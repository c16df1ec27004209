//! Guarded transactions: compares, and what to do when all of them hold and when one does not. All of a branch happens, in one
//! revision, or nothing.
//!
//! Every transaction goes through the store's log, also one that only reads. A read that does not may be answered by a member which
//! is behind; a transaction never is.
//!
//! An unknown outcome is settled with [`Txn::settle`]. Reading alone does not do it: the lost transaction may still be on its way
//! and happen after the read. Settling changes a record that the lost transaction compares, so that it can happen no more.

use std::collections::BTreeSet;

use drl_core::caps::{TXN_BYTES_MAX, TXN_LIST_MAX};

use crate::{Entry, Header, Key, LeaseId, Prefix, Revision};

/// A transaction. Operations of a branch run in order; a get sees the puts before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Txn {
    /// All must hold. None at all holds always.
    pub compares: Vec<Compare>,
    /// What happens when they do.
    pub then: Vec<Op>,
    /// What happens when one does not.
    pub otherwise: Vec<Op>,
}

/// A claim about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compare {
    /// The key was last changed in exactly this revision; [`Revision::ABSENT`]: there is no such key.
    Changed { key: Key, at: Revision },
    /// The key has been there without a gap since exactly this revision.
    Created { key: Key, at: Revision },
    /// The key exists, under this lease.
    Lease { key: Key, is: LeaseId },
    /// The key exists, with exactly this value.
    Value { key: Key, is: Vec<u8> },
}

/// One operation of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Without a lease the key stays until it is deleted, also when it had one before.
    Put {
        key: Key,
        value: Vec<u8>,
        lease: Option<LeaseId>,
    },
    /// Deleting an absent key is nothing.
    Delete {
        key: Key,
    },
    Get {
        key: Key,
    },
    /// Everything under a prefix. For what is known to be little: it comes in one message.
    List {
        prefix: Prefix,
    },
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The compares held and `then` happened. The header's revision is the transaction's own, if it changed anything.
    Committed(Reply),
    /// A compare did not hold and `otherwise` happened.
    Refused(Reply),
}

/// What the branch that happened has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub header: Header,
    /// One for each get of the branch, in order; `None`: no such key.
    pub read: Vec<Option<Entry>>,
    /// One for each listing of the branch, in order; the entries of each by key.
    pub listed: Vec<Vec<Entry>>,
}

/// A transaction that no store takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTxn {
    #[error("{sent} compares or operations in one list; at most {TXN_LIST_MAX}")]
    TooLong { sent: usize },
    #[error("{sent} bytes of keys and values in one transaction; at most {TXN_BYTES_MAX}")]
    TooLarge { sent: usize },
    #[error("{key} is changed twice in one branch")]
    ChangedTwice { key: Key },
    #[error("a key is empty")]
    EmptyKey,
}

impl Compare {
    /// There is no such key.
    #[must_use]
    pub const fn absent(key: Key) -> Self {
        Self::Changed { key, at: Revision::ABSENT }
    }

    #[must_use]
    pub const fn key(&self) -> &Key {
        match self {
            Self::Changed { key, .. }
            | Self::Created { key, .. }
            | Self::Lease { key, .. }
            | Self::Value { key, .. } => key,
        }
    }

    fn bytes(&self) -> usize {
        let value = if let Self::Value { is, .. } = self { is.len() } else { 0 };
        self.key().as_bytes().len().saturating_add(value)
    }
}

impl Op {
    /// The one key that it is about.
    #[must_use]
    pub const fn key(&self) -> Option<&Key> {
        match self {
            Self::Put { key, .. } | Self::Delete { key } | Self::Get { key } => Some(key),
            Self::List { .. } => None,
        }
    }

    #[must_use]
    pub const fn is_change(&self) -> bool {
        matches!(self, Self::Put { .. } | Self::Delete { .. })
    }

    fn bytes(&self) -> usize {
        let value = if let Self::Put { value, .. } = self { value.len() } else { 0 };
        let key = match self {
            Self::Put { key, .. } | Self::Delete { key } | Self::Get { key } => key.as_bytes(),
            Self::List { prefix } => prefix.as_bytes(),
        };
        key.len().saturating_add(value)
    }
}

impl Txn {
    /// Reads keys through the log: what it finds is the newest there was at some moment during the call.
    #[must_use]
    pub fn read(keys: impl IntoIterator<Item = Key>) -> Self {
        Self { then: keys.into_iter().map(|key| Op::Get { key }).collect(), ..Self::default() }
    }

    /// Settles a transaction with an unknown outcome that compares `record` with [`Compare::Changed`], together with whatever else:
    /// writes the same value again, if it still stands as it was. Committed: the lost transaction did not happen and never will.
    /// Refused: somebody changed the record, and the one entry that is read says whether it was the lost transaction.
    #[must_use]
    pub fn settle(record: &Entry) -> Self {
        let Entry { key, value, changed, lease, .. } = record.clone();
        Self {
            compares: vec![Compare::Changed { key: key.clone(), at: changed }],
            then: vec![Op::Put { key: key.clone(), value, lease }],
            otherwise: vec![Op::Get { key }],
        }
    }

    /// # Errors
    /// [`InvalidTxn`], and nothing was sent.
    pub fn check(&self) -> Result<(), InvalidTxn> {
        let sent = self.compares.len().max(self.then.len()).max(self.otherwise.len());
        if sent > TXN_LIST_MAX {
            return Err(InvalidTxn::TooLong { sent });
        }
        let ops = || self.then.iter().chain(&self.otherwise);
        let keys = self.compares.iter().map(Compare::key).chain(ops().filter_map(Op::key));
        if keys.into_iter().any(|key| key.as_bytes().is_empty()) {
            return Err(InvalidTxn::EmptyKey);
        }
        let sent = self.compares.iter().map(Compare::bytes).chain(ops().map(Op::bytes)).fold(0, usize::saturating_add);
        if sent > TXN_BYTES_MAX {
            return Err(InvalidTxn::TooLarge { sent });
        }
        for branch in [&self.then, &self.otherwise] {
            let mut changed = BTreeSet::new();
            let keys = branch.iter().filter(|op| op.is_change()).filter_map(Op::key);
            if let Some(key) = keys.into_iter().find(|key| !changed.insert(*key)) {
                return Err(InvalidTxn::ChangedTwice { key: key.clone() });
            }
        }
        Ok(())
    }
}

impl Outcome {
    #[must_use]
    pub const fn is_committed(&self) -> bool {
        matches!(self, Self::Committed(_))
    }

    /// What the branch that happened has to say.
    #[must_use]
    pub const fn reply(&self) -> &Reply {
        match self {
            Self::Committed(reply) | Self::Refused(reply) => reply,
        }
    }

    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.reply().header.revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, bytes: usize) -> Op {
        Op::Put { key: key.into(), value: vec![b'x'; bytes], lease: None }
    }

    #[test]
    fn a_hundred_records_with_their_compares_fit_and_a_longer_list_is_refused() {
        let key = |index| Key::from(format!("/k/{index}"));
        let compares = |count| (0..count).map(|index| Compare::absent(key(index))).collect::<Vec<_>>();
        let gets = |count| (0..count).map(|index| Op::Get { key: key(index) }).collect::<Vec<_>>();
        let txn = Txn { compares: compares(101), then: gets(101), otherwise: gets(100) };
        assert_eq!(txn.check(), Ok(()));
        for txn in [
            Txn { compares: compares(128), ..Txn::default() },
            Txn { then: gets(128), ..Txn::default() },
            Txn { otherwise: gets(128), ..Txn::default() },
        ] {
            assert_eq!(txn.check(), Err(InvalidTxn::TooLong { sent: 128 }));
        }
    }

    #[test]
    fn a_transaction_is_refused_one_byte_above_the_cap() {
        let txn = Txn { then: vec![put("k", TXN_BYTES_MAX - 1)], ..Txn::default() };
        assert_eq!(txn.check(), Ok(()));
        let txn = Txn { then: vec![put("k", TXN_BYTES_MAX)], ..Txn::default() };
        assert_eq!(txn.check(), Err(InvalidTxn::TooLarge { sent: TXN_BYTES_MAX + 1 }));
    }

    #[test]
    fn a_key_changed_twice_in_one_branch_is_refused_and_in_both_branches_is_not() {
        let delete = Op::Delete { key: "a".into() };
        let txn = Txn { then: vec![put("a", 1), put("b", 1), delete.clone()], ..Txn::default() };
        assert_eq!(txn.check(), Err(InvalidTxn::ChangedTwice { key: "a".into() }));
        let get = Op::Get { key: "a".into() };
        let txn = Txn { then: vec![put("a", 1), get.clone(), get], otherwise: vec![delete], ..Txn::default() };
        assert_eq!(txn.check(), Ok(()));
    }

    #[test]
    fn an_empty_key_is_refused() {
        assert_eq!(Txn::read([Key::from("")]).check(), Err(InvalidTxn::EmptyKey));
    }
}
