//! SQL of refunds, disputes, payouts, and of how webhooks leave.

use super::super::model::EventBody;
use super::super::objects::{ObjectKind, ObjectState};
use super::super::tell::Mode;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::TenantId;
use mintreu::{Currency, Money, Timestamp};

const INSERT: &str = "\
INSERT INTO sandbox_object (tenant_id, object, kind, idempotency_key, session, reference,
    amount_minor, currency, state, failure_code, evidence_due_at, created_at, updated_at)
VALUES (:tenant, :object, :kind, :key, :session, :reference, :amount, :currency, :state, :failure,
    :due, :now, :now)";

const UPDATE: &str = "\
UPDATE sandbox_object SET state = :state, amount_minor = :amount, failure_code = :failure,
    evidence_due_at = :due, updated_at = :now
WHERE tenant_id = :tenant AND object = :object";

const FIND: &str = "\
SELECT object, kind, idempotency_key, session, reference, amount_minor, currency, state,
    failure_code, evidence_due_at
FROM sandbox_object WHERE tenant_id = :tenant AND object = :object";

const BY_KEY: &str = "\
SELECT object, kind, idempotency_key, session, reference, amount_minor, currency, state,
    failure_code, evidence_due_at
FROM sandbox_object WHERE tenant_id = :tenant AND kind = :kind AND idempotency_key = :key";

const OF_SESSION: &str = "\
SELECT object, kind, idempotency_key, session, reference, amount_minor, currency, state,
    failure_code, evidence_due_at
FROM sandbox_object WHERE tenant_id = :tenant AND session = :session
ORDER BY created_at, object";

const INSERT_NOTICE: &str = "\
INSERT INTO sandbox_notice (tenant_id, event, object, body, created_at)
VALUES (:tenant, :event, :object, :body, :now)";

const EVENTS_OF: &str = "\
SELECT event, created_at FROM sandbox_event WHERE tenant_id = :tenant AND session = :session
UNION ALL
SELECT n.event, n.created_at FROM sandbox_notice n
JOIN sandbox_object o ON o.tenant_id = n.tenant_id AND o.object = n.object
WHERE n.tenant_id = :tenant AND o.session = :session
ORDER BY created_at, event";

const INSERT_EVIDENCE: &str = "\
INSERT INTO sandbox_evidence (tenant_id, object, idempotency_key, body, taken_at)
VALUES (:tenant, :object, :key, :body, :now)";

const EVIDENCE_OF: &str = "\
SELECT idempotency_key, body, taken_at FROM sandbox_evidence
WHERE tenant_id = :tenant AND object = :object ORDER BY taken_at, idempotency_key";

const FIND_MODE: &str = "SELECT mode FROM sandbox_delivery WHERE tenant_id = :tenant";

const SET_MODE: &str = "\
INSERT INTO sandbox_delivery (tenant_id, mode) VALUES (:tenant, :mode)
ON CONFLICT (tenant_id) DO UPDATE SET mode = excluded.mode";

const HOLD: &str = "\
INSERT INTO sandbox_held (tenant_id, event, place)
SELECT :tenant, :event, COALESCE(MAX(place), 0) + 1 FROM sandbox_held WHERE tenant_id = :tenant";

const HELD: &str = "SELECT event FROM sandbox_held WHERE tenant_id = :tenant ORDER BY place";

const FORGET_HELD: &str = "DELETE FROM sandbox_held WHERE tenant_id = :tenant";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT,
    UPDATE,
    FIND,
    BY_KEY,
    OF_SESSION,
    INSERT_NOTICE,
    EVENTS_OF,
    INSERT_EVIDENCE,
    EVIDENCE_OF,
    FIND_MODE,
    SET_MODE,
    HOLD,
    HELD,
    FORGET_HELD,
];

/// A refund, a dispute or a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// The provider's name of it.
    pub object: String,
    /// What it is.
    pub kind: ObjectKind,
    /// What it was asked for under.
    pub idempotency_key: String,
    /// The payment page; a payout has none.
    pub session: Option<String>,
    /// The shop's name of the payment or payout.
    pub reference: String,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub state: ObjectState,
    /// Why it failed, or why the bank asks.
    pub failure_code: Option<String>,
    /// Until when the bank waits for an answer.
    pub evidence_due_at: Option<Timestamp>,
}

impl StoredObject {
    /// The shop's name of the refund, when the shop asked for it.
    pub(in super::super) fn shop_reference(&self) -> Option<String> {
        let asked = self.kind == ObjectKind::Refund && !self.idempotency_key.starts_with("here ");
        asked.then(|| self.idempotency_key.clone())
    }
}

fn object(row: &Row) -> Result<StoredObject, StoreError> {
    let named = |column: &str| row.text(column);
    let (kind, state) = (named("kind")?, named("state")?);
    let currency = Currency::parse(&named("currency")?)
        .map_err(|error| StoreError::shape(error.to_string()))?;
    Ok(StoredObject {
        object: named("object")?,
        kind: ObjectKind::parse(&kind)
            .ok_or_else(|| StoreError::shape(format!("no object kind {kind:?}")))?,
        idempotency_key: named("idempotency_key")?,
        session: row.opt_text("session")?,
        reference: named("reference")?,
        amount: Money::new(row.int("amount_minor")?, currency),
        state: ObjectState::parse(&state)
            .ok_or_else(|| StoreError::shape(format!("no object state {state:?}")))?,
        failure_code: row.opt_text("failure_code")?,
        evidence_due_at: row.opt_at("evidence_due_at")?,
    })
}

pub(in super::super) fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    new: &StoredObject,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("object", new.object.as_str().into()),
        ("kind", new.kind.code().into()),
        ("key", new.idempotency_key.as_str().into()),
        ("session", new.session.clone().into()),
        ("reference", new.reference.as_str().into()),
        ("amount", new.amount.minor().into()),
        ("currency", new.amount.currency().code().into()),
        ("state", new.state.code().into()),
        ("failure", new.failure_code.clone().into()),
        ("due", new.evidence_due_at.into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT, &params).map(drop)
}

pub(in super::super) fn update(
    tx: &mut dyn Tx,
    tenant: TenantId,
    moved: &StoredObject,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("object", moved.object.as_str().into()),
        ("amount", moved.amount.minor().into()),
        ("state", moved.state.code().into()),
        ("failure", moved.failure_code.clone().into()),
        ("due", moved.evidence_due_at.into()),
        ("now", now.into()),
    ];
    tx.execute(UPDATE, &params).map(drop)
}

pub(in super::super) fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    name: &str,
) -> Result<Option<StoredObject>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("object", name.into()),
    ];
    let row = tx.query_one(FIND, &params)?;
    row.as_ref().map(object).transpose()
}

pub(in super::super) fn by_key(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (kind, key): (ObjectKind, &str),
) -> Result<Option<StoredObject>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("kind", kind.code().into()),
        ("key", key.into()),
    ];
    let row = tx.query_one(BY_KEY, &params)?;
    row.as_ref().map(object).transpose()
}

pub(in super::super) fn of_session(
    tx: &mut dyn Tx,
    tenant: TenantId,
    session: &str,
) -> Result<Vec<StoredObject>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("session", session.into()),
    ];
    tx.query(OF_SESSION, &params)?.iter().map(object).collect()
}

pub(in super::super) fn insert_notice(
    tx: &mut dyn Tx,
    tenant: TenantId,
    event: &EventBody,
    body: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("event", event.id.as_str().into()),
        ("object", event.object.clone().into()),
        ("body", body.into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_NOTICE, &params).map(drop)
}

pub(in super::super) fn events_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    session: &str,
) -> Result<Vec<String>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("session", session.into()),
    ];
    let rows = tx.query(EVENTS_OF, &params)?;
    rows.iter().map(|row| row.text("event")).collect()
}

/// Something that a bank was told about a dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvidence {
    /// What it was handed in under.
    pub key: String,
    /// JSON.
    pub body: String,
    /// When.
    pub taken_at: Timestamp,
}

pub(in super::super) fn insert_evidence(
    tx: &mut dyn Tx,
    (tenant, object): (TenantId, &str),
    new: &StoredEvidence,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("object", object.into()),
        ("key", new.key.as_str().into()),
        ("body", new.body.as_str().into()),
        ("now", new.taken_at.into()),
    ];
    tx.execute(INSERT_EVIDENCE, &params).map(drop)
}

/// What was handed in about a dispute, the oldest first.
pub(in super::super) fn evidence_of(
    tx: &mut dyn Tx,
    (tenant, object): (TenantId, &str),
) -> Result<Vec<StoredEvidence>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("object", object.into()),
    ];
    let stored = |row: &Row| {
        Ok(StoredEvidence {
            key: row.text("idempotency_key")?,
            body: row.text("body")?,
            taken_at: row.at("taken_at")?,
        })
    };
    let rows = tx.query(EVIDENCE_OF, &params)?;
    rows.iter().map(stored).collect()
}

pub(in super::super) fn mode(tx: &mut dyn Tx, tenant: TenantId) -> Result<Mode, StoreError> {
    let row = tx.query_one(FIND_MODE, &[("tenant", tenant.as_bytes().into())])?;
    let code = row.map(|row| row.text("mode")).transpose()?;
    Ok(code.and_then(|code| Mode::parse(&code)).unwrap_or_default())
}

pub(in super::super) fn set_mode(
    tx: &mut dyn Tx,
    tenant: TenantId,
    mode: Mode,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("mode", mode.code().into()),
    ];
    tx.execute(SET_MODE, &params).map(drop)
}

pub(in super::super) fn hold(
    tx: &mut dyn Tx,
    tenant: TenantId,
    event: &str,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("event", event.into()),
    ];
    tx.execute(HOLD, &params).map(drop)
}

/// The events that are held, in the order they happened.
pub(in super::super) fn held(tx: &mut dyn Tx, tenant: TenantId) -> Result<Vec<String>, StoreError> {
    let rows = tx.query(HELD, &[("tenant", tenant.as_bytes().into())])?;
    rows.iter().map(|row| row.text("event")).collect()
}

/// As [`held`], and none is held any more.
pub(in super::super) fn let_go(
    tx: &mut dyn Tx,
    tenant: TenantId,
) -> Result<Vec<String>, StoreError> {
    let events = held(tx, tenant)?;
    tx.execute(FORGET_HELD, &[("tenant", tenant.as_bytes().into())])?;
    Ok(events)
}
