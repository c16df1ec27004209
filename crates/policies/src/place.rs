//! Whom a policy is for, as a key says it and as a policy set does: the same three cases, in crates that do not know each other.

use drl_configuration::Selector;
use drl_coordination::{InvalidKey, Key, Keys, LimitPlace, Place, Whom};

pub(crate) fn selector(whom: Whom) -> Selector {
    match whom {
        Whom::Default => Selector::Default,
        Whom::Prefix(prefix) => Selector::Prefix(prefix),
        Whom::Client(id) => Selector::Client(id),
    }
}

pub(crate) fn whom(selector: &Selector) -> Whom {
    match selector {
        Selector::Default => Whom::Default,
        Selector::Prefix(prefix) => Whom::Prefix(prefix.clone()),
        Selector::Client(id) => Whom::Client(id.clone()),
    }
}

/// Whose policy a key holds.
pub(crate) fn of(keys: &Keys, key: &Key) -> Result<LimitPlace, InvalidKey> {
    match keys.parse(key)? {
        Place::Limit(place) => Ok(place),
        Place::Settings | Place::Node(_) | Place::Heartbeat(_) | Place::Shard(_) => {
            Err(InvalidKey::Limit { key: key.clone() })
        }
    }
}
