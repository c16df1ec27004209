//! Opening the addresses that clients connect to. All of them are open before the node says that it has started.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::error::StartError;

/// Where a node really listens; ports that were asked for as 0 are filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    pub resp: Option<SocketAddr>,
}

/// Listens on `address`, which `flag` sets.
pub(crate) async fn listen(flag: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::AddrInUse => StartError::AddressInUse { flag, address },
        ErrorKind::PermissionDenied => StartError::AddressForbidden { flag, address },
        _ => StartError::Listen { flag, address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(|source| StartError::Listen { flag, address, source })?;
    Ok((listener, bound))
}
