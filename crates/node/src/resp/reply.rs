//! Writes replies in RESP 2 or 3 into one reused buffer. It knows types, not commands; text from users is made safe here, so that
//! no reply can forge another one.

/// Which RESP a connection speaks; `HELLO` changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Two,
    Three,
}

/// Replies that wait to be written, in order.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    bytes: Vec<u8>,
}

impl Replies {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets what was written and gives memory beyond `keep` bytes back.
    pub(crate) fn reset(&mut self, keep: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(keep);
    }

    /// Replies that were already written elsewhere.
    pub(crate) fn append(&mut self, replies: &[u8]) {
        self.bytes.extend_from_slice(replies);
    }

    /// `+text`; the text is ours and has no line break.
    pub(crate) fn simple(&mut self, text: &'static str) {
        self.line(b'+', text.as_bytes());
    }

    /// `-text`: line breaks become spaces.
    pub(crate) fn error(&mut self, text: &str) {
        let safe = text.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte });
        self.bytes.push(b'-');
        self.bytes.extend(safe);
        self.bytes.extend_from_slice(b"\r\n");
    }

    pub(crate) fn integer(&mut self, number: i64) {
        self.number(b':', number);
    }

    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        self.number(b'$', i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        self.bytes.extend_from_slice(bytes);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// The head of an array; `length` replies follow.
    pub(crate) fn array(&mut self, length: i64) {
        self.number(b'*', length);
    }

    /// The head of a map: `pairs` times a key and a value follow. RESP 2 has no maps and gets them flat.
    pub(crate) fn map(&mut self, pairs: i64, protocol: Protocol) {
        match protocol {
            Protocol::Two => self.number(b'*', pairs.saturating_mul(2)),
            Protocol::Three => self.number(b'%', pairs),
        }
    }

    pub(crate) fn null(&mut self, protocol: Protocol) {
        self.append(match protocol {
            Protocol::Two => b"$-1\r\n",
            Protocol::Three => b"_\r\n",
        });
    }

    /// An array of integers: what checks answer with.
    pub(crate) fn integers(&mut self, numbers: &[i64]) {
        self.array(i64::try_from(numbers.len()).unwrap_or(i64::MAX));
        for number in numbers {
            self.integer(*number);
        }
    }

    fn line(&mut self, sign: u8, text: &[u8]) {
        self.bytes.push(sign);
        self.bytes.extend_from_slice(text);
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn number(&mut self, sign: u8, number: i64) {
        // Most numbers here have one digit; they need no formatting.
        if let Ok(digit @ 0..=9) = u8::try_from(number) {
            self.bytes.extend_from_slice(&[sign, b'0' + digit, b'\r', b'\n']);
            return;
        }
        self.line(sign, itoa::Buffer::new().format(number).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Replies)) -> String {
        let mut replies = Replies::default();
        write(&mut replies);
        String::from_utf8(replies.bytes).unwrap()
    }

    #[test]
    fn every_type_has_its_form_in_both_protocols() {
        assert_eq!(written(|r| r.simple("PONG")), "+PONG\r\n");
        assert_eq!(written(|r| r.bulk(b"a\r\n")), "$3\r\na\r\n\r\n");
        assert_eq!(
            written(|r| r.integers(&[0, -1, 16, i64::MIN])),
            "*4\r\n:0\r\n:-1\r\n:16\r\n:-9223372036854775808\r\n"
        );
        assert_eq!(written(|r| r.map(3, Protocol::Two)), "*6\r\n");
        assert_eq!(written(|r| r.map(3, Protocol::Three)), "%3\r\n");
        assert_eq!(written(|r| r.null(Protocol::Two)), "$-1\r\n");
        assert_eq!(written(|r| r.null(Protocol::Three)), "_\r\n");
    }

    #[test]
    fn an_error_cannot_forge_a_second_reply() {
        assert_eq!(written(|r| r.error("ERR a\r\n+OK")), "-ERR a  +OK\r\n");
    }
}
