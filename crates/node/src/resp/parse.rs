//! Reads commands out of a read buffer: arrays of bulk strings, and inline commands as a person types them into telnet.
//! Arguments are spans of the buffer; nothing is copied and nothing is allocated for a size that was only announced.
//!
//! Invariant: a command that is not complete changes nothing and is read again when more bytes are there. It does not know what
//! commands mean.

use drl_core::caps::{RESP_ARGUMENTS_MAX, RESP_BULK_BYTES_MAX};

/// Longest `*<count>` or `$<length>` line: any number of 64 bits with room to spare.
const HEADER_BYTES_MAX: usize = 32;

/// A piece of the read buffer: `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: usize,
    end: usize,
}

/// What stands at the front of the buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Not yet a whole command.
    Half,
    /// A whole command; its arguments are in the list. No arguments: an empty line or array, which gets no reply.
    Whole {
        /// Where the next command starts.
        next: usize,
    },
}

/// Bytes that are not RESP, or more of them than a command may have. The connection cannot be read any further.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtocolError {
    #[error("Protocol error: invalid multibulk length; send 1 to {RESP_ARGUMENTS_MAX} arguments")]
    ArrayLength,
    #[error("Protocol error: invalid bulk length; send 0 to {RESP_BULK_BYTES_MAX} bytes")]
    BulkLength,
    #[error("Protocol error: expected '$', got '{}'", got.escape_ascii())]
    NotABulk { got: u8 },
    #[error("Protocol error: a bulk string is longer than its length says")]
    BulkEnd,
    #[error("Protocol error: too big inline request; send at most {RESP_BULK_BYTES_MAX} bytes")]
    LineLength,
    #[error("Protocol error: unbalanced quotes in request")]
    Quotes,
    #[error("Protocol error: too big command; send at most {} bytes", drl_core::caps::RESP_COMMAND_BYTES_MAX)]
    CommandLength,
}

impl Span {
    /// The bytes of this span; empty when it does not lie in `input`.
    pub(crate) fn of(self, input: &[u8]) -> &[u8] {
        input.get(self.start..self.end).unwrap_or_default()
    }
}

/// Reads the command that starts at `from`; `arguments` is emptied first.
///
/// # Errors
/// [`ProtocolError`] when the bytes can never become a command.
pub(crate) fn parse(input: &[u8], from: usize, arguments: &mut Vec<Span>) -> Result<Parsed, ProtocolError> {
    arguments.clear();
    match input.get(from) {
        None => Ok(Parsed::Half),
        Some(b'*') => parse_array(input, from, arguments),
        Some(_) => parse_line(input, from, arguments),
    }
}

fn parse_array(input: &[u8], from: usize, arguments: &mut Vec<Span>) -> Result<Parsed, ProtocolError> {
    let Some((count, mut at)) = parse_header(input, from).map_err(|()| ProtocolError::ArrayLength)? else {
        return Ok(Parsed::Half);
    };
    // A negative count is an empty array.
    let count = usize::try_from(count).unwrap_or(0);
    if count > RESP_ARGUMENTS_MAX {
        return Err(ProtocolError::ArrayLength);
    }
    for _ in 0..count {
        match input.get(at) {
            None => return Ok(Parsed::Half),
            Some(b'$') => {}
            Some(&got) => return Err(ProtocolError::NotABulk { got }),
        }
        let Some((length, start)) = parse_header(input, at).map_err(|()| ProtocolError::BulkLength)? else {
            return Ok(Parsed::Half);
        };
        let length = usize::try_from(length).map_err(|_| ProtocolError::BulkLength)?;
        if length > RESP_BULK_BYTES_MAX {
            return Err(ProtocolError::BulkLength);
        }
        let end = start + length;
        let Some(line_end) = input.get(end..end + 2) else {
            return Ok(Parsed::Half);
        };
        if line_end != b"\r\n" {
            return Err(ProtocolError::BulkEnd);
        }
        arguments.push(Span { start, end });
        at = end + 2;
    }
    Ok(Parsed::Whole { next: at })
}

/// The number behind the sign at `at`, and where its line ends; `None` while the line is not complete.
fn parse_header(input: &[u8], at: usize) -> Result<Option<(i64, usize)>, ()> {
    let line = input.get(at + 1..).unwrap_or_default();
    let line = &line[..line.len().min(HEADER_BYTES_MAX)];
    let Some(end) = line.iter().position(|&byte| byte == b'\r') else {
        return if line.len() == HEADER_BYTES_MAX { Err(()) } else { Ok(None) };
    };
    match input.get(at + 1 + end + 1) {
        None => Ok(None),
        Some(b'\n') => match parse_integer(&line[..end]) {
            Some(number) => Ok(Some((number, at + 1 + end + 2))),
            None => Err(()),
        },
        Some(_) => Err(()),
    }
}

fn parse_line(input: &[u8], from: usize, arguments: &mut Vec<Span>) -> Result<Parsed, ProtocolError> {
    let rest = &input[from..];
    let Some(length) = memchr::memchr(b'\n', rest) else {
        return if rest.len() > RESP_BULK_BYTES_MAX { Err(ProtocolError::LineLength) } else { Ok(Parsed::Half) };
    };
    if length > RESP_BULK_BYTES_MAX {
        return Err(ProtocolError::LineLength);
    }
    let end = from + length;
    let mut at = from;
    loop {
        while at < end && input[at].is_ascii_whitespace() {
            at += 1;
        }
        if at == end {
            return Ok(Parsed::Whole { next: end + 1 });
        }
        if arguments.len() == RESP_ARGUMENTS_MAX {
            return Err(ProtocolError::ArrayLength);
        }
        at = parse_word(input, at, end, arguments)?;
    }
}

/// One word of an inline command; quotes keep spaces together. Escapes are not known here: whoever needs them sends an array.
fn parse_word(input: &[u8], at: usize, end: usize, arguments: &mut Vec<Span>) -> Result<usize, ProtocolError> {
    if let quote @ (b'"' | b'\'') = input[at] {
        let length = memchr::memchr(quote, &input[at + 1..end]).ok_or(ProtocolError::Quotes)?;
        let close = at + 1 + length;
        arguments.push(Span { start: at + 1, end: close });
        if close + 1 < end && !input[close + 1].is_ascii_whitespace() {
            return Err(ProtocolError::Quotes);
        }
        return Ok(close + 1);
    }
    let length = input[at..end].iter().position(u8::is_ascii_whitespace).unwrap_or(end - at);
    arguments.push(Span { start: at, end: at + length });
    Ok(at + length)
}

/// A decimal number of 64 bits with an optional sign, and nothing else.
pub(crate) fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        _ => (false, text.strip_prefix(b"+").unwrap_or(text)),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0i64, |number, digit| {
        let digit = i64::from(digit.checked_sub(b'0').filter(|digit| *digit <= 9)?);
        let number = number.checked_mul(10)?;
        if negative { number.checked_sub(digit) } else { number.checked_add(digit) }
    })
}

#[cfg(test)]
mod tests;
