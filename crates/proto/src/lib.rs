//! The gRPC messages and services of drl, generated from `proto/`. What a field means is said in the `.proto` files; the only code of its
//! own is how large the buffers of a stream are.

pub mod codec;

/// What every message has: its bytes, and how many.
pub use prost::Message;

/// Version 1 of the protocol; fields are only ever added.
#[allow(clippy::all, clippy::pedantic, unreachable_pub, unused_qualifications, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("drl.v1");
}

/// The description of all messages and services, as reflection serves it.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("drl.v1");
