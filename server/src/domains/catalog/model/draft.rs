//! What a seller writes, checked: every mistake is named at its field, all of them at once.

use super::cycle::Cycle;
use super::prices::check_prices;
use super::product::{
    Aggregation, Bounds, Kind, LicenseTerms, Meter, Price, PriceModel, Product, Renewing, Trial,
};
use super::terms::check_terms;
use mintreu::Money;
use mintreu::price::Tariff;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most prices, meters, categories, entitlements or quotas of one product.
pub(super) const MAX_PARTS: usize = 20;
/// Longest description, in bytes.
const MAX_DESCRIPTION: usize = 50_000;

/// A price as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceDraft {
    /// How it is charged.
    pub model: PriceModel,
    /// How often, when recurring.
    #[serde(default)]
    pub period: Option<Cycle>,
    /// How much, in minor units; zero for free and metered.
    #[serde(default)]
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// For a price charged once that the buyer names: the least, at most the amount, which is then
    /// what is suggested.
    #[serde(default)]
    pub minimum_minor: Option<i64>,
    /// So many at most in one order: 1 to 100.
    #[serde(default)]
    pub most: Option<i64>,
    /// For buyers in these countries (ISO 3166-1, two letters) or groups of them (`EU`, `EEA`,
    /// `AFRICA`, `LATIN-AMERICA`, `SOUTH-ASIA`, `SOUTHEAST-ASIA`) only; everywhere when none is named.
    #[serde(default)]
    pub countries: Vec<String>,
    /// What a license at this price grants; what the product says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<LicenseTerms>,
    /// How a recurring price can be tried before it is charged; not at all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// After how many payments a recurring price ends, and how long a license works unpaid; for as long as
    /// nobody ends it, and 7 days, when absent.
    #[serde(default, skip_serializing_if = "Renewing::is_usual")]
    pub renewing: Renewing,
}

impl PriceDraft {
    /// A price for everybody.
    pub fn plain(model: PriceModel, amount_minor: i64, currency: impl Into<String>) -> Self {
        Self {
            model,
            period: None,
            amount_minor,
            currency: currency.into(),
            minimum_minor: None,
            most: None,
            countries: Vec::new(),
            terms: None,
            trial: None,
            renewing: Renewing::default(),
        }
    }
}

/// A meter as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeterDraft {
    /// Unique in the product: `api.calls`.
    pub name: String,
    /// What one of it is called: `call`.
    pub unit: String,
    /// The tariff's text: `EUR per_unit 0.0004; free 1000`.
    #[serde(default)]
    pub tariff: Option<String>,
}

fn english() -> String {
    "en".to_owned()
}

/// A product as its seller writes it, for creating and for replacing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductDraft {
    /// Part of its address; made from the name when absent.
    #[serde(default)]
    pub slug: Option<String>,
    /// The audience of its licenses: `acme.editor`.
    pub code: String,
    /// What kind it is.
    pub kind: Kind,
    /// The name people see.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// Markdown.
    #[serde(default)]
    pub description: String,
    /// The language of its text (ISO 639-1).
    #[serde(default = "english")]
    pub language: String,
    /// The current version.
    #[serde(default)]
    pub version: String,
    /// An https or http address.
    #[serde(default)]
    pub homepage: Option<String>,
    /// An SPDX license expression.
    #[serde(default)]
    pub spdx: Option<String>,
    /// Paths of existing categories; the first names it in lists.
    pub categories: Vec<String>,
    /// In the order shown.
    #[serde(default)]
    pub prices: Vec<PriceDraft>,
    /// What it counts.
    #[serde(default)]
    pub meters: Vec<MeterDraft>,
    /// What its license grants.
    #[serde(default)]
    pub terms: LicenseTerms,
}

/// The draft that would write a product as it is: what a form starts from.
pub fn draft_of(product: &Product) -> ProductDraft {
    let price = |price: &Price| PriceDraft {
        model: price.model,
        period: price.period,
        amount_minor: price.amount.minor(),
        currency: price.amount.currency().to_string(),
        minimum_minor: price.bounds.minimum_minor,
        most: price.bounds.most,
        countries: price.bounds.countries.clone(),
        terms: price.terms.clone(),
        trial: price.trial,
        renewing: price.bounds.renewing,
    };
    let meter = |meter: &Meter| MeterDraft {
        name: meter.name.clone(),
        unit: meter.unit.clone(),
        tariff: meter.tariff.as_ref().map(ToString::to_string),
    };
    ProductDraft {
        slug: Some(product.slug.clone()),
        code: product.code.clone(),
        kind: product.kind,
        name: product.name.clone(),
        summary: product.summary.clone(),
        description: product.description.clone(),
        language: product.language.clone(),
        version: product.version.clone(),
        homepage: product.homepage.clone(),
        spdx: product.spdx.clone(),
        categories: product
            .categories
            .iter()
            .map(|category| category.path.clone())
            .collect(),
        prices: product.prices.iter().map(price).collect(),
        meters: product.meters.iter().map(meter).collect(),
        terms: product.terms.clone(),
    }
}

/// One mistake, at one field of the draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field of [`ProductDraft`].
    pub field: &'static str,
    /// Stable: `required`, `too_long`, `malformed`, `out_of_range`, `duplicate`, `unknown`, `fixed`.
    pub code: &'static str,
    /// One sentence: what is wrong and what would be right.
    pub detail: String,
}

/// A checked price; it has no id yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedPrice {
    pub(crate) model: PriceModel,
    pub(crate) period: Option<Cycle>,
    pub(crate) amount: Money,
    pub(crate) bounds: Bounds,
    pub(crate) terms: Option<LicenseTerms>,
    pub(crate) trial: Option<Trial>,
}

/// A checked meter; it has no id yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedMeter {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) aggregation: Aggregation,
    pub(crate) tariff: Option<Tariff>,
}

/// A draft that passed [`check`]; the fields can't be wrong any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedDraft {
    pub(crate) slug: String,
    pub(crate) code: String,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) language: String,
    pub(crate) version: String,
    pub(crate) homepage: Option<String>,
    pub(crate) spdx: Option<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) prices: Vec<CheckedPrice>,
    pub(crate) meters: Vec<CheckedMeter>,
    pub(crate) terms: LicenseTerms,
}

/// The mistakes found so far.
#[derive(Default)]
pub(super) struct Mistakes(pub(super) Vec<FieldError>);

impl Mistakes {
    pub(super) fn add(
        &mut self,
        field: &'static str,
        code: &'static str,
        detail: impl Into<String>,
    ) {
        self.0.push(FieldError {
            field,
            code,
            detail: detail.into(),
        });
    }

    /// Trimmed text of 1 (or 0, when optional) to `most` characters without control characters.
    pub(super) fn line(
        &mut self,
        field: &'static str,
        text: &str,
        (least, most): (usize, usize),
    ) -> String {
        let text = text.trim();
        let count = text.chars().count();
        if count < least {
            self.add(
                field,
                "required",
                format!("write at least {least} characters"),
            );
        } else if count > most {
            self.add(
                field,
                "too_long",
                format!("{count} characters; at most {most} fit"),
            );
        } else if text.chars().any(char::is_control) {
            self.add(field, "malformed", "one line, without control characters");
        }
        text.to_owned()
    }

    /// Empty is absent; otherwise as [`Mistakes::line`].
    fn optional(&mut self, field: &'static str, text: Option<&str>, most: usize) -> Option<String> {
        let text = text.map(str::trim).filter(|text| !text.is_empty())?;
        Some(self.line(field, text, (1, most)))
    }

    pub(super) fn at_most(&mut self, field: &'static str, count: usize) {
        if count > MAX_PARTS {
            self.add(
                field,
                "out_of_range",
                format!("{count} of them; at most {MAX_PARTS}"),
            );
        }
    }

    pub(super) fn within(&mut self, field: &'static str, what: &str, value: i64, most: i64) {
        if !(1..=most).contains(&value) {
            self.add(
                field,
                "out_of_range",
                format!("{what} is 1 to {most}, not {value}"),
            );
        }
    }
}

/// Checks a draft; all its mistakes come back together.
pub fn check(draft: &ProductDraft) -> Result<CheckedDraft, Vec<FieldError>> {
    let mut found = Mistakes::default();
    let name = found.line("name", &draft.name, (1, 120));
    let slug = match draft.slug.as_deref().map(str::trim) {
        // A name in another script leaves nothing of itself; the code always does.
        None | Some("") => match slug_of(&name) {
            slug if slug.is_empty() => draft.code.trim().replace('.', "-"),
            slug => slug,
        },
        Some(slug) => slug.to_owned(),
    };
    if !is_slug(&slug) {
        let rule = "1 to 80 of a-z, 0-9, and - . + between them";
        found.add("slug", "malformed", format!("an address is {rule}"));
    }
    let code = draft.code.trim().to_owned();
    if !is_code(&code) {
        let rule = "words of a-z, 0-9, - and + joined by points, acme.editor, at most 80 long";
        found.add("code", "malformed", format!("a code is {rule}"));
    }
    let checked = CheckedDraft {
        slug,
        code,
        kind: draft.kind,
        summary: found.line("summary", &draft.summary, (1, 200)),
        description: check_description(&mut found, &draft.description),
        language: check_language(&mut found, &draft.language),
        version: found.line("version", &draft.version, (0, 60)),
        homepage: check_homepage(&mut found, draft.homepage.as_deref()),
        spdx: check_spdx(&mut found, draft.spdx.as_deref()),
        categories: check_categories(&mut found, &draft.categories),
        prices: check_prices(&mut found, &draft.prices, &draft.meters),
        meters: check_meters(&mut found, &draft.meters),
        terms: check_terms(&mut found, &draft.terms, &draft.meters),
        name,
    };
    if checked
        .prices
        .iter()
        .any(|price| price.model == PriceModel::Metered)
        && checked.meters.iter().all(|meter| meter.tariff.is_none())
    {
        found.add(
            "meters",
            "required",
            "a metered price needs a meter with a tariff",
        );
    }
    if found.0.is_empty() {
        Ok(checked)
    } else {
        Err(found.0)
    }
}

/// A slug made from a name: folded, words joined by `-`; empty when nothing of it can be kept.
pub fn slug_of(name: &str) -> String {
    let folded = super::super::tokens::fold(name);
    let mut slug = String::new();
    for part in folded.split(|c: char| !c.is_ascii_alphanumeric()) {
        if part.is_empty() || slug.len() + part.len() > 60 {
            continue;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(part);
    }
    slug
}

pub(crate) fn is_slug(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| plain(byte) || matches!(byte, b'-' | b'.' | b'+');
    let bytes = text.as_bytes();
    (1..=80).contains(&bytes.len())
        && plain(bytes[0])
        && bytes.iter().copied().all(inner)
        && !text.ends_with(['-', '.'])
}

fn is_code(text: &str) -> bool {
    (3..=80).contains(&text.len()) && text.contains('.') && text.split('.').all(is_slug)
}

/// A name a program uses: `api.calls`, `gpu-hours`.
pub(super) fn is_name(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte)
        })
}

fn check_description(found: &mut Mistakes, text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    if text.len() > MAX_DESCRIPTION {
        let length = text.len();
        found.add(
            "description",
            "too_long",
            format!("{length} bytes; at most {MAX_DESCRIPTION} fit"),
        );
    }
    if text
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        found.add(
            "description",
            "malformed",
            "plain text, without control characters",
        );
    }
    text.trim().to_owned()
}

fn check_language(found: &mut Mistakes, text: &str) -> String {
    if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_lowercase()) {
        found.add(
            "language",
            "malformed",
            "two letters of ISO 639-1, such as en",
        );
    }
    text.to_owned()
}

fn check_homepage(found: &mut Mistakes, text: Option<&str>) -> Option<String> {
    let text = found.optional("homepage", text, 300)?;
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest
        .and_then(|rest| rest.split(['/', '?', '#']).next())
        .unwrap_or_default();
    let sound = !host.is_empty() && !text.contains([' ', '"', '<', '>', '\\']);
    if !sound {
        found.add(
            "homepage",
            "malformed",
            "an address that starts with https:// or http://",
        );
    }
    Some(text)
}

fn check_spdx(found: &mut Mistakes, text: Option<&str>) -> Option<String> {
    let text = found.optional("spdx", text, 200)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.+() :/".contains(&byte);
    if !text.bytes().all(plain) {
        found.add(
            "spdx",
            "malformed",
            "an SPDX expression, such as MIT OR Apache-2.0",
        );
    }
    Some(text)
}

fn check_categories(found: &mut Mistakes, paths: &[String]) -> Vec<String> {
    found.at_most("categories", paths.len());
    let mut kept: Vec<String> = Vec::new();
    for path in paths.iter().map(|path| path.trim().trim_matches('/')) {
        if !path.is_empty() && !kept.iter().any(|known| known == path) {
            kept.push(path.to_owned());
        }
    }
    if kept.is_empty() {
        found.add("categories", "required", "choose at least one category");
    }
    kept
}

fn check_meters(found: &mut Mistakes, meters: &[MeterDraft]) -> Vec<CheckedMeter> {
    found.at_most("meters", meters.len());
    let mut kept: Vec<CheckedMeter> = Vec::new();
    for draft in meters {
        let name = draft.name.trim();
        if !is_name(name) {
            let rule = "1 to 40 of a-z, 0-9, - _ and . , starting with a letter";
            found.add("meters", "malformed", format!("a meter's name is {rule}"));
        } else if kept.iter().any(|known| known.name == name) {
            found.add("meters", "duplicate", format!("{name} is there twice"));
        }
        let unit = found.line("meters", &draft.unit, (1, 40));
        let text = draft
            .tariff
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty());
        let tariff = match text.map(str::parse::<Tariff>) {
            None => None,
            Some(Ok(tariff)) if tariff.by_transaction() => {
                let rule = "a meter counts sums, so its price can't depend on single transactions";
                found.add("meters", "malformed", format!("{name}: {rule}"));
                None
            }
            Some(Ok(tariff)) => Some(tariff),
            Some(Err(error)) => {
                found.add("meters", "malformed", format!("{name}: {}", error.detail()));
                None
            }
        };
        kept.push(CheckedMeter {
            name: name.to_owned(),
            unit,
            aggregation: Aggregation::Sum,
            tariff,
        });
    }
    // One license is billed in one currency.
    let mut currencies = kept
        .iter()
        .filter_map(|meter| Some(meter.tariff.as_ref()?.currency()));
    let first = currencies.next();
    if currencies.any(|currency| Some(currency) != first) {
        let rule = "all meters of a product are priced in one currency";
        found.add("meters", "malformed", rule.to_owned());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintreu::Currency;

    fn draft() -> ProductDraft {
        serde_json::from_str(
            r#"{"code":"acme.editor","kind":"download","name":"Éditeur d'images 2",
                "summary":"Edits.","categories":["design/images"],
                "prices":[{"model":"one_time","amount_minor":4900,"currency":"EUR"}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn what_is_a_product_code_here_fits_a_license_too() {
        for code in [
            "acme.editor",
            "debian.g++",
            &format!("a.{}", "b".repeat(78)),
        ] {
            assert!(is_code(code), "{code}");
            assert!(code.parse::<mintreu::license::Name>().is_ok(), "{code}");
        }
    }

    fn fields(draft: &ProductDraft) -> Vec<(&'static str, &'static str)> {
        let found = check(draft).map(|_| ()).unwrap_err();
        found.iter().map(|e| (e.field, e.code)).collect()
    }

    #[test]
    fn a_sound_draft_passes_and_gets_its_slug_from_its_name() {
        let checked = check(&draft()).unwrap();
        assert_eq!(checked.slug, "editeur-d-images-2");
        assert_eq!(checked.prices[0].amount, Money::new(4900, Currency::EUR));
        assert_eq!(checked.terms.seats, 1);
        let other_script = ProductDraft {
            name: "画像".into(),
            ..draft()
        };
        assert_eq!(check(&other_script).unwrap().slug, "acme-editor");
    }

    #[test]
    fn every_mistake_is_named_at_its_field_at_once() {
        let mut bad = draft();
        bad.name = " ".into();
        bad.slug = Some("Editor!".into());
        bad.code = "editor".into();
        bad.summary = "x".repeat(201);
        bad.homepage = Some("javascript:alert(1)".into());
        bad.categories = vec!["/".into()];
        bad.prices[0].amount_minor = -1;
        bad.meters = vec![MeterDraft {
            name: "calls".into(),
            unit: "call".into(),
            tariff: Some("EUR per_unit -1".into()),
        }];
        bad.terms.seats = 0;
        assert_eq!(
            fields(&bad),
            [
                ("name", "required"),
                ("slug", "malformed"),
                ("code", "malformed"),
                ("summary", "too_long"),
                ("homepage", "malformed"),
                ("categories", "required"),
                ("prices", "out_of_range"),
                ("meters", "malformed"),
                ("terms", "out_of_range"),
            ]
        );
    }

    #[test]
    fn prices_and_quotas_must_make_sense() {
        let mut bad = draft();
        bad.prices[0].model = PriceModel::Recurring;
        assert_eq!(fields(&bad), [("prices", "out_of_range")]);
        let mut twice = draft();
        twice.prices.push(twice.prices[0].clone());
        assert_eq!(fields(&twice), [("prices", "duplicate")]);
        let mut metered = draft();
        metered.prices[0].model = PriceModel::Metered;
        metered.prices[0].amount_minor = 0;
        assert_eq!(fields(&metered), [("meters", "required")]);
        let mut quota = draft();
        quota.terms = serde_json::from_str(
            r#"{"seats":1,"quotas":[{"meter":"calls","limit":5,"window":"month"}]}"#,
        )
        .unwrap();
        assert_eq!(fields(&quota), [("terms", "unknown")]);
    }

    #[test]
    fn slugs_and_codes_have_their_shape() {
        for good in ["a", "libstdc++6", "g++", "0ad", "python3.11-dev"] {
            assert!(is_slug(good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a/b", "a b", "é", &"a".repeat(81)] {
            assert!(!is_slug(bad), "{bad}");
        }
        assert!(is_code("debian.libstdc++6") && is_code("acme.editor.pro"));
        assert!(!is_code("acme") && !is_code("acme..x") && !is_code(".acme"));
    }
}
