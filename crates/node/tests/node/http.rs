//! The HTTP door: shapes, header fields, errors, health and metrics.

use drl_proto::v1::selector::Selector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::support::{exchange, start};

const THREE_PER_HOUR: &str = r#"{"limits":[{"requests":3,"window":"1h"}],"algorithm":"token-bucket"}"#;

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    })
}

fn status(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_200_and_its_body_says_the_rest() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let revision = node.set_default(THREE_PER_HOUR).await;
    let (head, body) = node.http("POST /v1/check", r#"{"client_id":"alice","cost":2}"#).await;
    assert_eq!(status(&head), "200");
    assert_eq!(field(&head, "content-type"), Some("application/json"));
    assert_eq!(field(&head, "ratelimit-policy"), Some("\"default\";q=3;w=3600"));
    assert_eq!(field(&head, "ratelimit"), Some("\"default\";r=1;t=1200"));
    assert_eq!(field(&head, "retry-after"), None);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body,
        json!({"allowed": true, "limit": 3, "remaining": 1, "retry_after_ms": 0, "reset_after_ms": 2_400_000,
               "policy_revision": revision, "reason": "within-limit"})
    );
    let (head, body) =
        node.http("POST /v1/check", r#"{"client_id":"alice","cost":2,"peek":true,"namespace":"default"}"#).await;
    assert_eq!(status(&head), "200");
    let (retry, t) = (field(&head, "retry-after").unwrap(), field(&head, "ratelimit").unwrap());
    assert_eq!(t, format!("\"default\";r=1;t={retry}"));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["allowed"], &body["reason"]), (&json!(false), &json!("over-limit")));
    let (_, body) = node.http("POST /v1/check", r#"{"client_id":"alice","cost":4}"#).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["retry_after_ms"], &body["reason"]), (&json!(-1), &json!("cost-above-limit")));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn allow_answers_by_its_status_to_any_method() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    node.set_default(THREE_PER_HOUR).await;
    for request in ["GET /v1/allow?client_id=bob", "HEAD /v1/allow?client_id=bob", "DELETE /v1/allow?client_id=bob"] {
        assert_eq!(status(&node.http(request, "").await.0), "200", "{request}");
    }
    let (head, body) = node.http("GET /v1/allow?client_id=bob", "").await;
    assert_eq!(status(&head), "429");
    assert_eq!(field(&head, "content-type"), Some("application/problem+json"));
    assert_eq!(field(&head, "ratelimit-policy"), Some("\"default\";q=3;w=3600"));
    assert_eq!(field(&head, "retry-after"), Some("1200"));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!((&body["status"], &body["violated-policies"]), (&json!(429), &json!(["default"])));
    assert_eq!(status(&node.http("GET /v1/allow?client_id=bob&deny_status=403", "").await.0), "403");
    assert_eq!(status(&node.http("GET /v1/allow?client_id=bob&cost=0", "").await.0), "429");
    let mut stream = TcpStream::connect(node.addresses.http).await.unwrap();
    let request = b"PUT /v1/allow?cost=3 HTTP/1.1\r\nHost: x\r\nX-Client-Id: carol\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&exchange(&mut stream, request).await.0), "200");
    assert_eq!(status(&node.http("GET /v1/allow?client_id=carol", "").await.0), "429");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_client_is_denied_without_a_limit() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    node.set(Selector::Client("known".into()), THREE_PER_HOUR).await.unwrap();
    let (head, body) = node.http("POST /v1/check", r#"{"client_id":"stranger"}"#).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&body["allowed"], &body["reason"], &body["limit"]),
        (&json!(false), &json!("unknown-client"), &json!(0))
    );
    assert_eq!(field(&head, "ratelimit"), None);
    assert_eq!(status(&node.http("GET /v1/allow?client_id=stranger", "").await.0), "429");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_problems_that_say_what_to_send() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let big = format!(r#"{{"client_id":"{}"}}"#, "x".repeat(20_000));
    for (request, body, code, says) in [
        ("POST /v1/check", "{", "400", "client_id"),
        ("POST /v1/check", r#"{"cost":1}"#, "400", "client_id"),
        ("POST /v1/check", r#"{"client_id":"a","cots":1}"#, "400", "cots"),
        ("POST /v1/check", r#"{"client_id":"a","cost":-1}"#, "400", "cost is -1; send 0"),
        ("POST /v1/check", r#"{"client_id":"a","cost":1.5}"#, "400", "1.5"),
        ("POST /v1/check", r#"{"client_id":""}"#, "400", "send 1 to 256"),
        ("POST /v1/check", r#"{"client_id":"a","namespace":"a/b"}"#, "400", "namespace"),
        ("POST /v1/check", &big, "413", "16384"),
        ("GET /v1/check", "", "405", "GET"),
        ("GET /v1/allow", "", "400", "X-Client-Id"),
        ("GET /v1/allow?client_id=a&cost=x", "", "400", "cost"),
        ("GET /v1/allow?client_id=a&deny_status=200", "", "400", "deny_status"),
        ("GET /nowhere", "", "404", "/v1/check"),
    ] {
        let (head, found) = node.http(request, body).await;
        assert_eq!(status(&head), code, "{request} {found}");
        assert_eq!(field(&head, "content-type"), Some("application/problem+json"), "{request}");
        let problem: Value = serde_json::from_str(&found).unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(says), "{request}: {found}");
        assert_eq!(problem["status"].to_string(), code);
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_announced_as_too_long_is_refused_before_it_comes() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut stream = TcpStream::connect(node.addresses.http).await.unwrap();
    let request = b"POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n";
    let begun = drl_host::clock::monotonic();
    let (head, _) = exchange(&mut stream, request).await;
    assert_eq!(status(&head), "413");
    let took = drl_host::clock::monotonic().0 - begun.0;
    assert!(took < 5_000_000_000, "{took} ns");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_limits_of_equal_capacity_the_fields_show_the_one_that_denies() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    node.set_default(r#"{"limits":[{"requests":3,"window":"10s"},{"requests":3,"window":"1h"}]}"#).await;
    for _ in 0..3 {
        assert_eq!(status(&node.http("GET /v1/allow?client_id=bob", "").await.0), "200");
    }
    let (head, body) = node.http("GET /v1/allow?client_id=bob", "").await;
    assert_eq!(status(&head), "429");
    assert_eq!(field(&head, "ratelimit-policy"), Some("\"3-per-10s\";q=3;w=10, \"3-per-1h\";q=3;w=3600"));
    let retry = field(&head, "retry-after").unwrap();
    assert_eq!(field(&head, "ratelimit").unwrap(), format!("\"3-per-1h\";r=0;t={retry}"));
    assert!(retry.parse::<u64>().unwrap() > 3_000, "{retry}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["violated-policies"], json!(["3-per-1h"]));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_are_there_and_count() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    node.set_default(THREE_PER_HOUR).await;
    let mut client = node.resp().await;
    for _ in 0..5 {
        client.call("DRL.ALLOW dave").await;
    }
    assert_eq!(node.http("GET /livez", "").await.1, "ok\n");
    assert_eq!(node.http("GET /readyz", "").await.1, "ready\n");
    let (head, text) = node.http("GET /metrics", "").await;
    assert_eq!(field(&head, "content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "drl_decisions_total{outcome=\"allowed\"} 3",
        "drl_decisions_total{outcome=\"denied\"} 2",
        "drl_decision_seconds_count 5",
        "drl_connections{door=\"resp\"} 1",
        "drl_policies 1",
        "drl_journal_whole 1",
        "drl_counters 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for name in ["drl_journal_frames_total", "drl_journal_rows_total", "drl_journal_bytes", "drl_journal_lag_seconds"] {
        assert!(text.lines().any(|found| found.starts_with(name)), "{name} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.starts_with("drl_") || line.starts_with("# ")), "{text}");
    node.stop().await;
}
