//! A policy as a record of the store. The key is the namespace, a zero byte (no namespace has one), a tag and the id or prefix, so that
//! records lie in the order in which lists show them; the value is the revision (eight bytes, little-endian) and the JSON.

use drl_configuration::{InsertError, InvalidPolicyDocument, PolicyDocument, Selector};
use drl_core::Namespace;
use drl_limits::Policy;

/// Where the revision of the newest change is kept, so that it rises over restarts, deletions included.
pub(super) const REVISION_KEY: &[u8] = b"policy-revision";

const DEFAULT: u8 = 0;
const PREFIX: u8 = 1;
const CLIENT: u8 = 2;

/// A record that is no policy.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadRecord {
    #[error("its key names no namespace and selector")]
    Key,
    #[error("its value is shorter than a revision")]
    Value,
    #[error("{0}")]
    Policy(#[from] InvalidPolicyDocument),
    #[error("{0}")]
    NoRoom(#[from] InsertError),
}

pub(super) fn key(namespace: Namespace<'_>, selector: &Selector) -> Vec<u8> {
    let (tag, name): (u8, &[u8]) = match selector {
        Selector::Default => (DEFAULT, &[]),
        Selector::Prefix(prefix) => (PREFIX, prefix),
        Selector::Client(client) => (CLIENT, client),
    };
    let mut key = namespace_prefix(namespace);
    key.push(tag);
    key.extend_from_slice(name);
    key
}

/// What the keys of a namespace, and only they, begin with.
pub(super) fn namespace_prefix(namespace: Namespace<'_>) -> Vec<u8> {
    let mut prefix = namespace.as_str().as_bytes().to_vec();
    prefix.push(0);
    prefix
}

pub(super) fn read_key(key: &[u8]) -> Result<(Namespace<'_>, Selector), BadRecord> {
    let border = memchr::memchr(0, key).ok_or(BadRecord::Key)?;
    let (namespace, selector) = (&key[..border], &key[border + 1..]);
    let namespace =
        std::str::from_utf8(namespace).ok().and_then(|name| Namespace::new(name).ok()).ok_or(BadRecord::Key)?;
    let selector = match selector.split_first() {
        Some((&DEFAULT, [])) => Selector::Default,
        Some((&PREFIX, prefix)) => Selector::Prefix(prefix.to_vec()),
        Some((&CLIENT, client)) => Selector::Client(client.to_vec()),
        _ => return Err(BadRecord::Key),
    };
    selector.check().map_err(|_| BadRecord::Key)?;
    Ok((namespace, selector))
}

pub(super) fn value(revision: u64, policy: &Policy) -> Vec<u8> {
    let mut value = revision.to_le_bytes().to_vec();
    value.extend_from_slice(PolicyDocument::from(policy).to_string().as_bytes());
    value
}

/// The revision, which also a value with a broken policy has.
pub(super) fn read_revision(value: &[u8]) -> Result<(u64, &[u8]), BadRecord> {
    let (revision, json) = value.split_first_chunk().ok_or(BadRecord::Value)?;
    Ok((u64::from_le_bytes(*revision), json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_lie_in_the_order_of_lists() {
        let team = Namespace::new("team").unwrap();
        let team_1 = Namespace::new("team-1").unwrap();
        let listed = [
            (team, Selector::Default),
            (team, Selector::Prefix(b"a".to_vec())),
            (team, Selector::Prefix(vec![0xff])),
            (team, Selector::Client(vec![0])),
            (team, Selector::Client(b"a".to_vec())),
            (team_1, Selector::Default),
        ];
        let keys: Vec<Vec<u8>> = listed.iter().map(|(namespace, selector)| key(*namespace, selector)).collect();
        assert!(keys.is_sorted());
        for (key, (namespace, selector)) in keys.iter().zip(listed) {
            assert_eq!(read_key(key).unwrap(), (namespace, selector));
        }
    }

    #[test]
    fn a_policy_as_a_record_is_frozen() {
        let policy = PolicyDocument::parse(br#"{"limits":[{"requests":100,"window":"60s"}]}"#).unwrap();
        let value = value(258, &policy);
        assert_eq!(value[..8], [2, 1, 0, 0, 0, 0, 0, 0]);
        let (revision, json) = read_revision(&value).unwrap();
        assert_eq!(revision, 258);
        assert_eq!(PolicyDocument::parse(json).unwrap(), policy);
        assert_eq!(key(Namespace::DEFAULT, &Selector::Client(b"alice".to_vec())), b"default\0\x02alice");
    }

    #[test]
    fn records_that_are_no_policies_are_refused() {
        for bad in [
            &b""[..],
            b"default",
            b"default\0",
            b"default\0\x03x",
            b"default\0\x00x",
            b"default\0\x02",
            b"@x\0\x00",
            b"\xff\0\0",
        ] {
            assert!(read_key(bad).is_err(), "{bad:?}");
        }
        assert!(read_revision(b"1234567").is_err());
    }
}
