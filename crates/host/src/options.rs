//! How a host behaves.

use std::str::FromStr;
use std::time::Duration;

use drl_core::{IdentityKey, ShardCount};
use tokio::runtime::Handle;

/// Everything that is chosen when a host is opened.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// The machine's boot id: monotonic time may only be carried on within one boot.
    pub boot_id: String,
    pub journal_sync: JournalSync,
    pub unknown_client: UnknownClient,
    /// Fixed when the data directory is created.
    pub shards: ShardCount,
    /// Longest time between two checkpoints while counters change. Zero checkpoints continuously (tests).
    pub checkpoint_every: Duration,
    /// The runtime of the front doors, whose threads write small frames themselves on a node that stands alone; `None`: the committer's
    /// thread writes all, as it does for a member.
    pub doors: Option<Handle>,
}

impl HostOptions {
    /// The defaults, on a machine with this boot id.
    #[must_use]
    pub const fn new(boot_id: String) -> Self {
        Self {
            boot_id,
            journal_sync: JournalSync::Auto,
            unknown_client: UnknownClient::Deny,
            shards: ShardCount::DEFAULT,
            checkpoint_every: Duration::from_mins(1),
            doors: None,
        }
    }
}

/// The cluster that a host is a member of.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub name: String,
    /// The key of its counters' identities, the same on every node.
    pub identity: IdentityKey,
}

/// When a frame is forced to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JournalSync {
    /// With every commit that has a shard without a copy in sync (on one node: always), else every 50 ms. Default.
    #[default]
    Auto,
    /// With every commit.
    Commit,
    /// Every 50 ms. kill -9 still loses nothing; after a power cut the counters count as used up for one window.
    Interval,
}

/// What happens to a client that no policy covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownClient {
    #[default]
    Deny,
    Allow,
}

/// A word that names no choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not one of {choices}")]
pub struct UnknownWord {
    pub word: String,
    pub choices: &'static str,
}

impl FromStr for JournalSync {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "auto" => Ok(Self::Auto),
            "commit" => Ok(Self::Commit),
            "interval" => Ok(Self::Interval),
            _ => Err(UnknownWord { word: word.to_owned(), choices: "auto, commit, interval" }),
        }
    }
}

impl FromStr for UnknownClient {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "deny" => Ok(Self::Deny),
            "allow" => Ok(Self::Allow),
            _ => Err(UnknownWord { word: word.to_owned(), choices: "deny, allow" }),
        }
    }
}
