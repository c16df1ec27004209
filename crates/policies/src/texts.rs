//! Policies by their text, for as long as many are read at once: thousands of clients often share one, which is then read once and is
//! one in memory.

use std::collections::HashMap;
use std::sync::Arc;

use drl_configuration::{InvalidPolicyDocument, PolicyDocument};
use drl_limits::Policy;

#[derive(Debug, Default)]
pub(crate) struct Texts(HashMap<Vec<u8>, Arc<Policy>>);

impl Texts {
    pub(crate) fn policy(&mut self, json: Vec<u8>) -> Result<Arc<Policy>, InvalidPolicyDocument> {
        if let Some(policy) = self.0.get(&json) {
            return Ok(Arc::clone(policy));
        }
        let policy = Arc::new(PolicyDocument::parse(&json)?);
        self.0.insert(json, Arc::clone(&policy));
        Ok(policy)
    }
}
