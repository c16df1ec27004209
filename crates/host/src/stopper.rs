//! Telling a host that its store has stopped. Whoever else writes into the store (policies) learns of a failed write first, and the
//! host must not go on saying that it is ready. It keeps nothing alive: a host that is gone needs no stop.

use std::sync::{Arc, Weak};

use crate::inner::Inner;

/// Stops a host; see [`crate::Host::stopper`].
#[derive(Clone)]
pub struct Stopper(Weak<Inner>);

impl Stopper {
    pub(crate) fn new(inner: &Arc<Inner>) -> Self {
        Self(Arc::downgrade(inner))
    }

    /// From here on nothing is decided, and everybody who waits is told `reason`; the first one stays.
    pub fn stop(&self, reason: &str) {
        if let Some(inner) = self.0.upgrade() {
            inner.stop(reason);
        }
    }
}

impl std::fmt::Debug for Stopper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stopper")
    }
}
