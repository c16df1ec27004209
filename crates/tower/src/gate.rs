//! Who may pass: one check for each request.

use std::sync::Arc;

use drl_client::{CheckError, CheckRequest, Decision, InvalidRequest, RateLimiter, Reason};
use drl_core::{LimitKey, Namespace};
use drl_limits::Policy;
use http::{HeaderMap, HeaderValue};

use crate::refusal::Refusal;

/// What becomes of a request that names no client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WithoutClient {
    /// It is told to name one: nobody passes without a limit.
    #[default]
    Refuse,
    /// It passes without a check. For services whose unnamed requests are limited elsewhere.
    Pass,
    /// All of them are this one client.
    CountAs(String),
}

/// Which answers carry the `RateLimit` fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FieldsOn {
    /// What passed shows what is left. Where the service answers with such fields of its own, those stay.
    #[default]
    EveryAnswer,
    /// Only who is denied is told.
    Denials,
}

type Policies = Arc<dyn for<'k> Fn(LimitKey<'k>) -> Option<Arc<Policy>> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Gate {
    limiter: RateLimiter,
    /// A valid name.
    pub(crate) namespace: String,
    pub(crate) without_client: WithoutClient,
    pub(crate) fields_on: FieldsOn,
    pub(crate) policies: Option<Policies>,
}

/// What was read from a request, so that the request itself need not be looked at while the limiter decides.
#[derive(Debug)]
pub(crate) struct Asked {
    /// `None`: the request names nobody.
    pub(crate) client: Option<Vec<u8>>,
    pub(crate) units: u64,
}

impl Gate {
    pub(crate) fn new(limiter: RateLimiter) -> Self {
        Self {
            limiter,
            namespace: Namespace::DEFAULT.as_str().to_owned(),
            without_client: WithoutClient::default(),
            fields_on: FieldsOn::default(),
            policies: None,
        }
    }

    /// The header fields of an answer to what may pass.
    pub(crate) async fn admit(&self, asked: Asked) -> Result<HeaderMap, Refusal> {
        let client = match (&asked.client, &self.without_client) {
            (Some(client), _) => client.as_slice(),
            (None, WithoutClient::CountAs(client)) => client.as_bytes(),
            (None, WithoutClient::Pass) => return Ok(HeaderMap::new()),
            (None, WithoutClient::Refuse) => return Err(Refusal::no_client()),
        };
        let request = self.request(client, asked.units).map_err(|invalid| Refusal::from(CheckError::from(invalid)))?;
        let decision = self.limiter.check(request).await?;
        let policy = self.policy(request.key(), &decision);
        let mut fields = HeaderMap::new();
        if !decision.allowed || self.fields_on == FieldsOn::EveryAnswer {
            drl_fields::add(&mut fields, &decision, policy.as_deref());
        }
        if decision.allowed {
            return Ok(fields);
        }
        Err(Refusal::denied(&decision, policy.as_deref(), fields))
    }

    fn request<'a>(&'a self, client: &'a [u8], units: u64) -> Result<CheckRequest<'a>, InvalidRequest> {
        CheckRequest::new(client)?.namespace(&self.namespace)?.cost(units)
    }

    fn policy(&self, key: LimitKey<'_>, decision: &Decision) -> Option<Arc<Policy>> {
        let policies = self.policies.as_ref().filter(|_| decision.reason != Reason::UnknownClient)?;
        policies(key)
    }
}

/// Adds the fields to an answer, except those that it has already: whoever is nearer to the work knows better.
pub(crate) fn add_missing(headers: &mut HeaderMap<HeaderValue>, fields: HeaderMap) {
    for (name, value) in fields {
        if let Some(name) = name {
            headers.entry(name).or_insert(value);
        }
    }
}
