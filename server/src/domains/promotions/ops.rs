//! Use cases of coupons: a seller's, and what a checkout asks and takes.

use super::model::{
    Candidate, Coupon, Discount, Lasts, PromotionError, Refusal, Rule, apply, check_code,
    check_rule, fold_code,
};
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::custody::Custody;
use crate::domains::catalog;
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, CouponId, OrderId, OrderLineId, ProductId, TenantId};

/// Most codes of one purchase.
const MAX_CODES: usize = 10;

/// Writes a new coupon.
#[derive(Debug, Clone)]
pub struct CreateCoupon {
    /// What buyers type; capitals don't matter.
    pub code: String,
    /// What it does.
    pub rule: Rule,
}

impl Command for CreateCoupon {
    const NAME: &'static str = "promotions.create_coupon";
    const CAPABILITY: Capability = Capability::Sell;
}

/// Replaces what one of the caller's coupons does; its code and its uses stay.
#[derive(Debug, Clone)]
pub struct UpdateCoupon {
    /// Which.
    pub coupon: CouponId,
    /// What it does from now on.
    pub rule: Rule,
}

impl Command for UpdateCoupon {
    const NAME: &'static str = "promotions.update_coupon";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.coupon.to_string())
    }
}

/// Switches one of the caller's coupons off or on again.
#[derive(Debug, Clone, Copy)]
pub struct SwitchCoupon {
    /// Which.
    pub coupon: CouponId,
    /// Whether it shall work.
    pub on: bool,
}

impl Command for SwitchCoupon {
    const NAME: &'static str = "promotions.switch_coupon";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.coupon.to_string())
    }
}

fn seller(account: Option<AccountId>) -> Result<AccountId, PromotionError> {
    let denied = Denied {
        capability: Capability::Sell,
        signed_in: false,
    };
    Ok(account.ok_or(denied)?)
}

/// See [`CreateCoupon`].
pub fn create_coupon(cx: &mut Cx<'_>, cmd: &CreateCoupon) -> Result<Coupon, PromotionError> {
    let coupon = Coupon {
        id: cx.make_id(CouponId::from_bytes),
        seller: seller(cx.caller.account)?,
        code: check_code(&cmd.code)?,
        rule: checked(cx, &cmd.rule)?,
        taken: 0,
        created_at: cx.now,
        disabled_at: None,
    };
    if !sql::insert(cx.tx, cx.caller.tenant, &coupon)? {
        return Err(PromotionError::CodeTaken);
    }
    crate::events::record(cx, "coupon.created", &coupon.id.to_string(), &())?;
    Ok(coupon)
}

/// See [`UpdateCoupon`].
pub fn update_coupon(cx: &mut Cx<'_>, cmd: &UpdateCoupon) -> Result<Coupon, PromotionError> {
    let mut coupon = own(cx, cmd.coupon)?;
    coupon.rule = checked(cx, &cmd.rule)?;
    sql::update(cx.tx, cx.caller.tenant, &coupon, cx.now)?;
    crate::events::record(cx, "coupon.updated", &coupon.id.to_string(), &())?;
    Ok(coupon)
}

/// See [`SwitchCoupon`].
pub fn switch_coupon(cx: &mut Cx<'_>, cmd: &SwitchCoupon) -> Result<Coupon, PromotionError> {
    let mut coupon = own(cx, cmd.coupon)?;
    coupon.disabled_at = match cmd.on {
        true => None,
        false => coupon.disabled_at.or(Some(cx.now)),
    };
    sql::switch(cx.tx, cx.caller.tenant, &coupon, cx.now)?;
    Ok(coupon)
}

fn own(cx: &mut Cx<'_>, coupon: CouponId) -> Result<Coupon, PromotionError> {
    let seller = seller(cx.caller.account)?;
    let found = sql::own(cx.tx, cx.caller.tenant, seller, coupon)?;
    found.ok_or(PromotionError::NotFound)
}

/// The rule, if it is sound and names the seller's own products only.
fn checked(cx: &mut Cx<'_>, rule: &Rule) -> Result<Rule, PromotionError> {
    check_rule(rule)?;
    let seller = seller(cx.caller.account)?;
    for text in &rule.products {
        let unknown = || PromotionError::Rule("products", format!("{text} is none of yours"));
        let id = ProductId::parse(text).map_err(|_| unknown())?;
        let product = catalog::product(cx.tx, cx.caller.tenant, id)?;
        let is_own = product.is_some_and(|product| product.seller.account == seller);
        if !is_own {
            return Err(unknown());
        }
    }
    Ok(rule.clone())
}

/// Asks for the caller's own coupons.
#[derive(Debug, Clone, Copy)]
pub struct OwnCoupons;

/// The caller's own coupons, newest first, at most five hundred.
pub fn own_coupons(cx: &mut ReadCx<'_>, _: &OwnCoupons) -> Result<Vec<Coupon>, PromotionError> {
    let seller = seller(cx.caller.account)?;
    Ok(sql::of_seller(cx.tx, cx.caller.tenant, seller)?)
}

/// The coupon that a seller's code names.
pub fn by_code(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (seller, code): (AccountId, &str),
) -> Result<Option<CouponId>, StoreError> {
    let found = sql::by_code(tx, tenant, seller, &fold_code(code))?;
    Ok(found.map(|coupon| coupon.id))
}

/// Who buys, as far as limits go: either alone makes two purchases one buyer's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Buyer {
    /// Who is signed in.
    pub account: Option<AccountId>,
    /// The [`address_hash`] of their mail.
    pub address: Option<[u8; 32]>,
}

/// A keyed hash of an address as limits compare it: lower case, without what follows a `+`.
pub fn address_hash(keys: &Custody, tenant: TenantId, email: &str) -> [u8; 32] {
    let text = email.trim().to_lowercase();
    let same = match text.split_once('@') {
        Some((local, host)) => {
            let local = local.split('+').next().unwrap_or(local);
            format!("{local}@{host}")
        }
        None => text,
    };
    let data = [tenant.as_bytes().as_slice(), same.as_bytes()].concat();
    keys.mac("promotions.address", &data)
}

/// What a purchase asks of its codes.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// As typed, in the order in which they are tried.
    pub codes: &'a [String],
    /// Who buys.
    pub buyer: &'a Buyer,
    /// What is bought.
    pub lines: &'a [Candidate],
    /// When.
    pub now: Timestamp,
}

/// What each line is given, and which codes do nothing and why.
pub type Answered = (Vec<Option<Discount>>, Vec<(String, Refusal)>);

/// What the codes do to the lines; nothing is taken yet.
pub fn discounts(
    tx: &mut dyn Tx,
    tenant: TenantId,
    asked: &Asked<'_>,
) -> Result<Answered, PromotionError> {
    let mut given = vec![None; asked.lines.len()];
    let mut refused = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for typed in asked.codes {
        let code = fold_code(typed);
        if code.is_empty() || seen.contains(&code) {
            continue;
        }
        let done = match seen.len() < MAX_CODES {
            true => try_code(tx, tenant, asked, &code, &mut given)?,
            false => Err(Refusal::Invalid),
        };
        if let Err(refusal) = done {
            refused.push((typed.clone(), refusal));
        }
        seen.push(code);
    }
    Ok((given, refused))
}

/// A code may be several sellers'; it works when it does so for one of them.
fn try_code(
    tx: &mut dyn Tx,
    tenant: TenantId,
    asked: &Asked<'_>,
    code: &str,
    given: &mut [Option<Discount>],
) -> Result<Result<(), Refusal>, PromotionError> {
    let mut sellers: Vec<AccountId> = Vec::new();
    for line in asked.lines {
        if !sellers.contains(&line.seller) {
            sellers.push(line.seller);
        }
    }
    let mut outcome = Err(Refusal::Invalid);
    for seller in sellers {
        let Some(coupon) = sql::by_code(tx, tenant, seller, code)? else {
            continue;
        };
        let used = sql::used_by(tx, tenant, coupon.id, asked.buyer)?;
        let done = apply(&coupon, used, asked.now, asked.lines, given)?;
        if outcome.is_err() {
            outcome = match (&outcome, done) {
                // What the first code found says more than that another doesn't fit.
                (Err(first), Err(Refusal::Invalid)) => Err(first.clone()),
                (_, done) => done,
            };
        }
    }
    Ok(outcome)
}

/// The name under which buyers of one code wait for each other.
pub fn contention_key(code: &str) -> String {
    format!("promotions.code:{}", fold_code(code))
}

/// Discounts that an order's lines were given.
pub struct Taken<'a> {
    /// The order.
    pub order: OrderId,
    /// Who buys.
    pub buyer: &'a Buyer,
    /// Each line with what it was given.
    pub lines: Vec<(OrderLineId, &'a Discount)>,
}

/// Takes the units of an order's discounts, in the commit that places it.
pub fn take(cx: &mut Cx<'_>, taken: &Taken<'_>) -> Result<(), PromotionError> {
    let tenant = cx.caller.tenant;
    for &(line, discount) in &taken.lines {
        if !sql::take(cx.tx, tenant, discount.coupon, discount.units)? {
            return Err(PromotionError::Refused {
                code: discount.code.clone(),
                refusal: Refusal::SoldOut,
            });
        }
        sql::insert_use(cx.tx, tenant, taken, (line, discount), cx.now)?;
    }
    Ok(())
}

/// Gives the units of an order back: it was never paid, or refunded in full. Again changes nothing.
pub fn free_slot(cx: &mut Cx<'_>, order: OrderId) -> Result<(), StoreError> {
    let tenant = cx.caller.tenant;
    for taken in sql::uses(cx.tx, tenant, order)? {
        if !taken.freed {
            sql::add(cx.tx, tenant, taken.coupon, -taken.units)?;
            sql::set_freed(cx.tx, tenant, taken.line, Some(cx.now))?;
        }
    }
    Ok(())
}

/// Takes the units of an order again that were given back: its money came late, or a refund of it
/// failed. The price was promised, so this may go beyond the limit. Again changes nothing.
pub fn retake_slot(cx: &mut Cx<'_>, order: OrderId) -> Result<(), StoreError> {
    let tenant = cx.caller.tenant;
    for taken in sql::uses(cx.tx, tenant, order)? {
        if taken.freed {
            sql::add(cx.tx, tenant, taken.coupon, taken.units)?;
            sql::set_freed(cx.tx, tenant, taken.line, None)?;
        }
    }
    Ok(())
}

/// For how many payments the discount of a sold line lasts; `None` when it had none.
pub fn lasting_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    line: OrderLineId,
) -> Result<Option<Lasts>, StoreError> {
    sql::lasts(tx, tenant, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_s_addresses_are_one() {
        let keys = Custody::new([3; 32]);
        let tenant = TenantId::from_bytes([0; 16]);
        let hash = |email| address_hash(&keys, tenant, email);
        assert_eq!(hash("Ada+shop@Example.org "), hash("ada@example.org"));
        assert_ne!(hash("ada@example.org"), hash("bob@example.org"));
        assert_ne!(hash("ada@example.org"), hash("ada@example.com"));
    }
}
