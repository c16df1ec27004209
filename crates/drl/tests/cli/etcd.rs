//! `drl limits` on a real etcd, and what is refused before etcd is asked. Each test has a cluster of its own in the etcd that all share.

use drl_test_etcd::Server;
use serde_json::{Value, json};

use crate::node::Node;
use crate::process::{Ran, command, drl, finish};

/// The etcd that the tests share, or the end of a test that was skipped aloud.
macro_rules! etcd {
    () => {
        match Server::shared().unwrap() {
            Some(server) => server,
            None => return,
        }
    };
}
pub(crate) use etcd;

fn run(etcd: &Server, cluster: &str, line: &str) -> Ran {
    let arguments: Vec<&str> = line.split(' ').collect();
    finish(command(&arguments).env("DRL_ETCD", etcd.url()).env("DRL_CLUSTER", cluster))
}

#[track_caller]
fn ask(etcd: &Server, cluster: &str, line: &str) -> Value {
    run(etcd, cluster, &format!("{line} --output json")).expect_code(0).json()
}

#[test]
fn policies_are_set_read_listed_and_removed_in_etcd() {
    let etcd = etcd!();
    let set = ask(etcd, "cli-set", "limits set alice --limit 100 --window 5m --limit 1000 --window 1h");
    let revision = set["revision"].as_u64().unwrap();
    assert!(revision > 1);
    let stored = etcd.etcdctl(&["get", "--print-value-only", "/drl/cli-set/limits/default/clients/alice"]).unwrap();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(stored["limits"], json!([{"requests": 100, "window": "5m"}, {"requests": 1000, "window": "1h"}]));
    ask(etcd, "cli-set", "limits set --prefix api- --limit 1 --window 1s --namespace team");
    ask(etcd, "cli-set", "limits set --default --limit 2 --window 1s");
    let read = ask(etcd, "cli-set", "limits get alice");
    assert_eq!((&read["revision"], &read["policy"]), (&json!(revision), &stored));
    let list = ask(etcd, "cli-set", "limits list");
    let places: Vec<_> = list.as_array().unwrap().iter().map(|policy| policy["namespace"].as_str().unwrap()).collect();
    assert_eq!(places, ["default", "default", "team"]);
    assert_eq!(ask(etcd, "cli-set", "limits list --namespace team")[0]["prefix"], "api-");
    assert_eq!(ask(etcd, "cli-other", "limits list"), json!([]));
    assert_eq!(ask(etcd, "cli-set", "limits delete alice")["deleted"], true);
    run(etcd, "cli-set", "limits get alice").expect_refusal(1, "no policy for client alice in namespace default");
    run(etcd, "cli-set", "limits delete alice").expect_refusal(1, "no policy for client alice");
}

#[test]
fn a_value_that_somebody_broke_is_listed_with_its_fault() {
    let etcd = etcd!();
    run(etcd, "cli-broken", "limits set good --limit 1 --window 1s").expect_code(0);
    for (key, value) in
        [("default/clients/bad", r#"{"limits":[]}"#), ("default/clients/text", "nonsense"), ("oops", "x")]
    {
        etcd.etcdctl(&["put", &format!("/drl/cli-broken/limits/{key}"), value]).unwrap();
    }
    let ran = run(etcd, "cli-broken", "limits list --output json").expect_code(0);
    assert!(ran.stderr.contains("/drl/cli-broken/limits/oops"), "{ran:?}");
    let list = ran.json();
    assert_eq!(
        (&list[0]["client"], &list[1]["client"], &list[2]["client"]),
        (&json!("bad"), &json!("good"), &json!("text"))
    );
    assert!(list[0]["fault"].as_str().unwrap().contains("write 1 to 8"), "{list}");
    assert_eq!((&list[1]["fault"], &list[2]["policy"]), (&Value::Null, &json!("nonsense")));
    let ran = run(etcd, "cli-broken", "limits get bad").expect_code(0);
    assert!(ran.stdout.contains("not in force") && ran.stderr.contains("not in force"), "{ran:?}");
    let url = etcd.url();
    let validate = |client: &str| run(etcd, "cli-broken", &format!("limits validate --etcd {url} {client}"));
    assert!(validate("bad").expect_code(1).stdout.contains("limits: 0 limits"));
    assert!(validate("good").expect_code(0).stdout.contains("one policy"));
    validate("nobody").expect_refusal(2, "no policy for client nobody");
    run(etcd, "cli-broken", "limits validate --default").expect_refusal(2, "no policy for default");
    run(etcd, "cli-broken", "limits delete bad").expect_code(0);
}

#[test]
fn a_file_is_checked_as_one_although_the_environment_names_an_etcd() {
    let etcd = etcd!();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("limits.json");
    std::fs::write(&path, r#"{"limits":[{"requests":1,"window":"1s"}]}"#).unwrap();
    let path = path.to_str().unwrap();
    run(etcd, "cli-file", &format!("limits validate {path}")).expect_code(0);
    run(etcd, "cli-file", &format!("limits validate --etcd {} {path}", etcd.url()))
        .expect_refusal(2, "leave --etcd and --endpoint out");
}

#[test]
fn a_cluster_that_nobody_joined_is_pointed_out() {
    let etcd = etcd!();
    let ran = run(etcd, "cli-typo", "limits set alice --limit 1 --window 1s").expect_code(0);
    assert!(ran.stderr.contains("no node has started in cluster cli-typo"), "{ran:?}");
    etcd.etcdctl(&["put", "/drl/cli-typo/settings", "{}"]).unwrap();
    let ran = run(etcd, "cli-typo", "limits set alice --limit 1 --window 1s").expect_code(0);
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_flag_decides_between_etcd_and_a_node() {
    let etcd = etcd!();
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path(), &[]);
    let (url, endpoint) = (etcd.url(), node.address("grpc").to_owned());
    let set = ["limits", "set", "alice", "--limit", "1", "--window", "1s"];
    let get = |flags: &[&str]| {
        let mut command = command(&[&["limits", "get", "alice"][..], flags].concat());
        command.envs([("DRL_ETCD", url.as_str()), ("DRL_CLUSTER", "cli-way"), ("DRL_ENDPOINT", endpoint.as_str())]);
        finish(&mut command).code
    };
    node.drl(&set).expect_code(0);
    assert_eq!((get(&[]), get(&["--etcd", &url]), get(&["--endpoint", &endpoint])), (Some(1), Some(1), Some(0)));
    assert_eq!(get(&["--endpoint", &endpoint, "--etcd", &url]), Some(2));
    assert!(
        drl(&["limits", "validate", "--endpoint", &endpoint, "alice"]).expect_code(0).stdout.contains("one policy")
    );
    assert_eq!(node.terminate(), Some(0));
}

#[test]
fn an_etcd_that_does_not_answer_is_named() {
    drl(&["limits", "list", "--etcd", "http://127.0.0.1:1"])
        .expect_refusal(1, "etcd cannot be reached at http://127.0.0.1:1");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let ran = drl(&["limits", "list", "--etcd", &url, "--timeout", "300ms"]).expect_code(1);
    assert!(ran.stderr.contains(&url), "{ran:?}");
}

#[test]
fn what_cannot_be_an_etcd_is_refused_before_anything_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let pem = directory.path().join("not.pem");
    std::fs::write(&pem, "hello").unwrap();
    let pem = pem.to_str().unwrap();
    for (line, code, part) in [
        ("--etcd localhost:2379", 2, "it must start with http:// or https:// (an example: http://127.0.0.1:2379)"),
        ("--etcd http://h:2379/v3", 2, "something follows host and port"),
        ("--etcd http://h --endpoint 127.0.0.1:1", 2, "give one of them"),
        ("--etcd http://h --cluster a/b", 2, "is not a name"),
        ("--etcd http://h --etcd-cert c.pem", 2, "--etcd-cert and --etcd-key belong together"),
        ("--etcd https://h --etcd-cert c.pem --etcd-key k.pem", 2, "--etcd-cert needs --etcd-ca"),
        ("--etcd https://h", 2, "--etcd https://h:2379 needs --etcd-ca"),
        ("--etcd https://h --etcd-ca /nowhere/ca.pem", 1, "--etcd-ca: cannot read /nowhere/ca.pem"),
        (&format!("--etcd https://h --etcd-ca {pem}"), 1, "holds no certificate in PEM"),
        ("--etcd-ca ca.pem", 2, "--etcd-ca is given without --etcd"),
    ] {
        let arguments: Vec<&str> = ["limits", "list"].into_iter().chain(line.split(' ')).collect();
        drl(&arguments).expect_refusal(code, part);
    }
}

#[test]
fn a_password_is_never_repeated() {
    for arguments in [["--etcd-user", "hunter2"], ["--etcd", "http://root:hunter2@h"], ["--etcd-user", "a:hunter2"]] {
        let ran = drl(&[&["limits", "list"][..], &arguments].concat()).expect_code(2);
        assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
    }
    let ran = finish(command(&["limits", "list", "--help"]).env("DRL_ETCD_USER", "root:hunter2")).expect_code(0);
    assert!(ran.stdout.contains("DRL_ETCD_USER") && !ran.stdout.contains("hunter2"), "{ran:?}");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("drl.toml");
    std::fs::write(&path, "etcd-user = \"hunter2\"\n").unwrap();
    let ran = drl(&["limits", "list", "--config", path.to_str().unwrap()]).expect_code(2);
    assert!(ran.stderr.contains("drl.toml") && !ran.stderr.contains("hunter2"), "{ran:?}");
}
