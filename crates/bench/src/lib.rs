//! The load generator behind `drl bench`: a number of callers ask a door for decisions and measure how long each call takes.
//!
//! ```text
//!   keys, asks         which clients                      (drawn from a seed)
//!   schedule, turns    when a call may be made            (closed loop; open loop with a pacer)
//!   worker             turn -> door -> told -> tally      (connections x in-flight of them)
//!   door/              stream, raw stream, unary, RESP    (nothing else knows the network)
//!   report             what comes out
//!   steady, fill       load while things happen to a cluster, and what it amounts to
//! ```
//!
//! It reads no clock: the time is passed in. What it measures with is a part of what is measured, so nothing on the way of a call
//! allocates or waits for another worker without need.

mod asks;
mod door;
mod echo;
mod fill;
mod force;
mod keys;
mod options;
mod pacer;
mod report;
mod run;
mod schedule;
mod span;
mod spans;
mod steady;
mod tally;
mod told;
mod turns;
mod worker;

pub use asks::CLIENT_PREFIX;
pub use door::{OpenError, RespCommand};
pub use echo::{EchoError, echo};
pub use fill::{Fill, FillError, fill, still_used};
pub use force::{ForceError, in_force};
pub use keys::{InvalidClients, InvalidKeys, Keys};
pub use options::{InvalidOptions, Options, Target};
pub use report::{Counts, End, Latency, Parameters, Report};
pub use run::{BenchError, run};
pub use spans::latency_of;
pub use steady::{Account, Audit, Phase, Steady, SteadyError, SteadyOptions};
pub use tally::TallyError;
pub use turns::Clock;
