//! One RESP connection: read, plan, decide, wait for the journal, write; again. What was read together is decided together and
//! written together, so a pipeline costs one lock, one wait and one write.
//!
//! Invariant: nothing is read while replies are unwritten, so a client that does not read cannot make this side grow; while nothing
//! is in flight the connection holds no buffer.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use drl_core::caps::{BATCH_CHECKS_MAX, RESP_REPLY_BYTES_MAX};
use drl_core::{ClientId, LimitKey, Namespace};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::entrance::Guest;
use crate::judge::Routing;
use crate::resp::command::{Pause, plan};
use crate::resp::door::Shared;
use crate::resp::run::error_reply;
use crate::resp::session::Session;
use crate::resp::transaction::Transaction;
use crate::resp::workspace::Workspace;

/// How long half a command may stand without a byte of the rest: a person types slower than a program, but not that slow.
const HALF_COMMAND_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a client may leave its replies unread before it is closed.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a closed connection is still read, so that the last reply is not lost to a reset.
const LINGER: Duration = Duration::from_secs(1);

/// Memory that a connection keeps for half commands.
const HALF_BYTES_KEPT: usize = 512;

/// Why a connection ended.
#[derive(Debug)]
enum End {
    /// The client left, or the network did.
    Gone,
    /// It sent `QUIT`, or bytes that are not RESP: the last reply is written.
    Said,
    /// The node stops, and nothing is in flight.
    Draining,
    /// It let a deadline pass.
    TimedOut,
}

struct Connection {
    guest: Guest,
    session: Session,
    shared: Arc<Shared>,
    /// The half command that the last read left over.
    half: Vec<u8>,
}

/// Serves one client until it leaves, misbehaves, or `stop` comes while nothing is in flight.
pub(crate) async fn serve(guest: Guest, id: u64, shared: Arc<Shared>, stop: CancellationToken) {
    let mut connection = Connection { guest, session: Session::new(id), shared, half: Vec::new() };
    let mut stopped = pin!(stop.cancelled_owned());
    let end = loop {
        let mut workspace = match connection.read(stopped.as_mut()).await {
            Ok(workspace) => workspace,
            Err(end) => break end,
        };
        let answered = connection.answer(&mut workspace).await;
        connection.keep_half(&workspace);
        connection.shared.pool.give_back(workspace);
        if let Err(end) = answered {
            break end;
        }
    };
    tracing::debug!(id, ?end, "RESP connection ended");
    if matches!(end, End::Said) {
        connection.linger().await;
    }
}

impl Connection {
    /// Waits for bytes. A buffer is only held while the socket is asked; between two asks it is in the pool.
    async fn read(&mut self, mut stopped: Pin<&mut (impl Future<Output = ()> + Send)>) -> Result<Box<Workspace>, End> {
        let Self { guest, shared, half, session } = self;
        let bytes = poll_fn(|context| {
            let mut workspace = shared.pool.take();
            workspace.input.load(half);
            let mut free = ReadBuf::new(workspace.input.free_space());
            let polled = Pin::new(&mut guest.stream).poll_read(context, &mut free);
            let length = free.filled().len();
            match polled {
                Poll::Ready(Ok(())) if length > 0 => {
                    workspace.input.filled(length);
                    return Poll::Ready(Ok(workspace));
                }
                Poll::Ready(_) => {
                    shared.pool.give_back(workspace);
                    return Poll::Ready(Err(End::Gone));
                }
                Poll::Pending => shared.pool.give_back(workspace),
            }
            stopped.as_mut().poll(context).map(|()| Err(End::Draining))
        });
        // A transaction holds memory until its EXEC, as half a command does.
        if half.is_empty() && session.transaction.is_none() {
            bytes.await
        } else {
            timeout(HALF_COMMAND_TIMEOUT, bytes).await.unwrap_or(Err(End::TimedOut))
        }
    }

    fn keep_half(&mut self, workspace: &Workspace) {
        self.half.clear();
        self.half.shrink_to(HALF_BYTES_KEPT);
        self.half.extend_from_slice(workspace.input.half());
    }

    /// Answers every complete command in the workspace.
    async fn answer(&mut self, workspace: &mut Workspace) -> Result<(), End> {
        loop {
            let pause = plan(workspace, &mut self.session, &self.shared, BATCH_CHECKS_MAX);
            self.decide(workspace).await;
            match pause {
                Pause::Delete => self.delete(workspace).await,
                Pause::Execute => self.execute(workspace).await,
                _ => {}
            }
            if workspace.replies.len() >= RESP_REPLY_BYTES_MAX
                || matches!(pause, Pause::Quit | Pause::Garbage | Pause::Empty)
            {
                self.write(workspace).await?;
            }
            match pause {
                Pause::Empty => return Ok(()),
                Pause::Quit | Pause::Garbage => return Err(End::Said),
                Pause::Full | Pause::Delete | Pause::Execute => {}
            }
        }
    }

    /// Decides the planned checks in one call and writes all replies of the run, in order, to the workspace.
    async fn decide(&self, workspace: &mut Workspace) {
        let Workspace { input, throttles, run, replies, .. } = workspace;
        if run.checks() > 0 {
            let judge = &self.shared.judge;
            let mut answers = std::mem::take(&mut run.answers);
            let pending = judge.decide(&run.asks(input.bytes(), throttles), Routing::Any, &mut answers).await;
            judge.settle(pending, &mut answers).await;
            run.answers = answers;
        }
        run.reply(replies);
    }

    /// `EXEC`: the queued commands are planned and answered like any others, as the elements of one array.
    async fn execute(&mut self, workspace: &mut Workspace) {
        let replies = &mut workspace.replies;
        let Some(Ok((bytes, commands))) = self.session.transaction.take().map(Transaction::finish) else {
            return replies.error("EXECABORT Transaction discarded because of previous errors.");
        };
        replies.array(i64::try_from(commands).unwrap_or(i64::MAX));
        let mut queued = self.shared.pool.take();
        queued.input.load(&bytes);
        loop {
            let pause = plan(&mut queued, &mut self.session, &self.shared, BATCH_CHECKS_MAX);
            self.decide(&mut queued).await;
            match pause {
                Pause::Delete => self.delete(&mut queued).await,
                Pause::Full => {}
                // Only whole commands are queued, and none that ends the connection or the transaction.
                Pause::Empty | Pause::Quit | Pause::Garbage | Pause::Execute => break,
            }
        }
        replies.append(queued.replies.as_bytes());
        self.shared.pool.give_back(queued);
    }

    /// `DEL key [key ...]`: forgets the counters of `DRL.ALLOW` and of `CL.THROTTLE`, and answers how many keys that were.
    async fn delete(&self, workspace: &mut Workspace) {
        let Workspace { input, arguments, replies, .. } = workspace;
        let mut deleted = 0;
        for key in arguments.iter().skip(1).map(|span| span.of(input.bytes())) {
            let Ok(client) = ClientId::new(key) else { continue };
            if let Err(error) = self.shared.judge.reset(LimitKey::new(Namespace::DEFAULT, client)).await {
                return replies.error(&error_reply(&error));
            }
            deleted += 1;
        }
        replies.integer(deleted);
    }

    async fn write(&mut self, workspace: &mut Workspace) -> Result<(), End> {
        let mut rest = workspace.replies.as_bytes();
        while !rest.is_empty() {
            let written = match self.guest.stream.try_write(rest) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if self.shared.pool.is_crowded() {
                        return Err(End::TimedOut);
                    }
                    timeout(WRITE_TIMEOUT, self.guest.stream.write(rest)).await.map_err(|_| End::TimedOut)?
                }
                tried => tried,
            };
            match written {
                Ok(0) | Err(_) => return Err(End::Gone),
                Ok(length) => rest = &rest[length..],
            }
        }
        workspace.replies.reset(RESP_REPLY_BYTES_MAX);
        Ok(())
    }

    /// Says that no more will come, and reads what is still under way.
    async fn linger(mut self) {
        let _ = timeout(LINGER, async {
            let mut ignored = [0; 512];
            self.guest.stream.shutdown().await?;
            while self.guest.stream.read(&mut ignored).await? > 0 {}
            std::io::Result::Ok(())
        })
        .await;
    }
}
