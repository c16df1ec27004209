//! Where a value comes from: the flag, else the environment, else the config file, else the default.

use std::path::{Path, PathBuf};

use crate::node::Node;
use crate::process::{command, drl, finish};

fn file(directory: &Path, text: &str) -> PathBuf {
    let path = directory.join("drl.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Which address `drl check` tried: nothing listens on any of them.
fn tried(arguments: &[&str], environment: Option<&str>) -> String {
    let mut command = command(&[&["check", "alice"][..], arguments].concat());
    command.envs(environment.map(|address| ("DRL_ENDPOINT", address)));
    let ran = finish(&mut command).expect_code(2);
    let (_, address) = ran.stderr.split_once("nothing listens on ").unwrap_or_else(|| panic!("{ran:?}"));
    address.split(';').next().unwrap().to_owned()
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(directory.path(), "endpoint = \"127.0.0.1:1\"\n");
    let config = ["--config", path.to_str().unwrap()];
    assert_eq!(tried(&config, None), "127.0.0.1:1");
    assert_eq!(tried(&config, Some("127.0.0.1:2")), "127.0.0.1:2");
    let flag = [&config[..], &["--endpoint", "127.0.0.1:3"]].concat();
    assert_eq!(tried(&flag, Some("127.0.0.1:2")), "127.0.0.1:3");
}

#[test]
fn the_environment_can_name_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(directory.path(), "endpoint = \"127.0.0.1:1\"\n");
    let ran = finish(command(&["check", "alice"]).env("DRL_CONFIG", path)).expect_code(2);
    assert!(ran.stderr.contains("127.0.0.1:1;"), "{ran:?}");
}

#[test]
fn one_file_serves_the_node_and_the_commands() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let text = format!(
        "node-id = \"from-file\"\ndata-dir = {data_dir:?}\nlisten = \"127.0.0.1:0\"\nhttp-listen = \"127.0.0.1:0\"\n\
         unknown-client = \"allow\"\nshards = 16\noutput = \"json\"\n"
    );
    let path = file(directory.path(), &text);
    let config = path.to_str().unwrap();
    let node = Node::spawn(&mut command(&["serve", "--config", config]));
    let ran = node.drl(&["check", "alice", "--config", config]).expect_code(0);
    assert_eq!(ran.json()["reason"], "unknown-client");
    assert_eq!(node.terminate(), Some(0));
    let refused = [
        &["serve", "--node-id", "other", "--data-dir", data_dir.to_str().unwrap()][..],
        &["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"],
    ];
    let ran = drl(&refused.concat()).expect_code(1);
    assert!(ran.stderr.contains("from-file"), "{ran:?}");
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    let directory = tempfile::tempdir().unwrap();
    for (text, part) in [
        (
            "listne = \"127.0.0.1:1\"\n",
            "unknown key `listne`; known keys are advertise, authority, base-port, cluster, data-dir",
        ),
        ("config = \"other.toml\"\n", "unknown key `config`"),
        ("listen = [\"127.0.0.1:1\"]\n", "`listen` is array; write a string"),
        ("[serve]\nlisten = \"127.0.0.1:1\"\n", "unknown key `serve`"),
        ("listen = \"7700\"\n", "invalid value '7700' for '--listen <HOST:PORT>'"),
        ("shards = 0\n", "choose 1 to 16384"),
        ("listen = \n", "is not TOML"),
        ("timeout = \"soon\"\n", "such as 500ms"),
    ] {
        let path = file(directory.path(), text);
        let path = path.to_str().unwrap();
        drl(&["serve", "--config", path]).expect_refusal(2, part);
        drl(&["check", "alice", "--config", path]).expect_refusal(2, path);
    }
    drl(&["serve", "--config", "/nowhere/drl.toml"]).expect_refusal(2, "cannot read config file /nowhere/drl.toml");
}

#[test]
fn a_wrong_value_in_the_environment_is_refused_as_a_flag_is() {
    let ran = finish(command(&["serve"]).env("DRL_SHARDS", "many"));
    ran.expect_refusal(2, "--shards <N>");
}
