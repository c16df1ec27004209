//! Why a node does not start, and why it stops.

use std::net::SocketAddr;

use drl_host::Stopped;

use crate::policies::LoadError;

/// A node that did not start. Every message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory is in use, of another node, of another format, not writable, ...
    #[error(transparent)]
    Directory(#[from] drl_store::OpenError),
    /// The journal cannot be read, or the directory was made for another number of shards.
    #[error(transparent)]
    Host(#[from] drl_host::OpenError),
    #[error(transparent)]
    Policies(#[from] LoadError),
    #[error("{address} is in use by another program; stop that program or choose another address with {flag}")]
    AddressInUse { flag: &'static str, address: SocketAddr },
    #[error("may not listen on {address}; ports below 1024 need privileges: choose another one with {flag}")]
    AddressForbidden { flag: &'static str, address: SocketAddr },
    #[error("cannot listen on {address}: {source}; choose an address of this machine with {flag}")]
    Listen { flag: &'static str, address: SocketAddr, source: std::io::Error },
    #[error("cannot read this machine's boot id from /proc/sys/kernel/random/boot_id: {source}; is /proc mounted?")]
    BootId { source: std::io::Error },
    /// The cluster's settings are not what was asked for, or its etcd refuses.
    #[error(transparent)]
    Settings(drl_membership::SettingsError),
    #[error(transparent)]
    ClusterPolicies(#[from] drl_policies::StartError),
    #[error(transparent)]
    Session(#[from] drl_coordination::InvalidTtl),
    #[error(
        "cannot start the thread that sends to other nodes: {source}; is the limit of processes (ulimit -u) too low?"
    )]
    Sending { source: std::io::Error },
    /// A part of the start ended without a result; the program is at fault.
    #[error("the node's start was interrupted: {reason}")]
    Interrupted { reason: String },
}

/// A node that stopped, or did not stop in order.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A write failed, and nothing was decided after it.
    #[error("the node stopped: {}", .0.reason)]
    Stopped(#[from] Stopped),
    /// The node may not answer for anything any more.
    #[error("the node left its cluster: {reason}")]
    CastOut { reason: String },
    /// It ended in order, and others may not take over what it owns, or wait for what it has.
    #[error(
        "{named} shards still name this node: it could not give them away in time. Start it again with the same --data-dir; until then \
         clients of shards whose counters only it has are denied"
    )]
    StillNamed { named: usize },
}
