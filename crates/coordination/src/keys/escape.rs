//! Bytes as part of a key that people read and type. Letters, digits and ASCII punctuation other than `%` stand for themselves,
//! letters and digits of any script included; every other byte is `%` and two upper-case hexadecimal digits. A slash stands for
//! itself too: an id is the last part of its key.

use std::fmt::Write;

/// A `%` that no two hexadecimal digits follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadEscape;

/// The one way to write `bytes`.
pub(super) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_literal(character) {
                text.push(character);
            } else {
                push_escaped(&mut text, character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        push_escaped(&mut text, chunk.invalid());
    }
    text
}

/// What a text stands for, however it was written.
pub(super) fn unescaped(text: &[u8]) -> Result<Vec<u8>, BadEscape> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = rest.next().and_then(digit).ok_or(BadEscape)?;
            let low = rest.next().and_then(digit).ok_or(BadEscape)?;
            bytes.push(high << 4 | low);
        } else {
            bytes.push(byte);
        }
    }
    Ok(bytes)
}

fn is_literal(character: char) -> bool {
    if character.is_ascii() { character.is_ascii_graphic() && character != '%' } else { character.is_alphanumeric() }
}

fn push_escaped(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "%{byte:02X}");
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
