//! Who may hold shards: a node, the machine it runs on, and whether it is on its way out. Members are values from outside;
//! nothing here knows whether they live.

use drl_core::NodeId;

/// A living node, as its own entry in the list of nodes says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    pub node: NodeId,
    /// What fails together with other nodes of the same name: a host, a rack, a zone. `None` is a machine of its own.
    pub machine: Option<Box<str>>,
    pub duty: Duty,
}

/// Whether a member wants shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// It takes its share.
    Serving,
    /// It gives everything away before it stops.
    Draining,
}

impl Member {
    /// A serving node on a machine of its own.
    #[must_use]
    pub const fn new(node: NodeId) -> Self {
        Self { node, machine: None, duty: Duty::Serving }
    }

    #[must_use]
    pub fn on(self, machine: &str) -> Self {
        Self { machine: Some(machine.into()), ..self }
    }

    #[must_use]
    pub fn draining(self) -> Self {
        Self { duty: Duty::Draining, ..self }
    }
}
