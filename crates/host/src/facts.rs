//! What ownership keeps on disk, as bytes: for each shard a record of kind `Role`, and two of kind `Meta`.
//!
//! ```text
//! key    u16 shard, big-endian
//! value  u8 format = 2 | u64 promised epoch | u64 promised generation | held | wanted          (little-endian)
//! held   u8 0, or 1 and: u64 epoch | u64 generation | u64 base | u64 at | u64 wall | u128 boot | u8 floor (0 journaled, 1 pending)
//! wanted u8 0, or 1 and: u64 epoch | u64 generation | u8 origin (0 empty, 1 resume, 2 cold)
//! ```

use drl_core::{Epoch, Generation, Nanos, ShardId, ShardTime};
use drl_engine::ownership::{BootId, Fact, FloorState, Held, Origin, Promise, RoleMarker, ShardClock, Wanted};
use drl_store::{Record, RecordKind};

use crate::meta;

const FORMAT: u8 = 2;

/// The record of a fact; `None` for the one that is no record.
pub(crate) fn record(fact: &Fact) -> Option<Record> {
    match fact {
        Fact::Shard { shard, marker, promise } => Some(Record {
            kind: RecordKind::Role,
            key: shard.get().to_be_bytes().to_vec(),
            value: Some(write(marker, promise)),
        }),
        Fact::Lease(lease) => Some(meta::record(meta::LEASE, lease.map(|lease| lease.0.to_le_bytes().to_vec()))),
        Fact::Seen { cluster, revision } => {
            let value = [cluster.0.to_le_bytes(), revision.0.to_le_bytes()].concat();
            Some(meta::record(meta::SEEN, Some(value)))
        }
        Fact::CountersDiscarded => None,
    }
}

fn write(marker: &RoleMarker, promise: &Promise) -> Vec<u8> {
    let mut out = vec![FORMAT];
    out.extend_from_slice(&promise.epoch.0.to_le_bytes());
    out.extend_from_slice(&promise.generation.0.to_le_bytes());
    match &marker.held {
        None => out.push(0),
        Some(Held { epoch, generation, clock, floor }) => {
            out.push(1);
            for field in [epoch.0, generation.0, clock.base.0, clock.at.0, clock.wall.0] {
                out.extend_from_slice(&field.to_le_bytes());
            }
            out.extend_from_slice(&clock.boot.0.to_le_bytes());
            out.push(u8::from(*floor == FloorState::Pending));
        }
    }
    match &marker.wanted {
        None => out.push(0),
        Some(Wanted { epoch, generation, origin }) => {
            out.push(1);
            out.extend_from_slice(&epoch.0.to_le_bytes());
            out.extend_from_slice(&generation.0.to_le_bytes());
            out.push(match origin {
                Origin::Empty => 0,
                Origin::Resume => 1,
                Origin::Cold => 2,
            });
        }
    }
    out
}

/// The shard, its marker and its promise; `None` when the bytes are none of ours.
pub(crate) fn read(key: &[u8], value: &[u8]) -> Option<(ShardId, RoleMarker, Promise)> {
    let shard = ShardId::new(u16::from_be_bytes(key.try_into().ok()?));
    let mut reader = Reader(value);
    if reader.u8()? != FORMAT {
        return None;
    }
    let promise = Promise { epoch: Epoch(reader.u64()?), generation: Generation(reader.u64()?) };
    let held = match reader.u8()? {
        0 => None,
        1 => Some(reader.held()?),
        _ => return None,
    };
    let wanted = match reader.u8()? {
        0 => None,
        1 => Some(reader.wanted()?),
        _ => return None,
    };
    reader.0.is_empty().then_some((shard, RoleMarker { held, wanted }, promise))
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn u8(&mut self) -> Option<u8> {
        self.bytes().map(u8::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn held(&mut self) -> Option<Held> {
        let (epoch, generation) = (Epoch(self.u64()?), Generation(self.u64()?));
        let (base, at, wall) = (ShardTime(self.u64()?), Nanos(self.u64()?), ShardTime(self.u64()?));
        let boot = BootId(self.bytes().map(u128::from_le_bytes)?);
        let floor = match self.u8()? {
            0 => FloorState::Journaled,
            1 => FloorState::Pending,
            _ => return None,
        };
        Some(Held { epoch, generation, clock: ShardClock { base, at, wall, boot }, floor })
    }

    fn wanted(&mut self) -> Option<Wanted> {
        let (epoch, generation) = (Epoch(self.u64()?), Generation(self.u64()?));
        let origin = match self.u8()? {
            0 => Origin::Empty,
            1 => Origin::Resume,
            2 => Origin::Cold,
            _ => return None,
        };
        Some(Wanted { epoch, generation, origin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard_fact() -> (ShardId, RoleMarker, Promise) {
        let clock = ShardClock { base: ShardTime(7), at: Nanos(8), wall: ShardTime(9), boot: BootId(1 << 100) };
        let (epoch, generation) = (Epoch(5), Generation(u64::MAX));
        let held = Held { epoch, generation, clock, floor: FloorState::Pending };
        let wanted = Wanted { epoch: Epoch(6), generation: Generation(3), origin: Origin::Cold };
        let marker = RoleMarker { held: Some(held), wanted: Some(wanted) };
        (ShardId::new(1_023), marker, Promise { epoch, generation })
    }

    fn record_of((shard, marker, promise): (ShardId, RoleMarker, Promise)) -> (Vec<u8>, Vec<u8>) {
        let record = record(&Fact::Shard { shard, marker, promise }).unwrap();
        (record.key, record.value.unwrap())
    }

    #[test]
    fn what_is_written_of_a_shard_is_read_back() {
        let nothing = (ShardId::new(0), RoleMarker::default(), Promise::default());
        for fact in [shard_fact(), nothing] {
            let (key, value) = record_of(fact);
            assert_eq!(read(&key, &value), Some(fact));
        }
    }

    #[test]
    fn bytes_that_are_cut_or_changed_are_refused() {
        let (key, value) = record_of(shard_fact());
        for end in 0..value.len() {
            assert_eq!(read(&key, &value[..end]), None, "cut at {end}");
        }
        assert_eq!(read(&key, &[&value[..], &[0]].concat()), None, "longer");
        assert_eq!(read(&key[..1], &value), None, "half a key");
        let alone = [&5_u64.to_le_bytes()[..], b"owner"].concat();
        assert_eq!(read(&key, &alone), None, "a marker of a node that stands alone");
    }

    #[test]
    fn the_format_of_a_marker_is_frozen() {
        let (_, value) = record_of((ShardId::new(0), RoleMarker::default(), Promise::default()));
        assert_eq!(value, [&[2][..], &[0; 16], &[0, 0]].concat());
        assert_eq!(record_of(shard_fact()).1.len(), 1 + 16 + 1 + 40 + 16 + 1 + 1 + 17);
    }
}
