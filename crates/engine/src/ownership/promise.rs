//! What a node has promised for a shard: the highest epoch that it has seen there, and whose it is.
//!
//! Rule (protocol, epoch rules 2, 4, 5, 8): a promise is durable before anything follows from it and never decreases; a lower epoch,
//! or the same epoch of another generation, is refused. A record below a promise means that etcd went back in time.

use drl_core::{Epoch, Generation};

use super::record::ShardRecord;

/// An epoch and the generation of its owner. The default promises nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    pub epoch: Epoch,
    pub generation: Generation,
}

impl Default for Promise {
    fn default() -> Self {
        Self { epoch: Epoch(0), generation: Generation(0) }
    }
}

impl Promise {
    /// The promise that adopting `record` makes.
    #[must_use]
    pub const fn of(record: &ShardRecord) -> Self {
        Self { epoch: record.epoch, generation: record.owner.generation }
    }

    /// Whether `other` may follow this promise: a higher epoch, or the very same.
    #[must_use]
    pub fn allows(&self, other: Self) -> bool {
        other.epoch > self.epoch || other == *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn promise(epoch: u64, generation: u64) -> Promise {
        Promise { epoch: Epoch(epoch), generation: Generation(generation) }
    }

    #[test]
    fn a_lower_epoch_and_the_same_epoch_of_another_generation_are_refused() {
        let promised = promise(5, 70);
        assert!(!promised.allows(promise(4, 90)));
        assert!(!promised.allows(promise(5, 71)));
        assert!(promised.allows(promised));
        assert!(promised.allows(promise(6, 1)));
        assert!(Promise::default().allows(promise(1, 1)));
    }
}
