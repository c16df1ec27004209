//! Where the nodes of `drl dev` keep what they have. What etcd would have is in memory, so the data of an earlier run has nobody who
//! knows it: nodes would refuse it as another cluster's. Only an empty directory can begin a run.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

pub(super) enum Directory {
    /// Removed at the end.
    Temporary(TempDir),
    /// Left as it is.
    Given(PathBuf),
}

impl Directory {
    /// # Errors
    /// When it cannot be made or read, or has something in it.
    pub(super) fn open(given: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = given else {
            let made =
                TempDir::with_prefix("drl-dev-").context("cannot make a temporary directory; give --data-dir DIR")?;
            return Ok(Self::Temporary(made));
        };
        let shown = path.display();
        std::fs::create_dir_all(path).with_context(|| format!("--data-dir: cannot make {shown}"))?;
        let mut entries = std::fs::read_dir(path).with_context(|| format!("--data-dir: cannot read {shown}"))?;
        if entries.next().is_some() {
            bail!(
                "--data-dir: {shown} is not empty, and `drl dev` cannot go on where another run ended (who owns what was in its \
                 memory); give an empty directory, or use `drl serve --etcd URL` for a cluster that lasts"
            );
        }
        Ok(Self::Given(path.to_owned()))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Temporary(directory) => directory.path(),
            Self::Given(path) => path,
        }
    }

    /// # Errors
    /// When a temporary directory cannot be removed.
    pub(super) fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Temporary(directory) => directory.close().context("cannot remove the temporary directory"),
            Self::Given(_) => Ok(()),
        }
    }
}
