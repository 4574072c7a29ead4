//! SQL of the payments' tables.

use super::model::{EventKind, MethodUse, Payment, PaymentEvent, PaymentState, ProviderEvent};
use crate::gateways::KeptMethod;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, PaymentEventId, PaymentId, TenantId};
use mintreu::{Currency, Money, Timestamp};

const INSERT_PAYMENT: &str = "\
INSERT INTO payment (tenant_id, payment_id, payable, attempt, provider, state, amount_minor,
    currency, method_use, begun_by, provider_session_id, page_url, failure_code, created_at,
    updated_at)
VALUES (:tenant, :payment, :payable, :attempt, :provider, :state, :amount, :currency, :use, :by,
    NULL, NULL, NULL, :now, :now)";

const LATEST: &str = "\
SELECT payment_id, payable, attempt, provider, state, amount_minor, currency, method_use,
    begun_by, provider_session_id, page_url, failure_code
FROM payment WHERE tenant_id = :tenant AND payable = :payable
ORDER BY attempt DESC LIMIT 1";

const PAID_BY: &str = "\
SELECT payment_id, payable, attempt, provider, state, amount_minor, currency, method_use,
    begun_by, provider_session_id, page_url, failure_code
FROM payment WHERE tenant_id = :tenant AND payable = :payable AND state = 'succeeded'
ORDER BY attempt LIMIT 1";

const FIND_PAYMENT: &str = "\
SELECT payment_id, payable, attempt, provider, state, amount_minor, currency, method_use,
    begun_by, provider_session_id, page_url, failure_code
FROM payment WHERE tenant_id = :tenant AND payment_id = :payment";

const ATTACH_SESSION: &str = "\
UPDATE payment SET provider_session_id = :session, page_url = :url, updated_at = :now
WHERE tenant_id = :tenant AND payment_id = :payment";

const CHANGE_USE: &str = "\
UPDATE payment SET method_use = :use, begun_by = :by, updated_at = :now
WHERE tenant_id = :tenant AND payment_id = :payment AND provider_session_id IS NULL";

const MOVE_PAYMENT: &str = "\
UPDATE payment SET state = :state, failure_code = :failure, updated_at = :now
WHERE tenant_id = :tenant AND payment_id = :payment";

const INSERT_EVENT: &str = "\
INSERT INTO payment_event (tenant_id, payment_event_id, provider, provider_event_id, kind,
    payment_reference, object, object_reference, amount_minor, currency, fee_minor, fee_currency,
    failure_code, method_country, kept_name, kept_label, kept_expires, evidence_due_at,
    occurred_at, received_at, outcome, settled_at)
VALUES (:tenant, :event, :provider, :provider_event, :kind, :reference, :object,
    :object_reference, :amount, :currency, :fee, :fee_currency, :failure, :method, :kept_name,
    :kept_label, :kept_expires, :due, :occurred, :now, NULL, NULL)
ON CONFLICT (tenant_id, provider, provider_event_id) DO NOTHING
RETURNING payment_event_id";

const FIND_EVENT: &str = "\
SELECT payment_event_id, provider, kind, payment_reference, object, object_reference,
    amount_minor, currency, fee_minor, fee_currency, failure_code, method_country, kept_name,
    kept_label, kept_expires, evidence_due_at, occurred_at, outcome
FROM payment_event WHERE tenant_id = :tenant AND payment_event_id = :event";

const RECORD_OUTCOME: &str = "\
UPDATE payment_event SET outcome = :outcome, settled_at = :now
WHERE tenant_id = :tenant AND payment_event_id = :event";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT_PAYMENT,
    LATEST,
    PAID_BY,
    FIND_PAYMENT,
    ATTACH_SESSION,
    CHANGE_USE,
    MOVE_PAYMENT,
    INSERT_EVENT,
    FIND_EVENT,
    RECORD_OUTCOME,
];

fn shape(error: &mintreu::Error) -> StoreError {
    StoreError::shape(error.to_string())
}

fn money(row: &Row) -> Result<Money, StoreError> {
    let currency = Currency::parse(&row.text("currency")?).map_err(|error| shape(&error))?;
    Ok(Money::new(row.int("amount_minor")?, currency))
}

/// What the provider took, when it said so.
fn fee(row: &Row) -> Result<Option<Money>, StoreError> {
    let told = row.opt_int("fee_minor")?.zip(row.opt_text("fee_currency")?);
    told.map(|(minor, code)| {
        let currency = Currency::parse(&code).map_err(|error| shape(&error))?;
        Ok(Money::new(minor, currency))
    })
    .transpose()
}

/// The method that is kept, when the event said so.
fn kept(row: &Row) -> Result<Option<KeptMethod>, StoreError> {
    let told = row.opt_text("kept_name")?.zip(row.opt_text("kept_label")?);
    let expires = row.opt_text("kept_expires")?;
    Ok(told.map(|(name, label)| KeptMethod {
        name,
        label,
        expires,
    }))
}

fn payment(row: &Row) -> Result<Payment, StoreError> {
    let (state, method_use) = (row.text("state")?, row.text("method_use")?);
    Ok(Payment {
        id: row.id("payment_id", PaymentId::from_bytes)?,
        payable: row.text("payable")?,
        attempt: row.int("attempt")?,
        provider: row.text("provider")?,
        state: PaymentState::parse(&state)
            .ok_or_else(|| StoreError::shape(format!("no payment state {state:?}")))?,
        amount: money(row)?,
        method_use: MethodUse::parse(&method_use)
            .ok_or_else(|| StoreError::shape(format!("no use of a method {method_use:?}")))?,
        begun_by: row.opt_id("begun_by", AccountId::from_bytes)?,
        provider_session: row.opt_text("provider_session_id")?,
        page_url: row.opt_text("page_url")?,
        failure_code: row.opt_text("failure_code")?,
    })
}

pub(super) fn insert_payment(
    tx: &mut dyn Tx,
    tenant: TenantId,
    new: &Payment,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("payment", new.id.as_bytes().into()),
        ("payable", new.payable.as_str().into()),
        ("attempt", new.attempt.into()),
        ("provider", new.provider.as_str().into()),
        ("state", new.state.code().into()),
        ("amount", new.amount.minor().into()),
        ("currency", new.amount.currency().code().into()),
        ("use", new.method_use.code().into()),
        ("by", new.begun_by.as_ref().map(AccountId::as_bytes).into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_PAYMENT, &params)?;
    Ok(())
}

pub(super) fn latest(
    tx: &mut dyn Tx,
    tenant: TenantId,
    payable: &str,
) -> Result<Option<Payment>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("payable", payable.into()),
    ];
    tx.query_one(LATEST, &params)?
        .as_ref()
        .map(payment)
        .transpose()
}

pub(super) fn paid_by(
    tx: &mut dyn Tx,
    tenant: TenantId,
    payable: &str,
) -> Result<Option<Payment>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("payable", payable.into()),
    ];
    tx.query_one(PAID_BY, &params)?
        .as_ref()
        .map(payment)
        .transpose()
}

pub(super) fn find_payment(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: PaymentId,
) -> Result<Option<Payment>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("payment", id.as_bytes().into()),
    ];
    tx.query_one(FIND_PAYMENT, &params)?
        .as_ref()
        .map(payment)
        .transpose()
}

pub(super) fn attach(
    tx: &mut dyn Tx,
    tenant: TenantId,
    attach: &super::ops::AttachSession,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("payment", attach.payment.as_bytes().into()),
        ("session", attach.session.as_str().into()),
        ("url", attach.page_url.as_str().into()),
        ("now", now.into()),
    ];
    Ok(tx.execute(ATTACH_SESSION, &params)? == 1)
}

/// Says anew what becomes of the method and who was led to the page, as long as there is no page.
pub(super) fn change_use(
    tx: &mut dyn Tx,
    tenant: TenantId,
    changed: &Payment,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("payment", changed.id.as_bytes().into()),
        ("use", changed.method_use.code().into()),
        (
            "by",
            changed.begun_by.as_ref().map(AccountId::as_bytes).into(),
        ),
        ("now", now.into()),
    ];
    tx.execute(CHANGE_USE, &params).map(drop)
}

pub(super) fn move_payment(
    tx: &mut dyn Tx,
    tenant: TenantId,
    moved: &Payment,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("payment", moved.id.as_bytes().into()),
        ("state", moved.state.code().into()),
        ("failure", moved.failure_code.clone().into()),
        ("now", now.into()),
    ];
    tx.execute(MOVE_PAYMENT, &params)?;
    Ok(())
}

/// A row of the inbox about to be written.
pub(super) struct NewEvent<'a> {
    pub tenant: TenantId,
    pub id: PaymentEventId,
    pub provider: &'a str,
    pub event: &'a ProviderEvent,
    pub now: Timestamp,
}

/// Whether the event is new.
pub(super) fn insert_event(tx: &mut dyn Tx, new: &NewEvent<'_>) -> Result<bool, StoreError> {
    let event = new.event;
    let currency = event.fee.map(|fee| fee.currency());
    let kept = |what: fn(&KeptMethod) -> String| event.method.as_ref().map(what);
    let expires = event.method.as_ref().and_then(|kept| kept.expires.clone());
    let params = [
        ("tenant", new.tenant.as_bytes().into()),
        ("event", new.id.as_bytes().into()),
        ("provider", new.provider.into()),
        ("provider_event", event.id.as_str().into()),
        ("kind", event.kind.code().into()),
        ("reference", event.reference.as_str().into()),
        ("object", event.object.clone().into()),
        ("object_reference", event.object_reference.clone().into()),
        ("amount", event.amount.minor().into()),
        ("currency", event.amount.currency().code().into()),
        ("fee", event.fee.as_ref().map(Money::minor).into()),
        ("fee_currency", currency.as_ref().map(Currency::code).into()),
        ("failure", event.failure_code.clone().into()),
        ("method", event.method_country.clone().into()),
        ("kept_name", kept(|method| method.name.clone()).into()),
        ("kept_label", kept(|method| method.label.clone()).into()),
        ("kept_expires", expires.into()),
        ("due", event.evidence_due_at.into()),
        ("occurred", event.occurred_at.into()),
        ("now", new.now.into()),
    ];
    Ok(tx.query_one(INSERT_EVENT, &params)?.is_some())
}

pub(super) fn find_event(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: PaymentEventId,
) -> Result<Option<PaymentEvent>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("event", id.as_bytes().into()),
    ];
    let Some(row) = tx.query_one(FIND_EVENT, &params)? else {
        return Ok(None);
    };
    let kind = row.text("kind")?;
    Ok(Some(PaymentEvent {
        id: row.id("payment_event_id", PaymentEventId::from_bytes)?,
        kind: EventKind::parse(&kind)
            .ok_or_else(|| StoreError::shape(format!("no event kind {kind:?}")))?,
        provider: row.text("provider")?,
        reference: row.text("payment_reference")?,
        object: row.opt_text("object")?,
        object_reference: row.opt_text("object_reference")?,
        occurred_at: row.at("occurred_at")?,
        amount: money(&row)?,
        fee: fee(&row)?,
        failure_code: row.opt_text("failure_code")?,
        method_country: row.opt_text("method_country")?,
        method: kept(&row)?,
        evidence_due_at: row.opt_at("evidence_due_at")?,
        outcome: row.opt_text("outcome")?,
    }))
}

pub(super) fn record_outcome(
    tx: &mut dyn Tx,
    tenant: TenantId,
    event: PaymentEventId,
    outcome: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("event", event.as_bytes().into()),
        ("outcome", outcome.into()),
        ("now", now.into()),
    ];
    tx.execute(RECORD_OUTCOME, &params)?;
    Ok(())
}
