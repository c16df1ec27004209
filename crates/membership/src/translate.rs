//! Between the engine's transactions and views and those of the store.
//!
//! Rule (the engine's `Event::Changed`): a record and the heartbeat that was written with it belong together. They come by different
//! watches, so a record that newly names this node is not taken from a watch: it is a reason to read everything in one transaction.

use drl_coordination::{
    Change, Compare, Entry, Header, Key, Keys, Listing, Op, Place, Reply, Revision as StoreRevision, Txn, Update,
};
use drl_core::ShardTime;
use drl_engine::ownership::{ClusterId, Guard, Holder, Reads, Revision, Scope, Transaction, Versioned, View, Write};

use crate::book::Book;
use crate::documents::{self, NodeAddresses, NodeDocument};

/// Nodes never delete a record, so somebody did it by hand. It counts as one that cannot be read.
const DELETED: &str = "it was deleted by hand";

/// What is said of this node in its key, beside what ownership says.
#[derive(Debug, Clone)]
pub(crate) struct Introduction {
    pub(crate) addresses: NodeAddresses,
    pub(crate) version: String,
}

/// Which keys a watch follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nodes,
    Beats,
    Records,
}

/// A view, and whether everything must be read because it leaves something out.
pub(crate) struct Seen {
    pub(crate) view: View,
    pub(crate) must_read: bool,
}

const fn store_revision(revision: Revision) -> StoreRevision {
    StoreRevision(revision.0)
}

/// The transaction as the store takes it. Refused, it reads everything that was compared, in the order of the guards.
pub(crate) fn txn(keys: &Keys, introduction: &Introduction, transaction: &Transaction) -> Txn {
    let compares = transaction.guards.iter().map(|guard| compare(keys, guard)).collect();
    let mut then: Vec<Op> = transaction.writes.iter().map(|write| put(keys, introduction, write)).collect();
    if transaction.reads == Reads::Everything {
        let prefixes = [keys.shards(), keys.nodes(), keys.heartbeats()];
        then.extend(prefixes.into_iter().map(|prefix| Op::List { prefix }));
    }
    let otherwise = transaction.guards.iter().map(|guard| Op::Get { key: key_of(keys, guard) }).collect();
    Txn { compares, then, otherwise }
}

fn key_of(keys: &Keys, guard: &Guard) -> Key {
    match guard {
        Guard::Lease { node, .. } | Guard::NodeAbsent(node) | Guard::NodeSince { node, .. } => keys.node(node),
        Guard::Record { shard, .. } => keys.shard(*shard),
        Guard::Beat { node, .. } => keys.heartbeat(node),
    }
}

fn compare(keys: &Keys, guard: &Guard) -> Compare {
    let key = key_of(keys, guard);
    match guard {
        Guard::NodeAbsent(_) => Compare::absent(key),
        Guard::NodeSince { created, .. } => Compare::Created { key, at: store_revision(*created) },
        Guard::Record { changed, .. } | Guard::Beat { changed, .. } => {
            Compare::Changed { key, at: store_revision(*changed) }
        }
        // No lease has a number below one, so this never holds, which is what it should do.
        Guard::Lease { lease, .. } => match drl_coordination::LeaseId::new(lease.0) {
            Some(is) => Compare::Lease { key, is },
            None => Compare::Value { key, is: Vec::new() },
        },
    }
}

fn put(keys: &Keys, introduction: &Introduction, write: &Write) -> Op {
    match write {
        Write::Record { shard, record } => {
            Op::Put { key: keys.shard(*shard), value: documents::write_record(record), lease: None }
        }
        Write::Beat { node, time_hi } => {
            Op::Put { key: keys.heartbeat(node), value: documents::write_beat(*time_hi), lease: None }
        }
        Write::Node { node, generation, lease, draining } => {
            let document = NodeDocument {
                generation: *generation,
                addresses: introduction.addresses.clone(),
                version: introduction.version.clone(),
                draining: *draining,
            };
            let lease = drl_coordination::LeaseId::new(lease.0);
            Op::Put { key: keys.node(node), value: documents::write_node(&document), lease }
        }
    }
}

fn view(header: &Header, revision: StoreRevision) -> View {
    View::at(ClusterId(header.cluster.0), Revision(revision.0))
}

/// What a committed transaction says.
pub(crate) fn committed(
    book: &mut Book,
    keys: &Keys,
    transaction: &Transaction,
    reply: &Reply,
    wall: ShardTime,
) -> View {
    let mut view = view(&reply.header, reply.header.revision);
    for write in &transaction.writes {
        if let Write::Record { shard, record } = write {
            book.wrote_record(*shard, Versioned { record: record.clone(), changed: view.revision });
        }
    }
    if transaction.reads == Reads::Everything {
        view.scope = Scope::Everything;
        for entry in reply.listed.iter().flatten() {
            take(book, keys, &mut view, entry, wall);
        }
        forget_nodes(book, keys, &mut view);
        forget_beats(book, keys, &mut view);
    }
    view
}

/// What a refused transaction says: the present state of everything that was compared.
pub(crate) fn refused(book: &mut Book, keys: &Keys, transaction: &Transaction, reply: &Reply, wall: ShardTime) -> View {
    let mut view = view(&reply.header, reply.header.revision);
    for (guard, entry) in transaction.guards.iter().zip(&reply.read) {
        match entry {
            Some(entry) => take(book, keys, &mut view, entry, wall),
            None => absent(book, &mut view, &key_of(keys, guard), guard),
        }
    }
    view
}

fn absent(book: &mut Book, view: &mut View, key: &Key, guard: &Guard) {
    match guard {
        Guard::Lease { node, .. } | Guard::NodeAbsent(node) | Guard::NodeSince { node, .. } => {
            book.node_gone(node, key, view.revision);
            view.nodes.push((node.clone(), None));
        }
        Guard::Record { shard, .. } => view.records.push((*shard, None)),
        Guard::Beat { node, .. } => {
            book.beat_gone(node, key);
            view.beats.push((node.clone(), None));
        }
    }
}

/// Puts one entry into a view.
fn take(book: &mut Book, keys: &Keys, view: &mut View, entry: &Entry, wall: ShardTime) {
    match keys.parse(&entry.key) {
        Ok(Place::Shard(shard)) => match book.record(shard, entry, view.revision) {
            Some(record) => view.records.push((shard, Some(record))),
            None => view.unreadable.push(shard),
        },
        Ok(Place::Node(node)) => {
            let found = book.node(&node, entry, view.revision);
            view.nodes.extend(found.map(|found| (node, Some(found))));
        }
        Ok(Place::Heartbeat(node)) => {
            let beat = book.beat(&node, entry, view.revision, wall);
            view.beats.push((node, Some(beat)));
        }
        Ok(Place::Settings | Place::Limit(_)) => {}
        Err(error) => book.misplaced(&entry.key, error.to_string()),
    }
}

/// Tells the book who is not there any more: a complete view names everybody. A key that cannot be read is there all the same.
fn forget_nodes(book: &mut Book, keys: &Keys, view: &mut View) {
    for node in book.living() {
        let key = keys.node(&node);
        if !view.nodes.iter().any(|(named, _)| *named == node) && !book.broken().contains_key(&key) {
            book.node_gone(&node, &key, view.revision);
            view.nodes.push((node, None));
        }
    }
}

fn forget_beats(book: &mut Book, keys: &Keys, view: &mut View) {
    for node in book.beating() {
        if !view.beats.iter().any(|(named, _)| *named == node) {
            book.beat_gone(&node, &keys.heartbeat(&node));
            view.beats.push((node, None));
        }
    }
}

/// What a watch says. Records that newly name `me` are left out.
pub(crate) fn update(
    book: &mut Book,
    keys: &Keys,
    (kind, update): (Kind, &Update),
    (me, cluster): (&Holder, ClusterId),
    wall: ShardTime,
) -> Seen {
    let mut seen = Seen { view: View::at(cluster, Revision(update.revision().0)), must_read: false };
    match update {
        Update::Snapshot(listing) => {
            for entry in &listing.entries {
                watched(book, keys, &mut seen, entry, me, wall);
            }
            match kind {
                Kind::Nodes => forget_nodes(book, keys, &mut seen.view),
                Kind::Beats => forget_beats(book, keys, &mut seen.view),
                Kind::Records => miss_records(book, keys, listing),
            }
        }
        Update::Changes(changes) => {
            for change in &changes.changes {
                match change {
                    Change::Put(entry) => watched(book, keys, &mut seen, entry, me, wall),
                    Change::Deleted(key) => deleted(book, keys, &mut seen.view, key),
                }
            }
        }
    }
    seen
}

/// Records that were there and are not listed any more.
fn miss_records(book: &mut Book, keys: &Keys, listing: &Listing) {
    let is_listed = |key: &Key| listing.entries.binary_search_by(|entry| entry.key.cmp(key)).is_ok();
    for shard in book.recorded(Revision(listing.revision.0)) {
        let key = keys.shard(shard);
        if !is_listed(&key) {
            book.misplaced(&key, DELETED.to_owned());
        }
    }
}

fn watched(book: &mut Book, keys: &Keys, seen: &mut Seen, entry: &Entry, me: &Holder, wall: ShardTime) {
    let Ok(Place::Shard(shard)) = keys.parse(&entry.key) else {
        return take(book, keys, &mut seen.view, entry, wall);
    };
    let known = book.last_record(shard).cloned();
    let Some(record) = book.record(shard, entry, seen.view.revision) else { return };
    if record.record.owner == *me && known.as_ref() != Some(&record) {
        seen.must_read = true;
    } else {
        seen.view.records.push((shard, Some(record)));
    }
}

fn deleted(book: &mut Book, keys: &Keys, view: &mut View, key: &Key) {
    match keys.parse(key) {
        Ok(Place::Node(node)) => {
            book.node_gone(&node, key, view.revision);
            view.nodes.push((node, None));
        }
        Ok(Place::Heartbeat(node)) => {
            book.beat_gone(&node, key);
            view.beats.push((node, None));
        }
        Ok(Place::Shard(_)) => book.misplaced(key, DELETED.to_owned()),
        _ => {}
    }
}
