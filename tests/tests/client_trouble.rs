//! The routing client while nodes die, stall, and lose answers: one deadline at most, then the policy's word or the next owner's, and
//! nothing over.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use drl_client::{CheckError, CheckRequest, Connect, Decision, RateLimiter, Reason};
use drl_test_etcd::{Proxy, Server};
use drl_tests::cluster::{Cluster, SOON, Since, eventually, hourly, let_pass};
use drl_tests::load::{Account, in_force, used};
use drl_tests::node::Node;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

const DEADLINE: Duration = Duration::from_secs(1);

/// What a loaded machine of two cores may add to a deadline.
const SLACK: Duration = Duration::from_millis(500);

/// Never reached by what a test asks.
const PLENTY: u64 = 1_000_000_000;

/// How policies are put that say what decides when nobody can, and what becomes of a check then.
const CLASSES: [(&str, bool, Reason); 3] = [
    ("deny", false, Reason::Unavailable),
    ("allow", true, Reason::Unavailable),
    ("local", true, Reason::LocalEstimate),
];

fn request(client: &str) -> CheckRequest<'_> {
    CheckRequest::new(client.as_bytes()).unwrap()
}

/// Puts a policy for clients whose names begin with each class, and waits until it is in force for these clients.
fn put_classes(cluster: &Cluster, runtime: &Runtime, limiter: &RateLimiter, clients: &[String]) {
    for (class, ..) in CLASSES {
        let policy = format!(r#"{{"limits":[{{"requests":{PLENTY},"window":"1h"}}],"on_unavailable":"{class}"}}"#);
        cluster.put_policy(&format!("prefixes/{class}-"), &policy).unwrap();
    }
    runtime.block_on(in_force(limiter, clients, PLENTY)).unwrap();
}

fn connect(cluster: &Cluster, runtime: &Runtime) -> RateLimiter {
    let connect = Connect::new(cluster.endpoints().unwrap()).deadline(DEADLINE);
    runtime.block_on(connect.connect()).unwrap()
}

/// Clients of each class, of one node.
fn clients_of(cluster: &Cluster, node: &str) -> Vec<String> {
    let owners = cluster.owners().unwrap();
    CLASSES.iter().flat_map(|(class, ..)| owners.clients_of(node, &format!("{class}-"), 2).unwrap()).collect()
}

/// Whether a decision that nobody made is what its client's policy says.
fn is_by_policy(client: &str, decision: &Decision) -> bool {
    let is_its = |(class, allowed, reason): &(&str, bool, Reason)| {
        client.starts_with(class) && (decision.allowed, decision.reason) == (*allowed, *reason)
    };
    CLASSES.iter().any(is_its)
}

/// Load for some clients, from one task each, until it is told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<(String, JoinHandle<Account>)>,
}

impl Load {
    fn start(runtime: &Runtime, limiter: &RateLimiter, clients: &[String]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = clients.iter().map(|client| {
            let (name, client) = (client.clone(), client.clone());
            let (limiter, stop) = (limiter.clone(), Arc::clone(&stop));
            let asking = async move {
                let mut account = Account::default();
                while !stop.load(Ordering::Relaxed) {
                    let since = Since::now();
                    let decision = limiter.check(request(&client)).await.unwrap();
                    account.note(&decision, since.elapsed());
                    let is_unknown = matches!(decision.reason, Reason::Unavailable | Reason::LocalEstimate);
                    assert!(!is_unknown || is_by_policy(&client, &decision), "{client}: {decision:?}");
                }
                account
            };
            (name, runtime.spawn(asking))
        });
        Self { tasks: tasks.collect(), stop: Arc::clone(&stop) }
    }

    /// What came of it, by client.
    fn stop(self, runtime: &Runtime) -> Vec<(String, Account)> {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.into_iter().map(|(client, task)| (client, runtime.block_on(task).unwrap())).collect()
    }
}

/// Each client's owner decides again.
fn wait_for_owners(runtime: &Runtime, limiter: &RateLimiter, clients: &[String]) {
    for client in clients {
        eventually("the owner decides again", SOON, || {
            let decision = runtime.block_on(limiter.check(request(client)))?;
            Ok((decision.reason == Reason::WithinLimit).then_some(()))
        })
        .unwrap();
    }
}

/// What was answered in time, what adds up, and who noticed.
fn judge(runtime: &Runtime, limiter: &RateLimiter, its: &[(String, Account)], others: &[(String, Account)]) {
    for (client, account) in its {
        println!("{client}: {account:?}");
        assert!(account.granted > 0 && account.denied == 0, "{client}: {account:?}");
        assert!(account.slowest < DEADLINE + SLACK, "{client}: {account:?}");
    }
    // The node had copies of their shards too: admissions wait until it is dropped, and nobody is denied.
    for (client, account) in others {
        assert_eq!(account.denied, 0, "{client}: {account:?}");
        assert!(account.granted > 0 && account.slowest < DEADLINE + SLACK, "{client}: {account:?}");
    }
    let slowest = others.iter().map(|(_, account)| account.slowest).max();
    println!("the slowest answer to a client of another node: {slowest:?}");
    for (client, account) in its.iter().chain(others) {
        let used = runtime.block_on(used(limiter, client)).unwrap();
        account.adds_up(used, PLENTY).unwrap_or_else(|error| panic!("{client}: {error}"));
    }
}

#[test]
fn a_killed_node_costs_clients_one_deadline_at_most() {
    let Some(mut cluster) = Cluster::start(&[]).unwrap() else { return };
    let runtime = Runtime::new().unwrap();
    let limiter = connect(&cluster, &runtime);
    let (its, others) = (clients_of(&cluster, "n3"), [clients_of(&cluster, "n1"), clients_of(&cluster, "n2")].concat());
    let few = cluster.owners().unwrap().clients_of("n3", "few-", 3).unwrap();
    cluster.put_policy("prefixes/few-", &hourly(20)).unwrap();
    put_classes(&cluster, &runtime, &limiter, &[&its[..], &others].concat());
    runtime.block_on(in_force(&limiter, &few, 20)).unwrap();
    cluster.in_sync().unwrap();
    let ask_few = |times: usize| -> Vec<usize> {
        let allowed = |client: &String| {
            let answers = (0..times).map(|_| limiter.blocking().check(request(client)).unwrap());
            answers.filter(|decision| decision.allowed).count()
        };
        few.iter().map(allowed).collect()
    };
    assert_eq!(ask_few(8), [8; 3]);
    let (load, calm) = (Load::start(&runtime, &limiter, &its), Load::start(&runtime, &limiter, &others));
    let_pass(Duration::from_secs(1));
    cluster.nodes.pop().unwrap().kill_9().unwrap();
    let_pass(Duration::from_secs(3));
    assert_eq!(ask_few(1), [1; 3], "the next owner decides");
    let back = cluster.start_node(2, &cluster.etcd.url()).unwrap();
    cluster.nodes.push(back);
    let since = Since::now();
    wait_for_owners(&runtime, &limiter, &its);
    println!("back {:?} after the start", since.elapsed());
    let_pass(Duration::from_millis(500));
    let (its, others) = (load.stop(&runtime), calm.stop(&runtime));
    // Asked for beside the load to see the owner come back.
    let its: Vec<_> = its.into_iter().map(|(client, account)| (client, with_unknown(&account, 1_000))).collect();
    judge(&runtime, &limiter, &its, &others);
    assert_eq!(ask_few(20), [11; 3], "exactly what was left");
}

fn with_unknown(account: &Account, more: u64) -> Account {
    Account { unknown: account.unknown + more, ..account.clone() }
}

#[test]
fn a_node_that_stalls_costs_its_clients_one_deadline_and_goes_on_where_it_was() {
    let Some(cluster) = Cluster::start(&[]).unwrap() else { return };
    let runtime = Runtime::new().unwrap();
    let limiter = connect(&cluster, &runtime);
    let (its, others) = (clients_of(&cluster, "n3"), [clients_of(&cluster, "n1"), clients_of(&cluster, "n2")].concat());
    put_classes(&cluster, &runtime, &limiter, &[&its[..], &others].concat());
    cluster.in_sync().unwrap();
    let (load, calm) = (Load::start(&runtime, &limiter, &its), Load::start(&runtime, &limiter, &others));
    let_pass(Duration::from_millis(500));
    cluster.nodes[2].pause().unwrap();
    let_pass(Duration::from_millis(2_500));
    cluster.nodes[2].signal("CONT").unwrap();
    let since = Since::now();
    wait_for_owners(&runtime, &limiter, &its);
    println!("goes on {:?} after SIGCONT", since.elapsed());
    let (its, others) = (load.stop(&runtime), calm.stop(&runtime));
    let its: Vec<_> = its.into_iter().map(|(client, account)| (client, with_unknown(&account, 1_000))).collect();
    judge(&runtime, &limiter, &its, &others);
}

/// One node behind a proxy, which everybody else is told to use.
fn behind_a_proxy(runtime: &Runtime, work: &tempfile::TempDir) -> Option<(Server, Proxy, Node)> {
    let etcd = Server::start(&[]).unwrap()?;
    let proxy = runtime.block_on(Proxy::listen()).unwrap();
    let (url, address) = (etcd.url(), proxy.address().to_string());
    let flags = ["--etcd", &url, "--node-id", "n1", "--advertise", &address];
    let node = Node::start(&work.path().join("n1"), &flags).unwrap();
    proxy.forward_to(node.address("grpc").unwrap().port());
    etcd.etcdctl(&["put", "/drl/default/limits/default/default", &hourly(10)]).unwrap();
    Some((etcd, proxy, node))
}

#[test]
fn a_check_whose_answer_was_lost_is_asked_again_and_charged_once() {
    let (runtime, work) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
    let Some((_etcd, proxy, node)) = behind_a_proxy(&runtime, &work) else { return };
    let limiter = runtime.block_on(RateLimiter::connect([proxy.address().to_string()])).unwrap();
    let limiter = limiter.within(SOON).strict();
    let alice = "alice".to_owned();
    runtime.block_on(in_force(&limiter, std::slice::from_ref(&alice), 10)).unwrap();
    assert_eq!(runtime.block_on(limiter.check(request(&alice))).unwrap().remaining, 9);
    for (round, checks) in [1, 1, 3].into_iter().enumerate() {
        let before = runtime.block_on(used(&limiter, &alice)).unwrap();
        let decided = || node.metric("drl_decisions_total{outcome=\"allowed\"}");
        let count = decided().unwrap();
        let opened = proxy.opened();
        proxy.lose_replies();
        let asked = runtime.spawn({
            let limiter = limiter.clone();
            async move { limiter.check_batch(&vec![request("alice"); checks]).await }
        });
        eventually("the node has decided", SOON, || Ok((decided()? >= count + checks as u64).then_some(()))).unwrap();
        assert!(!asked.is_finished(), "the answer was lost");
        proxy.cut();
        let decisions = runtime.block_on(asked).unwrap();
        let remaining: Vec<u64> = decisions.into_iter().map(|decision| decision.unwrap().remaining).collect();
        let expected: Vec<u64> = (1..=checks as u64).map(|nth| 10 - before - nth).collect();
        assert_eq!(remaining, expected, "round {round}: the answers are those that were lost");
        assert_eq!(runtime.block_on(used(&limiter, &alice)).unwrap(), before + checks as u64, "charged once");
        assert!(proxy.opened() > opened, "it was asked again over another connection");
    }
}

#[test]
fn a_runtime_that_ends_fails_what_is_under_way_and_what_comes_after() {
    let (runtime, work) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
    let Some((_etcd, proxy, _node)) = behind_a_proxy(&runtime, &work) else { return };
    let short_lived = Runtime::new().unwrap();
    let limiter = short_lived.block_on(RateLimiter::connect([proxy.address().to_string()])).unwrap().within(SOON);
    let alice = "alice".to_owned();
    short_lived.block_on(in_force(&limiter, std::slice::from_ref(&alice), 10)).unwrap();
    proxy.freeze();
    let since = Since::now();
    let threads: Vec<_> = [limiter.blocking(), limiter.strict().blocking()]
        .map(|limiter| std::thread::spawn(move || limiter.check(request("alice"))))
        .into();
    let_pass(Duration::from_millis(200));
    assert!(threads.iter().all(|thread| !thread.is_finished()), "they wait");
    short_lived.shutdown_background();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Err(CheckError::Closed));
    }
    assert_eq!(limiter.blocking().check(request("alice")), Err(CheckError::Closed));
    assert!(!limiter.blocking().allow_request("alice"));
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
}
