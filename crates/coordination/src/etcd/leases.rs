//! Leases, and what the connected member says of itself. A renewal is a stream of its own, which ends with its first answer: there is
//! no stream to lose, and no queue in which a renewal waits that was never sent.

use std::time::Duration;

use super::classify::{Kind, Trouble};
use super::{Shared, convert};
use crate::standing::Way;
use crate::{Fault, Grant, LeaseId, Renewal, Ttl};

impl Shared {
    pub(super) async fn grant(&self, ttl: Ttl, within: Duration) -> Result<Grant, Fault> {
        self.trusted()?;
        let answer = self.call(within, |client| async move {
            client.lease_client().grant(i64::from(ttl.secs()), None).await.map(|response| response.0)
        });
        let response = answer.await.map_err(|trouble| trouble.fault)?;
        let header = convert::header(response.header.as_ref())?;
        self.judge(Way::Member, &header)?;
        let lease = LeaseId::new(response.id).ok_or_else(|| convert::garbled("a lease has no number"))?;
        let secs = u64::try_from(response.ttl).unwrap_or(0);
        let ttl = Ttl::new(Duration::from_secs(secs)).map_err(|invalid| convert::garbled(&invalid.to_string()))?;
        Ok(Grant { lease, ttl, header })
    }

    pub(super) async fn renew(&self, lease: LeaseId, within: Duration) -> Result<Renewal, Fault> {
        self.trusted()?;
        // The client waits for the first answer, and makes an error of a time to live of zero.
        let answer =
            self.call(
                within,
                |client| async move { client.lease_client().keep_alive(lease.get()).await.map(|_stream| ()) },
            );
        match answer.await {
            Ok(()) => Ok(Renewal::Alive),
            Err(Trouble { kind: Kind::LeaseGone, .. }) => Ok(Renewal::Gone),
            Err(trouble) => Err(trouble.fault),
        }
    }

    pub(super) async fn revoke(&self, lease: LeaseId, within: Duration) -> Result<(), Fault> {
        self.trusted()?;
        let answer = self.call(within, |client| async move { client.lease_client().revoke(lease.get()).await });
        match answer.await {
            Ok(_) | Err(Trouble { kind: Kind::LeaseGone, .. }) => Ok(()),
            Err(trouble) => Err(trouble.fault),
        }
    }

    pub(super) async fn version(&self, within: Duration) -> Result<String, Fault> {
        let answer =
            self.call(
                within,
                |client| async move { client.maintenance_client().status().await.map(|response| response.0) },
            );
        let response = answer.await.map_err(|trouble| trouble.fault)?;
        let header = convert::header(response.header.as_ref())?;
        self.judge(Way::Member, &header)?;
        Ok(response.version)
    }
}
