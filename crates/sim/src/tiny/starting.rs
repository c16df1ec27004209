//! The tiny world begins: three nodes, an owner, a follower in sync, and nothing under way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use drl_core::{KeyHash, Nanos, NodeId, ShardCount};
use drl_engine::ownership::{Authority, Copies, Event, Identity, NodeAgent};
use drl_limits::{Algorithm, Limit, Policy, PolicySpec, Window};

use super::node::{Node, Running};
use super::{Act, Budget, LIMIT, Link, Tiny};
use crate::disk::Disk;
use crate::etcd::Etcd;
use crate::plant::Plant;
use crate::random::Random;

/// The length of the limit's window.
pub(super) const WINDOW: Nanos = Nanos::from_secs(10);

/// Time stands still, so nothing ever runs out.
const LONG: Nanos = Nanos::from_secs(1_000_000);

impl Tiny {
    /// A world with an owner and a follower in sync. `None` when it cannot be built.
    #[must_use]
    pub fn begin(plant: Plant, budget: Budget) -> Option<Self> {
        let limits = vec![Limit::new(LIMIT, Window::new(WINDOW).ok()?).ok()?];
        let spec = PolicySpec { limits, algorithm: Algorithm::FixedWindow, ..PolicySpec::default() };
        let node = |number: usize| {
            Some(Node { id: NodeId::new(&format!("n{number}")).ok()?, disk: Disk::empty(1), running: None })
        };
        let mut world = Self {
            plant,
            nodes: (0..3).map(node).collect::<Option<_>>()?,
            etcd: Etcd::new(1),
            links: BTreeMap::new(),
            budget: Budget {
                asks: 0,
                resets: 0,
                ticks: 200,
                suspicions: 0,
                crashes: 0,
                wipes: 0,
                drains: 0,
                windows: 0,
            },
            now: Nanos::from_secs(1_000),
            generations: 0,
            key: KeyHash::from_bytes([7; 16]),
            policy: Arc::new(Policy::new(spec).ok()?),
            answered: BTreeMap::new(),
            owners: BTreeMap::new(),
            violation: None,
            digest: 0,
        };
        for number in 0..3 {
            world.start(number);
            world.settle();
        }
        for _ in 0..20 {
            (0..3).for_each(|number| world.act(Act::Tick(number)));
            world.settle();
        }
        world.budget = budget;
        world.seal();
        world.is_in_sync().then_some(world)
    }

    /// Lets everything happen that is under way, in order.
    fn settle(&mut self) {
        let is_under_way = |act: &Act| matches!(act, Act::Deliver(_) | Act::Persisted(_) | Act::Committed(_));
        while let Some(act) = self.acts().into_iter().find(is_under_way) {
            self.act(act);
        }
    }

    pub(super) fn start(&mut self, number: usize) {
        let plant = self.plant;
        let node = &mut self.nodes[number];
        let (recoverer, found) = node.disk.recover(1, plant, false, &mut Random::new(0));
        let ledger = recoverer.into_ledger(node.disk.last());
        let authority = Authority { span: LONG, beat_every: LONG, relist_every: LONG, ..Authority::default() };
        let shards = ShardCount::new(1).unwrap_or(ShardCount::DEFAULT);
        let identity = Identity { node: node.id.clone(), shards, authority, copies: Copies::Two };
        node.running = Some(Running {
            agent: NodeAgent::with_bugs(identity, plant),
            ledger,
            committing: None,
            persisting: VecDeque::new(),
            waiting: Vec::new(),
        });
        self.links.remove(&Link::FromEtcd(number));
        self.links.remove(&Link::Watch(number));
        self.step(number, Event::Started(Box::new(found)));
    }
}
