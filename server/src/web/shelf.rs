//! How products, prices and kinds are shown wherever they appear.

use super::cycle::price_each;
use super::page::Page;
use super::parts::{Badge, Cover, Icon};
use crate::domains::bundles;
use crate::domains::catalog::model::Cycle;
use crate::domains::catalog::model::ProductCard;
use crate::domains::catalog::{Kind, Price, PriceModel};
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
        (PriceModel::Recurring, cycle) => {
            let each = price_each(page, amount, cycle.unwrap_or(Cycle::MONTHLY));
            let payments = price.bounds.renewing.payments;
            payments.map_or(each.clone(), |count| so_often(page, each, count))
        }
    }
}

/// `€49.00 a month, 3 payments`.
fn so_often(page: &Page, price: String, count: i64) -> String {
    let values = [("price", price.into()), ("count", count.into())];
    page.words.say_with("renewing-price", values)
}

/// What paying it means, in a sentence.
pub fn price_meaning(page: &Page, price: &Price) -> String {
    let renewing = price.bounds.renewing;
    if let Some(count) = renewing.payments {
        let key = match renewing.keeps_license {
            true => "meaning-instalments",
            false => "meaning-fixed",
        };
        let total = price.amount.checked_mul(count).unwrap_or(price.amount);
        let values = [
            ("count", count.into()),
            ("total", page.format.money(total).into()),
        ];
        return page.words.say_with(key, values);
    }
    page.say(match price.model {
        _ if price.minimum().is_some() => "meaning-named",
        PriceModel::Free => "meaning-free",
        PriceModel::Metered => "meaning-metered",
        PriceModel::OneTime => "meaning-one-time",
        PriceModel::Recurring => "meaning-recurring",
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
