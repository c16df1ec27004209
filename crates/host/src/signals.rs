//! What leaves the ledger beside answers: signals and news for ownership, letters for other process lifetimes.
//!
//! Whoever holds the host's lock puts them here and never waits. What can be dropped has a bounded queue: an invitation and a letter
//! come again, and a signal that is lost is found out otherwise. The rest of the news is told once, and there is only so much of it as
//! ownership gave orders.

use drl_core::ShardId;
use drl_core::caps::{LETTERS_WAITING_MAX, SIGNALS_WAITING_MAX};
use drl_engine::Ledger;
use drl_engine::replication::{Letter, News};
use tokio::sync::mpsc;

use crate::error::NotHere;

/// Things that happen under the host's lock and that ownership wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The first admission of a shard that was never written to.
    Written(ShardId),
    /// A request named a higher epoch than this node knows.
    HigherEpoch(ShardId),
    /// Something about copies of shards.
    Copies(News),
}

/// The host's end.
pub(crate) struct Signals {
    /// One that finds no room is dropped: a shard that is frozen says itself whether it was written, and who knows of a higher epoch,
    /// or wants a copy here, asks again.
    hints: mpsc::Sender<Signal>,
    news: mpsc::UnboundedSender<News>,
    letters: mpsc::Sender<Letter>,
}

/// What ownership hears.
pub struct Heard {
    signals: mpsc::Receiver<Signal>,
    news: mpsc::UnboundedReceiver<News>,
}

/// What is to be carried to other process lifetimes.
pub struct Letters(mpsc::Receiver<Letter>);

impl Signals {
    pub(crate) fn channel() -> (Self, Heard, Letters) {
        let (signals, signals_heard) = mpsc::channel(SIGNALS_WAITING_MAX);
        let (news, news_heard) = mpsc::unbounded_channel();
        let (letters, to_carry) = mpsc::channel(LETTERS_WAITING_MAX);
        let heard = Heard { signals: signals_heard, news: news_heard };
        (Self { hints: signals, news, letters }, heard, Letters(to_carry))
    }

    /// Tells of shards that were written to for the first time.
    pub(crate) fn written(&self, ledger: &mut Ledger) {
        for shard in ledger.take_first_written() {
            let _ = self.hints.try_send(Signal::Written(shard));
        }
    }

    /// Tells of what a refusal says about this node.
    pub(crate) fn refused(&self, refusal: &NotHere) {
        if let NotHere::Behind { shard } = refusal {
            let _ = self.hints.try_send(Signal::HigherEpoch(*shard));
        }
    }

    /// Carries away what the ledger has to say.
    pub(crate) fn carry(&self, ledger: &mut Ledger) {
        for letter in ledger.take_letters() {
            let _ = self.letters.try_send(letter);
        }
        for news in ledger.take_news() {
            // Only these come from others and not from what ownership wants, so only these could be without end.
            if matches!(news, News::Invited { .. }) {
                let _ = self.hints.try_send(Signal::Copies(news));
            } else {
                let _ = self.news.send(news);
            }
        }
    }
}

impl Heard {
    /// `None` when the host is gone.
    pub async fn next(&mut self) -> Option<Signal> {
        tokio::select! {
            biased;
            Some(news) = self.news.recv() => Some(Signal::Copies(news)),
            Some(signal) = self.signals.recv() => Some(signal),
            else => None,
        }
    }
}

impl Letters {
    /// The next letter; `None` when the host is gone.
    pub async fn next(&mut self) -> Option<Letter> {
        self.0.recv().await
    }

    /// Another letter, if one waits.
    pub fn try_next(&mut self) -> Option<Letter> {
        self.0.try_recv().ok()
    }
}
