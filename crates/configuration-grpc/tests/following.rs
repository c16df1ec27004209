//! A service that tells policies is followed: what it tells is in force, what it does badly changes nothing, and what it told last stays.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "following/service.rs"]
mod service;

use std::time::Duration;

use drl_configuration::{ConfigurationService, Matched};
use drl_configuration_grpc::{CannotFollow, GrpcConfiguration, Options, Standing};
use drl_core::{ClientId, LimitKey, Namespace};
use drl_proto::v1::WatchConfigurationResponse;
use tokio::net::TcpListener;
use tokio::time::timeout;

use service::{Service, complete, default, for_client, for_prefix, part, removed};

const SOON: Duration = Duration::from_secs(20);

fn options() -> Options {
    Options { patience: Duration::from_secs(2) }
}

async fn loaded(service: &Service) -> GrpcConfiguration {
    let followed = GrpcConfiguration::follow(&service.url(), options()).unwrap();
    followed.loaded(SOON).await.unwrap();
    followed
}

/// Requests and selector of what applies to a client.
fn found(followed: &GrpcConfiguration, client: &str) -> Option<(u64, Matched)> {
    let key = LimitKey::new(Namespace::DEFAULT, ClientId::new(client.as_bytes()).unwrap());
    followed.get(key).map(|found| (found.policy.limits()[0].requests(), found.matched))
}

async fn until(followed: &GrpcConfiguration, what: &str, is_so: impl Fn(&GrpcConfiguration) -> bool) {
    let mut revision = followed.watch();
    let seen = async {
        while !is_so(followed) {
            // Standings are not revisions: looked at again after a moment.
            let _ = timeout(Duration::from_millis(20), revision.changed()).await;
        }
    };
    assert!(timeout(SOON, seen).await.is_ok(), "{what}: {:?}, {:?}", followed.standing(), followed.refused());
}

#[tokio::test]
async fn everything_comes_into_force_at_once_and_changes_as_they_come() {
    let mut service = Service::start(vec![]).await;
    let followed = GrpcConfiguration::follow(&service.url(), options()).unwrap();
    assert!(!followed.is_complete());
    service.tell(part(vec![for_client("alice", 3), for_prefix("team-", 5)])).await;
    service.tell(complete(vec![default(7)])).await;
    followed.loaded(SOON).await.unwrap();
    assert!(followed.is_complete());
    assert_eq!(followed.standing(), Standing::Current);
    assert_eq!(found(&followed, "alice"), Some((3, Matched::Client)));
    assert_eq!(found(&followed, "team-a"), Some((5, Matched::Prefix("team-".into()))));
    assert_eq!(found(&followed, "bob"), Some((7, Matched::Default)));
    assert_eq!(followed.revision(), 1);

    service.tell(part(vec![for_client("alice", 4)])).await;
    until(&followed, "alice has 4", |followed| found(followed, "alice") == Some((4, Matched::Client))).await;
    assert_eq!(followed.revision(), 2);
    service.tell(removed(&["alice"])).await;
    until(&followed, "alice has the default", |followed| found(followed, "alice") == Some((7, Matched::Default))).await;
    assert_eq!(followed.revision(), 3);
}

#[tokio::test]
async fn nothing_of_a_half_told_snapshot_is_in_force() {
    let mut service = Service::start(vec![]).await;
    let followed = GrpcConfiguration::follow(&service.url(), options()).unwrap();
    service.tell(part(vec![for_client("alice", 3)])).await;
    // The service falls silent in the middle, and is asked anew.
    service.asked(2).await;
    assert_eq!(found(&followed, "alice"), None);
    let Standing::Loading { reason: Some(reason) } = followed.standing() else { panic!("{:?}", followed.standing()) };
    assert!(reason.contains("no answer within 2s"), "{reason}");
    let not_loaded = followed.loaded(Duration::from_millis(1)).await.unwrap_err();
    assert!(not_loaded.to_string().contains("no answer within 2s"), "{not_loaded}");
}

#[tokio::test]
async fn while_the_service_is_away_its_last_policies_stay_and_what_it_tells_when_it_is_back_replaces_them() {
    let snapshot = complete(vec![for_client("alice", 3), for_client("bob", 3)]);
    let mut service = Service::start(vec![snapshot.clone()]).await;
    let followed = loaded(&service).await;
    let address = service.address();
    service.kill().await;
    until(&followed, "it is stale", |followed| matches!(followed.standing(), Standing::Stale { .. })).await;
    assert_eq!(found(&followed, "alice"), Some((3, Matched::Client)));
    assert!(followed.is_complete(), "what was known is known");

    let before = followed.revision();
    let mut service = Service::start_at(address, vec![snapshot]).await;
    until(&followed, "it is current", |followed| followed.standing() == Standing::Current).await;
    assert_eq!(followed.revision(), before, "the same policies are no change");
    service.kill().await;
    let service = Service::start_at(address, vec![complete(vec![for_client("alice", 9)])]).await;
    until(&followed, "alice has 9", |followed| found(followed, "alice") == Some((9, Matched::Client))).await;
    assert_eq!(found(&followed, "bob"), None, "what is not told again is gone");
    drop(service);
}

#[tokio::test]
async fn a_policy_that_makes_no_sense_leaves_the_one_before_in_force_and_is_named() {
    let mut service = Service::start(vec![complete(vec![for_client("alice", 3), for_client("bob", 3)])]).await;
    let followed = loaded(&service).await;
    let mut broken = for_client("alice", 3);
    broken.policy_json = br#"{"limits":[{"requests":-1,"window":"1m"}]}"#.to_vec().into();
    let mut nobody = for_client("carol", 1);
    nobody.selector = None;
    service.tell(part(vec![broken.clone(), nobody, for_client("bob", 5)])).await;
    until(&followed, "bob has 5", |followed| found(followed, "bob") == Some((5, Matched::Client))).await;
    assert_eq!(found(&followed, "alice"), Some((3, Matched::Client)));
    let (refused, count) = followed.refused();
    assert_eq!(count, 2, "{refused:?}");
    let alice = refused.iter().find(|refused| refused.selector == "client alice").unwrap();
    assert_eq!(alice.namespace, "default");
    assert!(alice.reason.contains("limits[0].requests"), "{}", alice.reason);
    assert!(refused.iter().any(|refused| refused.reason.contains("no selector")), "{refused:?}");

    // In a snapshot as well; a policy that was never good is not there.
    let mut never_good = for_client("dora", 1);
    never_good.policy_json = b"nonsense".to_vec().into();
    let address = service.address();
    service.kill().await;
    let mut service = Service::start_at(address, vec![complete(vec![broken, never_good, for_client("bob", 6)])]).await;
    until(&followed, "bob has 6", |followed| found(followed, "bob") == Some((6, Matched::Client))).await;
    assert_eq!(found(&followed, "alice"), Some((3, Matched::Client)));
    assert_eq!(found(&followed, "dora"), None);
    assert_eq!(followed.refused().1, 2);

    service.tell(part(vec![for_client("alice", 4), for_client("dora", 2)])).await;
    until(&followed, "alice has 4", |followed| found(followed, "alice") == Some((4, Matched::Client))).await;
    assert_eq!(followed.refused(), (vec![], 0), "what was mended is not refused any more");
}

#[tokio::test]
async fn a_stream_that_makes_no_sense_is_begun_anew() {
    let senseless: [(WatchConfigurationResponse, &str); 2] =
        [(removed(&["alice"]), "before it had told everything"), (complete(vec![]), "twice")];
    for (message, reason) in senseless {
        let told = if reason == "twice" { vec![complete(vec![for_client("alice", 3)])] } else { vec![] };
        let mut service = Service::start(told).await;
        let followed = GrpcConfiguration::follow(&service.url(), options()).unwrap();
        service.asked(1).await;
        service.tell(message).await;
        service.asked(2).await;
        let said = match followed.standing() {
            Standing::Loading { reason: Some(said) } | Standing::Stale { reason: said } => said,
            // The second stream has told everything by now.
            Standing::Current => continue,
            Standing::Loading { reason: None } => panic!("nothing was wrong"),
        };
        assert!(said.contains(reason), "{said}");
    }
}

#[tokio::test]
async fn what_is_no_service_or_does_not_answer_is_said_and_what_is_no_address_refused() {
    for nowhere in ["policies.example:7800", "", "https://policies.example", "http://", "unix:/x"] {
        let refused = GrpcConfiguration::follow(nowhere, options()).unwrap_err();
        assert_eq!(refused, CannotFollow::Endpoint { endpoint: nowhere.to_owned() });
    }
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let followed = GrpcConfiguration::follow(&url, options()).unwrap();
    let not_loaded = followed.loaded(Duration::from_secs(5)).await.unwrap_err();
    assert!(not_loaded.to_string().contains("no answer within 2s"), "{not_loaded}");
    assert!(!followed.is_complete());
    drop(silent);
    until(&followed, "nobody listens", |followed| {
        matches!(followed.standing(), Standing::Loading { reason: Some(reason) } if reason.contains("refused"))
    })
    .await;
}

#[test]
fn outside_a_runtime_nobody_is_followed() {
    let refused = GrpcConfiguration::follow("http://127.0.0.1:1", options()).unwrap_err();
    assert_eq!(refused, CannotFollow::NoRuntime);
}

#[tokio::test]
async fn dropping_it_ends_the_stream() {
    let mut service = Service::start(vec![complete(vec![])]).await;
    let followed = loaded(&service).await;
    drop(followed);
    service.left().await;
}

#[tokio::test]
async fn a_hundred_thousand_policies_are_told() {
    let mut told: Vec<_> = (0..100)
        .map(|chunk| part((0..1_000).map(|client| for_client(&format!("c-{chunk}-{client}"), 3)).collect()))
        .collect();
    told.push(complete(vec![]));
    let service = Service::start(told).await;
    let followed = loaded(&service).await;
    assert_eq!(found(&followed, "c-99-999"), Some((3, Matched::Client)));
    assert_eq!(followed.revision(), 1);
}
