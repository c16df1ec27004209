//! Between etcd's messages and ours. Total: a message that makes no sense is a fault, not a panic, which is why the fields are read
//! here and not by the client's accessors.

use etcd_client::proto::{PbKeyValue, PbResponseHeader};
use etcd_client::{Compare as EtcdCompare, CompareOp, GetOptions, PutOptions, TxnOp};

use crate::{ClusterId, Compare, Entry, Fault, Header, Key, LeaseId, Op, Revision};

pub(super) fn header(found: Option<&PbResponseHeader>) -> Result<Header, Fault> {
    let found = found.ok_or_else(|| garbled("it has no header"))?;
    Ok(Header { cluster: ClusterId(found.cluster_id), member: found.member_id, revision: revision(found.revision)? })
}

pub(super) fn entry(found: PbKeyValue) -> Result<Entry, Fault> {
    Ok(Entry {
        created: revision(found.create_revision)?,
        changed: revision(found.mod_revision)?,
        lease: LeaseId::new(found.lease),
        key: Key::from(found.key),
        value: found.value,
    })
}

pub(super) fn revision(found: i64) -> Result<Revision, Fault> {
    u64::try_from(found).map(Revision).map_err(|_| garbled("a revision is negative"))
}

/// A revision that is too large for etcd is one that it never reaches.
pub(super) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

pub(super) fn compare(compare: &Compare) -> EtcdCompare {
    let key = compare.key().as_bytes();
    match compare {
        Compare::Changed { at, .. } => EtcdCompare::mod_revision(key, CompareOp::Equal, number(*at)),
        Compare::Created { at, .. } => EtcdCompare::create_revision(key, CompareOp::Equal, number(*at)),
        Compare::Lease { is, .. } => EtcdCompare::lease(key, CompareOp::Equal, is.get()),
        Compare::Value { is, .. } => EtcdCompare::value(key, CompareOp::Equal, is.as_slice()),
    }
}

pub(super) fn op(op: &Op) -> TxnOp {
    match op {
        Op::Put { key, value, lease } => {
            let options = lease.map(|lease| PutOptions::new().with_lease(lease.get()));
            TxnOp::put(key.as_bytes(), value.as_slice(), options)
        }
        Op::Delete { key } => TxnOp::delete(key.as_bytes(), None),
        Op::Get { key } => TxnOp::get(key.as_bytes(), None),
        Op::List { prefix } => TxnOp::get(prefix.as_bytes(), Some(GetOptions::new().with_prefix())),
    }
}

pub(super) fn garbled(reason: &str) -> Fault {
    Fault::Garbled { reason: reason.to_owned() }
}
