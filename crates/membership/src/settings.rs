//! What is chosen once for a cluster: written by the first node that starts, read by every other one, the same for all.

use std::time::Duration;

use drl_coordination::{Compare, Coordination, Fault, Key, Keys, Op, Outcome, Txn, TxnError};
use drl_core::caps::SHARDS_MAX;
use drl_core::{IdentityKey, Nanos, ShardCount};
use drl_engine::ownership::Authority;
use rand::Rng;
use serde::{Deserialize, Serialize};

const FORMAT: u32 = 1;

/// The shortest and the longest authority: heartbeats come every 5 s, and an hour without etcd is an outage that somebody looks at.
const AUTHORITY_MIN: Nanos = Nanos::from_secs(10);
const AUTHORITY_MAX: Nanos = Nanos::from_secs(3_600);

/// How often an unknown outcome is looked at again before it is reported.
const TRIES_MAX: usize = 3;

/// The answer to clients that no policy covers, on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownClient {
    #[default]
    Deny,
    Allow,
}

/// The settings of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterSettings {
    pub shards: ShardCount,
    pub identity: IdentityKey,
    pub unknown_client: UnknownClient,
    pub authority: Authority,
}

/// What a node was told on its command line; it takes part in creating a cluster, and must agree with one that exists.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes {
    pub shards: Option<ShardCount>,
    pub unknown_client: Option<UnknownClient>,
    /// 10 s to 1 h.
    pub authority: Option<Nanos>,
}

#[derive(Serialize, Deserialize)]
struct SettingsJson {
    format: u32,
    shards: u64,
    identity_key: String,
    #[serde(default)]
    unknown_client: UnknownClient,
    #[serde(default = "default_authority_ms")]
    authority_ms: u64,
}

fn default_authority_ms() -> u64 {
    Authority::default().span.millis_ceil()
}

/// Why a node has no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(transparent)]
    Coordination(#[from] Fault),
    #[error("{key} is not what it should be: {reason}; put back what was there before (nodes that run still go by it)")]
    Broken { key: Key, reason: String },
    #[error("{key} has format {found}; this version knows format {FORMAT}: use a newer drl")]
    OtherFormat { key: Key, found: u32 },
    #[error(
        "the cluster has {found} shards, not {wanted}: leave --shards out, or use another --cluster; the number is chosen when a cluster is created"
    )]
    OtherShardCount { found: u16, wanted: u16 },
    #[error(
        "the cluster answers unknown clients otherwise: leave --unknown-client out, or change \"unknown_client\" in {key} and restart the nodes"
    )]
    OtherUnknownClient { key: Key },
    #[error(
        "the cluster's authority is {found_ms} ms, not {wanted_ms} ms: leave --authority out, or use another --cluster; it is chosen when a cluster is created"
    )]
    OtherAuthority { found_ms: u64, wanted_ms: u64 },
    #[error("an authority of {wanted_ms} ms is not possible; choose 10s to 1h (--authority)")]
    ImpossibleAuthority { wanted_ms: u64 },
}

impl SettingsError {
    /// Whether waiting may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Coordination(fault) => fault.is_retryable(),
            _ => false,
        }
    }
}

impl ClusterSettings {
    /// Reads the settings; the first node of a cluster creates them.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub async fn obtain(
        coordination: &dyn Coordination,
        keys: &Keys,
        wishes: Wishes,
        within: Duration,
    ) -> Result<Self, SettingsError> {
        let key = keys.settings();
        let authority = wishes.authority()?;
        let json = SettingsJson {
            format: FORMAT,
            shards: u64::from(wishes.shards.unwrap_or(ShardCount::DEFAULT).get()),
            identity_key: hexadecimal(&draw_identity().to_bytes()),
            unknown_client: wishes.unknown_client.unwrap_or_default(),
            authority_ms: authority.unwrap_or(Authority::default().span).millis_ceil(),
        };
        let value = serde_json::to_vec(&json)
            .map_err(|error| SettingsError::Broken { key: key.clone(), reason: error.to_string() })?;
        let create = Txn {
            compares: vec![Compare::absent(key.clone())],
            then: vec![Op::Put { key: key.clone(), value: value.clone(), lease: None }],
            otherwise: vec![Op::Get { key: key.clone() }],
        };
        let found = settle(coordination, &create, value, within).await?;
        Self::read(&key, &found)?.agree(&key, wishes)
    }

    fn read(key: &Key, value: &[u8]) -> Result<Self, SettingsError> {
        let broken = |reason: String| SettingsError::Broken { key: key.clone(), reason };
        let json: SettingsJson = serde_json::from_slice(value).map_err(|error| broken(error.to_string()))?;
        if json.format != FORMAT {
            return Err(SettingsError::OtherFormat { key: key.clone(), found: json.format });
        }
        let shards = ShardCount::new(json.shards).map_err(|_| broken(format!("shards is not 1 to {SHARDS_MAX}")))?;
        let identity = from_hexadecimal(&json.identity_key)
            .ok_or_else(|| broken("identity_key is not 32 hexadecimal digits".to_owned()))?;
        let span = Nanos::from_millis(json.authority_ms);
        if !(AUTHORITY_MIN..=AUTHORITY_MAX).contains(&span) {
            return Err(broken("authority_ms is not 10000 to 3600000".to_owned()));
        }
        let authority = Authority { span, ..Authority::default() };
        Ok(Self { shards, identity: IdentityKey::from_bytes(identity), unknown_client: json.unknown_client, authority })
    }

    fn agree(self, key: &Key, wishes: Wishes) -> Result<Self, SettingsError> {
        if let Some(wanted) = wishes.shards.filter(|wanted| *wanted != self.shards) {
            return Err(SettingsError::OtherShardCount { found: self.shards.get(), wanted: wanted.get() });
        }
        if wishes.unknown_client.is_some_and(|wanted| wanted != self.unknown_client) {
            return Err(SettingsError::OtherUnknownClient { key: key.clone() });
        }
        if let Some(wanted) = wishes.authority.filter(|wanted| *wanted != self.authority.span) {
            let (found_ms, wanted_ms) = (self.authority.span.millis_ceil(), wanted.millis_ceil());
            return Err(SettingsError::OtherAuthority { found_ms, wanted_ms });
        }
        Ok(self)
    }
}

impl Wishes {
    fn authority(&self) -> Result<Option<Nanos>, SettingsError> {
        match self.authority {
            Some(wanted) if !(AUTHORITY_MIN..=AUTHORITY_MAX).contains(&wanted) => {
                Err(SettingsError::ImpossibleAuthority { wanted_ms: wanted.millis_ceil() })
            }
            wanted => Ok(wanted),
        }
    }
}

/// Creates the key if it is absent, and returns what stands there. Creating again changes nothing when it was created before, so an
/// unknown outcome is settled by asking once more.
async fn settle(
    coordination: &dyn Coordination,
    create: &Txn,
    value: Vec<u8>,
    within: Duration,
) -> Result<Vec<u8>, SettingsError> {
    let mut tries = 1;
    loop {
        match coordination.transact(create.clone(), within).await {
            Ok(Outcome::Committed(_)) => return Ok(value),
            Ok(Outcome::Refused(reply)) => {
                let found = reply.read.into_iter().flatten().next();
                return Ok(found.map(|entry| entry.value).unwrap_or_default());
            }
            Err(TxnError::Unknown(_)) if tries < TRIES_MAX => tries += 1,
            Err(error) => return Err(error.into_fault().into()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where a cluster's identity key is drawn")]
fn draw_identity() -> IdentityKey {
    IdentityKey::from_bytes(rand::rng().random())
}

fn hexadecimal(bytes: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*bytes))
}

fn from_hexadecimal(text: &str) -> Option<[u8; 16]> {
    let is_whole = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).ok().filter(|_| is_whole)?;
    Some(number.to_be_bytes())
}
