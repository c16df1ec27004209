//! Start-up: reads the journal back and decides whether the counters may be trusted.
//!
//! Only a whole journal is resumed from. A node that stands alone decides that here: otherwise everything is dropped and every
//! counter counts as used up for one window (protocol: cold start); a record says so before the old state is deleted, so that a
//! crash in between changes nothing. A member of a cluster is told what was found, and ownership decides.

use drl_core::{CommitNo, Epoch, IdentityKey, ShardCount, ShardId, ShardTime};
use drl_engine::ownership::{Found, FoundShard, ShardClock};
use drl_engine::{Ledger, Recoverer, ownership};
use drl_store::{CommitSync, Corrupt, PageId, Record, RecordKind, Recovery, Store, Wholeness};
use rand::Rng;

use crate::clock;
use crate::error::OpenError;
use crate::facts;
use crate::meta::{self, Meta};
use crate::options::{Cluster, HostOptions};

/// What a host starts with.
pub(crate) struct Recovered {
    pub(crate) ledger: Ledger,
    pub(crate) committed: CommitNo,
    pub(crate) identity: IdentityKey,
    pub(crate) doubts: Vec<String>,
}

struct IntoEngine(Recoverer);

impl Recovery for IntoEngine {
    fn page(&mut self, page: PageId, payload: &[u8]) -> Result<(), Corrupt> {
        self.0.page(page.shard, page.bucket, payload).map_err(|malformed| Corrupt { reason: malformed.to_string() })
    }

    fn frame(&mut self, _commit: CommitNo, payload: &[u8]) -> Result<(), Corrupt> {
        self.0.frame(payload).map_err(|malformed| Corrupt { reason: malformed.to_string() })
    }
}

/// Refuses a directory that belongs to a cluster.
pub(crate) fn check_alone(store: &dyn Store) -> Result<(), OpenError> {
    match Meta::read(store)?.cluster() {
        Some(cluster) => Err(OpenError::OfCluster { cluster }),
        None => Ok(()),
    }
}

/// Reads everything back and makes the store ready for the first frame of a node that stands alone.
pub(crate) fn alone(store: &dyn Store, options: &HostOptions) -> Result<Recovered, OpenError> {
    check_alone(store)?;
    let meta = Meta::read(store)?;
    meta.agree_on_shards(options.shards)?;
    let mut engine = IntoEngine(Recoverer::new(options.shards));
    let found = store.recover(&mut engine)?;
    let engine = engine.0;

    let identity = meta.identity()?.unwrap_or_else(draw_identity);
    let clock = meta.clock(options, engine.latest());
    let epoch = engine.epoch().max(last_epoch(store)?).next();
    let mut records = roles(options.shards, epoch);
    records.push(meta::record(meta::SHARDS, Some(options.shards.get().to_le_bytes().to_vec())));
    records.push(meta::record(meta::IDENTITY, Some(identity.to_bytes().to_vec())));
    records.push(meta::record(meta::CLOCK, Some(meta::encode_clock(&options.boot_id, &clock))));
    store.put_records(&records)?;

    let doubts = doubts(&found.wholeness);
    let lost_at = if doubts.is_empty() { meta.lost_at()? } else { Some(clock.time(clock::monotonic())) };
    let mut ledger = engine.finish(epoch, found.last);
    ledger.stand_alone(clock);
    tracing::info!(pages = found.pages, frames = found.frames, epoch = epoch.0, "journal read");
    let recovered = Recovered { ledger, committed: found.last, identity, doubts };
    match lost_at {
        None => Ok(recovered),
        Some(at) => start_over(store, options.shards, (epoch, clock), at, recovered),
    }
}

/// Drops every counter and writes the floor that takes their place.
fn start_over(
    store: &dyn Store,
    shards: ShardCount,
    (epoch, clock): (Epoch, ShardClock),
    at: ShardTime,
    found: Recovered,
) -> Result<Recovered, OpenError> {
    for doubt in &found.doubts {
        tracing::error!(doubt, "the journal is not whole: counters of current windows count as used up");
    }
    store.put_records(&[meta::record(meta::LOST, Some(at.0.to_le_bytes().to_vec()))])?;
    store.discard_counters()?;
    let mut ledger = Ledger::new(shards, epoch, found.committed);
    ledger.stand_alone(clock);
    ledger.lose_everything(at);
    let mut frame = Vec::new();
    let mut committed = found.committed;
    if let Some(commit) = ledger.seal(0, &mut frame) {
        store.append(commit, &frame, CommitSync::Now)?;
        committed = commit;
    }
    store.put_records(&[meta::record(meta::LOST, None)])?;
    Ok(Recovered { ledger, committed, ..found })
}

/// Reads everything back for a member of `cluster`; no shard is answered for until ownership says so.
pub(crate) fn member(
    store: &dyn Store,
    options: &HostOptions,
    cluster: &Cluster,
) -> Result<(Recovered, Found), OpenError> {
    let meta = Meta::read(store)?;
    if !meta.is_new() {
        match meta.cluster() {
            None => return Err(OpenError::OfNoCluster),
            Some(found) if found != cluster.name => {
                return Err(OpenError::OtherCluster { found, wanted: cluster.name.clone() });
            }
            Some(_) if meta.identity()?.is_some_and(|found| found.to_bytes() != cluster.identity.to_bytes()) => {
                return Err(OpenError::OtherIdentity { cluster: cluster.name.clone() });
            }
            Some(_) => {}
        }
    }
    meta.agree_on_shards(options.shards)?;
    let mut engine = IntoEngine(Recoverer::new(options.shards));
    let found = store.recover(&mut engine)?;
    let engine = engine.0;
    store.put_records(&[
        meta::record(meta::SHARDS, Some(options.shards.get().to_le_bytes().to_vec())),
        meta::record(meta::IDENTITY, Some(cluster.identity.to_bytes().to_vec())),
        meta::record(meta::CLUSTER, Some(cluster.name.clone().into_bytes())),
    ])?;
    let mut shards: Vec<FoundShard> =
        engine.found().map(|(written, latest)| FoundShard { written, latest, ..FoundShard::default() }).collect();
    for (key, value) in store.records(RecordKind::Role)? {
        let (shard, marker, promise) = facts::read(&key, &value).ok_or(OpenError::BadRecord { name: "role" })?;
        if let Some(slot) = shards.get_mut(shard.index()) {
            (slot.marker, slot.promise) = (marker, promise);
        }
    }
    let doubts = doubts(&found.wholeness);
    let wholeness = if doubts.is_empty() { ownership::Wholeness::Whole } else { ownership::Wholeness::Doubtful };
    let told = Found { wholeness, shards, lease: meta.lease()?, seen: meta.seen()? };
    tracing::info!(pages = found.pages, frames = found.frames, cluster = cluster.name, "journal read");
    let ledger = engine.into_ledger(found.last);
    Ok((Recovered { ledger, committed: found.last, identity: cluster.identity, doubts }, told))
}

fn doubts(wholeness: &Wholeness) -> Vec<String> {
    match wholeness {
        Wholeness::Whole => Vec::new(),
        Wholeness::Doubtful(doubts) => doubts.iter().map(ToString::to_string).collect(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where a node that stands alone draws its identity key")]
fn draw_identity() -> IdentityKey {
    IdentityKey::from_bytes(rand::rng().random())
}

/// Role markers of a node that stands alone: which epoch this directory last held each shard under.
fn roles(shards: ShardCount, epoch: Epoch) -> Vec<Record> {
    let marker = [&epoch.0.to_le_bytes()[..], b"owner"].concat();
    let record = |shard: ShardId| Record {
        kind: RecordKind::Role,
        key: shard.get().to_be_bytes().to_vec(),
        value: Some(marker.clone()),
    };
    shards.iter().map(record).collect()
}

fn last_epoch(store: &dyn Store) -> Result<Epoch, OpenError> {
    let mut last = Epoch::default();
    for (_, marker) in store.records(RecordKind::Role)? {
        let epoch = marker.first_chunk().ok_or(OpenError::BadRecord { name: "role" })?;
        last = last.max(Epoch(u64::from_le_bytes(*epoch)));
    }
    Ok(last)
}
