//! When a node wants to be woken: the earliest of everything that is due by itself.

use drl_core::Nanos;

use super::agent::{NodeAgent, Turn};
use super::bugs::Bugs;
use super::command::Command;
use super::session::Phase;

impl<B: Bugs> NodeAgent<B> {
    /// Asks for the alarm clock when something is due before anything else happens.
    pub(super) fn ask_to_wake(&mut self, turn: &mut Turn<'_>) {
        if self.phase == Phase::Stopped {
            return;
        }
        let now = turn.now.boottime;
        let mut times: Vec<Nanos> = self.retries.values().copied().collect();
        times.extend(self.knocks_at());
        if self.phase == Phase::Serving {
            times.push(self.relist_at);
            times.extend(self.beats.due_at());
            times.extend(Some(self.deadline).filter(|deadline| *deadline > now));
            times.extend(self.absences.next_over(self.authority.cold_wait(), now));
            times.extend(self.flushes_until());
            times.extend(self.invitations_until());
            times.extend(self.drops.next_end(now));
        }
        let Some(next) = times.into_iter().min().filter(|next| *next != Nanos::MAX) else { return };
        if next != self.asked_to_wake || self.asked_to_wake <= now {
            self.asked_to_wake = next;
            turn.say(Command::WakeAt(next));
        }
    }
}
