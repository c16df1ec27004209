//! What the tests of the whole share: a real node as a process, a plain Redis client, and the checks of the house.

pub mod access_log;
pub mod cluster;
pub mod disk;
pub mod load;
pub mod node;
pub mod owners;
pub mod pinned;
pub mod resp;
pub mod steady;
pub mod tidy;
