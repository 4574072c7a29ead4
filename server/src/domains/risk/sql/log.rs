//! SQL of what was tried and what was decided.

use super::{coded, shape};
use crate::domains::risk::ask::Key;
use crate::domains::risk::model::{Action, Decision, Looked, Outcome, Step};
use crate::domains::risk::preview::Seen;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{OrderId, RiskDecisionId, RiskEntryId, TenantId};
use mintreu::{Currency, Money, Timestamp};

const INSERT_SIGNAL: &str = "\
INSERT INTO risk_signal (tenant_id, what, source, counted_by, key_hash, order_id, address_hash,
    amount_minor, currency, is_free, at)
VALUES (:tenant, :what, :source, :by, :key, :order, :address, :amount, :currency, :free, :now)
ON CONFLICT (tenant_id, what, source, counted_by, key_hash) DO NOTHING";

// Ids are older the smaller they are: the newest try of an order has the greatest.
const COPY_DECLINED: &str = "\
INSERT INTO risk_signal (tenant_id, what, source, counted_by, key_hash, order_id, address_hash,
    amount_minor, currency, is_free, at)
SELECT tenant_id, 'decline', CAST(:payment AS TEXT), counted_by, key_hash, order_id, address_hash,
    amount_minor, currency, is_free, CAST(:now AS BIGINT)
FROM risk_signal
WHERE tenant_id = :tenant AND order_id = :order AND what = 'attempt' AND source = (
    SELECT MAX(source) FROM risk_signal
    WHERE tenant_id = :tenant AND order_id = :order AND what = 'attempt')
ON CONFLICT (tenant_id, what, source, counted_by, key_hash) DO NOTHING";

const TRIED: &str = "\
SELECT COUNT(*) AS found FROM risk_signal
WHERE tenant_id = :tenant AND what = :what AND counted_by = :by AND key_hash = :key AND at > :since";

const FREE: &str = "\
SELECT COUNT(*) AS found FROM risk_signal
WHERE tenant_id = :tenant AND what = 'attempt' AND counted_by = :by AND key_hash = :key
    AND at > :since AND is_free = 1";

const ADDRESSES: &str = "\
SELECT COUNT(DISTINCT address_hash) AS found FROM risk_signal
WHERE tenant_id = :tenant AND what = 'attempt' AND counted_by = :by AND key_hash = :key
    AND at > :since AND address_hash <> :own";

const SPENT: &str = "\
SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS found FROM risk_signal
WHERE tenant_id = :tenant AND what = 'attempt' AND counted_by = :by AND key_hash = :key
    AND at > :since AND currency = :currency";

const SEEN: &str = "\
SELECT what, source, key_hash, address_hash, amount_minor, currency, is_free, at FROM risk_signal
WHERE tenant_id = :tenant AND counted_by = :by AND at > :since
ORDER BY at DESC, source DESC LIMIT :limit";

const INSERT_DECISION: &str = "\
INSERT INTO risk_decision (tenant_id, decision_id, step, outcome, shadow, order_id, buyer_hash,
    domain_hash, network_hash, amount_minor, currency, entry_id, looked, decided_at)
VALUES (:tenant, :decision, :step, :outcome, :shadow, :order, :buyer, :domain, :network, :amount,
    :currency, :entry, :looked, :now)
ON CONFLICT (tenant_id, decision_id) DO NOTHING";

const FIND_DECISION: &str = "\
SELECT decision_id, step, outcome, shadow, order_id, buyer_hash, domain_hash, network_hash,
    amount_minor, currency, entry_id, looked, decided_at
FROM risk_decision WHERE tenant_id = :tenant AND decision_id = :decision";

// Without an outcome asked for, every one.
const PAGE: &str = "\
SELECT decision_id, step, outcome, shadow, order_id, buyer_hash, domain_hash, network_hash,
    amount_minor, currency, entry_id, looked, decided_at
FROM risk_decision
WHERE tenant_id = :tenant AND decision_id < :before
    AND (:outcome = '' OR outcome = :outcome OR (:outcome = 'shadow' AND shadow IS NOT NULL))
ORDER BY decision_id DESC LIMIT :limit";

const NEWEST_OF_ORDER: &str = "\
SELECT outcome FROM risk_decision
WHERE tenant_id = :tenant AND order_id = :order ORDER BY decision_id DESC LIMIT 1";

const FORGET_SIGNALS: &str = "\
DELETE FROM risk_signal WHERE tenant_id = :tenant AND at < :before";

const FORGET_DECISIONS: &str = "\
DELETE FROM risk_decision WHERE tenant_id = :tenant AND decision_id IN (
    SELECT decision_id FROM risk_decision WHERE tenant_id = :tenant AND decided_at < :before
    ORDER BY decided_at LIMIT :limit)";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT_SIGNAL,
    COPY_DECLINED,
    TRIED,
    FREE,
    ADDRESSES,
    SPENT,
    SEEN,
    INSERT_DECISION,
    FIND_DECISION,
    PAGE,
    NEWEST_OF_ORDER,
    FORGET_SIGNALS,
    FORGET_DECISIONS,
];

/// One thing that was tried, by one key.
pub(in super::super) struct Signal<'a> {
    pub what: &'static str,
    pub source: &'a str,
    pub by: &'static str,
    pub key: &'a [u8],
    pub order: OrderId,
    pub address: Option<&'a [u8]>,
    pub amount: Money,
    pub free: bool,
    pub at: Timestamp,
}

pub(in super::super) fn insert_signal(
    tx: &mut dyn Tx,
    tenant: TenantId,
    signal: &Signal<'_>,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("what", signal.what.into()),
        ("source", signal.source.into()),
        ("by", signal.by.into()),
        ("key", signal.key.into()),
        ("order", signal.order.as_bytes().into()),
        ("address", signal.address.into()),
        ("amount", signal.amount.minor().into()),
        ("currency", signal.amount.currency().code().into()),
        ("free", i64::from(signal.free).into()),
        ("now", signal.at.into()),
    ];
    tx.execute(INSERT_SIGNAL, &params).map(drop)
}

/// Counts a declined payment as the order's newest try was counted.
pub(in super::super) fn copy_declined(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (order, payment): (OrderId, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("payment", payment.into()),
        ("now", now.into()),
    ];
    tx.execute(COPY_DECLINED, &params).map(drop)
}

/// What is counted: by which key, after when.
pub(in super::super) struct Span<'a> {
    pub tenant: TenantId,
    pub key: &'a Key,
    pub since: Timestamp,
}

impl Span<'_> {
    fn params(&self) -> [(&'static str, crate::store::Value); 4] {
        [
            ("tenant", self.tenant.as_bytes().into()),
            ("by", self.key.by.into()),
            ("key", self.key.bytes.as_slice().into()),
            ("since", self.since.into()),
        ]
    }
}

fn found(
    tx: &mut dyn Tx,
    sql: &str,
    params: &[(&str, crate::store::Value)],
) -> Result<i64, StoreError> {
    let row = tx.query_one(sql, params)?;
    row.map_or(Ok(0), |row| row.int("found"))
}

/// How many purchases were tried (`attempt`) or payments declined (`decline`).
pub(in super::super) fn tried(
    tx: &mut dyn Tx,
    span: &Span<'_>,
    what: &str,
) -> Result<i64, StoreError> {
    let [a, b, c, d] = span.params();
    found(tx, TRIED, &[a, b, c, d, ("what", what.into())])
}

pub(in super::super) fn free(tx: &mut dyn Tx, span: &Span<'_>) -> Result<i64, StoreError> {
    found(tx, FREE, &span.params())
}

/// How many addresses beside one's own.
pub(in super::super) fn addresses(
    tx: &mut dyn Tx,
    span: &Span<'_>,
    own: &[u8; 32],
) -> Result<i64, StoreError> {
    let [a, b, c, d] = span.params();
    found(tx, ADDRESSES, &[a, b, c, d, ("own", own.as_slice().into())])
}

/// How much, in minor units.
pub(in super::super) fn spent(
    tx: &mut dyn Tx,
    span: &Span<'_>,
    currency: Currency,
) -> Result<i64, StoreError> {
    let [a, b, c, d] = span.params();
    found(
        tx,
        SPENT,
        &[a, b, c, d, ("currency", currency.code().into())],
    )
}

/// What was counted by one kind of key, the newest first.
pub(in super::super) fn seen(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (by, since): (&str, Timestamp),
    limit: i64,
) -> Result<Vec<Seen>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("by", by.into()),
        ("since", since.into()),
        ("limit", limit.into()),
    ];
    let row = |row: &Row| {
        Ok(Seen {
            source: row.text("source")?,
            declined: row.text("what")? == "decline",
            key: row.blob("key_hash")?,
            address: row.opt_blob("address_hash")?,
            minor: row.int("amount_minor")?,
            currency: row.text("currency")?,
            free: row.int("is_free")? != 0,
            at: row.at("at")?,
        })
    };
    tx.query(SEEN, &params)?.iter().map(row).collect()
}

pub(in super::super) fn insert_decision(
    tx: &mut dyn Tx,
    tenant: TenantId,
    decision: &Decision,
) -> Result<(), StoreError> {
    let looked = serde_json::to_string(&decision.looked).map_err(shape)?;
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("decision", decision.id.as_bytes().into()),
        ("step", decision.step.code().into()),
        ("outcome", decision.outcome.code().into()),
        ("shadow", decision.shadow.map(Action::code).into()),
        (
            "order",
            decision.order.map(|id| id.as_bytes().to_vec()).into(),
        ),
        ("buyer", decision.buyer.clone().into()),
        ("domain", decision.domain.clone().into()),
        ("network", decision.network.clone().into()),
        ("amount", decision.total.minor().into()),
        ("currency", decision.total.currency().code().into()),
        (
            "entry",
            decision.entry.map(|id| id.as_bytes().to_vec()).into(),
        ),
        ("looked", looked.into()),
        ("now", decision.at.into()),
    ];
    tx.execute(INSERT_DECISION, &params).map(drop)
}

fn decision(row: &Row) -> Result<Decision, StoreError> {
    let currency = Currency::parse(&row.text("currency")?).map_err(shape)?;
    let looked: Vec<Looked> = serde_json::from_str(&row.text("looked")?).map_err(shape)?;
    let shadow = row.opt_text("shadow")?;
    Ok(Decision {
        id: row.id("decision_id", RiskDecisionId::from_bytes)?,
        step: coded(row, "step", Step::parse)?,
        outcome: coded(row, "outcome", Outcome::parse)?,
        shadow: shadow.and_then(|code| Action::parse(&code)),
        order: row.opt_id("order_id", OrderId::from_bytes)?,
        buyer: row.opt_blob("buyer_hash")?,
        domain: row.opt_blob("domain_hash")?,
        network: row.opt_blob("network_hash")?,
        total: Money::new(row.int("amount_minor")?, currency),
        entry: row.opt_id("entry_id", RiskEntryId::from_bytes)?,
        looked,
        blocks: Vec::new(),
        at: row.at("decided_at")?,
    })
}

pub(in super::super) fn find_decision(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: RiskDecisionId,
) -> Result<Option<Decision>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("decision", id.as_bytes().into()),
    ];
    tx.query_one(FIND_DECISION, &params)?
        .as_ref()
        .map(decision)
        .transpose()
}

/// The newest decisions, or those before one: of an outcome, of `shadow`, or all for an empty text.
pub(in super::super) fn page(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (before, outcome): (Option<RiskDecisionId>, &str),
    limit: i64,
) -> Result<Vec<Decision>, StoreError> {
    let before = before.map_or([0xff; 16], |id| *id.as_bytes());
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("before", (&before).into()),
        ("outcome", outcome.into()),
        ("limit", limit.into()),
    ];
    tx.query(PAGE, &params)?.iter().map(decision).collect()
}

/// What came of the newest asking about an order.
pub(in super::super) fn newest_of_order(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Option<Outcome>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    let row = tx.query_one(NEWEST_OF_ORDER, &params)?;
    row.map(|row| coded(&row, "outcome", Outcome::parse))
        .transpose()
}

/// Deletes what is older; answers how many decisions went.
pub(in super::super) fn forget(
    tx: &mut dyn Tx,
    tenant: TenantId,
    before: Timestamp,
    limit: i64,
) -> Result<u64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("before", before.into()),
    ];
    tx.execute(FORGET_SIGNALS, &params)?;
    let [tenant, before] = params;
    tx.execute(FORGET_DECISIONS, &[tenant, before, ("limit", limit.into())])
}
