//! Routes of the visitor's own cart, and how its id travels: an account's needs none, a guest's is
//! in a signed cookie.

use super::{
    Cart, CartError, Change, ChangeLine, MergeCart, Merged, Owner, change_line, merge_cart,
    view_cart,
};
use crate::app::App;
use crate::custody::Custody;
use crate::problem::Problem;
use crate::wire::cookies::Cookie;
use crate::wire::{JsonBody, PathParam, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::id::{CartId, PriceId, TenantId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(add))
        .routes(routes!(set, remove))
}

impl From<CartError> for Problem {
    fn from(error: CartError) -> Self {
        use CartError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such cart."),
            E::OfferGone => Self::new(410, "offer_gone", detail).at("price_id"),
            E::Quantity => Self::new(422, "quantity_out_of_range", detail).at("quantity"),
            E::Full => Self::new(422, "cart_full", detail),
            E::Currency { .. } => Self::new(422, "currency_mixed", detail).at("price_id"),
            E::OwnProduct => Self::new(422, "own_product", detail),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// Bytes of the keyed hash behind a cart's id.
const SEAL: usize = 16;

fn seal(keys: &Custody, tenant: TenantId, cart: CartId) -> [u8; 32] {
    let data = [tenant.as_bytes().as_slice(), cart.as_bytes()].concat();
    keys.mac("carts.cookie", &data)
}

/// A guest's cart as the cookie holds it.
fn cookie_value(keys: &Custody, tenant: TenantId, cart: CartId) -> String {
    let seal = seal(keys, tenant, cart);
    URL_SAFE_NO_PAD.encode([cart.as_bytes().as_slice(), &seal[..SEAL]].concat())
}

fn cart_of_cookie(keys: &Custody, tenant: TenantId, value: &str) -> Option<CartId> {
    let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
    let (id, given) = bytes.split_at_checked(16)?;
    let cart = CartId::from_bytes(id.try_into().ok()?);
    let same = seal(keys, tenant, cart)[..SEAL].ct_eq(given);
    bool::from(same).then_some(cart)
}

/// The guest's cart that a request's cookie names.
pub fn guest_cart(app: &App, visitor: &Visitor, headers: &HeaderMap) -> Option<CartId> {
    let value = Cookie::Cart.read(&app.config, headers)?;
    cart_of_cookie(&app.keys, visitor.caller.tenant, value)
}

/// Whose cart a request is about.
pub fn owner_of(app: &App, visitor: &Visitor, headers: &HeaderMap) -> Owner {
    match (visitor.caller.account, guest_cart(app, visitor, headers)) {
        (Some(account), _) => Owner::Account(account),
        (None, Some(cart)) => Owner::Guest(cart),
        (None, None) => Owner::Nobody,
    }
}

/// The cookie that keeps a guest's cart; none for who is signed in.
pub fn cookie_for(app: &App, visitor: &Visitor, cart: CartId) -> Option<HeaderValue> {
    let value = || cookie_value(&app.keys, visitor.caller.tenant, cart);
    (!visitor.is_signed_in()).then(|| Cookie::Cart.set(&app.config, &value()))
}

/// Takes a guest's cart into the account that is signed in; asking again changes nothing.
pub async fn take_along(
    app: &App,
    visitor: &Visitor,
    headers: &HeaderMap,
) -> Result<Option<Merged>, CartError> {
    match guest_cart(app, visitor, headers) {
        Some(guest) if visitor.is_signed_in() => {
            let command = MergeCart { guest };
            let merged = app.transact(&visitor.caller, command, merge_cart).await?;
            Ok(Some(merged))
        }
        _ => Ok(None),
    }
}

/// A cart with what it costs now, before codes.
#[derive(Serialize, ToSchema)]
pub struct CartOut {
    /// None while nothing is for sale in it.
    currency: Option<String>,
    total_minor: i64,
    lines: Vec<CartLineOut>,
}

/// One price in a cart.
#[derive(Serialize, ToSchema)]
pub struct CartLineOut {
    price_id: String,
    quantity: i64,
    /// Whether it can still be bought.
    for_sale: bool,
    product_id: Option<String>,
    /// The bundle, when it is one's price.
    bundle_id: Option<String>,
    title: Option<String>,
    seller: Option<String>,
    unit_minor: Option<i64>,
    amount_minor: Option<i64>,
}

fn cart_out(cart: Option<&Cart>) -> CartOut {
    let lines = cart.map_or(&[][..], |cart| &cart.lines);
    let line = |line: &super::CartLine| CartLineOut {
        price_id: line.price.to_string(),
        quantity: line.quantity,
        for_sale: line.unit().is_some(),
        product_id: line
            .offer
            .as_ref()
            .map(|offer| offer.product.id.to_string()),
        bundle_id: line.bundle.as_ref().map(|one| one.bundle.id.to_string()),
        title: line.name().map(str::to_owned),
        seller: line.seller().map(|(_, name)| name.to_owned()),
        unit_minor: line.unit().map(|unit| unit.minor()),
        amount_minor: line.amount().map(|amount| amount.minor()),
    };
    let amounts = lines.iter().filter_map(super::CartLine::amount);
    CartOut {
        currency: cart
            .and_then(Cart::currency)
            .map(|currency| currency.code().to_owned()),
        total_minor: amounts.fold(0, |sum, amount| sum.saturating_add(amount.minor())),
        lines: lines.iter().map(line).collect(),
    }
}

/// One's own cart; a guest's is known by its cookie.
#[utoipa::path(get, path = "/v1/cart", tag = "cart", responses((status = 200, body = CartOut)))]
async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Json<CartOut>, Problem> {
    take_along(&app, &visitor, &headers).await?;
    let owner = owner_of(&app, &visitor, &headers);
    let cart = app.read(&visitor.caller, owner, view_cart).await?;
    Ok(Json(cart_out(cart.as_ref())))
}

fn one() -> i64 {
    1
}

/// What to put in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddIn {
    price_id: String,
    /// So many more; 1 when absent.
    #[serde(default = "one")]
    quantity: i64,
}

/// How many there shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetIn {
    /// 0 to 100; 0 takes it out.
    quantity: i64,
}

async fn change(
    app: &App,
    (visitor, headers): (&Visitor, &HeaderMap),
    (price, change): (PriceId, Change),
) -> Result<Response, Problem> {
    take_along(app, visitor, headers).await?;
    let owner = owner_of(app, visitor, headers);
    let command = ChangeLine {
        owner,
        price,
        change,
    };
    let id = app.transact(&visitor.caller, command, change_line).await?;
    let owner = match visitor.caller.account {
        Some(account) => Owner::Account(account),
        None => Owner::Guest(id),
    };
    let cart = app.read(&visitor.caller, owner, view_cart).await?;
    let cookie = cookie_for(app, visitor, id).map(|cookie| (header::SET_COOKIE, cookie));
    Ok((AppendHeaders(cookie), Json(cart_out(cart.as_ref()))).into_response())
}

/// Put a price into one's cart, or more of it.
#[utoipa::path(post, path = "/v1/cart/lines", tag = "cart", request_body = AddIn,
    responses((status = 200, body = CartOut), (status = 410), (status = 422)))]
async fn add(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    body: JsonBody<AddIn>,
) -> Result<Response, Problem> {
    let price = PriceId::parse(&body.value.price_id)?;
    let what = (price, Change::Add(body.value.quantity));
    change(&app, (&visitor, &headers), what).await
}

/// Say how many of a price there shall be.
#[utoipa::path(put, path = "/v1/cart/lines/{price_id}", tag = "cart", request_body = SetIn,
    params(("price_id" = String, Path)),
    responses((status = 200, body = CartOut), (status = 410), (status = 422)))]
async fn set(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    PathParam(price): PathParam<PriceId>,
    body: JsonBody<SetIn>,
) -> Result<Response, Problem> {
    let what = (price, Change::Set(body.value.quantity));
    change(&app, (&visitor, &headers), what).await
}

/// Take a price out of one's cart.
#[utoipa::path(delete, path = "/v1/cart/lines/{price_id}", tag = "cart",
    params(("price_id" = String, Path)), responses((status = 200, body = CartOut)))]
async fn remove(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    PathParam(price): PathParam<PriceId>,
) -> Result<Response, Problem> {
    change(&app, (&visitor, &headers), (price, Change::Set(0))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cart_s_cookie_is_read_as_it_was_written_only() {
        let keys = Custody::new([1; 32]);
        let (here, there) = (TenantId::from_bytes([0; 16]), TenantId::from_bytes([1; 16]));
        let cart = CartId::from_bytes([7; 16]);
        let value = cookie_value(&keys, here, cart);
        assert_eq!(cart_of_cookie(&keys, here, &value), Some(cart));
        assert_eq!(cart_of_cookie(&keys, there, &value), None);
        let other = cookie_value(&Custody::new([2; 32]), here, cart);
        for bad in [
            "",
            "AAAA",
            &other,
            &value[1..],
            &URL_SAFE_NO_PAD.encode([7; 16]),
        ] {
            assert_eq!(cart_of_cookie(&keys, here, bad), None, "{bad}");
        }
    }
}
