//! What travels between a client or a node and an owner, as both ends read and write it: decisions as messages, checks and answers
//! in columns. It knows the messages and the nouns, and neither who decides nor who asked.

mod answers;
mod checks;
mod decision;

pub use answers::{Answered, InvalidAnswers, answers, read_answers};
pub use checks::{Check, InvalidChecks, checks};
pub use decision::{decision, read_decision, retry_after_nanos};
