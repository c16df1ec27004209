//! What only etcd can do wrong, on a real one: it dies, it is silent, it forgets, it refuses, it comes back from a backup.

mod access;
mod backups;
mod connections;
mod log;
mod outcomes;
mod restarts;
mod space;
mod tls;

use std::sync::Arc;

use anyhow::Result;
use drl_coordination::{Etcd, EtcdOptions, Key, Prefix};
use drl_test_etcd::Server;

/// Starts a server of the test's own, or ends the test where there is no etcd.
macro_rules! server {
    ($($extra:expr),*) => {
        match drl_test_etcd::Server::start(&[$($extra),*])? {
            Some(server) => server,
            None => return Ok(()),
        }
    };
}

use server;

async fn client(server: &Server) -> Result<Arc<Etcd>> {
    Ok(Arc::new(Etcd::new(crate::support::options(server)?).await?))
}

async fn client_at(url: &str) -> Result<Arc<Etcd>> {
    Ok(Arc::new(Etcd::new(EtcdOptions::new(url)?).await?))
}

fn key(name: &str) -> Key {
    Key::from(format!("/drl/test/{name}"))
}

fn prefix(name: &str) -> Prefix {
    Prefix::from(format!("/drl/test/{name}"))
}
