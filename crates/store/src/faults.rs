//! Where effects can be made to fail, for the torture of real processes (docs/torture.md). Without the feature `faults`, which no product is
//! built with, everything here is nothing.
//!
//! * A [`point`] is passed before and after every effect that matters. The file that `DRL_FAULT_FILE` names, if it is there, says
//!   `NAME MILLISECONDS die|go`: whoever passes the point of that name stands still for so long, as at a slow disk, and then dies as of
//!   kill -9, or goes on. The file may come and go while the process runs.
//! * A [`Plant`] is a rule of the effects that is not kept, from the start of the process: `DRL_PLANT`.

/// A rule that is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// Nothing is put on disk; the page cache has it, until the power goes.
    LostFsync,
    /// A frame counts as journaled before it is.
    AckBeforeJournal,
    /// Beats come from the thread that commits, and not from one of their own.
    BeatOfCommitter,
}

#[cfg(not(feature = "faults"))]
mod passed {
    use super::Plant;

    /// Passes a point.
    #[inline]
    pub const fn point(_name: &str) {}

    /// Whether a rule is not kept.
    #[inline]
    #[must_use]
    pub const fn is_planted(_plant: Plant) -> bool {
        false
    }
}

#[cfg(feature = "faults")]
#[expect(clippy::disallowed_methods, reason = "never in a product; the tortured process is told by its environment")]
mod passed {
    use std::sync::{OnceLock, mpsc};
    use std::time::Duration;

    use super::Plant;

    /// Passes a point.
    pub fn point(name: &str) {
        static FILE: OnceLock<Option<String>> = OnceLock::new();
        let file = FILE.get_or_init(|| std::env::var("DRL_FAULT_FILE").ok());
        let Some(armed) = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok()) else { return };
        let mut words = armed.split_whitespace();
        if words.next() != Some(name) {
            return;
        }
        let milliseconds = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        // Nobody sends anything: a wait, and nothing else.
        let (held, never) = mpsc::channel::<()>();
        let _ = never.recv_timeout(Duration::from_millis(milliseconds));
        drop(held);
        if words.next() == Some("die") {
            std::process::abort();
        }
        // Once is enough.
        let _ = file.as_ref().map(std::fs::remove_file);
    }

    /// Whether a rule is not kept.
    #[must_use]
    pub fn is_planted(plant: Plant) -> bool {
        static PLANTED: OnceLock<Option<Plant>> = OnceLock::new();
        let planted = PLANTED.get_or_init(|| match std::env::var("DRL_PLANT").ok()?.as_str() {
            "lost-fsync" => Some(Plant::LostFsync),
            "ack-before-journal" => Some(Plant::AckBeforeJournal),
            "beat-of-committer" => Some(Plant::BeatOfCommitter),
            _ => None,
        });
        *planted == Some(plant)
    }
}

pub use passed::{is_planted, point};
