//! Why a policy file is not in force.

use std::io;
use std::path::{Path, PathBuf};

use drl_core::caps::POLICY_FILE_BYTES_MAX;

use crate::Faults;

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("policy file {} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("policy file {} is longer than {POLICY_FILE_BYTES_MAX} bytes; let prefixes cover clients that are alike", path.display())]
    TooLarge { path: PathBuf },
    #[error("policy file {} is refused: {faults}", path.display())]
    Invalid { path: PathBuf, faults: Faults },
    #[error("no thread could be started that follows the policy file: {source}")]
    Thread { source: io::Error },
}

impl FileError {
    /// What is wrong with the policies themselves; `None` when they could not be read at all.
    #[must_use]
    pub const fn faults(&self) -> Option<&Faults> {
        match self {
            Self::Invalid { faults, .. } => Some(faults),
            Self::Read { .. } | Self::TooLarge { .. } | Self::Thread { .. } => None,
        }
    }

    /// One warning, which names the first fault and the number of all.
    pub(super) fn log(&self, path: &Path) {
        let path = path.display();
        match self.faults().and_then(|faults| Some((faults.listed().first()?, faults.count()))) {
            Some((first, count)) => tracing::warn!(
                %path, field = first.field, reason = first.problem, faults = count,
                "policy file refused; the policies before it stay in force"
            ),
            None => tracing::warn!(%path, reason = %self, "policy file not read; the policies before it stay in force"),
        }
    }
}
