//! What tax a sale bears, and why. Pure.

use super::places::Place;
use super::rates::{self, OwnRate};
use super::vat_id::VatId;
use crate::caller::Denied;
use crate::store::StoreError;
use mintreu::{Error, Money, Timestamp};

/// Ten thousand basis points are the whole.
const WHOLE: u32 = 10_000;
/// What the note of an own rate may be long.
pub const MAX_NOTE: usize = 200;

/// Why a sale bears the tax that it bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The seller of record isn't registered for tax, and collects none.
    NotRegistered,
    /// The standard rate of where the buyer is.
    Standard,
    /// The rate that the owner set for where the buyer is.
    OwnRate,
    /// A business in another member state accounts for the tax itself.
    ReverseCharge,
    /// Nothing is collected where the buyer is.
    NoTax,
    /// Nobody knows where the buyer is: taxed where the seller of record is.
    Assumed,
}

impl Why {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::NotRegistered,
        Self::Standard,
        Self::OwnRate,
        Self::ReverseCharge,
        Self::NoTax,
        Self::Assumed,
    ];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotRegistered => "not_registered",
            Self::Standard => "standard",
            Self::OwnRate => "own_rate",
            Self::ReverseCharge => "reverse_charge",
            Self::NoTax => "no_tax",
            Self::Assumed => "assumed",
        }
    }

    /// Reads what [`Why::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.code() == code)
    }
}

/// The sentence that an invoice under reverse charge must carry.
pub const REVERSE_CHARGE: &str = "Reverse charge: the recipient accounts for the VAT \
    (Article 196 of Council Directive 2006/112/EC)";
/// Why nothing is taxed while the platform isn't registered.
pub const NOT_REGISTERED: &str = "not registered: the seller of record collects no tax";

/// The tax of one line: the snapshot that is kept with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tax {
    /// Why.
    pub why: Why,
    /// In hundredths of a percent.
    pub bps: u32,
    /// Whose tax: a [`Place`], or nothing while no tax is collected.
    pub jurisdiction: String,
    /// Whether the price contains it; otherwise it comes on top.
    pub inclusive: bool,
    /// Why, in words.
    pub reason: String,
}

/// A price that was taxed: `base + tax = charged`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taxed {
    /// What is taxed.
    pub base: Money,
    /// The tax.
    pub tax: Money,
    /// What the buyer pays.
    pub charged: Money,
}

impl Tax {
    /// No tax, and why.
    pub fn zero(reason: impl Into<String>) -> Self {
        Self {
            why: Why::NotRegistered,
            bps: 0,
            jurisdiction: String::new(),
            inclusive: false,
            reason: reason.into(),
        }
    }

    /// Taxes a price, zero or above. A tax on top is rounded to the nearest minor unit, halves to
    /// the even one; a price that contains it is divided by the largest remainder.
    pub fn on(&self, price: Money) -> Result<Taxed, Error> {
        if !self.inclusive {
            let tax = price.basis_points(self.bps)?;
            let charged = price.checked_add(tax)?;
            let base = price;
            return Ok(Taxed { base, tax, charged });
        }
        let parts = price.split(&[u64::from(WHOLE), u64::from(self.bps)])?;
        let zero = Money::zero(price.currency());
        Ok(Taxed {
            base: parts.first().copied().unwrap_or(price),
            tax: parts.get(1).copied().unwrap_or(zero),
            charged: price,
        })
    }
}

/// `19 %`, `25.5 %`: a rate in words.
pub fn percent(bps: u32) -> String {
    let (whole, rest) = (bps / 100, bps % 100);
    match rest {
        0 => format!("{whole} %"),
        rest if rest % 10 == 0 => format!("{whole}.{} %", rest / 10),
        rest => format!("{whole}.{rest:02} %"),
    }
}

/// Where the platform, as the seller of record, is registered, and how it quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The seller of record's own place; `None` while it collects no tax.
    pub home: Option<Place>,
    /// Whether prices contain their tax: then what is displayed is what everybody pays.
    pub inclusive: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            home: None,
            inclusive: true,
        }
    }
}

/// What is known of a buyer, as far as tax goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Buyer {
    /// Where they say they are.
    pub place: Option<Place>,
    /// The number that makes them a business; of the same country.
    pub vat_id: Option<VatId>,
}

impl Buyer {
    /// Reads what a buyer declared: a country of two letters, a region of it (ISO 3166-2, without
    /// the country), and a business's VAT id.
    pub fn declared(
        country: Option<&str>,
        region: Option<&str>,
        vat_id: Option<&str>,
    ) -> Result<Self, TaxError> {
        let given = |text: Option<&str>| {
            let text = text.map(str::trim).filter(|text| !text.is_empty());
            text.map(str::to_owned)
        };
        let place = match (given(country), given(region)) {
            (None, None) => None,
            (None, Some(_)) => return Err(TaxError::Country),
            (Some(country), region) => Some(Place::of(&country, region.as_deref())?),
        };
        let vat_id = given(vat_id).map(|text| VatId::parse(&text)).transpose()?;
        let home = place.as_ref().map(Place::country);
        if let Some(vat_id) = &vat_id
            && home != Some(vat_id.country())
        {
            return Err(TaxError::VatIdElsewhere(vat_id.country()));
        }
        Ok(Self { place, vat_id })
    }
}

/// What a sale to `buyer` at `at` bears under the platform's policy and own rates.
///
/// Everything sold here is one category: a digital service, taxed where its buyer is.
pub fn rule(policy: &Policy, own: &[OwnRate], buyer: &Buyer, at: Timestamp) -> Tax {
    let Some(home) = &policy.home else {
        return Tax::zero(NOT_REGISTERED);
    };
    let place = buyer.place.as_ref().unwrap_or(home);
    let tax = |why: Why, bps: u32, reason: String| Tax {
        why,
        bps,
        jurisdiction: place.as_str().to_owned(),
        inclusive: policy.inclusive,
        reason,
    };
    let foreign = |id: &VatId| id.country() != home.country();
    if buyer.vat_id.as_ref().is_some_and(foreign) {
        return tax(Why::ReverseCharge, 0, REVERSE_CHARGE.to_owned());
    }
    let how = if policy.inclusive {
        "in the price"
    } else {
        "on top"
    };
    let Some(rate) = rates::at(own, place, at) else {
        let reason = format!("no tax is collected in {}", place.as_str());
        return tax(Why::NoTax, 0, reason);
    };
    let named = format!("{} in {}, {how}", percent(rate.bps), rate.place);
    let (why, reason) = match (&buyer.place, rate.note) {
        (None, _) => (
            Why::Assumed,
            format!("the buyer's country isn't known: {named}"),
        ),
        (Some(_), None) => (Why::Standard, format!("standard rate: {named}")),
        (Some(_), Some("")) => (Why::OwnRate, format!("own rate: {named}")),
        (Some(_), Some(note)) => (Why::OwnRate, format!("own rate: {named} ({note})")),
    };
    Tax {
        jurisdiction: rate.place.to_owned(),
        ..tax(why, rate.bps, reason)
    }
}

/// What is refused about tax.
#[derive(Debug, thiserror::Error)]
pub enum TaxError {
    /// No country, or none of two capital letters that exists.
    #[error("a country is two capital letters of ISO 3166-1, a region up to three more")]
    Country,
    /// Not a number of a member state, or mistyped.
    #[error("this is no VAT id of a member state of the EU: check its letters and digits")]
    VatId,
    /// A number of another country than the buyer's.
    #[error("this VAT id is of {0}: it must be of the country that the buyer is in")]
    VatIdElsewhere(&'static str),
    /// A rate that can't be.
    #[error("a rate is between 0 and 10000 hundredths of a percent")]
    Rate,
    /// A rate that would begin in the past.
    #[error("a rate begins now or later: what was charged stays")]
    Past,
    /// A note that is too long.
    #[error("a note has at most 200 characters")]
    Note,
    /// Months that aren't any.
    #[error("months are written like 2027-01, at most 120 of them, the first before the last")]
    Months,
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
