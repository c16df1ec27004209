//! The layout, frozen: the very keys that people and scripts write.

use drl_core::{Namespace, NodeId, ShardId};

use super::*;

fn keys() -> Keys {
    Keys::new(&ClusterName::new("prod").unwrap())
}

fn parse(key: &str) -> Result<Place, InvalidKey> {
    keys().parse(&Key::from(key))
}

fn client(id: &[u8]) -> Place {
    Place::Limit(LimitPlace { namespace: "default".to_owned(), whom: Whom::Client(id.to_vec()) })
}

#[test]
fn every_key_is_what_the_documents_say_and_is_read_back() {
    let keys = keys();
    let node = NodeId::new("n1").unwrap();
    let team = Namespace::new("team.a").unwrap();
    let place = |whom: &Whom| Place::Limit(LimitPlace { namespace: "team.a".to_owned(), whom: whom.clone() });
    let whom = [Whom::Default, Whom::Client(b"alice".to_vec()), Whom::Prefix(b"free/".to_vec())];
    for (key, text, place) in [
        (keys.settings(), "/drl/prod/settings", Place::Settings),
        (keys.node(&node), "/drl/prod/nodes/n1", Place::Node(node.clone())),
        (keys.heartbeat(&node), "/drl/prod/heartbeats/n1", Place::Heartbeat(node.clone())),
        (keys.shard(ShardId::new(0)), "/drl/prod/shards/0", Place::Shard(ShardId::new(0))),
        (keys.shard(ShardId::new(1023)), "/drl/prod/shards/1023", Place::Shard(ShardId::new(1023))),
        (keys.limit(team, &whom[0]), "/drl/prod/limits/team.a/default", place(&whom[0])),
        (keys.limit(team, &whom[1]), "/drl/prod/limits/team.a/clients/alice", place(&whom[1])),
        (keys.limit(team, &whom[2]), "/drl/prod/limits/team.a/prefixes/free/", place(&whom[2])),
    ] {
        assert_eq!(key.to_string(), text);
        assert_eq!(keys.parse(&key), Ok(place));
        assert!(keys.all().contains(&key));
    }
    assert_eq!(keys.milestone().to_string(), "/drl/prod/limits");
    assert!(keys.limits_and_milestone().contains(&keys.milestone()) && !keys.limits().contains(&keys.milestone()));
    assert!(keys.limits_and_milestone().contains(&keys.limit(team, &Whom::Default)));
    assert_eq!(keys.limits_of(team).to_string(), "/drl/prod/limits/team.a/");
    assert!(keys.limits().contains(&keys.limit(team, &Whom::Default)));
    assert!(!keys.limits_of(Namespace::new("team").unwrap()).contains(&keys.limit(team, &Whom::Default)));
    assert!(keys.nodes().contains(&keys.node(&node)) && keys.heartbeats().contains(&keys.heartbeat(&node)));
    assert!(keys.shards().contains(&keys.shard(ShardId::new(7))));
}

#[test]
fn ids_that_people_type_stand_for_themselves() {
    for id in ["alice", "10.0.0.0/8", "user:42", "a@b.example", "k=v|k2=v2", "ключ", "é1", "clients/x", "[::1]~+*'\"\\"]
    {
        assert_eq!(parse(&format!("/drl/prod/limits/default/clients/{id}")), Ok(client(id.as_bytes())), "{id}");
    }
}

#[test]
fn any_bytes_have_one_key_and_are_read_back() {
    for (id, text) in [
        (&b"100%"[..], "100%25"),
        (b"a b", "a%20b"),
        (b"\0\n\x7f", "%00%0A%7F"),
        (b"\xff\xc3", "%FF%C3"),
        ("a\u{200b}b".as_bytes(), "a%E2%80%8Bb"),
        ("\u{202e}".as_bytes(), "%E2%80%AE"),
    ] {
        let key = keys().limit(Namespace::DEFAULT, &Whom::Client(id.to_vec()));
        assert_eq!(key, Key::from(format!("/drl/prod/limits/default/clients/{text}")));
        assert_eq!(keys().parse(&key), Ok(client(id)));
    }
    let every: Vec<u8> = (0..=u8::MAX).collect();
    assert_eq!(keys().parse(&keys().limit(Namespace::DEFAULT, &Whom::Client(every.clone()))), Ok(client(&every)));
}

#[test]
fn another_spelling_is_refused_and_told_the_right_one() {
    for (text, canonical) in [("a b", "a%20b"), ("%61", "a"), ("a%2fb", "a/b"), ("%c3%a9", "é"), ("é%0a", "é%0A")] {
        let key = Key::from(format!("/drl/prod/limits/default/clients/{text}"));
        assert_eq!(keys().parse(&key), Err(InvalidKey::Spelling { key, canonical: canonical.to_owned() }));
    }
}

#[test]
fn broken_escapes_and_lengths_are_refused() {
    for text in ["%", "a%2", "%zz", "100% sure"] {
        assert!(
            matches!(parse(&format!("/drl/prod/limits/default/clients/{text}")), Err(InvalidKey::Escape { .. })),
            "{text}"
        );
    }
    for text in [String::new(), "x".repeat(257)] {
        assert!(matches!(parse(&format!("/drl/prod/limits/default/prefixes/{text}")), Err(InvalidKey::Length { .. })));
    }
    assert!(parse(&format!("/drl/prod/limits/default/clients/{}", "%FF".repeat(256))).is_ok());
}

#[test]
fn keys_of_nothing_are_refused_with_a_reason() {
    for key in ["/drl/other/settings", "/drl/prod", "", "settings"] {
        assert!(matches!(parse(key), Err(InvalidKey::OtherCluster { .. })), "{key}");
    }
    for key in ["/drl/prod/", "/drl/prod/settings/x", "/drl/prod/policies/x", "/drl/prod/nodes", "/drl/prod/shards"] {
        assert!(matches!(parse(key), Err(InvalidKey::Unknown { .. })), "{key}");
    }
    for key in [
        "/drl/prod/shards/",
        "/drl/prod/shards/01",
        "/drl/prod/shards/16384",
        "/drl/prod/shards/-1",
        "/drl/prod/shards/1/x",
    ] {
        assert!(matches!(parse(key), Err(InvalidKey::Shard { .. })), "{key}");
    }
    for key in ["/drl/prod/nodes/", "/drl/prod/nodes/a b", "/drl/prod/heartbeats/a/b"] {
        assert!(matches!(parse(key), Err(InvalidKey::Node { .. })), "{key}");
    }
    for key in ["/drl/prod/limits/a b/default", "/drl/prod/limits//default", "/drl/prod/limits/@throttle/default"] {
        assert!(matches!(parse(key), Err(InvalidKey::Namespace { .. })), "{key}");
    }
    for key in [
        "/drl/prod/limits/default",
        "/drl/prod/limits/default/",
        "/drl/prod/limits/a/default/",
        "/drl/prod/limits/a/clients",
    ] {
        assert!(matches!(parse(key), Err(InvalidKey::Limit { .. })), "{key}");
    }
    let raw = Key::from(b"/drl/prod/nodes/\xff".to_vec());
    assert!(matches!(keys().parse(&raw), Err(InvalidKey::Node { .. })));
}

#[test]
fn names_that_could_break_a_key_are_no_cluster() {
    for bad in ["", "a/b", "a b", "é", &"x".repeat(65)] {
        assert!(ClusterName::new(bad).is_err(), "{bad:?}");
    }
    assert_eq!(ClusterName::default().as_str(), "default");
    assert_eq!("prod-1".parse(), ClusterName::new("prod-1"));
}
