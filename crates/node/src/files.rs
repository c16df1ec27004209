//! How many files, and so connections, this process may have open.

use drl_core::caps::CONNECTIONS_MAX;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are not connections: RocksDB keeps its tables open, and there are logs, sockets and pipes.
const RESERVED: u64 = 512;

/// Raises the soft limit to the hard one and says how many connections each of `doors` doors may hold: the cap, or less where the
/// system allows less.
pub(crate) fn connections_per_door(doors: u64) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    let wanted = CONNECTIONS_MAX as u64;
    let possible = limit.map_or(wanted, |files| files.saturating_sub(RESERVED).max(RESERVED));
    if possible < wanted.saturating_mul(doors) {
        tracing::info!(
            files = limit,
            "the file limit (ulimit -Hn) is lower than all doors together may need; when it is reached, connections wait"
        );
    }
    usize::try_from(possible.min(wanted)).unwrap_or(CONNECTIONS_MAX)
}
