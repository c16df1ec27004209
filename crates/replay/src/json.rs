//! One JSON object a line: the time under one of [`TIME_NAMES`], the key under one of the names of its [`Key`]. Where a line has several
//! of the names, the first of the list counts. Fields inside other objects are not looked at.

use std::borrow::Cow;
use std::fmt;

use drl_core::ShardTime;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::combined::without_query;
use crate::line::{MalformedReason, Parsed};
use crate::{Key, timestamp};

/// What nginx, Caddy, Traefik, logstash and loggers call the time.
const TIME_NAMES: [&str; 7] = ["time", "timestamp", "@timestamp", "time_iso8601", "time_local", "ts", "msec"];

/// A value as far as a key or a time needs it.
enum Scalar<'a> {
    Text(Cow<'a, str>),
    Integer(i128),
    Fraction(f64),
    /// Lists, objects, truth values and null.
    Other,
}

struct ScalarSeed;

/// The names that are looked for, and the object's fields under them.
struct Wanted<'n> {
    key_names: &'n [&'n str],
}

/// Rank of the name (lower is better) and value.
type Found<'a> = Option<(usize, Scalar<'a>)>;

pub(crate) fn parse<'a>(line: &'a [u8], key: &Key, key_names: &[&str]) -> Result<Parsed<'a>, MalformedReason> {
    let mut reader = serde_json::Deserializer::from_slice(line);
    let (time, found) = reader.deserialize_map(Wanted { key_names }).map_err(|_| MalformedReason::NotJson)?;
    reader.end().map_err(|_| MalformedReason::NotJson)?;
    let time = time.and_then(|(_, value)| time_of(&value)).ok_or(MalformedReason::NoJsonTime)?;
    let text = match found {
        Some((_, Scalar::Text(text))) if !text.is_empty() && text != "-" => Some(text),
        Some((_, Scalar::Integer(number))) => Some(Cow::Owned(number.to_string())),
        Some((_, Scalar::Fraction(number))) => Some(Cow::Owned(number.to_string())),
        _ => None,
    };
    let key = text.map(|text| match (key, text) {
        (Key::Path, Cow::Borrowed(uri)) => Cow::Borrowed(without_query(uri.as_bytes())),
        (Key::Path, Cow::Owned(uri)) => Cow::Owned(without_query(uri.as_bytes()).to_vec()),
        (_, Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
        (_, Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
    });
    Ok(Parsed { time, key })
}

#[expect(clippy::cast_precision_loss, reason = "a time of today in nanoseconds keeps a quarter of a microsecond")]
fn time_of(value: &Scalar<'_>) -> Option<ShardTime> {
    match value {
        Scalar::Integer(number) => timestamp::from_number(*number as f64),
        Scalar::Fraction(number) => timestamp::from_number(*number),
        Scalar::Text(text) => timestamp::from_rfc3339(text.as_bytes())
            .or_else(|| timestamp::from_combined(text.as_bytes()))
            .or_else(|| timestamp::from_number(text.parse().ok()?)),
        Scalar::Other => None,
    }
}

/// Keeps `value` when its name ranks before the one that was found so far.
fn keep_better<'a>(found: &mut Found<'a>, rank: usize, value: Scalar<'a>) {
    if found.as_ref().is_none_or(|(best, _)| rank < *best) {
        *found = Some((rank, value));
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = (Found<'de>, Found<'de>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let (mut time, mut key) = (None, None);
        while let Some(name) = fields.next_key_seed(ScalarSeed)? {
            let Scalar::Text(name) = name else { return Err(A::Error::custom("a name is a text")) };
            let key_rank = self.key_names.iter().position(|known| *known == name);
            let time_rank = TIME_NAMES.iter().position(|known| *known == name);
            match (key_rank, time_rank) {
                (None, None) => drop(fields.next_value::<IgnoredAny>()?),
                (Some(rank), _) => keep_better(&mut key, rank, fields.next_value_seed(ScalarSeed)?),
                (None, Some(rank)) => keep_better(&mut time, rank, fields.next_value_seed(ScalarSeed)?),
            }
        }
        Ok((time, key))
    }
}

impl<'de> DeserializeSeed<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Integer(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Integer(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Fraction(number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Scalar<'de>, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

#[cfg(test)]
mod tests;
