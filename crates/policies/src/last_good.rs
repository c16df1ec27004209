//! Where the last good policies are kept, so that they are in force again after a restart of everything, whatever etcd holds by then.
//! What the records mean is `record.rs`; an implementation sees bytes.

mod in_memory;

pub use self::in_memory::InMemoryLastGood;

/// A key and its value.
pub type LastGoodRecord = (Vec<u8>, Vec<u8>);

/// Keeps records. Calls block and are made beside the runtime, one at a time. [`crate::conformance`] holds it as claims. Keys are keys in
/// etcd, which begin with a slash, and one more; other records in the same place are left alone.
pub trait LastGood: Send + Sync {
    /// Every record, in any order.
    ///
    /// # Errors
    /// [`LastGoodError`] when they cannot be read as a whole.
    fn load(&self) -> Result<Vec<LastGoodRecord>, LastGoodError>;

    /// Changes records, all or none, durably. `None` deletes; deleting what is not there is nothing. No key comes twice; keys have at most
    /// [`drl_core::caps::RECORD_KEY_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`LastGoodError`] when nothing was changed, or when that is not known: the same changes are sent again later.
    fn save(&self, changes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<(), LastGoodError>;
}

/// The records cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the last good policies cannot be kept on disk: {reason}")]
pub struct LastGoodError {
    pub reason: String,
}
