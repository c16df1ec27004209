//! A standalone node: a data directory, a host over it, and the doors in front. It starts in the order in which things depend on each
//! other and stops in the reverse one: doors first, then the journal.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use drl_core::NodeId;
use drl_host::{Host, HostOptions, Letters, Ownership, boot_id};
use drl_membership::Departure;
use drl_store::{OpenOptions, RocksStore, Store};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::cluster::{ClusterOptions, Member};
use crate::entrance::Entrance;
use crate::error::{RunError, StartError};
use crate::files;
use crate::forward::Forwarder;
use crate::grpc::door::GrpcDoor;
use crate::grpc::replication::Letterbox;
use crate::http::door::HttpDoor;
use crate::http::routes::Shared;
use crate::joining::{self, Joining};
use crate::judge::{Judge, Routes};
use crate::listen::{Addresses, Bound, bind};
use crate::metrics::{Door, Metrics, Replicated};
use crate::options::NodeOptions;
use crate::places::Places;
use crate::policies::{Policies, StoredPolicies};
use crate::replication::{Replication, Sending};
use crate::resp::door::RespDoor;
use crate::surroundings::Surroundings;

/// How long the last commit and the sync of the journal may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long ending the session may take; it ends by itself a little later.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);

/// A started node; its addresses are open, and [`Node::run`] serves them.
pub struct Node {
    host: Host,
    member: Option<Arc<dyn Member>>,
    /// It ends with the node: it holds the host, and the host its letters.
    replication: Option<Replication>,
    addresses: Addresses,
    grpc: GrpcDoor,
    http: HttpDoor,
    resp: Option<RespDoor>,
    drain_timeout: Duration,
}

/// The addresses that are ours and not open yet.
struct Sockets {
    grpc: Bound,
    http: Bound,
    resp: Option<Bound>,
}

/// The open listeners, in the order of the flags.
struct Listeners {
    grpc: TcpListener,
    http: TcpListener,
    resp: Option<TcpListener>,
}

impl Node {
    /// Opens the data directory, recovers the counters, loads the policies and listens.
    ///
    /// # Errors
    /// [`StartError`]; each condition has its variant, and each message says what to do.
    pub async fn start(mut options: NodeOptions) -> Result<Self, StartError> {
        let [grpc_places, http_places, resp_places] = Places::among(files::connections(3));
        let boot_id = boot_id().map_err(|source| StartError::BootId { source })?;
        let sockets = bind_all(&options)?;
        let store = open_store(&options, &boot_id).await?;
        let joining = join(&mut options, &store).await?;
        let host_options = HostOptions {
            journal_sync: options.journal_sync,
            unknown_client: options.unknown_client,
            shards: options.shards,
            doors: Some(Handle::current()),
            ..HostOptions::new(boot_id)
        };
        let cluster = options.cluster.clone();
        let policies = joining.as_ref().map(|joining| joining.policies.clone());
        let recover = move || recover(store, policies, host_options, cluster.as_ref());
        let (host, mut ownership, policies) = blocking(recover).await?;
        if let Some(joining) = &joining {
            joining.recovered(&host);
        }
        let (listeners, addresses) = sockets.listen()?;
        let metrics = Arc::new(Metrics::new());
        let letters = ownership.as_mut().and_then(Ownership::take_letters);
        let post = options
            .cluster
            .as_ref()
            .zip(letters)
            .map(|(of, letters)| replicate(of, &options.node_id, letters, &host, metrics.replicated()));
        let (letterbox, replication) = post.transpose()?.unzip();
        if let (Some(of), Some(ownership)) = (&options.cluster, ownership) {
            of.member.join(&host, ownership, addresses);
        }
        let surroundings = Surroundings::of(&options, addresses);
        let routes = options.cluster.as_ref().map_or(Routes::Alone, |of| {
            let name = Arc::from(of.cluster.name.as_str());
            Routes::Cluster(Forwarder::new(name, options.node_id.clone(), of.member.placement()))
        });
        let judge = Judge::new(host.clone(), Arc::clone(&metrics), routes);
        let entrance = |listener, places, door| Entrance::new(listener, places, door, Arc::clone(&metrics));
        let grpc_entrance = entrance(listeners.grpc, grpc_places, Door::Grpc);
        let grpc = GrpcDoor::new(grpc_entrance, judge.clone(), policies.clone(), surroundings.clone(), letterbox);
        let resp = listeners.resp.map(|listener| {
            let entrance = entrance(listener, resp_places, Door::Resp);
            RespDoor::new(entrance, judge.clone(), options.default_durability)
        });
        let http_entrance = entrance(listeners.http, http_places, Door::Http);
        let http = HttpDoor::new(http_entrance, Shared { judge, policies, surroundings });
        let NodeOptions { node_id, data_dir, drain_timeout, cluster, .. } = options;
        let member = cluster.map(|of| of.member);
        tracing::info!(%node_id, data_dir = %data_dir.display(), ?addresses, counters = host.stats().counters, "node started");
        Ok(Self { host, member, replication, addresses, grpc, http, resp, drain_timeout })
    }

    /// Where the node really listens.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Serves until `shutdown` resolves, then gives away what others can take, takes no more connections, lets what has begun finish
    /// within the drain timeout, and closes the journal.
    ///
    /// # Errors
    /// [`RunError::Stopped`] when a write failed: the node has stopped deciding, said so to everybody who asked, and shut its doors.
    /// [`RunError::CastOut`] when it may not answer for anything any more, [`RunError::StillNamed`] when it ended in order and others
    /// cannot have what it owns.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let Self { host, member, replication, grpc, http, resp, drain_timeout, .. } = self;
        let stop = CancellationToken::new();
        let mut doors = tokio::task::JoinSet::new();
        doors.spawn(grpc.run(stop.clone()));
        doors.spawn(http.run(stop.clone()));
        if let Some(resp) = resp {
            doors.spawn(resp.run(stop.clone()));
        }
        let end = tokio::select! {
            () = shutdown => leaving(member.as_deref(), drain_timeout).await,
            stopped = host.stopped() => {
                tracing::error!(reason = %stopped.reason, "the journal has stopped");
                Err(RunError::Stopped(stopped))
            }
            reason = cast_out(member.as_deref()) => Err(RunError::CastOut { reason }),
        };
        stop.cancel();
        let drained = timeout(drain_timeout, async { while doors.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(?drain_timeout, "requests were still in flight; their connections are closed");
            doors.shutdown().await;
        }
        // Nobody is answered any more. The session goes first, so that it does not take the end of the journal for a failure.
        if let Some(member) = member {
            member.leave(LEAVE_TIMEOUT).await;
        }
        if let Some(replication) = replication {
            replication.end(LEAVE_TIMEOUT).await;
        }
        let closed = match host.ready() {
            Ok(()) => close(&host).await,
            Err(stopped) => Err(stopped.into()),
        };
        closed.and(end)
    }
}

/// Opens the letterbox of a member, and begins to send its letters.
fn replicate(
    of: &ClusterOptions,
    me: &NodeId,
    letters: Letters,
    host: &Host,
    counts: &Arc<Replicated>,
) -> Result<(Arc<Letterbox>, Replication), StartError> {
    let cluster: Arc<str> = of.cluster.name.as_str().into();
    let letterbox = Letterbox::new((Arc::clone(&cluster), me.clone()), Arc::new(host.clone()), Arc::clone(counts));
    let replication = Replication::start(Sending {
        cluster,
        placement: of.member.placement(),
        outbox: letters,
        addressee: Arc::new(host.clone()),
        counts: Arc::clone(counts),
    });
    Ok((Arc::new(letterbox), replication.map_err(|source| StartError::Sending { source })?))
}

/// Gives away what others can take.
async fn leaving(member: Option<&dyn Member>, within: Duration) -> Result<(), RunError> {
    tracing::info!("stopping: finishing what has begun");
    let Some(member) = member else { return Ok(()) };
    let Departure { named, others } = member.drain(within).await;
    if named > 0 && others > 0 { Err(RunError::StillNamed { named }) } else { Ok(()) }
}

async fn cast_out(member: Option<&dyn Member>) -> String {
    match member {
        Some(member) => member.stopped().await,
        None => std::future::pending().await,
    }
}

async fn close(host: &Host) -> Result<(), RunError> {
    match timeout(CLOSE_TIMEOUT, host.close()).await {
        Ok(closed) => Ok(closed?),
        Err(_) => {
            let reason = format!("the journal could not be closed within {CLOSE_TIMEOUT:?}; the next start checks it");
            Err(RunError::Stopped(drl_host::Stopped { reason: reason.into() }))
        }
    }
}

/// Prepares to join, if that was asked for: from then on the cluster's settings are this node's.
async fn join(options: &mut NodeOptions, store: &Arc<dyn Store>) -> Result<Option<Joining>, StartError> {
    let Some(join) = options.join.take() else { return Ok(None) };
    let joining = joining::prepare(join, options.node_id.clone(), Arc::clone(store)).await?;
    options.shards = joining.settings.shards;
    options.unknown_client = joining.unknown_client();
    options.cluster = Some(ClusterOptions { cluster: joining.cluster.clone(), member: Arc::clone(&joining.member) });
    Ok(Some(joining))
}

async fn open_store(options: &NodeOptions, boot_id: &str) -> Result<Arc<dyn Store>, StartError> {
    let dir = options.data_dir.clone();
    let open = OpenOptions { node_id: options.node_id.clone(), boot_id: boot_id.to_owned() };
    blocking(move || Ok(Arc::new(RocksStore::open(&dir, open)?) as Arc<dyn Store>)).await
}

/// Policies first, so that the host never decides without them.
fn recover(
    store: Arc<dyn Store>,
    policies: Option<Policies>,
    options: HostOptions,
    cluster: Option<&ClusterOptions>,
) -> Result<(Host, Option<Ownership>, Policies), StartError> {
    let policies = match policies {
        Some(policies) => policies,
        None => {
            // A cluster's directory is refused before its policies are taken for broken ones.
            Host::check_alone(&*store)?;
            Policies::Stored(Arc::new(StoredPolicies::load(Arc::clone(&store))?))
        }
    };
    let (host, ownership) = match cluster {
        None => (Host::open(store, policies.service(), options)?, None),
        Some(of) => {
            let (host, ownership) = Host::open_member(store, policies.service(), options, &of.cluster)?;
            (host, Some(ownership))
        }
    };
    if let Policies::Stored(stored) = &policies {
        stored.stops(host.stopper());
    }
    Ok((host, ownership, policies))
}

/// Takes the addresses, in the order of the flags.
fn bind_all(options: &NodeOptions) -> Result<Sockets, StartError> {
    Ok(Sockets {
        grpc: bind("--listen", options.listen)?,
        http: bind("--http-listen", options.http_listen)?,
        resp: options.resp_listen.map(|address| bind("--resp-listen", address)).transpose()?,
    })
}

impl Sockets {
    fn listen(self) -> Result<(Listeners, Addresses), StartError> {
        let (grpc, grpc_address) = self.grpc.listen()?;
        let (http, http_address) = self.http.listen()?;
        let (resp, resp_address) = self.resp.map(Bound::listen).transpose()?.unzip();
        let addresses = Addresses { grpc: grpc_address, http: http_address, resp: resp_address };
        Ok((Listeners { grpc, http, resp }, addresses))
    }
}

/// Runs what blocks on the disk beside the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StartError> + Send + 'static,
) -> Result<T, StartError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(interrupted) => Err(StartError::Interrupted { reason: interrupted.to_string() }),
    }
}
