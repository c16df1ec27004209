//! Every claim of the contract, against both implementations.

use drl_store::conformance::{CLAIMS, Subject};

use crate::subjects::{InMemory, OnDisk};

fn broken_claims<S: Subject>(new: impl Fn() -> S) -> Vec<String> {
    let claims = CLAIMS.iter().copied().flatten();
    claims.filter_map(|claim| (claim.run)(&mut new()).err().map(|broken| format!("{}: {broken}", claim.name))).collect()
}

#[test]
fn memory_store_keeps_every_claim() {
    assert_eq!(broken_claims(InMemory::default), Vec::<String>::new());
}

#[test]
fn rocks_store_keeps_every_claim() {
    assert_eq!(broken_claims(OnDisk::new), Vec::<String>::new());
}
