//! How many files, and so connections, this process may have open.

use drl_core::caps::CONNECTIONS_MAX;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are not connections. RocksDB keeps up to 256 tables open; its logs and manifest, listeners and pipes are a few dozen; a
/// compaction opens its inputs and outputs beside them. A database that finds no file free stops the node.
const RESERVED: u64 = 512;

/// Connections where the file limit leaves less than that: a node that nobody can ask is of no use.
const CONNECTIONS_MIN: u64 = 64;

/// Raises the soft limit to the hard one and says how many connections all of `doors` doors may hold together: the cap of each, or less
/// where the system allows less.
pub(crate) fn connections(doors: u64) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let files = if raised.is_ok() { maximum } else { current };
    let wanted = (CONNECTIONS_MAX as u64).saturating_mul(doors);
    let possible = within(files, wanted);
    if possible < wanted {
        tracing::info!(files, connections = possible, "the file limit (ulimit -Hn) bounds the connections");
    }
    usize::try_from(possible).unwrap_or(CONNECTIONS_MAX)
}

/// As many of the `wanted` connections as a limit of `files` allows; `None` is no limit.
fn within(files: Option<u64>, wanted: u64) -> u64 {
    files.map_or(wanted, |files| files.saturating_sub(RESERVED).max(CONNECTIONS_MIN).min(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_database_its_files() {
        for (files, connections) in [(None, 60_000), (Some(1_000_000), 60_000), (Some(1_024), 512), (Some(256), 64)] {
            assert_eq!(within(files, 60_000), connections, "{files:?}");
        }
    }
}
