//! Use cases of fees: set a rule, list them, try one, and keep what a sale was agreed at.

use super::model::{Agreed, FeeError, Rule, Scope, check, check_reason};
use super::resolve::{Resolver, Subject};
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::domains::catalog;
use crate::domains::ledger::{FeePolicy, PaymentTariff, Split, SplitLine, Traffic, split_sale};
use crate::domains::taxes::Tax;
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, FeeRuleId, OrderId, OrderLineId, ProductId, TenantId};
use mintreu::{Money, Timestamp};
use std::collections::BTreeMap;

/// Most rows of one page.
pub const MAX_ROWS: i64 = 100;

/// Sets a rule: from its date on it takes the place of the subject's earlier one.
#[derive(Debug, Clone)]
pub struct SetRule {
    /// What for; not a line.
    pub scope: Scope,
    /// A product's or an account's id, a category's path; empty for the platform.
    pub subject: String,
    /// The shares; `None` to end the subject's own rule.
    pub policy: Option<FeePolicy>,
    /// From when on; `None` for now.
    pub from: Option<Timestamp>,
    /// Why, 1 to 500 characters.
    pub reason: String,
}

impl Command for SetRule {
    const NAME: &'static str = "fees.set_rule";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(format!("{}:{}", self.scope.code(), self.subject))
    }
}

/// Appends the rule and answers its id.
pub fn set_rule(cx: &mut Cx<'_>, cmd: &SetRule) -> Result<String, FeeError> {
    let reason = check_reason(&cmd.reason)?;
    let subject = known_subject(cx.tx, cx.caller.tenant, cmd.scope, &cmd.subject)?;
    let policy = cmd.policy.map(check).transpose()?;
    let from = cmd.from.unwrap_or(cx.now);
    if from < cx.now {
        return Err(FeeError::Past);
    }
    let rule = Rule {
        id: cx.make_id(FeeRuleId::from_bytes),
        scope: cmd.scope,
        subject,
        from,
        policy,
        reason,
        set_by: cx.caller.account,
        set_at: cx.now,
    };
    sql::insert_rule(cx.tx, cx.caller.tenant, &rule)?;
    Ok(rule.id.to_string())
}

/// The subject as it is stored, if there is such a thing.
fn known_subject(
    tx: &mut dyn Tx,
    tenant: TenantId,
    scope: Scope,
    subject: &str,
) -> Result<String, FeeError> {
    let subject = subject.trim();
    let known = match scope {
        Scope::Line => false,
        Scope::Platform => subject.is_empty(),
        Scope::Product => match ProductId::parse(subject) {
            Ok(id) => catalog::product(tx, tenant, id)?.is_some(),
            Err(_) => false,
        },
        Scope::Developer => match AccountId::parse(subject) {
            Ok(id) => catalog::has_shop(tx, tenant, id)?,
            Err(_) => false,
        },
        Scope::Category => !subject.is_empty() && catalog::has_category(tx, tenant, subject)?,
    };
    match known {
        true => Ok(subject.to_owned()),
        false => Err(FeeError::Subject),
    }
}

/// Keeps what a line was agreed at, in the commit that places its order.
pub fn keep(
    cx: &mut Cx<'_>,
    line: (OrderLineId, OrderId, ProductId),
    agreed: &Agreed,
) -> Result<(), StoreError> {
    sql::keep(cx.tx, cx.caller.tenant, line, agreed)
}

/// What a line was agreed at; `None` for one that is older than rules.
pub fn of_line(
    tx: &mut dyn Tx,
    tenant: TenantId,
    line: OrderLineId,
) -> Result<Option<Agreed>, StoreError> {
    sql::of_line(tx, tenant, line)
}

/// What a product was agreed at in an order: what is billed for its use later goes by it.
pub fn of_sale(
    tx: &mut dyn Tx,
    tenant: TenantId,
    sale: (OrderId, ProductId),
) -> Result<Option<Agreed>, StoreError> {
    sql::of_sale(tx, tenant, sale)
}

pub(super) fn must_own(cx: &ReadCx<'_>) -> Result<(), FeeError> {
    let capability = Capability::Administer;
    let signed_in = cx.caller.account.is_some();
    let denied = Denied {
        capability,
        signed_in,
    };
    match cx.caller.may(capability) {
        true => Ok(()),
        false => Err(denied.into()),
    }
}

/// Asks for a page of rules, newest first.
#[derive(Debug, Clone, Copy, Default)]
pub struct RulesQuery {
    /// Where the page before ended.
    pub before: Option<FeeRuleId>,
}

/// A rule, and whether sales go by it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The rule.
    pub rule: Rule,
    /// `in_force`, `planned` or `replaced`.
    pub state: &'static str,
}

/// A page of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesPage {
    /// Newest first.
    pub rules: Vec<Listed>,
    /// What to ask for next.
    pub next: Option<FeeRuleId>,
}

/// Every rule that was ever set, newest first. For the owner.
pub fn rules(cx: &mut ReadCx<'_>, query: &RulesQuery) -> Result<RulesPage, FeeError> {
    must_own(cx)?;
    let tenant = cx.caller.tenant;
    let before = query.before.map_or([0xff; 16], |id| *id.as_bytes());
    let found = sql::rules(cx.tx, tenant, before, MAX_ROWS)?;
    let full = i64::try_from(found.len()) == Ok(MAX_ROWS);
    let next = found.last().map(|rule| rule.id).filter(|_| full);
    let mut in_force: BTreeMap<(Scope, String), Option<FeeRuleId>> = BTreeMap::new();
    let mut rules = Vec::with_capacity(found.len());
    for rule in found {
        let key = (rule.scope, rule.subject.clone());
        let now = match in_force.get(&key) {
            Some(now) => *now,
            None => {
                let of = (rule.scope, rule.subject.as_str());
                let now = sql::in_force(cx.tx, tenant, of, cx.now)?.map(|rule| rule.id);
                in_force.insert(key, now);
                now
            }
        };
        let state = match (now == Some(rule.id), rule.from > cx.now) {
            (true, _) => "in_force",
            (false, true) => "planned",
            (false, false) => "replaced",
        };
        rules.push(Listed { rule, state });
    }
    Ok(RulesPage { rules, next })
}

/// Tries a rule on an amount without setting it.
#[derive(Debug, Clone)]
pub struct Preview {
    /// What for.
    pub scope: Scope,
    /// Of what.
    pub subject: String,
    /// The shares to try; `None` for the subject without a rule of its own.
    pub policy: Option<FeePolicy>,
    /// The price that is divided.
    pub amount: Money,
    /// What answers when there is no rule.
    pub settings: FeePolicy,
    /// What a payment costs.
    pub tariff: PaymentTariff,
}

/// Who gets what of one sale, as it is now and as it would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Who found the buyer.
    pub traffic: Traffic,
    /// As it is.
    pub now: Split,
    /// As it would be.
    pub then: Split,
}

/// What of an amount goes to whom, for each kind of traffic. For the owner.
pub fn preview(cx: &mut ReadCx<'_>, query: &Preview) -> Result<Vec<Example>, FeeError> {
    must_own(cx)?;
    let tenant = cx.caller.tenant;
    let subject = known_subject(cx.tx, tenant, query.scope, &query.subject)?;
    let wanted = query.policy.map(check).transpose()?;
    let of = match query.scope {
        Scope::Product => {
            let id = ProductId::parse(&subject).map_err(|_| FeeError::Subject)?;
            let product = catalog::product(cx.tx, tenant, id)?.ok_or(FeeError::Subject)?;
            Subject::product(&product)
        }
        scope => Subject::of(scope, &subject),
    };
    let mut resolver = Resolver::new(tenant, cx.now, query.settings, Traffic::Unknown);
    let now = policy_of(resolver.rule(cx.tx, &of)?, query.settings);
    let above = policy_of(resolver.rule(cx.tx, &of.without_first())?, query.settings);
    let then = wanted.unwrap_or(above);
    let ways = [Traffic::Seller, Traffic::Marketplace, Traffic::Unknown];
    let example = |traffic: Traffic| {
        Ok(Example {
            traffic,
            now: divide(query, now.share(traffic))?,
            then: divide(query, then.share(traffic))?,
        })
    };
    ways.into_iter().map(example).collect()
}

fn policy_of(rule: Option<Rule>, settings: FeePolicy) -> FeePolicy {
    rule.and_then(|rule| rule.policy).unwrap_or(settings)
}

fn divide(query: &Preview, platform_bps: u32) -> Result<Split, FeeError> {
    let line = SplitLine {
        gross: query.amount,
        discount: Money::zero(query.amount.currency()),
        tax: Tax::zero("an example"),
        platform_bps,
        affiliate_bps: 0,
    };
    let mut splits = split_sale(&[line], query.tariff)?;
    splits
        .pop()
        .ok_or_else(|| StoreError::shape("a line without its split".to_owned()).into())
}
