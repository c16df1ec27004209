//! Transactions. Invariant: each is an entry of the raft log, so that its reads are not stale. etcd sends a transaction without a
//! change past the log (`isTxnReadonly` looks at both branches, taken or not, and at nested transactions); so one that only reads gets a
//! nested transaction whose compare never holds. It writes nothing and costs one entry.

use std::time::Duration;

use drl_core::caps::COORDINATION_MESSAGE_BYTES_MAX;
use etcd_client::proto::{PbTxnOpResponse, PbTxnResponse};
use etcd_client::{Client, Compare as EtcdCompare, CompareOp, Txn as EtcdTxn, TxnOp};

use super::classify::{Effect, Kind, Trouble};
use super::{Shared, convert};
use crate::{Fault, Header, Key, Op, Outcome, Reply, Txn, TxnError};

impl Shared {
    pub(super) async fn transact(&self, txn: Txn, within: Duration) -> Result<Outcome, TxnError> {
        txn.check()?;
        let way = self.trusted().map_err(TxnError::Unavailable)?;
        let request = request(&txn);
        let answer = self.call(within, |client| send(client, request.clone()));
        let response = answer.await.map_err(TxnError::from)?;
        // It happened; but whoever cannot read what it says does not know how.
        let header = convert::header(response.header.as_ref()).map_err(TxnError::Unknown)?;
        self.judge(way, &header).map_err(TxnError::Unknown)?;
        outcome(header, response, &txn).map_err(TxnError::Unknown)
    }

    /// The revision that the log is at now.
    pub(super) async fn newest(&self, key: &Key, within: Duration) -> Result<Header, Trouble> {
        let way = self.trusted().map_err(finally)?;
        let request = EtcdTxn::new().and_then([nothing(key)]);
        let answer = self.call(within, |client| send(client, request.clone()));
        let header = convert::header(answer.await?.header.as_ref()).map_err(finally)?;
        self.judge(way, &header).map_err(finally)?;
        Ok(header)
    }
}

impl From<Trouble> for TxnError {
    fn from(trouble: Trouble) -> Self {
        match (trouble.effect, trouble.kind) {
            (Effect::None, Kind::LeaseGone) => Self::LeaseGone,
            (Effect::None, _) => Self::Unavailable(trouble.fault),
            (Effect::Possible, _) => Self::Unknown(trouble.fault),
        }
    }
}

pub(super) const fn finally(fault: Fault) -> Trouble {
    Trouble { fault, effect: Effect::None, kind: Kind::Final }
}

async fn send(client: Client, request: EtcdTxn) -> Result<PbTxnResponse, etcd_client::Error> {
    let mut kv = client.kv_client().max_decoding_message_size(COORDINATION_MESSAGE_BYTES_MAX);
    kv.txn(request).await.map(|response| response.0)
}

fn request(txn: &Txn) -> EtcdTxn {
    let compares: Vec<_> = txn.compares.iter().map(convert::compare).collect();
    let mut then: Vec<_> = txn.then.iter().map(convert::op).collect();
    let otherwise: Vec<_> = txn.otherwise.iter().map(convert::op).collect();
    if !txn.then.iter().chain(&txn.otherwise).any(Op::is_change) {
        let some_key = txn.then.iter().chain(&txn.otherwise).find_map(Op::key);
        let some_key = some_key.or_else(|| txn.compares.first().map(crate::Compare::key));
        then.push(nothing(some_key.unwrap_or(&Key::from("/drl/"))));
    }
    EtcdTxn::new().when(compares).and_then(then).or_else(otherwise)
}

/// Changes nothing, and looks to etcd as if it could. It deletes rather than puts, so that an etcd which is out of space takes it.
fn nothing(key: &Key) -> TxnOp {
    let never = EtcdCompare::version(key.as_bytes(), CompareOp::Less, 0);
    TxnOp::txn(EtcdTxn::new().when([never]).and_then([TxnOp::delete(key.as_bytes(), None)]))
}

fn outcome(header: Header, response: PbTxnResponse, txn: &Txn) -> Result<Outcome, Fault> {
    let branch = if response.succeeded { &txn.then } else { &txn.otherwise };
    let (mut read, mut listed) = (Vec::new(), Vec::new());
    let mut responses = response.responses.into_iter();
    for op in branch {
        let found = responses.next().and_then(|found| found.response);
        match (op, found) {
            (Op::Get { .. }, Some(PbTxnOpResponse::ResponseRange(found))) => {
                read.push(found.kvs.into_iter().next().map(convert::entry).transpose()?);
            }
            (Op::List { .. }, Some(PbTxnOpResponse::ResponseRange(found))) => {
                listed.push(found.kvs.into_iter().map(convert::entry).collect::<Result<_, _>>()?);
            }
            (Op::Put { .. }, Some(PbTxnOpResponse::ResponsePut(_)))
            | (Op::Delete { .. }, Some(PbTxnOpResponse::ResponseDeleteRange(_))) => {}
            _ => return Err(convert::garbled("an operation has no answer of its kind")),
        }
    }
    let reply = Reply { header, read, listed };
    Ok(if response.succeeded { Outcome::Committed(reply) } else { Outcome::Refused(reply) })
}
