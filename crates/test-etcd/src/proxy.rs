//! A user-space TCP proxy that can misbehave as networks do: delay, stop forwarding without closing, lose replies, cut.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Which connections misbehave: those with numbers up to these. Numbers count from 1.
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    frozen: u64,
    deaf: u64,
    cut: u64,
    /// How long everything takes on every connection, both ways.
    delay: Duration,
}

pub struct Proxy {
    address: SocketAddr,
    target: watch::Sender<Option<SocketAddr>>,
    faults: watch::Sender<Faults>,
    opened: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of loopback, and forwards to `target_port` there.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(target_port: u16) -> Result<Self> {
        let proxy = Self::listen().await?;
        proxy.forward_to(target_port);
        Ok(proxy)
    }

    /// Listens on a free port of loopback, before it is known where to forward to: connections wait for [`Proxy::forward_to`].
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn listen() -> Result<Self> {
        Self::listen_on("127.0.0.1").await
    }

    /// As [`Proxy::listen`], on an address of this machine.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn listen_on(host: &str) -> Result<Self> {
        let listener = TcpListener::bind((host, 0)).await?;
        let address = listener.local_addr()?;
        let (faults, faults_reader) = watch::channel(Faults::default());
        let (opened_writer, opened) = watch::channel(0);
        let (target, target_reader) = watch::channel(None);
        let task = tokio::spawn(accept(listener, target_reader, faults_reader, opened_writer));
        Ok(Self { address, target, faults, opened, task })
    }

    /// New connections are forwarded to this port of loopback.
    pub fn forward_to(&self, port: u16) {
        self.forward_to_address(SocketAddr::from(([127, 0, 0, 1], port)));
    }

    /// New connections are forwarded there.
    pub fn forward_to_address(&self, address: SocketAddr) {
        self.target.send_replace(Some(address));
    }

    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops forwarding on every present connection, without closing any. New ones work.
    pub fn freeze(&self) {
        self.faults.send_modify(|faults| faults.frozen = *self.opened.borrow());
    }

    /// As [`Proxy::freeze`], and connections that are opened from now on are frozen too: nothing says that anything is wrong.
    pub fn freeze_all(&self) {
        self.faults.send_modify(|faults| faults.frozen = u64::MAX);
    }

    /// From now on everything takes so much longer, each way; zero: no longer.
    pub fn delay(&self, delay: Duration) {
        self.faults.send_modify(|faults| faults.delay = delay);
    }

    /// Forwards again what was frozen.
    pub fn thaw(&self) {
        self.faults.send_modify(|faults| faults.frozen = 0);
    }

    /// Loses whatever the server sends on the present connections. New ones work.
    pub fn lose_replies(&self) {
        self.faults.send_modify(|faults| faults.deaf = *self.opened.borrow());
    }

    /// Closes every present connection.
    pub fn cut(&self) {
        self.faults.send_modify(|faults| faults.cut = *self.opened.borrow());
    }

    /// Connections that were ever opened.
    #[must_use]
    pub fn opened(&self) -> u64 {
        *self.opened.borrow()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: watch::Receiver<Option<SocketAddr>>,
    faults: watch::Receiver<Faults>,
    opened: watch::Sender<u64>,
) {
    while let Ok((client, _)) = listener.accept().await {
        opened.send_modify(|opened| *opened += 1);
        tokio::spawn(forward(client, target.clone(), *opened.borrow(), faults.clone()));
    }
}

async fn forward(
    client: TcpStream,
    mut target: watch::Receiver<Option<SocketAddr>>,
    number: u64,
    mut faults: watch::Receiver<Faults>,
) {
    let Some(target) = target.wait_for(Option::is_some).await.ok().and_then(|target| *target) else { return };
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = copy(&mut from_client, &mut to_server, number, faults.clone(), |_| false);
    let replies = copy(&mut from_server, &mut to_client, number, faults.clone(), move |faults| number <= faults.deaf);
    tokio::select! {
        _ = faults.wait_for(|faults| number <= faults.cut) => {}
        () = requests => {}
        () = replies => {}
    }
}

async fn copy<R: AsyncReadExt + Unpin, W: AsyncWriteExt + Unpin>(
    from: &mut R,
    to: &mut W,
    number: u64,
    mut faults: watch::Receiver<Faults>,
    is_lost: impl Fn(&Faults) -> bool,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if faults.wait_for(|faults| number > faults.frozen).await.is_err() {
            return;
        }
        let delay = faults.borrow().delay;
        if !delay.is_zero() {
            let _ = timeout(delay, pending::<()>()).await;
        }
        if !is_lost(&faults.borrow()) && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
