//! The replies of `DRL.ALLOW` (`:1` is yes) and `CL.THROTTLE` (`*5`, and `:0` first is yes), read from bytes as they come. Pure.

use std::io::{Error, ErrorKind};

/// One reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply<'a> {
    Allowed,
    Denied,
    /// Its text, without the `-`.
    Error(&'a str),
}

/// Longest line of a reply. Errors are a sentence.
const LINE_BYTES_MAX: usize = 4 << 10;

/// Longest array.
const NUMBERS_MAX: usize = 5;

/// The reply that `bytes` begin with and how many bytes it has. `None`: it is not whole yet.
///
/// # Errors
/// It is none of a drl node's.
pub(super) fn next(bytes: &[u8]) -> Result<Option<(Reply<'_>, usize)>, Error> {
    let Some((line, mut length)) = line(bytes)? else { return Ok(None) };
    let reply = match line.split_at_checked(1) {
        Some(("-", text)) => Reply::Error(text),
        Some((":", "1")) => Reply::Allowed,
        Some((":", "0")) => Reply::Denied,
        Some(("*", digits)) => {
            let numbers = digits.parse().ok().filter(|numbers| (1..=NUMBERS_MAX).contains(numbers));
            let mut first = None;
            for _ in 0..numbers.ok_or_else(|| foreign(line))? {
                let Some((line, bytes)) = self::line(bytes.get(length..).unwrap_or_default())? else { return Ok(None) };
                first.get_or_insert(line);
                length += bytes;
            }
            match first {
                Some(":0") => Reply::Allowed,
                Some(":1") => Reply::Denied,
                _ => return Err(foreign(line)),
            }
        }
        _ => return Err(foreign(line)),
    };
    Ok(Some((reply, length)))
}

/// A line without its end, and its length with it.
fn line(bytes: &[u8]) -> Result<Option<(&str, usize)>, Error> {
    let searched = bytes.get(..LINE_BYTES_MAX).unwrap_or(bytes);
    match searched.windows(2).position(|pair| pair == b"\r\n") {
        Some(end) => {
            let line = bytes.get(..end).map(std::str::from_utf8);
            line.and_then(Result::ok).map(|line| Some((line, end + 2))).ok_or_else(|| foreign("bytes"))
        }
        None if searched.len() < LINE_BYTES_MAX => Ok(None),
        None => Err(foreign("a line that does not end")),
    }
}

fn foreign(line: &str) -> Error {
    let shown: String = line.chars().take(64).collect();
    Error::new(ErrorKind::InvalidData, format!("{shown:?} is no reply of a drl node"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_one_after_the_other_and_only_when_they_are_whole() {
        let bytes = b":1\r\n*5\r\n:1\r\n:100\r\n:0\r\n:12\r\n:60\r\n-TRYAGAIN later\r\n*5\r\n:0\r\n:100\r\n:9\r\n:-1\r\n:60\r\n:0\r\n";
        let expected = [Reply::Allowed, Reply::Denied, Reply::Error("TRYAGAIN later"), Reply::Allowed, Reply::Denied];
        let mut rest: &[u8] = bytes;
        for reply in expected {
            let (read, length) = next(rest).unwrap().unwrap();
            assert_eq!(read, reply);
            for cut in 0..length {
                assert_eq!(next(&rest[..cut]).unwrap(), None, "{cut} bytes of {reply:?}");
            }
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn what_no_node_replies_is_an_error() {
        for foreign in
            [&b"+OK\r\n"[..], b":2\r\n", b"*0\r\n", b"*6\r\n", b"*x\r\n", b"*1\r\n+a\r\n", b"\r\n", b":\xff\r\n"]
        {
            assert!(next(foreign).is_err(), "{foreign:?}");
        }
        assert!(next(&[b'-'; LINE_BYTES_MAX]).is_err());
    }
}
