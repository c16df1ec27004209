//! The shapes that the rows of one frame or page refer to by number, so that a row says how to read it in two bytes.
//!
//! Format: count u16, then each shape as [`Shape::encode`] writes it. The dictionary stands behind the rows, because it is known
//! only when all of them are written.

use std::collections::HashMap;
use std::sync::Arc;

use drl_limits::Shape;

use crate::bytes::{Malformed, Reader};

/// The number in a row that says: this counter is gone.
pub(crate) const GONE: u16 = u16::MAX;

/// Numbers shapes in the order in which rows first use them.
#[derive(Debug, Clone, Default)]
pub(crate) struct DictionaryWriter {
    numbers: HashMap<Arc<Shape>, u16>,
    in_order: Vec<Arc<Shape>>,
    last: Option<(Arc<Shape>, u16)>,
}

impl DictionaryWriter {
    /// The number of a shape. `None` when 65,535 different ones are in use already: the caller starts another dictionary.
    pub(crate) fn number(&mut self, shape: &Arc<Shape>) -> Option<u16> {
        if let Some((last, number)) = &self.last
            && Arc::ptr_eq(last, shape)
        {
            return Some(*number);
        }
        let number = match self.numbers.get(shape) {
            Some(number) => *number,
            None => {
                let number = u16::try_from(self.in_order.len()).ok().filter(|number| *number != GONE)?;
                self.numbers.insert(Arc::clone(shape), number);
                self.in_order.push(Arc::clone(shape));
                number
            }
        };
        self.last = Some((Arc::clone(shape), number));
        Some(number)
    }

    /// Writes the dictionary and empties it.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        let count = u16::try_from(self.in_order.len()).unwrap_or(GONE);
        out.extend_from_slice(&count.to_le_bytes());
        for shape in self.in_order.drain(..) {
            shape.encode(out);
        }
        self.numbers.clear();
        self.last = None;
    }
}

/// Reads a dictionary that fills `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Arc<Shape>>, Malformed> {
    let mut reader = Reader::new(bytes);
    let count = reader.u16("shape count")?;
    let mut shapes = Vec::new();
    for _ in 0..count {
        let shape = Shape::decode(reader.rest_mut()).map_err(|_| Malformed { what: "shape" })?;
        shapes.push(Arc::new(shape));
    }
    reader.end("bytes behind the shapes")?;
    Ok(shapes)
}
