//! A watch of the embedded store: reads what changed from the history, at the pace of its reader, so that nothing queues up.

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::{Embedded, faults};
use crate::watch::{Closed, Cursor, WatchWriter};
use crate::{Changes, Prefix, Revision, Start, Update, WatchOptions};

pub(super) async fn run(embedded: Embedded, prefix: Prefix, options: WatchOptions, writer: WatchWriter) {
    let at = match options.start {
        Start::Snapshot => None,
        Start::After(revision) => Some(revision),
    };
    let following = follow(&embedded, &prefix, options, &writer, Cursor::new(at));
    // Only a reader that is gone ends it.
    tokio::select! {
        Err(Closed) = following => {}
        () = writer.closed() => {}
    }
}

async fn follow(
    embedded: &Embedded,
    prefix: &Prefix,
    options: WatchOptions,
    writer: &WatchWriter,
    mut cursor: Cursor,
) -> Result<std::convert::Infallible, Closed> {
    let mut revision = embedded.shared.revision.subscribe();
    let mut relist = tokio::time::interval(options.relist_every);
    relist.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is immediate, and a watch that starts behind a revision needs no list.
    relist.tick().await;
    loop {
        if embedded.faults.is_cut() {
            writer.report(Some(faults::unreachable()));
            embedded.faults.connected().await;
        }
        writer.report(None);
        catch_up(embedded, prefix, writer, &mut cursor, &mut revision).await?;
        tokio::select! {
            _ = relist.tick() => cursor.forget(),
            // The sender lives as long as `embedded`.
            _ = revision.changed() => {}
        }
    }
}

/// Hands over everything up to now.
async fn catch_up(
    embedded: &Embedded,
    prefix: &Prefix,
    writer: &WatchWriter,
    cursor: &mut Cursor,
    revision: &mut watch::Receiver<Revision>,
) -> Result<(), Closed> {
    revision.borrow_and_update();
    // What is read is bounded by the history's cap and sent without the lock.
    let known = cursor.at().and_then(|at| embedded.shared.state().changes_after(at));
    let Some(changes) = known else {
        let listing = embedded.shared.state().list(prefix);
        cursor.list(listing.revision);
        return writer.send(Update::Snapshot(listing)).await;
    };
    for Changes { revision, changes } in changes {
        let events = changes.into_iter().filter(|change| prefix.contains(change.key()));
        for new in cursor.accept(events.map(|change| (revision, change))) {
            writer.send(Update::Changes(new)).await?;
        }
    }
    Ok(())
}
