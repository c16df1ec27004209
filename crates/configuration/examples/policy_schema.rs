//! Prints the JSON schema of a policy: `cargo run --release -p drl-configuration --example policy_schema > docs/policy.schema.json`.

fn main() {
    println!("{:#}", drl_configuration::policy_schema());
}
