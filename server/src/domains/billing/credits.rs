//! Prepaid credits of a license: granted by who sells, burned by bills before money is asked for.

use super::model::{BillingError, may_see};
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use mintreu::id::{CreditId, LicenseId};
use mintreu::price::{Credit, CreditOf, MAX_CREDITS, Quantity};
use mintreu::{Currency, Money, Timestamp};

/// Longest note, in characters.
const MAX_NOTE: usize = 200;

/// Most credits one page shows.
const MAX_SHOWN: i64 = 200;

/// What a credit holds: units of a meter, or money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Units.
    Units {
        /// Of which meter.
        meter: String,
        /// How many.
        units: Quantity,
    },
    /// Money.
    Money(Money),
}

impl Held {
    /// Whether nothing is in it.
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Units { units, .. } => *units == Quantity::ZERO,
            Self::Money(money) => money.minor() == 0,
        }
    }
}

/// A credit as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCredit {
    /// Its id.
    pub id: CreditId,
    /// Whose usage it pays.
    pub license: LicenseId,
    /// At first.
    pub granted: Held,
    /// Still.
    pub left: Held,
    /// Lower burns first.
    pub priority: u32,
    /// From then on it pays nothing.
    pub expires_at: Option<Timestamp>,
    /// Why it was granted, for people.
    pub note: String,
    /// When it was granted.
    pub created_at: Timestamp,
}

impl HeldCredit {
    /// As the price engine burns it. Priorities begin at 1 there: what a period has burned already
    /// comes before all of them.
    pub(super) fn credit(&self) -> Credit {
        Credit {
            id: self.id.to_string(),
            of: match &self.left {
                Held::Units { meter, units } => CreditOf::Units {
                    charge: meter.clone(),
                    left: *units,
                },
                Held::Money(money) => CreditOf::Money(*money),
            },
            priority: self.priority.saturating_add(1),
            expires_at: self.expires_at,
            created_at: self.created_at,
        }
    }
}

/// Grants a credit: units of a meter, or money in the plan's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantCredit {
    /// Whose usage it pays.
    pub license: LicenseId,
    /// Of which meter the units are; none for money.
    pub meter: Option<String>,
    /// Units of the meter, or minor units of the plan's currency.
    pub amount: i64,
    /// Lower burns first.
    pub priority: u32,
    /// From then on it pays nothing.
    pub expires_at: Option<Timestamp>,
    /// Why, for people.
    pub note: String,
}

impl Command for GrantCredit {
    const NAME: &'static str = "billing.grant_credit";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.license.to_string())
    }
}

/// For who earns by the license, and the platform; to others the plan doesn't exist.
pub fn grant_credit(cx: &mut Cx<'_>, grant: &GrantCredit) -> Result<HeldCredit, BillingError> {
    let owner = (cx.caller.tenant, grant.license);
    let plan = sql::by_license(cx.tx, owner.0, owner.1)?;
    let runs = cx.caller.may(Capability::Administer);
    let plan = plan.filter(|plan| runs || cx.caller.account == Some(plan.seller));
    let plan = plan.ok_or(BillingError::NotFound)?;
    let meters = sql::meters(cx.tx, owner.0, owner.1)?;
    let known = |meter: &String| meters.iter().any(|known| known.name == *meter);
    if !grant.meter.as_ref().is_none_or(known) {
        return Err(BillingError::Credit("the license has no such meter"));
    }
    check(grant, cx.now)?;
    if sql::credits::count(cx.tx, owner)? >= MAX_CREDITS as i64 {
        return Err(BillingError::Credit(
            "the license has 1000 unspent credits already",
        ));
    }
    let held = held(grant, plan.currency);
    let credit = HeldCredit {
        id: cx.make_id(CreditId::from_bytes),
        license: grant.license,
        granted: held.clone(),
        left: held,
        priority: grant.priority,
        expires_at: grant.expires_at,
        note: grant.note.trim().to_owned(),
        created_at: cx.now,
    };
    sql::credits::insert(cx.tx, owner.0, &credit, cx.caller.account)?;
    Ok(credit)
}

fn held(grant: &GrantCredit, currency: Currency) -> Held {
    match &grant.meter {
        Some(meter) => Held::Units {
            meter: meter.clone(),
            units: Quantity::units(grant.amount.unsigned_abs()),
        },
        None => Held::Money(Money::new(grant.amount, currency)),
    }
}

fn check(grant: &GrantCredit, now: Timestamp) -> Result<(), BillingError> {
    let plain = grant.note.chars().count() <= MAX_NOTE && !grant.note.contains(char::is_control);
    match () {
        () if grant.amount < 1 => Err(BillingError::Credit("a credit is above zero")),
        () if grant.expires_at.is_some_and(|end| end <= now) => {
            Err(BillingError::Credit("a credit ends in the future"))
        }
        () if !plain => Err(BillingError::Credit(
            "a note is one line of 200 characters at most",
        )),
        () => Ok(()),
    }
}

/// Asks for the credits of a license.
#[derive(Debug, Clone, Copy)]
pub struct CreditsOfLicense {
    /// Which license.
    pub license: LicenseId,
}

/// The newest credits, spent and expired ones too, for who pays, who earns and who runs the
/// platform.
pub fn credits_of_license(
    cx: &mut ReadCx<'_>,
    query: &CreditsOfLicense,
) -> Result<Vec<HeldCredit>, BillingError> {
    let owner = (cx.caller.tenant, query.license);
    let plan = sql::by_license(cx.tx, owner.0, owner.1)?;
    let plan = plan.filter(|plan| may_see(cx.caller, plan));
    plan.ok_or(BillingError::NotFound)?;
    Ok(sql::credits::newest(cx.tx, owner, MAX_SHOWN)?)
}
