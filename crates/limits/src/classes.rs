//! The classes of a policy: how safely its counters are kept, and what to answer when nobody can decide. They are names that people
//! write in a policy; what they cause is the business of the crates above.

/// Makes a set of named choices: the enum, its `Display` and its `FromStr`, which lists what is allowed.
macro_rules! named_choices {
    ($(#[$doc:meta])* $name:ident ($what:literal) { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// The name as it is written in a policy.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownName::new($what, text, &[$($text),+])),
                }
            }
        }
    };
}
pub(crate) use named_choices;

/// A word that is none of the names a field may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {found:?} is unknown; use {}", allowed.join(", "))]
pub struct UnknownName {
    /// The field.
    pub what: &'static str,
    /// What was written, cut to a length that fits a log line.
    pub found: String,
    pub allowed: &'static [&'static str],
}

impl UnknownName {
    pub(crate) fn new(what: &'static str, found: &str, allowed: &'static [&'static str]) -> Self {
        Self { what, found: found.chars().take(64).collect(), allowed }
    }
}

named_choices! {
    /// What a token bucket keeps when its rate or burst changes.
    Carry("carry") {
        /// The units that were spent: 60 of 100 used is 60 of 200 used. For policies that operators change.
        #[default]
        Units = "units",
        /// The time at which it is full again, as redis-cell keeps it. For limits that come with each command.
        Time = "time",
    }
}

named_choices! {
    /// When the reply of an admission may leave.
    Durability("durability") {
        /// After the follower (or, alone, the disk) has it: never over the limit, whatever fails.
        #[default]
        Replicated = "replicated",
        /// At once: after a crash the excess is at most what was not yet acknowledged.
        Async = "async",
    }
}

named_choices! {
    /// What a client library answers while nobody who may decide can be reached.
    OnUnavailable("on_unavailable") {
        #[default]
        Deny = "deny",
        Allow = "allow",
        /// An estimate from what this process itself has seen.
        Local = "local",
    }
}

named_choices! {
    /// What a counter starts as when both copies of its shard are lost.
    OnStateLoss("on_state_loss") {
        /// As exhausted: nobody gets more than the limit.
        #[default]
        Deny = "deny",
        /// As fresh: nobody is denied, somebody may get the limit twice.
        Allow = "allow",
    }
}

named_choices! {
    /// Whether a denial is enforced.
    Mode("mode") {
        #[default]
        Enforce = "enforce",
        /// Decide and count, but always allow; the caller of this crate turns the answer around.
        Shadow = "shadow",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_an_unknown_one_lists_the_allowed() {
        for durability in [Durability::Replicated, Durability::Async] {
            assert_eq!(durability.to_string().parse(), Ok(durability));
        }
        for on_unavailable in [OnUnavailable::Deny, OnUnavailable::Allow, OnUnavailable::Local] {
            assert_eq!(on_unavailable.to_string().parse(), Ok(on_unavailable));
        }
        for on_state_loss in [OnStateLoss::Deny, OnStateLoss::Allow] {
            assert_eq!(on_state_loss.to_string().parse(), Ok(on_state_loss));
        }
        for mode in [Mode::Enforce, Mode::Shadow] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        let error = "Sync".parse::<Durability>().unwrap_err();
        assert_eq!(error.to_string(), "durability \"Sync\" is unknown; use replicated, async");
    }
}
