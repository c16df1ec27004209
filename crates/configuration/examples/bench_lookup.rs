//! Time of one lookup, and of loading a file: `cargo run --release -p drl-configuration --example bench_lookup`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drl_configuration::{ConfigurationService, Entry, File, InMemory, PolicyDocument, PolicySet, Selector};
use drl_core::{ClientId, LimitKey, Namespace};

const LOOKUPS: u32 = 5_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for policies in [1_000, 100_000, 1_000_000] {
        time_lookups(policies)?;
    }
    for policies in [100_000, 1_000_000] {
        time_load(policies)?;
    }
    Ok(())
}

/// `policies` exact ones, three lengths of prefixes, and a default.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn time_lookups(policies: u32) -> Result<(), Box<dyn std::error::Error>> {
    let policy = Arc::new(PolicyDocument::parse(br#"{"limits":[{"requests":1,"window":"1m"}]}"#)?);
    let entry = Entry { policy, revision: 1 };
    let mut set = PolicySet::new();
    for number in 0..policies {
        set.insert(Namespace::DEFAULT, Selector::Client(format!("client-{number}").into()), entry.clone())?;
    }
    for prefix in ["team-", "partner/", "x"] {
        set.insert(Namespace::DEFAULT, Selector::Prefix(prefix.into()), entry.clone())?;
    }
    set.insert(Namespace::DEFAULT, Selector::Default, entry)?;
    let service = InMemory::resume(set, 1);
    for kind in ["client-", "team-", "nobody-"] {
        let ids: Vec<String> =
            (0..1_024u32).map(|number| format!("{kind}{}", number * (policies / 1_024).max(1) % policies)).collect();
        let keys: Vec<LimitKey<'_>> = ids
            .iter()
            .map(|id| Ok(LimitKey::new(Namespace::DEFAULT, ClientId::new(id.as_bytes())?)))
            .collect::<Result<_, drl_core::InvalidClientId>>()?;
        let start = Instant::now();
        for key in keys.iter().cycle().take(LOOKUPS as usize) {
            black_box(service.get(black_box(*key)));
        }
        println!(
            "{policies:>9} policies, ids {kind:<8} {:>5} ns a lookup",
            start.elapsed().as_nanos() / u128::from(LOOKUPS)
        );
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn time_load(policies: u32) -> Result<(), Box<dyn std::error::Error>> {
    let mut json = String::from(r#"{"namespaces":{"default":{"clients":{"#);
    for number in 0..policies {
        let (comma, requests) = (if number == 0 { "" } else { "," }, number % 1_000 + 1);
        write!(json, r#"{comma}"client-{number}":{{"limits":[{{"requests":{requests},"window":"1m"}}]}}"#)?;
    }
    json.push_str("}}}}");
    let path = std::env::temp_dir().join(format!("drl-bench-{}.json", std::process::id()));
    std::fs::write(&path, json)?;
    let start = Instant::now();
    let file = File::open(&path, Duration::from_mins(1))?;
    println!("{policies:>9} policies loaded from a file in {:.0?}", start.elapsed());
    drop(file);
    std::fs::remove_file(&path)?;
    Ok(())
}
