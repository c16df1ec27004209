//! What comes from other process lifetimes, and replies that wait for their acknowledgements.

use drl_engine::ownership::Holder;
use drl_engine::replication::{Body, Letter};
use drl_store::faults::point;

use super::Host;
use crate::ask::Ticket;
use crate::clock;
use crate::error::{NotReleased, Stopped};

impl Host {
    /// Takes a letter of another lifetime. Takes microseconds and never waits for the disk; one that is not taken is counted.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn receive(&self, letter: Letter) -> Result<(), Stopped> {
        let lets_go = matches!(letter.body, Body::Ack(_) | Body::Join(_) | Body::Lost { .. });
        if matches!(letter.body, Body::Frame(_)) {
            point("frame");
        }
        let mut state = self.serving()?;
        if let Err(rejected) = state.ledger.receive(letter, clock::monotonic()) {
            tracing::debug!(%rejected, "a message of another node was not taken");
        }
        self.inner.deliver(&mut state);
        drop(state);
        if lets_go {
            self.inner.progress.moved();
        }
        Ok(())
    }

    /// The connection to a lifetime was reset and is refused: its process is gone.
    pub fn is_refused(&self, by: &Holder) {
        if let Ok(mut state) = self.serving() {
            state.ledger.is_refused(by, clock::monotonic());
            self.inner.deliver(&mut state);
        }
    }

    /// Waits until the answers that `ticket` stands for may leave: their frame is in this node's journal, every copy that has to has
    /// acknowledged it, and this process still owns their shards. How long is the caller's to say.
    ///
    /// # Errors
    /// [`NotReleased`] when they may not: their frame did not reach the journal, or this process does not own a shard any more.
    pub async fn committed(&self, ticket: Ticket) -> Result<(), NotReleased> {
        if let Some(commit) = ticket.commit {
            self.inner.progress.wait(commit).await?;
        }
        if ticket.decided.is_empty() || self.may_leave(&ticket)? {
            return Ok(());
        }
        let mut moves = self.inner.progress.moves();
        // Subscribed before the next look, so that an acknowledgement which comes in between is not missed.
        while !self.may_leave(&ticket)? {
            // The sender lives as long as this host.
            let _ = moves.changed().await;
        }
        Ok(())
    }

    /// Whether every acknowledgement is there.
    fn may_leave(&self, ticket: &Ticket) -> Result<bool, NotReleased> {
        if let Some(stopped) = self.inner.progress.stopped() {
            return Err(stopped.into());
        }
        let commit = ticket.commit.unwrap_or_default();
        let state = self.inner.lock()?;
        let now = clock::monotonic();
        for (shard, epoch) in &ticket.decided {
            state.ledger.may_leave(*shard, *epoch, commit, now)?;
        }
        Ok(ticket.decided.iter().all(|(shard, _)| state.ledger.is_released(*shard, commit)))
    }
}
