//! SQL of refunds, disputes and what they take from lines.

pub mod invoices;
pub mod queue;
pub mod usage;

use super::model::{
    By, Dispute, DisputeState, LineReversal, PaidFor, Reason, Refund, RefundState, ReversalState,
};
use crate::domains::ledger::{Part, Parts};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{
    AccountId, DisputeId, InvoiceId, LedgerTransactionId, OrderId, OrderLineId, PaymentId,
    RefundId, TenantId,
};
use mintreu::{Currency, Money};

const INSERT_REFUND: &str = "\
INSERT INTO refund (tenant_id, refund_id, order_id, payment_id, provider, provider_refund_id,
    amount_minor, currency, state, reason, note, source, asked_by, keeps_license,
    ends_subscription, failure_code, ledger_transaction_id, requested_at, settled_at)
VALUES (:tenant, :refund, :order, :payment, :provider, :provider_refund, :amount, :currency,
    :state, :reason, :note, :source, :asked_by, :keeps, :ends, :failure, NULL, :requested, :settled)";

const MOVE_REFUND: &str = "\
UPDATE refund SET state = :state, failure_code = :failure, settled_at = :settled
WHERE tenant_id = :tenant AND refund_id = :refund";

const NAME_REFUND: &str = "\
UPDATE refund SET provider_refund_id = :provider_refund
WHERE tenant_id = :tenant AND refund_id = :refund AND provider_refund_id IS NULL";

const NOTE_POSTING: &str = "\
UPDATE refund SET ledger_transaction_id = :transaction
WHERE tenant_id = :tenant AND refund_id = :refund";

const FIND_REFUND: &str = "\
SELECT refund_id, order_id, payment_id, provider, provider_refund_id, amount_minor, currency,
    state, reason, note, source, asked_by, keeps_license, ends_subscription, failure_code,
    requested_at, settled_at
FROM refund WHERE tenant_id = :tenant AND refund_id = :refund";

const REFUND_AT_PROVIDER: &str = "\
SELECT refund_id, order_id, payment_id, provider, provider_refund_id, amount_minor, currency,
    state, reason, note, source, asked_by, keeps_license, ends_subscription, failure_code,
    requested_at, settled_at
FROM refund
WHERE tenant_id = :tenant AND provider = :provider AND provider_refund_id = :provider_refund";

const REFUNDS_OF: &str = "\
SELECT refund_id, order_id, payment_id, provider, provider_refund_id, amount_minor, currency,
    state, reason, note, source, asked_by, keeps_license, ends_subscription, failure_code,
    requested_at, settled_at
FROM refund WHERE tenant_id = :tenant AND order_id = :order ORDER BY refund_id";

const INSERT_REVERSAL: &str = "\
INSERT INTO line_reversal (tenant_id, cause, order_line_id, order_id, currency, tax_minor,
    platform_fee_minor, payment_fee_minor, affiliate_minor, seller_minor, fee_returned,
    from_held_minor, cost_minor, state)
VALUES (:tenant, :cause, :line, :order, :currency, :tax, :platform_fee, :payment_fee, :affiliate,
    :seller, :fee_returned, :from_held, :cost, :state)";

const UPDATE_REVERSAL: &str = "\
UPDATE line_reversal SET fee_returned = :fee_returned, from_held_minor = :from_held,
    state = :state
WHERE tenant_id = :tenant AND cause = :cause AND order_line_id = :line";

const REVERSALS_OF: &str = "\
SELECT cause, order_line_id, currency, tax_minor, platform_fee_minor, payment_fee_minor,
    affiliate_minor, seller_minor, fee_returned, from_held_minor, cost_minor, state
FROM line_reversal WHERE tenant_id = :tenant AND order_id = :order
ORDER BY cause, order_line_id";

const INSERT_DISPUTE: &str = "\
INSERT INTO dispute (tenant_id, dispute_id, order_id, invoice_id, payment_id, provider,
    provider_dispute_id, amount_minor, currency, state, reason, rounds, evidence_due_at, told_at, opened_at, closed_at)
VALUES (:tenant, :dispute, :order, :invoice, :payment, :provider, :provider_dispute, :amount,
    :currency, :state, :reason, :rounds, :due, :told, :opened, :closed)";

const MOVE_DISPUTE: &str = "\
UPDATE dispute SET state = :state, amount_minor = :amount, rounds = :rounds,
    evidence_due_at = :due, told_at = :told, closed_at = :closed
WHERE tenant_id = :tenant AND dispute_id = :dispute";

const DISPUTE_AT_PROVIDER: &str = "\
SELECT dispute_id, order_id, invoice_id, payment_id, provider, provider_dispute_id, amount_minor,
    currency, state, reason, rounds, evidence_due_at, told_at, opened_at, closed_at
FROM dispute
WHERE tenant_id = :tenant AND provider = :provider AND provider_dispute_id = :provider_dispute";

const DISPUTES_OF: &str = "\
SELECT dispute_id, order_id, invoice_id, payment_id, provider, provider_dispute_id, amount_minor,
    currency, state, reason, rounds, evidence_due_at, told_at, opened_at, closed_at
FROM dispute WHERE tenant_id = :tenant AND order_id = :order ORDER BY dispute_id";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT_REFUND,
    MOVE_REFUND,
    NAME_REFUND,
    NOTE_POSTING,
    FIND_REFUND,
    REFUND_AT_PROVIDER,
    REFUNDS_OF,
    INSERT_REVERSAL,
    UPDATE_REVERSAL,
    REVERSALS_OF,
    INSERT_DISPUTE,
    MOVE_DISPUTE,
    DISPUTE_AT_PROVIDER,
    DISPUTES_OF,
];

fn named<T>(row: &Row, column: &str, parse: fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let text = row.text(column)?;
    parse(&text).ok_or_else(|| StoreError::shape(format!("{column} holds {text:?}")))
}

fn currency(row: &Row) -> Result<Currency, StoreError> {
    Currency::parse(&row.text("currency")?).map_err(|error| StoreError::shape(error.to_string()))
}

fn refund(row: &Row) -> Result<Refund, StoreError> {
    Ok(Refund {
        id: row.id("refund_id", RefundId::from_bytes)?,
        order: row.id("order_id", OrderId::from_bytes)?,
        payment: row.id("payment_id", PaymentId::from_bytes)?,
        provider: row.text("provider")?,
        provider_refund: row.opt_text("provider_refund_id")?,
        amount: Money::new(row.int("amount_minor")?, currency(row)?),
        state: named(row, "state", RefundState::parse)?,
        reason: named(row, "reason", Reason::parse)?,
        note: row.text("note")?,
        by: named(row, "source", By::parse)?,
        asked_by: row.opt_id("asked_by", AccountId::from_bytes)?,
        keeps_license: row.int("keeps_license")? != 0,
        ends_subscription: row.int("ends_subscription")? != 0,
        failure_code: row.opt_text("failure_code")?,
        requested_at: row.at("requested_at")?,
        settled_at: row.opt_at("settled_at")?,
    })
}

fn paid_for(row: &Row) -> Result<PaidFor, StoreError> {
    let order = row.opt_id("order_id", OrderId::from_bytes)?;
    match order {
        Some(order) => Ok(PaidFor::Order(order)),
        None => Ok(PaidFor::Invoice(
            row.id("invoice_id", InvoiceId::from_bytes)?,
        )),
    }
}

pub(super) fn dispute(row: &Row) -> Result<Dispute, StoreError> {
    Ok(Dispute {
        id: row.id("dispute_id", DisputeId::from_bytes)?,
        of: paid_for(row)?,
        payment: row.id("payment_id", PaymentId::from_bytes)?,
        provider: row.text("provider")?,
        provider_dispute: row.text("provider_dispute_id")?,
        amount: Money::new(row.int("amount_minor")?, currency(row)?),
        state: named(row, "state", DisputeState::parse)?,
        reason: row.opt_text("reason")?,
        rounds: row.int("rounds")?,
        evidence_due_at: row.opt_at("evidence_due_at")?,
        told_at: row.at("told_at")?,
        opened_at: row.at("opened_at")?,
        closed_at: row.opt_at("closed_at")?,
    })
}

fn reversal(row: &Row) -> Result<LineReversal, StoreError> {
    let currency = currency(row)?;
    let minor = [
        row.int("tax_minor")?,
        row.int("platform_fee_minor")?,
        row.int("payment_fee_minor")?,
        row.int("affiliate_minor")?,
        row.int("seller_minor")?,
    ];
    Ok(LineReversal {
        cause: row.text("cause")?,
        line: row.id("order_line_id", OrderLineId::from_bytes)?,
        parts: Parts::new(currency, minor),
        fee_returned: row.int("fee_returned")? != 0,
        from_held: Money::new(row.int("from_held_minor")?, currency),
        cost: Money::new(row.int("cost_minor")?, currency),
        state: named(row, "state", ReversalState::parse)?,
    })
}

pub(super) fn insert_refund(
    tx: &mut dyn Tx,
    tenant: TenantId,
    new: &Refund,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("refund", new.id.as_bytes().into()),
        ("order", new.order.as_bytes().into()),
        ("payment", new.payment.as_bytes().into()),
        ("provider", new.provider.as_str().into()),
        ("provider_refund", new.provider_refund.clone().into()),
        ("amount", new.amount.minor().into()),
        ("currency", new.amount.currency().code().into()),
        ("state", new.state.code().into()),
        ("reason", new.reason.code().into()),
        ("note", new.note.as_str().into()),
        ("source", new.by.code().into()),
        (
            "asked_by",
            new.asked_by.as_ref().map(AccountId::as_bytes).into(),
        ),
        ("keeps", i64::from(new.keeps_license).into()),
        ("ends", i64::from(new.ends_subscription).into()),
        ("failure", new.failure_code.clone().into()),
        ("requested", new.requested_at.into()),
        ("settled", new.settled_at.into()),
    ];
    tx.execute(INSERT_REFUND, &params).map(drop)
}

pub(super) fn move_refund(
    tx: &mut dyn Tx,
    tenant: TenantId,
    moved: &Refund,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("refund", moved.id.as_bytes().into()),
        ("state", moved.state.code().into()),
        ("failure", moved.failure_code.clone().into()),
        ("settled", moved.settled_at.into()),
    ];
    tx.execute(MOVE_REFUND, &params).map(drop)
}

/// Notes the provider's name of a refund, once.
pub(super) fn name_refund(
    tx: &mut dyn Tx,
    tenant: TenantId,
    refund: RefundId,
    name: &str,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("refund", refund.as_bytes().into()),
        ("provider_refund", name.into()),
    ];
    tx.execute(NAME_REFUND, &params).map(drop)
}

pub(super) fn note_posting(
    tx: &mut dyn Tx,
    tenant: TenantId,
    refund: RefundId,
    transaction: LedgerTransactionId,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("refund", refund.as_bytes().into()),
        ("transaction", transaction.as_bytes().into()),
    ];
    tx.execute(NOTE_POSTING, &params).map(drop)
}

pub(super) fn find_refund(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: RefundId,
) -> Result<Option<Refund>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("refund", id.as_bytes().into()),
    ];
    let row = tx.query_one(FIND_REFUND, &params)?;
    row.as_ref().map(refund).transpose()
}

pub(super) fn refund_at_provider(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (provider, name): (&str, &str),
) -> Result<Option<Refund>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("provider", provider.into()),
        ("provider_refund", name.into()),
    ];
    let row = tx.query_one(REFUND_AT_PROVIDER, &params)?;
    row.as_ref().map(refund).transpose()
}

fn of_order(tenant: TenantId, order: OrderId) -> [(&'static str, Value); 2] {
    [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ]
}

pub(super) fn refunds_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<Refund>, StoreError> {
    let rows = tx.query(REFUNDS_OF, &of_order(tenant, order))?;
    rows.iter().map(refund).collect()
}

pub(super) fn disputes_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<Dispute>, StoreError> {
    let rows = tx.query(DISPUTES_OF, &of_order(tenant, order))?;
    rows.iter().map(dispute).collect()
}

pub(super) fn reversals_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<LineReversal>, StoreError> {
    let rows = tx.query(REVERSALS_OF, &of_order(tenant, order))?;
    rows.iter().map(reversal).collect()
}

pub(super) fn insert_reversal(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
    new: &LineReversal,
) -> Result<(), StoreError> {
    let part = |part| -> Value { new.parts.get(part).minor().into() };
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("cause", new.cause.as_str().into()),
        ("line", new.line.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("currency", new.cost.currency().code().into()),
        ("tax", part(Part::Tax)),
        ("platform_fee", part(Part::PlatformFee)),
        ("payment_fee", part(Part::PaymentFee)),
        ("affiliate", part(Part::Affiliate)),
        ("seller", part(Part::Seller)),
        ("fee_returned", i64::from(new.fee_returned).into()),
        ("from_held", new.from_held.minor().into()),
        ("cost", new.cost.minor().into()),
        ("state", new.state.code().into()),
    ];
    tx.execute(INSERT_REVERSAL, &params).map(drop)
}

pub(super) fn update_reversal(
    tx: &mut dyn Tx,
    tenant: TenantId,
    changed: &LineReversal,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("cause", changed.cause.as_str().into()),
        ("line", changed.line.as_bytes().into()),
        ("fee_returned", i64::from(changed.fee_returned).into()),
        ("from_held", changed.from_held.minor().into()),
        ("state", changed.state.code().into()),
    ];
    tx.execute(UPDATE_REVERSAL, &params).map(drop)
}

pub(super) fn insert_dispute(
    tx: &mut dyn Tx,
    tenant: TenantId,
    new: &Dispute,
) -> Result<(), StoreError> {
    let (order, invoice) = (new.of.order(), new.of.invoice());
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("dispute", new.id.as_bytes().into()),
        ("order", order.as_ref().map(OrderId::as_bytes).into()),
        ("invoice", invoice.as_ref().map(InvoiceId::as_bytes).into()),
        ("payment", new.payment.as_bytes().into()),
        ("provider", new.provider.as_str().into()),
        ("provider_dispute", new.provider_dispute.as_str().into()),
        ("amount", new.amount.minor().into()),
        ("currency", new.amount.currency().code().into()),
        ("state", new.state.code().into()),
        ("reason", new.reason.clone().into()),
        ("rounds", new.rounds.into()),
        ("due", new.evidence_due_at.into()),
        ("told", new.told_at.into()),
        ("opened", new.opened_at.into()),
        ("closed", new.closed_at.into()),
    ];
    tx.execute(INSERT_DISPUTE, &params).map(drop)
}

pub(super) fn move_dispute(
    tx: &mut dyn Tx,
    tenant: TenantId,
    moved: &Dispute,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("dispute", moved.id.as_bytes().into()),
        ("amount", moved.amount.minor().into()),
        ("state", moved.state.code().into()),
        ("rounds", moved.rounds.into()),
        ("due", moved.evidence_due_at.into()),
        ("told", moved.told_at.into()),
        ("closed", moved.closed_at.into()),
    ];
    tx.execute(MOVE_DISPUTE, &params).map(drop)
}

pub(super) fn dispute_at_provider(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (provider, name): (&str, &str),
) -> Result<Option<Dispute>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("provider", provider.into()),
        ("provider_dispute", name.into()),
    ];
    let row = tx.query_one(DISPUTE_AT_PROVIDER, &params)?;
    row.as_ref().map(dispute).transpose()
}
