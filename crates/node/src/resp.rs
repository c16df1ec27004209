//! The RESP door (Redis protocol 2 and 3): `CL.THROTTLE`, `DRL.ALLOW`, `DRL.CHECK`, `DEL` and what Redis clients need around them.
//!
//! * `door.rs` lets connections in, `connection.rs` serves one
//! * `parse.rs` and `reply.rs` are the codec, `input.rs` the read buffer, `workspace.rs` what is held while bytes are in flight
//! * `command.rs` knows the commands, `run.rs` the checks that are decided together, `throttle.rs` redis-cell's command,
//!   `session.rs` everything that is not a check, `transaction.rs` what waits for `EXEC`

mod command;
mod connection;
pub(crate) mod door;
mod input;
mod parse;
mod reply;
mod run;
mod session;
mod throttle;
mod transaction;
mod workspace;
