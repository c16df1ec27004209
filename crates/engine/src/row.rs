//! One counter as it stands in a table and as it travels: key (16 bytes), number of its shape in the dictionary (u16; 65,535 for
//! a counter that is gone), then its cells.

use std::sync::Arc;

use drl_core::KeyHash;
use drl_limits::{Counter, Shape};

use crate::bytes::{Malformed, Reader};
use crate::dictionary::{DictionaryWriter, GONE};

/// A counter and whether the open frame already carries it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) counter: Counter,
    pub(crate) place: Place,
}

/// Where the row's latest state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a frame that was sealed, or in a page.
    Sealed,
    /// Noted for the frame that is open.
    OpenFrame,
}

/// Writes a row; `None` stands for a counter that is gone. `false` when the dictionary is full and nothing was written.
pub(crate) fn write(
    key: KeyHash,
    counter: Option<&Counter>,
    dictionary: &mut DictionaryWriter,
    out: &mut Vec<u8>,
) -> bool {
    let number = match counter {
        None => GONE,
        Some(counter) => match dictionary.number(counter.shape()) {
            Some(number) => number,
            None => return false,
        },
    };
    out.extend_from_slice(&key.to_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    if let Some(counter) = counter {
        counter.encode_cells(out);
    }
    true
}

/// Reads a row.
pub(crate) fn read(reader: &mut Reader<'_>, shapes: &[Arc<Shape>]) -> Result<(KeyHash, Option<Counter>), Malformed> {
    let key = KeyHash::from_bytes(reader.array("row key")?);
    let number = reader.u16("row shape")?;
    if number == GONE {
        return Ok((key, None));
    }
    let shape = shapes.get(usize::from(number)).ok_or(Malformed { what: "row shape" })?;
    let counter =
        Counter::decode_cells(Arc::clone(shape), reader.rest_mut()).map_err(|_| Malformed { what: "row cells" })?;
    Ok((key, Some(counter)))
}
