//! The world that is tortured: etcd, nodes, and whatever they are put behind, into or onto so that it can be broken. Everything ends with it.

mod plan;
mod waiting;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use drl_client::{Connect, RateLimiter};
use drl_test_etcd::{Proxy, Server};
use drl_tests::disk::SmallDisk;
use drl_tests::load::Chance;
use drl_tests::node::{Node, built, drl_binary};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::clients::policies;
use crate::clocks::Clocks;
use crate::disks::LossyDisk;
use crate::fault::Begun;
use crate::load::Doors;
use crate::network::{HUB, Network};
use crate::room::Room;

pub(crate) use self::plan::{Disks, Net, Plan};

/// A node's place.
pub(crate) struct Seat {
    pub node: Option<Node>,
    /// Where it listens, from its first start on: clients that know nobody else find it there again.
    pub ports: [u16; 3],
    pub proxy: Option<Proxy>,
    pub room: Option<Room>,
    pub disk: Option<SmallDisk>,
}

/// How a fault begins that knows more than a seed.
pub(crate) type Planned = Box<dyn FnOnce(&mut World, &mut Chance) -> Result<Begun>>;

pub(crate) struct World {
    pub plan: Plan,
    // Nodes end before what they use.
    pub seats: Vec<Seat>,
    pub etcd: Vec<Server>,
    pub etcd_disks: Vec<SmallDisk>,
    pub network: Option<Network>,
    pub clocks: Option<Clocks>,
    pub doors: Doors,
    /// A fault that was planned beforehand, for when its turn comes.
    pub next: Option<Planned>,
    pub runtime: Runtime,
    pub lossy_disks: Vec<LossyDisk>,
    work: TempDir,
}

impl World {
    /// Starts everything. `None` where there is no etcd.
    ///
    /// # Errors
    /// Something does not start.
    pub(crate) fn start(plan: Plan) -> Result<Option<Self>> {
        let (runtime, work) = (Runtime::new()?, tempfile::tempdir()?);
        let network = (plan.net == Net::Namespaces).then(|| Network::build(plan.nodes)).transpose()?;
        let host = if network.is_some() { HUB } else { "127.0.0.1" };
        let disks = Mutex::new(Vec::new());
        let prepare = |directory: &Path| {
            if plan.disks == Disks::SmallOfEtcd {
                let disk = SmallDisk::mount(&directory.join("data"), 300)?.context("nothing may be mounted")?;
                disks.lock().unwrap_or_else(PoisonError::into_inner).push(disk);
            }
            Ok(())
        };
        let etcd_flags: Vec<&str> = plan.etcd_flags.iter().map(String::as_str).collect();
        let Some(etcd) = Server::start_members(plan.etcd, host, &etcd_flags, prepare)? else { return Ok(None) };
        let clocks = plan.has_clocks.then(|| Clocks::new(work.path(), plan.nodes)).transpose()?;
        let doors = Arc::new(Mutex::new(vec![None; plan.nodes]));
        let etcd_disks = disks.into_inner().unwrap_or_else(PoisonError::into_inner);
        let seats = Vec::new();
        let (next, lossy_disks) = (None, Vec::new());
        let mut world =
            Self { plan, seats, etcd, etcd_disks, network, clocks, doors, next, runtime, lossy_disks, work };
        for index in 0..world.plan.nodes {
            if world.plan.disks == Disks::Lossy {
                let (image, at) = (world.work.path().join(format!("image-{index}")), world.disk(index));
                world.lossy_disks.push(LossyDisk::mount(&image, &at)?);
            }
            let seat = world.seat(index)?;
            world.seats.push(seat);
            world.start_node(index)?;
        }
        for (place, value) in policies() {
            world.etcd[0].etcdctl(&["put", &format!("/drl/default/limits/default/{place}"), &value])?;
        }
        world.whole()?;
        Ok(Some(world))
    }

    fn seat(&self, index: usize) -> Result<Seat> {
        let is_behind_proxy = self.plan.net == Net::Proxies;
        let proxy = is_behind_proxy.then(|| self.runtime.block_on(Proxy::listen())).transpose()?;
        let room = self.plan.has_rooms.then(|| Room::build(index)).transpose()?;
        let has_small_disk = self.plan.disks == Disks::SmallOfNodes;
        let disk = has_small_disk.then(|| SmallDisk::mount(&self.directory(index), 128)).transpose()?.flatten();
        Ok(Seat { node: None, ports: [0; 3], proxy, room, disk })
    }

    #[must_use]
    pub(crate) fn directory(&self, index: usize) -> PathBuf {
        match self.plan.disks {
            Disks::Lossy => self.disk(index).join("data"),
            _ => self.work.path().join(format!("n{}", index + 1)),
        }
    }

    fn disk(&self, index: usize) -> PathBuf {
        self.work.path().join(format!("disk-{}", index + 1))
    }

    /// Puts the logs of all nodes where they outlive this.
    ///
    /// # Errors
    /// They cannot be copied.
    pub(crate) fn keep_logs(&self) -> Result<PathBuf> {
        let kept = tempfile::Builder::new().prefix("drl-torture-logs-").tempdir()?.keep();
        for index in 0..self.seats.len() {
            let log = self.directory(index).with_extension("log");
            if log.exists() {
                std::fs::copy(log, kept.join(format!("n{}.log", index + 1)))?;
            }
        }
        Ok(kept)
    }

    #[must_use]
    pub(crate) fn work(&self) -> &Path {
        self.work.path()
    }

    /// Where a node that was built with faults is told what to do.
    #[must_use]
    pub(crate) fn fault_file(&self, index: usize) -> PathBuf {
        self.work.path().join(format!("fault-{}", index + 1))
    }

    /// Starts a node, again, on its directory.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start_node(&mut self, index: usize) -> Result<()> {
        let host = self.network.as_ref().map_or("127.0.0.1", |network| network.address(index)).to_owned();
        let (id, urls) = (format!("n{}", index + 1), self.etcd_urls());
        let mut flags = vec!["--etcd", &urls, "--node-id", &id];
        let advertised = self.seats[index].proxy.as_ref().map(|proxy| proxy.address().to_string());
        flags.extend(advertised.iter().flat_map(|address| ["--advertise", address]));
        flags.extend(self.plan.flags.iter().map(String::as_str));
        let host: IpAddr = host.parse()?;
        let doors = self.seats[index].ports.map(|port| SocketAddr::new(host, port));
        let node = Node::launch(self.command(index)?, doors, &self.directory(index), &flags)?;
        let seat = &mut self.seats[index];
        for (port, door) in seat.ports.iter_mut().zip(["grpc", "http", "resp"]) {
            *port = node.address(door)?.port();
        }
        if let Some(proxy) = &seat.proxy {
            proxy.forward_to_address(node.address("grpc")?);
        }
        if let Some(room) = &seat.room {
            room.admit(node.pid())?;
        }
        self.open_door(index, Some(node.address("resp")?));
        self.seats[index].node = Some(node);
        Ok(())
    }

    fn command(&self, index: usize) -> Result<Command> {
        let program = match &self.plan.program {
            None => drl_binary()?,
            Some(name) => built(name).with_context(|| format!("{name} was not built"))?,
        };
        let mut words = self.network.as_ref().map(|network| network.prefix(index)).unwrap_or_default();
        words.extend(self.clocks.iter().flat_map(|_| Clocks::prefix(index)));
        words.push(program.to_string_lossy().into_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        if let Some(clocks) = &self.clocks {
            clocks.preload(index, &mut command);
        }
        command.envs(self.plan.environment.iter().cloned()).env("DRL_FAULT_FILE", self.fault_file(index));
        Ok(command)
    }

    fn open_door(&self, index: usize, door: Option<SocketAddr>) {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)[index] = door;
    }

    fn etcd_urls(&self) -> String {
        self.etcd.iter().map(Server::url).collect::<Vec<_>>().join(",")
    }

    /// SIGKILL of a node, if it runs.
    ///
    /// # Errors
    /// It could not be waited for.
    pub(crate) fn kill(&mut self, index: usize) -> Result<()> {
        self.open_door(index, None);
        self.seats[index].node.take().map_or(Ok(()), Node::kill_9)
    }

    /// SIGTERM of a node, and waits for its end.
    ///
    /// # Errors
    /// It did not end well.
    pub(crate) fn terminate(&mut self, index: usize) -> Result<()> {
        let Some(node) = self.seats[index].node.take() else { return Ok(()) };
        let status = node.terminate()?;
        self.open_door(index, None);
        ensure!(status.success(), "a node that was told to stop ended with {status}");
        Ok(())
    }

    /// # Errors
    /// The signal was not sent.
    pub(crate) fn signal(&self, index: usize, name: &str) -> Result<()> {
        self.seats[index].node.as_ref().map_or(Ok(()), |node| node.signal(name))
    }

    /// Starts every node that does not run, also those that ended by themselves. How many there were.
    ///
    /// # Errors
    /// One does not start.
    pub(crate) fn start_missing(&mut self) -> Result<usize> {
        let mut started = 0;
        for index in 0..self.seats.len() {
            if self.has_ended(index)?.is_some() {
                self.kill(index)?;
                self.start_node(index)?;
                started += 1;
            }
        }
        Ok(started)
    }

    /// A limiter that asks these nodes.
    ///
    /// # Errors
    /// None of them answers.
    pub(crate) fn limiter(&self) -> Result<RateLimiter> {
        let mut endpoints = Vec::new();
        for seat in &self.seats {
            let Some(node) = &seat.node else { continue };
            let address = seat.proxy.as_ref().map_or_else(|| node.address("grpc"), |proxy| Ok(proxy.address()))?;
            endpoints.push(address.to_string());
        }
        Ok(self.runtime.block_on(Connect::new(endpoints).connect_within(Duration::from_secs(20)).connect())?)
    }

    /// What a node takes of memory, in MiB.
    ///
    /// # Errors
    /// It does not run.
    pub(crate) fn resident(&self, index: usize) -> Result<u64> {
        let node = self.seats[index].node.as_ref().context("the node does not run")?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.split_whitespace().next().context("no number")?.parse::<u64>()? / 1_024)
    }

    /// Ports at which nodes ask etcd.
    #[must_use]
    pub(crate) fn etcd_ports(&self) -> Vec<u16> {
        self.etcd.iter().map(Server::client_port).collect()
    }
}
