//! The JSON of the keys that nodes write. People read it, and may change it with `etcdctl`, so reading is total: a value that is none
//! gives a reason. Fields that this version does not know are ignored.

use drl_core::{Epoch, Generation, NodeId, ShardTime};
use drl_engine::ownership::{Holder, ShardRecord};
use serde::{Deserialize, Serialize};

/// Where a node can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeAddresses {
    /// `HOST:PORT` for clients and other nodes.
    pub grpc: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resp: Option<String>,
}

/// The value of `nodes/{node}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeDocument {
    pub(crate) generation: Generation,
    pub(crate) addresses: NodeAddresses,
    pub(crate) version: String,
    pub(crate) draining: bool,
}

#[derive(Serialize, Deserialize)]
struct NodeJson {
    generation: String,
    addresses: NodeAddresses,
    #[serde(default)]
    version: String,
    #[serde(default)]
    draining: bool,
}

#[derive(Serialize, Deserialize)]
struct HolderJson {
    node: String,
    generation: String,
}

#[derive(Serialize, Deserialize)]
struct RecordJson {
    epoch: u64,
    owner: HolderJson,
    follower: Option<HolderJson>,
    in_sync: bool,
    cold: bool,
}

#[derive(Serialize, Deserialize)]
struct BeatJson {
    /// Nanoseconds since 1970, as a string: JSON numbers are only good to 2^53.
    time_hi: String,
}

/// The value of a key that is not what the key is for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct NotADocument {
    reason: String,
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err passes")]
fn because(reason: impl ToString) -> NotADocument {
    NotADocument { reason: reason.to_string() }
}

fn generation(text: &str) -> Result<Generation, NotADocument> {
    let number = u64::from_str_radix(text, 16);
    number.map(Generation).map_err(|_| because(format!("generation {text:?} is not a number in hexadecimal")))
}

fn holder(json: &HolderJson) -> Result<Holder, NotADocument> {
    Ok(Holder { node: NodeId::new(&json.node).map_err(because)?, generation: generation(&json.generation)? })
}

fn holder_json(holder: &Holder) -> HolderJson {
    HolderJson { node: holder.node.to_string(), generation: format!("{:016x}", holder.generation.0) }
}

/// Writing plain structs of strings and numbers as JSON cannot fail.
fn write(json: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(json).unwrap_or_default()
}

pub(crate) fn write_record(record: &ShardRecord) -> Vec<u8> {
    write(&RecordJson {
        epoch: record.epoch.0,
        owner: holder_json(&record.owner),
        follower: record.follower.as_ref().map(holder_json),
        in_sync: record.in_sync,
        cold: record.cold,
    })
}

pub(crate) fn read_record(value: &[u8]) -> Result<ShardRecord, NotADocument> {
    let json: RecordJson = serde_json::from_slice(value).map_err(because)?;
    if json.epoch == 0 {
        return Err(because("epoch is 0; the first one is 1"));
    }
    Ok(ShardRecord {
        epoch: Epoch(json.epoch),
        owner: holder(&json.owner)?,
        follower: json.follower.as_ref().map(holder).transpose()?,
        in_sync: json.in_sync,
        cold: json.cold,
    })
}

pub(crate) fn write_node(node: &NodeDocument) -> Vec<u8> {
    write(&NodeJson {
        generation: format!("{:016x}", node.generation.0),
        addresses: node.addresses.clone(),
        version: node.version.clone(),
        draining: node.draining,
    })
}

pub(crate) fn read_node(value: &[u8]) -> Result<NodeDocument, NotADocument> {
    let json: NodeJson = serde_json::from_slice(value).map_err(because)?;
    let NodeJson { generation: text, addresses, version, draining } = json;
    Ok(NodeDocument { generation: generation(&text)?, addresses, version, draining })
}

pub(crate) fn write_beat(time_hi: ShardTime) -> Vec<u8> {
    write(&BeatJson { time_hi: time_hi.0.to_string() })
}

pub(crate) fn read_beat(value: &[u8]) -> Result<ShardTime, NotADocument> {
    let json: BeatJson = serde_json::from_slice(value).map_err(because)?;
    let number = json.time_hi.parse().map(ShardTime);
    number.map_err(|_| because(format!("time_hi {:?} is not a number of nanoseconds", json.time_hi)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_written_as_documented_and_read_back() {
        let owner = Holder { node: NodeId::new("n1").unwrap(), generation: Generation(0xab) };
        let record = ShardRecord { epoch: Epoch(7), ..ShardRecord::first(owner) };
        let json = r#"{"epoch":7,"owner":{"node":"n1","generation":"00000000000000ab"},"follower":null,"in_sync":false,"cold":false}"#;
        assert_eq!(String::from_utf8(write_record(&record)).unwrap(), json);
        assert_eq!(read_record(json.as_bytes()), Ok(record));
    }

    #[test]
    fn a_node_and_a_beat_are_read_back() {
        let addresses = NodeAddresses { grpc: "127.0.0.1:7700".to_owned(), http: None, resp: Some("h:1".to_owned()) };
        let node =
            NodeDocument { generation: Generation(u64::MAX), addresses, version: "0.1.0".to_owned(), draining: true };
        assert_eq!(read_node(&write_node(&node)), Ok(node));
        let time = ShardTime(u64::MAX);
        assert_eq!(read_beat(&write_beat(time)), Ok(time));
    }

    #[test]
    fn what_is_typed_by_hand_gives_a_reason_and_never_a_panic() {
        let bad: [&[u8]; 7] = [
            b"",
            b"{",
            b"\xff",
            b"[]",
            br#"{"epoch":0,"owner":{"node":"n1","generation":"1"},"follower":null,"in_sync":false,"cold":false}"#,
            br#"{"epoch":1,"owner":{"node":"n 1","generation":"1"},"follower":null,"in_sync":false,"cold":false}"#,
            br#"{"epoch":1,"owner":{"node":"n1","generation":"x"},"follower":null,"in_sync":false,"cold":false}"#,
        ];
        for value in bad {
            let error = read_record(value).unwrap_err().to_string();
            assert!(!error.is_empty());
            assert!(read_node(value).is_err() && read_beat(value).is_err());
        }
    }
}
