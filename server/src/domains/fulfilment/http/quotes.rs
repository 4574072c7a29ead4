//! Routes of quotes: what something costs, sealed, and its confirmation.

use super::CheckoutOut;
use super::gifts::GiftIn;
use crate::app::App;
use crate::domains::affiliates::Referred;
use crate::domains::affiliates::http::clicks_of;
use crate::domains::carts::http::owner_of;
use crate::domains::catalog::{Place, Price};
use crate::domains::fulfilment::{
    Bid, FulfilmentError, Item, Promise, Quoted, Wanted, confirm_quote, limit_confirms, promise_of,
    quote_of, whereabouts,
};
use crate::domains::ledger::Traffic;
use crate::domains::orders::ConsentKind;
use crate::problem::Problem;
use crate::text::Locale;
use crate::wire::{JsonBody, Visitor, languages};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use mintreu::id::PriceId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(post_quote))
        .routes(routes!(post_confirmation))
}

/// Whose confirmations are counted together: the account's, or the address's.
pub(super) fn identity(visitor: &Visitor) -> String {
    let account = visitor.caller.account;
    account.map_or_else(|| visitor.client_key(), |account| account.to_string())
}

fn one() -> i64 {
    1
}

/// One thing that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemIn {
    price_id: String,
    /// 1 to 100; 1 when absent.
    #[serde(default = "one")]
    quantity: i64,
    /// For one, when the buyer names the price; what is suggested when absent.
    #[serde(default)]
    unit_minor: Option<i64>,
}

/// What is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuoteIn {
    /// 1 to 50 lines, all in one currency; of one seller or several.
    items: Vec<ItemIn>,
    /// Tried in this order, at most 10.
    #[serde(default)]
    codes: Vec<String>,
    /// Where the buyer is (two capitals): for tax, and for prices that are for some countries; some
    /// prices are sealed with it. While tax is collected and this is absent, where the account is, or
    /// what `Accept-Language` says; the answer tells.
    #[serde(default)]
    country: Option<String>,
    /// A region of it (ISO 3166-2, without the country), where tax differs: `20` for the Azores.
    #[serde(default)]
    region: Option<String>,
    /// A business's VAT id, of the same country.
    #[serde(default)]
    vat_id: Option<String>,
    /// A guest's address, so that limits for each buyer are known already.
    #[serde(default)]
    email: Option<String>,
    /// The code of the affiliate who brought the buyer, where no cookie could tell.
    #[serde(default)]
    via: Option<String>,
}

/// What it costs.
#[derive(Serialize, ToSchema)]
pub struct SealedQuoteOut {
    /// Send it back to buy exactly this: `POST /v1/quotes/confirmations`.
    quote: String,
    /// Milliseconds since 1970 (UTC).
    expires_at: i64,
    currency: String,
    total_minor: i64,
    /// Where the buyer is taken to be; confirming the quote declares it.
    country: Option<String>,
    tax: QuotedTaxOut,
    lines: Vec<QuotedLineOut>,
    /// Codes that do nothing, and why.
    refused: Vec<RefusedOut>,
    /// What the buyer agrees to; show it.
    consents: Vec<TextOut>,
}

/// The tax of the whole quote; all its lines bear the same.
#[derive(Serialize, ToSchema)]
pub struct QuotedTaxOut {
    /// `not_registered`, `standard`, `own_rate`, `reverse_charge`, `no_tax`, `assumed`.
    code: &'static str,
    /// In hundredths of a percent.
    rate_bps: u32,
    /// Whose tax: `DE`, `PT-20`; empty while none is collected.
    jurisdiction: String,
    /// Whether the prices contain it.
    inclusive: bool,
    /// Why, in words.
    reason: String,
    tax_minor: i64,
}

fn tax_out(quoted: &Quoted) -> QuotedTaxOut {
    let amounts = quoted.splits.iter().map(|split| split.tax.minor());
    QuotedTaxOut {
        code: quoted.tax.why.code(),
        rate_bps: quoted.tax.bps,
        jurisdiction: quoted.tax.jurisdiction.clone(),
        inclusive: quoted.tax.inclusive,
        reason: quoted.tax.reason.clone(),
        tax_minor: amounts.sum(),
    }
}

/// A text that the buyer agrees to.
#[derive(Serialize, ToSchema)]
pub struct TextOut {
    /// `withdrawal_waiver` or `license_terms`.
    kind: &'static str,
    version: String,
    text: String,
    /// Whether the confirmation must name it among what is `accepted`.
    must_accept: bool,
}

/// What one line costs.
#[derive(Serialize, ToSchema)]
pub struct QuotedLineOut {
    /// The price that is charged: what was asked for, or its stand-in for the buyer's country.
    price_id: String,
    /// Why this price: `usual`, `country` (the buyer's is named), or `group` (one that holds it is).
    why: &'static str,
    /// The country or group.
    place: Option<String>,
    product_id: String,
    title: String,
    seller: String,
    quantity: i64,
    unit_minor: i64,
    discount_minor: i64,
    tax_minor: i64,
    amount_minor: i64,
    /// The bundle that it is sold in, at its share of the bundle's price.
    bundle_id: Option<String>,
    bundle_title: Option<String>,
}

/// A code that does nothing.
#[derive(Serialize, ToSchema)]
pub struct RefusedOut {
    code: String,
    /// `coupon_invalid`, `coupon_inactive` …
    reason: &'static str,
    detail: String,
}

/// Why a buyer there pays this price.
fn why(price: &Price, country: Option<&str>) -> (&'static str, Option<String>) {
    match price.place(country) {
        None => ("usual", None),
        Some(Place::Country(country)) => ("country", Some(country)),
        Some(Place::Group(group)) => ("group", Some(group)),
    }
}

fn quoted_out(promise: &Promise, text: String, quoted: &Quoted) -> SealedQuoteOut {
    let pairs = quoted.lines.iter().zip(&quoted.splits);
    let lines = pairs.map(|(line, split)| QuotedLineOut {
        price_id: line.offer.price.id.to_string(),
        why: why(&line.offer.price, promise.country()).0,
        place: why(&line.offer.price, promise.country()).1,
        product_id: line.offer.product.id.to_string(),
        title: line.offer.product.name.clone(),
        seller: line.offer.product.seller.name.clone(),
        quantity: line.quantity,
        unit_minor: line.unit.minor(),
        discount_minor: split.discount.minor(),
        tax_minor: split.tax.minor(),
        amount_minor: split.charged.minor(),
        bundle_id: line.bundle.as_ref().map(|bundle| bundle.id.to_string()),
        bundle_title: line.bundle.as_ref().map(|bundle| bundle.title.clone()),
    });
    let refused = quoted.refused.iter().map(|(code, refusal)| RefusedOut {
        code: code.clone(),
        reason: refusal.code(),
        detail: refusal.to_string(),
    });
    let texts = quoted.consents(promise.locale()).into_iter();
    let consents = texts.map(|text| TextOut {
        kind: text.kind.name(),
        must_accept: text.kind == ConsentKind::Waiver,
        version: text.version,
        text: text.text,
    });
    SealedQuoteOut {
        quote: text,
        expires_at: promise.ends_at().ms(),
        currency: quoted.total.currency().code().to_owned(),
        total_minor: quoted.total.minor(),
        country: promise.country().map(str::to_owned),
        tax: tax_out(quoted),
        lines: lines.collect(),
        refused: refused.collect(),
        consents: consents.collect(),
    }
}

/// Longest code that is looked at.
const MAX_VIA: usize = 40;

/// Who may have brought the buyer: by the clicks that the request's cookie names, or by a code.
pub(super) fn referred(
    app: &App,
    visitor: &Visitor,
    headers: &HeaderMap,
    via: Option<String>,
) -> Referred {
    Referred {
        clicks: clicks_of(app, visitor, headers),
        code: via.map(|code| code.chars().take(MAX_VIA).collect()),
    }
}

/// What something costs now, as a quote that can be confirmed for a day.
///
/// Nothing is reserved: a price or code may change until then, and the confirmation says so.
#[utoipa::path(post, path = "/v1/quotes", tag = "orders", request_body = QuoteIn,
    responses((status = 200, body = SealedQuoteOut), (status = 410), (status = 422)))]
async fn post_quote(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    body: JsonBody<QuoteIn>,
) -> Result<Json<SealedQuoteOut>, Problem> {
    let given = body.value;
    let items = given.items.iter().map(|item| {
        let price = PriceId::parse(&item.price_id)?;
        Ok(Item {
            price,
            quantity: item.quantity,
            named: item.unit_minor,
        })
    });
    let wanted = Wanted {
        items: items.collect::<Result<_, mintreu::Error>>()?,
        codes: given.codes,
        country: given.country,
        region: given.region,
        vat_id: given.vat_id,
        gift: None,
        referred: referred(&app, &visitor, &headers, given.via),
    };
    let languages = languages(&headers);
    let wanted = whereabouts(&app, &visitor.caller, languages, wanted).await?;
    let quoted = quote_of(&app, &visitor.caller, wanted.clone(), given.email).await?;
    let (promise, text) = promise_of(
        &app,
        &visitor.caller,
        (&quoted, &wanted),
        Locale::negotiate(languages),
    )?;
    Ok(Json(quoted_out(&promise, text, &quoted)))
}

/// A quote that shall be bought.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmationIn {
    /// As `POST /v1/quotes` answered it.
    quote: String,
    /// Where the receipt goes; needed unless somebody is signed in.
    #[serde(default)]
    email: Option<String>,
    /// Who found the buyer: `seller`, `marketplace`, or nothing.
    #[serde(default)]
    source: Option<String>,
    /// The payment provider; the shop's usual one when absent.
    #[serde(default)]
    provider: Option<String>,
    /// What the buyer agreed to: `withdrawal_waiver`, where it is asked.
    #[serde(default)]
    accepted: Vec<String>,
    /// Whether it was the caller's cart, which then ends with the order.
    #[serde(default)]
    is_cart: bool,
    /// Whom all of it is for, if not for the buyer.
    #[serde(default)]
    gift: Option<GiftIn>,
}

/// Buy what was quoted.
///
/// Confirming the same quote again answers the same order. When anything differs from what was
/// shown, 409 `quote_changed` carries `changes` and a new `quote`, and nothing is placed.
#[utoipa::path(post, path = "/v1/quotes/confirmations", tag = "orders",
    request_body = ConfirmationIn,
    responses((status = 201, body = CheckoutOut), (status = 409), (status = 410), (status = 422),
        (status = 429)))]
async fn post_confirmation(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    body: JsonBody<ConfirmationIn>,
) -> Result<Response, Problem> {
    let given = body.value;
    limit_confirms(&app, &identity(&visitor))?;
    let promise = Promise::open(&given.quote, &app.keys, visitor.caller.tenant)?;
    let bid = Bid {
        promise: promise.clone(),
        email: given.email,
        network: Some((&visitor).into()),
        traffic: Traffic::parse(given.source.as_deref().unwrap_or_default()),
        provider: given.provider,
        cart: given.is_cart.then(|| owner_of(&app, &visitor, &headers)),
        waived: (given.accepted.iter()).any(|kind| kind == ConsentKind::Waiver.name()),
        gift: given.gift.map(GiftIn::into),
    };
    match confirm_quote(&app, &visitor.caller, bid).await {
        Ok(started) => Ok((StatusCode::CREATED, Json(CheckoutOut::from(started))).into_response()),
        Err(FulfilmentError::QuoteChanged(quoted)) => {
            quote_changed(&app, &visitor, &promise, &quoted)
        }
        Err(error) => Err(error.into()),
    }
}

/// The problem, with what changed and a quote that holds now.
fn quote_changed(
    app: &App,
    visitor: &Visitor,
    before: &Promise,
    quoted: &Quoted,
) -> Result<Response, Problem> {
    let (promise, text) = promise_of(
        app,
        &visitor.caller,
        (quoted, &before.wanted()?),
        before.locale(),
    )?;
    let changes = before.changes(quoted).into_iter().map(|change| {
        serde_json::json!({
            "title": change.title, "what": change.figure.name(),
            "was_minor": change.was.minor(), "now_minor": change.now.minor(),
        })
    });
    let mut changes: Vec<_> = changes.collect();
    if !before.terms_hold(quoted) {
        changes.push(serde_json::json!({ "what": "terms" }));
    }
    let problem: Problem = FulfilmentError::QuoteChanged(Box::new(quoted.clone())).into();
    let mut json = problem.to_json();
    json["changes"] = changes.into();
    json["quote"] = serde_json::json!(quoted_out(&promise, text, quoted));
    let kind = [("content-type", "application/problem+json")];
    Ok((problem.status_code(), kind, json.to_string()).into_response())
}
