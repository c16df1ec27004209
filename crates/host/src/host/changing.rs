//! Changing one counter by hand: reset and refund. They take the way of a check: stamped, framed, and answered once committed.

use drl_core::{Cost, Epoch, KeyHash, LimitKey, ShardId, ShardTime};
use drl_engine::{Ledger, Outcome};

use super::Host;
use crate::ask::Ticket;
use crate::clock;
use crate::error::{CheckError, Refused};

impl Host {
    /// Forgets what a key has used, and waits until that is in the journal. `epoch` is what the asker knows of, as in [`crate::Ask`].
    ///
    /// # Errors
    /// [`CheckError`] when it was not done.
    pub async fn reset(&self, key: LimitKey<'_>, epoch: Epoch) -> Result<(), CheckError> {
        self.change(key, epoch, Ledger::reset).await
    }

    /// Gives back cost that was charged at `decided_at` (absent: just now), and waits until that is in the journal. A client
    /// without a counter has nothing to get back.
    ///
    /// # Errors
    /// [`CheckError`] when it was not done.
    pub async fn refund(
        &self,
        key: LimitKey<'_>,
        cost: Cost,
        decided_at: Option<ShardTime>,
        epoch: Epoch,
    ) -> Result<(), CheckError> {
        let refund =
            |ledger: &mut Ledger, shard, hash, now| ledger.refund(shard, hash, cost, decided_at.unwrap_or(now), now);
        self.change(key, epoch, refund).await
    }

    /// Changes one counter and waits until that may be said.
    async fn change(
        &self,
        key: LimitKey<'_>,
        epoch: Epoch,
        change: impl FnOnce(&mut Ledger, ShardId, KeyHash, ShardTime) -> Outcome,
    ) -> Result<(), CheckError> {
        let (shard, hash) = key.locate(&self.inner.identity, self.inner.shards());
        let ticket = {
            let mut state = self.serving().map_err(Refused::from)?;
            let stamp = state.ledger.stamp(shard, epoch, clock::monotonic());
            if let (Err(refusal), Some(signals)) = (&stamp, &self.inner.signals) {
                signals.refused(refusal);
            }
            let stamp = stamp?;
            let outcome = change(&mut state.ledger, shard, hash, stamp.at);
            let decided = if outcome == Outcome::Changed && self.inner.signals.is_some() {
                vec![(shard, stamp.epoch)]
            } else {
                Vec::new()
            };
            Ticket { commit: self.note(&mut state, outcome), decided }
        };
        Ok(self.committed(ticket).await?)
    }
}
