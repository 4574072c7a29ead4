//! Who brought the buyer of each line, decided when the order is placed.

use super::model::{
    AffiliateError, Affiliation, Behind, Candidate, Commission, MAX_CLICKS, Offered, Referral,
    Referred, Refusal, Standing, Verdict, Via, judge,
};
use super::sql;
use crate::app::Cx;
use crate::custody::Custody;
use crate::domains::{accounts, promotions};
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, CouponId, OrderId, OrderLineId, ProductId, TenantId};
use mintreu::{Money, Timestamp};

/// What is asked of a purchase.
pub struct Asked<'a> {
    /// What the request brings along.
    pub referred: &'a Referred,
    /// Who buys.
    pub buyer: &'a promotions::Buyer,
    /// Seller, product and coupon of each line.
    pub lines: &'a [(AccountId, ProductId, Option<CouponId>)],
    /// When.
    pub now: Timestamp,
    /// What addresses are hashed with.
    pub keys: &'a Custody,
}

/// Who is credited with each line.
pub fn attribute(
    tx: &mut dyn Tx,
    tenant: TenantId,
    asked: &Asked<'_>,
) -> Result<Vec<Verdict>, StoreError> {
    let brought = brought(tx, tenant, asked)?;
    let buyer = Behind {
        account: asked.buyer.account,
        address: asked.buyer.address,
    };
    let mut verdicts = Vec::with_capacity(asked.lines.len());
    for (seller, product, coupon) in asked.lines {
        let mut candidates = brought.clone();
        if let Some(coupon) = coupon
            && let Some(of) = sql::by_coupon(tx, tenant, *coupon)?
        {
            candidates.push(candidate(tx, tenant, asked.keys, (of, Via::Coupon))?);
        }
        candidates.retain(|one| one.affiliation.seller == *seller);
        let offered = match candidates.is_empty() {
            true => None,
            false => offered(tx, tenant, (*seller, *product))?,
        };
        verdicts.push(match offered {
            Some(offered) => judge(&candidates, &offered, (&buyer, asked.now)),
            None => Verdict::Nobody,
        });
    }
    Ok(verdicts)
}

/// Clicks from the newest on, then the code that came with the request.
fn brought(
    tx: &mut dyn Tx,
    tenant: TenantId,
    asked: &Asked<'_>,
) -> Result<Vec<Candidate>, StoreError> {
    let mut candidates = Vec::new();
    for click in asked.referred.clicks.iter().take(MAX_CLICKS) {
        let Some((of, until)) = sql::find_click(tx, tenant, *click)? else {
            continue;
        };
        if let Some(of) = sql::by_id(tx, tenant, of)? {
            let mut found = candidate(tx, tenant, asked.keys, (of, Via::Click))?;
            found.click = Some((*click, until));
            candidates.push(found);
        }
    }
    if let Some(code) = &asked.referred.code
        && let Some(of) = sql::by_code(tx, tenant, code.trim())?
    {
        candidates.push(candidate(tx, tenant, asked.keys, (of, Via::Code))?);
    }
    Ok(candidates)
}

fn candidate(
    tx: &mut dyn Tx,
    tenant: TenantId,
    keys: &Custody,
    (affiliation, via): (Affiliation, Via),
) -> Result<Candidate, StoreError> {
    let email = accounts::email_of(tx, tenant, affiliation.affiliate)?;
    let hash = |email: accounts::Email| promotions::address_hash(keys, tenant, email.as_str());
    Ok(Candidate {
        affiliation,
        via,
        click: None,
        address: email.map(hash),
    })
}

fn offered(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (seller, product): (AccountId, ProductId),
) -> Result<Option<Offered>, StoreError> {
    let Some(programme) = sql::programme(tx, tenant, seller)? else {
        return Ok(None);
    };
    Ok(Some(Offered {
        seller,
        terms: programme.terms,
        own_rate: sql::rate(tx, tenant, product)?,
    }))
}

/// A line as it was placed.
pub struct Placed {
    /// Its order.
    pub order: OrderId,
    /// The line.
    pub line: OrderLineId,
    /// Who sells.
    pub seller: AccountId,
    /// What.
    pub product: ProductId,
    /// What its split gives the affiliate.
    pub commission: Money,
}

/// Keeps who is credited with a line that was just placed, or why nobody is. What earns nothing at
/// all, a gift or a price of a unit or two, is no referral.
pub fn record(cx: &mut Cx<'_>, placed: &Placed, verdict: &Verdict) -> Result<(), AffiliateError> {
    let referral = match verdict {
        Verdict::Nobody => return Ok(()),
        Verdict::Earns(_) if placed.commission.minor() == 0 => return Ok(()),
        Verdict::Earns(commission) => referral(cx, placed, commission),
        Verdict::Refused(candidate, why) => refused(cx, placed, candidate, *why),
    };
    sql::insert_referral(cx.tx, cx.caller.tenant, &referral)?;
    let fact = match referral.refusal {
        None => "affiliate.referred",
        Some(_) => "affiliate.refused",
    };
    crate::events::record(cx, fact, &placed.line.to_string(), &())?;
    Ok(())
}

fn referral(cx: &Cx<'_>, placed: &Placed, by: &Commission) -> Referral {
    Referral {
        line: placed.line,
        order: placed.order,
        affiliation: by.affiliation,
        seller: placed.seller,
        affiliate: by.affiliate,
        product: placed.product,
        via: by.via,
        click: by.click,
        bps: i64::from(by.bps),
        renewal_months: by.renewal_months,
        commission: placed.commission,
        reversed: Money::zero(placed.commission.currency()),
        refusal: None,
        placed_at: cx.now,
        credited_at: None,
    }
}

fn refused(cx: &Cx<'_>, placed: &Placed, by: &Candidate, why: Refusal) -> Referral {
    let nothing = Money::zero(placed.commission.currency());
    Referral {
        line: placed.line,
        order: placed.order,
        affiliation: by.affiliation.id,
        seller: placed.seller,
        affiliate: by.affiliation.affiliate,
        product: placed.product,
        via: by.via,
        click: by.click.map(|(click, _)| click),
        bps: 0,
        renewal_months: None,
        commission: nothing,
        reversed: nothing,
        refusal: Some(why),
        placed_at: cx.now,
        credited_at: None,
    }
}

/// Who earns on a payment of a subscription that began with `first`: whoever brought that sale, at
/// its rate, for as long as was agreed then, while they take part and the programme is open.
pub fn for_renewal(
    cx: &mut Cx<'_>,
    (first, product): (OrderId, ProductId),
) -> Result<Option<Commission>, AffiliateError> {
    let tenant = cx.caller.tenant;
    let began = sql::of_order(cx.tx, tenant, (first, product))?;
    let Some(began) = began.filter(|one| one.refusal.is_none()) else {
        return Ok(None);
    };
    let of = sql::by_id(cx.tx, tenant, began.affiliation)?;
    let active = of.is_some_and(|of| of.standing == Standing::Active);
    let open = sql::programme(cx.tx, tenant, began.seller)?;
    let open = open.is_some_and(|programme| programme.terms.open);
    if !active || !open || !lasts(&began, cx.now) {
        return Ok(None);
    }
    let bps = u32::try_from(began.bps).unwrap_or(0);
    Ok(Some(Commission {
        affiliation: began.affiliation,
        affiliate: began.affiliate,
        bps,
        via: Via::Renewal,
        click: None,
        renewal_months: began.renewal_months,
        why: format!(
            "{}.{:02} % of the net price, after the payment fee: as agreed when the subscription \
             was brought ({})",
            bps / 100,
            bps % 100,
            began.affiliation
        ),
    }))
}

/// Whether renewals still earn.
fn lasts(began: &Referral, now: Timestamp) -> bool {
    let Some(months) = began.renewal_months else {
        return true;
    };
    use jiff::ToSpan;
    let start = jiff::Timestamp::from_millisecond(began.placed_at.ms()).ok();
    let start = start.map(|start| start.to_zoned(jiff::tz::TimeZone::UTC));
    let end = start.and_then(|start| start.checked_add(months.months()).ok());
    end.is_some_and(|end| now.ms() < end.timestamp().as_millisecond())
}

/// Keeps who earns on a renewal that was just placed.
pub fn record_renewal(
    cx: &mut Cx<'_>,
    placed: &Placed,
    by: &Commission,
) -> Result<(), AffiliateError> {
    record(cx, placed, &Verdict::Earns(by.clone()))
}
