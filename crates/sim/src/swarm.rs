//! What a seed's world is like: how many nodes and clients, and how often each fault happens. Each run draws its own mixture
//! (swarm testing, Groce et al. 2012), because faults that are always all on hide each other.

use drl_engine::ownership::Copies;

use crate::random::Random;

pub(crate) const MILLIS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MILLIS;

/// The mixture of one run. Rates are per mille; spans are nanoseconds; a mean of zero means never.
#[derive(Debug, Clone)]
pub struct Swarm {
    pub nodes: usize,
    pub shards: u16,
    pub clients: usize,
    /// Mean time between two checks of one client.
    pub check_every: u64,
    /// Faults happen until then.
    pub chaos: u64,
    /// And everything must be well again by then.
    pub end: u64,
    /// How wrong wall clocks are.
    pub skew_max: u64,
    pub journal_sync: JournalSync,
    pub crash_every: u64,
    /// Of writes of promises and intents: the process dies a moment before or behind their end.
    pub crash_around_writes: u64,
    /// Of crashes: the machine goes down, not only the process.
    pub power: u64,
    /// Of crashes: the disk is lost, or replaced by an older copy, or the node never comes back.
    pub wipe: u64,
    pub copy: u64,
    pub gone: u64,
    pub down_max: u64,
    pub pause_every: u64,
    pub pause_max: u64,
    pub etcd_down_every: u64,
    pub etcd_down_max: u64,
    pub cut_every: u64,
    pub cut_max: u64,
    pub revoke_every: u64,
    /// A node is connected to a member of etcd that has lost the others.
    pub stale_every: u64,
    pub stale_max: u64,
    pub watch_break_every: u64,
    pub disk_fail_every: u64,
    pub drain_every: u64,
    /// Of messages to and from etcd.
    pub etcd_loss: u64,
    pub etcd_late: u64,
    pub watch_duplicates: u64,
    pub watch_delay_max: u64,
    /// Of checks between nodes.
    pub loss: u64,
    /// Of letters between nodes.
    pub letter_loss: u64,
    pub letter_twice: u64,
    pub letter_late: u64,
    pub letter_overtakes: u64,
    pub letter_late_max: u64,
    pub link_cut_every: u64,
    pub link_cut_max: u64,
    /// A node hears nobody, and is heard.
    pub deaf_every: u64,
    pub deaf_max: u64,
    /// Of clients: their admissions may be answered ahead of journal and follower; and how much cost of a shard may be.
    pub async_clients: u64,
    pub async_bound: u64,
    /// Of clients: their limit changes now and then.
    pub changing_clients: u64,
    pub policy_change_every: u64,
    pub policy_delay_max: u64,
    /// How many nodes have the counters of a shard.
    pub copies: Copies,
    /// Of checks: they name an epoch that was never there.
    pub made_up_epochs: u64,
    /// Of answers and of facts that are on disk: said twice.
    pub said_twice: u64,
    /// Of writes to a disk: they hang.
    pub disk_hangs: u64,
    pub disk_hangs_max: u64,
    /// Whether etcd comes back from a backup in the end.
    pub backup: Backup,
}

/// What happens to etcd at the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backup {
    /// It is well, and so is everything else.
    Unused,
    /// It is what it was at some earlier moment.
    Restored,
    /// The same, under a revision that is higher than any before (`etcdutl snapshot restore --bump-revision`).
    RestoredAndBumped,
}

/// When frames reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalSync {
    Commit,
    /// A while later: what a power cut takes is noticed at the next start.
    Interval,
}

impl Swarm {
    /// The mixture of a seed.
    #[must_use]
    pub fn draw(random: &mut Random) -> Self {
        // What came later is drawn aside, so that the seeds from before are what they were.
        let mut aside = random.aside();
        let chaos = random.between(60, 300) * SECOND;
        let sometimes = |random: &mut Random, share: u64, from: u64, to: u64| {
            if random.happens(share) { random.between(from, to) * SECOND } else { 0 }
        };
        Self {
            nodes: random.index(4) + 2,
            shards: 8,
            clients: 8 + random.index(5),
            check_every: random.between(100, 1_500) * MILLIS,
            chaos,
            end: chaos + 160 * SECOND,
            skew_max: [0, 2 * SECOND, 120 * SECOND, 86_400 * SECOND][random.index(4)],
            journal_sync: if random.happens(600) { JournalSync::Commit } else { JournalSync::Interval },
            crash_every: sometimes(random, 700, 10, 150),
            crash_around_writes: [0, 0, 10, 150][random.index(4)],
            power: [0, 200, 700][random.index(3)],
            wipe: [0, 0, 150, 400][random.index(4)],
            copy: [0, 0, 150, 400][random.index(4)],
            gone: [0, 0, 100][random.index(3)],
            down_max: [2, 10, 100][random.index(3)] * SECOND,
            pause_every: sometimes(random, 500, 10, 120),
            pause_max: [2, 20, 90, 150][random.index(4)] * SECOND,
            etcd_down_every: sometimes(random, 500, 40, 200),
            etcd_down_max: [3, 30, 100][random.index(3)] * SECOND,
            cut_every: sometimes(random, 600, 15, 120),
            cut_max: [8, 40, 150][random.index(3)] * SECOND,
            revoke_every: sometimes(random, 300, 15, 100),
            stale_every: sometimes(&mut aside, 250, 15, 100),
            stale_max: [8, 30, 90][aside.index(3)] * SECOND,
            watch_break_every: sometimes(random, 300, 5, 60),
            disk_fail_every: sometimes(random, 200, 30, 200),
            drain_every: sometimes(random, 200, 60, 200),
            etcd_loss: [0, 0, 10, 80][random.index(4)],
            etcd_late: [0, 0, 20, 80][random.index(4)],
            watch_duplicates: [0, 100][random.index(2)],
            watch_delay_max: [20 * MILLIS, SECOND, 20 * SECOND][random.index(3)],
            loss: [0, 20, 200][random.index(3)],
            letter_loss: [0, 0, 10, 100][random.index(4)],
            letter_twice: [0, 50][random.index(2)],
            letter_overtakes: [0, 0, 30, 300][random.index(4)],
            letter_late: [0, 20, 200][random.index(3)],
            letter_late_max: [20 * MILLIS, 500 * MILLIS, 5 * SECOND][random.index(3)],
            link_cut_every: sometimes(random, 500, 5, 60),
            link_cut_max: [SECOND, 10 * SECOND, 90 * SECOND][random.index(3)],
            async_clients: [0, 0, 300][random.index(3)],
            async_bound: random.between(1, 6),
            changing_clients: [0, 0, 300][random.index(3)],
            policy_change_every: random.between(2, 40) * SECOND,
            policy_delay_max: [50 * MILLIS, SECOND, 20 * SECOND][random.index(3)],
            copies: if random.happens(150) { Copies::One } else { Copies::Two },
            made_up_epochs: [0, 0, 2, 20][random.index(4)],
            said_twice: [0, 50][random.index(2)],
            disk_hangs: [0, 0, 5][random.index(3)],
            disk_hangs_max: [SECOND, 5 * SECOND, 100 * SECOND][random.index(3)],
            backup: match random.below(40) {
                0 => Backup::Restored,
                1 => Backup::RestoredAndBumped,
                _ => Backup::Unused,
            },
            deaf_every: sometimes(&mut aside, 250, 15, 100),
            deaf_max: [3, 10, 80][aside.index(3)] * SECOND,
        }
    }

    /// A world without faults.
    #[must_use]
    pub const fn quiet(seconds: u64) -> Self {
        Self {
            nodes: 3,
            shards: 8,
            clients: 8,
            check_every: 4 * SECOND,
            chaos: 0,
            end: seconds * SECOND,
            skew_max: 2 * SECOND,
            journal_sync: JournalSync::Commit,
            crash_every: 0,
            crash_around_writes: 0,
            power: 0,
            wipe: 0,
            copy: 0,
            gone: 0,
            down_max: 0,
            pause_every: 0,
            pause_max: 0,
            etcd_down_every: 0,
            etcd_down_max: 0,
            cut_every: 0,
            cut_max: 0,
            revoke_every: 0,
            stale_every: 0,
            stale_max: 0,
            watch_break_every: 0,
            disk_fail_every: 0,
            drain_every: 0,
            etcd_loss: 0,
            etcd_late: 0,
            watch_duplicates: 0,
            watch_delay_max: 20 * MILLIS,
            loss: 0,
            letter_loss: 0,
            letter_twice: 0,
            letter_late: 0,
            letter_overtakes: 0,
            letter_late_max: 0,
            link_cut_every: 0,
            link_cut_max: 0,
            deaf_every: 0,
            deaf_max: 0,
            async_clients: 0,
            async_bound: 0,
            changing_clients: 0,
            policy_change_every: 0,
            policy_delay_max: 0,
            copies: Copies::One,
            made_up_epochs: 0,
            said_twice: 0,
            disk_hangs: 0,
            disk_hangs_max: 0,
            backup: Backup::Unused,
        }
    }
}
