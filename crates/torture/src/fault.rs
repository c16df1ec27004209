//! What is done to a world. A fault begins, lasts, and is cured; what it needs of the world, and for how long it lasts when nobody chose, is in
//! [`FAULTS`].

mod begin;

use std::time::Duration;

use anyhow::Result;
use drl_tests::load::Chance;

use crate::clocks;
use crate::room;
use crate::shell;
use crate::world::{Disks, Net, Plan, World};

/// Takes a fault back. What it cannot cure it says.
pub(crate) type Cure = Box<dyn FnOnce(&mut World) -> Result<()>>;

/// What a fault was done to, in words, and how it is cured.
pub(crate) struct Begun {
    pub to: String,
    pub cure: Cure,
}

/// What a fault needs of its world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    Namespaces,
    Proxies,
    Clocks,
    Rooms,
    ThreeEtcd,
    SmallDisks(Disks),
}

/// A fault.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    pub name: &'static str,
    pub needs: Needs,
    pub lasts: Duration,
    /// How many owners may be taken over from while it lasts, at most, for each shard.
    pub take_overs: u64,
    pub begin: fn(&mut World, &mut Chance) -> Result<Begun>,
}

const fn fault(
    name: &'static str,
    needs: Needs,
    (seconds, take_overs): (u64, u64),
    begin: fn(&mut World, &mut Chance) -> Result<Begun>,
) -> Fault {
    Fault { name, needs, lasts: Duration::from_secs(seconds), take_overs, begin }
}

/// Every fault.
pub(crate) const FAULTS: &[Fault] = &[
    fault("nothing", Needs::Nothing, (3, 0), begin::nothing),
    fault("SIGTERM and back", Needs::Nothing, (3, 0), begin::restart),
    fault("SIGKILL", Needs::Nothing, (4, 1), begin::kill),
    fault("SIGKILL of two", Needs::Nothing, (4, 2), begin::kill_two),
    fault("SIGKILL of all", Needs::Nothing, (1, 1), begin::kill_all),
    fault("SIGSTOP 0.5 s", Needs::Nothing, (1, 1), begin::pause_shortly),
    fault("SIGSTOP 8 s", Needs::Nothing, (8, 1), begin::pause),
    fault("SIGSTOP 75 s", Needs::Nothing, (75, 1), begin::pause),
    fault("link cut", Needs::Namespaces, (8, 2), begin::cut_link),
    fault("link cut, one way", Needs::Namespaces, (8, 2), begin::cut_one_way),
    fault("all links between nodes cut", Needs::Namespaces, (8, 3), begin::cut_all),
    fault("node isolated", Needs::Namespaces, (8, 1), begin::isolate),
    fault("node isolated 75 s", Needs::Namespaces, (75, 1), begin::isolate),
    fault("node hears nobody", Needs::Namespaces, (8, 2), begin::deafen),
    fault("nobody hears a node", Needs::Namespaces, (8, 2), begin::mute),
    fault("node cut from etcd", Needs::Namespaces, (20, 1), begin::cut_from_etcd),
    fault("proxy: 30 ms later", Needs::Proxies, (8, 1), begin::delay),
    fault("proxy: connections break", Needs::Proxies, (8, 3), begin::flaky),
    fault("proxy: half-open", Needs::Proxies, (8, 1), begin::half_open),
    fault("proxy: answers are lost", Needs::Proxies, (8, 1), begin::deaf_proxy),
    fault("wall clock +1 h", Needs::Clocks, (5, 1), begin::wall_hour_ahead),
    fault("wall clock -1 h", Needs::Clocks, (5, 1), begin::wall_hour_behind),
    fault("wall clock +10 s", Needs::Clocks, (5, 1), begin::wall_ahead),
    fault("wall clock -10 s", Needs::Clocks, (5, 1), begin::wall_behind),
    fault("etcd stopped 20 s", Needs::Nothing, (20, 0), begin::stop_etcd),
    fault("etcd stopped 90 s", Needs::Nothing, (90, 1), begin::stop_etcd),
    fault("etcd leader killed", Needs::ThreeEtcd, (8, 1), begin::kill_etcd_leader),
    fault("etcd disk full", Needs::SmallDisks(Disks::SmallOfEtcd), (15, 1), begin::fill_etcd_disk),
    fault("node disk full", Needs::SmallDisks(Disks::SmallOfNodes), (8, 1), begin::fill_node_disk),
    fault("memory short", Needs::Rooms, (8, 1), begin::little_memory),
    fault("processor short", Needs::Rooms, (8, 2), begin::little_processor),
];

impl Fault {
    /// Adds to a world what this needs.
    pub(crate) fn furnish(&self, plan: &mut Plan) {
        match self.needs {
            Needs::Nothing => {}
            Needs::Namespaces => plan.net = Net::Namespaces,
            Needs::Proxies => plan.net = Net::Proxies,
            Needs::Clocks => plan.has_clocks = true,
            Needs::Rooms => plan.has_rooms = true,
            Needs::ThreeEtcd => plan.etcd = 3,
            Needs::SmallDisks(disks) => plan.disks = disks,
        }
    }

    /// Whether a world has what this needs.
    #[must_use]
    pub(crate) fn fits(&self, plan: &Plan) -> bool {
        match self.needs {
            Needs::Nothing => true,
            Needs::Namespaces => plan.net == Net::Namespaces,
            Needs::Proxies => plan.net == Net::Proxies,
            Needs::Clocks => plan.has_clocks,
            Needs::Rooms => plan.has_rooms,
            Needs::ThreeEtcd => plan.etcd == 3,
            Needs::SmallDisks(disks) => plan.disks == disks,
        }
    }
}

/// Why what is needed cannot be had here; `None` when it can. `is_inside`: in namespaces of our own.
#[must_use]
pub(crate) fn lacks(needs: Needs, is_inside: bool) -> Option<&'static str> {
    match needs {
        Needs::Namespaces if !is_inside => Some("namespaces are not permitted"),
        Needs::Namespaces if !(shell::has("ip") && shell::has("nft")) => {
            Some("no ip or nft (apt-get install iproute2 nftables)")
        }
        Needs::Clocks if !clocks::are_possible() => {
            Some("no libfaketime, or no time namespaces (apt-get install faketime)")
        }
        Needs::Rooms if !room::is_possible() => Some("control groups may not be made"),
        Needs::SmallDisks(_) if !is_inside => Some("nothing may be mounted"),
        _ => None,
    }
}
