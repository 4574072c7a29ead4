//! A bundle, what it is shared into, and what may be written of one. Pure.

use crate::caller::Denied;
use crate::domains::catalog::{Offer, Price, PriceModel, Product};
use crate::store::StoreError;
use mintreu::id::{AccountId, BundleId, PriceId, ProductId};
use mintreu::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Fewest products of a bundle.
pub const MIN_PRODUCTS: usize = 2;
/// Most products of a bundle.
pub const MAX_PRODUCTS: usize = 20;
/// Most currencies of a bundle.
pub const MAX_PRICES: usize = 20;
/// Most characters of a name.
pub const MAX_NAME: usize = 80;
/// Most characters of a summary.
pub const MAX_SUMMARY: usize = 200;

/// So much in a currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BundleAmount)]
pub struct Amount {
    /// In minor units, above zero.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
}

/// A bundle as its seller writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The name people see, at most 80 characters.
    pub name: String,
    /// One sentence, at most 200 characters.
    pub summary: String,
    /// Two to twenty of the seller's own products, in the order in which they are shown.
    pub products: Vec<String>,
    /// What all of them cost together, once, in each currency that it is sold in.
    pub prices: Vec<Amount>,
}

/// What a bundle costs in a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundlePrice {
    /// Stands where the id of a product's price does.
    pub id: PriceId,
    /// All of it, once.
    pub amount: Money,
}

/// A bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The bundle.
    pub id: BundleId,
    /// Who sells it.
    pub seller: AccountId,
    /// Unique in the tenant; part of addresses.
    pub slug: String,
    /// The name people see.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// In the seller's order.
    pub products: Vec<ProductId>,
    /// One for each currency that it is sold in.
    pub prices: Vec<BundlePrice>,
    /// When its seller took it out of sale.
    pub withdrawn_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Bundle {
    /// Its price in a currency.
    pub fn price_in(&self, currency: Currency) -> Option<&BundlePrice> {
        let mut prices = self.prices.iter();
        prices.find(|price| price.amount.currency() == currency)
    }
}

/// One product of a bundle as it is offered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The product with the price that it has by itself.
    pub offer: Offer,
    /// What of the bundle's price is its.
    pub share: Money,
}

/// Why a bundle isn't sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// Its seller took it out of sale.
    Withdrawn,
    /// This product isn't for sale, or has no price in the currency that is paid once.
    Product(String),
}

/// A bundle in one currency as it is offered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The bundle.
    pub bundle: Bundle,
    /// What it costs.
    pub price: BundlePrice,
    /// Who sells it, as the shop shows it.
    pub seller: String,
    /// What is within, with the share of each; empty when it isn't sold.
    pub parts: Vec<Part>,
    /// Why it isn't sold, if it isn't.
    pub gone: Option<Gone>,
}

impl Offered {
    /// Whether it can be bought.
    pub const fn is_for_sale(&self) -> bool {
        self.gone.is_none()
    }

    /// What its products cost apart; none when it isn't sold.
    pub fn apart(&self) -> Option<Money> {
        let zero = Money::zero(self.price.amount.currency());
        let mut singles = self.parts.iter().map(|part| part.offer.price.amount);
        let sum = singles.try_fold(zero, |sum, one| sum.checked_add(one).ok());
        sum.filter(|_| !self.parts.is_empty())
    }

    /// What a buyer saves, where that is something.
    pub fn saved(&self) -> Option<Money> {
        let saved = self.apart()?.checked_sub(self.price.amount).ok()?;
        (saved.minor() > 0).then_some(saved)
    }
}

/// The price that a product counts with in a bundle of that currency: the first that is paid once, is
/// fixed, and is for everybody.
pub fn single(product: &Product, currency: Currency) -> Option<&Price> {
    let fits = |price: &&Price| {
        price.model == PriceModel::OneTime
            && price.amount.currency() == currency
            && price.amount.minor() > 0
            && price.bounds.minimum_minor.is_none()
            && price.bounds.countries.is_empty()
    };
    let for_sale = product.is_sold();
    product.prices.iter().find(fits).filter(|_| for_sale)
}

/// A bundle's price shared among its products, in proportion to what each costs by itself: the largest
/// remainders get the units that are left over, of equal ones the earlier.
pub fn shares(price: Money, singles: &[Money]) -> mintreu::Result<Vec<Money>> {
    let weights = singles.iter().map(|single| single.minor().unsigned_abs());
    price.split(&weights.collect::<Vec<_>>())
}

/// What is wrong with a draft.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Its name.
    #[error("a name is one line of 1 to {MAX_NAME} characters, with a letter or a digit")]
    Name,
    /// Its summary.
    #[error("a summary is one line of 1 to {MAX_SUMMARY} characters")]
    Summary,
    /// The seller has as many as one may have.
    #[error("a seller has at most {0} bundles")]
    TooMany(i64),
    /// Too few or too many products.
    #[error("a bundle holds {MIN_PRODUCTS} to {MAX_PRODUCTS} products")]
    Products,
    /// One of them isn't the seller's.
    #[error("{0} is none of your products")]
    NotOwn(String),
    /// One of them stands there twice.
    #[error("a bundle holds each product once")]
    Twice,
    /// None, or too many, or a currency twice or unknown.
    #[error("a bundle has one price a currency, in 1 to {MAX_PRICES} of them")]
    Prices,
    /// A product has no price that it could count with.
    #[error("{product} has no price in {currency} that is fixed and paid once, or isn't for sale")]
    NoSingle {
        /// Its name.
        product: String,
        /// The currency's code.
        currency: String,
    },
    /// It costs nothing, or more than its products do.
    #[error("a bundle costs something, and at most {0}, as its products do apart")]
    Amount(Money),
}

impl Wrong {
    /// The field of the draft that it is about.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Name | Self::TooMany(_) => "name",
            Self::Summary => "summary",
            Self::Products | Self::NotOwn(_) | Self::Twice => "products",
            Self::Prices | Self::NoSingle { .. } | Self::Amount(_) => "prices",
        }
    }
}

/// Why a bundle can't be written or sold.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// No such bundle, or not for this caller to see.
    #[error("there is no such bundle")]
    NotFound,
    /// Something in it is out of bounds.
    #[error(transparent)]
    Invalid(#[from] Wrong),
    /// Another bundle has this name.
    #[error("there is a bundle of this name already")]
    NameTaken,
    /// It was taken out of sale.
    #[error("{0} isn't sold any more")]
    Withdrawn(String),
    /// One of its products can't be bought.
    #[error("{bundle} isn't sold just now, since {product} within it isn't for sale")]
    Incomplete {
        /// The bundle's name.
        bundle: String,
        /// The product's name.
        product: String,
    },
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn money(minor: i64, currency: Currency) -> Money {
        Money::new(minor, currency)
    }

    /// Price, singles, shares: worked out by hand.
    type Row = (i64, &'static [i64], &'static [i64]);

    #[test]
    fn prices_are_shared_as_worked_out_by_hand() {
        let tables: &[(Currency, &[Row])] = &[
            (
                Currency::USD,
                &[
                    // 100.00 of 149.00: 49/149 is 32.885…, 100/149 is 67.114…
                    (10_000, &[4_900, 10_000], &[3_289, 6_711]),
                    // Three of a kind: the first gets the cent that is left over.
                    (10_000, &[1_000, 1_000, 1_000], &[3_334, 3_333, 3_333]),
                    (1, &[500, 600], &[0, 1]),
                ],
            ),
            (
                Currency::JPY,
                &[
                    // 5000 yen of 2980 + 1980 + 980 = 5940: 2508.41…, 1666.66…, 824.91…
                    (5_000, &[2_980, 1_980, 980], &[2_508, 1_667, 825]),
                    (3, &[1, 1], &[2, 1]),
                ],
            ),
            (
                Currency::parse("KWD").expect("a currency"),
                &[
                    // 7.500 dinars of 3.250 + 4.999 = 8.249: 2954.903…, 4545.096…
                    (7_500, &[3_250, 4_999], &[2_955, 4_545]),
                ],
            ),
            (
                Currency::parse("INR").expect("a currency"),
                &[
                    // 999.00 rupees of 499.00 + 399.00 + 299.00 = 1197.00: 416.45…, 333, 249.54…
                    (99_900, &[49_900, 39_900, 29_900], &[41_646, 33_300, 24_954]),
                ],
            ),
        ];
        let mut checked = 0;
        for (currency, rows) in tables {
            for (price, singles, expected) in *rows {
                let singles: Vec<_> = singles.iter().map(|one| money(*one, *currency)).collect();
                let found = shares(money(*price, *currency), &singles).expect("shares");
                let found: Vec<_> = found.iter().map(Money::minor).collect();
                assert_eq!(found, *expected, "{} {price}", currency.code());
                checked += 1;
            }
        }
        assert_eq!(checked, 7);
    }

    proptest! {
        #[test]
        fn shares_add_up_and_stay_near_their_proportion(
            price in 1..1_000_000_000_i64,
            singles in proptest::collection::vec(1..1_000_000_000_i64, MIN_PRODUCTS..=MAX_PRODUCTS),
        ) {
            let of = |minor: &i64| money(*minor, Currency::EUR);
            let parts = shares(of(&price), &singles.iter().map(of).collect::<Vec<_>>()).expect("shares");
            prop_assert_eq!(parts.len(), singles.len());
            let sum: i64 = parts.iter().map(Money::minor).sum();
            prop_assert_eq!(sum, price);
            let whole: i128 = singles.iter().map(|one| i128::from(*one)).sum();
            for (part, single) in parts.iter().zip(&singles) {
                prop_assert!(part.minor() >= 0);
                // Less than one minor unit away from the exact share.
                let exact = i128::from(price) * i128::from(*single);
                let off = i128::from(part.minor()) * whole - exact;
                prop_assert!(off.abs() < whole, "{} of {}", part.minor(), price);
            }
        }
    }

    #[test]
    fn nothing_is_shared_by_nothing() {
        let none = [money(0, Currency::EUR), money(0, Currency::EUR)];
        assert!(shares(money(5, Currency::EUR), &none).is_err());
    }
}
