//! The gRPC messages and services of drl, generated from `proto/`. It holds no code of its own: what a field means is said in
//! the `.proto` files.

/// Version 1 of the protocol; fields are only ever added.
#[allow(clippy::all, clippy::pedantic, unreachable_pub, unused_qualifications, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("drl.v1");
}

/// The description of all messages and services, as reflection serves it.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("drl.v1");
