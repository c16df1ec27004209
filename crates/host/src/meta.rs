//! The records of kind `Meta`: what a directory says of itself beside its counters. Written and read here and nowhere else.

use drl_core::{IdentityKey, Nanos, ShardCount, ShardTime};
use drl_engine::ownership::{ClusterId, LeaseId, Revision, ShardClock};
use drl_store::{Record, RecordKind, Store};

use crate::clock;
use crate::error::OpenError;
use crate::options::HostOptions;

/// The clock pair of a node that stands alone: base, monotonic time at base, boot id.
pub(crate) const CLOCK: &[u8] = b"clock";
pub(crate) const IDENTITY: &[u8] = b"identity_key";
pub(crate) const SHARDS: &[u8] = b"shards";
/// "State was lost at this shard time", while the floor is not yet in the journal.
pub(crate) const LOST: &[u8] = b"lost_at";
/// The cluster that the directory belongs to; absent on a node that stands alone.
pub(crate) const CLUSTER: &[u8] = b"cluster";
/// The lease of the last session.
pub(crate) const LEASE: &[u8] = b"lease";
/// The etcd cluster and the highest revision that were seen.
pub(crate) const SEEN: &[u8] = b"seen";

/// The wall clock may differ this much from what the journal expects before somebody is told.
const WALL_CLOCK_DRIFT_MAX: Nanos = Nanos::from_secs(60);

pub(crate) struct Meta(Vec<(Vec<u8>, Vec<u8>)>);

pub(crate) fn record(name: &[u8], value: Option<Vec<u8>>) -> Record {
    Record { kind: RecordKind::Meta, key: name.to_vec(), value }
}

impl Meta {
    pub(crate) fn read(store: &dyn Store) -> Result<Self, OpenError> {
        Ok(Self(store.records(RecordKind::Meta)?))
    }

    fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    /// Whether a node has ever started from this directory.
    pub(crate) fn is_new(&self) -> bool {
        self.get(SHARDS).is_none()
    }

    pub(crate) fn agree_on_shards(&self, wanted: ShardCount) -> Result<(), OpenError> {
        let Some(value) = self.get(SHARDS) else { return Ok(()) };
        let found = value.try_into().map(u16::from_le_bytes).map_err(|_| OpenError::BadRecord { name: "shards" })?;
        if found == wanted.get() { Ok(()) } else { Err(OpenError::OtherShardCount { found, wanted: wanted.get() }) }
    }

    pub(crate) fn identity(&self) -> Result<Option<IdentityKey>, OpenError> {
        let parse = |value: &[u8]| value.try_into().map(IdentityKey::from_bytes);
        self.get(IDENTITY).map(parse).transpose().map_err(|_| OpenError::BadRecord { name: "identity_key" })
    }

    pub(crate) fn cluster(&self) -> Option<String> {
        self.get(CLUSTER).map(|name| String::from_utf8_lossy(name).into_owned())
    }

    pub(crate) fn lost_at(&self) -> Result<Option<ShardTime>, OpenError> {
        let parse = |value: &[u8]| value.try_into().map(u64::from_le_bytes).map(ShardTime);
        self.get(LOST).map(parse).transpose().map_err(|_| OpenError::BadRecord { name: "lost_at" })
    }

    pub(crate) fn lease(&self) -> Result<Option<LeaseId>, OpenError> {
        let parse = |value: &[u8]| value.try_into().map(i64::from_le_bytes).map(LeaseId);
        self.get(LEASE).map(parse).transpose().map_err(|_| OpenError::BadRecord { name: "lease" })
    }

    pub(crate) fn seen(&self) -> Result<Option<(ClusterId, Revision)>, OpenError> {
        let parse = |value: &[u8]| {
            let (cluster, rest) = value.split_first_chunk()?;
            let revision = rest.try_into().ok()?;
            Some((ClusterId(u64::from_le_bytes(*cluster)), Revision(u64::from_le_bytes(revision))))
        };
        self.get(SEEN).map(|value| parse(value).ok_or(OpenError::BadRecord { name: "seen" })).transpose()
    }

    /// On the same boot shard time goes on by the monotonic clock. On another one it starts at the wall clock, but never before
    /// the latest time that is in the journal.
    pub(crate) fn clock(&self, options: &HostOptions, latest: ShardTime) -> ShardClock {
        let now = clock::moment(clock::boot_number(&options.boot_id));
        let carried_on = self.get(CLOCK).and_then(|value| decode_clock(value, &options.boot_id, now.boottime));
        let clock = match carried_on {
            Some((base, at)) => ShardClock { base, at, wall: now.wall, boot: now.boot },
            None => ShardClock::starting(now.wall.max(latest), now),
        };
        let shard_time = clock.time(now.boottime);
        let ahead = shard_time.since(now.wall).max(now.wall.since(shard_time));
        if ahead > WALL_CLOCK_DRIFT_MAX {
            tracing::warn!(
                seconds = ahead.secs_ceil(),
                "the wall clock differs from shard time; limits go by shard time, but check this machine's clock"
            );
        }
        clock
    }
}

/// base u64, monotonic time at base u64 (both little-endian), then the boot id.
pub(crate) fn encode_clock(boot_id: &str, clock: &ShardClock) -> Vec<u8> {
    [&clock.base.0.to_le_bytes()[..], &clock.at.0.to_le_bytes(), boot_id.as_bytes()].concat()
}

/// The clock to carry on, as base and monotonic time; `None` when the monotonic clock is another one: after a restart of the
/// machine, or when it lies before the time that was written (a time namespace with an offset of its own has the same boot id).
/// Carried on by such a clock, shard time would stand still for as long as the difference.
fn decode_clock(value: &[u8], boot_id: &str, monotonic: Nanos) -> Option<(ShardTime, Nanos)> {
    let (base, rest) = value.split_first_chunk()?;
    let (at, boot) = rest.split_first_chunk()?;
    let (base, at) = (ShardTime(u64::from_le_bytes(*base)), Nanos(u64::from_le_bytes(*at)));
    (boot == boot_id.as_bytes() && monotonic >= at).then_some((base, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_is_carried_on_only_by_the_clock_that_wrote_it() {
        let clock = ShardClock { base: ShardTime(1_000), at: Nanos(50), ..ShardClock::default() };
        let record = encode_clock("boot", &clock);
        assert_eq!(decode_clock(&record, "boot", Nanos(50)), Some((clock.base, clock.at)));
        assert_eq!(decode_clock(&record, "boot", Nanos(49)), None, "a time namespace");
        assert_eq!(decode_clock(&record, "other", Nanos(50)), None);
        assert_eq!(decode_clock(&record[..15], "boot", Nanos(50)), None);
    }
}
