//! A plain Redis client for tests: blocking, pipelined, every read bounded by a deadline. It is written apart from the server's
//! codec on purpose, so that the two do not share a mistake.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// Longest wait for one reply: generous, since a loaded test machine may stall for seconds.
const REPLY_DEADLINE: Duration = Duration::from_mins(1);

/// One reply of RESP 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Option<Vec<u8>>),
    Array(Vec<Reply>),
}

impl Reply {
    /// The integers of an array reply.
    ///
    /// # Errors
    /// It is something else.
    pub fn integers(&self) -> Result<Vec<i64>> {
        let Self::Array(items) = self else { bail!("{self:?} is not an array") };
        items.iter().map(Self::integer).collect()
    }

    /// # Errors
    /// It is not an integer.
    pub fn integer(&self) -> Result<i64> {
        let Self::Integer(value) = self else { bail!("{self:?} is not an integer") };
        Ok(*value)
    }
}

/// One connection.
pub struct Connection {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    unread: usize,
}

impl Connection {
    /// # Errors
    /// Nobody listens there.
    pub fn open(address: SocketAddr) -> Result<Self> {
        Self::open_within(address, REPLY_DEADLINE)
    }

    /// As [`Connection::open`]; connecting, and each wait for a reply, takes at most so long.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn open_within(address: SocketAddr, deadline: Duration) -> Result<Self> {
        let connected = TcpStream::connect_timeout(&address, deadline);
        let writer = connected.with_context(|| format!("connect to {address}"))?;
        writer.set_nodelay(true)?;
        writer.set_read_timeout(Some(deadline))?;
        Ok(Self { reader: BufReader::new(writer.try_clone()?), writer, unread: 0 })
    }

    /// Sends one command and reads its reply.
    ///
    /// # Errors
    /// The connection broke or answered something that is not RESP.
    pub fn ask(&mut self, arguments: &[&str]) -> Result<Reply> {
        ensure!(self.unread == 0, "{} replies were not read", self.unread);
        self.send(&encode(arguments))?;
        self.unread = 1;
        self.reply()
    }

    /// Sends many commands in one go and reads all replies.
    ///
    /// # Errors
    /// As for [`Connection::ask`].
    pub fn pipeline(&mut self, commands: &[Vec<u8>]) -> Result<Vec<Reply>> {
        self.send(&commands.concat())?;
        self.unread = commands.len();
        (0..commands.len()).map(|_| self.reply()).collect()
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection broke.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.writer.write_all(bytes)?)
    }

    /// Reads the next reply.
    ///
    /// # Errors
    /// As for [`Connection::ask`].
    pub fn reply(&mut self) -> Result<Reply> {
        self.unread = self.unread.saturating_sub(1);
        let line = self.line()?;
        let (kind, rest) = line.split_at_checked(1).context("an empty reply line")?;
        Ok(match kind {
            "+" => Reply::Simple(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(rest.parse()?),
            "$" => Reply::Bulk(self.bulk(rest.parse()?)?),
            "*" => {
                let count: usize = rest.parse()?;
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(self.reply()?);
                }
                Reply::Array(items)
            }
            _ => bail!("not a reply: {line:?}"),
        })
    }

    fn bulk(&mut self, length: i64) -> Result<Option<Vec<u8>>> {
        let Ok(length) = usize::try_from(length) else { return Ok(None) };
        let mut bytes = vec![0; length + 2];
        self.reader.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(Some(bytes))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.reader.read_line(&mut line)? > 0, "the connection was closed");
        Ok(line.trim_end().to_owned())
    }
}

/// A command as an array of bulk strings.
#[must_use]
pub fn encode(arguments: &[&str]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        out.extend_from_slice(format!("${}\r\n{argument}\r\n", argument.len()).as_bytes());
    }
    out
}
