//! Where the checks go: one way in, opened several times. A loop knows nothing of it but this.

pub(crate) mod channel;
mod raw_stream;
mod resp;
mod stream;
pub(crate) mod told_of;
mod unary;

use std::future::Future;

use drl_client::ConnectError;

use crate::asks::Asks;
use crate::told::Told;

pub(crate) use raw_stream::RawStreamDoor;
pub use resp::RespCommand;
pub(crate) use resp::RespDoor;
pub(crate) use stream::StreamDoor;
pub(crate) use unary::UnaryDoor;

/// A way into a node or a cluster.
pub(crate) trait Door: Send + Sync {
    type Line: Line;

    /// Opens one connection, for so many lines.
    ///
    /// # Errors
    /// [`OpenError`] when nobody answers as this door's server does.
    fn open(&self, lines: usize) -> impl Future<Output = Result<Vec<Self::Line>, OpenError>> + Send;
}

/// What one worker asks through; one call is under way on it at a time.
pub(crate) trait Line: Send + 'static {
    /// Asks, and tells what became of every check. It ends within the run's timeout, and the line can be used again whatever happened.
    fn ask(&mut self, asks: &Asks, told: &mut Told) -> impl Future<Output = ()> + Send;
}

/// A door cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("nothing listens on {address}")]
    NobodyListens { address: String },
    #[error("{address} did not answer within {within:?}")]
    Silent { address: String, within: std::time::Duration },
    #[error("cannot connect to {address}: {reason}")]
    Broken { address: String, reason: String },
    #[error(transparent)]
    Client(#[from] ConnectError),
}

impl OpenError {
    /// Why a connection did not come about.
    pub(crate) fn of_io(address: &str, error: &std::io::Error) -> Self {
        let address = address.to_owned();
        match error.kind() {
            std::io::ErrorKind::ConnectionRefused => Self::NobodyListens { address },
            _ => Self::Broken { address, reason: error.to_string() },
        }
    }
}
