//! SQL of the fees' tables.

use super::disputes::DisputeFee;
use super::model::{Agreed, Rule, Scope};
use crate::domains::ledger::{FeePolicy, Traffic};
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, FeeRuleId, OrderId, OrderLineId, ProductId, TenantId};
use mintreu::{Currency, Money, Timestamp};

const INSERT_RULE: &str = "\
INSERT INTO fee_rule (tenant_id, fee_rule_id, scope, subject, from_at, seller_bps,
    marketplace_bps, default_bps, reason, set_by, set_at)
VALUES (:tenant, :rule, :scope, :subject, :from, :seller, :marketplace, :default, :reason, :by,
    :now)";

const IN_FORCE: &str = "\
SELECT fee_rule_id, scope, subject, from_at, seller_bps, marketplace_bps, default_bps, reason,
    set_by, set_at
FROM fee_rule
WHERE tenant_id = :tenant AND scope = :scope AND subject = :subject AND from_at <= :now
ORDER BY from_at DESC, fee_rule_id DESC LIMIT 1";

const RULES: &str = "\
SELECT fee_rule_id, scope, subject, from_at, seller_bps, marketplace_bps, default_bps, reason,
    set_by, set_at
FROM fee_rule
WHERE tenant_id = :tenant AND fee_rule_id < :before
ORDER BY fee_rule_id DESC LIMIT :limit";

const KEEP: &str = "\
INSERT INTO order_line_fee (tenant_id, order_line_id, order_id, product_id, traffic, platform_bps,
    scope, subject, fee_rule_id, why)
VALUES (:tenant, :line, :order, :product, :traffic, :bps, :scope, :subject, :rule, :why)";

const OF_LINE: &str = "\
SELECT traffic, platform_bps, scope, subject, fee_rule_id, why FROM order_line_fee
WHERE tenant_id = :tenant AND order_line_id = :line";

const OF_SALE: &str = "\
SELECT traffic, platform_bps, scope, subject, fee_rule_id, why FROM order_line_fee
WHERE tenant_id = :tenant AND order_id = :order AND product_id = :product
ORDER BY order_line_id LIMIT 1";

const INSERT_DISPUTE_FEE: &str = "\
INSERT INTO dispute_fee (tenant_id, fee_rule_id, currency, amount_minor, reason, set_by, set_at)
VALUES (:tenant, :rule, :currency, :amount, :reason, :by, :now)";

const DISPUTE_FEE: &str = "\
SELECT currency, amount_minor, reason, set_at FROM dispute_fee
WHERE tenant_id = :tenant AND currency = :currency ORDER BY fee_rule_id DESC LIMIT 1";

const DISPUTE_FEES: &str = "\
SELECT currency, amount_minor, reason, set_at FROM dispute_fee
WHERE tenant_id = :tenant ORDER BY fee_rule_id DESC LIMIT 200";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT_RULE,
    IN_FORCE,
    RULES,
    KEEP,
    OF_LINE,
    OF_SALE,
    INSERT_DISPUTE_FEE,
    DISPUTE_FEE,
    DISPUTE_FEES,
];

fn shape(what: impl ToString) -> StoreError {
    StoreError::shape(what.to_string())
}

fn bps(row: &Row, column: &str) -> Result<Option<u32>, StoreError> {
    let stored = row.opt_int(column)?;
    stored.map(u32::try_from).transpose().map_err(shape)
}

fn scope(row: &Row) -> Result<Scope, StoreError> {
    let code = row.text("scope")?;
    Scope::parse(&code).ok_or_else(|| shape(format!("no scope {code:?}")))
}

fn rule(row: &Row) -> Result<Rule, StoreError> {
    let shares = (
        bps(row, "seller_bps")?,
        bps(row, "marketplace_bps")?,
        bps(row, "default_bps")?,
    );
    let policy = match shares {
        (Some(seller_bps), Some(marketplace_bps), Some(default_bps)) => Some(FeePolicy {
            seller_bps,
            marketplace_bps,
            default_bps,
        }),
        _ => None,
    };
    Ok(Rule {
        id: row.id("fee_rule_id", FeeRuleId::from_bytes)?,
        scope: scope(row)?,
        subject: row.text("subject")?,
        from: row.at("from_at")?,
        policy,
        reason: row.text("reason")?,
        set_by: row.opt_id("set_by", AccountId::from_bytes)?,
        set_at: row.at("set_at")?,
    })
}

fn agreed(row: &Row) -> Result<Agreed, StoreError> {
    Ok(Agreed {
        traffic: Traffic::parse(&row.text("traffic")?),
        platform_bps: u32::try_from(row.int("platform_bps")?).map_err(shape)?,
        scope: scope(row)?,
        subject: row.text("subject")?,
        rule: row.opt_id("fee_rule_id", FeeRuleId::from_bytes)?,
        why: row.text("why")?,
    })
}

pub(super) fn insert_rule(
    tx: &mut dyn Tx,
    tenant: TenantId,
    rule: &Rule,
) -> Result<(), StoreError> {
    let share = |of: fn(&FeePolicy) -> u32| rule.policy.as_ref().map(of).map(i64::from);
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("rule", rule.id.as_bytes().into()),
        ("scope", rule.scope.code().into()),
        ("subject", rule.subject.as_str().into()),
        ("from", rule.from.into()),
        ("seller", share(|policy| policy.seller_bps).into()),
        ("marketplace", share(|policy| policy.marketplace_bps).into()),
        ("default", share(|policy| policy.default_bps).into()),
        ("reason", rule.reason.as_str().into()),
        ("by", rule.set_by.as_ref().map(AccountId::as_bytes).into()),
        ("now", rule.set_at.into()),
    ];
    tx.execute(INSERT_RULE, &params).map(drop)
}

pub(super) fn in_force(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (scope, subject): (Scope, &str),
    now: Timestamp,
) -> Result<Option<Rule>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("scope", scope.code().into()),
        ("subject", subject.into()),
        ("now", now.into()),
    ];
    let found = tx.query_one(IN_FORCE, &params)?;
    found.as_ref().map(rule).transpose()
}

pub(super) fn rules(
    tx: &mut dyn Tx,
    tenant: TenantId,
    before: [u8; 16],
    limit: i64,
) -> Result<Vec<Rule>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("before", (&before).into()),
        ("limit", limit.into()),
    ];
    tx.query(RULES, &params)?.iter().map(rule).collect()
}

pub(super) fn keep(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (line, order, product): (OrderLineId, OrderId, ProductId),
    agreed: &Agreed,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("line", line.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("product", product.as_bytes().into()),
        ("traffic", agreed.traffic.code().into()),
        ("bps", i64::from(agreed.platform_bps).into()),
        ("scope", agreed.scope.code().into()),
        ("subject", agreed.subject.as_str().into()),
        ("rule", agreed.rule.as_ref().map(FeeRuleId::as_bytes).into()),
        ("why", agreed.why.as_str().into()),
    ];
    tx.execute(KEEP, &params).map(drop)
}

pub(super) fn of_line(
    tx: &mut dyn Tx,
    tenant: TenantId,
    line: OrderLineId,
) -> Result<Option<Agreed>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("line", line.as_bytes().into()),
    ];
    let found = tx.query_one(OF_LINE, &params)?;
    found.as_ref().map(agreed).transpose()
}

pub(super) fn of_sale(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (order, product): (OrderId, ProductId),
) -> Result<Option<Agreed>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("product", product.as_bytes().into()),
    ];
    let found = tx.query_one(OF_SALE, &params)?;
    found.as_ref().map(agreed).transpose()
}

fn of_dispute(row: &Row) -> Result<DisputeFee, StoreError> {
    let currency = Currency::parse(&row.text("currency")?).map_err(shape)?;
    Ok(DisputeFee {
        amount: Money::new(row.int("amount_minor")?, currency),
        reason: Some(row.text("reason")?),
        set_at: Some(row.at("set_at")?),
    })
}

pub(super) struct NewDisputeFee<'a> {
    pub tenant: TenantId,
    pub id: FeeRuleId,
    pub amount: Money,
    pub reason: &'a str,
    pub by: Option<AccountId>,
    pub now: Timestamp,
}

pub(super) fn insert_dispute_fee(
    tx: &mut dyn Tx,
    new: &NewDisputeFee<'_>,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", new.tenant.as_bytes().into()),
        ("rule", new.id.as_bytes().into()),
        ("currency", new.amount.currency().code().into()),
        ("amount", new.amount.minor().into()),
        ("reason", new.reason.into()),
        ("by", new.by.as_ref().map(AccountId::as_bytes).into()),
        ("now", new.now.into()),
    ];
    tx.execute(INSERT_DISPUTE_FEE, &params).map(drop)
}

pub(super) fn dispute_fee(
    tx: &mut dyn Tx,
    tenant: TenantId,
    currency: Currency,
) -> Result<Option<DisputeFee>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("currency", currency.code().into()),
    ];
    let found = tx.query_one(DISPUTE_FEE, &params)?;
    found.as_ref().map(of_dispute).transpose()
}

/// Newest first.
pub(super) fn dispute_fees(
    tx: &mut dyn Tx,
    tenant: TenantId,
) -> Result<Vec<DisputeFee>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into())];
    tx.query(DISPUTE_FEES, &params)?
        .iter()
        .map(of_dispute)
        .collect()
}
