//! What a purchase costs as things stand now: the same answer for a page that shows it and for the
//! checkout that charges it.

use super::model::FulfilmentError;
use crate::app::ReadCx;
use crate::caller::Caller;
use crate::custody::Custody;
use crate::domains::accounts;
use crate::domains::affiliates::{self, Referred, Verdict};
use crate::domains::bundles::{self, BundleError, Gone, Offered, Part};
use crate::domains::catalog::{self, Offer, Price, PriceModel};
use crate::domains::fees::{Agreed, Resolver};
use crate::domains::gifts::{GiftError, NewGift};
use crate::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use crate::domains::orders::consent::{self, ConsentText};
use crate::domains::orders::{
    self, InBundle, MAX_LINES, MAX_QUANTITY, NewLine, OrderError, SplitAmounts,
};
use crate::domains::promotions::{self, Asked, Buyer, Candidate, Discount, Refusal};
use crate::domains::taxes::{self, Tax};
use crate::store::{StoreError, Tx};
use crate::text::Locale;
use mintreu::id::{PriceId, TenantId};
use mintreu::{Money, Timestamp};
use std::sync::Arc;

/// One thing that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which price.
    pub price: PriceId,
    /// How many.
    pub quantity: i64,
    /// For one, in minor units, when the buyer names the price; what is suggested when absent.
    pub named: Option<i64>,
}

impl Item {
    /// So many at what they cost.
    pub const fn new(price: PriceId, quantity: i64) -> Self {
        Self {
            price,
            quantity,
            named: None,
        }
    }
}

/// What is wanted, and the codes that shall make it cheaper.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// One order's lines, in the order shown.
    pub items: Vec<Item>,
    /// As typed, tried in this order.
    pub codes: Vec<String>,
    /// Where the buyer says to be (two capitals): some prices are for some countries, and tax is
    /// of where the buyer is.
    pub country: Option<String>,
    /// Which region of it, where tax differs.
    pub region: Option<String>,
    /// The VAT id of a business.
    pub vat_id: Option<String>,
    /// Whom all of it is for, if not for the buyer. It changes no price, and no quote carries it.
    pub gift: Option<NewGift>,
    /// Who may have brought the buyer.
    pub referred: Referred,
}

impl Wanted {
    /// What the buyer declares, as far as tax goes.
    pub(super) fn buyer(&self) -> Result<taxes::Buyer, FulfilmentError> {
        Ok(taxes::Buyer::declared(
            self.country.as_deref(),
            self.region.as_deref(),
            self.vat_id.as_deref(),
        )?)
    }
}

/// What the house takes of a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis {
    /// Who found the buyer.
    pub traffic: Traffic,
    /// The platform's share where no rule says another.
    pub fees: FeePolicy,
    /// What a payment costs.
    pub tariff: PaymentTariff,
}

/// What it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted {
    /// The lines as they would be placed.
    pub lines: Vec<NewLine>,
    /// What a code does to each line.
    pub given: Vec<Option<Discount>>,
    /// Who gets what of each line.
    pub splits: Vec<SplitAmounts>,
    /// What each line bears.
    pub tax: Tax,
    /// Codes that do nothing, and why.
    pub refused: Vec<(String, Refusal)>,
    /// What the buyer pays.
    pub total: Money,
}

impl Quoted {
    /// What its buyer agrees to.
    pub fn consents(&self, locale: Locale) -> Vec<ConsentText> {
        let offers: Vec<_> = self.lines.iter().map(|line| &line.offer).collect();
        consent::texts(&offers, self.total, locale)
    }
}

/// Prices what is wanted. A code that does nothing is told in [`Quoted::refused`].
pub(super) fn price(
    tx: &mut dyn Tx,
    keys: &Custody,
    (tenant, now): (TenantId, Timestamp),
    (wanted, buyer, basis): (&Wanted, &Buyer, &Basis),
) -> Result<Quoted, FulfilmentError> {
    let mut fees = Resolver::new(tenant, now, basis.fees, basis.traffic);
    let mut lines = offered(tx, tenant, wanted, &mut fees)?;
    let candidates: Vec<_> = lines.iter().map(candidate).collect();
    let asked = Asked {
        codes: &wanted.codes,
        buyer,
        lines: &candidates,
        now,
    };
    let (given, refused) = promotions::discounts(tx, tenant, &asked)?;
    for (line, given) in lines.iter_mut().zip(&given) {
        if let Some(given) = given {
            line.discount = given.off;
            line.discount_why.clone_from(&given.why);
        }
    }
    let pairs = lines.iter().zip(&given).map(|(line, given)| {
        let product = &line.offer.product;
        let coupon = given.as_ref().map(|given| given.coupon);
        (product.seller.account, product.id, coupon)
    });
    let asked = affiliates::Asked {
        referred: &wanted.referred,
        buyer,
        lines: &pairs.collect::<Vec<_>>(),
        now,
        keys,
    };
    let brought = affiliates::attribute(tx, tenant, &asked)?;
    // Whom an affiliate brings, the seller brings: the marketplace's higher share isn't due too.
    let mut by_seller = Resolver::new(tenant, now, basis.fees, Traffic::Seller);
    for (line, brought) in lines.iter_mut().zip(brought) {
        if brought.commission().is_some() {
            line.fee = by_seller.product(tx, &line.offer.product)?;
        }
        line.brought = brought;
    }
    let tax = taxes::tax_for(tx, tenant, now, &wanted.buyer()?)?;
    let splits = orders::divide(&lines, &tax, basis.tariff)?;
    let total = orders::total(splits.iter().map(|split| split.charged))?;
    Ok(Quoted {
        lines,
        given,
        splits,
        tax,
        refused,
        total,
    })
}

/// Whether what was priced can be given: something is paid for it, and nothing of it is billed later.
pub(super) fn givable(quoted: &Quoted) -> Result<(), GiftError> {
    if quoted.total.minor() == 0 {
        return Err(GiftError::Free);
    }
    let mut products = quoted.lines.iter().map(|line| &line.offer.product);
    match products.find(|product| product.is_billed_by_usage()) {
        Some(metered) => Err(GiftError::Metered(metered.name.clone())),
        None => Ok(()),
    }
}

/// The lines at their full prices, all in one currency.
fn offered(
    tx: &mut dyn Tx,
    tenant: TenantId,
    wanted: &Wanted,
    fees: &mut Resolver,
) -> Result<Vec<NewLine>, FulfilmentError> {
    let items = &wanted.items;
    if !(1..=MAX_LINES).contains(&items.len()) {
        return Err(OrderError::Lines.into());
    }
    let mut lines: Vec<NewLine> = Vec::with_capacity(items.len());
    for item in items {
        if !(1..=MAX_QUANTITY).contains(&item.quantity) {
            return Err(OrderError::Quantity.into());
        }
        let Some(offer) = catalog::offer(tx, tenant, item.price)? else {
            let found = bundles::offer(tx, tenant, item.price)?;
            let bundle = sold(found.ok_or(OrderError::OfferGone)?)?;
            same_currency(&lines, bundle.price.amount)?;
            for part in &bundle.parts {
                let fee = fees.product(tx, &part.offer.product)?;
                lines.push(of_bundle((&bundle, part), item.quantity, fee)?);
            }
            continue;
        };
        let offer = at_home(offer, wanted.country.as_deref());
        let price = &offer.price;
        if !price.serves(wanted.country.as_deref()) {
            let countries = price.bounds.countries.clone();
            return Err(OrderError::CountryNotServed(countries).into());
        }
        if let Some(most) = price.bounds.most.filter(|most| *most < item.quantity) {
            return Err(OrderError::TooMany(most).into());
        }
        let unit = unit(price, item.named)?;
        let named = price.minimum().is_some();
        same_currency(&lines, unit)?;
        lines.push(NewLine {
            fee: fees.product(tx, &offer.product)?,
            offer,
            quantity: item.quantity,
            unit,
            named,
            discount: Money::zero(unit.currency()),
            discount_why: String::new(),
            bundle: None,
            brought: Verdict::Nobody,
        });
    }
    if lines.len() > MAX_LINES {
        return Err(OrderError::Lines.into());
    }
    Ok(lines)
}

fn same_currency(lines: &[NewLine], unit: Money) -> Result<(), OrderError> {
    let first = lines.first().map(|line| line.unit.currency());
    match first {
        Some(currency) if currency != unit.currency() => Err(OrderError::CurrencyMixed),
        _ => Ok(()),
    }
}

/// The bundle, if it is sold; else which product keeps it from being.
fn sold(bundle: Offered) -> Result<Offered, BundleError> {
    let name = bundle.bundle.name.clone();
    match &bundle.gone {
        None => Ok(bundle),
        Some(Gone::Withdrawn) => Err(BundleError::Withdrawn(name)),
        Some(Gone::Product(product)) => Err(BundleError::Incomplete {
            bundle: name,
            product: product.clone(),
        }),
    }
}

/// One product's line of a bundle, at its share.
fn of_bundle(
    (bundle, part): (&Offered, &Part),
    quantity: i64,
    fee: Agreed,
) -> Result<NewLine, OrderError> {
    let bounds = &part.offer.price.bounds;
    if let Some(most) = bounds.most.filter(|most| *most < quantity) {
        return Err(OrderError::TooMany(most));
    }
    Ok(NewLine {
        offer: part.offer.clone(),
        quantity,
        unit: part.share,
        named: false,
        discount: Money::zero(part.share.currency()),
        discount_why: String::new(),
        fee,
        bundle: Some(InBundle {
            id: bundle.bundle.id,
            title: bundle.bundle.name.clone(),
        }),
        brought: Verdict::Nobody,
    })
}

/// The offer at what a buyer there pays for it.
fn at_home(offer: Offer, country: Option<&str>) -> Offer {
    let price = offer.product.price_in(&offer.price, country).clone();
    Offer { price, ..offer }
}

/// Most minor units that a buyer may name.
const MAX_NAMED: i64 = 1_000_000_000_000;

/// What one costs: the price, or what its buyer named.
fn unit(price: &Price, named: Option<i64>) -> Result<Money, OrderError> {
    let least = match (price.minimum(), named) {
        (_, None) => return Ok(price.amount),
        (Some(least), Some(_)) => least,
        (None, Some(_)) => price.amount,
    };
    let named = named.unwrap_or_default();
    let fixed = price.minimum().is_none() && named != price.amount.minor();
    if fixed || !(least.minor()..=MAX_NAMED).contains(&named) {
        return Err(OrderError::AmountTooLow(least));
    }
    Ok(Money::new(named, price.amount.currency()))
}

fn candidate(line: &NewLine) -> Candidate {
    Candidate {
        seller: line.offer.product.seller.account,
        product: line.offer.product.id,
        unit: line.unit,
        quantity: line.quantity,
        recurring: line.offer.price.model == PriceModel::Recurring,
    }
}

/// Who buys, as far as limits go: the account with its address, or the address of a guest.
pub(super) fn known_buyer(
    tx: &mut dyn Tx,
    caller: &Caller,
    keys: &Custody,
    email: Option<&str>,
) -> Result<Buyer, StoreError> {
    let email = match caller.account {
        Some(account) => {
            let email = accounts::email_of(tx, caller.tenant, account)?;
            email.map(|email| email.as_str().to_owned())
        }
        None => email.map(str::to_owned),
    };
    let email = email.filter(|email| !email.trim().is_empty());
    Ok(Buyer {
        account: caller.account,
        address: email.map(|email| promotions::address_hash(keys, caller.tenant, &email)),
    })
}

/// Asks what something costs the caller.
pub struct AskQuote {
    /// What.
    pub wanted: Wanted,
    /// A guest's address, when it is known already.
    pub email: Option<String>,
    /// What the house takes.
    pub basis: Basis,
    /// What addresses are hashed with.
    pub keys: Arc<Custody>,
}

/// What it costs the caller now.
pub fn quote(cx: &mut ReadCx<'_>, ask: &AskQuote) -> Result<Quoted, FulfilmentError> {
    let buyer = known_buyer(cx.tx, cx.caller, &ask.keys, ask.email.as_deref())?;
    let what = (&ask.wanted, &buyer, &ask.basis);
    price(cx.tx, &ask.keys, (cx.caller.tenant, cx.now), what)
}
