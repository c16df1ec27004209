//! The one clock that a client reads, for deadlines and pauses. No decision goes by it: owners have their own time.

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// The machine's monotonic time.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets time pass, where something may happen meanwhile that nobody tells of.
pub(crate) async fn pass(span: Duration) {
    let _ = timeout(span, pending::<()>()).await;
}
