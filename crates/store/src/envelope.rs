//! The envelope around every value, and the document of its format. Whatever is stored, frame, page or record, is
//!
//! ```text
//! offset  bytes  what
//!      0      1  format, 1
//!      1      8  checksum, u64 little-endian
//!      9      n  payload
//!
//! checksum = XXH3-64 (seed 0) over   kind (1 byte: F, P or R)
//!                                    length of the key (u32 little-endian)
//!                                    key (as in keys.rs)
//!                                    payload
//! ```
//!
//! The kind and the key are under the checksum, so a value that was put under another key, or into another column family, is
//! refused like one with a flipped bit. Invariant: [`open`] returns exactly the payload that [`seal`] was given, or refuses.
//! Does not know what a payload means.

use xxhash_rust::xxh3::Xxh3;

use crate::Corrupt;

/// The format that is written, and the only one that is read.
const FORMAT: u8 = 1;

/// Bytes in front of the payload.
pub(crate) const OVERHEAD_BYTES: usize = 9;

/// What a value is; its byte is part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Frame,
    Page,
    Record,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Frame => b'F',
            Self::Page => b'P',
            Self::Record => b'R',
        }
    }
}

/// Writes the envelope of `payload` into `value`, replacing what was there (the buffer is meant to be used again).
pub(crate) fn seal(kind: Kind, key: &[u8], payload: &[u8], value: &mut Vec<u8>) {
    value.clear();
    value.reserve(OVERHEAD_BYTES.saturating_add(payload.len()));
    value.push(FORMAT);
    value.extend_from_slice(&checksum(kind, key, payload).to_le_bytes());
    value.extend_from_slice(payload);
}

/// The payload inside `value`.
///
/// # Errors
/// [`Corrupt`] when the value is too short, of another format, or fails its checksum.
pub(crate) fn open<'a>(kind: Kind, key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Corrupt> {
    let Some((header, payload)) = value.split_first_chunk::<OVERHEAD_BYTES>() else {
        return Err(corrupt(format!("{} bytes are too few for an envelope", value.len())));
    };
    let [format, sum @ ..] = *header;
    if format != FORMAT {
        return Err(corrupt(format!("envelope format {format} is unknown, {FORMAT} is supported")));
    }
    if u64::from_le_bytes(sum) != checksum(kind, key, payload) {
        return Err(corrupt("the checksum does not match".to_owned()));
    }
    Ok(payload)
}

fn checksum(kind: Kind, key: &[u8], payload: &[u8]) -> u64 {
    // Keys are at most about a KiB (caps), so the length always fits; a longer one would only share a length prefix.
    let key_length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hasher = Xxh3::new();
    hasher.update(&[kind.byte()]);
    hasher.update(&key_length.to_le_bytes());
    hasher.update(key);
    hasher.update(payload);
    hasher.digest()
}

fn corrupt(reason: String) -> Corrupt {
    Corrupt { reason }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealed(kind: Kind, key: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut value = vec![0xaa; 3];
        seal(kind, key, payload, &mut value);
        value
    }

    /// The expected bytes were computed by another implementation of XXH3.
    #[test]
    fn bytes_are_frozen() {
        let frame = sealed(Kind::Frame, &7u64.to_be_bytes(), b"seven");
        assert_eq!(frame, FROZEN_FRAME);
        let page = sealed(Kind::Page, &[0x01, 0x02, 0x3f], b"");
        assert_eq!(page, FROZEN_PAGE);
        let record = sealed(Kind::Record, b"\x03default", b"{}");
        assert_eq!(record, FROZEN_RECORD);
    }

    const FROZEN_FRAME: &[u8] = &[0x01, 0xe4, 0x7c, 0xa6, 0xd2, 0xec, 0x38, 0x1f, 0xa7, 0x73, 0x65, 0x76, 0x65, 0x6e];
    const FROZEN_PAGE: &[u8] = &[0x01, 0x55, 0x6c, 0xa0, 0x25, 0xd3, 0x96, 0x60, 0x4f];
    const FROZEN_RECORD: &[u8] = &[0x01, 0x44, 0xda, 0x0c, 0x2f, 0x34, 0xfa, 0xa0, 0xd7, 0x7b, 0x7d];

    #[test]
    fn value_under_another_key_or_kind_is_refused() {
        let value = sealed(Kind::Frame, &7u64.to_be_bytes(), b"seven");
        assert!(open(Kind::Frame, &8u64.to_be_bytes(), &value).is_err());
        assert!(open(Kind::Page, &7u64.to_be_bytes(), &value).is_err());
    }

    #[test]
    fn byte_moved_between_key_and_payload_is_refused() {
        let value = sealed(Kind::Record, b"\x01a", b"bc");
        let mut moved = value[..OVERHEAD_BYTES].to_vec();
        moved.extend_from_slice(b"c");
        assert!(open(Kind::Record, b"\x01ab", &moved).is_err());
    }

    #[test]
    fn other_format_says_which() {
        let mut value = sealed(Kind::Page, b"key", b"payload");
        value[0] = 2;
        assert_eq!(
            open(Kind::Page, b"key", &value).unwrap_err().reason,
            "envelope format 2 is unknown, 1 is supported"
        );
    }

    proptest! {
        #[test]
        fn round_trip(key in prop::collection::vec(any::<u8>(), 0..40), payload in prop::collection::vec(any::<u8>(), 0..300)) {
            let value = sealed(Kind::Record, &key, &payload);
            prop_assert_eq!(open(Kind::Record, &key, &value).unwrap(), &payload[..]);
        }

        #[test]
        fn any_flipped_bit_and_any_shorter_value_is_refused(payload in prop::collection::vec(any::<u8>(), 0..80), bit in any::<prop::sample::Index>()) {
            let value = sealed(Kind::Frame, b"12345678", &payload);
            let bit = bit.index(value.len() * 8);
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(open(Kind::Frame, b"12345678", &flipped).is_err());
            prop_assert!(open(Kind::Frame, b"12345678", &value[..bit / 8]).is_err());
        }
    }
}
