//! Compiles `proto/` into Rust. Needs `protoc` (Debian: protobuf-compiler).

fn main() -> std::io::Result<()> {
    let root = "../../proto";
    tonic_prost_build::configure().bytes(".").compile_protos(
        &[format!("{root}/drl/v1/check.proto"), format!("{root}/drl/v1/limits.proto")],
        &[root.to_owned()],
    )
}
