//! Coordination by etcd 3.4 or later. These files are the only ones that know etcd.
//!
//! * [`EtcdOptions`] (`options.rs`): how to reach it. `link.rs`: one connection at a time, and when to give it up. `call.rs`: a call
//!   with its deadline. `classify.rs`: what an error means. `convert.rs`: etcd's messages and ours.
//! * `transact.rs`, `list.rs`, `leases.rs`, `watching.rs`: the four kinds of calls.
//!
//! What etcd and its client do not do by themselves, and where it is done:
//!
//! | pitfall | here |
//! |---|---|
//! | connecting proves nothing; the first call fails | `call.rs`: that call surely did not happen, and another member is tried |
//! | consecutive calls reach different members, one of which may be behind | `link.rs`: one member until it fails |
//! | a dead connection says nothing | HTTP/2 pings also while idle, a deadline for every call, and after a missed one a new connection |
//! | streams end and are not resumed | `watching.rs` resumes, and lists again after a compaction or silence; a renewal is a stream of its own |
//! | a read-only transaction may be stale | `transact.rs` makes every transaction a raft entry |
//! | a listing may be stale (etcd before 3.4.42) | `list.rs` reads at a revision that the log just gave |
//! | a transaction that was not answered may have happened | `classify.rs` says so of every error that leaves it open |
//! | a restored backup looks like any etcd | each reply's cluster and revision are judged (`standing.rs`) |

mod call;
mod classify;
mod convert;
mod leases;
mod link;
mod list;
mod options;
mod secret;
mod transact;
mod watching;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::link::Link;
use self::list::Part;
pub use self::options::{Credentials, Endpoint, EtcdOptions, Identity, InvalidOptions, Tls};
pub use self::secret::Secret;
use crate::standing::{Standing, Way};
use crate::{
    Answer, Coordination, Fault, Grant, Header, Key, LeaseId, Listing, Outcome, Prefix, Renewal, Seen, Ttl, Txn,
    TxnError, Watch, WatchOptions,
};

/// A client of etcd. Cheap to clone; clones share their connection and what they have seen.
#[derive(Debug, Clone)]
pub struct Etcd {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    link: Link,
    standing: Mutex<Standing>,
}

impl Etcd {
    /// A client for these options. It asks nothing yet: whether etcd is there shows at the first call. Call it in a tokio runtime.
    ///
    /// # Errors
    /// [`InvalidOptions`]: no etcd can be reached with these.
    pub async fn new(options: EtcdOptions) -> Result<Self, InvalidOptions> {
        options.check()?;
        let standing = Mutex::new(Standing::new(options.seen));
        let link = Link::new(options).await?;
        Ok(Self { shared: Arc::new(Shared { link, standing }) })
    }

    /// The version of the member that is connected, such as `3.4.23`.
    ///
    /// # Errors
    /// The [`Fault`] of the call.
    pub async fn version(&self, within: Duration) -> Result<String, Fault> {
        self.shared.version(within).await
    }
}

impl Coordination for Etcd {
    fn transact(&self, txn: Txn, within: Duration) -> Answer<'_, Result<Outcome, TxnError>> {
        Box::pin(self.shared.transact(txn, within))
    }

    fn list(&self, prefix: Prefix, within: Duration) -> Answer<'_, Result<Listing, Fault>> {
        Box::pin(async move { self.shared.list(&prefix, within).await })
    }

    fn page(
        &self,
        prefix: Prefix,
        after: Option<Key>,
        size: usize,
        within: Duration,
    ) -> Answer<'_, Result<Listing, Fault>> {
        Box::pin(async move { self.shared.list_part(&Part::behind(&prefix, after.as_ref(), size), within).await })
    }

    fn watch(&self, prefix: Prefix, options: WatchOptions) -> Watch {
        let (writer, watch) = Watch::channel();
        tokio::spawn(watching::run(Arc::clone(&self.shared), prefix, options, writer));
        watch
    }

    fn grant(&self, ttl: Ttl, within: Duration) -> Answer<'_, Result<Grant, Fault>> {
        Box::pin(self.shared.grant(ttl, within))
    }

    fn renew(&self, lease: LeaseId, within: Duration) -> Answer<'_, Result<Renewal, Fault>> {
        Box::pin(self.shared.renew(lease, within))
    }

    fn revoke(&self, lease: LeaseId, within: Duration) -> Answer<'_, Result<(), Fault>> {
        Box::pin(self.shared.revoke(lease, within))
    }

    fn seen(&self) -> Option<Seen> {
        self.shared.standing().seen()
    }
}

impl Shared {
    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be asked before each call; see [`Standing::trusted`].
    fn trusted(&self) -> Result<Way, Fault> {
        self.standing().trusted()
    }

    /// To be told of each reply's header; see [`Standing::judge`].
    fn judge(&self, way: Way, header: &Header) -> Result<(), Fault> {
        let judged = self.standing().judge(way, header);
        if let Err(fault) = &judged {
            tracing::error!(%fault, "etcd must not be believed");
        }
        judged
    }
}
