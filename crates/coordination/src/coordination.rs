//! The contract of whatever coordinates the nodes: linearizable transactions, leases, listings and watches. `tests/coordination`
//! holds it as claims that every implementation keeps.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::{
    Fault, Grant, Key, LeaseId, Listing, Outcome, Prefix, Renewal, Reply, Seen, Ttl, Txn, TxnError, Watch, WatchOptions,
};

/// An answer that is yet to come. Dropping it gives up waiting; what was asked for may still happen.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Coordinates nodes. Calls may be made from any task of a tokio runtime, at the same time; each ends within the time it is given.
pub trait Coordination: Send + Sync {
    /// Runs a transaction. Through the log, so that its reads are never stale; [`TxnError`] says whether it may have happened.
    fn transact(&self, txn: Txn, within: Duration) -> Answer<'_, Result<Outcome, TxnError>>;

    /// Everything under a prefix as of one revision, which is the newest at some moment during the call.
    fn list(&self, prefix: Prefix, within: Duration) -> Answer<'_, Result<Listing, Fault>>;

    /// At most `size` entries under a prefix, by key, behind the key `after`; fewer only when there are no more. As of one revision, as
    /// [`Coordination::list`], but the next page is of another.
    fn page(
        &self,
        prefix: Prefix,
        after: Option<Key>,
        size: usize,
        within: Duration,
    ) -> Answer<'_, Result<Listing, Fault>> {
        let listing = self.list(prefix, within);
        Box::pin(async move {
            let mut listing = listing.await?;
            listing.entries.retain(|entry| Some(&entry.key) > after.as_ref());
            listing.entries.truncate(size);
            Ok(listing)
        })
    }

    /// Follows a prefix. The watch goes on through lost connections, restarts and compactions, until its reader drops it or the
    /// store must not be believed any more.
    fn watch(&self, prefix: Prefix, options: WatchOptions) -> Watch;

    /// A new lease. After a fault one may exist all the same; it expires by itself.
    fn grant(&self, ttl: Ttl, within: Duration) -> Answer<'_, Result<Grant, Fault>>;

    /// Makes a lease live for its whole time to live again. The answer is a hint, never authority: it may come from a member
    /// that is behind.
    fn renew(&self, lease: LeaseId, within: Duration) -> Answer<'_, Result<Renewal, Fault>>;

    /// Ends a lease and deletes its keys. A lease that is gone already is fine.
    fn revoke(&self, lease: LeaseId, within: Duration) -> Answer<'_, Result<(), Fault>>;

    /// The cluster, and the highest revision in any reply so far; `None` before the first.
    fn seen(&self) -> Option<Seen>;

    /// Reads keys through the log. It does not settle a transaction with an unknown outcome; see [`Txn::settle`].
    fn read(&self, keys: Vec<Key>, within: Duration) -> Answer<'_, Result<Reply, Fault>> {
        let answer = self.transact(Txn::read(keys), within);
        Box::pin(async move {
            match answer.await {
                Ok(Outcome::Committed(reply) | Outcome::Refused(reply)) => Ok(reply),
                Err(error) => Err(error.into_fault()),
            }
        })
    }
}
