//! Chains of handovers, for followers that cannot be placed directly because owner and follower must not share a machine: `a`
//! takes the shard and passes another one on to `b`, which may follow that one. The shortest chain is taken, found breadth
//! first over nodes in order; each link moves one shard. Where no machine is crowded, chains are rare.
//!
//! Every chain ends within the bands, or nearer to them; so this stops, and a second plan finds nothing to do.

use std::cmp::Reverse;

use drl_core::ShardId;

use crate::band::Band;
use crate::plan::followers::FollowerTerms;
use crate::plan::offer::Terms;
use crate::plan::seating::Seating;
use crate::ring::{Machine, Ring, Slot};

/// Which machines bar the shards that a node follows.
#[derive(Clone, Copy)]
enum Bars {
    /// It follows nothing.
    Nothing,
    /// All its shards are owned on this machine.
    One(Machine),
    /// Whatever a node's machine, one of the shards may go there.
    Several,
}

/// Who may be part of a chain.
pub(super) struct Relay<'a> {
    pub(super) ring: &'a Ring,
    pub(super) terms: &'a FollowerTerms<'a>,
    /// By node.
    pub(super) bands: &'a [Band],
}

impl Relay<'_> {
    /// Gives every shard that still has no follower to a node that may follow it, over a chain if that one has no room. There
    /// is one: were all nodes full that a chain reaches, more shards would be confined to them than they have room for, which
    /// the bands exclude.
    pub(super) fn place_the_rest(&self, seating: &mut Seating) {
        for shard in seating.shards() {
            if seating.node_at(shard).is_some() {
                continue;
            }
            let eligible: Vec<Slot> = self.ring.slots().filter(|node| self.terms.may_hold(shard, *node)).collect();
            let has_room = |node: Slot| seating.load(node) < self.bands[node.0].cap;
            if let Some(chain) = self.chain(seating, &eligible, has_room) {
                self.pass_on(seating, &chain);
                seating.seat(shard, chain[0]);
            }
        }
    }

    /// Moves shards away from nodes above their cap, then to nodes below their low end, as long as there is a chain.
    pub(super) fn relieve(&self, seating: &mut Seating) {
        for node in self.ring.slots() {
            while seating.load(node) > self.bands[node.0].cap {
                let has_room = |end: Slot| seating.load(end) < self.bands[end.0].cap;
                let Some(chain) = self.chain(seating, &[node], has_room) else { break };
                self.pass_on(seating, &chain);
            }
        }
        for node in self.ring.slots() {
            while seating.load(node) < self.bands[node.0].low {
                let mut able: Vec<Slot> = self.ring.slots().collect();
                able.retain(|from| seating.load(*from) > self.bands[from.0].low);
                able.sort_by_key(|from| Reverse(self.height(seating, *from)));
                let found = able.iter().find_map(|from| self.chain(seating, &[*from], |end| end == node));
                let Some(chain) = found else { break };
                self.pass_on(seating, &chain);
            }
        }
    }

    fn height(&self, seating: &Seating, node: Slot) -> isize {
        self.bands[node.0].height(seating.load(node))
    }

    /// The shortest chain of nodes from one of `starts` to one that `is_end`, each able to pass a shard on to the next; of
    /// several ends the lowest.
    fn chain(&self, seating: &Seating, starts: &[Slot], is_end: impl Fn(Slot) -> bool) -> Option<Vec<Slot>> {
        let bars = self.bars(seating);
        let may_pass = |from: Slot, to: Slot| match bars[from.0] {
            Bars::Nothing => false,
            Bars::One(machine) => machine != self.ring.machine(to),
            Bars::Several => true,
        };
        let mut reached_from: Vec<Option<Slot>> = vec![None; bars.len()];
        let mut frontier = starts.to_vec();
        let mut unreached: Vec<Slot> = self.ring.slots().filter(|slot| !starts.contains(slot)).collect();
        while !frontier.is_empty() {
            let ends = frontier.iter().copied().filter(|node| is_end(*node));
            if let Some(end) = ends.min_by_key(|node| self.height(seating, *node)) {
                let mut chain: Vec<Slot> = std::iter::successors(Some(end), |node| reached_from[node.0]).collect();
                chain.reverse();
                return Some(chain);
            }
            let mut next = Vec::new();
            unreached.retain(|to| {
                let from = frontier.iter().find(|from| may_pass(**from, *to));
                reached_from[to.0] = from.copied();
                next.extend(from.map(|_| *to));
                from.is_none()
            });
            frontier = next;
        }
        None
    }

    fn bars(&self, seating: &Seating) -> Vec<Bars> {
        let mut bars = vec![Bars::Nothing; seating.loads().len()];
        for shard in seating.shards() {
            if let (Some(node), Some(machine)) = (seating.node_at(shard), self.terms.barred(shard)) {
                let known = &mut bars[node.0];
                *known = match *known {
                    Bars::Nothing => Bars::One(machine),
                    Bars::One(other) if other == machine => Bars::One(machine),
                    Bars::One(_) | Bars::Several => Bars::Several,
                };
            }
        }
        bars
    }

    /// Every node of the chain passes one shard on to the next one, and not the one it just received: that one would have made
    /// the chain shorter. It prefers a shard of which it has no copy at present: that one has to be sent anyway.
    fn pass_on(&self, seating: &mut Seating, chain: &[Slot]) {
        for link in chain.windows(2) {
            let fits =
                |shard: &ShardId| seating.node_at(*shard) == Some(link[0]) && self.terms.may_hold(*shard, link[1]);
            let has_copy = |shard: &ShardId| self.terms.has_copy(*shard, link[0]);
            if let Some(shard) = seating.shards().filter(fits).min_by_key(has_copy) {
                seating.seat(shard, link[1]);
            }
        }
    }
}
