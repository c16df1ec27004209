//! The claims, by what they are about. Each runs on the embedded store and on a real etcd.

mod leases;
mod sessions;
mod transactions;
mod watches;
