//! The lookup order by example and against a scan over all policies, and the caps of a set.

use drl_core::ClientId;
use drl_limits::{Limit, PolicySpec};
use proptest::prelude::*;

use super::*;

/// A policy that can be told from others by its requests.
pub(crate) fn policy(requests: u64) -> Arc<Policy> {
    let limits = vec![Limit::new(requests, "1m".parse().unwrap()).unwrap()];
    Arc::new(Policy::new(PolicySpec { limits, ..PolicySpec::default() }).unwrap())
}

pub(crate) fn key<'a>(namespace: &'a str, client: &'a [u8]) -> LimitKey<'a> {
    LimitKey::new(Namespace::new(namespace).unwrap(), ClientId::new(client).unwrap())
}

fn entry(requests: u64) -> Entry {
    Entry { policy: policy(requests), revision: requests }
}

fn set_of(policies: &[(&str, Selector, u64)]) -> PolicySet {
    let mut set = PolicySet::new();
    for (namespace, selector, requests) in policies {
        let namespace = Namespace::new(namespace).unwrap();
        assert_eq!(set.insert(namespace, selector.clone(), entry(*requests)), Ok(None));
    }
    set
}

fn client(id: &[u8]) -> Selector {
    Selector::Client(id.to_vec())
}

fn prefix(bytes: &[u8]) -> Selector {
    Selector::Prefix(bytes.to_vec())
}

/// Revision (here the requests) and match of what applies.
fn found(set: &PolicySet, namespace: &str, id: &[u8]) -> Option<(u64, Matched)> {
    set.get(key(namespace, id)).map(|found| (found.entry.revision, found.matched))
}

#[test]
fn the_exact_client_comes_before_the_longest_prefix_before_the_default() {
    let set = set_of(&[
        ("default", Selector::Default, 1),
        ("default", prefix(b"a"), 2),
        ("default", prefix(b"abc"), 3),
        ("default", client(b"abcd"), 4),
    ]);
    assert_eq!(found(&set, "default", b"abcd"), Some((4, Matched::Client)));
    assert_eq!(found(&set, "default", b"abcde"), Some((3, Matched::Prefix("abc".into()))));
    assert_eq!(found(&set, "default", b"abc"), Some((3, Matched::Prefix("abc".into()))));
    assert_eq!(found(&set, "default", b"abx"), Some((2, Matched::Prefix("a".into()))));
    assert_eq!(found(&set, "default", b"x"), Some((1, Matched::Default)));
}

#[test]
fn namespaces_share_nothing() {
    let set = set_of(&[("one", Selector::Default, 1), ("two", client(b"a"), 2)]);
    assert_eq!(found(&set, "one", b"a"), Some((1, Matched::Default)));
    assert_eq!(found(&set, "two", b"b"), None);
    assert_eq!(found(&set, "three", b"a"), None);
}

#[test]
fn ids_and_prefixes_may_be_any_bytes() {
    let set = set_of(&[("default", client(b"\xff\x00"), 1), ("default", prefix(b"\xfe\n"), 2)]);
    assert_eq!(found(&set, "default", b"\xff\x00"), Some((1, Matched::Client)));
    assert_eq!(found(&set, "default", b"\xfe\n\xff"), Some((2, Matched::Prefix("\\xfe\\n".into()))));
    assert_eq!(found(&set, "default", b"\xff"), None);
}

#[test]
fn a_removed_policy_uncovers_the_one_below_it() {
    let mut set =
        set_of(&[("default", Selector::Default, 1), ("default", prefix(b"ab"), 2), ("default", client(b"abc"), 3)]);
    let namespace = Namespace::DEFAULT;
    for (selector, below) in [(client(b"abc"), Some(2)), (prefix(b"ab"), Some(1)), (Selector::Default, None)] {
        assert!(set.remove(namespace, &selector).is_some());
        assert_eq!(set.remove(namespace, &selector), None);
        assert_eq!(found(&set, "default", b"abc").map(|found| found.0), below);
    }
    assert!(set.is_empty());
    assert_eq!(set.namespace_count(), 0);
}

#[test]
fn an_entry_is_replaced_and_counted_once() {
    let mut set = set_of(&[("default", prefix(b"a"), 1)]);
    assert_eq!(set.insert(Namespace::DEFAULT, prefix(b"a"), entry(2)), Ok(Some(entry(1))));
    assert_eq!(set.len(), 1);
    assert_eq!(set.entry(Namespace::DEFAULT, &prefix(b"a")), Some(&entry(2)));
    assert_eq!(set.entry(Namespace::DEFAULT, &client(b"a")), None);
}

#[test]
fn a_list_is_in_order_whatever_the_order_of_insertion() {
    let set = set_of(&[
        ("two", Selector::Default, 6),
        ("one", client(b"b"), 5),
        ("one", client(b"a"), 4),
        ("one", prefix(b"b"), 3),
        ("one", prefix(b"aa"), 2),
        ("one", Selector::Default, 1),
    ]);
    let revisions: Vec<u64> = set.iter().map(|listed| listed.entry.revision).collect();
    assert_eq!(revisions, [1, 2, 3, 4, 5, 6]);
    assert_eq!(set.iter().last().map(|listed| (listed.namespace, listed.selector)), Some(("two", Selector::Default)));
}

#[test]
fn a_selector_that_matches_nobody_is_refused() {
    let mut set = PolicySet::new();
    let refused = set.insert(Namespace::DEFAULT, prefix(b""), entry(1));
    assert_eq!(refused, Err(InsertError::Selector(InvalidSelector { length: 0 })));
    assert!(set.is_empty());
}

#[test]
fn namespaces_end_at_their_cap() {
    let mut set = PolicySet::new();
    let one = entry(1);
    for number in 0..NAMESPACES_MAX {
        let name = format!("n{number}");
        set.insert(Namespace::new(&name).unwrap(), Selector::Default, one.clone()).unwrap();
    }
    let refused = set.insert(Namespace::new("more").unwrap(), Selector::Default, one.clone());
    assert_eq!(refused, Err(InsertError::TooManyNamespaces));
    assert!(set.insert(Namespace::new("n0").unwrap(), client(b"a"), one).is_ok());
}

proptest! {
    #[test]
    fn a_lookup_equals_a_scan_over_all_policies(
        prefixes in prop::collection::btree_set(prop::collection::vec(0..3u8, 1..6), 0..30),
        clients in prop::collection::btree_set(prop::collection::vec(0..3u8, 1..6), 0..30),
        removed in prop::collection::btree_set(prop::collection::vec(0..3u8, 1..6), 0..30),
        ids in prop::collection::vec(prop::collection::vec(0..3u8, 1..8), 1..30),
    ) {
        let mut set = PolicySet::new();
        for bytes in &prefixes {
            set.insert(Namespace::DEFAULT, prefix(bytes), entry(1)).unwrap();
        }
        for bytes in &clients {
            set.insert(Namespace::DEFAULT, client(bytes), entry(2)).unwrap();
        }
        for bytes in &removed {
            prop_assert_eq!(set.remove(Namespace::DEFAULT, &prefix(bytes)).is_some(), prefixes.contains(bytes));
        }
        let left: Vec<_> = prefixes.difference(&removed).collect();
        prop_assert_eq!(set.len(), left.len() + clients.len());
        for id in ids {
            let longest = left.iter().filter(|prefix| id.starts_with(prefix)).max_by_key(|prefix| prefix.len());
            let expected = if clients.contains(&id) {
                Some(Matched::Client)
            } else {
                longest.map(|bytes| Matched::Prefix(bytes.escape_ascii().to_string().into()))
            };
            prop_assert_eq!(found(&set, "default", &id).map(|found| found.1), expected);
        }
    }
}
