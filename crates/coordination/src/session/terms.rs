//! The transactions of a session, as values: whoever runs its own transactions takes them from here, and [`super::Session`] does too.

use crate::{Compare, Entry, Header, Key, LeaseId, Op, Outcome, Txn};

/// What a session is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The node's key, under the session's lease.
    pub key: Key,
    /// What the node's key says.
    pub value: Vec<u8>,
    /// The key of the node's heartbeats. Under no lease: what it says outlives the node.
    pub heartbeat_key: Key,
}

/// What a transaction that is guarded by the session found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heartbeat {
    /// The key is held by this session's lease, and the put happened.
    Held { header: Header },
    /// There is no key: the store did without this node for longer than the time to live.
    KeyAbsent { header: Header },
    /// The key is under another lease, or under none: somebody else is this node. Stop at once.
    OtherLease { by: Entry },
}

impl Terms {
    /// Puts the key under `lease`, provided that it is absent. With a heartbeat's value it is a heartbeat too.
    #[must_use]
    pub fn claim(&self, lease: LeaseId, heartbeat: Option<Vec<u8>>) -> Txn {
        let put = Op::Put { key: self.key.clone(), value: self.value.clone(), lease: Some(lease) };
        let beat = heartbeat.map(|value| self.beat(value));
        Txn {
            compares: vec![Compare::absent(self.key.clone())],
            then: std::iter::once(put).chain(beat).collect(),
            otherwise: vec![Op::Get { key: self.key.clone() }],
        }
    }

    /// Proves that the key is under `lease`. The put makes sure that the proof is not a stale one.
    #[must_use]
    pub fn heartbeat(&self, lease: LeaseId, value: Vec<u8>) -> Txn {
        self.guarded(lease, self.beat(value))
    }

    /// Puts the value again, provided that the key is under `lease`.
    #[must_use]
    pub fn publish(&self, lease: LeaseId) -> Txn {
        let put = Op::Put { key: self.key.clone(), value: self.value.clone(), lease: Some(lease) };
        self.guarded(lease, put)
    }

    /// What the outcome of one of these transactions means.
    #[must_use]
    pub fn judge(&self, outcome: &Outcome) -> Heartbeat {
        let header = outcome.reply().header;
        match outcome {
            Outcome::Committed(_) => Heartbeat::Held { header },
            Outcome::Refused(reply) => match reply.read.first() {
                Some(Some(by)) => Heartbeat::OtherLease { by: by.clone() },
                _ => Heartbeat::KeyAbsent { header },
            },
        }
    }

    fn beat(&self, value: Vec<u8>) -> Op {
        Op::Put { key: self.heartbeat_key.clone(), value, lease: None }
    }

    fn guarded(&self, lease: LeaseId, put: Op) -> Txn {
        Txn {
            compares: vec![Compare::Lease { key: self.key.clone(), is: lease }],
            then: vec![put],
            otherwise: vec![Op::Get { key: self.key.clone() }],
        }
    }
}
