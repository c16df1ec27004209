//! From a key to what it holds. Total: any bytes under any prefix give a place or a reason.

use drl_core::caps::{CLIENT_ID_BYTES_MAX, SHARDS_MAX};
use drl_core::{InvalidNamespace, InvalidNodeId, Namespace, NodeId, ShardId};

use super::escape::{escaped, unescaped};
use super::{Keys, LimitPlace, Place, Whom};
use crate::Key;

/// A key that means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    #[error("{key} is not a key of this cluster; they start with {root}")]
    OtherCluster { key: Key, root: String },
    #[error("{key} is unknown; there are settings, nodes/, heartbeats/, shards/ and limits/")]
    Unknown { key: Key },
    #[error("{key}: {reason}")]
    Node { key: Key, reason: InvalidNodeId },
    #[error("{key}: a shard is a number below {SHARDS_MAX}, without leading zeros")]
    Shard { key: Key },
    #[error("{key}: {reason}")]
    Namespace { key: Key, reason: InvalidNamespace },
    #[error("{key}: a namespace has default, clients/CLIENT_ID and prefixes/PREFIX")]
    Limit { key: Key },
    #[error("{key}: an id has 1 to {CLIENT_ID_BYTES_MAX} bytes")]
    Length { key: Key },
    #[error("{key}: two hexadecimal digits must follow each % (write % itself as %25)")]
    Escape { key: Key },
    #[error("{key}: write it as {canonical}, so that nothing has two keys")]
    Spelling { key: Key, canonical: String },
}

pub(super) fn parse(keys: &Keys, key: &Key) -> Result<Place, InvalidKey> {
    let Some(rest) = key.as_bytes().strip_prefix(keys.root.as_bytes()) else {
        return Err(InvalidKey::OtherCluster { key: key.clone(), root: keys.root.clone() });
    };
    if rest == b"settings" {
        return Ok(Place::Settings);
    }
    let unknown = || InvalidKey::Unknown { key: key.clone() };
    let (kind, rest) = split(rest).ok_or_else(unknown)?;
    match kind {
        b"nodes" => node(key, rest).map(Place::Node),
        b"heartbeats" => node(key, rest).map(Place::Heartbeat),
        b"shards" => shard(key, rest).map(Place::Shard),
        b"limits" => limit(key, rest).map(Place::Limit),
        _ => Err(unknown()),
    }
}

/// What is before the first slash, and what is behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let slash = bytes.iter().position(|byte| *byte == b'/')?;
    Some((bytes.get(..slash)?, bytes.get(slash.checked_add(1)?..)?))
}

fn node(key: &Key, rest: &[u8]) -> Result<NodeId, InvalidKey> {
    // Bytes that are no text become characters that no name has.
    NodeId::new(&String::from_utf8_lossy(rest)).map_err(|reason| InvalidKey::Node { key: key.clone(), reason })
}

fn shard(key: &Key, rest: &[u8]) -> Result<ShardId, InvalidKey> {
    let number = std::str::from_utf8(rest).ok().and_then(|text| text.parse::<u16>().ok());
    match number {
        Some(number) if number < SHARDS_MAX && number.to_string().as_bytes() == rest => Ok(ShardId::new(number)),
        _ => Err(InvalidKey::Shard { key: key.clone() }),
    }
}

fn limit(key: &Key, rest: &[u8]) -> Result<LimitPlace, InvalidKey> {
    let unknown = || InvalidKey::Limit { key: key.clone() };
    let (name, rest) = split(rest).ok_or_else(unknown)?;
    let name = String::from_utf8_lossy(name);
    let namespace = Namespace::new(&name).map_err(|reason| InvalidKey::Namespace { key: key.clone(), reason })?;
    let whom = match split(rest) {
        None if rest == b"default" => Whom::Default,
        Some((b"clients", id)) => Whom::Client(bytes(key, id)?),
        Some((b"prefixes", prefix)) => Whom::Prefix(bytes(key, prefix)?),
        _ => return Err(unknown()),
    };
    Ok(LimitPlace { namespace: namespace.as_str().to_owned(), whom })
}

/// The bytes of an id, provided that they are written in the one way there is.
fn bytes(key: &Key, text: &[u8]) -> Result<Vec<u8>, InvalidKey> {
    let id = unescaped(text).map_err(|_| InvalidKey::Escape { key: key.clone() })?;
    if id.is_empty() || id.len() > CLIENT_ID_BYTES_MAX {
        return Err(InvalidKey::Length { key: key.clone() });
    }
    let canonical = escaped(&id);
    if canonical.as_bytes() != text {
        return Err(InvalidKey::Spelling { key: key.clone(), canonical });
    }
    Ok(id)
}
