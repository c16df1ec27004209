//! The checks of a stream's message, over its own bytes.

use drl_core::caps::BATCH_CHECKS_MAX;
use drl_core::{ClientId, Cost, Epoch, InvalidClientId, InvalidCost, InvalidNamespace, LimitKey, Namespace};
use drl_proto::v1;

/// One check of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check<'a> {
    pub key: LimitKey<'a>,
    pub cost: Cost,
    /// The newest epoch of the key's shard that the sender knows of; zero: none.
    pub epoch: Epoch,
}

/// A message whose checks cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChecks {
    #[error("{count} checks are too many; send at most {BATCH_CHECKS_MAX} in a message")]
    TooMany { count: usize },
    #[error("{length} {column} for {count} checks; send one each, or none")]
    Column { column: &'static str, length: usize, count: usize },
    #[error("the id lengths are more than the bytes of the ids")]
    IdsTooShort,
    #[error("{bytes} bytes of client ids are left over")]
    IdsTooLong { bytes: usize },
    #[error(transparent)]
    ClientId(#[from] InvalidClientId),
    #[error(transparent)]
    Namespace(#[from] InvalidNamespace),
    #[error(transparent)]
    Cost(#[from] InvalidCost),
}

/// Hands the checks of a message, in order, to `take`.
///
/// # Errors
/// [`InvalidChecks`]; what was handed over by then does not count.
pub fn checks<'a>(message: &'a v1::CheckStreamRequest, mut take: impl FnMut(Check<'a>)) -> Result<(), InvalidChecks> {
    let count = message.id_lengths.len();
    if count > BATCH_CHECKS_MAX {
        return Err(InvalidChecks::TooMany { count });
    }
    for (column, length) in [("costs", message.costs.len()), ("epochs", message.epochs.len())] {
        if length != 0 && length != count {
            return Err(InvalidChecks::Column { column, length, count });
        }
    }
    let namespace = match &*message.namespace {
        "" => Namespace::DEFAULT,
        name => Namespace::new(name)?,
    };
    let mut rest: &[u8] = &message.client_ids;
    for (index, length) in message.id_lengths.iter().enumerate() {
        let split = usize::try_from(*length).ok().and_then(|length| rest.split_at_checked(length));
        let (id, behind) = split.ok_or(InvalidChecks::IdsTooShort)?;
        rest = behind;
        let key = LimitKey::new(namespace, ClientId::new(id)?);
        let cost = message.costs.get(index).map_or(Ok(Cost::ONE), |cost| Cost::new(*cost))?;
        take(Check { key, cost, epoch: Epoch(message.epochs.get(index).copied().unwrap_or(0)) });
    }
    if rest.is_empty() { Ok(()) } else { Err(InvalidChecks::IdsTooLong { bytes: rest.len() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &v1::CheckStreamRequest) -> Result<Vec<Check<'_>>, InvalidChecks> {
        let mut found = Vec::new();
        checks(message, |check| found.push(check)).map(|()| found)
    }

    fn message() -> v1::CheckStreamRequest {
        v1::CheckStreamRequest {
            client_ids: "alicebob".into(),
            id_lengths: vec![5, 3],
            costs: vec![1, 0],
            epochs: vec![7, 0],
            ..v1::CheckStreamRequest::default()
        }
    }

    #[test]
    fn checks_are_read_in_order() {
        let key = |id: &'static str| LimitKey::new(Namespace::DEFAULT, ClientId::new(id.as_bytes()).unwrap());
        let expected = [
            Check { key: key("alice"), cost: Cost::ONE, epoch: Epoch(7) },
            Check { key: key("bob"), cost: Cost::PEEK, epoch: Epoch(0) },
        ];
        assert_eq!(read(&message()).unwrap(), expected);
    }

    #[test]
    fn columns_that_do_not_fit_are_refused() {
        let short = v1::CheckStreamRequest { id_lengths: vec![5, 4], ..message() };
        assert_eq!(read(&short), Err(InvalidChecks::IdsTooShort));
        let long = v1::CheckStreamRequest { id_lengths: vec![5, 2], ..message() };
        assert_eq!(read(&long), Err(InvalidChecks::IdsTooLong { bytes: 1 }));
        let costs = v1::CheckStreamRequest { costs: vec![1], ..message() };
        assert_eq!(read(&costs), Err(InvalidChecks::Column { column: "costs", length: 1, count: 2 }));
        let many = v1::CheckStreamRequest { id_lengths: vec![1; BATCH_CHECKS_MAX + 1], ..message() };
        assert_eq!(read(&many), Err(InvalidChecks::TooMany { count: BATCH_CHECKS_MAX + 1 }));
        let empty_id = v1::CheckStreamRequest { id_lengths: vec![8, 0], ..message() };
        assert!(matches!(read(&empty_id), Err(InvalidChecks::ClientId(_))));
        let namespace = v1::CheckStreamRequest { namespace: "@throttle".to_owned(), ..message() };
        assert!(matches!(read(&namespace), Err(InvalidChecks::Namespace(_))));
    }
}
