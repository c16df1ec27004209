//! The Apache "combined" format, which nginx writes too, and "common", which is its beginning:
//!
//! ```text
//! 83.149.9.216 - alice [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 2030 "http://referrer/" "agent"
//! ```
//!
//! A user name may hold blanks and brackets and is chosen by whoever sends it, so the time is looked for from the right: it is the last
//! bracket before the request, and the request starts at the first quote, because servers escape a quote in a name.

use std::borrow::Cow;

use crate::line::{MalformedReason, Parsed};
use crate::{Key, timestamp};

pub(crate) fn parse<'a>(line: &'a [u8], key: &Key) -> Result<Parsed<'a>, MalformedReason> {
    let quote = find_quote(line).ok_or(MalformedReason::NoRequest)?;
    let (head, rest) = line.split_at(quote);
    let head = head.trim_ascii_end().strip_suffix(b"]").ok_or(MalformedReason::NoTime)?;
    let bracket = head.iter().rposition(|byte| *byte == b'[').ok_or(MalformedReason::NoTime)?;
    let time = timestamp::from_combined(&head[bracket + 1..]).ok_or(MalformedReason::NoTime)?;
    let mut names = head[..bracket].trim_ascii().splitn(3, |byte| *byte == b' ');
    let (address, _identity, user) = (names.next(), names.next(), names.next());
    let address = address.filter(|address| !address.is_empty()).ok_or(MalformedReason::NoAddress)?;
    let found = match key {
        Key::Ip => Some(address),
        Key::User => user,
        Key::Path => quoted(rest).and_then(|(request, _)| path_of_request(request)),
        Key::UserAgent => user_agent(rest),
        Key::Field(_) => None,
    };
    // A dash is how a server writes "there is none".
    let key = found.filter(|key| !key.is_empty() && *key != b"-").map(Cow::Borrowed);
    Ok(Parsed { time, key })
}

/// The path in a URI or a path with a query.
pub(crate) fn without_query(uri: &[u8]) -> &[u8] {
    uri.split(|byte| *byte == b'?').next().unwrap_or(uri)
}

/// `GET /a?b HTTP/1.1` -> `/a`.
fn path_of_request(request: &[u8]) -> Option<&[u8]> {
    request.split(|byte| *byte == b' ').nth(1).map(without_query)
}

/// The third quoted text, behind the request and the referrer.
fn user_agent(rest: &[u8]) -> Option<&[u8]> {
    let (_request, rest) = quoted(rest)?;
    let (_referrer, rest) = quoted(rest)?;
    quoted(rest).map(|(agent, _)| agent)
}

/// The next quoted text without its quotes, and what follows it. A line that was cut off inside the quotes has none.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = &text[find_quote(text)? + 1..];
    let end = find_quote(inside)?;
    Some((&inside[..end], &inside[end + 1..]))
}

/// The first quote that is not escaped by an odd number of backslashes.
fn find_quote(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].iter().position(|byte| *byte == b'"')?;
        let backslashes = text[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 0 {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"83.149.9.216 - al ice [17/May/2015:10:05:03 +0000] "GET /a/b?c=1 HTTP/1.1" 200 2030 "http://r/" "an \"agent\" (x)""#;

    fn key_of(line: &str, key: &Key) -> Option<String> {
        parse(line.as_bytes(), key).unwrap().key.map(|key| String::from_utf8(key.into_owned()).unwrap())
    }

    fn reason_of(line: &str) -> MalformedReason {
        parse(line.as_bytes(), &Key::Ip).unwrap_err()
    }

    #[test]
    fn each_key_is_found_in_its_place() {
        assert_eq!(key_of(LINE, &Key::Ip).unwrap(), "83.149.9.216");
        assert_eq!(key_of(LINE, &Key::User).unwrap(), "al ice");
        assert_eq!(key_of(LINE, &Key::Path).unwrap(), "/a/b");
        assert_eq!(key_of(LINE, &Key::UserAgent).unwrap(), r#"an \"agent\" (x)"#);
        assert_eq!(key_of(LINE, &Key::Field("ip".to_owned())), None);
    }

    #[test]
    fn a_user_name_cannot_forge_the_time_or_the_request() {
        let forged = r#"1.2.3.4 - x [01/Jan/2000:00:00:00 +0000] \"GET /f [17/May/2015:10:05:03 +0000] "GET /real HTTP/1.1" 200 1"#;
        assert_eq!(
            parse(forged.as_bytes(), &Key::Ip).unwrap().time,
            timestamp::from_combined(b"17/May/2015:10:05:03 +0000").unwrap()
        );
        assert_eq!(key_of(forged, &Key::Path).unwrap(), "/real");
    }

    #[test]
    fn a_dash_and_a_missing_field_are_no_key() {
        let common = r#"::1 - - [17/May/2015:10:05:03 +0000] "-" 408 0"#;
        assert_eq!(key_of(common, &Key::Ip).unwrap(), "::1");
        for key in [Key::User, Key::Path, Key::UserAgent] {
            assert_eq!(key_of(common, &key), None, "{key}");
        }
    }

    #[test]
    fn a_broken_line_says_what_it_lacks() {
        assert_eq!(reason_of("hello"), MalformedReason::NoRequest);
        assert_eq!(reason_of(r#"1.2.3.4 - - "GET / HTTP/1.1" 200 1"#), MalformedReason::NoTime);
        assert_eq!(
            reason_of(r#"1.2.3.4 - - [17/Mai/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#),
            MalformedReason::NoTime
        );
        assert_eq!(reason_of(r#" [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#), MalformedReason::NoAddress);
        assert_eq!(reason_of("1.2.3.4 - - [17/May/2015:10:05:03 +0000]"), MalformedReason::NoRequest);
    }
}
