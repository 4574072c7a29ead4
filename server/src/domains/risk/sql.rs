//! SQL of the risk tables: rules here, lists and the log beside.

pub mod entries;
pub mod log;
pub mod review;

use super::model::{Action, By, Counts, Mode, Terms};
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, RiskRuleId, TenantId};
use mintreu::{Currency, Timestamp};

const RULES: &str = "\
SELECT rule_id, name, counts, counted_by, window_ms, threshold, currency, newer_than_days, action,
    mode, block_ms, changed_at, deleted_at
FROM risk_rule WHERE tenant_id = :tenant ORDER BY rule_id LIMIT 400";

const PUT_RULE: &str = "\
INSERT INTO risk_rule (tenant_id, rule_id, name, counts, counted_by, window_ms, threshold, currency,
    newer_than_days, action, mode, block_ms, changed_by, changed_at, deleted_at)
VALUES (:tenant, :rule, :name, :counts, :by, :window, :threshold, :currency, :newer, :action, :mode,
    :block, :who, :now, :deleted)
ON CONFLICT (tenant_id, rule_id) DO UPDATE SET name = excluded.name, counts = excluded.counts,
    counted_by = excluded.counted_by, window_ms = excluded.window_ms,
    threshold = excluded.threshold, currency = excluded.currency,
    newer_than_days = excluded.newer_than_days, action = excluded.action, mode = excluded.mode,
    block_ms = excluded.block_ms, changed_by = excluded.changed_by,
    changed_at = excluded.changed_at, deleted_at = excluded.deleted_at";

const DROP_RULE: &str = "\
DELETE FROM risk_rule WHERE tenant_id = :tenant AND rule_id = :rule";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[RULES, PUT_RULE, DROP_RULE];

/// A rule as it is stored.
pub(super) struct StoredRule {
    pub id: RiskRuleId,
    pub terms: Terms,
    pub changed_at: Timestamp,
    pub deleted: bool,
}

fn shape(what: impl ToString) -> StoreError {
    StoreError::shape(what.to_string())
}

/// A code that a column holds.
fn coded<T>(row: &Row, column: &str, parse: fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let code = row.text(column)?;
    parse(&code).ok_or_else(|| shape(format!("no {column} {code:?}")))
}

fn stored(row: &Row) -> Result<StoredRule, StoreError> {
    let currency = row.opt_text("currency")?;
    Ok(StoredRule {
        id: row.id("rule_id", RiskRuleId::from_bytes)?,
        terms: Terms {
            name: row.text("name")?,
            counts: coded(row, "counts", Counts::parse)?,
            by: coded(row, "counted_by", By::parse)?,
            window_ms: row.int("window_ms")?,
            threshold: row.int("threshold")?,
            currency: currency
                .map(|code| Currency::parse(&code))
                .transpose()
                .map_err(shape)?,
            newer_than_days: row.opt_int("newer_than_days")?,
            action: coded(row, "action", Action::parse)?,
            mode: coded(row, "mode", Mode::parse)?,
            block_ms: row.opt_int("block_ms")?,
        },
        changed_at: row.at("changed_at")?,
        deleted: row.opt_int("deleted_at")?.is_some(),
    })
}

pub(super) fn rules(tx: &mut dyn Tx, tenant: TenantId) -> Result<Vec<StoredRule>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into())];
    tx.query(RULES, &params)?.iter().map(stored).collect()
}

/// Who changes a rule, and when.
#[derive(Clone, Copy)]
pub(super) struct Change {
    pub who: Option<AccountId>,
    pub now: Timestamp,
    pub deleted: bool,
}

pub(super) fn put_rule(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (rule, terms): (RiskRuleId, &Terms),
    change: Change,
) -> Result<(), StoreError> {
    let currency = terms.currency.map(|currency| currency.code().to_owned());
    let who = change.who.map(|who| who.as_bytes().to_vec());
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("rule", rule.as_bytes().into()),
        ("name", terms.name.as_str().into()),
        ("counts", terms.counts.code().into()),
        ("by", terms.by.code().into()),
        ("window", terms.window_ms.into()),
        ("threshold", terms.threshold.into()),
        ("currency", currency.into()),
        ("newer", terms.newer_than_days.into()),
        ("action", terms.action.code().into()),
        ("mode", terms.mode.code().into()),
        ("block", terms.block_ms.into()),
        ("who", who.into()),
        ("now", change.now.into()),
        ("deleted", change.deleted.then_some(change.now).into()),
    ];
    tx.execute(PUT_RULE, &params).map(drop)
}

pub(super) fn drop_rule(
    tx: &mut dyn Tx,
    tenant: TenantId,
    rule: RiskRuleId,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("rule", rule.as_bytes().into()),
    ];
    tx.execute(DROP_RULE, &params).map(drop)
}
