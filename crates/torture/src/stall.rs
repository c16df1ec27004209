//! Whether the machine itself stood still. A virtual machine that is suspended, or one that has no time for anybody, makes every figure of a run
//! worthless, and a run that says so is run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use drl_tests::cluster::{Since, let_pass};

const PACE: Duration = Duration::from_millis(20);

/// From here on figures are not of the nodes.
pub(crate) const TOO_LONG: Duration = Duration::from_millis(1_500);

/// Looks at the clock all the time.
pub(crate) struct Stall {
    longest: Arc<AtomicU64>,
    looking: JoinHandle<()>,
}

impl Stall {
    pub(crate) fn watch() -> Self {
        let longest = Arc::new(AtomicU64::new(0));
        let shared = Arc::downgrade(&longest);
        let looking = std::thread::spawn(move || {
            while let Some(longest) = shared.upgrade() {
                let since = Since::now();
                let_pass(PACE);
                let took = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                longest.fetch_max(took, Ordering::Relaxed);
            }
        });
        Self { longest, looking }
    }

    /// The longest that this process did not get to run.
    pub(crate) fn longest(self) -> Duration {
        let longest = Duration::from_millis(self.longest.load(Ordering::Relaxed));
        drop(self.longest);
        // It only looks at the clock.
        let _ = self.looking.join();
        longest
    }
}
