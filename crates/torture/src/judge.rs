//! What came of a run: whether anybody got too much or was denied needlessly (by the checker of the simulator), how long clients were
//! without an answer, and how long until everybody was answered again.

use std::time::Duration;

use drl_core::ShardTime;
use drl_core::caps::ASYNC_UNACKED_COST;
use drl_limits::Durability;
use drl_sim::history::{Admitted, Denied, in_real_time, in_shard_time, is_needed};

use crate::clients::{Client, Door, GROUPS};
use crate::load::{Asked, Said};

/// An answer that took longer may be of a check that was asked again, of another owner, and charged twice.
const ASKED_AGAIN: u64 = 20_000_000;

/// What is wrong when both copies of a shard were given up.
const LOST: &str = "the state of a shard was lost";

/// What one group of clients saw.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cell {
    /// The most that any client got over a limit.
    pub over: u64,
    pub needless: u64,
    /// Denials because the state of a shard was lost.
    pub lost: u64,
    pub granted: u64,
    pub denied: u64,
    /// Checks without an answer.
    pub unanswered: u64,
    /// The longest that any client was without an answer.
    pub silence: Duration,
    /// How long after the end of the last fault until every client was answered.
    pub recovery: Duration,
}

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    pub cells: [Cell; 6],
    /// What should not be, in words.
    pub wrongs: Vec<String>,
}

/// What the judge has to know of a run. Times are nanoseconds since it began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    /// When the last fault ended.
    pub healed: u64,
    /// How long whoever stood still may have been late: a check that was given up may have been charged by then.
    pub late: u64,
    /// How often owners may have been taken over from without a plan.
    pub take_overs: u64,
}

impl Circumstances {
    /// What may be admitted on top of a limit.
    fn bound(&self, client: &Client) -> u64 {
        match GROUPS[client.group].durability {
            Durability::Replicated => 0,
            Durability::Async => self.take_overs * ASYNC_UNACKED_COST,
        }
    }
}

impl Verdict {
    /// Judges what everybody saw.
    #[must_use]
    pub(crate) fn of(histories: &[(Client, Vec<Asked>)], circumstances: &Circumstances) -> Self {
        let mut verdict = Self::default();
        let is_lost = |asked: &Asked| asked.said == Said::StateLost;
        if histories.iter().any(|(_, history)| history.iter().any(is_lost)) {
            verdict.wrongs.push(LOST.to_owned());
        }
        for (client, history) in histories {
            verdict.judge(client, history, circumstances);
        }
        verdict
    }

    /// Compares what a client was granted with what its owner counts as used in the end: what was forgotten would be admitted twice.
    pub(crate) fn remembers(&mut self, client: &Client, history: &[Asked], used: u64, circumstances: &Circumstances) {
        let granted = history.iter().filter(|asked| asked.said == Said::Granted).count() as u64;
        let (forgotten, bound) = (granted.saturating_sub(used), circumstances.bound(client));
        let cell = &mut self.cells[client.group];
        cell.over = cell.over.max(forgotten);
        if forgotten > bound {
            self.wrongs.push(format!("{} was granted {granted}, and {used} count as used", client.id));
        }
    }

    fn has_lost(&self) -> bool {
        self.wrongs.first().is_some_and(|first| first == LOST)
    }

    fn judge(&mut self, client: &Client, history: &[Asked], circumstances: &Circumstances) {
        let (charges, before) = charges(history, circumstances.late);
        let over = over(client, &charges);
        let bound = circumstances.bound(client);
        if over > bound {
            self.wrongs.push(format!("{} got {over} over its limit, where {bound} are allowed", client.id));
        }
        if bound == 0
            && let Err(violation) = in_shard_time(&client.policy, &charges)
        {
            self.wrongs.push(format!("{}, in shard time: {violation}", client.id));
            self.cells[client.group].over = self.cells[client.group].over.max(1);
        }
        // Through this door nobody tells shard time. It may be late by as long as the shard did not answer, and its windows last so much longer.
        let (silence, stretch) = (silence(history), |silence: Duration| u64::try_from(silence.as_nanos()).unwrap_or(0));
        let stretched = |charge: &Admitted| Admitted { real: charge.real + stretch(silence), ..*charge };
        let may_count: Vec<Admitted> = charges.iter().map(stretched).collect();
        let needless = needless(client, history, &may_count, &before);
        let is_told = client.door == Door::Rust || !self.has_lost();
        if let Some(first) = needless.first().filter(|_| is_told) {
            let (count, at) = (needless.len(), seconds(first.sent));
            self.wrongs.push(format!("{} was denied {count} times without need, first at {at:.3} s", client.id));
        }
        let count = |said: Said| history.iter().filter(|asked| asked.said == said).count() as u64;
        let cell = &mut self.cells[client.group];
        cell.over = cell.over.max(over);
        // Where state was lost, clients of this door were denied for that, and nobody told them.
        let (without_need, lost) = if is_told { (needless.len(), 0) } else { (0, needless.len()) };
        cell.needless += without_need as u64;
        cell.lost += count(Said::StateLost) + lost as u64;
        cell.granted += count(Said::Granted);
        cell.denied += count(Said::Denied);
        cell.unanswered += count(Said::Nothing);
        cell.silence = cell.silence.max(silence);
        match recovery(history, circumstances.healed) {
            Some(recovery) => cell.recovery = cell.recovery.max(recovery),
            None => self.wrongs.push(format!("{} was never answered again", client.id)),
        }
    }
}

fn seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}

/// Everything that may have been charged, in the order in which it was asked for, and how much of that was asked for before each check.
fn charges(history: &[Asked], late: u64) -> (Vec<Admitted>, Vec<usize>) {
    let (mut charges, mut before) = (Vec::new(), Vec::new());
    for Asked { sent, received, said, at } in history.iter().copied() {
        before.push(charges.len());
        let charge = |real, at, answered| Admitted { sent, real, at, cost: 1, answered };
        let unheard = charge(received + late, None, false);
        match said {
            Said::Granted => charges.push(charge(received, at.map(ShardTime), true)),
            Said::Nothing => charges.push(unheard),
            Said::Denied | Said::StateLost => {}
        }
        if said == Said::Nothing || received - sent > ASKED_AGAIN {
            charges.push(unheard);
        }
    }
    (charges, before)
}

/// By how much the limit was broken at worst, by real time.
fn over(client: &Client, charges: &[Admitted]) -> u64 {
    let holds = |excess: u64| in_real_time(&client.policy, charges, |_, _| excess).is_ok();
    let (mut low, mut high) = (0, charges.len() as u64);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

fn needless(client: &Client, history: &[Asked], charges: &[Admitted], before: &[usize]) -> Vec<Asked> {
    let mut needless = Vec::new();
    let mut lost = None;
    for (asked, before) in history.iter().zip(before) {
        match asked.said {
            Said::StateLost => lost = Some(asked.received),
            Said::Denied => {
                let denied = Denied { sent: asked.sent, at: asked.at.map(ShardTime), cost: 1 };
                let lost = lost.map(|lost| i128::from(asked.sent) - i128::from(lost));
                if !is_needed(&client.policy, &charges[..*before], &denied, lost) {
                    needless.push(*asked);
                }
            }
            Said::Granted | Said::Nothing => {}
        }
    }
    needless
}

fn silence(history: &[Asked]) -> Duration {
    let start = history.first().map_or(0, |asked| asked.sent);
    let end = history.last().map_or(0, |asked| asked.received);
    let heard = history.iter().filter(|asked| asked.said != Said::Nothing).map(|asked| asked.received);
    let moments: Vec<u64> = std::iter::once(start).chain(heard).chain([end]).collect();
    let longest = moments.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max();
    Duration::from_nanos(longest.unwrap_or(0))
}

/// How long after this moment until an answer to what was asked after it.
fn recovery(history: &[Asked], healed: u64) -> Option<Duration> {
    let mut after = history.iter().filter(|asked| asked.sent >= healed);
    after.find(|asked| asked.said != Said::Nothing).map(|asked| Duration::from_nanos(asked.received - healed))
}
