//! The Redis protocol over a connection of its own: the commands of a call leave as one pipeline, and their replies are read in order.

mod replies;

use std::time::Duration;

use drl_core::Nanos;
use drl_core::caps::RESP_REPLY_BYTES_MAX;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::replies::{Reply, next};
use super::{Door, Line, OpenError, told_of};
use crate::asks::Asks;
use crate::told::{Told, Verdict};

/// The command that each check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RespCommand {
    /// `DRL.ALLOW client`: the configured policy decides.
    Allow,
    /// `CL.THROTTLE client requests-1 requests period`: the limit is in the command.
    Throttle { requests: u64, period: Nanos },
}

/// RESP tells no reason.
const UNTOLD: &str = "untold";

#[derive(Debug, Clone)]
pub(crate) struct RespDoor {
    pub(crate) address: String,
    pub(crate) command: RespCommand,
    pub(crate) timeout: Duration,
}

#[derive(Debug)]
pub(crate) struct RespLine {
    address: String,
    /// The command before the client, and behind it.
    before: String,
    behind: String,
    timeout: Duration,
    /// Opened anew after trouble.
    stream: Option<TcpStream>,
    commands: Vec<u8>,
    received: Vec<u8>,
}

impl Door for RespDoor {
    type Line = RespLine;

    /// Each line is a connection, whatever `lines` says: a pipeline has one owner.
    async fn open(&self, lines: usize) -> Result<Vec<RespLine>, OpenError> {
        let mut opened = Vec::new();
        for _ in 0..lines {
            let stream = match timeout(self.timeout, connect(&self.address)).await {
                Ok(stream) => stream.map_err(|error| OpenError::of_io(&self.address, &error))?,
                Err(_) => return Err(OpenError::Silent { address: self.address.clone(), within: self.timeout }),
            };
            opened.push(RespLine::new(self, stream));
        }
        Ok(opened)
    }
}

async fn connect(address: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl RespLine {
    fn new(door: &RespDoor, stream: TcpStream) -> Self {
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        let (before, behind) = match door.command {
            RespCommand::Allow => (format!("*2\r\n{}", bulk("DRL.ALLOW")), String::new()),
            RespCommand::Throttle { requests, period } => {
                let numbers = [requests.saturating_sub(1), requests, period.secs_ceil()];
                let behind = numbers.iter().map(|number| bulk(&number.to_string())).collect();
                (format!("*5\r\n{}", bulk("CL.THROTTLE")), behind)
            }
        };
        Self {
            address: door.address.clone(),
            before,
            behind,
            timeout: door.timeout,
            stream: Some(stream),
            commands: Vec::new(),
            received: Vec::new(),
        }
    }

    fn write_commands(&mut self, asks: &Asks) {
        self.commands.clear();
        let mut digits = itoa::Buffer::new();
        for id in asks.iter() {
            let length = digits.format(id.len()).as_bytes();
            for piece in [self.before.as_bytes(), b"$", length, b"\r\n", id, b"\r\n", self.behind.as_bytes()] {
                self.commands.extend_from_slice(piece);
            }
        }
    }

    /// Sends the commands and counts a reply for each. `missing` is how many replies have not come.
    async fn exchange(&mut self, told: &mut Told, missing: &mut usize) -> std::io::Result<()> {
        // What breaks off leaves no connection, whose next reply would be that of an earlier command.
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(&self.address).await?,
        };
        self.received.clear();
        let (mut reading, mut writing) = stream.split();
        let write = async { writing.write_all(&self.commands).await };
        let read = async {
            let mut read = 0;
            while *missing > 0 {
                match next(self.received.get(read..).unwrap_or_default())? {
                    Some((reply, bytes)) => {
                        tell(told, &reply);
                        *missing -= 1;
                        read += bytes;
                    }
                    None => {
                        self.received.drain(..read);
                        read = 0;
                        self.received.reserve(RESP_REPLY_BYTES_MAX / 16);
                        if reading.read_buf(&mut self.received).await? == 0 {
                            return Err(std::io::ErrorKind::UnexpectedEof.into());
                        }
                    }
                }
            }
            Ok(())
        };
        // Together: a node stops reading when nobody takes its replies.
        tokio::try_join!(write, read)?;
        self.stream = Some(stream);
        Ok(())
    }
}

impl Line for RespLine {
    async fn ask(&mut self, asks: &Asks, told: &mut Told) {
        self.write_commands(asks);
        let mut missing = asks.len();
        let within = self.timeout;
        match timeout(within, self.exchange(told, &mut missing)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => told_of::broken(told, missing, &error),
            Err(_) => told_of::timed_out(told, missing, within),
        }
    }
}

fn tell(told: &mut Told, reply: &Reply<'_>) {
    match reply {
        Reply::Allowed => told.add(Verdict::Allowed, UNTOLD, 1),
        Reply::Denied => told.add(Verdict::Denied, UNTOLD, 1),
        Reply::Error(text) => {
            let (verdict, reason) = match text.split(' ').next() {
                Some("TRYAGAIN") => (Verdict::Failed, "try-again"),
                Some("CLUSTERDOWN") => (Verdict::Failed, "cluster-down"),
                _ => (Verdict::Rejected, "error"),
            };
            told.fail(verdict, reason, 1, || (*text).to_owned());
        }
    }
}
