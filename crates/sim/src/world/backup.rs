//! etcd comes back from a backup: what happened since is forgotten, and whoever saw it must notice. Nothing else is promised then
//! (protocol, epoch rule 8), so the run ends with it and only promises are checked from there on.

use drl_engine::ownership::Event;

use super::{Happening, To, World};
use crate::etcd::Revisions;
use crate::marks::Mark;
use crate::swarm::{Backup, SECOND};

impl World {
    pub(crate) fn plan_backup(&mut self) {
        if self.swarm.backup != Backup::Unused {
            let at = self.random.below(self.swarm.chaos);
            self.queue.plan(at, Happening::Backup);
        }
    }

    pub(crate) fn take_backup(&mut self) {
        self.backup = Some(self.etcd.clone());
    }

    pub(crate) fn restore_backup(&mut self) {
        let Some(backup) = self.backup.take() else { return };
        let revisions = match self.swarm.backup {
            Backup::RestoredAndBumped => Revisions::Bumped,
            Backup::Restored | Backup::Unused => Revisions::AsTheyWere,
        };
        self.etcd.restore(backup, revisions, self.now);
        self.plan_lease_end();
        self.truth.restored();
        self.see(Mark::EtcdRestored);
        self.digest.note("restored", &[self.now]);
        for node in 0..self.machines.len() {
            if let Some(process) = self.machines[node].process.as_deref_mut() {
                process.watching = false;
                let to = To { node, run: process.run };
                let at = self.now + self.random.below(10 * SECOND);
                self.queue.plan(at, Happening::Agent { to, event: Event::WatchBroken });
            }
        }
    }
}
