//! Every RESP command, its replies and its errors.

use drl_proto::v1::ResetRequest;
use drl_proto::v1::rate_limit_client::RateLimitClient;
use drl_proto::v1::selector::Selector;
use tempfile::TempDir;

use crate::support::start;

/// Sends the commands on one connection and compares every reply.
async fn conversation(commands: &[(&str, &str)]) {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut client = node.resp().await;
    for (command, reply) in commands {
        assert_eq!(&client.call(command).await, reply, "{command}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_throttle_answers_as_redis_cell_does() {
    conversation(&[
        ("CL.THROTTLE user123 15 30 60", "[:0 :16 :15 :-1 :2]"),
        ("CL.THROTTLE user123 15 30 60 1", "[:0 :16 :14 :-1 :4]"),
        ("CL.THROTTLE user123 15 30 60 0", "[:0 :16 :14 :-1 :4]"),
        ("CL.THROTTLE user123 15 30 60 10", "[:0 :16 :4 :-1 :24]"),
        ("CL.THROTTLE user123 15 30 60 5", "[:1 :16 :4 :2 :24]"),
        ("CL.THROTTLE user123 15 30 60 17", "[:1 :16 :4 :-1 :24]"),
        ("cl.throttle user123 15 30 60 4", "[:0 :16 :0 :-1 :32]"),
        ("CL.THROTTLE user123 15 30 60", "[:1 :16 :0 :2 :32]"),
        ("CL.THROTTLE user123 15 30 60 0", "[:0 :16 :0 :-1 :32]"),
        ("CL.THROTTLE never 0 1 60 0", "[:0 :1 :1 :-1 :0]"),
        ("CL.THROTTLE never 0 1 60", "[:0 :1 :0 :-1 :60]"),
        ("CL.THROTTLE never 0 1 60", "[:1 :1 :0 :60 :60]"),
        ("CL.THROTTLE fresh 4 1 1 6", "[:1 :5 :5 :-1 :0]"),
        ("DEL user123", ":1"),
        ("CL.THROTTLE user123 15 30 60", "[:0 :16 :15 :-1 :2]"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_throttle_refuses_what_redis_cell_refuses() {
    let usage = "-Cell error: Usage: cl.throttle <key> <max_burst> <count per period> <period> [<quantity>]";
    conversation(&[
        ("CL.THROTTLE", usage),
        ("CL.THROTTLE k 1 2", usage),
        ("CL.THROTTLE k 1 2 3 4 5", usage),
        ("CL.THROTTLE k 15 0 60", "-Cell error: Zero rates are not supported"),
        ("CL.THROTTLE k 15 30 0", "-Cell error: Zero rates are not supported"),
        ("CL.THROTTLE k x 30 60", "-Cell error: Couldn't parse as integer: x"),
        ("CL.THROTTLE k 15 30 60 -1", "-Cell error: quantity is -1; send 0 (look) to 9007199254740992"),
        ("CL.THROTTLE  15 30 60", "-ERR key: client id has 0 bytes; send 1 to 256"),
        ("PING", "+PONG"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_policies_answer_drl_allow_and_drl_check() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut client = node.resp().await;
    assert_eq!(client.call("DRL.ALLOW alice").await, ":0");
    assert_eq!(client.call("DRL.CHECK alice").await, "[:0 :0 :0 :-1 :0]");
    let json = r#"{"limits":[{"requests":3,"window":"1h"}],"algorithm":"token-bucket"}"#;
    node.set(Selector::Client("alice".into()), json).await.unwrap();
    assert_eq!(client.call("drl.check alice 0").await, "[:1 :3 :3 :0 :0]");
    assert_eq!(client.call("DRL.ALLOW alice 2").await, ":1");
    let reply = client.call("DRL.CHECK alice").await;
    assert!(reply.starts_with("[:1 :3 :0 :0 :3599") || reply == "[:1 :3 :0 :0 :3600000]", "{reply}");
    let reply = client.call("DRL.CHECK alice").await;
    assert!(reply.starts_with("[:0 :3 :0 :1199") || reply.starts_with("[:0 :3 :0 :1200000"), "{reply}");
    assert_eq!(client.call("DRL.ALLOW alice 0").await, ":0");
    assert!(client.call("DRL.CHECK alice 4").await.starts_with("[:0 :3 :0 :-1 "));
    assert_eq!(client.call("DRL.ALLOW bob").await, ":0");
    assert_eq!(client.call("DEL alice bob").await, ":2");
    assert_eq!(client.call("DRL.CHECK alice 3").await, "[:1 :3 :0 :0 :3600000]");
    for (command, reply) in [
        ("DRL.ALLOW", "-ERR wrong number of arguments for 'drl.allow' command"),
        ("DRL.CHECK a 1 2", "-ERR wrong number of arguments for 'drl.check' command"),
        ("DRL.ALLOW alice -1", "-ERR cost is -1; send 0 (peek) to 9007199254740992"),
        ("DRL.ALLOW alice many", "-ERR cost 'many' is not an integer"),
        ("DRL.ALLOW ", "-ERR client id has 0 bytes; send 1 to 256"),
        ("DEL", "-ERR wrong number of arguments for 'del' command"),
    ] {
        assert_eq!(client.call(command).await, reply, "{command}");
    }
    let long = format!("DRL.ALLOW {}", "x".repeat(257));
    assert_eq!(client.call(&long).await, "-ERR client id has 257 bytes; send 1 to 256");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_clients_find_the_commands_they_begin_with() {
    let version = env!("CARGO_PKG_VERSION");
    let hello = |proto| {
        format!("$server $drl $version ${version} $proto :{proto} $id :1 $mode $standalone $role $master $modules []")
    };
    conversation(&[
        ("PING", "+PONG"),
        ("ping hello", "$hello"),
        ("PING a b", "-ERR wrong number of arguments for 'ping' command"),
        ("ECHO x", "$x"),
        ("HELLO", &format!("[{}]", hello(2))),
        ("HELLO 3", &format!("{{{}}}", hello(3))),
        ("CLIENT GETNAME", "_"),
        ("HELLO 2 AUTH default secret SETNAME me", &format!("[{}]", hello(2))),
        ("CLIENT GETNAME", "$me"),
        ("HELLO 4", "-NOPROTO unsupported protocol version"),
        ("HELLO x", "-ERR Protocol version is not an integer or out of range"),
        ("HELLO 2 AUTH mallory x", "-WRONGPASS invalid username-password pair or user is disabled."),
        (
            "AUTH secret",
            "-ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
        ),
        ("AUTH default secret", "+OK"),
        ("CLIENT SETNAME you", "+OK"),
        ("CLIENT GETNAME", "$you"),
        ("CLIENT ID", ":1"),
        ("CLIENT SETINFO LIB-NAME redis-py", "+OK"),
        ("COMMAND COUNT", ":19"),
        ("COMMAND DOCS", "[]"),
        ("COMMAND", "[]"),
        ("SELECT 0", "+OK"),
        ("SELECT 1", "-ERR DB index is out of range"),
        ("CONFIG GET save", "[$save $]"),
        ("CONFIG GET appendonly", "[$appendonly $yes]"),
        ("CONFIG GET maxmemory", "[]"),
        ("RESET", "+RESET"),
        ("CLIENT GETNAME", "_"),
        ("GET x", "-ERR unknown command 'GET'"),
        ("QUIT", "+OK"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn info_has_the_sections_of_redis_and_what_was_decided() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut client = node.resp().await;
    client.call("CL.THROTTLE a 0 1 60").await;
    client.call("CL.THROTTLE a 0 1 60").await;
    let info = client.call("INFO").await;
    for line in ["# Clients", "connected_clients:1", "decisions_allowed:1", "decisions_denied:1", "counters:1"] {
        assert!(info.lines().any(|found| found == line), "{line} is not in {info}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_by_any_door_forgets_what_every_command_charged() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut client = node.resp().await;
    assert_eq!(client.call("CL.THROTTLE user:7 0 1 3600").await, "[:0 :1 :0 :-1 :3600]");
    assert!(client.call("CL.THROTTLE user:7 0 1 3600").await.starts_with("[:1 "));
    let mut checks = RateLimitClient::connect(format!("http://{}", node.addresses.grpc)).await.unwrap();
    let request = ResetRequest { namespace: String::new(), client_id: "user:7".into() };
    checks.reset(request).await.unwrap();
    assert_eq!(client.call("CL.THROTTLE user:7 0 1 3600").await, "[:0 :1 :0 :-1 :3600]");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_queued_and_answered_as_one_array() {
    conversation(&[
        ("MULTI", "+OK"),
        ("CL.THROTTLE k 1 2 3600", "+QUEUED"),
        ("PING", "+QUEUED"),
        ("DEL k", "+QUEUED"),
        ("DRL.ALLOW nobody 1 2", "+QUEUED"),
        ("CL.THROTTLE k 1 2 3600 2", "+QUEUED"),
        ("MULTI", "-ERR MULTI calls can not be nested"),
        (
            "EXEC",
            "[[:0 :2 :1 :-1 :1800] +PONG :1 -ERR wrong number of arguments for 'drl.allow' command [:0 :2 :0 :-1 :3600]]",
        ),
        ("CL.THROTTLE k 1 2 3600 0", "[:0 :2 :0 :-1 :3600]"),
        ("MULTI", "+OK"),
        ("EXEC", "[]"),
        ("EXEC", "-ERR EXEC without MULTI"),
        ("DISCARD", "-ERR DISCARD without MULTI"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_discarded_or_broken_charges_nothing() {
    conversation(&[
        ("MULTI", "+OK"),
        ("CL.THROTTLE k 1 2 3600 2", "+QUEUED"),
        ("DISCARD", "+OK"),
        ("MULTI", "+OK"),
        ("CL.THROTTLE k 1 2 3600 2", "+QUEUED"),
        ("INCR k", "-ERR unknown command 'INCR'"),
        ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
        ("MULTI", "+OK"),
        ("CL.THROTTLE k 1 2 3600 2", "+QUEUED"),
        ("RESET", "+RESET"),
        ("CL.THROTTLE k 1 2 3600 0", "[:0 :2 :2 :-1 :0]"),
    ])
    .await;
}
