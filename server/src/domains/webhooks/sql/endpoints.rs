//! Statements of endpoints and their secrets.

use crate::domains::webhooks::model::{Endpoint, Scheme};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{AccountId, TenantId, WebhookEndpointId};

const INSERT: &str = "INSERT INTO webhook_endpoint (tenant_id, endpoint_id, seller_id, url,
        description, events, scheme, failures, created_at)
    VALUES (:tenant, :endpoint, :seller, :url, :description, :events, :scheme, 0, :now)";

const OF_SELLER: &str = "SELECT e.endpoint_id, e.seller_id, e.url, e.description, e.events,
        e.scheme, e.failures, e.created_at, e.disabled_at, e.disabled_why,
        (SELECT MAX(s.public_key) FROM webhook_secret s WHERE s.tenant_id = e.tenant_id
            AND s.endpoint_id = e.endpoint_id AND s.ends_at IS NULL) AS public_key,
        (SELECT MAX(s.ends_at) FROM webhook_secret s WHERE s.tenant_id = e.tenant_id
            AND s.endpoint_id = e.endpoint_id AND s.ends_at > :now) AS overlaps_until
    FROM webhook_endpoint e
    WHERE e.tenant_id = :tenant AND e.seller_id = :seller AND e.deleted_at IS NULL
    ORDER BY e.endpoint_id";

const FIND: &str = "SELECT e.endpoint_id, e.seller_id, e.url, e.description, e.events,
        e.scheme, e.failures, e.created_at, e.disabled_at, e.disabled_why,
        (SELECT MAX(s.public_key) FROM webhook_secret s WHERE s.tenant_id = e.tenant_id
            AND s.endpoint_id = e.endpoint_id AND s.ends_at IS NULL) AS public_key,
        (SELECT MAX(s.ends_at) FROM webhook_secret s WHERE s.tenant_id = e.tenant_id
            AND s.endpoint_id = e.endpoint_id AND s.ends_at > :now) AS overlaps_until
    FROM webhook_endpoint e
    WHERE e.tenant_id = :tenant AND e.endpoint_id = :endpoint AND e.deleted_at IS NULL";

const ANY: &str = "SELECT endpoint_id FROM webhook_endpoint
    WHERE tenant_id = :tenant AND disabled_at IS NULL AND deleted_at IS NULL LIMIT 1";

const UPDATE: &str = "UPDATE webhook_endpoint SET url = :url, description = :description,
        events = :events, failures = :failures, disabled_at = :disabled_at,
        disabled_why = :disabled_why
    WHERE tenant_id = :tenant AND endpoint_id = :endpoint";

const FAILURES: &str = "UPDATE webhook_endpoint SET failures = :failures
    WHERE tenant_id = :tenant AND endpoint_id = :endpoint";

const DELETE: &str = "UPDATE webhook_endpoint SET url = '', description = '', deleted_at = :now
    WHERE tenant_id = :tenant AND endpoint_id = :endpoint";

const INSERT_SECRET: &str = "INSERT INTO webhook_secret (tenant_id, secret_id, endpoint_id,
        secret_sealed, public_key, created_at)
    VALUES (:tenant, :secret, :endpoint, :sealed, :public, :now)";

const SECRETS: &str = "SELECT secret_id, secret_sealed FROM webhook_secret
    WHERE tenant_id = :tenant AND endpoint_id = :endpoint
        AND (ends_at IS NULL OR ends_at > :now)
    ORDER BY CASE WHEN ends_at IS NULL THEN 0 ELSE 1 END, secret_id DESC";

const END_SECRETS: &str = "UPDATE webhook_secret SET ends_at = :until
    WHERE tenant_id = :tenant AND endpoint_id = :endpoint AND ends_at IS NULL";

const FORGET_SECRETS: &str = "DELETE FROM webhook_secret
    WHERE tenant_id = :tenant AND endpoint_id = :endpoint AND ends_at <= :now";

const SEALED: &str = "SELECT tenant_id, secret_id, secret_sealed FROM webhook_secret
    WHERE secret_id > :after ORDER BY secret_id LIMIT :most";

const RESEAL: &str = "UPDATE webhook_secret SET secret_sealed = :sealed
    WHERE tenant_id = :tenant AND secret_id = :secret";

/// A secret as stored: its row, and its sealed bytes.
pub type Sealed = ([u8; 16], Vec<u8>);

fn key(tenant: TenantId, endpoint: WebhookEndpointId) -> [(&'static str, Value); 2] {
    [
        ("tenant", tenant.as_bytes().into()),
        ("endpoint", endpoint.as_bytes().into()),
    ]
}

fn with<const N: usize>(
    key: [(&'static str, Value); 2],
    more: [(&'static str, Value); N],
) -> Vec<(&'static str, Value)> {
    key.into_iter().chain(more).collect()
}

/// Adds one.
pub fn insert(tx: &mut dyn Tx, tenant: TenantId, new: &Endpoint) -> Result<(), StoreError> {
    let more = [
        ("seller", new.seller.as_bytes().into()),
        ("url", new.url.as_str().into()),
        ("description", new.description.as_str().into()),
        ("events", new.events.join(" ").into()),
        ("scheme", new.scheme.code().into()),
        ("now", new.created_at.into()),
    ];
    tx.execute(INSERT, &with(key(tenant, new.id), more))
        .map(drop)
}

/// A seller's, the oldest first.
pub fn of_seller(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
    now: Timestamp,
) -> Result<Vec<Endpoint>, StoreError> {
    let params = [
        ("now", now.into()),
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    tx.query(OF_SELLER, &params)?.iter().map(from_row).collect()
}

/// One that wasn't deleted.
pub fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    now: Timestamp,
) -> Result<Option<Endpoint>, StoreError> {
    let params = with(key(tenant, endpoint), [("now", now.into())]);
    let row = tx.query_one(FIND, &params)?;
    row.as_ref().map(from_row).transpose()
}

fn from_row(row: &Row) -> Result<Endpoint, StoreError> {
    let scheme = Scheme::parse(&row.text("scheme")?);
    let events = row.text("events")?;
    Ok(Endpoint {
        id: row.id("endpoint_id", WebhookEndpointId::from_bytes)?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        url: row.text("url")?,
        description: row.text("description")?,
        events: events.split_whitespace().map(str::to_owned).collect(),
        scheme: scheme.ok_or_else(|| StoreError::shape("an unknown scheme".to_owned()))?,
        failures: row.int("failures")?,
        created_at: row.at("created_at")?,
        disabled_at: row.opt_at("disabled_at")?,
        disabled_why: row.opt_text("disabled_why")?,
        public_key: row.opt_text("public_key")?,
        overlaps_until: row.opt_at("overlaps_until")?,
    })
}

/// Whether anybody of the tenant is told of anything.
pub fn any(tx: &mut dyn Tx, tenant: TenantId) -> Result<bool, StoreError> {
    let params = [("tenant", tenant.as_bytes().into())];
    Ok(tx.query_one(ANY, &params)?.is_some())
}

/// Writes what may change of one.
pub fn update(tx: &mut dyn Tx, tenant: TenantId, changed: &Endpoint) -> Result<(), StoreError> {
    let more = [
        ("url", changed.url.as_str().into()),
        ("description", changed.description.as_str().into()),
        ("events", changed.events.join(" ").into()),
        ("failures", changed.failures.into()),
        ("disabled_at", changed.disabled_at.into()),
        ("disabled_why", changed.disabled_why.as_deref().into()),
    ];
    tx.execute(UPDATE, &with(key(tenant, changed.id), more))
        .map(drop)
}

/// Writes how many deliveries in a row failed to their end.
pub fn set_failures(
    tx: &mut dyn Tx,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    failures: i64,
) -> Result<(), StoreError> {
    let params = with(key(tenant, endpoint), [("failures", failures.into())]);
    tx.execute(FAILURES, &params).map(drop)
}

/// Deletes one, with its secrets; its row stays for what was delivered.
pub fn delete(
    tx: &mut dyn Tx,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let deleted = with(key(tenant, endpoint), [("now", now.into())]);
    tx.execute(DELETE, &deleted)?;
    end_secrets(tx, tenant, endpoint, now)?;
    forget_secrets(tx, tenant, endpoint, Timestamp::from_ms(i64::MAX))
}

/// Adds a secret, which is the newest from now on.
pub fn insert_secret(
    tx: &mut dyn Tx,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    (secret, sealed): Sealed,
    public: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let more = [
        ("secret", (&secret).into()),
        ("sealed", sealed.into()),
        ("public", public.into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_SECRET, &with(key(tenant, endpoint), more))
        .map(drop)
}

/// The secrets that sign at `now`, the newest first.
pub fn secrets(
    tx: &mut dyn Tx,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    now: Timestamp,
) -> Result<Vec<Sealed>, StoreError> {
    let params = with(key(tenant, endpoint), [("now", now.into())]);
    let sealed = |row: &Row| Ok((row.id("secret_id", |id| id)?, row.blob("secret_sealed")?));
    tx.query(SECRETS, &params)?.iter().map(sealed).collect()
}

/// Lets the newest secret end.
pub fn end_secrets(
    tx: &mut dyn Tx,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    until: Timestamp,
) -> Result<(), StoreError> {
    let params = with(key(tenant, endpoint), [("until", until.into())]);
    tx.execute(END_SECRETS, &params).map(drop)
}

/// Deletes secrets that ended.
pub fn forget_secrets(
    tx: &mut dyn Tx,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = with(key(tenant, endpoint), [("now", now.into())]);
    tx.execute(FORGET_SECRETS, &params).map(drop)
}

/// Sealed secrets of every tenant, in order of their ids.
pub fn sealed(
    tx: &mut dyn Tx,
    after: [u8; 16],
    most: i64,
) -> Result<Vec<(TenantId, Sealed)>, StoreError> {
    let params = [("after", (&after).into()), ("most", most.into())];
    let found = |row: &Row| {
        let sealed = (row.id("secret_id", |id| id)?, row.blob("secret_sealed")?);
        Ok((row.id("tenant_id", TenantId::from_bytes)?, sealed))
    };
    tx.query(SEALED, &params)?.iter().map(found).collect()
}

/// Puts a secret back, sealed anew.
pub fn reseal(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (secret, sealed): Sealed,
) -> Result<(), StoreError> {
    let params = [
        ("sealed", sealed.into()),
        ("tenant", tenant.as_bytes().into()),
        ("secret", (&secret).into()),
    ];
    tx.execute(RESEAL, &params).map(drop)
}
