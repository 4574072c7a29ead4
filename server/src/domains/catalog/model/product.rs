//! A product, its prices, its meters and what its license grants.

use super::cycle::Cycle;
use super::regions;
use mintreu::id::{AccountId, CategoryId, MeterId, PriceId, ProductId};
use mintreu::price::Tariff;
use mintreu::{Money, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An enum whose variants are stored, sent and shown by a stable name.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:tt,)+ }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
        )]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every variant, in the order people see them.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Reads the stable name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == text)
            }
        }
    };
}
pub(super) use named;

named!(
    /// What is sold.
    Kind {
        /// Files with versions.
        Download = "download",
        /// A service that is called and counted.
        Api = "api",
        /// Access for as long as it is paid.
        Subscription = "subscription",
        /// A module that build tools fetch.
        Package = "package",
        /// A person's time.
        Consultation = "consultation",
    }
);

named!(
    /// Where a product stands. Nothing sold is deleted: it is archived.
    State {
        /// Only its seller sees it.
        Draft = "draft",
        /// Listed and for sale.
        Published = "published",
        /// No longer for sale; its licenses live on.
        Archived = "archived",
    }
);

named!(
    /// Where a seller stands with the platform.
    Standing {
        /// Sells.
        Active = "active",
        /// The platform stopped the sale, for now.
        Suspended = "suspended",
        /// Gave up selling, or had to.
        Closed = "closed",
    }
);

named!(
    /// How a price is charged.
    PriceModel {
        /// Nothing, ever.
        Free = "free",
        /// Once.
        OneTime = "one_time",
        /// At the start of every period.
        Recurring = "recurring",
        /// Nothing now; usage is billed at the meters' tariffs when the month closes.
        Metered = "metered",
    }
);

named!(
    /// How the counts of a meter become one figure.
    Aggregation {
        /// They are added.
        Sum = "sum",
    }
);

named!(
    /// When a quota starts anew.
    Window {
        /// Never.
        Lifetime = "lifetime",
        /// Every hour.
        Hour = "hour",
        /// Every day.
        Day = "day",
        /// Every week.
        Week = "week",
        /// Every month.
        Month = "month",
        /// Every year.
        Year = "year",
        /// Every month from the day on which the license was issued.
        BillingMonth = "billing_month",
    }
);

/// Who sells: an account as the shop shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seller {
    /// The account; one that was imported has nobody who can sign in yet.
    pub account: AccountId,
    /// Unique in the tenant; part of addresses.
    pub slug: String,
    /// The public name.
    pub name: String,
    /// A sentence about the seller, possibly empty.
    pub about: String,
    /// When a person took the account over; `None` for an imported seller.
    pub claimed_at: Option<Timestamp>,
    /// Where they stand with the platform.
    pub standing: Standing,
}

/// A named category and its place in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryRef {
    /// The node.
    pub id: CategoryId,
    /// Slugs from the top, joined by `/`; empty for the root.
    pub path: String,
    /// The name people see.
    pub name: String,
}

/// What an entitlement is worth: untagged in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum EntitlementValue {
    /// On or off.
    Flag(bool),
    /// A limit the product enforces itself.
    Limit(i64),
    /// A value the product reads.
    Text(String),
}

/// One feature that a license turns on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entitlement {
    /// The name the product asks for.
    pub name: String,
    /// What it is worth.
    pub value: EntitlementValue,
}

/// So many units of a meter in each window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quota {
    /// A meter of the product.
    pub meter: String,
    /// Units in each window.
    pub limit: i64,
    /// When it starts anew.
    pub window: Window,
    /// Whether all devices of a license share the units, which they are then lent; else each has
    /// as many.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// The IANA time zone by whose clocks windows begin and end; UTC when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Whether use beyond the limit is granted, and told as overage.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overage: bool,
    /// The most units of overage in a window; without a bound when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overage_cap: Option<i64>,
    /// What is left of a window comes along into the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<QuotaRollover>,
    /// At most 8 rising percentages of the limit, 1 to 255: reaching one is told once in a window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<u8>,
}

impl Quota {
    /// So many units in each window, for each device, and nothing else said.
    pub fn new(meter: &str, limit: i64, window: Window) -> Self {
        Self {
            meter: meter.to_owned(),
            limit,
            window,
            shared: false,
            zone: None,
            overage: false,
            overage_cap: None,
            rollover: None,
            alerts: Vec::new(),
        }
    }
}

/// How many units of a window come along into the next: `min(most, max(left, least))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuotaRollover {
    /// So many at least, whether they are left or not.
    #[serde(default)]
    pub least: i64,
    /// So many at most.
    pub most: i64,
}

/// What a license to the product grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LicenseTerms {
    /// Features.
    #[serde(default)]
    pub entitlements: Vec<Entitlement>,
    /// Limits on usage; a meter without one is counted and billed without limit.
    #[serde(default)]
    pub quotas: Vec<Quota>,
    /// How many devices may be active at once.
    pub seats: i64,
    /// Days from issue to expiry; `None` is for ever, or as long as a subscription is paid.
    #[serde(default)]
    pub validity_days: Option<i64>,
    /// How old a revocation list may be on a device; `None` is of any age, so that nobody who is
    /// offline is bothered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
    /// Seats that are lent for a while and come back by themselves; `None` binds a seat to its device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floating: Option<Floating>,
    /// How much of a device's fingerprint must still match.
    #[serde(default, skip_serializing_if = "Matching::is_ignored")]
    pub matching: Matching,
}

/// For how long floating seats are lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Floating {
    /// Minutes that a device keeps its seat without being heard of.
    pub lease_minutes: i64,
    /// The most days for which a device may borrow a seat, to work without a network; 0 for none.
    #[serde(default)]
    pub borrow_days: i64,
}

/// How many parts of a device's fingerprint must still match after its activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    /// None.
    #[default]
    Ignore,
    /// One of them.
    Any,
    /// Two of them.
    Two,
    /// More than half of them.
    Most,
    /// All of them.
    All,
}

impl Matching {
    /// Whether fingerprints don't count.
    pub fn is_ignored(&self) -> bool {
        *self == Self::Ignore
    }
}

/// How old a revocation list may be, and what the program does when it is older.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Freshness {
    /// What happens.
    pub action: StaleAction,
    /// Days from which the newest list is too old.
    pub days: i64,
    /// Further days for which `lock` only warns.
    #[serde(default)]
    pub grace_days: i64,
}

/// What happens when the newest revocation list is too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StaleAction {
    /// Nothing.
    Ignore,
    /// The program goes on and warns.
    Warn,
    /// It warns for the grace, then stops until it was online.
    Lock,
}

impl Default for LicenseTerms {
    /// One device, for ever, nothing else.
    fn default() -> Self {
        Self {
            entitlements: Vec::new(),
            quotas: Vec::new(),
            seats: 1,
            validity_days: None,
            freshness: None,
            floating: None,
            matching: Matching::Ignore,
        }
    }
}

/// What a product counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    /// Kept while the product keeps a meter of this name.
    pub id: MeterId,
    /// Unique in the product: `api.calls`.
    pub name: String,
    /// What one of it is called: `call`.
    pub unit: String,
    /// How counts add up.
    pub aggregation: Aggregation,
    /// What usage costs; a meter without one is counted and never billed.
    pub tariff: Option<Tariff>,
}

/// A price as it was offered: never changed, only replaced and archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// What an order names.
    pub id: PriceId,
    /// How it is charged.
    pub model: PriceModel,
    /// How often, for a recurring price only.
    pub period: Option<Cycle>,
    /// How much; zero when the model is free or metered. What is suggested, when the buyer names it.
    pub amount: Money,
    /// Who may buy at it, how many, and whether the buyer names it.
    pub bounds: Bounds,
    /// The plan that it is a version of: the id of the first.
    pub plan: PriceId,
    /// Whether it stands in for its plan's usual price in its countries.
    pub regional: bool,
    /// What a license at this price grants; `None` for what the product says.
    pub terms: Option<LicenseTerms>,
    /// How its plan can be tried; no part of what is bought, so it changes in place.
    pub trial: Option<Trial>,
}

/// How a recurring price can be used before it is charged for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PriceTrial)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// 1 to 90 days, each of 24 hours.
    pub days: i64,
    /// Whether it begins without a payment method; one is then added before it ends, or nothing is
    /// charged.
    #[serde(default)]
    pub without_method: bool,
}

/// How a recurring price goes on: by itself for as long as nobody ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Renewing {
    /// It ends by itself after so many payments: 2 to 120.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payments: Option<i64>,
    /// Whether the license is its buyer's for good as soon as all of them are paid: what is paid in
    /// instalments. Without it the license ends with the last period.
    #[serde(default)]
    pub keeps_license: bool,
    /// For how many days a license works after a renewal was declined: 0, 2, 7, 14 or 21, as with Polar; 7
    /// when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_days: Option<i64>,
}

impl Renewing {
    /// Whether it says nothing but what goes without saying.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// What a price is bound to; by itself, nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bounds {
    /// The buyer names the price, from so many minor units on.
    pub minimum_minor: Option<i64>,
    /// So many at most in one order.
    pub most: Option<i64>,
    /// For buyers in these countries (ISO 3166-1, two capitals) or groups of them only; empty for
    /// everywhere.
    pub countries: Vec<String>,
    /// How it goes on, when it recurs.
    pub renewing: Renewing,
}

impl Price {
    /// The least that a buyer who names the price may name; `None` when it is fixed.
    pub fn minimum(&self) -> Option<Money> {
        let minor = self.bounds.minimum_minor?;
        Some(Money::new(minor, self.amount.currency()))
    }

    /// Whether a buyer there may buy at it.
    pub fn serves(&self, country: Option<&str>) -> bool {
        self.bounds.countries.is_empty() || self.place(country).is_some()
    }

    /// As what a buyer's country is among those that it is for.
    pub fn place(&self, country: Option<&str>) -> Option<Place> {
        let (country, named) = (country?, &self.bounds.countries);
        if named.iter().any(|known| known == country) {
            return Some(Place::Country(country.to_owned()));
        }
        let holds = |name: &&String| regions::members(name).contains(&country);
        named.iter().find(holds).cloned().map(Place::Group)
    }

    /// The countries that it is for, groups taken apart; none for everywhere.
    pub fn countries(&self) -> Vec<String> {
        regions::expanded(&self.bounds.countries)
    }
}

/// Why a price is for a buyer's country.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The country is named.
    Country(String),
    /// A group that holds it is.
    Group(String),
}

/// A product as its seller describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// The product.
    pub id: ProductId,
    /// Who sells it.
    pub seller: Seller,
    /// Unique in the tenant; part of addresses.
    pub slug: String,
    /// Unique in the tenant: the audience of its licenses, `acme.editor`.
    pub code: String,
    /// What kind it is.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// The name people see.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// Markdown.
    pub description: String,
    /// The language of its text, an ISO 639-1 code.
    pub language: String,
    /// The current version, possibly empty.
    pub version: String,
    /// An https or http address.
    pub homepage: Option<String>,
    /// An SPDX license expression, for what has one.
    pub spdx: Option<String>,
    /// What its license grants.
    pub terms: LicenseTerms,
    /// For sale now, in the seller's order.
    pub prices: Vec<Price>,
    /// What stands in for some of them in some countries.
    pub regional: Vec<Price>,
    /// What it counts.
    pub meters: Vec<Meter>,
    /// Chosen categories, the first of which names it in lists.
    pub categories: Vec<CategoryRef>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was first published.
    pub published_at: Option<Timestamp>,
}

impl Product {
    /// Whether it is for sale: it is published, and its seller sells.
    pub fn is_sold(&self) -> bool {
        self.state == State::Published && self.seller.standing == Standing::Active
    }

    /// Whether what a license counts is billed.
    pub fn is_billed_by_usage(&self) -> bool {
        self.meters.iter().any(|meter| meter.tariff.is_some())
    }

    /// The price of that id, if it is for sale.
    pub fn price(&self, id: PriceId) -> Option<&Price> {
        let mut all = self.prices.iter().chain(&self.regional);
        all.find(|price| price.id == id)
    }

    /// What a buyer there pays where `asked` is asked for: its plan's price for the country, else
    /// the first for a group that holds it, else what was asked for.
    pub fn price_in<'a>(&'a self, asked: &'a Price, country: Option<&str>) -> &'a Price {
        if asked.regional {
            return asked;
        }
        let plan = self.regional.iter().filter(|one| one.plan == asked.plan);
        let places = plan.filter_map(|one| Some((one, one.place(country)?)));
        let places: Vec<_> = places.collect();
        let named = |(_, place): &&(&Price, Place)| matches!(place, Place::Country(_));
        let found = places.iter().find(named).or(places.first());
        found.map_or(asked, |(price, _)| price)
    }

    /// Where it matters for `price` in which country the buyer is: the countries; none where it
    /// doesn't.
    pub fn places_of(&self, price: &Price) -> Vec<String> {
        let plan = self.regional.iter();
        let plan = plan.filter(|one| !price.regional && one.plan == price.plan);
        let mut all = price.countries();
        all.extend(plan.flat_map(Price::countries));
        all.sort();
        all.dedup();
        all
    }

    /// The meter of that name.
    pub fn meter(&self, name: &str) -> Option<&Meter> {
        self.meters.iter().find(|meter| meter.name == name)
    }
}

/// A price together with its product: what an order is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Published at the time of asking.
    pub product: Product,
    /// One of its current prices.
    pub price: Price,
}

impl Offer {
    /// What a license at this price grants.
    pub fn terms(&self) -> &LicenseTerms {
        self.price.terms.as_ref().unwrap_or(&self.product.terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_others_do_not() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(*kind));
            assert_eq!(
                serde_json::to_string(kind).unwrap(),
                format!("{:?}", kind.name())
            );
        }
        assert_eq!(Kind::parse("Download"), None);
        assert_eq!(Window::parse("month"), Some(Window::Month));
    }

    #[test]
    fn terms_read_back_and_values_keep_their_type() {
        let text = r#"{"entitlements":[{"name":"pro","value":true},{"name":"gpus","value":4},
            {"name":"tier","value":"gold"}],"seats":2}"#;
        let terms: LicenseTerms = serde_json::from_str(text).unwrap();
        let values: Vec<_> = terms.entitlements.iter().map(|e| e.value.clone()).collect();
        assert_eq!(
            values,
            [
                EntitlementValue::Flag(true),
                EntitlementValue::Limit(4),
                EntitlementValue::Text("gold".into())
            ]
        );
        let again = serde_json::to_string(&terms).unwrap();
        assert_eq!(serde_json::from_str::<LicenseTerms>(&again).unwrap(), terms);
    }
}
