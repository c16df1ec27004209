//! The addresses that clients connect to. All are taken before the node touches its data directory, so that a start which fails for a port
//! leaves nothing behind; they are opened when it can answer, and before it says that it has started.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::error::StartError;

/// Where a node really listens; ports that were asked for as 0 are filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    pub resp: Option<SocketAddr>,
}

/// Connections that may wait to be accepted: clients that all come back at once after a restart. The system's own cap
/// (`net.core.somaxconn`, 4096) makes less of it where that is lower.
const BACKLOG: u32 = 4_096;

/// An address that is ours, and not open yet: who connects is refused as if nobody were here.
#[derive(Debug)]
pub(crate) struct Bound {
    socket: TcpSocket,
    flag: &'static str,
    address: SocketAddr,
}

/// Takes `address`, which `flag` sets.
pub(crate) fn bind(flag: &'static str, address: SocketAddr) -> Result<Bound, StartError> {
    let failed = |source| failed(flag, address, source);
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    // A node that was just stopped left connections in TIME_WAIT; its successor need not wait for them.
    socket.set_reuseaddr(true).and_then(|()| socket.bind(address)).map_err(failed)?;
    Ok(Bound { socket, flag, address })
}

impl Bound {
    /// Opens it, and says which port it is.
    pub(crate) fn listen(self) -> Result<(TcpListener, SocketAddr), StartError> {
        let Self { socket, flag, address } = self;
        let failed = |source| failed(flag, address, source);
        let listener = socket.listen(BACKLOG).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        Ok((listener, bound))
    }
}

fn failed(flag: &'static str, address: SocketAddr, source: std::io::Error) -> StartError {
    match source.kind() {
        ErrorKind::AddrInUse => StartError::AddressInUse { flag, address },
        ErrorKind::PermissionDenied => StartError::AddressForbidden { flag, address },
        _ => StartError::Listen { flag, address, source },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    /// More than the 128 that a listener has by default, and few enough files for any machine.
    const AT_ONCE: usize = 300;

    #[tokio::test]
    async fn many_clients_that_come_at_once_wait_in_line() {
        let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let at_once = AT_ONCE.min(allowed.trim().parse().unwrap());
        let (_listener, address) = bind("--listen", ([127, 0, 0, 1], 0).into()).unwrap().listen().unwrap();
        let mut waiting = Vec::new();
        for nth in 0..at_once {
            // Beyond the backlog a connection only comes about when somebody else's is accepted, which nobody does here.
            let connected = timeout(Duration::from_secs(30), TcpStream::connect(address)).await;
            waiting.push(connected.unwrap_or_else(|_| panic!("client {nth} is not let in line")).unwrap());
        }
    }
}
