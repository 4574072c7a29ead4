//! What a buyer is shown and agrees to: the waiver of withdrawal for what is supplied at once, and
//! what each license grants. An order or a trial keeps the version, the hash of the text, and the
//! instant.

use crate::domains::catalog::model::Offer;
use crate::domains::catalog::{Kind, PriceModel};
use crate::text::{Locale, Translator};
use mintreu::{Money, Timestamp};
use sha2::{Digest, Sha256};

/// The version of both sentences; another wording is another version.
const VERSION: &str = "2026-11";

/// What is agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentKind {
    /// It is supplied at once, and the right to withdraw is lost by that.
    Waiver,
    /// What each license grants.
    Terms,
}

impl ConsentKind {
    /// As stored and sent.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiver => "withdrawal_waiver",
            Self::Terms => "license_terms",
        }
    }
}

/// A text to agree to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentText {
    /// What it is about.
    pub kind: ConsentKind,
    /// Its version and language: `2026-11-en`.
    pub version: String,
    /// As shown.
    pub text: String,
}

impl ConsentText {
    /// SHA-256 of the text.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.text).into()
    }
}

/// What somebody agreed to, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// `withdrawal_waiver` or `license_terms`.
    pub kind: String,
    /// The version of the text.
    pub version: String,
    /// SHA-256 of the text as it was shown.
    pub text_hash: Vec<u8>,
    /// When.
    pub agreed_at: Timestamp,
}

/// Whether it is supplied at once, so that its buyer can waive the right to withdraw. A subscription
/// is supplied bit by bit, so nobody can waive all of it on its first day; an appointment isn't
/// supplied at once.
pub fn is_at_once(model: PriceModel, kind: Kind) -> bool {
    model != PriceModel::Recurring && kind != Kind::Consultation
}

/// What the buyer of offers agrees to who pays `total` for them. Only what is paid and supplied at once
/// needs the waiver.
pub fn texts(offers: &[&Offer], total: Money, locale: Locale) -> Vec<ConsentText> {
    let words = Translator::of(locale);
    let version = format!("{VERSION}-{}", locale.tag());
    let mut all = offers.iter();
    let at_once = all.any(|offer| is_at_once(offer.price.model, offer.product.kind));
    let mut texts = Vec::new();
    if total.minor() > 0 && at_once {
        texts.push(ConsentText {
            kind: ConsentKind::Waiver,
            version: version.clone(),
            text: words.say("consent-waiver"),
        });
    }
    let mut text = words.say("consent-terms");
    for offer in offers {
        let product = &offer.product;
        // Terms are plain data of our own; what can't be written is told by its absence.
        let terms = serde_json::to_string(offer.terms()).unwrap_or_default();
        text.push_str(&format!("\n{} ({}): {terms}", product.name, product.code));
    }
    texts.push(ConsentText {
        kind: ConsentKind::Terms,
        version,
        text,
    });
    texts
}
