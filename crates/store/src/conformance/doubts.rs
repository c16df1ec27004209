//! Claims about wholeness: what is missing is said, and said again until the counters are discarded.

use drl_core::CommitNo;

use super::{Broken, Seen, Subject, append, claims, ensure_eq, page, recover};
use crate::{CommitSync, Crash, Damage, Doubt, Recovered, Wholeness};

claims! {
    lost_tail_is_a_doubt,
    lost_first_frame_is_a_doubt,
    corrupt_frame_is_cut_and_said,
    gap_is_cut_and_said,
    cut_commit_numbers_are_used_again,
    frame_that_its_reader_refuses_is_cut,
    corrupt_page_is_said_and_left_out,
    lost_mark_is_a_doubt,
    unsynced_commits_and_a_power_cut_are_a_doubt,
    doubt_stays_until_counters_are_discarded,
    discard_settles_every_doubt,
    power_cut_after_synced_run_on_an_old_lax_journal_is_whole,
}

fn doubts(recovered: &Recovered) -> Vec<Doubt> {
    match &recovered.wholeness {
        Wholeness::Whole => Vec::new(),
        Wholeness::Doubtful(doubts) => doubts.clone(),
    }
}

/// Ten frames, a page, a kill with `damage`, and what the next start finds.
fn after(subject: &mut dyn Subject, damage: &[Damage]) -> Result<(Recovered, Seen), Broken> {
    recover(subject)?;
    subject.store().write_pages(&[(page(1, 1), b"good".to_vec()), (page(1, 2), b"rows".to_vec())])?;
    append(subject, 1, 10, CommitSync::Later)?;
    subject.restart(Crash::Process, damage)?;
    recover(subject)
}

fn lost_tail_is_a_doubt(subject: &mut dyn Subject) -> Result<(), Broken> {
    let (recovered, seen) = after(subject, &[Damage::LoseFrame(CommitNo(9)), Damage::LoseFrame(CommitNo(10))])?;
    ensure_eq!(doubts(&recovered), [Doubt::TailMissing { found: CommitNo(8), completed: CommitNo(10) }]);
    ensure_eq!(recovered.last, CommitNo(8));
    ensure_eq!(seen.frames.len(), 8);
    Ok(())
}

fn lost_first_frame_is_a_doubt(subject: &mut dyn Subject) -> Result<(), Broken> {
    let (recovered, seen) = after(subject, &[Damage::LoseFrame(CommitNo(1))])?;
    ensure_eq!(doubts(&recovered).len(), 1);
    ensure_eq!(recovered.last, CommitNo(0));
    ensure_eq!(seen.frames.len(), 0);
    Ok(())
}

fn corrupt_frame_is_cut_and_said(subject: &mut dyn Subject) -> Result<(), Broken> {
    let (recovered, seen) = after(subject, &[Damage::CorruptFrame(CommitNo(4))])?;
    let reason = "the checksum does not match".to_owned();
    ensure_eq!(doubts(&recovered), [Doubt::CorruptFrame { commit: CommitNo(4), reason }]);
    ensure_eq!(recovered.last, CommitNo(3));
    ensure_eq!(seen.commits(), [1, 2, 3]);
    Ok(())
}

fn gap_is_cut_and_said(subject: &mut dyn Subject) -> Result<(), Broken> {
    let (recovered, seen) = after(subject, &[Damage::LoseFrame(CommitNo(6))])?;
    let reason = "it is missing, frame 7 follows".to_owned();
    ensure_eq!(doubts(&recovered), [Doubt::CorruptFrame { commit: CommitNo(6), reason }]);
    ensure_eq!(seen.commits(), [1, 2, 3, 4, 5]);
    Ok(())
}

fn cut_commit_numbers_are_used_again(subject: &mut dyn Subject) -> Result<(), Broken> {
    after(subject, &[Damage::CorruptFrame(CommitNo(4))])?;
    subject.store().append(CommitNo(4), b"another 4", CommitSync::Later)?;
    subject.restart(Crash::Process, &[])?;
    let (recovered, seen) = recover(subject)?;
    ensure_eq!(recovered.last, CommitNo(4));
    ensure_eq!(seen.frames.last(), Some(&(4, b"another 4".to_vec())));
    Ok(())
}

fn frame_that_its_reader_refuses_is_cut(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    append(subject, 1, 5, CommitSync::Later)?;
    subject.restart(Crash::Process, &[])?;
    let mut seen = Seen { refused: Some(CommitNo(3)), ..Seen::default() };
    let recovered = subject.store().recover(&mut seen)?;
    let reason = "it makes no sense".to_owned();
    ensure_eq!(doubts(&recovered), [Doubt::CorruptFrame { commit: CommitNo(3), reason }]);
    ensure_eq!(recovered.last, CommitNo(2));
    Ok(())
}

fn corrupt_page_is_said_and_left_out(subject: &mut dyn Subject) -> Result<(), Broken> {
    let (recovered, seen) = after(subject, &[Damage::CorruptPage(page(1, 1))])?;
    let reason = "the checksum does not match".to_owned();
    ensure_eq!(doubts(&recovered), [Doubt::CorruptPage { page: page(1, 1), reason }]);
    ensure_eq!(seen.pages.into_iter().collect::<Vec<_>>(), [(page(1, 2), b"rows".to_vec())]);
    ensure_eq!((recovered.pages, recovered.frames), (1, 10));
    Ok(())
}

fn lost_mark_is_a_doubt(subject: &mut dyn Subject) -> Result<(), Broken> {
    let (recovered, seen) = after(subject, &[Damage::LoseMark])?;
    ensure_eq!(doubts(&recovered), [Doubt::MarkUnreadable]);
    ensure_eq!(seen.frames.len(), 10);
    Ok(())
}

fn unsynced_commits_and_a_power_cut_are_a_doubt(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    append(subject, 1, 5, CommitSync::Now)?;
    append(subject, 6, 9, CommitSync::Later)?;
    subject.restart(Crash::Power, &[])?;
    let (recovered, seen) = recover(subject)?;
    ensure_eq!(doubts(&recovered).contains(&Doubt::PowerCut), true);
    ensure_eq!(seen.frames.len() >= 5, true);
    Ok(())
}

fn doubt_stays_until_counters_are_discarded(subject: &mut dyn Subject) -> Result<(), Broken> {
    after(subject, &[Damage::CorruptFrame(CommitNo(4))])?;
    for crash in [Crash::Process, Crash::Power, Crash::Process] {
        subject.restart(crash, &[])?;
        let (recovered, _) = recover(subject)?;
        let reason = "frame 4 is corrupt (the checksum does not match); the journal was cut there".to_owned();
        ensure_eq!(doubts(&recovered), [Doubt::Unsettled { reason }]);
    }
    Ok(())
}

fn discard_settles_every_doubt(subject: &mut dyn Subject) -> Result<(), Broken> {
    let damage = [Damage::CorruptFrame(CommitNo(4)), Damage::CorruptPage(page(1, 1)), Damage::LoseMark];
    let (recovered, _) = after(subject, &damage)?;
    ensure_eq!(doubts(&recovered).len(), 3);
    subject.store().discard_counters()?;
    subject.restart(Crash::Power, &[])?;
    let (settled, seen) = recover(subject)?;
    ensure_eq!(settled.wholeness, Wholeness::Whole);
    ensure_eq!(settled.last, recovered.last);
    ensure_eq!((seen.pages.len(), seen.frames.len()), (0, 0));
    Ok(())
}

fn power_cut_after_synced_run_on_an_old_lax_journal_is_whole(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    append(subject, 1, 5, CommitSync::Later)?;
    subject.restart(Crash::Process, &[])?;
    recover(subject)?;
    append(subject, 6, 7, CommitSync::Now)?;
    subject.restart(Crash::Power, &[])?;
    let (recovered, seen) = recover(subject)?;
    ensure_eq!(recovered.wholeness, Wholeness::Whole);
    ensure_eq!(seen.commits(), [1, 2, 3, 4, 5, 6, 7]);
    Ok(())
}
