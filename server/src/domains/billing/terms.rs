//! Commitments and thresholds: what new plans begin with, what a running plan has, and the job
//! that bills early.

use super::late::LatePolicy;
use super::model::{BillingError, Plan, plan_meters};
use super::ops::bill_running;
use super::rated::{PlanTerms, standing};
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::{catalog, invoicing};
use mintreu::id::{LicenseId, ProductId};
use mintreu::{Currency, Money};
use serde::{Deserialize, Serialize};

/// The job that looks whether a plan's threshold is passed.
pub const THRESHOLD_JOB: &str = "billing.check_threshold";

/// How often it looks: an hour.
const LOOK_MS: i64 = 60 * 60 * 1000;

/// Whose terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TermsOf {
    /// Of every plan that begins from now on.
    Product(ProductId),
    /// Of a running plan, whose commitment can only fall.
    License(LicenseId),
}

/// Sets terms, in minor units of the tariffs' currency; zero is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetTerms {
    /// Whose.
    pub of: TermsOf,
    /// The least a period comes to.
    pub commitment_minor: i64,
    /// What may be open before a bill is made early.
    pub threshold_minor: i64,
}

impl Command for SetTerms {
    const NAME: &'static str = "billing.set_terms";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(match self.of {
            TermsOf::Product(product) => product.to_string(),
            TermsOf::License(license) => license.to_string(),
        })
    }
}

/// For who earns, and the platform; to others there is nothing.
pub fn set_terms(cx: &mut Cx<'_>, command: &SetTerms) -> Result<PlanTerms, BillingError> {
    if command.commitment_minor < 0 || command.threshold_minor < 0 {
        return Err(BillingError::Terms(
            "a commitment and a threshold can't be below zero",
        ));
    }
    match command.of {
        TermsOf::Product(product) => of_product(cx, command, product),
        TermsOf::License(license) => of_license(cx, command, license),
    }
}

fn terms(command: &SetTerms, currency: Currency) -> PlanTerms {
    PlanTerms {
        commitment: Money::new(command.commitment_minor, currency),
        threshold: Money::new(command.threshold_minor, currency),
    }
}

/// The currency of a product that the caller sells or whose platform it runs.
fn own_product(cx: &mut Cx<'_>, id: ProductId) -> Result<Currency, BillingError> {
    let runs = cx.caller.may(Capability::Administer);
    let product = catalog::product(cx.tx, cx.caller.tenant, id)?;
    let product = product.filter(|of| runs || cx.caller.account == Some(of.seller.account));
    let product = product.ok_or(BillingError::NotFound)?;
    let (currency, meters) = plan_meters(&product.meters)?;
    match meters.is_empty() {
        true => Err(BillingError::Terms("the product has no meters")),
        false => Ok(currency),
    }
}

/// Says how late usage of a product's licenses is billed, from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetLate {
    /// Whose.
    pub product: ProductId,
    /// How.
    pub policy: LatePolicy,
}

impl Command for SetLate {
    const NAME: &'static str = "billing.set_late";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(format!("{}: {}", self.product, self.policy.name()))
    }
}

/// For who earns, and the platform; to others there is nothing.
pub fn set_late(cx: &mut Cx<'_>, command: &SetLate) -> Result<LatePolicy, BillingError> {
    let currency = own_product(cx, command.product)?;
    let of = (cx.caller.tenant, command.product);
    sql::rated::set_late_policy(cx.tx, of, (currency, command.policy))?;
    Ok(command.policy)
}

/// Asks how late usage of a product is billed.
#[derive(Debug, Clone, Copy)]
pub struct LateOf(pub ProductId);

/// It is no secret: customers are billed by it.
pub fn late_of(cx: &mut ReadCx<'_>, query: &LateOf) -> Result<LatePolicy, BillingError> {
    let found = sql::rated::late_policy(cx.tx, (cx.caller.tenant, query.0))?;
    Ok(found.unwrap_or_default())
}

fn of_product(
    cx: &mut Cx<'_>,
    command: &SetTerms,
    id: ProductId,
) -> Result<PlanTerms, BillingError> {
    let tenant = cx.caller.tenant;
    let currency = own_product(cx, id)?;
    let terms = terms(command, currency);
    sql::rated::set_terms(cx.tx, (tenant, id), &terms)?;
    Ok(terms)
}

fn of_license(
    cx: &mut Cx<'_>,
    command: &SetTerms,
    license: LicenseId,
) -> Result<PlanTerms, BillingError> {
    let tenant = cx.caller.tenant;
    let runs = cx.caller.may(Capability::Administer);
    let plan = sql::by_license(cx.tx, tenant, license)?;
    let plan = plan.filter(|plan| runs || cx.caller.account == Some(plan.seller));
    let mut plan = plan.ok_or(BillingError::NotFound)?;
    if command.commitment_minor > plan.commitment.minor() {
        return Err(BillingError::Terms(
            "the commitment of a plan that was bought can only fall",
        ));
    }
    let terms = terms(command, plan.currency);
    sql::rated::set_plan_terms(cx.tx, (tenant, license), &terms)?;
    plan.threshold = terms.threshold;
    watch(cx, &plan)?;
    Ok(terms)
}

/// The terms a new plan begins with: the product's, where they are in the plan's currency.
pub(super) fn of_new_plan(
    cx: &mut Cx<'_>,
    product: ProductId,
    currency: Currency,
) -> Result<PlanTerms, BillingError> {
    let found = sql::rated::terms(cx.tx, (cx.caller.tenant, product))?;
    let found = found.filter(|terms| terms.commitment.currency() == currency);
    Ok(found.unwrap_or(PlanTerms {
        commitment: Money::zero(currency),
        threshold: Money::zero(currency),
    }))
}

/// The payload of [`THRESHOLD_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckThreshold {
    license: String,
}

impl Command for CheckThreshold {
    const NAME: &'static str = "billing.check_threshold";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.license.clone())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![invoicing::CONTENDED.to_owned()]
    }
}

/// Looks after the next hour, where the plan has a threshold; one job a plan, however often asked.
pub(super) fn watch(cx: &mut Cx<'_>, plan: &Plan) -> Result<(), BillingError> {
    if plan.threshold.minor() == 0 {
        return Ok(());
    }
    let license = plan.license.to_string();
    let job = CheckThreshold {
        license: license.clone(),
    };
    let next = cx.now.plus_ms(LOOK_MS);
    Ok(crate::queue::enqueue_once(
        cx,
        THRESHOLD_JOB,
        &license,
        &job,
        next,
    )?)
}

/// Bills the running period where what it costs and no invoice has asked for has reached the
/// threshold, and looks again in an hour. A period that is over is left to be closed.
pub fn check_threshold(cx: &mut Cx<'_>, job: &CheckThreshold) -> Result<(), BillingError> {
    let license = LicenseId::parse(&job.license);
    let license = license.map_err(|e| BillingError::Payload(e.to_string()))?;
    let tenant = cx.caller.tenant;
    let Some(mut plan) = sql::by_license(cx.tx, tenant, license)? else {
        return Ok(());
    };
    let threshold = plan.threshold.minor();
    if threshold > 0 && cx.now < plan.bounds.1 && plan.ended_at.is_none() {
        let now = standing(cx.tx, (tenant, cx.now), &plan, false)?;
        if now.open.minor() >= threshold {
            bill_running(cx, &mut plan)?;
        }
    }
    watch(cx, &plan)
}
