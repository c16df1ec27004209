//! Reading the double back, as `rocks/recovery.rs` does it: pages, frames up to the first that is missing or damaged, the verdict,
//! and the beginning of the new run. Invariant: both hand on the same values and find the same doubts.

use drl_core::CommitNo;

use super::disk::Change;
use super::{State, Writer};
use crate::envelope::{self, Kind};
use crate::judge::{self, Evidence};
use crate::mark::Mark;
use crate::run::Run;
use crate::tail::Tail;
use crate::{Doubt, Lineage, Recovered, Recovery, Wholeness, keys};

impl State {
    pub(super) fn sync(&mut self) {
        self.disk.sync();
        self.durable_mark = self.mark;
    }

    fn boot_id(&self) -> String {
        format!("boot {}", self.boot)
    }

    pub(super) fn read_back(&mut self, into: &mut dyn Recovery) -> Result<Recovered, String> {
        if self.writer.is_some() {
            return Err("it was read back already".to_owned());
        }
        let last_run = self.disk.run()?;
        let checkpoint = self.disk.checkpoint();
        let mut damage = Vec::new();
        let mut pages = 0_u64;
        for (page, value) in self.disk.pages() {
            match envelope::open(Kind::Page, &keys::page(page), value).and_then(|payload| into.page(page, payload)) {
                Ok(()) => pages = pages.saturating_add(1),
                Err(corrupt) => damage.push(Doubt::CorruptPage { page, reason: corrupt.reason }),
            }
        }
        let mut tail = Tail::behind(checkpoint);
        let cut = self.disk.frames().find_map(|(found, value)| {
            let commit = tail.last().next();
            read_frame(commit, found, value, into, &mut tail).err().map(|reason| Doubt::CorruptFrame { commit, reason })
        });
        damage.extend(cut.clone());
        let evidence = Evidence {
            last_run: last_run.as_ref(),
            boot_id: &self.boot_id(),
            mark: self.mark,
            reached: self.disk.reached(),
            sequence: self.disk.sequence(),
            damage,
        };
        let wholeness = judge::wholeness(evidence);
        let frames = tail.last().0.saturating_sub(checkpoint.0);
        let recovered = Recovered { last: tail.last(), pages, frames, wholeness };
        self.begin_run(tail, cut.is_some(), &recovered.wholeness);
        Ok(recovered)
    }

    fn begin_run(&mut self, tail: Tail, is_cut: bool, wholeness: &Wholeness) {
        let run = Run::begin(Lineage::from_bytes([0; 16]), &self.boot_id(), judge::summary(wholeness));
        self.disk.apply(Change::Run(run.clone()));
        if is_cut {
            self.disk.apply(Change::CutFrom(tail.last().next()));
        }
        self.mark = Some(Mark { commit: tail.last(), sequence: self.disk.sequence() });
        self.sync();
        self.writer = Some(Writer { tail, run });
    }
}

fn read_frame(
    commit: CommitNo,
    found: CommitNo,
    value: &[u8],
    into: &mut dyn Recovery,
    tail: &mut Tail,
) -> Result<(), String> {
    if found != commit {
        return Err(format!("it is missing, frame {} follows", found.0));
    }
    envelope::open(Kind::Frame, &keys::frame(commit), value)
        .and_then(|payload| into.frame(commit, payload))
        .map_err(|corrupt| corrupt.reason)?;
    tail.push(value.len());
    Ok(())
}
