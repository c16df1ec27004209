//! Opening a directory.

use std::path::Path;
use std::sync::Arc;

use drl_client::RateLimiter;
use drl_configuration::ConfigurationService;
use drl_core::{InvalidNodeId, NodeId, ShardCount};
use drl_host::{Host, HostOptions, JournalSync, UnknownClient};
use drl_store::RocksStore;

use crate::backend::Embedded;

/// How an embedded limiter behaves. The defaults lose nothing, not even in a power cut.
#[derive(Debug, Clone)]
pub struct Options {
    pub journal_sync: JournalSync,
    /// What happens to a client that the configuration service does not know.
    pub unknown_client: UnknownClient,
    /// Written into the directory; another name is refused, so that two services do not share one by mistake.
    pub name: String,
    /// Fixed when the directory is created.
    pub shards: ShardCount,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            journal_sync: JournalSync::Auto,
            unknown_client: UnknownClient::Deny,
            name: "embedded".to_owned(),
            shards: ShardCount::DEFAULT,
        }
    }
}

/// A directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Name(#[from] InvalidNodeId),
    #[error("cannot read the machine's boot id: {0}")]
    BootId(#[source] std::io::Error),
    #[error(transparent)]
    Store(#[from] drl_store::OpenError),
    #[error(transparent)]
    Host(#[from] drl_host::OpenError),
}

/// Opens `dir` (created when it is missing), reads its counters back and starts the journal's threads. `configuration` says which
/// limits apply to whom.
///
/// # Errors
/// [`OpenError`]: the directory is in use, belongs to somebody else, has another format, or cannot be read or written.
pub fn open(
    dir: &Path,
    configuration: Arc<dyn ConfigurationService>,
    options: &Options,
) -> Result<RateLimiter, OpenError> {
    let boot_id = drl_host::boot_id().map_err(OpenError::BootId)?;
    let node_id = NodeId::new(&options.name)?;
    let store = RocksStore::open(dir, drl_store::OpenOptions { node_id, boot_id: boot_id.clone() })?;
    let host_options = HostOptions {
        journal_sync: options.journal_sync,
        unknown_client: options.unknown_client,
        shards: options.shards,
        ..HostOptions::new(boot_id)
    };
    let host = Host::open(Arc::new(store), configuration, host_options)?;
    Ok(RateLimiter::over(Arc::new(Embedded::new(host))))
}
