//! Follows the policies in the store: reads the watch, has the book judge what it brings, puts it into force, and hands it on to be saved.
//! One task; what takes more than a moment runs beside the runtime.

use std::collections::BTreeMap;
use std::sync::Arc;

use drl_coordination::{ClusterId, Key, Revision, Update, Watch};
use drl_core::caps::{BROKEN_POLICIES_LOGGED_MAX, POLICY_CHANGES_AT_ONCE_MAX};

use crate::book::{Book, Rejudge, Step};
use crate::broken::{Health, shown};
use crate::cluster_policies::Shared;
use crate::record::Mark;

pub(crate) struct Follower {
    shared: Arc<Shared>,
    book: Book,
    /// Of the snapshot before: the mark names it.
    cluster: Option<ClusterId>,
    /// What the mark on disk says, or will say when what waits is saved.
    mark: Option<Mark>,
    /// Keys of records on disk that are no policies of this cluster: deleted once it is known what is.
    unreadable: Vec<Key>,
}

/// Ends when the store must not be believed any more; what was in force stays.
pub(crate) async fn run(mut watch: Watch, mut follower: Follower) {
    while let Some(update) = watch.next().await {
        let taken = if is_long(&update) {
            tokio::task::spawn_blocking(move || follower.take(update)).await
        } else {
            Ok(follower.take(update))
        };
        follower = match taken {
            Ok(follower) => follower,
            Err(stopped) => {
                tracing::error!(%stopped, "policies are not followed any more; restart this node");
                return;
            }
        };
    }
    let fault = watch.trouble().map(|fault| fault.to_string());
    tracing::error!(fault, "policies are not followed any more; the last good ones stay in force");
}

fn is_long(update: &Update) -> bool {
    match update {
        Update::Snapshot(_) => true,
        Update::Changes(changes) => changes.changes.len() > POLICY_CHANGES_AT_ONCE_MAX,
    }
}

impl Follower {
    pub(crate) fn new(shared: Arc<Shared>, book: Book, mark: Option<Mark>, unreadable: Vec<Key>) -> Self {
        Self { shared, book, cluster: mark.map(|mark| mark.cluster), mark, unreadable }
    }

    fn take(mut self, update: Update) -> Self {
        let (is_snapshot, revision) = (matches!(update, Update::Snapshot(_)), update.revision());
        let rejudge = if self.shared.broken().could_list_more() { Rejudge::Broken } else { Rejudge::Nothing };
        let set = self.shared.in_force.read();
        let step = match update {
            Update::Snapshot(listing) => {
                self.cluster = Some(listing.header.cluster);
                self.book.snapshot(listing, &set, rejudge)
            }
            Update::Changes(changes) => self.book.changes(changes, &set),
        };
        drop(set);
        self.put_into_force(step);
        self.shared.say_seen(revision.0);
        if is_snapshot {
            self.shared.say_synced();
        }
        self
    }

    fn put_into_force(&mut self, step: Step) {
        let Step { edits, health, revision } = step;
        // A record that could not be read may be replaced in the same breath.
        let mut saves: BTreeMap<_, _> = self.unreadable.drain(..).map(|key| (key, None)).collect();
        saves.extend(edits.iter().map(|edit| (edit.key.clone(), edit.entry.clone())));
        let (broken, mut rest): (BTreeMap<_, _>, BTreeMap<_, _>) =
            health.into_iter().partition(|(_, health)| matches!(health, Health::Broken { .. }));
        // Who sees the revision sees what is broken in it; who sees a key mended finds it in force.
        self.note(&broken);
        for policy in self.shared.in_force.apply(edits, revision) {
            saves.remove(&policy.key);
            let is_broken = self.book.leave_out(&policy);
            rest.insert(policy.key, is_broken);
        }
        self.note(&rest);
        let mark = self.cluster.map(|cluster| Mark { cluster, revision: Revision(revision) });
        // Without changes the mark on disk is as good as a new one.
        let is_new = !saves.is_empty() || mark.map(|mark| mark.cluster) != self.mark.map(|mark| mark.cluster);
        let mark = mark.filter(|_| is_new);
        self.mark = mark.or(self.mark);
        self.shared.unsaved.push(saves, mark, self.shared.in_force.revision());
    }

    /// Lists what is broken, and says what is news.
    fn note(&self, health: &BTreeMap<Key, Health>) {
        let mut news = Vec::new();
        let mut broken = self.shared.broken();
        for (key, health) in health {
            if broken.note(key, health) {
                news.push((key, health));
            }
        }
        drop(broken);
        let refused = news.iter().filter(|(_, health)| matches!(health, Health::Broken { .. })).count();
        self.shared.count_refused(refused);
        for (key, health) in news.iter().take(BROKEN_POLICIES_LOGGED_MAX) {
            let key = shown(key);
            match health {
                Health::Well => tracing::info!(key, "not broken any more"),
                Health::Broken { reason, since } => {
                    let reason = crate::broken::cut(reason, drl_core::caps::BROKEN_REASON_BYTES_MAX);
                    tracing::error!(
                        key,
                        reason,
                        revision = since.0,
                        "not a policy; what was in force under this key stays"
                    );
                }
            }
        }
        if let Some(more @ 1..) = news.len().checked_sub(BROKEN_POLICIES_LOGGED_MAX) {
            tracing::error!(more, refused, "more such keys");
        }
    }
}
