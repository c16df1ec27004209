//! Three nodes in one process and the hand that tells them what they own: no coordination service, no rules of ownership.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drl_core::{ClientId, Epoch, Generation, IdentityKey, LimitKey, Namespace, Nanos, NodeId, ShardCount, ShardId};
use drl_engine::ownership::{Closed, Holder, Origin, ShardClock};
use drl_host::{Cluster, Host, Ownership};
use drl_node::{
    Addresses, ClusterOptions, Member, NodeAddresses, PlacedNode, Placement, Refused, Seat, Session, Standing, Wait,
};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::{Running, options, start_with};

pub(super) const NODES: usize = 3;

/// Shorter than the time after which a stopping node closes connections.
const DRAIN: Duration = Duration::from_secs(20);

/// Few, so that each node owns some and every test can say which.
const SHARDS: u16 = 6;

pub(super) struct Trio {
    nodes: Vec<Option<Running>>,
    /// One for each node: ending it ends the node in the middle of everything.
    runtimes: Vec<Option<Runtime>>,
    members: Vec<Arc<Puppet>>,
    placement: watch::Sender<Arc<Placement>>,
    _dirs: Vec<TempDir>,
}

/// A member that does what it is told.
struct Puppet {
    placement: watch::Receiver<Arc<Placement>>,
    ownership: Mutex<Option<Ownership>>,
    standing: Mutex<Standing>,
    is_draining: AtomicBool,
}

impl Member for Puppet {
    fn start_draining(&self) -> Wait<'_, Result<(), Refused>> {
        self.is_draining.store(true, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }

    fn stop_draining(&self) -> Wait<'_, Result<(), Refused>> {
        self.is_draining.store(false, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }

    fn placement(&self) -> watch::Receiver<Arc<Placement>> {
        self.placement.clone()
    }

    fn join(&self, _: &Host, ownership: Ownership, _: Addresses) {
        *self.ownership.lock().unwrap() = Some(ownership);
    }

    fn standing(&self) -> Standing {
        self.standing.lock().unwrap().clone()
    }
}

pub(super) fn id(node: usize) -> NodeId {
    NodeId::new(&format!("n{node}")).unwrap()
}

fn holder(node: usize) -> Holder {
    Holder { node: id(node), generation: Generation(1) }
}

/// The shard of a client of `DRL.ALLOW`.
pub(super) fn shard(client: &str) -> ShardId {
    let key = LimitKey::new(Namespace::DEFAULT, ClientId::new(client.as_bytes()).unwrap());
    key.shard(ShardCount::new(SHARDS.into()).unwrap())
}

/// The node that owns a client's shard in the beginning.
pub(super) fn owner(client: &str) -> usize {
    usize::from(shard(client).get()) % NODES
}

/// A client of `node`, and others.
pub(super) fn clients_of(node: usize) -> impl Iterator<Item = String> {
    (0..).map(|number| format!("client-{number}")).filter(move |client| owner(client) == node)
}

impl Trio {
    /// Three nodes that own every third shard each, under epoch 1, and know of each other.
    pub(super) async fn start() -> Self {
        let (placement, known) = watch::channel(Arc::new(Placement::default()));
        let (mut nodes, mut runtimes, mut members, mut dirs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for node in 0..NODES {
            let dir = TempDir::new().unwrap();
            let standing = Standing {
                session: Session::Held,
                authority_left: Nanos::from_secs(60),
                shards_owned: 2,
                shards_answering: 2,
                ..Standing::default()
            };
            let member = Arc::new(Puppet {
                placement: known.clone(),
                ownership: Mutex::default(),
                standing: Mutex::new(standing),
                is_draining: AtomicBool::new(false),
            });
            let cluster = Cluster { name: "trio".to_owned(), identity: IdentityKey::from_bytes(*b"0123456789abcdef") };
            let mut options = options(dir.path());
            options.node_id = id(node);
            options.shards = ShardCount::new(SHARDS.into()).unwrap();
            options.cluster = Some(ClusterOptions { cluster, member: member.clone() });
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            nodes.push(Some(runtime.spawn(start_with(options)).await.unwrap()));
            runtimes.push(Some(runtime));
            members.push(member);
            dirs.push(dir);
        }
        let trio = Self { nodes, runtimes, members, placement, _dirs: dirs };
        trio.publish();
        for shard in (0..SHARDS).map(ShardId::new) {
            trio.assign(shard, usize::from(shard.get()) % NODES, 1);
        }
        for member in 0..NODES {
            trio.ownership(member, |ownership| ownership.set_deadline(Nanos::MAX).unwrap());
        }
        trio
    }

    fn publish(&self) {
        let placed = self.nodes.iter().enumerate().filter_map(|(node, running)| {
            let addresses = running.as_ref()?.addresses;
            let addresses = NodeAddresses { grpc: addresses.grpc.to_string(), ..NodeAddresses::default() };
            let placed =
                PlacedNode { generation: Generation(1), addresses, version: "test".to_owned(), draining: false };
            Some((id(node), placed))
        });
        let nodes: BTreeMap<_, _> = placed.collect();
        let seat = |shard: u16| {
            Some(Seat {
                epoch: Epoch(1),
                owner: holder(usize::from(shard) % NODES),
                follower: None,
                in_sync: false,
                cold: false,
            })
        };
        self.placement.send_replace(Arc::new(Placement { revision: 1, seats: (0..SHARDS).map(seat).collect(), nodes }));
    }

    /// Publishes that `node` owns a shard since `epoch`; nobody is told to act by it.
    pub(super) fn publish_owner(&self, shard: usize, node: usize, epoch: u64) {
        let mut placement = Placement::clone(&self.placement.borrow());
        placement.revision += 1;
        placement.seats[shard] =
            Some(Seat { epoch: Epoch(epoch), owner: holder(node), follower: None, in_sync: false, cold: false });
        self.placement.send_replace(Arc::new(placement));
    }

    /// Publishes where a node is, or that it has no session. Nobody's records change.
    pub(super) fn publish_address(&self, node: usize, address: Option<String>) {
        let mut placement = Placement::clone(&self.placement.borrow());
        placement.revision += 1;
        let addresses = address.map(|grpc| NodeAddresses { grpc, ..NodeAddresses::default() });
        match addresses {
            Some(addresses) => {
                let placed =
                    PlacedNode { generation: Generation(1), addresses, version: "test".to_owned(), draining: false };
                placement.nodes.insert(id(node), placed);
            }
            None => drop(placement.nodes.remove(&id(node))),
        }
        self.placement.send_replace(Arc::new(placement));
    }

    /// Changes how a node stands.
    pub(super) fn stand(&self, member: usize, change: impl FnOnce(&mut Standing)) {
        change(&mut self.members[member].standing.lock().unwrap());
    }

    /// Whether an operator wants a node to give away what it has.
    pub(super) fn is_draining(&self, member: usize) -> bool {
        self.members[member].is_draining.load(Ordering::SeqCst)
    }

    /// Tells all nodes that `node` owns a shard since `epoch`.
    pub(super) fn assign(&self, shard: ShardId, node: usize, epoch: u64) {
        for member in 0..NODES {
            self.tell(member, shard, node, epoch);
        }
    }

    /// Tells one node that `node` owns a shard since `epoch`.
    pub(super) fn tell(&self, member: usize, shard: ShardId, node: usize, epoch: u64) {
        let epoch = Epoch(epoch);
        self.ownership(member, |ownership| {
            if member == node {
                let now = ownership.now();
                let clock = ShardClock::starting(now.wall, now);
                ownership.activate(shard, epoch, Origin::Empty, clock).unwrap();
            } else {
                ownership.close(shard, Closed::NotOwner { epoch, owner: holder(node) }).unwrap();
            }
        });
    }

    pub(super) fn ownership<T>(&self, member: usize, act: impl FnOnce(&Ownership) -> T) -> T {
        act(self.members[member].ownership.lock().unwrap().as_ref().unwrap())
    }

    pub(super) fn node(&self, node: usize) -> &Running {
        self.nodes[node].as_ref().unwrap()
    }

    /// Sets the default policy on every node.
    pub(super) async fn set_default(&self, json: &str) {
        for node in self.nodes.iter().flatten() {
            node.set_default(json).await;
        }
    }

    /// Ends a node in the middle of everything; its address refuses connections afterwards.
    pub(super) async fn kill(&mut self, node: usize) {
        let address = self.nodes[node].take().unwrap().addresses.grpc;
        self.runtimes[node].take().unwrap().shutdown_background();
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Stops all nodes, which takes none of them the time that a drain may take at most.
    pub(super) async fn stop(self) {
        let nodes = self.nodes.into_iter().flatten();
        let stopping = async {
            for node in nodes {
                node.stop().await;
            }
        };
        timeout(DRAIN, stopping).await.unwrap();
        self.runtimes.into_iter().flatten().for_each(Runtime::shutdown_background);
    }
}
