//! What sellers and affiliates see.

use super::model::{AffiliateError, Affiliation, Referral, ReferralState, Terms};
use super::ops::account;
use super::sql::{self, Whose};
use crate::app::ReadCx;
use crate::caller::Capability;
use crate::domains::{accounts, catalog, ledger};
use crate::store::{StoreError, Tx};
use mintreu::Money;
use mintreu::id::{AccountId, AffiliationId, OrderLineId, ProductId, TenantId};

/// Most rows of one page.
const MAX_PAGE: i64 = 100;
/// Programmes of one page.
const PROGRAMMES: i64 = 100;

/// Asks which programmes can be joined, a hundred from `after` on.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenProgrammes {
    /// The last seller of the page before.
    pub after: Option<AccountId>,
}

/// A programme that can be joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenProgramme {
    /// Whose.
    pub seller: AccountId,
    /// The shop's public name.
    pub name: String,
    /// What is offered.
    pub terms: Terms,
}

/// The programmes that can be joined.
pub fn open_programmes(
    cx: &mut ReadCx<'_>,
    query: &OpenProgrammes,
) -> Result<Vec<OpenProgramme>, AffiliateError> {
    let tenant = cx.caller.tenant;
    let after = query.after.unwrap_or(AccountId::from_bytes([0; 16]));
    let mut shown = Vec::new();
    for one in sql::open_programmes(cx.tx, tenant, (after, PROGRAMMES))? {
        if let Some(shop) = catalog::seller(cx.tx, tenant, one.seller)? {
            shown.push(OpenProgramme {
                seller: one.seller,
                name: shop.name,
                terms: one.terms,
            });
        }
    }
    Ok(shown)
}

/// A part in a programme with what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// The part.
    pub affiliation: Affiliation,
    /// For the affiliate the shop's name, for the seller the affiliate's.
    pub name: String,
    /// What the seller offers now.
    pub terms: Terms,
    /// How many lines were paid for.
    pub sales: i64,
    /// What was earned less what went back, a currency each.
    pub earned: Vec<Money>,
}

/// A part in a programme with its shop's name and its terms, for those who tell of it.
pub fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: AffiliationId,
) -> Result<Option<(Affiliation, String, Terms)>, AffiliateError> {
    let Some(affiliation) = sql::by_id(tx, tenant, id)? else {
        return Ok(None);
    };
    let shop = catalog::seller(tx, tenant, affiliation.seller)?;
    let name = shop.map(|shop| shop.name).unwrap_or_default();
    let programme = sql::programme(tx, tenant, affiliation.seller)?;
    let terms = programme.map(|one| one.terms).unwrap_or_default();
    Ok(Some((affiliation, name, terms)))
}

/// Asks for the caller's parts in programmes.
#[derive(Debug, Clone, Copy)]
pub struct Mine;

/// The caller's parts in programmes, the oldest first, at most two hundred.
pub fn mine(cx: &mut ReadCx<'_>, _: &Mine) -> Result<Vec<Partner>, AffiliateError> {
    let tenant = cx.caller.tenant;
    let affiliate = account(cx.caller.account, Capability::Buy)?;
    let mut partners = Vec::new();
    for affiliation in sql::of_affiliate(cx.tx, tenant, affiliate)? {
        let shop = catalog::seller(cx.tx, tenant, affiliation.seller)?;
        let name = shop.map(|shop| shop.name).unwrap_or_default();
        partners.push(partner(cx.tx, tenant, (affiliation, name))?);
    }
    Ok(partners)
}

fn partner(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (affiliation, name): (Affiliation, String),
) -> Result<Partner, AffiliateError> {
    let programme = sql::programme(tx, tenant, affiliation.seller)?;
    let (mut sales, mut earned) = (0, Vec::new());
    for sum in sql::sums(tx, tenant, affiliation.id)? {
        sales += sum.sales;
        earned.push(sum.commission.checked_sub(sum.reversed)?);
    }
    Ok(Partner {
        terms: programme.map(|one| one.terms).unwrap_or_default(),
        affiliation,
        name,
        sales,
        earned,
    })
}

/// Asks for the caller's referrals, newest first.
#[derive(Debug, Clone, Copy)]
pub struct MyReferrals {
    /// Only older ones: where the last page ended.
    pub before: Option<OrderLineId>,
    /// At most so many, 1 to 100.
    pub limit: i64,
}

/// A referral and where it stands, with the product's name.
pub type Shown = (Referral, ReferralState, String);

/// The referrals, and where the list goes on.
pub fn my_referrals(
    cx: &mut ReadCx<'_>,
    query: &MyReferrals,
) -> Result<(Vec<Shown>, Option<OrderLineId>), AffiliateError> {
    let affiliate = account(cx.caller.account, Capability::Buy)?;
    page(cx, Whose::Affiliate(affiliate), query)
}

fn page(
    cx: &mut ReadCx<'_>,
    whose: Whose,
    query: &MyReferrals,
) -> Result<(Vec<Shown>, Option<OrderLineId>), AffiliateError> {
    let tenant = cx.caller.tenant;
    let limit = query.limit.clamp(1, MAX_PAGE);
    let before = query.before.unwrap_or(OrderLineId::from_bytes([0xff; 16]));
    let mut found = sql::referrals(cx.tx, tenant, whose, (before, limit + 1))?;
    let more = found.len() as i64 > limit;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| last.line);
    let mut shown = Vec::with_capacity(found.len());
    for referral in found {
        let state = state(cx.tx, tenant, &referral)?;
        let product = catalog::product(cx.tx, tenant, referral.product)?;
        let name = product.map(|product| product.name).unwrap_or_default();
        shown.push((referral, state, name));
    }
    Ok((shown, next))
}

/// Where a referral stands: its hold knows, and the statement that lists its release.
fn state(
    tx: &mut dyn Tx,
    tenant: TenantId,
    referral: &Referral,
) -> Result<ReferralState, StoreError> {
    if referral.refusal.is_some() {
        return Ok(ReferralState::Refused);
    }
    if referral.credited_at.is_none() {
        return Ok(ReferralState::Placed);
    }
    if referral.reversed == referral.commission {
        return Ok(ReferralState::Reversed);
    }
    let source = referral.source();
    let hold = ledger::hold_of(tx, tenant, &source)?;
    Ok(match hold.as_ref().map(|hold| hold.state.as_str()) {
        Some("frozen") => ReferralState::InReview,
        Some("releasable") => match ledger::paid_by(tx, tenant, &source)? {
            Some(_) => ReferralState::Paid,
            None => ReferralState::Approved,
        },
        _ => ReferralState::Pending,
    })
}

/// Asks for the caller's programme with everything about it.
#[derive(Debug, Clone, Copy)]
pub struct OwnProgramme {
    /// Only older referrals.
    pub before: Option<OrderLineId>,
    /// At most so many of them, 1 to 100.
    pub limit: i64,
}

/// A seller's programme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programming {
    /// What is offered; closed until it is opened.
    pub terms: Terms,
    /// Products with a rate of their own.
    pub rates: Vec<(ProductId, i64)>,
    /// Who takes part, the oldest first, at most five hundred.
    pub partners: Vec<Partner>,
    /// What they brought, newest first.
    pub referrals: Vec<Shown>,
    /// Where that goes on.
    pub next: Option<OrderLineId>,
}

/// The caller's programme.
pub fn own_programme(
    cx: &mut ReadCx<'_>,
    query: &OwnProgramme,
) -> Result<Programming, AffiliateError> {
    let tenant = cx.caller.tenant;
    let seller = account(cx.caller.account, Capability::Sell)?;
    let programme = sql::programme(cx.tx, tenant, seller)?;
    let mut partners = Vec::new();
    for affiliation in sql::of_seller(cx.tx, tenant, seller)? {
        let name = accounts::name_of(cx.tx, tenant, affiliation.affiliate)?;
        partners.push(partner(
            cx.tx,
            tenant,
            (affiliation, name.unwrap_or_default()),
        )?);
    }
    let referrals = MyReferrals {
        before: query.before,
        limit: query.limit,
    };
    let (referrals, next) = page(cx, Whose::Seller(seller), &referrals)?;
    Ok(Programming {
        terms: programme.map(|one| one.terms).unwrap_or_default(),
        rates: sql::rates(cx.tx, tenant, seller)?,
        partners,
        referrals,
        next,
    })
}
