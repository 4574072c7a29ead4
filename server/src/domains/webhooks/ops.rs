//! Endpoints of a seller and their secrets.

use super::deliver::contention;
use super::model::{self, Endpoint, MAX_ENDPOINTS, MAX_SECRETS, OVERLAP_MS, Scheme, WebhookError};
use super::sign::{self, SECRET_BYTES};
use super::sql::deliveries;
use super::sql::endpoints::{self as sql, Sealed};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Caller, Capability, Denied};
use crate::custody::Custody;
use crate::net::Reach;
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, WebhookEndpointId};
use zeroize::Zeroizing;

/// Rows read at once by [`reseal`].
const PAGE: i64 = 500;

pub(super) fn own(caller: &Caller) -> Result<AccountId, WebhookError> {
    let capability = Capability::Sell;
    let account = caller.account.filter(|_| caller.may(capability));
    account.ok_or(WebhookError::Denied(Denied {
        capability,
        signed_in: caller.account.is_some(),
    }))
}

/// An endpoint of the caller's own.
pub(super) fn of_own(
    tx: &mut dyn Tx,
    caller: &Caller,
    endpoint: WebhookEndpointId,
    now: mintreu::Timestamp,
) -> Result<Endpoint, WebhookError> {
    let seller = own(caller)?;
    let found = sql::find(tx, caller.tenant, endpoint, now)?;
    let found = found.filter(|endpoint| endpoint.seller == seller);
    found.ok_or(WebhookError::NotFound)
}

/// Makes an endpoint.
#[derive(Debug, Clone)]
pub struct CreateEndpoint {
    /// Where to send.
    pub url: String,
    /// What it is for, possibly empty.
    pub description: String,
    /// Of which events; empty for all.
    pub events: Vec<String>,
    /// How to sign: `v1` or `v1a`.
    pub scheme: String,
    /// How far this server sends.
    pub reach: Reach,
}

impl Command for CreateEndpoint {
    const NAME: &'static str = "webhooks.create_endpoint";
    const CAPABILITY: Capability = Capability::Sell;
}

/// An endpoint with what its owner verifies by.
#[derive(Clone)]
pub struct NewSecret {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// `whsec_…`, never shown again; `None` of `v1a`, whose public key is the endpoint's.
    pub secret: Option<String>,
}

/// Makes one, with its first secret.
pub fn create_endpoint(cx: &mut Cx<'_>, cmd: &CreateEndpoint) -> Result<NewSecret, WebhookError> {
    let (seller, tenant) = (own(cx.caller)?, cx.caller.tenant);
    let endpoint = Endpoint {
        id: cx.make_id(WebhookEndpointId::from_bytes),
        seller,
        url: model::url(&cmd.url, cmd.reach)?,
        description: model::description(&cmd.description)?,
        events: model::events(&cmd.events)?,
        scheme: Scheme::parse(&cmd.scheme).ok_or(WebhookError::SchemeUnknown)?,
        failures: 0,
        created_at: cx.now,
        disabled_at: None,
        disabled_why: None,
        public_key: None,
        overlaps_until: None,
    };
    if sql::of_seller(cx.tx, tenant, seller, cx.now)?.len() >= MAX_ENDPOINTS {
        return Err(WebhookError::TooManyEndpoints);
    }
    sql::insert(cx.tx, tenant, &endpoint)?;
    new_secret(cx, endpoint)
}

/// Makes a secret, keeps it sealed, and shows it this once.
fn new_secret(cx: &mut Cx<'_>, mut endpoint: Endpoint) -> Result<NewSecret, WebhookError> {
    let secret = Zeroizing::new(cx.random::<SECRET_BYTES>());
    let id = cx.make_id(|id| id);
    let nonce = cx.random();
    let sealed = cx.keys.seal(&purpose_of(id), secret.as_slice(), nonce);
    let (shown, public) = match endpoint.scheme {
        Scheme::Shared => (Some(sign::secret_text(secret.as_slice())), None),
        Scheme::Public => (None, Some(sign::public_text(&secret))),
    };
    let tenant = cx.caller.tenant;
    let row = (id, sealed);
    sql::insert_secret(cx.tx, tenant, endpoint.id, row, public.as_deref(), cx.now)?;
    endpoint.public_key = public;
    Ok(NewSecret {
        endpoint,
        secret: shown,
    })
}

/// A secret is sealed for its own row, so that rows can't be swapped.
fn purpose_of(secret: [u8; 16]) -> String {
    format!("webhooks.secret {}", mintreu::id::encode(&secret))
}

pub(super) fn opened(
    keys: &Custody,
    (id, sealed): &Sealed,
) -> Result<Zeroizing<Vec<u8>>, WebhookError> {
    keys.unseal(&purpose_of(*id), sealed)
        .ok_or(WebhookError::Sealed)
}

/// Seals every secret of every tenant by `again`, which is told what it is sealed for. Answers how
/// many; `None` when one doesn't open.
pub fn reseal(
    tx: &mut dyn Tx,
    again: impl Fn(&str, &[u8]) -> Option<Vec<u8>>,
) -> Result<Option<usize>, StoreError> {
    let (mut after, mut done) = ([0; 16], 0);
    loop {
        let page = sql::sealed(tx, after, PAGE)?;
        let Some((_, (last, _))) = page.last() else {
            return Ok(Some(done));
        };
        after = *last;
        for (tenant, (id, sealed)) in &page {
            let Some(sealed) = again(&purpose_of(*id), sealed) else {
                return Ok(None);
            };
            sql::reseal(tx, *tenant, (*id, sealed))?;
        }
        done += page.len();
    }
}

/// The caller's endpoints, the oldest first.
pub fn endpoints(cx: &mut ReadCx<'_>, (): &()) -> Result<Vec<Endpoint>, WebhookError> {
    let seller = own(cx.caller)?;
    Ok(sql::of_seller(cx.tx, cx.caller.tenant, seller, cx.now)?)
}

/// One of the caller's endpoints.
pub fn endpoint(cx: &mut ReadCx<'_>, id: &WebhookEndpointId) -> Result<Endpoint, WebhookError> {
    of_own(cx.tx, cx.caller, *id, cx.now)
}

/// An endpoint, for the house.
pub fn find_endpoint(
    cx: &mut Cx<'_>,
    id: WebhookEndpointId,
) -> Result<Option<Endpoint>, StoreError> {
    sql::find(cx.tx, cx.caller.tenant, id, cx.now)
}

/// Changes what is given of an endpoint; the rest stays.
#[derive(Debug, Clone)]
pub struct ChangeEndpoint {
    /// Which.
    pub endpoint: WebhookEndpointId,
    /// Where to send.
    pub url: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Of which events; empty for all.
    pub events: Option<Vec<String>>,
    /// Switch it on or off.
    pub enabled: Option<bool>,
    /// How far this server sends.
    pub reach: Reach,
}

impl Command for ChangeEndpoint {
    const NAME: &'static str = "webhooks.change_endpoint";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.endpoint.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![contention(self.endpoint)]
    }
}

/// Changes it. Switching it off skips what waits; switching it on forgets its failures.
pub fn change_endpoint(cx: &mut Cx<'_>, cmd: &ChangeEndpoint) -> Result<Endpoint, WebhookError> {
    let mut endpoint = of_own(cx.tx, cx.caller, cmd.endpoint, cx.now)?;
    if let Some(url) = &cmd.url {
        endpoint.url = model::url(url, cmd.reach)?;
    }
    if let Some(description) = &cmd.description {
        endpoint.description = model::description(description)?;
    }
    if let Some(events) = &cmd.events {
        endpoint.events = model::events(events)?;
    }
    match (cmd.enabled, endpoint.disabled_at) {
        (Some(true), Some(_)) => {
            endpoint.failures = 0;
            endpoint.disabled_at = None;
            endpoint.disabled_why = None;
        }
        (Some(false), None) => {
            endpoint.disabled_at = Some(cx.now);
            endpoint.disabled_why = Some("seller".to_owned());
            deliveries::skip(cx.tx, cx.caller.tenant, endpoint.id, cx.now)?;
        }
        _ => {}
    }
    sql::update(cx.tx, cx.caller.tenant, &endpoint)?;
    Ok(endpoint)
}

/// Deletes an endpoint.
#[derive(Debug, Clone, Copy)]
pub struct DeleteEndpoint(pub WebhookEndpointId);

impl Command for DeleteEndpoint {
    const NAME: &'static str = "webhooks.delete_endpoint";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.0.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![contention(self.0)]
    }
}

/// Deletes it with its secrets; what waits is skipped.
pub fn delete_endpoint(cx: &mut Cx<'_>, cmd: &DeleteEndpoint) -> Result<(), WebhookError> {
    let endpoint = of_own(cx.tx, cx.caller, cmd.0, cx.now)?;
    deliveries::skip(cx.tx, cx.caller.tenant, endpoint.id, cx.now)?;
    Ok(sql::delete(cx.tx, cx.caller.tenant, endpoint.id, cx.now)?)
}

/// Gives an endpoint a new secret.
#[derive(Debug, Clone, Copy)]
pub struct RotateSecret(pub WebhookEndpointId);

impl Command for RotateSecret {
    const NAME: &'static str = "webhooks.rotate_secret";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.0.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![contention(self.0)]
    }
}

/// The secrets of until now sign for another day, beside the new one.
pub fn rotate_secret(cx: &mut Cx<'_>, cmd: &RotateSecret) -> Result<NewSecret, WebhookError> {
    let tenant = cx.caller.tenant;
    let mut endpoint = of_own(cx.tx, cx.caller, cmd.0, cx.now)?;
    if sql::secrets(cx.tx, tenant, endpoint.id, cx.now)?.len() >= MAX_SECRETS {
        return Err(WebhookError::TooManySecrets);
    }
    let until = cx.now.plus_ms(OVERLAP_MS);
    sql::forget_secrets(cx.tx, tenant, endpoint.id, cx.now)?;
    sql::end_secrets(cx.tx, tenant, endpoint.id, until)?;
    endpoint.overlaps_until = Some(until);
    new_secret(cx, endpoint)
}
