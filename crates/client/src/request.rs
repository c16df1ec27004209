//! One check, as a caller states it.

use drl_core::{ClientId, Cost, LimitKey, Namespace};

use crate::error::InvalidRequest;

/// A check of one client. Cost is 1 and the namespace `default` unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckRequest<'a> {
    pub(crate) key: LimitKey<'a>,
    pub(crate) cost: Cost,
}

impl<'a> CheckRequest<'a> {
    /// The id may be text or any other bytes.
    ///
    /// # Errors
    /// [`InvalidRequest::ClientId`] unless the id has 1 to 256 bytes.
    pub fn new<I: AsRef<[u8]> + ?Sized>(client_id: &'a I) -> Result<Self, InvalidRequest> {
        Ok(Self { key: LimitKey::new(Namespace::DEFAULT, ClientId::new(client_id.as_ref())?), cost: Cost::ONE })
    }

    /// # Errors
    /// [`InvalidRequest::Namespace`] unless it is a name (1 to 64 of `a-z A-Z 0-9 . _ -`).
    pub fn namespace(mut self, name: &'a str) -> Result<Self, InvalidRequest> {
        self.key.namespace = Namespace::new(name)?;
        Ok(self)
    }

    /// Units to charge: 0 to 2^53; 0 looks whether a cost of 1 would pass and charges nothing.
    ///
    /// # Errors
    /// [`InvalidRequest::Cost`] when it is negative or larger.
    pub fn cost(mut self, units: impl Into<i128>) -> Result<Self, InvalidRequest> {
        self.cost = Cost::new(units)?;
        Ok(self)
    }

    /// Whose counter it is.
    #[must_use]
    pub const fn key(&self) -> LimitKey<'a> {
        self.key
    }

    /// What it asks for.
    #[must_use]
    pub const fn units(&self) -> Cost {
        self.cost
    }
}
