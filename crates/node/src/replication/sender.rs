//! Hands every letter to the link of the lifetime that it is for.

use std::collections::BTreeMap;
use std::sync::Arc;

use drl_core::caps::REPLICATION_LINKS_MAX;
use drl_engine::ownership::Holder;
use drl_engine::replication::Letter;

use super::addresses::Addresses;
use super::link::{Keeper, Link};
use super::queue::Queue;
use super::waiting::Put;
use super::{Outbox, Sending};
use crate::metrics::ReplicationEvent as Event;

pub(super) struct Sender<O> {
    sending: Sending<O>,
    addresses: Addresses,
    links: BTreeMap<Holder, Link>,
}

impl<O: Outbox> Sender<O> {
    pub(super) fn new(sending: Sending<O>) -> Self {
        let mut sender = Self { sending, addresses: Addresses::default(), links: BTreeMap::new() };
        sender.learn();
        sender
    }

    /// Until there are no letters any more.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                letter = self.sending.outbox.next() => match letter {
                    Some(letter) => self.post(letter),
                    None => return,
                },
                Ok(()) = self.sending.placement.changed() => self.learn(),
            }
        }
    }

    fn learn(&mut self) {
        let placement = Arc::clone(&self.sending.placement.borrow_and_update());
        self.addresses.learn(&placement);
    }

    fn post(&mut self, letter: Letter) {
        let put = match self.links.get(&letter.to).filter(|link| !link.is_over()) {
            Some(link) => Some(link.put(letter)),
            None => self.open(&letter.to).map(|link| link.put(letter)),
        };
        self.sending.counts.note(match put {
            Some(Put::Waits) => Event::Given,
            Some(Put::Full) => Event::Full,
            None => Event::TooManyLinks,
        });
    }

    /// A new link; `None` when there are as many as there may be.
    fn open(&mut self, to: &Holder) -> Option<&Link> {
        self.links.retain(|_, link| !link.is_over());
        if self.links.len() >= REPLICATION_LINKS_MAX {
            return None;
        }
        let link = Link::open(Keeper {
            cluster: Arc::clone(&self.sending.cluster),
            queue: Arc::new(Queue::new(to.clone())),
            placement: self.sending.placement.clone(),
            address: self.addresses.of(to),
            addressee: Arc::clone(&self.sending.addressee),
            counts: Arc::clone(&self.sending.counts),
        });
        Some(self.links.entry(to.clone()).insert_entry(link).into_mut())
    }
}
