//! Where limits come from: which policy applies to a client, and how policies are written down.
//!
//! * a policy as JSON: [`PolicyDocument`], whose errors are [`Fault`]s that name the field; its schema: [`policy_schema`]
//! * whom it applies to: [`Selector`]; many of them with their lookup order: [`PolicySet`]
//! * the question that everyone else asks: [`ConfigurationService`], answered with a [`RateLimitConfiguration`]
//! * who answers: [`InMemory`] (changed by its owner) and [`File`] (one JSON file, followed as it changes)
//!
//! A client that no policy matches is `None`; what that means is the caller's rule. Nothing here counts, decides or reads a clock.

mod fault;
mod file;
mod in_memory;
mod policy_document;
mod policy_file;
mod policy_set;
mod published;
mod schema;
mod seeded;
mod selector;
mod selector_map;
mod service;

pub use fault::{Fault, Faults, InvalidPolicyDocument};
pub use file::{File, FileError, Reload};
pub use in_memory::InMemory;
pub use policy_document::{LimitDocument, PolicyDocument};
pub use policy_set::{Entry, Found, InsertError, Listed, PolicySet};
pub use schema::policy_schema;
pub use selector::{InvalidSelector, Selector};
pub use service::{ConfigurationService, Matched, RateLimitConfiguration};
