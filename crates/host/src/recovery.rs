//! Start-up: reads the journal back, carries shard time on, and decides whether the counters may be trusted.
//!
//! Only a whole journal is resumed from. Otherwise everything is dropped and every counter counts as used up for one window
//! (protocol: cold start). A record says so before the old state is deleted, so that a crash in between changes nothing.

use drl_core::{CommitNo, Epoch, IdentityKey, Nanos, ShardCount, ShardId, ShardTime};
use drl_engine::{Ledger, Recoverer};
use drl_store::{CommitSync, Corrupt, PageId, Record, RecordKind, Recovery, Store, Wholeness};
use rand::Rng;

use crate::clock::{self, ShardClock};
use crate::error::OpenError;
use crate::options::HostOptions;

/// Records of the kind `Meta`: the clock pair (boot id, base, monotonic time at base), the identity key, the shard count, and
/// "state was lost at this shard time" while the floor is not yet in the journal.
const CLOCK: &[u8] = b"clock";
const IDENTITY: &[u8] = b"identity_key";
const SHARDS: &[u8] = b"shards";
const LOST: &[u8] = b"lost_at";

/// The wall clock may differ this much from what the journal expects before somebody is told.
const WALL_CLOCK_DRIFT_MAX: Nanos = Nanos::from_secs(60);

/// What a host starts with.
pub(crate) struct Recovered {
    pub(crate) ledger: Ledger,
    pub(crate) committed: CommitNo,
    pub(crate) clock: ShardClock,
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

/// Reads everything back and makes the store ready for the first frame.
pub(crate) fn recover(store: &dyn Store, options: &HostOptions) -> Result<Recovered, OpenError> {
    let meta = Meta::read(store)?;
    meta.agree_on_shards(options.shards)?;
    let mut engine = IntoEngine(Recoverer::new(options.shards));
    let found = store.recover(&mut engine)?;
    let engine = engine.0;

    let identity = meta.identity()?;
    let clock = meta.clock(options, engine.latest());
    let epoch = engine.epoch().max(last_epoch(store)?).next();
    let mut records = roles(options.shards, epoch);
    records.push(meta_record(SHARDS, Some(options.shards.get().to_le_bytes().to_vec())));
    records.push(meta_record(IDENTITY, Some(identity.to_bytes().to_vec())));
    records.push(meta_record(CLOCK, Some(encode_clock(&options.boot_id, &clock))));
    store.put_records(&records)?;

    let doubts: Vec<String> = match &found.wholeness {
        Wholeness::Whole => Vec::new(),
        Wholeness::Doubtful(doubts) => doubts.iter().map(ToString::to_string).collect(),
    };
    let lost_at = if doubts.is_empty() { meta.lost_at()? } else { Some(clock.now()) };
    let ledger = engine.finish(epoch, found.last);
    tracing::info!(pages = found.pages, frames = found.frames, epoch = epoch.0, "journal read");
    let recovered = Recovered { ledger, committed: found.last, clock, identity, doubts };
    match lost_at {
        None => Ok(recovered),
        Some(at) => start_over(store, options.shards, epoch, at, recovered),
    }
}

/// Drops every counter and writes the floor that takes their place.
fn start_over(
    store: &dyn Store,
    shards: ShardCount,
    epoch: Epoch,
    at: ShardTime,
    found: Recovered,
) -> Result<Recovered, OpenError> {
    for doubt in &found.doubts {
        tracing::error!(doubt, "the journal is not whole: counters of current windows count as used up");
    }
    store.put_records(&[meta_record(LOST, Some(at.0.to_le_bytes().to_vec()))])?;
    store.discard_counters()?;
    let mut ledger = Ledger::new(shards, epoch, found.committed);
    ledger.lose_everything(at);
    let mut frame = Vec::new();
    let mut committed = found.committed;
    if let Some(commit) = ledger.seal(0, &mut frame) {
        store.append(commit, &frame, CommitSync::Now)?;
        committed = commit;
    }
    store.put_records(&[meta_record(LOST, None)])?;
    Ok(Recovered { ledger, committed, ..found })
}

/// The records of kind `Meta`.
struct Meta(Vec<(Vec<u8>, Vec<u8>)>);

impl Meta {
    fn read(store: &dyn Store) -> Result<Self, OpenError> {
        Ok(Self(store.records(RecordKind::Meta)?))
    }

    fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    fn agree_on_shards(&self, wanted: ShardCount) -> Result<(), OpenError> {
        let Some(value) = self.get(SHARDS) else { return Ok(()) };
        let found = value.try_into().map(u16::from_le_bytes).map_err(|_| OpenError::BadRecord { name: "shards" })?;
        if found == wanted.get() { Ok(()) } else { Err(OpenError::OtherShardCount { found, wanted: wanted.get() }) }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where a node draws its identity key")]
    fn identity(&self) -> Result<IdentityKey, OpenError> {
        match self.get(IDENTITY) {
            None => Ok(IdentityKey::from_bytes(rand::rng().random())),
            Some(value) => {
                let bytes = value.try_into().map_err(|_| OpenError::BadRecord { name: "identity_key" })?;
                Ok(IdentityKey::from_bytes(bytes))
            }
        }
    }

    fn lost_at(&self) -> Result<Option<ShardTime>, OpenError> {
        let parse = |value: &[u8]| value.try_into().map(u64::from_le_bytes).map(ShardTime);
        self.get(LOST).map(parse).transpose().map_err(|_| OpenError::BadRecord { name: "lost_at" })
    }

    /// On the same boot shard time goes on by the monotonic clock. On another one it starts at the wall clock, but never before
    /// the latest time that is in the journal.
    fn clock(&self, options: &HostOptions, latest: ShardTime) -> ShardClock {
        let wall = clock::wall();
        let monotonic = clock::monotonic();
        let carried_on = self.get(CLOCK).and_then(|value| decode_clock(value, &options.boot_id, monotonic));
        let clock = match carried_on {
            Some(clock) => clock,
            None => ShardClock { base: wall.max(latest), at: monotonic },
        };
        let ahead = clock.now().since(wall).max(wall.since(clock.now()));
        if ahead > WALL_CLOCK_DRIFT_MAX {
            tracing::warn!(
                seconds = ahead.secs_ceil(),
                "the wall clock differs from shard time; limits go by shard time, but check this machine's clock"
            );
        }
        clock
    }
}

fn meta_record(name: &[u8], value: Option<Vec<u8>>) -> Record {
    Record { kind: RecordKind::Meta, key: name.to_vec(), value }
}

/// base u64, monotonic time at base u64 (both little-endian), then the boot id.
fn encode_clock(boot_id: &str, clock: &ShardClock) -> Vec<u8> {
    [&clock.base.0.to_le_bytes()[..], &clock.at.0.to_le_bytes(), boot_id.as_bytes()].concat()
}

/// The clock to carry on; `None` when the monotonic clock is another one: after a restart of the machine, or when it lies before
/// the time that was written (a time namespace with an offset of its own has the same boot id). Carried on by such a clock, shard
/// time would stand still for as long as the difference.
fn decode_clock(value: &[u8], boot_id: &str, monotonic: Nanos) -> Option<ShardClock> {
    let (base, rest) = value.split_first_chunk()?;
    let (at, boot) = rest.split_first_chunk()?;
    let clock = ShardClock { base: ShardTime(u64::from_le_bytes(*base)), at: Nanos(u64::from_le_bytes(*at)) };
    (boot == boot_id.as_bytes() && monotonic >= clock.at).then_some(clock)
}

/// Role markers: which epoch this directory last held each shard under (here always as its owner).
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_is_carried_on_only_by_the_clock_that_wrote_it() {
        let clock = ShardClock { base: ShardTime(1_000), at: Nanos(50) };
        let record = encode_clock("boot", &clock);
        assert_eq!(decode_clock(&record, "boot", Nanos(50)), Some(clock));
        assert_eq!(decode_clock(&record, "boot", Nanos(49)), None, "a time namespace");
        assert_eq!(decode_clock(&record, "other", Nanos(50)), None);
        assert_eq!(decode_clock(&record[..15], "boot", Nanos(50)), None);
    }
}
