//! For tests only: a real etcd of a test's own, started on loopback and ended whatever becomes of the test ([`Server`]), and what a
//! network does to its connections ([`Proxy`]). Where no etcd is installed there is no server, the test says that it was skipped, and
//! ends. Knows nothing of what is stored.

mod proxy;
mod server;

pub use proxy::Proxy;
pub use server::Server;
