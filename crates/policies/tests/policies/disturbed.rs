//! A way to etcd on which a change meets what a network can do to it: its answer is lost, or it is stuck and arrives much later.

use std::sync::Arc;
use std::time::Duration;

use drl_coordination::{
    Answer, Coordination, Etcd, Fault, Grant, LeaseId, Listing, Op, Outcome, Prefix, Renewal, Seen, Ttl, Txn, TxnError,
    Watch, WatchOptions,
};
use drl_test_etcd::Proxy;

/// What happens on the way of a change to etcd, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disturbance {
    None,
    LostReply,
    Stuck,
}

/// A way to etcd on which the first change is disturbed, and nothing before it.
pub(crate) struct Disturbed {
    pub(crate) etcd: Arc<Etcd>,
    pub(crate) proxy: Proxy,
    pub(crate) disturbance: Disturbance,
}

impl Coordination for Disturbed {
    fn transact(&self, txn: Txn, within: Duration) -> Answer<'_, Result<Outcome, TxnError>> {
        // A new connection is not disturbed any more.
        if txn.then.iter().any(Op::is_change) && self.proxy.opened() == 1 {
            match self.disturbance {
                Disturbance::None => {}
                Disturbance::LostReply => self.proxy.lose_replies(),
                Disturbance::Stuck => self.proxy.freeze(),
            }
        }
        self.etcd.transact(txn, within)
    }

    fn list(&self, prefix: Prefix, within: Duration) -> Answer<'_, Result<Listing, Fault>> {
        self.etcd.list(prefix, within)
    }

    fn watch(&self, prefix: Prefix, options: WatchOptions) -> Watch {
        self.etcd.watch(prefix, options)
    }

    fn grant(&self, ttl: Ttl, within: Duration) -> Answer<'_, Result<Grant, Fault>> {
        self.etcd.grant(ttl, within)
    }

    fn renew(&self, lease: LeaseId, within: Duration) -> Answer<'_, Result<Renewal, Fault>> {
        self.etcd.renew(lease, within)
    }

    fn revoke(&self, lease: LeaseId, within: Duration) -> Answer<'_, Result<(), Fault>> {
        self.etcd.revoke(lease, within)
    }

    fn seen(&self) -> Option<Seen> {
        self.etcd.seen()
    }
}
