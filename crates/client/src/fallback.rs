//! What a check gets when nobody could decide it: the word of its policy, as the owner last said it, or of the limiter's options for a
//! client that was never heard of.
//!
//! Only clients whose policy says something else than the options are remembered, so that this costs nothing where all say the same.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use drl_core::caps::CLIENT_REMEMBERED_MAX;
use drl_core::{Cost, LimitKey, Nanos, ShardTime};
use drl_limits::{Decision, OnUnavailable, Reason, Retry};

#[derive(Debug)]
pub(crate) struct Fallback {
    default: OnUnavailable,
    hasher: RandomState,
    /// Spares the lock while nothing is remembered.
    is_used: AtomicBool,
    remembered: Mutex<Generations>,
}

/// What was last heard of a client.
#[derive(Debug, Clone, Copy)]
struct Remembered {
    class: OnUnavailable,
    limit: u64,
    window: Nanos,
    /// Units that are free until `until`; then all are.
    remaining: u64,
    /// On the clock of whoever asks.
    until: Nanos,
    policy_revision: u64,
}

/// Two maps: when the young one is full it becomes the old one, whose entries are forgotten unless somebody asks for them.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<u64, Remembered>,
    old: HashMap<u64, Remembered>,
}

impl Generations {
    fn insert(&mut self, key: u64, value: Remembered) {
        if self.young.len() >= CLIENT_REMEMBERED_MAX / 2 && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    fn get(&self, key: u64) -> Option<Remembered> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    fn remove(&mut self, key: u64) {
        self.young.remove(&key);
        self.old.remove(&key);
    }
}

impl Fallback {
    /// `default` decides for clients whose policy is not known.
    pub(crate) fn new(default: OnUnavailable) -> Self {
        let (hasher, remembered) = (RandomState::new(), Mutex::default());
        Self { default, hasher, is_used: AtomicBool::new(false), remembered }
    }

    /// An owner decided at `now`, a time of any clock that goes on.
    pub(crate) fn heard(&self, key: LimitKey<'_>, decision: &Decision, now: impl FnOnce() -> Nanos) {
        let (class, is_used) = (decision.on_unavailable, self.is_used.load(Ordering::Relaxed));
        // What all are told anyway is not remembered; an estimate needs to know the limit.
        let is_plain = class == self.default && class != OnUnavailable::Local;
        if is_plain && !is_used {
            return;
        }
        let hash = self.hasher.hash_one(key);
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if is_plain {
            remembered.remove(hash);
            return;
        }
        let (limit, window, remaining) = (decision.limit, decision.window, decision.remaining);
        let until = Nanos(now().0.saturating_add(window.0));
        let policy_revision = decision.policy_revision;
        remembered.insert(hash, Remembered { class, limit, window, remaining, until, policy_revision });
        self.is_used.store(true, Ordering::Relaxed);
    }

    /// Decides without an owner.
    pub(crate) fn decide(&self, key: LimitKey<'_>, cost: Cost, now: Nanos) -> Decision {
        let hash = self.hasher.hash_one(key);
        let mut all = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(hash);
        match known.map_or(self.default, |known| known.class) {
            OnUnavailable::Deny => plain(false, OnUnavailable::Deny, known.as_ref()),
            OnUnavailable::Allow => plain(true, OnUnavailable::Allow, known.as_ref()),
            // Without a limit there is nothing to estimate.
            OnUnavailable::Local => match known {
                None => plain(false, OnUnavailable::Local, None),
                Some(mut known) => {
                    let decision = known.estimate(cost, now);
                    all.insert(hash, known);
                    decision
                }
            },
        }
    }
}

impl Remembered {
    /// The limit as a window of this client's own that began when the owner last spoke: what remained then may be used until its end,
    /// the whole limit in each one after.
    fn estimate(&mut self, cost: Cost, now: Nanos) -> Decision {
        if now >= self.until {
            self.remaining = self.limit;
            self.until = Nanos(now.0.saturating_add(self.window.0));
        }
        let wanted = cost.units().max(1);
        let allowed = wanted <= self.remaining;
        if allowed && !cost.is_peek() {
            self.remaining -= wanted;
        }
        let wait = Nanos(self.until.0.saturating_sub(now.0));
        let retry = match allowed {
            true => Retry::Now,
            false if wanted > self.limit => Retry::Never,
            false => Retry::After(wait),
        };
        let is_unused = self.remaining == self.limit;
        Decision {
            retry,
            remaining: self.remaining,
            reset_after: if is_unused { Nanos::ZERO } else { wait },
            reason: Reason::LocalEstimate,
            ..plain(allowed, OnUnavailable::Local, Some(self))
        }
    }
}

/// A decision that knows nothing of the counter.
fn plain(allowed: bool, class: OnUnavailable, known: Option<&Remembered>) -> Decision {
    Decision {
        allowed,
        limit: known.map_or(0, |known| known.limit),
        window: known.map_or(Nanos::ZERO, |known| known.window),
        remaining: 0,
        // Soon: when somebody can decide again is not known.
        retry: if allowed { Retry::Now } else { Retry::After(Nanos::from_secs(1)) },
        reset_after: Nanos::ZERO,
        policy_revision: known.map_or(0, |known| known.policy_revision),
        on_unavailable: class,
        decided_at: ShardTime::ZERO,
        reason: Reason::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use drl_core::{ClientId, Namespace};

    use super::*;

    fn key(client: &str) -> LimitKey<'_> {
        LimitKey::new(Namespace::DEFAULT, ClientId::new(client.as_bytes()).unwrap())
    }

    fn heard(class: OnUnavailable, remaining: u64) -> Decision {
        let known =
            Remembered { class, limit: 10, window: Nanos(100), remaining, until: Nanos::ZERO, policy_revision: 4 };
        Decision { remaining, on_unavailable: class, reason: Reason::WithinLimit, ..plain(true, class, Some(&known)) }
    }

    #[test]
    fn a_client_that_was_never_heard_of_gets_the_default() {
        for (class, allowed) in
            [(OnUnavailable::Deny, false), (OnUnavailable::Allow, true), (OnUnavailable::Local, false)]
        {
            let decision = Fallback::new(class).decide(key("alice"), Cost::ONE, Nanos(5));
            assert_eq!((decision.allowed, decision.reason), (allowed, Reason::Unavailable), "{class:?}");
        }
    }

    #[test]
    fn the_word_of_the_policy_counts_until_it_changes() {
        let fallback = Fallback::new(OnUnavailable::Deny);
        fallback.heard(key("alice"), &heard(OnUnavailable::Allow, 3), || Nanos(0));
        assert!(fallback.decide(key("alice"), Cost::ONE, Nanos(5)).allowed);
        assert!(!fallback.decide(key("bob"), Cost::ONE, Nanos(5)).allowed);
        fallback.heard(key("alice"), &heard(OnUnavailable::Deny, 3), || Nanos(9));
        assert!(!fallback.decide(key("alice"), Cost::ONE, Nanos(10)).allowed);
    }

    #[test]
    fn a_policy_that_denies_is_remembered_where_others_are_allowed() {
        let fallback = Fallback::new(OnUnavailable::Allow);
        fallback.heard(key("alice"), &heard(OnUnavailable::Deny, 3), || Nanos(0));
        assert!(!fallback.decide(key("alice"), Cost::ONE, Nanos(5)).allowed);
        assert!(fallback.decide(key("bob"), Cost::ONE, Nanos(5)).allowed);
    }

    #[test]
    fn a_local_estimate_uses_what_remained_and_then_the_limit_of_each_window() {
        let fallback = Fallback::new(OnUnavailable::Local);
        fallback.heard(key("alice"), &heard(OnUnavailable::Local, 2), || Nanos(0));
        let ask = |at| fallback.decide(key("alice"), Cost::ONE, Nanos(at));
        assert_eq!(ask(1).reason, Reason::LocalEstimate);
        assert!(ask(2).allowed);
        let denied = ask(40);
        assert_eq!((denied.allowed, denied.retry, denied.limit), (false, Retry::After(Nanos(60)), 10));
        let in_next_window = (0..20).filter(|_| ask(100).allowed).count();
        assert_eq!(in_next_window, 10);
        assert!(!ask(199).allowed);
        assert!(ask(200).allowed);
        assert_eq!(fallback.decide(key("alice"), Cost::new(11).unwrap(), Nanos(200)).retry, Retry::Never);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_asked_for_stays() {
        let mut all = Generations::default();
        let value = Remembered {
            class: OnUnavailable::Allow,
            limit: 1,
            window: Nanos(1),
            remaining: 1,
            until: Nanos(1),
            policy_revision: 0,
        };
        for key in 0..3 * CLIENT_REMEMBERED_MAX as u64 {
            all.insert(key, value);
            assert!(all.young.len() + all.old.len() <= CLIENT_REMEMBERED_MAX);
        }
        assert!(all.get(3 * CLIENT_REMEMBERED_MAX as u64 - 1).is_some() && all.get(0).is_none());
    }
}
