//! Compiles `proto/` into Rust, and keeps its description for reflection. Needs `protoc` (Debian: protobuf-compiler).

use std::io::{Error, Result};
use std::path::PathBuf;

fn main() -> Result<()> {
    let root = "../../proto";
    let files = ["admin", "check", "configuration", "limits", "peer", "placement"];
    println!("cargo:rerun-if-changed={root}");
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| Error::other("cargo sets OUT_DIR"))?;
    tonic_prost_build::configure()
        .codec_path("crate::codec::SmallBuffers")
        .bytes(".")
        .file_descriptor_set_path(PathBuf::from(out).join("drl.v1.bin"))
        .compile_protos(&files.map(|file| format!("{root}/drl/v1/{file}.proto")), &[root.to_owned()])
}
