//! Coordination of the nodes: who is there, who owns what, and which limits apply, kept in one linearizable store.
//!
//! * [`Coordination`] is the contract, in `coordination.rs`. Its values: [`Key`], [`Prefix`] and [`Entry`] (`key.rs`), [`Txn`] and
//!   [`Outcome`] (`txn.rs`), [`Watch`] and [`Update`] (`watch.rs`), leases (`lease.rs`), [`Header`] and [`Seen`] (`header.rs`), and why
//!   a call fails: [`Fault`] and [`TxnError`] (`fault.rs`).
//! * [`Keys`] (`keys.rs`): which key holds what.
//! * [`Session`] (`session.rs`): a node's key under a lease that is kept alive, and its heartbeats.
//! * [`Etcd`] (`etcd.rs`): the store that several machines share. [`Embedded`] (`embedded.rs`): the same within one process.
//!
//! Values are opaque bytes here; nothing in this crate knows an ownership record or a policy, or decides what a node may do.

mod coordination;
mod embedded;
mod etcd;
mod fault;
mod header;
mod key;
mod keys;
mod lease;
mod session;
mod standing;
mod txn;
mod watch;

pub use coordination::{Answer, Coordination};
pub use embedded::{Embedded, Failure};
pub use etcd::{Credentials, Endpoint, Etcd, EtcdOptions, Identity, InvalidOptions, Secret, Tls};
pub use fault::{Fault, TxnError};
pub use header::{ClusterId, Header, Revision, Seen};
pub use key::{Entry, Key, Prefix};
pub use keys::{ClusterName, InvalidClusterName, InvalidKey, Keys, LimitPlace, Place, Whom};
pub use lease::{Grant, InvalidTtl, LeaseId, Renewal, Ttl};
pub use session::{Beat, Heartbeat, Keeper, Liveness, OpenError, Session, Terms};
pub use txn::{Compare, InvalidTxn, Op, Outcome, Reply, Txn};
pub use watch::{Change, Changes, Listing, Start, Update, Watch, WatchOptions};
