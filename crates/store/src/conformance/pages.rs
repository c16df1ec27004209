//! Claims about pages.

use drl_core::CommitNo;

use super::{Broken, Subject, append, claims, ensure_eq, page, recover};
use crate::{CommitSync, Crash, PageId, Wholeness};

claims! {
    page_is_replaced_and_vanishes,
    pages_are_durable_with_their_checkpoint,
    many_pages_are_written_and_read_in_order,
    pages_without_a_checkpoint_leave_the_journal_whole,
}

fn page_is_replaced_and_vanishes(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    append(subject, 1, 1, CommitSync::Later)?;
    let (kept, gone) = (page(1, 2), page(1, 3));
    subject.store().write_pages(&[(kept, b"old".to_vec()), (gone, b"gone".to_vec())])?;
    subject.store().write_pages(&[(gone, Vec::new()), (kept, b"new".to_vec()), (page(9, 9), Vec::new())])?;
    subject.store().checkpoint(CommitNo(1))?;
    subject.restart(Crash::Process, &[])?;
    let (recovered, seen) = recover(subject)?;
    ensure_eq!(recovered.pages, 1);
    ensure_eq!(seen.pages.into_iter().collect::<Vec<_>>(), [(kept, b"new".to_vec())]);
    Ok(())
}

fn pages_are_durable_with_their_checkpoint(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    append(subject, 1, 3, CommitSync::Now)?;
    subject.store().write_pages(&[(page(5, 5), b"rows".to_vec())])?;
    subject.store().checkpoint(CommitNo(3))?;
    subject.restart(Crash::Power, &[])?;
    let (recovered, seen) = recover(subject)?;
    ensure_eq!(recovered.wholeness, Wholeness::Whole);
    ensure_eq!(recovered.last, CommitNo(3));
    ensure_eq!(seen.pages.get(&page(5, 5)), Some(&b"rows".to_vec()));
    Ok(())
}

fn many_pages_are_written_and_read_in_order(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    append(subject, 1, 1, CommitSync::Later)?;
    // 5 MB: several batches where there are batches.
    let pages: Vec<(PageId, Vec<u8>)> = (0..1_000)
        .map(|number: u16| {
            (page(number * 61 % 1_000, (number % 64).to_le_bytes()[0]), number.to_be_bytes().repeat(2_500))
        })
        .collect();
    subject.store().write_pages(&pages)?;
    subject.store().checkpoint(CommitNo(1))?;
    subject.restart(Crash::Process, &[])?;
    let (recovered, seen) = recover(subject)?;
    ensure_eq!(recovered.pages, 1_000);
    ensure_eq!(seen.pages == pages.into_iter().collect(), true);
    Ok(())
}

fn pages_without_a_checkpoint_leave_the_journal_whole(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    append(subject, 1, 3, CommitSync::Now)?;
    subject.store().write_pages(&[(page(5, 5), b"rows".to_vec())])?;
    subject.restart(Crash::Power, &[])?;
    let (recovered, seen) = recover(subject)?;
    ensure_eq!(recovered.wholeness, Wholeness::Whole);
    ensure_eq!(seen.commits(), [1, 2, 3]);
    Ok(())
}
