//! drl: one binary, subcommands.
fn main() {}
