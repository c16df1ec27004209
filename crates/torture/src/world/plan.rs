//! What a world is made of, before there is one.

/// How nodes reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Net {
    #[default]
    Loopback,
    /// A namespace each, on a bridge.
    Namespaces,
    /// A proxy before each.
    Proxies,
}

/// Where a node keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Disks {
    #[default]
    Usual,
    /// File systems in memory of 128 MiB, of the nodes.
    SmallOfNodes,
    /// File systems in memory of 300 MiB, of etcd.
    SmallOfEtcd,
    /// Those of the nodes forget, at a power cut, what was not put on them.
    Lossy,
}

/// What a world is made of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub nodes: usize,
    pub etcd: usize,
    pub net: Net,
    pub disks: Disks,
    /// Wall clocks that can be moved, and monotonic clocks that begin at different times.
    pub has_clocks: bool,
    /// Groups that bound memory and processors.
    pub has_rooms: bool,
    /// The program, beside this one: `drl`, or the one with faults of its own.
    pub program: Option<String>,
    pub flags: Vec<String>,
    pub etcd_flags: Vec<String>,
    /// What nodes find in their environment.
    pub environment: Vec<(String, String)>,
}
