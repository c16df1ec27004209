//! Claims about frames: order, no gap, and stopping.

use drl_core::CommitNo;

use super::{Broken, Subject, append, claims, ensure_eq, frame, recover};
use crate::{CommitSync, Crash, Damage, Record, RecordKind, Wholeness};

claims! {
    new_journal_is_empty_and_whole,
    every_appended_frame_is_read_back_in_order,
    empty_and_large_frames_are_kept,
    synced_frames_survive_a_power_cut,
    commits_go_on_after_a_restart,
    only_the_successor_is_appended,
    failed_write_stops_every_later_one,
    nothing_is_written_before_recovery,
    journal_is_read_back_once,
    journal_bytes_grow_with_frames,
    closed_journal_is_whole_on_another_boot,
    journal_goes_on_after_close,
}

fn new_journal_is_empty_and_whole(subject: &mut dyn Subject) -> Result<(), Broken> {
    let (recovered, seen) = recover(subject)?;
    ensure_eq!(recovered.last, CommitNo(0));
    ensure_eq!((recovered.pages, recovered.frames), (0, 0));
    ensure_eq!(recovered.wholeness, Wholeness::Whole);
    ensure_eq!(seen.commits().len(), 0);
    ensure_eq!(subject.store().journal_bytes(), 0);
    Ok(())
}

fn every_appended_frame_is_read_back_in_order(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    append(subject, 1, 300, CommitSync::Later)?;
    subject.restart(Crash::Process, &[])?;
    let (recovered, seen) = recover(subject)?;
    ensure_eq!(recovered.wholeness, Wholeness::Whole);
    ensure_eq!((recovered.last, recovered.frames), (CommitNo(300), 300));
    let expected: Vec<_> = (1..=300).map(|commit| (commit, frame(commit))).collect();
    ensure_eq!(seen.frames, expected);
    Ok(())
}

fn empty_and_large_frames_are_kept(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    let large = vec![0xa5; 3 << 20];
    subject.store().append(CommitNo(1), &[], CommitSync::Later)?;
    subject.store().append(CommitNo(2), &large, CommitSync::Now)?;
    subject.restart(Crash::Process, &[])?;
    let (_, seen) = recover(subject)?;
    ensure_eq!(seen.frames == [(1, Vec::new()), (2, large)], true);
    Ok(())
}

fn synced_frames_survive_a_power_cut(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    append(subject, 1, 20, CommitSync::Now)?;
    subject.restart(Crash::Power, &[])?;
    let (recovered, seen) = recover(subject)?;
    ensure_eq!(recovered.wholeness, Wholeness::Whole);
    ensure_eq!(seen.frames.len(), 20);
    Ok(())
}

fn commits_go_on_after_a_restart(subject: &mut dyn Subject) -> Result<(), Broken> {
    for round in 0..5_u64 {
        let (recovered, seen) = recover(subject)?;
        ensure_eq!(recovered.wholeness, Wholeness::Whole);
        ensure_eq!(recovered.last, CommitNo(round * 10));
        ensure_eq!(seen.commits(), (1..=round * 10).collect::<Vec<_>>());
        append(subject, round * 10 + 1, round * 10 + 10, CommitSync::Later)?;
        subject.restart(Crash::Process, &[])?;
    }
    Ok(())
}

fn only_the_successor_is_appended(subject: &mut dyn Subject) -> Result<(), Broken> {
    for wrong in [0, 3, 5, u64::MAX] {
        recover(subject)?;
        let last = subject.store().append(CommitNo(wrong), b"wrong", CommitSync::Now).is_ok();
        ensure_eq!((wrong, last), (wrong, false));
        subject.restart(Crash::Process, &[])?;
    }
    let (recovered, seen) = recover(subject)?;
    ensure_eq!(recovered.last, CommitNo(0));
    ensure_eq!(seen.commits().len(), 0);
    Ok(())
}

fn failed_write_stops_every_later_one(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    append(subject, 1, 3, CommitSync::Later)?;
    // The one failure that can be had from any implementation.
    let Err(first) = subject.store().append(CommitNo(9), b"gap", CommitSync::Now) else {
        return Err(super::broken("a gap was accepted".to_owned()));
    };
    let store = subject.store();
    let record = Record { kind: RecordKind::Meta, key: b"k".to_vec(), value: None };
    let later = [
        store.append(CommitNo(4), b"next", CommitSync::Now),
        store.sync(),
        store.write_pages(&[(super::page(0, 0), vec![1])]),
        store.checkpoint(CommitNo(3)),
        store.put_records(&[record]),
        store.discard_counters(),
        store.close(),
    ];
    for outcome in later {
        ensure_eq!(outcome, Err(first.clone()));
    }
    subject.restart(Crash::Process, &[])?;
    let (recovered, seen) = recover(subject)?;
    ensure_eq!(recovered.wholeness, Wholeness::Whole);
    ensure_eq!(seen.commits(), [1, 2, 3]);
    append(subject, 4, 4, CommitSync::Now)
}

fn nothing_is_written_before_recovery(subject: &mut dyn Subject) -> Result<(), Broken> {
    ensure_eq!(subject.store().append(CommitNo(1), b"early", CommitSync::Now).is_err(), true);
    subject.restart(Crash::Process, &[])?;
    let (recovered, _) = recover(subject)?;
    ensure_eq!(recovered.last, CommitNo(0));
    Ok(())
}

fn journal_is_read_back_once(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    ensure_eq!(recover(subject).is_err(), true);
    append(subject, 1, 1, CommitSync::Now)
}

fn journal_bytes_grow_with_frames(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    subject.store().append(CommitNo(1), &[7; 1_000], CommitSync::Later)?;
    subject.store().append(CommitNo(2), &[7; 2_000], CommitSync::Later)?;
    let before = subject.store().journal_bytes();
    ensure_eq!((3_000..3_100).contains(&before), true);
    subject.restart(Crash::Process, &[])?;
    recover(subject)?;
    ensure_eq!(subject.store().journal_bytes(), before);
    Ok(())
}

fn closed_journal_is_whole_on_another_boot(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    append(subject, 1, 9, CommitSync::Later)?;
    subject.store().close()?;
    subject.restart(Crash::Power, &[])?;
    let (recovered, seen) = recover(subject)?;
    ensure_eq!(recovered.wholeness, Wholeness::Whole);
    ensure_eq!(seen.frames.len(), 9);
    Ok(())
}

fn journal_goes_on_after_close(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    append(subject, 1, 2, CommitSync::Later)?;
    subject.store().close()?;
    append(subject, 3, 4, CommitSync::Later)?;
    subject.restart(Crash::Power, &[Damage::LoseFrame(CommitNo(4)), Damage::LoseFrame(CommitNo(3))])?;
    let (recovered, _) = recover(subject)?;
    // What came after the close was unsynced again, and a power cut took it.
    ensure_eq!(recovered.wholeness == Wholeness::Whole, false);
    Ok(())
}
