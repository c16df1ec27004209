//! Changes policies in etcd, for the command line and for the doors of a node. A policy is checked before it is written, so that only
//! an editor of bytes can put a broken one there.
//!
//! Invariant: every change compares the revision that the key had when it was read, so it happens once at most, however often it is sent.
//! That settles an outcome that is unknown: the same change is sent again. It is committed, and the first one never happened and never
//! will; or it is refused, and what stands there says whether the first one did.

mod error;
mod page;

use std::sync::Arc;
use std::time::Duration;

use drl_configuration::{PolicyDocument, Selector};
use drl_coordination::{Compare, Coordination, Entry, Fault, Key, Keys, Op, Outcome, Reply, Txn, TxnError};
use drl_core::Namespace;
use drl_core::caps::POLICY_PAGE_MAX;
use tokio::time::timeout;

pub use self::error::EditError;
pub use self::page::{PolicyPage, WrittenPolicy};
use crate::place;

/// How often a change is sent until its outcome is known.
const SENT_MAX: usize = 5;

/// Before a change with an unknown outcome is sent again: a broken connection is replaced by then.
const PAUSE: Duration = Duration::from_millis(200);

/// How often a change begins anew because somebody else was faster.
const RACES_MAX: usize = 10;

/// Cheap to clone.
#[derive(Clone)]
pub struct PolicyEditor {
    coordination: Arc<dyn Coordination>,
    keys: Keys,
    within: Duration,
}

/// What became of one guarded change.
enum Attempt {
    Done { revision: u64 },
    Raced { now: Option<Entry> },
}

impl PolicyEditor {
    /// `within` is for each call to the store; a change takes two, and up to six when answers are lost.
    #[must_use]
    pub fn new(coordination: Arc<dyn Coordination>, keys: Keys, within: Duration) -> Self {
        Self { coordination, keys, within }
    }

    /// Writes a policy and returns the revision of the change. Nodes have it in force when their revision is as high.
    ///
    /// # Errors
    /// [`EditError`]: the policy or the selector is not possible, or the store did not take it.
    pub async fn set(&self, namespace: Namespace<'_>, selector: &Selector, json: &[u8]) -> Result<u64, EditError> {
        let policy = PolicyDocument::parse(json)?;
        selector.check()?;
        // With every field, so that nobody has to know the defaults of the version that wrote it.
        let value = PolicyDocument::from(&policy).to_string().into_bytes();
        self.change(namespace, selector, Some(value)).await
    }

    /// Removes a policy, also a broken one, and returns a revision in which it is gone.
    ///
    /// # Errors
    /// [`EditError::NotFound`] when there is none, and as [`PolicyEditor::set`].
    pub async fn delete(&self, namespace: Namespace<'_>, selector: &Selector) -> Result<u64, EditError> {
        selector.check()?;
        self.change(namespace, selector, None).await
    }

    /// What is written for exactly this selector, whatever applies to whom; `None` when nothing is.
    ///
    /// # Errors
    /// [`EditError`]: the selector is not possible, or the store did not answer.
    pub async fn get(&self, namespace: Namespace<'_>, selector: &Selector) -> Result<Option<WrittenPolicy>, EditError> {
        selector.check()?;
        let key = self.keys.limit(namespace, &place::whom(selector));
        let found = self.read(&key).await?;
        Ok(found.map(|entry| WrittenPolicy::new(namespace, selector.clone(), &entry)))
    }

    /// What is written, of one namespace or of all, in the order of the keys: at most `size` behind the key `after`, which is empty at
    /// first and then [`PolicyPage::next`]. 0, or too large a size, is a full page.
    ///
    /// # Errors
    /// [`EditError`] when the store did not answer.
    pub async fn list(
        &self,
        namespace: Option<Namespace<'_>>,
        after: &[u8],
        size: usize,
    ) -> Result<PolicyPage, EditError> {
        let prefix = namespace.map_or_else(|| self.keys.limits(), |namespace| self.keys.limits_of(namespace));
        let size = if size == 0 { POLICY_PAGE_MAX } else { size.min(POLICY_PAGE_MAX) };
        let after = (!after.is_empty()).then(|| Key::from(after.to_vec()));
        // One more shows whether there is a page behind this one.
        let asked = size.saturating_add(1);
        let listing = self.coordination.page(prefix, after, asked, self.within).await.map_err(EditError::Unread)?;
        Ok(page::page(&self.keys, &listing.entries, size))
    }

    async fn change(
        &self,
        namespace: Namespace<'_>,
        selector: &Selector,
        value: Option<Vec<u8>>,
    ) -> Result<u64, EditError> {
        let key = self.keys.limit(namespace, &place::whom(selector));
        let mut before = self.read(&key).await?;
        for _ in 0..RACES_MAX {
            if value.is_none() && before.is_none() {
                return Err(EditError::NotFound { namespace: namespace.to_string(), selector: selector.to_string() });
            }
            match self.attempt(&key, before.as_ref(), value.as_ref()).await? {
                Attempt::Done { revision } => return Ok(revision),
                Attempt::Raced { now } => before = now,
            }
        }
        Err(EditError::Contended { key })
    }

    /// One change of what stood there, until its outcome is known.
    async fn attempt(&self, key: &Key, before: Option<&Entry>, value: Option<&Vec<u8>>) -> Result<Attempt, EditError> {
        let txn = guarded(key, before, value);
        let mut doubt: Option<Fault> = None;
        for _ in 0..SENT_MAX {
            if doubt.is_some() {
                let _ = timeout(PAUSE, std::future::pending::<()>()).await;
            }
            match (self.coordination.transact(txn.clone(), self.within).await, &doubt) {
                (Ok(Outcome::Committed(reply)), _) => return Ok(Attempt::Done { revision: reply.header.revision.0 }),
                (Ok(Outcome::Refused(reply)), None) => return Ok(Attempt::Raced { now: only(reply) }),
                (Ok(Outcome::Refused(reply)), Some(_)) => return settled(key, reply, value),
                (Err(TxnError::Unknown(fault)), _) | (Err(TxnError::Unavailable(fault)), Some(_)) => {
                    let is_final = fault.is_distrust();
                    doubt = Some(fault);
                    if is_final {
                        break;
                    }
                }
                (Err(error), _) => return Err(EditError::NotChanged(error)),
            }
        }
        let fault = doubt.unwrap_or(Fault::NoAnswer { within: self.within });
        Err(EditError::Unsettled { key: key.clone(), fault })
    }

    async fn read(&self, key: &Key) -> Result<Option<Entry>, EditError> {
        let reply = self.coordination.read(vec![key.clone()], self.within).await.map_err(EditError::Unread)?;
        Ok(only(reply))
    }
}

fn guarded(key: &Key, before: Option<&Entry>, value: Option<&Vec<u8>>) -> Txn {
    let at = before.map_or(drl_coordination::Revision::ABSENT, |entry| entry.changed);
    let op = match value {
        Some(value) => Op::Put { key: key.clone(), value: value.clone(), lease: None },
        None => Op::Delete { key: key.clone() },
    };
    Txn {
        compares: vec![Compare::Changed { key: key.clone(), at }],
        then: vec![op],
        otherwise: vec![Op::Get { key: key.clone() }],
    }
}

/// The change was refused the second time: it happened the first time if what stands there is what it makes.
fn settled(key: &Key, reply: Reply, value: Option<&Vec<u8>>) -> Result<Attempt, EditError> {
    let seen = reply.header.revision.0;
    match (only(reply), value) {
        (None, None) => Ok(Attempt::Done { revision: seen }),
        (Some(now), Some(value)) if now.value == *value => Ok(Attempt::Done { revision: now.changed.0 }),
        (now, _) => {
            let revision = now.map_or(seen, |now| now.changed.0);
            Err(EditError::Overtaken { key: key.clone(), revision })
        }
    }
}

/// The one entry that was read.
fn only(reply: Reply) -> Option<Entry> {
    reply.read.into_iter().next().flatten()
}

impl std::fmt::Debug for PolicyEditor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicyEditor").field("keys", &self.keys).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
