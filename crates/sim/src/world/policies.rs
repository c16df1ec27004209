//! Policies change while traffic flows, and every process hears of it in its own time.

use drl_core::Nanos;
use drl_engine::ownership::Event;

use super::{Happening, To, World};
use crate::invariants::Violation;
use crate::swarm::MILLIS;

impl World {
    pub(crate) fn plan_policy_change(&mut self) {
        if self.swarm.policy_change_every > 0 && self.truth.clients.iter().any(|client| client.smaller.is_some()) {
            let at = self.now + self.random.between(1, 2 * self.swarm.policy_change_every);
            self.queue.plan(at, Happening::PolicyChange);
        }
    }

    /// The next revision. When all is well it is an even one: the full limits.
    pub(crate) fn change_policies(&mut self) {
        if self.healed && self.policies.is_multiple_of(2) {
            return;
        }
        self.policies += 1;
        let revision = self.policies;
        for node in 0..self.machines.len() {
            let Some(run) = self.machines[node].process.as_ref().map(|process| process.run) else { continue };
            self.tell_policies(To { node, run }, revision);
        }
        self.plan_policy_change();
    }

    pub(crate) fn tell_policies(&mut self, to: To, revision: u64) {
        let longest = if self.healed { 50 * MILLIS } else { self.swarm.policy_delay_max };
        let at = self.now + self.random.below(longest);
        self.queue.plan(at, Happening::Policies { to, revision });
    }

    /// A process begins with the last good policies of its machine, and hears of later ones.
    pub(crate) fn begin_with_policies(&mut self, to: To) {
        let (known, latest) = (self.machines[to.node].policies, self.policies);
        if known > 0 {
            self.queue.plan(self.now, Happening::Policies { to, revision: known });
        }
        if latest > known {
            self.tell_policies(to, latest);
        }
    }

    pub(crate) fn policies_arrive(&mut self, to: To, revision: u64) -> Result<(), Violation> {
        let machine = &mut self.machines[to.node];
        if machine.process(to.run).is_none() {
            return Ok(());
        }
        machine.policies = machine.policies.max(revision);
        let revision = machine.policies;
        self.step(to, Event::Policies { revision })
    }

    /// Whether an admission of class `async` leaves at once.
    pub(crate) fn leaves_ahead(&mut self, to: To, client: usize, cost: drl_core::Cost, now: Nanos) -> bool {
        let client = &self.truth.clients[client];
        let shard = client.shard;
        let is_async = client.is_async();
        is_async
            && self.machines[to.node]
                .process(to.run)
                .is_some_and(|process| process.ledger.answers_ahead(shard, cost, now))
    }
}
