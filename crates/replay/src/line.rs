//! One line of a log, in either format: what it says, or why it says nothing. It knows no other lines.

use std::borrow::Cow;

use drl_core::ShardTime;
use drl_core::caps::LOG_LINE_BYTES_MAX;
use serde::Serialize;

use crate::{Key, combined, json};

/// What a replay needs of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parsed<'a> {
    pub(crate) time: ShardTime,
    /// `None` when the line is whole but its request has no such thing, like a user.
    pub(crate) key: Option<Cow<'a, [u8]>>,
}

/// A line that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Malformed {
    /// 1 is the first line.
    pub line: u64,
    pub reason: MalformedReason,
}

/// Why a line was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedReason {
    #[error("no \"request\" in quotes; write combined format or JSON lines")]
    NoRequest,
    #[error("no time like [17/May/2015:10:05:03 +0000], from 1970 on, in front of the request")]
    NoTime,
    #[error("no address at its beginning")]
    NoAddress,
    #[error("not one JSON object")]
    NotJson,
    #[error(
        "no time of its own from 1970 on; put RFC 3339 with a zone, like 2015-05-17T10:05:03Z, or a number of seconds into `time`, `timestamp` or `@timestamp`"
    )]
    NoJsonTime,
    #[error("longer than {LOG_LINE_BYTES_MAX} bytes")]
    TooLong,
}

impl Serialize for MalformedReason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A line that starts with a brace is JSON, any other is combined. `json_names` are those of the key.
pub(crate) fn parse<'a>(line: &'a [u8], key: &Key, json_names: &[&str]) -> Result<Parsed<'a>, MalformedReason> {
    if line.trim_ascii_start().first() == Some(&b'{') {
        json::parse(line, key, json_names)
    } else {
        combined::parse(line, key)
    }
}
