//! A quote as its buyer holds it: what was shown, sealed, so that nothing else can be charged.
//!
//! Quotes aren't stored until one is confirmed: the text that the buyer sends back carries what
//! was shown and a keyed hash of it. Each is good for one order and for a day.

use super::model::FulfilmentError;
use super::quote::{Item, Quoted, Wanted};
use crate::custody::Custody;
use crate::domains::affiliates::Referred;
use crate::domains::orders::{NewLine, SplitAmounts};
use crate::text::Locale;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::id::{AffiliateClickId, PriceId, TenantId};
use mintreu::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// For how long a quote can be confirmed: a day.
pub const GOOD_FOR_MS: i64 = 24 * 60 * 60 * 1000;
/// Longest text of a quote: fifty lines with room.
const MAX_TEXT: usize = 32 * 1024;
/// Bytes of the keyed hash that are kept.
const SEAL: usize = 16;

/// The instant of a new quote, and what makes it this one.
type Fresh = (Timestamp, [u8; 16]);

/// What the buyer of one line was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shown {
    price: String,
    quantity: i64,
    unit: i64,
    /// Whether the buyer named the price.
    #[serde(default)]
    named: bool,
    off: i64,
    tax: i64,
}

/// What a buyer was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// New for each quote, so that each is good for one order.
    nonce: String,
    at: i64,
    currency: String,
    total: i64,
    codes: Vec<String>,
    country: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    vat_id: Option<String>,
    /// Why the tax is what it is, at which rate, and whose it is.
    #[serde(default)]
    tax: (String, u32, String),
    /// The language of what is agreed to.
    language: String,
    /// Versions and hashes of what is agreed to.
    texts: Vec<(String, String)>,
    lines: Vec<Shown>,
    /// What was asked for. A line names what is charged, which may be a price's stand-in for the
    /// buyer's country, or one of a bundle's parts.
    asked: Vec<Asked>,
    /// Who may have brought the buyer: clicks, the newest first, and a code.
    #[serde(default)]
    clicks: Vec<String>,
    #[serde(default)]
    via: Option<String>,
}

/// One thing that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    price: String,
    quantity: i64,
    #[serde(default)]
    named: Option<i64>,
}

/// Which figure of a line changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// The price for one.
    Price,
    /// What is taken off.
    Discount,
    /// The tax.
    Tax,
}

impl Figure {
    /// As answers name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Discount => "discount",
            Self::Tax => "tax",
        }
    }
}

/// What changed since the buyer looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The product's name.
    pub title: String,
    /// Which of its figures.
    pub figure: Figure,
    /// As it was shown.
    pub was: Money,
    /// As it is.
    pub now: Money,
}

fn shown(quoted: &Quoted) -> Vec<Shown> {
    let pairs = quoted.lines.iter().zip(&quoted.splits);
    let line = |(line, split): (&NewLine, &SplitAmounts)| Shown {
        price: line.offer.price.id.to_string(),
        quantity: line.quantity,
        unit: line.unit.minor(),
        named: line.named,
        off: split.discount.minor(),
        tax: split.tax.minor(),
    };
    pairs.map(line).collect()
}

/// Whose tax, at which rate and why: what is contained in a price may change and the price not.
fn shown_tax(quoted: &Quoted) -> (String, u32, String) {
    let tax = &quoted.tax;
    let code = tax.why.code().to_owned();
    (code, tax.bps, tax.jurisdiction.clone())
}

/// What is agreed to, as it is compared.
fn sealed_texts(quoted: &Quoted, locale: Locale) -> Vec<(String, String)> {
    let texts = quoted.consents(locale).into_iter();
    texts
        .map(|text| (text.version.clone(), URL_SAFE_NO_PAD.encode(text.hash())))
        .collect()
}

impl Promise {
    /// What `quoted` promises of what was `wanted`, with those codes that do something.
    pub fn of(quoted: &Quoted, wanted: &Wanted, locale: Locale, (now, nonce): Fresh) -> Self {
        let works = |code: &&String| quoted.refused.iter().all(|(refused, _)| refused != *code);
        Self {
            nonce: URL_SAFE_NO_PAD.encode(nonce),
            at: now.ms(),
            currency: quoted.total.currency().code().to_owned(),
            total: quoted.total.minor(),
            codes: wanted.codes.iter().filter(works).cloned().collect(),
            country: wanted.country.clone(),
            region: wanted.region.clone(),
            vat_id: wanted.vat_id.clone(),
            tax: shown_tax(quoted),
            language: locale.tag().to_owned(),
            texts: sealed_texts(quoted, locale),
            lines: shown(quoted),
            asked: wanted
                .items
                .iter()
                .map(|item| Asked {
                    price: item.price.to_string(),
                    quantity: item.quantity,
                    named: item.named,
                })
                .collect(),
            clicks: (wanted.referred.clicks.iter())
                .map(|click| click.to_string())
                .collect(),
            via: wanted.referred.code.clone(),
        }
    }

    /// Where the buyer said to be.
    pub fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// The text for the buyer.
    pub fn seal(&self, keys: &Custody, tenant: TenantId) -> Result<String, FulfilmentError> {
        let json = serde_json::to_string(self);
        let json = json.map_err(|_| FulfilmentError::QuoteMalformed)?;
        let seal = &mac(keys, tenant, json.as_bytes())[..SEAL];
        let sealed = [seal, json.as_bytes()].concat();
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Reads what [`Promise::seal`] wrote, and nothing else.
    pub fn open(text: &str, keys: &Custody, tenant: TenantId) -> Result<Self, FulfilmentError> {
        let malformed = || FulfilmentError::QuoteMalformed;
        if text.len() > MAX_TEXT {
            return Err(malformed());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
        let (seal, json) = bytes.split_at_checked(SEAL).ok_or_else(malformed)?;
        if !bool::from(mac(keys, tenant, json)[..SEAL].ct_eq(seal)) {
            return Err(malformed());
        }
        serde_json::from_slice(json).map_err(|_| malformed())
    }

    /// The language of what is agreed to.
    pub fn locale(&self) -> Locale {
        Locale::from_tag(&self.language).unwrap_or_default()
    }

    /// Whether the texts to agree to are still those that were shown.
    pub fn terms_hold(&self, quoted: &Quoted) -> bool {
        self.texts == sealed_texts(quoted, self.locale())
    }

    /// The codes that do something.
    pub fn codes(&self) -> &[String] {
        &self.codes
    }

    /// Until when it can be confirmed.
    pub fn ends_at(&self) -> Timestamp {
        Timestamp::from_ms(self.at.saturating_add(GOOD_FOR_MS))
    }

    /// What makes this quote this one.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.nonce).into()
    }

    /// What was asked for.
    pub fn wanted(&self) -> Result<Wanted, FulfilmentError> {
        let items = self.asked.iter().map(|asked| {
            let price = PriceId::parse(&asked.price);
            Ok(Item {
                price: price.map_err(|_| FulfilmentError::QuoteMalformed)?,
                quantity: asked.quantity,
                named: asked.named,
            })
        });
        Ok(Wanted {
            items: items.collect::<Result<_, FulfilmentError>>()?,
            codes: self.codes.clone(),
            country: self.country.clone(),
            region: self.region.clone(),
            vat_id: self.vat_id.clone(),
            gift: None,
            referred: self.referred()?,
        })
    }

    fn referred(&self) -> Result<Referred, FulfilmentError> {
        let clicks = self.clicks.iter().map(|click| {
            let click = AffiliateClickId::parse(click);
            click.map_err(|_| FulfilmentError::QuoteMalformed)
        });
        Ok(Referred {
            clicks: clicks.collect::<Result<_, _>>()?,
            code: self.via.clone(),
        })
    }

    /// What was to be paid.
    pub fn total(&self) -> Result<Money, FulfilmentError> {
        let currency = Currency::parse(&self.currency);
        let currency = currency.map_err(|_| FulfilmentError::QuoteMalformed)?;
        Ok(Money::new(self.total, currency))
    }

    /// Whether `quoted` is what was shown, and soon enough.
    pub fn holds(&self, quoted: &Quoted, now: Timestamp) -> bool {
        let fresh = (0..GOOD_FOR_MS).contains(&(now.ms().saturating_sub(self.at)));
        let total = self.total().is_ok_and(|total| total == quoted.total);
        let same = total && self.lines == shown(quoted) && self.tax == shown_tax(quoted);
        fresh && same && self.terms_hold(quoted) && quoted.refused.is_empty()
    }

    /// What changed, line by line.
    pub fn changes(&self, quoted: &Quoted) -> Vec<Change> {
        let now = shown(quoted);
        let currency = quoted.total.currency();
        let mut changes = Vec::new();
        for ((was, now), line) in self.lines.iter().zip(&now).zip(&quoted.lines) {
            let figures = [
                (Figure::Price, was.unit, now.unit),
                (Figure::Discount, was.off, now.off),
                (Figure::Tax, was.tax, now.tax),
            ];
            let differ = figures.into_iter().filter(|(_, was, now)| was != now);
            changes.extend(differ.map(|(figure, was, now)| Change {
                title: line.offer.product.name.clone(),
                figure,
                was: Money::new(was, currency),
                now: Money::new(now, currency),
            }));
        }
        changes
    }
}

fn mac(keys: &Custody, tenant: TenantId, json: &[u8]) -> [u8; 32] {
    let data = [tenant.as_bytes().as_slice(), json].concat();
    keys.mac("fulfilment.quote", &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise() -> Promise {
        Promise {
            nonce: "n".to_owned(),
            at: 5,
            currency: "EUR".to_owned(),
            total: 4_900,
            codes: vec!["SPRING".to_owned()],
            country: None,
            region: None,
            vat_id: None,
            tax: Default::default(),
            language: "en".to_owned(),
            texts: Vec::new(),
            lines: Vec::new(),
            asked: Vec::new(),
            clicks: Vec::new(),
            via: None,
        }
    }

    #[test]
    fn a_promise_opens_under_its_own_key_and_tenant_and_unchanged_only() {
        let (keys, other) = (Custody::new([1; 32]), Custody::new([2; 32]));
        let (here, there) = (TenantId::from_bytes([0; 16]), TenantId::from_bytes([1; 16]));
        let text = promise().seal(&keys, here).expect("seals");
        assert_eq!(Promise::open(&text, &keys, here).expect("opens"), promise());
        assert!(Promise::open(&text, &other, here).is_err());
        assert!(Promise::open(&text, &keys, there).is_err());
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            // The last letter has spare bits; what decodes alike is alike.
            let same = URL_SAFE_NO_PAD.decode(&changed) == URL_SAFE_NO_PAD.decode(&text);
            assert!(
                same || Promise::open(&changed, &keys, here).is_err(),
                "{at}"
            );
        }
        for bad in ["", "AAAA", "not base64 at all!", &"A".repeat(MAX_TEXT + 1)] {
            assert!(Promise::open(bad, &keys, here).is_err());
        }
    }
}
