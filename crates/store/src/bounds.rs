//! What a value may measure, checked by every implementation before it writes anything. The numbers are in `drl_core::caps`.

use drl_core::caps::{RECORD_KEY_BYTES_MAX, STORED_BYTES_MAX};

use crate::{PageId, Record};

/// # Errors
/// A sentence, when the frame is above the cap.
pub(crate) fn frame(frame: &[u8]) -> Result<(), String> {
    within(frame.len(), STORED_BYTES_MAX, "frame")
}

/// # Errors
/// A sentence, when one of the pages is above the cap.
pub(crate) fn pages(pages: &[(PageId, Vec<u8>)]) -> Result<(), String> {
    pages.iter().try_for_each(|(_, payload)| within(payload.len(), STORED_BYTES_MAX, "page"))
}

/// # Errors
/// A sentence, when a key or a value is above its cap.
pub(crate) fn records(records: &[Record]) -> Result<(), String> {
    records.iter().try_for_each(|record| {
        within(record.key.len(), RECORD_KEY_BYTES_MAX, "record key")?;
        within(record.value.as_ref().map_or(0, Vec::len), STORED_BYTES_MAX, "record")
    })
}

fn within(bytes: usize, bytes_max: usize, what: &str) -> Result<(), String> {
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(format!("a {what} of {bytes} bytes is above the cap of {bytes_max}"))
}
