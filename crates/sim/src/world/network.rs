//! Letters between processes: late, lost, twice, out of order, over links that are cut one way or both; and connections that are
//! refused when a process is gone.

use drl_engine::ownership::{Event, Holder};
use drl_engine::replication::{Body, Letter, News};

use super::{Happening, To, World};
use crate::invariants::{Violation, promises};
use crate::marks::Mark;
use crate::swarm::{MILLIS, SECOND};

/// How often a process does what it does now and then.
pub(crate) const TICK: u64 = 100 * MILLIS;

impl World {
    /// Carries away what a ledger has to say, and tells its agent the news.
    pub(crate) fn deliver(&mut self, to: To) -> Result<(), Violation> {
        let now = self.boottime(to.node);
        let Some(process) = self.machines[to.node].process(to.run) else { return Ok(()) };
        process.ledger.invite(now);
        let (letters, news) = (process.ledger.take_letters(), process.ledger.take_news());
        for letter in letters {
            self.check_what_is_promised(to.node, &letter)?;
            self.send_letter(to.node, letter);
        }
        if news.iter().any(|news| matches!(news, News::Fenced { .. })) {
            self.see(Mark::Fenced);
        }
        let events: Vec<Event> = news.into_iter().map(Event::Copies).collect();
        if events.is_empty() { Ok(()) } else { self.steps(to, events) }
    }

    /// Whoever acknowledges may do so still, and whoever follows has promised that on disk.
    fn check_what_is_promised(&self, from: usize, letter: &Letter) -> Result<(), Violation> {
        match &letter.body {
            Body::Ack(_) => self.truth.acknowledges(&letter.from, self.now),
            Body::Join(joins) => joins.iter().try_for_each(|join| {
                let promised = self.machines[from].disk.promise(join.shard);
                promises::joins(join, letter.to.generation, promised, self.now)
            }),
            _ => Ok(()),
        }
    }

    pub(crate) fn send_letter(&mut self, from: usize, letter: Letter) {
        let Some(node) = self.machines.iter().position(|machine| machine.id == letter.to.node) else { return };
        if self.is_cut(from, node) || self.is_deaf(node) || self.random.happens(self.swarm.letter_loss) {
            return;
        }
        let Some(run) = self.machines[node].process.as_ref().map(|process| process.run) else { return };
        let to = To { node, run };
        if self.random.happens(self.swarm.letter_twice) {
            let at = self.now + self.random.below(2 * SECOND);
            self.queue.plan(at, Happening::Letter { to, letter: letter.clone() });
        }
        let at = self.now + self.letter_delay();
        let before = self.links.entry((from, node)).or_default();
        // A connection keeps the order of what it carries; the next one may be faster than the one before.
        let at = if self.random.happens(self.swarm.letter_overtakes) { at } else { at.max(*before) };
        *before = at.max(*before);
        self.queue.plan(at, Happening::Letter { to, letter });
    }

    fn letter_delay(&mut self) -> u64 {
        let slow = self.random.happens(self.swarm.letter_late);
        self.random.between(MILLIS / 20, 2 * MILLIS)
            + if slow { self.random.below(self.swarm.letter_late_max) } else { 0 }
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        let cut =
            |cuts: &[(usize, usize, u64)]| cuts.iter().any(|(a, b, until)| (*a, *b) == (from, to) && *until > self.now);
        cut(&self.cuts)
    }

    fn is_deaf(&self, node: usize) -> bool {
        self.machines[node].deaf_until > self.now
    }

    /// A node hears nobody for a while, and goes on to speak.
    pub(crate) fn deafen(&mut self, node: usize) {
        self.machines[node].deaf_until = self.now + self.random.below(self.swarm.deaf_max);
        if self.machines[node].process.is_some() {
            self.see(Mark::Deafened);
        }
    }

    pub(crate) fn letter(&mut self, to: To, letter: Letter) -> Result<(), Violation> {
        let now = self.boottime(to.node);
        if !matches!(letter.body, Body::Beat(_)) {
            self.digest.tell("letter", to.node, self.now, || format!("{letter:?}"));
        }
        let is_ack = matches!(letter.body, Body::Ack(_));
        let Some(process) = self.machines[to.node].process(to.run) else { return Ok(()) };
        if process.ledger.receive(letter, now).is_err() {
            self.see(Mark::LetterRejected);
        }
        if is_ack {
            self.release(to)?;
        }
        self.deliver(to)?;
        self.commit(to);
        Ok(())
    }

    pub(crate) fn tick(&mut self, to: To) -> Result<(), Violation> {
        let now = self.boottime(to.node);
        let Some(process) = self.machines[to.node].process(to.run) else { return Ok(()) };
        process.ledger.tick(now);
        self.queue.plan(self.now + TICK, Happening::Tick(to));
        self.deliver(to)?;
        self.commit(to);
        Ok(())
    }

    /// A process is gone: those that talk to it notice, unless their connections are silent.
    pub(crate) fn hang_up(&mut self, node: usize, holder: &Holder) {
        for other in 0..self.machines.len() {
            if other == node || self.is_cut(other, node) || self.is_deaf(other) || self.random.happens(300) {
                continue;
            }
            let Some(run) = self.machines[other].process.as_ref().map(|process| process.run) else { continue };
            let at = self.now + self.random.below(20 * MILLIS);
            self.queue.plan(at, Happening::Refused { to: To { node: other, run }, by: holder.clone() });
        }
    }

    pub(crate) fn refused_by(&mut self, to: To, by: &Holder) -> Result<(), Violation> {
        let now = self.boottime(to.node);
        let Some(process) = self.machines[to.node].process(to.run) else { return Ok(()) };
        process.ledger.is_refused(by, now);
        self.deliver(to)
    }

    /// A link is cut for a while, one way or both.
    pub(crate) fn cut_a_link(&mut self) {
        let (from, to) = (self.random.index(self.machines.len()), self.random.index(self.machines.len()));
        let until = self.now + self.random.below(self.swarm.link_cut_max);
        self.cuts.retain(|(.., until)| *until > self.now);
        self.cuts.push((from, to, until));
        if self.random.happens(500) {
            self.cuts.push((to, from, until));
        }
    }
}
