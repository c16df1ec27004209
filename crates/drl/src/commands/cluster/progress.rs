//! How far something is, on stderr: a bar that is redrawn on a terminal, and lines now and then anywhere else.

use std::io::{IsTerminal as _, Write as _};

use drl_core::Nanos;
use drl_host::clock::monotonic;

const CELLS: usize = 24;

/// Lines for a log come no more often than this.
const LINE_EVERY: Nanos = Nanos::from_secs(1);

/// `[######..................] 12/48`
pub(super) fn bar(done: usize, total: usize) -> String {
    let filled = (CELLS * done.min(total)).checked_div(total).unwrap_or(CELLS);
    format!("[{}{}] {done}/{total}", "#".repeat(filled), ".".repeat(CELLS - filled))
}

/// One thing that is under way.
pub(super) struct Progress {
    what: String,
    is_terminal: bool,
    said: Option<(String, Nanos)>,
}

impl Progress {
    pub(super) fn new(what: String) -> Self {
        Self { what, is_terminal: std::io::stderr().is_terminal(), said: None }
    }

    /// Shows where it is. `rest` says what is left, in words.
    pub(super) fn show(&mut self, done: usize, total: usize, rest: &str) {
        let text = format!("{}  {}  {rest}", self.what, bar(done, total));
        let now = monotonic();
        let is_news =
            self.said.as_ref().is_none_or(|(said, at)| *said != text && now.0.saturating_sub(at.0) >= LINE_EVERY.0);
        // When nobody can read it there is nobody to tell.
        let mut stderr = std::io::stderr().lock();
        if self.is_terminal {
            let _ = write!(stderr, "\r{text}\x1b[K").and_then(|()| stderr.flush());
        } else if is_news {
            let _ = writeln!(stderr, "{}: {rest}", self.what);
        } else {
            return;
        }
        self.said = Some((text, now));
    }
}

impl Drop for Progress {
    /// What is said next begins on a line of its own.
    fn drop(&mut self) {
        if self.is_terminal && self.said.is_some() {
            let _ = writeln!(std::io::stderr().lock());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_when_everything_is_done_and_never_fuller() {
        assert_eq!(bar(0, 48), format!("[{}] 0/48", ".".repeat(24)));
        assert_eq!(bar(24, 48), format!("[{}{}] 24/48", "#".repeat(12), ".".repeat(12)));
        for (done, total) in [(48, 48), (50, 48), (0, 0)] {
            assert!(bar(done, total).starts_with(&format!("[{}]", "#".repeat(24))), "{done}/{total}");
        }
    }
}
