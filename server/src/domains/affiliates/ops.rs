//! What sellers and affiliates decide.

use super::model::{AffiliateError, Affiliation, CODE, Programme, RATES, Standing, Terms};
use super::sql;
use crate::app::{Command, Cx};
use crate::caller::{Capability, Denied};
use crate::domains::{catalog, promotions};
use mintreu::id::{AccountId, AffiliationId, ProductId, encode};

/// The fact of somebody who takes part in a programme.
pub const JOINED_FACT: &str = "affiliate.joined";
/// The fact of a part that its seller ended.
pub const ENDED_FACT: &str = "affiliate.ended";
/// The fact of a part that its seller lets go on.
pub const RESUMED_FACT: &str = "affiliate.resumed";

/// A seller says what they offer to affiliates.
#[derive(Debug, Clone, Copy)]
pub struct SetProgramme(pub Terms);

impl Command for SetProgramme {
    const NAME: &'static str = "affiliates.set_programme";
    const CAPABILITY: Capability = Capability::Sell;
}

/// A seller sets the rate of one product.
#[derive(Debug, Clone, Copy)]
pub struct SetRate {
    /// Which, one's own.
    pub product: ProductId,
    /// 500 to 1000 basis points, 0 to take it out, `None` for the programme's rate.
    pub rate_bps: Option<i64>,
}

impl Command for SetRate {
    const NAME: &'static str = "affiliates.set_rate";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.product.to_string())
    }
}

/// A seller decides about one affiliate.
#[derive(Debug, Clone)]
pub struct SetPartner {
    /// Whose part.
    pub affiliation: AffiliationId,
    /// Whether it is ended; one who left by themself stays so.
    pub suspended: bool,
    /// The code of a coupon that counts as theirs; empty for none.
    pub coupon: String,
}

impl Command for SetPartner {
    const NAME: &'static str = "affiliates.set_partner";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.affiliation.to_string())
    }
}

/// A person joins a programme.
#[derive(Debug, Clone, Copy)]
pub struct Join {
    /// Whose.
    pub seller: AccountId,
    /// They said yes to its terms.
    pub agreed: bool,
}

impl Command for Join {
    const NAME: &'static str = "affiliates.join";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.seller.to_string())
    }
}

/// A person leaves a programme; what they earned stays theirs.
#[derive(Debug, Clone, Copy)]
pub struct Leave {
    /// Their part in it.
    pub affiliation: AffiliationId,
}

impl Command for Leave {
    const NAME: &'static str = "affiliates.leave";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.affiliation.to_string())
    }
}

pub(super) fn account(
    account: Option<AccountId>,
    capability: Capability,
) -> Result<AccountId, Denied> {
    account.ok_or(Denied {
        capability,
        signed_in: false,
    })
}

/// See [`SetProgramme`]. What was brought before keeps its rate.
pub fn set_programme(cx: &mut Cx<'_>, cmd: &SetProgramme) -> Result<Programme, AffiliateError> {
    let seller = account(cx.caller.account, Capability::Sell)?;
    if let Some(field) = cmd.0.wrong() {
        return Err(AffiliateError::Invalid(field));
    }
    sql::put_programme(cx.tx, (cx.caller.tenant, seller), &cmd.0, cx.now)?;
    crate::events::record(cx, "affiliate.programme_changed", &seller.to_string(), &())?;
    Ok(Programme {
        seller,
        terms: cmd.0,
    })
}

/// See [`SetRate`].
pub fn set_rate(cx: &mut Cx<'_>, cmd: &SetRate) -> Result<(), AffiliateError> {
    let tenant = cx.caller.tenant;
    let seller = account(cx.caller.account, Capability::Sell)?;
    let product = catalog::product(cx.tx, tenant, cmd.product)?;
    let own = product.filter(|product| product.seller.account == seller);
    let product = own.ok_or(AffiliateError::NotFound)?;
    if cmd
        .rate_bps
        .is_some_and(|rate| rate != 0 && !RATES.contains(&rate))
    {
        return Err(AffiliateError::Invalid("rate_bps"));
    }
    let rate = (product.id, cmd.rate_bps);
    Ok(sql::put_rate(cx.tx, (tenant, seller), rate, cx.now)?)
}

/// See [`SetPartner`].
pub fn set_partner(cx: &mut Cx<'_>, cmd: &SetPartner) -> Result<Affiliation, AffiliateError> {
    let tenant = cx.caller.tenant;
    let seller = account(cx.caller.account, Capability::Sell)?;
    let found = sql::by_id(cx.tx, tenant, cmd.affiliation)?;
    let own = found.filter(|one| one.seller == seller);
    let mut partner = own.ok_or(AffiliateError::NotFound)?;
    let before = partner.standing;
    partner.standing = match (partner.standing, cmd.suspended) {
        (Standing::Left, _) => Standing::Left,
        (_, true) => Standing::Suspended,
        (_, false) => Standing::Active,
    };
    partner.coupon = match cmd.coupon.trim() {
        "" => None,
        code => {
            let coupon = promotions::by_code(cx.tx, tenant, (seller, code))?;
            let coupon = coupon.ok_or(AffiliateError::Invalid("coupon"))?;
            let taken = sql::by_coupon(cx.tx, tenant, coupon)?;
            if taken.is_some_and(|other| other.id != partner.id) {
                return Err(AffiliateError::CouponTaken);
            }
            Some(coupon)
        }
    };
    sql::update(cx.tx, tenant, &partner, cx.now)?;
    let fact = match (before, partner.standing) {
        (Standing::Active, Standing::Suspended) => Some(ENDED_FACT),
        (Standing::Suspended, Standing::Active) => Some(RESUMED_FACT),
        _ => None,
    };
    if let Some(fact) = fact {
        crate::events::record(cx, fact, &partner.id.to_string(), &())?;
    }
    Ok(partner)
}

/// See [`Join`]. Who left may come back, under the same code.
pub fn join(cx: &mut Cx<'_>, cmd: &Join) -> Result<Affiliation, AffiliateError> {
    let tenant = cx.caller.tenant;
    let affiliate = account(cx.caller.account, Capability::Buy)?;
    if affiliate == cmd.seller {
        return Err(AffiliateError::OwnProgramme);
    }
    if !cmd.agreed {
        return Err(AffiliateError::ConsentMissing);
    }
    let programme = sql::programme(cx.tx, tenant, cmd.seller)?;
    let open = programme.filter(|programme| programme.terms.open);
    open.ok_or(AffiliateError::NotFound)?;
    if let Some(mut known) = sql::between(cx.tx, tenant, (cmd.seller, affiliate))? {
        if known.standing == Standing::Suspended {
            return Err(AffiliateError::Suspended);
        }
        known.standing = Standing::Active;
        sql::update(cx.tx, tenant, &known, cx.now)?;
        return Ok(known);
    }
    let code = encode(&cx.random());
    let new = Affiliation {
        id: cx.make_id(AffiliationId::from_bytes),
        seller: cmd.seller,
        affiliate,
        // The last letters: the first has two bits only.
        code: code[code.len() - CODE..].to_owned(),
        standing: Standing::Active,
        coupon: None,
        clicks: 0,
        joined_at: cx.now,
    };
    sql::insert(cx.tx, tenant, &new)?;
    crate::events::record(cx, JOINED_FACT, &new.id.to_string(), &())?;
    Ok(new)
}

/// See [`Leave`].
pub fn leave(cx: &mut Cx<'_>, cmd: &Leave) -> Result<(), AffiliateError> {
    let tenant = cx.caller.tenant;
    let affiliate = account(cx.caller.account, Capability::Buy)?;
    let found = sql::by_id(cx.tx, tenant, cmd.affiliation)?;
    let own = found.filter(|one| one.affiliate == affiliate);
    let mut own = own.ok_or(AffiliateError::NotFound)?;
    if own.standing == Standing::Active {
        own.standing = Standing::Left;
        sql::update(cx.tx, tenant, &own, cx.now)?;
        crate::events::record(cx, "affiliate.left", &own.id.to_string(), &())?;
    }
    Ok(())
}
