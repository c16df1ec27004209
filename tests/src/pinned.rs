//! Load on one node's RESP door: clients that know that node and no other, whatever becomes of it. While it stands still they are stuck.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::cluster::{Since, check, let_pass};
use crate::load::Account;
use crate::node::Node;
use crate::resp::Connection;
use crate::steady::Accounts;

/// One thread and one connection for each client.
pub struct Pinned {
    stop: Arc<AtomicBool>,
    threads: Vec<(String, JoinHandle<Account>)>,
}

impl Pinned {
    /// Asks for each client every so often, or as soon as the answer before is there.
    ///
    /// # Errors
    /// The node does not listen.
    pub fn start(node: &Node, clients: &[String], every: Duration) -> Result<Self> {
        let (address, stop) = (node.address("resp")?, Arc::new(AtomicBool::new(false)));
        let thread = |client: &String| {
            let (name, stop) = (client.clone(), Arc::clone(&stop));
            (client.clone(), std::thread::spawn(move || ask(address, &name, every, &stop)))
        };
        let threads = clients.iter().map(thread).collect();
        Ok(Self { stop, threads })
    }

    /// What came of it, by client.
    ///
    /// # Errors
    /// A thread panicked.
    pub fn stop(self) -> Result<Accounts> {
        self.stop.store(true, Ordering::Relaxed);
        let account = |(client, thread): (String, JoinHandle<Account>)| {
            let account = thread.join().map_err(|_| anyhow!("the thread of {client} panicked"))?;
            Ok((client, account))
        };
        Ok(Accounts(self.threads.into_iter().map(account).collect::<Result<_>>()?))
    }
}

fn ask(address: SocketAddr, client: &str, every: Duration, stop: &AtomicBool) -> Account {
    let (mut account, mut connection) = (Account::default(), None);
    while !stop.load(Ordering::Relaxed) {
        let_pass(every);
        let Some(open) = connection.take().or_else(|| Connection::open(address).ok()) else { continue };
        let (mut open, since) = (open, Since::now());
        match check(&mut open, client) {
            Ok(true) => account.granted += 1,
            Ok(false) => account.denied += 1,
            // An error, or a connection that broke: it may have been charged.
            Err(_) => {
                account.unknown += 1;
                continue;
            }
        }
        account.slowest = account.slowest.max(since.elapsed());
        connection = Some(open);
    }
    account
}
