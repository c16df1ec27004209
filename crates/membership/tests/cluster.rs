//! Several nodes over one embedded coordination, in one process: who owns what, and what is left after crashes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drl_configuration::{ConfigurationService, InMemory, Selector};
use drl_coordination::{ClusterId, ClusterName, Coordination, Embedded, Entry, Keys, Op, Txn};
use drl_core::{ClientId, Cost, Epoch, LimitKey, Namespace, NodeId, ShardCount};
use drl_engine::ownership::{Copies, Holder};
use drl_host::{Action, Ask, CheckError, Cluster, Host, HostOptions, Letters, NotHere, PolicyOf, clock};
use drl_limits::{Limit, Policy, PolicySpec};
use drl_membership::{ClusterSettings, MemberOptions, Membership, NodeAddresses, Placement, Standing, Wishes};
use drl_store::{Crash, MemoryStore};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);
const CALL: Duration = Duration::from_secs(2);

struct World {
    store: Embedded,
    keys: Keys,
    network: Network,
}

/// Carries letters between the hosts that run.
#[derive(Clone, Default)]
struct Network(Arc<Mutex<BTreeMap<NodeId, Host>>>);

impl Network {
    fn connect(&self, node: NodeId, host: Host, mut letters: Letters) {
        self.0.lock().unwrap().insert(node, host);
        let network = self.clone();
        tokio::spawn(async move {
            while let Some(letter) = letters.next().await {
                let host = network.0.lock().unwrap().get(&letter.to.node).cloned();
                if let Some(host) = host {
                    let _ = host.receive(letter);
                }
            }
        });
    }

    /// Nothing reaches a node any more.
    fn cut_off(&self, node: &NodeId) {
        self.0.lock().unwrap().remove(node);
    }

    /// A process is gone, and those that talk to it notice.
    fn hang_up(&self, gone: &Holder) {
        let left: Vec<Host> = self.0.lock().unwrap().values().cloned().collect();
        for host in left {
            host.is_refused(gone);
        }
    }
}

struct Node {
    host: Host,
    membership: Membership,
    disk: Arc<MemoryStore>,
    id: NodeId,
    network: Network,
}

impl World {
    fn new() -> Self {
        let store = Embedded::with_clock(ClusterId(7), clock::monotonic);
        Self { store, keys: Keys::new(&ClusterName::new("test").unwrap()), network: Network::default() }
    }

    async fn start(&self, name: &str, disk: Arc<MemoryStore>) -> Node {
        let coordination: Arc<dyn Coordination> = Arc::new(self.store.node());
        let wishes = Wishes { shards: Some(ShardCount::new(64).unwrap()), ..Wishes::default() };
        let settings = ClusterSettings::obtain(&*coordination, &self.keys, wishes, CALL).await.unwrap();
        let limits = vec![Limit::new(10, "1h".parse().unwrap()).unwrap()];
        let policy = Policy::new(PolicySpec { limits, ..PolicySpec::default() }).unwrap();
        let configuration = InMemory::new();
        configuration.set(Namespace::DEFAULT, Selector::Default, policy).unwrap();
        let options = HostOptions { shards: settings.shards, ..HostOptions::new("boot".to_owned()) };
        let cluster = Cluster { name: "test".to_owned(), identity: settings.identity };
        let policies = configuration.watch();
        let (host, mut ownership) =
            Host::open_member(disk.clone(), Arc::new(configuration), options, &cluster).unwrap();
        let id = NodeId::new(name).unwrap();
        self.network.connect(id.clone(), host.clone(), ownership.take_letters().unwrap());
        let options = MemberOptions {
            node: id.clone(),
            shards: settings.shards,
            authority: settings.authority,
            version: "0".to_owned(),
            copies: Copies::Two,
            within: CALL,
        };
        let membership = Membership::new(coordination, self.keys.clone(), options).unwrap();
        let addresses = NodeAddresses { grpc: format!("{name}:1"), ..NodeAddresses::default() };
        membership.join(ownership, addresses, policies);
        Node { host, membership, disk, id, network: self.network.clone() }
    }
}

impl Node {
    async fn until(&self, what: &str, holds: impl Fn(&Standing) -> bool) -> Standing {
        let mut standing = self.membership.standing();
        match timeout(SOON, standing.wait_for(|standing| holds(standing))).await {
            Ok(found) => found.unwrap().clone(),
            Err(elapsed) => panic!("{what}: {elapsed}, {:?}", self.membership.standing().borrow().clone()),
        }
    }

    async fn until_placed(&self, what: &str, holds: impl Fn(&Placement) -> bool) {
        let mut placement = self.membership.placement();
        if let Err(elapsed) = timeout(SOON, placement.wait_for(|placement| holds(placement))).await {
            panic!("{what}: {elapsed}, {:?}", self.membership.placement().borrow().clone());
        }
    }

    async fn check(&self, client: &str) -> Result<bool, CheckError> {
        let key = LimitKey::new(Namespace::DEFAULT, ClientId::new(client.as_bytes()).unwrap());
        let (policy, epoch) = (PolicyOf::Configured, Epoch(0));
        let decision = self.host.check(Ask { key, cost: Cost::ONE, action: Action::Charge, policy, epoch }).await?;
        Ok(decision.allowed)
    }

    /// kill -9: the session stays until it expires by itself, and nothing more is written.
    async fn kill_9(self) -> Arc<MemoryStore> {
        let generation = self.membership.standing().borrow().generation.expect("it has a session");
        let Self { host, membership, disk, id, network } = self;
        disk.crash(Crash::Process);
        network.cut_off(&id);
        drop((membership, host));
        // A process takes all of its threads along; here they end one after the other.
        let is_gone = async {
            while Arc::strong_count(&disk) > 1 {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, is_gone).await.expect("everything that belongs to the process ends");
        network.hang_up(&Holder { node: id, generation });
        disk.crash(Crash::Process);
        disk
    }
}

/// Asks every node until one owns the client's shard; how many were allowed.
async fn allowed(nodes: &[&Node], client: &str, checks: usize) -> usize {
    let mut allowed = 0;
    let mut left = checks;
    while left > 0 {
        let (mut answers, mut is_moving) = (Vec::new(), false);
        for node in nodes {
            match node.check(client).await {
                Ok(answer) => answers.push(answer),
                Err(CheckError::NotHere(NotHere::NotOwner { .. })) => {}
                // Its copy is about to go on with it into the next epoch.
                Err(CheckError::NotHere(NotHere::Moving { .. })) => is_moving = true,
                Err(error) => panic!("{error}"),
            }
        }
        if is_moving {
            assert_eq!(answers.len(), 0, "nobody else answers meanwhile");
            tokio::task::yield_now().await;
            continue;
        }
        assert_eq!(answers.len(), 1, "one owner answers, the others say who it is");
        allowed += usize::from(answers[0]);
        left -= 1;
    }
    allowed
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_join_share_what_nobody_has_used_and_kill_9_of_all_forgets_nothing() {
    let world = World::new();
    let one = world.start("n1", Arc::default()).await;
    one.until("the first node owns everything", |standing| standing.answering == 64).await;
    let two = world.start("n2", Arc::default()).await;
    let three = world.start("n3", Arc::default()).await;
    for node in [&one, &two, &three] {
        let is_share =
            |standing: &Standing| (19..=24).contains(&standing.answering) && standing.owned == standing.answering;
        node.until("a third each", is_share).await;
    }
    let nodes = [&one, &two, &three];
    for client in 0..12 {
        assert_eq!(allowed(&nodes, &client.to_string(), 6).await, 6);
    }
    let (one, two, three) = (one.kill_9().await, two.kill_9().await, three.kill_9().await);
    let (one, two, three) =
        (world.start("n1", one).await, world.start("n2", two).await, world.start("n3", three).await);
    for node in [&one, &two, &three] {
        node.until("everything is resumed", |standing| standing.answering >= 19).await;
    }
    for client in 0..12 {
        assert_eq!(allowed(&[&one, &two, &three], &client.to_string(), 10).await, 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_somebody_broke_or_deleted_is_put_back_by_its_owner() {
    let world = World::new();
    let node = world.start("n1", Arc::default()).await;
    node.until("it owns everything", |standing| standing.answering == 64).await;
    assert_eq!(allowed(&[&node], "alice", 10).await, 10);
    let [first, second] = [3, 4].map(|shard| world.keys.shard(drl_core::ShardId::new(shard)));
    let then = vec![
        Op::Put { key: first.clone(), value: b"{\"epoch\":".to_vec(), lease: None },
        Op::Delete { key: second.clone() },
    ];
    world.store.transact(Txn { then, ..Txn::default() }, CALL).await.unwrap();
    let are_back = async {
        loop {
            let reply = world.store.read(vec![first.clone(), second.clone()], CALL).await.unwrap();
            let is_back = |entry: &Option<Entry>| {
                let value = entry.as_ref().map(|entry| String::from_utf8_lossy(&entry.value).into_owned());
                value.is_some_and(|value| value.contains("\"epoch\":1,\"owner\":{\"node\":\"n1\""))
            };
            if reply.read.iter().all(is_back) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, are_back).await.expect("both records are put back");
    node.until("and nobody complains", |standing| standing.broken_keys.is_empty()).await;
    assert_eq!(allowed(&[&node], "alice", 1).await, 0, "nothing was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_under_the_same_name_gives_up_and_the_first_one_goes_on() {
    let world = World::new();
    let one = world.start("n1", Arc::default()).await;
    one.until("it owns everything", |standing| standing.answering == 64).await;
    let twin = world.start("n1", Arc::default()).await;
    let stopped = timeout(SOON, twin.membership.stopped()).await.unwrap();
    assert!(stopped.reason.contains("node id in use"), "{stopped}");
    assert_eq!(allowed(&[&one], "alice", 10).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_drains_gives_away_what_nobody_has_used() {
    let world = World::new();
    let (one, two) = (world.start("n1", Arc::default()).await, world.start("n2", Arc::default()).await);
    for node in [&one, &two] {
        node.until("half each", |standing| (29..=35).contains(&standing.answering)).await;
    }
    let departure = one.membership.drain(SOON).await.unwrap();
    assert_eq!((departure.named, departure.others), (0, 1));
    two.until("the other one has everything", |standing| standing.answering == 64).await;
    one.membership.leave(SOON).await;
    let gone = |placement: &Arc<Placement>| placement.nodes.len() == 1;
    timeout(SOON, two.membership.placement().wait_for(gone)).await.unwrap().unwrap();
}

fn is_in_sync(placement: &Placement) -> bool {
    placement.seats.iter().flatten().filter(|seat| seat.in_sync).count() == 64
}

/// Asks until somebody answers; how many were allowed.
async fn allowed_soon(nodes: &[&Node], client: &str, checks: usize) -> usize {
    let mut allowed = 0;
    for _ in 0..checks {
        let mut placement = nodes[0].membership.placement();
        let answered = async {
            loop {
                for node in nodes {
                    if let Ok(answer) = node.check(client).await {
                        return answer;
                    }
                }
                // A shard that moves is placed anew; one that only changes its copy is not said.
                let _ = timeout(Duration::from_millis(5), placement.changed()).await;
            }
        };
        allowed += usize::from(timeout(SOON, answered).await.expect("somebody answers"));
    }
    allowed
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_an_owner_costs_its_clients_nothing_but_a_moment() {
    let world = World::new();
    let one = world.start("n1", Arc::default()).await;
    let (two, three) = (world.start("n2", Arc::default()).await, world.start("n3", Arc::default()).await);
    one.until_placed("every shard has a copy", is_in_sync).await;
    for client in 0..24 {
        assert_eq!(allowed_soon(&[&one, &two, &three], &client.to_string(), 6).await, 6);
    }
    one.until_placed("and goes on having one", is_in_sync).await;
    one.kill_9().await;
    for client in 0..24 {
        assert_eq!(allowed_soon(&[&two, &three], &client.to_string(), 10).await, 4);
    }
    two.until_placed("the two that are left have copies of each other", is_in_sync).await;
    three.kill_9().await;
    for client in 24..36 {
        assert_eq!(allowed_soon(&[&two], &client.to_string(), 6).await, 6);
    }
    for client in 0..24 {
        assert_eq!(allowed_soon(&[&two], &client.to_string(), 2).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_can_be_replaced_by_a_new_one_with_an_empty_disk() {
    let world = World::new();
    let mut nodes = Vec::new();
    for name in ["n1", "n2", "n3"] {
        nodes.push(world.start(name, Arc::default()).await);
    }
    nodes[0].until_placed("every shard has a copy", is_in_sync).await;
    for client in 0..24 {
        assert_eq!(allowed_soon(&nodes.iter().collect::<Vec<_>>(), &client.to_string(), 4).await, 4);
    }
    for (at, name) in ["n4", "n5", "n6"].into_iter().enumerate() {
        nodes.push(world.start(name, Arc::default()).await);
        let leaves = nodes.remove(0);
        let departure = leaves.membership.drain(SOON).await.expect("it can give everything away");
        assert_eq!(departure.named, 0, "{at}");
        leaves.membership.leave(SOON).await;
        let id = leaves.id.clone();
        leaves.kill_9().await;
        let is_out = |placement: &Placement| is_in_sync(placement) && !placement.nodes.contains_key(&id);
        nodes[0].until_placed("every shard has a copy again", is_out).await;
        for client in 0..24 {
            assert_eq!(allowed_soon(&nodes.iter().collect::<Vec<_>>(), &client.to_string(), 1).await, 1, "{at}");
        }
    }
    for client in 0..24 {
        assert_eq!(allowed_soon(&nodes.iter().collect::<Vec<_>>(), &client.to_string(), 9).await, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_drained_goes_on_and_gets_its_share_again_with_every_counter() {
    let world = World::new();
    let one = world.start("n1", Arc::default()).await;
    let (two, three) = (world.start("n2", Arc::default()).await, world.start("n3", Arc::default()).await);
    let nodes = [&one, &two, &three];
    one.until_placed("every shard has a copy", is_in_sync).await;
    for client in 0..24 {
        assert_eq!(allowed_soon(&nodes, &client.to_string(), 6).await, 6);
    }
    for round in 0..2 {
        one.membership.start_draining().await;
        two.until_placed("nothing names it", |placement| placement.naming(&one.id) == 0 && is_in_sync(placement)).await;
        let again = one.membership.drain(SOON).await.expect("it has nothing");
        assert_eq!((again.named, again.others), (0, 2), "{round}");
        one.membership.stop_draining().await;
        let has_share = |placement: &Placement| {
            is_in_sync(placement) && placement.owned_by(&one.id) > 10 && !placement.nodes[&one.id].draining
        };
        two.until_placed("it has its share again", has_share).await;
        for client in 0..24 {
            assert_eq!(allowed_soon(&nodes, &client.to_string(), 1).await, 1, "{round}");
        }
    }
    for client in 0..24 {
        assert_eq!(allowed_soon(&nodes, &client.to_string(), 9).await, 2);
    }
    let moves = (0..64).flat_map(|shard| three.membership.moves(drl_core::ShardId::new(shard)));
    let told: Vec<String> = moves.map(|latest| latest.what.to_string()).collect();
    assert!(told.iter().any(|what| what == "n2 handed it over to n1, as planned"), "{told:?}");
    assert!(told.iter().any(|what| what.starts_with("the copy on n")), "{told:?}");
}
