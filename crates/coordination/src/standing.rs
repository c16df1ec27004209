//! Whether a store may still be believed: its cluster id never changes, and its revision never goes back.
//!
//! A reply that went through the log shows a revision at least as high as any that was seen before the call was made; if it is lower, an
//! older backup was restored. Replies of other kinds may come from a member that is behind, so that only their cluster id counts.
//! Invariant: once distrusted, a store stays distrusted, also when its revision has caught up.

use crate::{Fault, Header, Revision, Seen};

#[derive(Debug)]
pub(crate) struct Standing {
    seen: Option<Seen>,
    distrust: Option<Fault>,
}

/// How a reply came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through the log, by a call that was made when this revision had been seen.
    Log { seen_before: Revision },
    /// From one member, which may be behind.
    Member,
}

impl Standing {
    /// `seen` is what an earlier process knew.
    pub(crate) const fn new(seen: Option<Seen>) -> Self {
        Self { seen, distrust: None }
    }

    pub(crate) const fn seen(&self) -> Option<Seen> {
        self.seen
    }

    /// To be asked before each call.
    ///
    /// # Errors
    /// The reason why the store must not be believed any more.
    pub(crate) fn trusted(&self) -> Result<Way, Fault> {
        match &self.distrust {
            Some(fault) => Err(fault.clone()),
            None => Ok(Way::Log { seen_before: self.seen.map_or(Revision::ABSENT, |seen| seen.revision) }),
        }
    }

    /// To be told of each reply.
    ///
    /// # Errors
    /// The reason why the store must not be believed any more; the reply must not be either.
    pub(crate) fn judge(&mut self, way: Way, header: &Header) -> Result<(), Fault> {
        if let Some(fault) = &self.distrust {
            return Err(fault.clone());
        }
        let Some(seen) = self.seen else {
            self.seen = Some(Seen { cluster: header.cluster, revision: header.revision });
            return Ok(());
        };
        let fault = if seen.cluster != header.cluster {
            Some(Fault::OtherCluster { seen, found: header.cluster })
        } else if matches!(way, Way::Log { seen_before } if header.revision < seen_before) {
            Some(Fault::Rewound { seen, found: header.revision })
        } else {
            None
        };
        if let Some(fault) = fault {
            self.distrust = Some(fault.clone());
            return Err(fault);
        }
        self.seen = Some(Seen { revision: seen.revision.max(header.revision), ..seen });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClusterId;

    fn header(cluster: u64, revision: u64) -> Header {
        Header { cluster: ClusterId(cluster), member: 1, revision: Revision(revision) }
    }

    fn known(revision: u64) -> Standing {
        Standing::new(Some(Seen { cluster: ClusterId(1), revision: Revision(revision) }))
    }

    #[test]
    fn the_first_reply_is_believed_and_later_ones_raise_what_was_seen() {
        let mut standing = Standing::new(None);
        let way = standing.trusted().unwrap();
        assert_eq!(standing.judge(way, &header(1, 5)), Ok(()));
        assert_eq!(standing.judge(Way::Member, &header(1, 9)), Ok(()));
        assert_eq!(standing.seen(), Some(Seen { cluster: ClusterId(1), revision: Revision(9) }));
    }

    #[test]
    fn replies_that_overtake_each_other_are_no_regression() {
        let mut standing = known(5);
        let (first, second) = (standing.trusted().unwrap(), standing.trusted().unwrap());
        assert_eq!(standing.judge(second, &header(1, 7)), Ok(()));
        assert_eq!(standing.judge(first, &header(1, 6)), Ok(()));
    }

    #[test]
    fn a_member_that_is_behind_is_no_regression() {
        assert_eq!(known(5).judge(Way::Member, &header(1, 2)), Ok(()));
    }

    #[test]
    fn a_log_that_went_back_is_never_believed_again() {
        let mut standing = known(5);
        let way = standing.trusted().unwrap();
        let fault = standing.judge(way, &header(1, 4)).unwrap_err();
        assert!(matches!(fault, Fault::Rewound { found: Revision(4), .. }));
        assert_eq!(standing.judge(Way::Member, &header(1, 90)), Err(fault.clone()));
        assert_eq!(standing.trusted(), Err(fault));
        assert_eq!(standing.seen().map(|seen| seen.revision), Some(Revision(5)));
    }

    #[test]
    fn another_cluster_is_never_believed_whatever_its_revision() {
        for way in [Way::Member, known(5).trusted().unwrap()] {
            let mut standing = known(5);
            let fault = standing.judge(way, &header(2, 90)).unwrap_err();
            assert!(matches!(fault, Fault::OtherCluster { found: ClusterId(2), .. }));
            assert!(standing.trusted().is_err());
        }
    }
}
