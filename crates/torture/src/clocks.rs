//! Clocks of nodes that are wrong. The wall clock is moved by libfaketime, which reads a file at every look, so that it can jump while the
//! node runs; the monotonic clocks begin somewhere else in a time namespace of the node. Rates are true.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// How far ahead the monotonic clocks of each node begin, in seconds.
const MONOTONIC: [u64; 5] = [0, 100_000, 7, 3_600, 90_000_000];

/// The files that say how wrong each wall clock is.
pub(crate) struct Clocks {
    preloaded: PathBuf,
    directory: PathBuf,
}

/// Where Debian's package `faketime` puts it.
fn library() -> Option<PathBuf> {
    let machines = std::fs::read_dir("/usr/lib").ok()?;
    let candidates = machines.flatten().map(|machine| machine.path().join("faketime/libfaketime.so.1"));
    candidates.into_iter().find(|path| path.is_file())
}

/// Whether wrong clocks can be had here.
#[must_use]
pub(crate) fn are_possible() -> bool {
    library().is_some() && shell::run("unshare --time --boottime 1 true").is_ok()
}

impl Clocks {
    /// # Errors
    /// There is no libfaketime, or nothing may be written there.
    pub(crate) fn new(directory: &Path, nodes: usize) -> Result<Self> {
        let preloaded = library().context("no libfaketime (apt-get install faketime)")?;
        let clocks = Self { preloaded, directory: directory.to_owned() };
        (0..nodes).try_for_each(|node| clocks.set_wall(node, 0))?;
        Ok(clocks)
    }

    /// From now on the wall clock of a node is so many seconds off.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn set_wall(&self, node: usize, seconds: i64) -> Result<()> {
        let (file, new) = (self.file(node), self.file(node).with_extension("new"));
        std::fs::write(&new, format!("{seconds:+}\n"))?;
        Ok(std::fs::rename(new, file)?)
    }

    fn file(&self, node: usize) -> PathBuf {
        self.directory.join(format!("wall-{}", node + 1))
    }

    /// The words before a program that goes by the clocks of a node.
    #[must_use]
    pub(crate) fn prefix(node: usize) -> Vec<String> {
        let ahead = MONOTONIC[node % MONOTONIC.len()].to_string();
        let words = ["unshare", "--time", "--monotonic", &ahead, "--boottime", &ahead];
        words.map(str::to_owned).to_vec()
    }

    pub(crate) fn preload(&self, node: usize, command: &mut Command) {
        let (preloaded, file) = (&self.preloaded, self.file(node));
        command.env("LD_PRELOAD", preloaded).env("FAKETIME_TIMESTAMP_FILE", file);
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
    }
}
