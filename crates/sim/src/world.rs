//! The simulated world: one queue of happenings, carried out one after the other until the end or the first violation.
//!
//! * `world/starting.rs`: worlds begin, processes start and end
//! * `world/driving.rs`: carries out the engine's commands; disk and journal
//! * `world/storing.rs`: disks that hang, fail and are full; checkpoints
//! * `world/coordination.rs`: the way to etcd and back, and the watch
//! * `world/network.rs`: letters between processes; `world/policies.rs`: limits change
//! * `world/checking.rs`: clients ask, nodes decide, forward and answer
//! * `world/probing.rs`: does every shard answer?
//! * `world/comparing.rs`: owners and followers are compared; `world/scenario.rs`: a world with one fault that is measured
//! * `world/faults.rs`: everything that goes wrong; `world/backup.rs`: etcd comes back from a backup
//!
//! Invariant: nothing here depends on anything but the seed. There is no clock, no thread, and no order of a hash table.

mod backup;
mod checking;
mod comparing;
mod coordination;
mod driving;
mod faults;
mod network;
mod policies;
mod probing;
mod scenario;
mod starting;
mod storing;

use std::collections::BTreeMap;

use drl_core::{CommitNo, Epoch, Nanos};
use drl_engine::ownership::{Event, Holder, LeaseId, Token, Transaction, View};
use drl_engine::replication::Letter;

use crate::digest::{Digest, Talk};
use crate::etcd::Etcd;
use crate::invariants::{Truth, Violation};
use crate::marks::{Mark, Marks};
use crate::plant::Plant;
use crate::process::Machine;
use crate::queue::Queue;
use crate::random::Random;
use crate::swarm::Swarm;
use crate::trace::Decided;

pub(crate) use faults::Fault;
pub use scenario::Deafness;

/// A process: a machine, and which of its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct To {
    pub(crate) node: usize,
    pub(crate) run: u64,
}

/// A check on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) client: usize,
    pub(crate) cost: u64,
    /// The epoch that the sender knows; zero: none.
    pub(crate) asked_under: Epoch,
    pub(crate) hops: u8,
    /// When it was asked.
    pub(crate) since: u64,
}

/// A request to etcd.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    Grant,
    Revoke(LeaseId),
    Transact(Transaction),
}

#[derive(Debug)]
pub(crate) enum Happening {
    Start(usize),
    Agent {
        to: To,
        event: Event,
    },
    Wake {
        to: To,
        at: Nanos,
    },
    AtEtcd {
        to: To,
        token: Token,
        request: Request,
        sent: u64,
    },
    FromEtcd {
        to: To,
        token: Token,
        event: Event,
    },
    GiveUp {
        to: To,
        token: Token,
        request: Given,
    },
    KeepAlive {
        to: To,
        lease: LeaseId,
    },
    LeaseEnds,
    EtcdUp,
    Watch {
        to: To,
        view: View,
    },
    Letter {
        to: To,
        letter: Letter,
    },
    Refused {
        to: To,
        by: Holder,
    },
    Tick(To),
    PolicyChange,
    Policies {
        to: To,
        revision: u64,
    },
    Committed(To),
    Persisted(To),
    Checkpoint(To),
    Asks(usize),
    Arrives {
        to: To,
        ask: Ask,
    },
    Leaves(To, CommitNo, Decided),
    Fault(Fault),
    /// A crash that was aimed at this node.
    Ambush(usize),
    Backup,
    Heal,
    Probe,
}

/// What kind of request got no answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Given {
    Lease,
    Transaction,
}

/// Everything there is.
#[derive(Debug)]
pub struct World {
    pub(crate) now: u64,
    pub(crate) swarm: Swarm,
    pub(crate) plant: Plant,
    pub(crate) random: Random,
    pub(crate) queue: Queue<Happening>,
    pub(crate) etcd: Etcd,
    pub(crate) backup: Option<Etcd>,
    pub(crate) etcd_down_until: u64,
    pub(crate) lease_end_planned: bool,
    /// Links that carry nothing: from, to, until when.
    pub(crate) cuts: Vec<(usize, usize, u64)>,
    /// The revision of the policies.
    pub(crate) policies: u64,
    /// When the last letter arrives over each link.
    pub(crate) links: BTreeMap<(usize, usize), u64>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) truth: Truth,
    pub(crate) digest: Digest,
    pub(crate) marks: Marks,
    pub(crate) healed: bool,
    /// The last plans of the ring.
    pub(crate) planned: Vec<probing::Planned>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ending {
    pub digest: u64,
    pub marks: Marks,
    pub simulated: u64,
    pub violation: Option<Violation>,
}

impl World {
    /// Runs a seed to its end, or to the first violation.
    #[must_use]
    pub fn run(seed: u64, plant: Plant, talk: Talk) -> Ending {
        let mut random = Random::new(seed);
        let swarm = Swarm::draw(&mut random);
        Self::begin(swarm, random, plant, Digest::new(talk)).until_the_end()
    }

    /// Runs a world without faults for that long.
    #[must_use]
    pub fn run_quiet(seed: u64, seconds: u64) -> Ending {
        let random = Random::new(seed);
        Self::begin(Swarm::quiet(seconds), random, Plant::NONE, Digest::new(Talk::Silent)).until_the_end()
    }

    fn until_the_end(mut self) -> Ending {
        let mut outcome = Ok(());
        while let Some((at, happening)) = self.queue.next() {
            self.now = at;
            if at > self.swarm.end {
                break;
            }
            outcome = self.carry_out(happening);
            if outcome.is_err() {
                break;
            }
        }
        let outcome = outcome.and_then(|()| self.check_copies());
        let outcome = outcome.and_then(|()| self.truth.check_at_the_end(self.swarm.end, self.swarm.async_bound));
        self.digest.note("end", &[self.now]);
        Ending {
            digest: self.digest.value(),
            marks: self.marks,
            simulated: self.now.min(self.swarm.end),
            violation: outcome.err(),
        }
    }

    fn carry_out(&mut self, happening: Happening) -> Result<(), Violation> {
        let Some(happening) = self.unless_paused(happening) else { return Ok(()) };
        match happening {
            Happening::KeepAlive { to, lease } => self.keep_alive(to, lease),
            Happening::LeaseEnds => self.leases_end(),
            Happening::EtcdUp => self.etcd_up(),
            Happening::Asks(client) => self.asks(client),
            Happening::Ambush(node) => self.spring(node),
            Happening::Backup => self.take_backup(),
            Happening::PolicyChange => self.change_policies(),
            Happening::Heal => self.heal(),
            Happening::Probe => return self.probe(),
            Happening::Checkpoint(to) => self.checkpoint(to),
            happening => return self.carry_out_at_a_node(happening),
        }
        Ok(())
    }

    fn carry_out_at_a_node(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Start(node) => self.start(node),
            Happening::Agent { to, event } => self.step(to, event),
            Happening::Wake { to, at } => self.wake(to, at),
            Happening::AtEtcd { to, token, request, sent } => self.at_etcd(to, token, &request, sent),
            Happening::FromEtcd { to, token, event } => self.etcd_answers(to, token, event),
            Happening::GiveUp { to, token, request } => self.give_up(to, token, request),
            Happening::Watch { to, view } => self.step(to, Event::Changed(view)),
            Happening::Letter { to, letter } => self.letter(to, letter),
            Happening::Refused { to, by } => self.refused_by(to, &by),
            Happening::Tick(to) => self.tick(to),
            Happening::Policies { to, revision } => self.policies_arrive(to, revision),
            Happening::Committed(to) => self.committed(to),
            Happening::Persisted(to) => self.persisted(to),
            Happening::Arrives { to, ask } => self.arrives(to, ask),
            Happening::Leaves(to, commit, decided) => self.leave(to, commit, decided),
            Happening::Fault(fault) => self.fault(fault),
            _ => Ok(()),
        }
    }

    /// Puts off what a paused process would do; drops what is for a process that is gone.
    fn unless_paused(&mut self, happening: Happening) -> Option<Happening> {
        let to = match &happening {
            Happening::Agent { to, .. }
            | Happening::Wake { to, .. }
            | Happening::FromEtcd { to, .. }
            | Happening::GiveUp { to, .. }
            | Happening::KeepAlive { to, .. }
            | Happening::Watch { to, .. }
            | Happening::Letter { to, .. }
            | Happening::Policies { to, .. }
            | Happening::Refused { to, .. }
            | Happening::Tick(to)
            | Happening::Committed(to)
            | Happening::Persisted(to)
            | Happening::Checkpoint(to)
            | Happening::Arrives { to, .. }
            | Happening::Leaves(to, ..) => *to,
            _ => return Some(happening),
        };
        let paused_until = self.machines[to.node].process(to.run)?.paused_until;
        if paused_until > self.now {
            self.queue.plan(paused_until, happening);
            return None;
        }
        Some(happening)
    }

    pub(crate) fn see(&mut self, mark: Mark) {
        self.marks.see(mark);
    }

    pub(crate) fn boottime(&self, node: usize) -> Nanos {
        self.machines[node].clock.boottime(self.now)
    }
}
