//! A list that is longer than a page of the protocol.

use std::process::Stdio;

use drl_proto::v1::limits_client::LimitsClient;
use drl_proto::v1::selector::Selector as Choice;
use drl_proto::v1::{Selector, SetLimitsRequest};

use crate::node::Node;
use crate::process::{command, finish};

/// A page holds 1,000.
const POLICIES: usize = 1_001;

fn set_many(address: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = LimitsClient::connect(format!("http://{address}")).await.unwrap();
        let mut sets = tokio::task::JoinSet::new();
        for number in 0..POLICIES {
            let mut client = client.clone();
            let selector = Selector { selector: Some(Choice::Client(format!("client-{number:04}").into())) };
            let policy_json = r#"{"limits":[{"requests":1,"window":"1m"}]}"#.to_owned();
            let request = SetLimitsRequest { namespace: String::new(), selector: Some(selector), policy_json };
            sets.spawn(async move { client.set(request).await.unwrap() });
        }
        sets.join_all().await;
    });
}

#[test]
fn a_list_of_several_pages_is_whole_and_in_order_and_can_be_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path(), &[]);
    set_many(node.address("grpc"));
    let list = node.drl(&["limits", "list", "--output", "json"]).expect_code(0).json();
    let clients: Vec<&str> = list.as_array().unwrap().iter().map(|policy| policy["client"].as_str().unwrap()).collect();
    assert_eq!(clients.len(), POLICIES);
    assert!(clients.is_sorted());
    let table = node.drl(&["limits", "list"]).expect_code(0).stdout;
    assert_eq!(table.lines().count(), POLICIES + 1);
    assert_eq!(table.matches("NAMESPACE").count(), 1);

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut cut = command(&["limits", "list"]);
    let ran = finish(cut.env("DRL_ENDPOINT", node.address("grpc")).stdout(Stdio::from(writer)));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}
