//! Claims about records: durable at once, all or none, by key, apart by kind.

use drl_core::CommitNo;

use super::{Broken, Subject, claims, ensure_eq, recover};
use crate::{Crash, Record, RecordKind, Wholeness};

claims! {
    records_are_durable_at_once,
    records_change_and_vanish_together,
    records_come_by_key_and_kind,
    records_with_an_over_long_key_change_nothing,
    policies_are_loose_until_a_checkpoint_of_any_commit,
    marked_policies_are_durable_at_once,
}

fn record(kind: RecordKind, key: &[u8], value: Option<&[u8]>) -> Record {
    Record { kind, key: key.to_vec(), value: value.map(<[u8]>::to_vec) }
}

fn records_are_durable_at_once(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    subject.store().put_records(&[record(RecordKind::Role, &[0, 1], Some(b"owner"))])?;
    subject.restart(Crash::Power, &[])?;
    ensure_eq!(subject.store().records(RecordKind::Role)?, [(vec![0, 1], b"owner".to_vec())]);
    let (recovered, _) = recover(subject)?;
    ensure_eq!(recovered.wholeness, Wholeness::Whole);
    Ok(())
}

fn records_change_and_vanish_together(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    let store = subject.store();
    store.put_records(&[record(RecordKind::Meta, b"a", Some(b"1")), record(RecordKind::Meta, b"b", Some(b"1"))])?;
    store.put_records(&[
        record(RecordKind::Meta, b"a", None),
        record(RecordKind::Meta, b"b", Some(b"2")),
        record(RecordKind::Meta, b"never", None),
    ])?;
    store.put_records(&[])?;
    subject.restart(Crash::Process, &[])?;
    ensure_eq!(subject.store().records(RecordKind::Meta)?, [(b"b".to_vec(), b"2".to_vec())]);
    Ok(())
}

fn records_come_by_key_and_kind(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    for kind in [RecordKind::Policy, RecordKind::Meta, RecordKind::Role] {
        let name = format!("{kind:?}").into_bytes();
        subject.store().put_records(&[
            record(kind, &[0xff, 0xff], Some(&name)),
            record(kind, b"", Some(b"")),
            record(kind, b"m", Some(&name)),
        ])?;
    }
    for kind in [RecordKind::Policy, RecordKind::Meta, RecordKind::Role] {
        let name = format!("{kind:?}").into_bytes();
        let expected = [(Vec::new(), Vec::new()), (b"m".to_vec(), name.clone()), (vec![0xff, 0xff], name)];
        ensure_eq!(subject.store().records(kind)?, expected);
    }
    Ok(())
}

fn records_with_an_over_long_key_change_nothing(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    let fitting = record(RecordKind::Meta, b"a", Some(b"1"));
    let long = record(RecordKind::Meta, &[b'k'; drl_core::caps::RECORD_KEY_BYTES_MAX + 1], Some(b"1"));
    ensure_eq!(subject.store().put_records(&[fitting, long]).is_err(), true);
    subject.restart(Crash::Process, &[])?;
    ensure_eq!(subject.store().records(RecordKind::Meta)?.len(), 0);
    Ok(())
}

fn policies_are_loose_until_a_checkpoint_of_any_commit(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    let store = subject.store();
    store.put_records(&[record(RecordKind::Role, &[0, 1], Some(b"owner"))])?;
    ensure_eq!(store.has_loose_policies(), false);
    store.put_records(&[record(RecordKind::Policy, b"a", Some(b"1"))])?;
    ensure_eq!(store.has_loose_policies(), true);
    store.checkpoint(CommitNo(0))?;
    ensure_eq!(store.has_loose_policies(), false);
    Ok(())
}

fn marked_policies_are_durable_at_once(subject: &mut dyn Subject) -> Result<(), Broken> {
    recover(subject)?;
    ensure_eq!(subject.store().marked_policies()?, Some(0));
    subject.store().mark_policies(7)?;
    subject.restart(Crash::Power, &[])?;
    ensure_eq!(subject.store().marked_policies()?, Some(7));
    Ok(())
}
