//! A watch of etcd, for as long as its reader wants it: list, stream the changes behind the listing, and over again from where it was
//! when the stream ends, or from a new listing when changes may have been missed (compaction, silence, a member that is behind).

mod stream;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use self::stream::{End, Stream};
use super::Shared;
use crate::watch::{Closed, Cursor, WatchWriter};
use crate::{Fault, Prefix, Start, Update, WatchOptions};

/// The first pause after a failure; it doubles up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(50);

/// A watch that fails tries again this often: a limit that is changed as soon as etcd is back is in force within a second, and an etcd
/// that struggles is not asked all the time.
const PAUSE_MAX: Duration = Duration::from_millis(500);

pub(super) async fn run(shared: Arc<Shared>, prefix: Prefix, options: WatchOptions, writer: WatchWriter) {
    let at = match options.start {
        Start::Snapshot => None,
        Start::After(revision) => Some(revision),
    };
    let watching = Watching { shared, prefix, options, writer: &writer, cursor: Cursor::new(at), pause: PAUSE_FIRST };
    tokio::select! {
        () = watching.run() => {}
        () = writer.closed() => {}
    }
}

pub(super) struct Watching<'a> {
    shared: Arc<Shared>,
    prefix: Prefix,
    options: WatchOptions,
    writer: &'a WatchWriter,
    cursor: Cursor,
    /// Before the next try, should this one fail.
    pause: Duration,
}

impl Watching<'_> {
    /// Ends when the reader is gone, or when etcd must not be believed any more.
    async fn run(mut self) {
        loop {
            match self.follow().await {
                Err(Closed) => return,
                Ok(End::Relist) => self.cursor.forget(),
                Ok(End::Failed(fault)) => {
                    let is_over = fault.is_distrust();
                    // Said once for each outage, not at each try.
                    if self.writer.is_troubled() {
                        tracing::debug!(prefix = %self.prefix, %fault, retry_in = ?self.pause, "watch");
                    } else {
                        tracing::warn!(prefix = %self.prefix, %fault, "nothing new comes from etcd until it answers");
                    }
                    self.writer.report(Some(fault));
                    if is_over {
                        return;
                    }
                    let _ = timeout(self.pause, self.writer.closed()).await;
                    self.pause = self.pause.saturating_mul(2).min(PAUSE_MAX);
                }
            }
        }
    }

    /// One listing if need be, and one stream to its end.
    async fn follow(&mut self) -> Result<End, Closed> {
        let at = match self.cursor.at() {
            Some(at) => at,
            None => match self.shared.list(&self.prefix, self.options.within).await {
                Ok(listing) => {
                    let at = listing.revision;
                    self.cursor.list(at);
                    self.writer.report(None);
                    self.writer.send(Update::Snapshot(listing)).await?;
                    at
                }
                Err(fault) => return Ok(End::Failed(fault)),
            },
        };
        match Stream::open(&self.shared, &self.prefix, at, self.options.within).await {
            Ok(stream) => self.read(stream).await,
            Err(end) => Ok(end),
        }
    }

    async fn read(&mut self, mut stream: Stream) -> Result<End, Closed> {
        self.writer.report(None);
        self.pause = PAUSE_FIRST;
        let mut relist = tokio::time::interval(self.options.relist_every);
        // The first tick is immediate.
        relist.tick().await;
        loop {
            let events = tokio::select! {
                events = stream.next(&self.shared, self.options.silence_max) => events,
                _ = relist.tick() => return Ok(End::Relist),
            };
            match events {
                Err(end) => return Ok(end),
                Ok(events) => {
                    for changes in self.cursor.accept(events) {
                        self.writer.send(Update::Changes(changes)).await?;
                    }
                }
            }
        }
    }
}

/// The fault of a stream that ended without a reason.
fn ended(endpoint: &str) -> End {
    End::Failed(Fault::Unreachable { endpoint: endpoint.to_owned(), reason: "the stream of changes ended".to_owned() })
}
