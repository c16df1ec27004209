//! Reading and writing numbers as bytes: fixed little-endian words, and LEB128 for numbers that are mostly small. A reader takes
//! from the front of its input and answers `None` where the input ends or a number is not written in its shortest form.

const CONTINUES: u8 = 0x80;
const PAYLOAD: u8 = 0x7f;

pub(crate) fn put_word(out: &mut Vec<u8>, word: u64) {
    out.extend_from_slice(&word.to_le_bytes());
}

pub(crate) fn take_byte(input: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = input.split_first()?;
    *input = rest;
    Some(*byte)
}

pub(crate) fn take_word(input: &mut &[u8]) -> Option<u64> {
    let (word, rest) = input.split_first_chunk::<8>()?;
    *input = rest;
    Some(u64::from_le_bytes(*word))
}

/// Seven bits a byte, the lowest first; the top bit says that another byte follows (LEB128, as in DWARF and protobuf).
pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number > u64::from(PAYLOAD) {
        out.push(number.to_le_bytes()[0] | CONTINUES);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Every number has one spelling: a needless zero byte at the end, or bits beyond the 64th, are refused.
pub(crate) fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = take_byte(input)?;
        let payload = u64::from(byte & PAYLOAD);
        if payload << shift >> shift != payload {
            return None;
        }
        number |= payload << shift;
        if byte & CONTINUES == 0 {
            return (byte != 0 || shift == 0).then_some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn varint(number: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, number);
        out
    }

    #[test]
    fn the_spelling_of_varints_is_frozen() {
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(127), [0x7f]);
        assert_eq!(varint(128), [0x80, 1]);
        assert_eq!(varint(300), [0xac, 2]);
        assert_eq!(varint(u64::MAX), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    }

    #[test]
    fn a_second_spelling_of_a_number_is_refused() {
        for bad in [&[0x80, 0][..], &[0xff, 0x80, 0], &[0xff; 9], &[0xff; 11], &[]] {
            assert_eq!(take_varint(&mut &bad[..]), None, "{bad:?}");
        }
        let mut too_wide = vec![0xff; 9];
        too_wide.push(2);
        assert_eq!(take_varint(&mut &too_wide[..]), None);
    }

    proptest! {
        #[test]
        fn numbers_read_back_and_nothing_behind_them_is_taken(number in any::<u64>(), shift in 0u32..64) {
            let number = number >> shift;
            let mut bytes = varint(number);
            put_word(&mut bytes, number);
            bytes.push(7);
            let mut input = &bytes[..];
            prop_assert_eq!(take_varint(&mut input), Some(number));
            prop_assert_eq!(take_word(&mut input), Some(number));
            prop_assert_eq!(take_byte(&mut input), Some(7));
            prop_assert_eq!(take_byte(&mut input), None);
        }
    }
}
