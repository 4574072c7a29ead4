//! How products, prices and kinds are shown wherever they appear.

use super::page::Page;
use super::parts::{Badge, Cover, Icon};
use crate::domains::bundles;
use crate::domains::catalog::model::ProductCard;
use crate::domains::catalog::{Kind, Period, Price, PriceModel};
use crate::domains::subscriptions::{Cycle, Unit};
use askama::Template;
use askama::filters::HtmlSafe;

/// A product in a list.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/tile.html")]
pub struct Tile {
    address: String,
    name: String,
    summary: String,
    seller: String,
    price: String,
    badge: Badge,
    cover: Cover,
}

impl HtmlSafe for Tile {}

impl Tile {
    /// The tile of a card.
    pub fn new(page: &Page, card: &ProductCard) -> Self {
        let price = card.price.as_ref().map(|price| {
            let text = price_text(page, price);
            match (card.more_prices, price.model) {
                (false, _) => text,
                (true, PriceModel::Free) => page.say("price-from-free"),
                (true, PriceModel::Metered) => page.say("price-from-metered"),
                (true, _) => page.say_one("price-from", "price", text),
            }
        });
        Self {
            address: format!("/p/{}", card.slug),
            name: card.name.clone(),
            summary: card.summary.clone(),
            seller: card.seller.1.clone(),
            price: price.unwrap_or_else(|| page.say("price-none")),
            badge: kind_badge(page, card.kind),
            cover: Cover::of(&card.slug, card.kind),
        }
    }

    /// The tile of a bundle.
    pub fn of_bundle(page: &Page, card: &bundles::Card) -> Self {
        let price = page.format.money(card.price);
        Self {
            address: format!("/b/{}", card.slug),
            name: card.name.clone(),
            summary: card.summary.clone(),
            seller: card.seller.clone(),
            price: match card.more_prices {
                true => page.say_one("price-from", "price", price),
                false => price,
            },
            badge: Badge::with_icon(Icon::PACKAGE, page.say("bundle")),
            cover: Cover::of(&card.slug, Kind::Package),
        }
    }

    /// The tiles of a page of cards.
    pub fn all(page: &Page, cards: &[ProductCard]) -> Vec<Self> {
        cards.iter().map(|card| Self::new(page, card)).collect()
    }
}

/// A price as it will be charged: `€9.00 a month`.
pub fn price_text(page: &Page, price: &Price) -> String {
    let amount = page.format.money(price.amount);
    if let Some(least) = price.minimum() {
        let values = [
            ("least", page.format.money(least).into()),
            ("price", amount.into()),
        ];
        return page.words.say_with("price-named", values);
    }
    match (price.model, price.period) {
        (PriceModel::Free, _) => page.say("price-free"),
        (PriceModel::Metered, _) => page.say("price-metered"),
        (PriceModel::OneTime, _) => amount,
        (PriceModel::Recurring, Some(Period::Yearly)) => {
            page.say_one("price-yearly", "price", amount)
        }
        (PriceModel::Recurring, _) => page.say_one("price-monthly", "price", amount),
    }
}

/// What paying it means, in a sentence.
pub fn price_meaning(page: &Page, price: &Price) -> String {
    page.say(match (price.model, price.period) {
        _ if price.minimum().is_some() => "meaning-named",
        (PriceModel::Free, _) => "meaning-free",
        (PriceModel::Metered, _) => "meaning-metered",
        (PriceModel::OneTime, _) => "meaning-one-time",
        (PriceModel::Recurring, Some(Period::Yearly)) => "meaning-yearly",
        (PriceModel::Recurring, _) => "meaning-monthly",
    })
}

/// The name of a kind.
pub fn kind_name(page: &Page, kind: Kind) -> String {
    page.say(match kind {
        Kind::Download => "kind-download",
        Kind::Api => "kind-api",
        Kind::Subscription => "kind-subscription",
        Kind::Package => "kind-package",
        Kind::Consultation => "kind-consultation",
    })
}

/// A kind as a badge.
pub fn kind_badge(page: &Page, kind: Kind) -> Badge {
    let icon = match kind {
        Kind::Download => Icon::DOWNLOAD,
        Kind::Api => Icon::API,
        Kind::Subscription => Icon::SUBSCRIPTION,
        Kind::Package => Icon::PACKAGE,
        Kind::Consultation => Icon::CONSULTATION,
    };
    Badge::with_icon(icon, kind_name(page, kind))
}

/// How much is paid how often: `€9.00 a month`, `€25.00 every 3 months`.
pub fn cycle_text(page: &Page, cycle: Cycle, amount: String) -> String {
    let values = [("price", amount.into()), ("count", cycle.count().into())];
    let key = match cycle.unit() {
        Unit::Day => "price-days",
        Unit::Week => "price-weeks",
        Unit::Month => "price-months",
        Unit::Year => "price-years",
    };
    page.words.say_with(key, values)
}
