//! Messages on their way, and etcd at the end of it.

use drl_core::Generation;
use drl_engine::ownership::{Event, View};

use super::{Link, Tiny, Wire};

impl Tiny {
    pub(super) fn put(&mut self, link: Link, wire: Wire) {
        self.links.entry(link).or_default().push_back(wire);
    }

    pub(super) fn broadcast(&mut self, view: &View) {
        for node in (0..self.nodes.len()).filter(|node| self.nodes[*node].running.is_some()).collect::<Vec<_>>() {
            self.put(Link::Watch(node), Wire::View(Box::new(view.clone())));
        }
    }

    pub(super) fn deliver(&mut self, link: Link) {
        let Some(wires) = self.links.get_mut(&link) else { return };
        let wire = wires.pop_front();
        if wires.is_empty() {
            self.links.remove(&link);
        }
        match (link, wire) {
            (Link::Letters(_, to), Some(Wire::Letter(letter))) => {
                let now = self.now;
                if let Some(running) = &mut self.nodes[to].running {
                    // A letter for an earlier lifetime is rejected, and that is all.
                    let _ = running.ledger.receive(letter, now);
                }
                self.carry_away(to);
            }
            (Link::ToEtcd(from), Some(wire)) => self.at_etcd(from, wire),
            (Link::FromEtcd(to), Some(Wire::Event(event))) => self.step(to, *event),
            (Link::Watch(to), Some(Wire::View(view))) => self.step(to, Event::Changed(*view)),
            _ => {}
        }
    }

    fn at_etcd(&mut self, from: usize, wire: Wire) {
        let event = match wire {
            Wire::Grant(token) => {
                self.generations += 1;
                Event::Granted { token, lease: self.etcd.grant(0), generation: Generation(self.generations) }
            }
            Wire::Revoke(token, lease) => {
                if let Some(view) = self.etcd.revoke(lease) {
                    self.broadcast(&view);
                }
                Event::Revoked { token }
            }
            Wire::Transact(token, transaction) => {
                let (outcome, changed) = self.etcd.transact(&transaction);
                if let Some(view) = changed {
                    self.broadcast(&view);
                }
                Event::Ended { token, outcome }
            }
            _ => return,
        };
        if self.nodes[from].running.is_some() {
            self.put(Link::FromEtcd(from), Wire::Event(Box::new(event)));
        }
    }
}
