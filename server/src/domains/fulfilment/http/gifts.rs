//! Routes of gifts: as who paid sees one, and as who got its link does.

use super::TokenQuery;
use crate::app::App;
use crate::domains::fulfilment::{
    ClaimGift, CorrectGift, GiftPage, GiftView, ViewGift, ViewOrder, claim_gift, correct_gift,
    gift_page, order_page,
};
use crate::domains::gifts::{GiftError, NewGift};
use crate::domains::licensing::http::{LicenseOut, license_out};
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use mintreu::Timestamp;
use mintreu::id::{GiftId, OrderId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(send_gift))
        .routes(routes!(show_gift))
        .routes(routes!(claim))
}

impl From<GiftError> for Problem {
    fn from(error: GiftError) -> Self {
        use GiftError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such gift."),
            E::Address => Self::new(422, "email_malformed", detail).at("gift.email"),
            E::Sender => Self::new(422, "gift_invalid", detail).at("gift.sender"),
            E::Message => Self::new(422, "gift_invalid", detail).at("gift.message"),
            E::Day => Self::new(422, "gift_invalid", detail).at("gift.send_on"),
            E::Free => Self::new(422, "gift_free", detail).at("gift"),
            E::Metered(_) => Self::new(422, "gift_metered", detail).at("gift"),
            E::Claimed => Self::new(409, "gift_claimed", detail),
            E::Void => Self::new(410, "gift_void", detail),
            E::SentOften => Self::new(409, "gift_sent_often", detail),
            E::Store(error) => error.into(),
        }
    }
}

/// Whom an order is for, if not for its buyer. All of it goes to one person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiftIn {
    /// Where the link goes that claims it.
    email: String,
    /// Whom it is from, for the recipient to read: one line of at most 80 characters.
    #[serde(default)]
    sender: String,
    /// Plain text for the recipient, at most 500 characters.
    #[serde(default)]
    message: String,
    /// The day on which it is sent, `2026-12-24` (at 08:00 UTC), today or within a year; at once when
    /// absent.
    #[serde(default)]
    send_on: String,
}

impl From<GiftIn> for NewGift {
    fn from(given: GiftIn) -> Self {
        Self {
            email: given.email,
            sender: given.sender,
            message: given.message,
            send_on: given.send_on,
        }
    }
}

/// A gift, for who paid for it.
#[derive(Serialize, ToSchema)]
pub struct GiftOut {
    /// `awaiting_payment`, `scheduled`, `sent`, `claimed`, or `void` when its price went back before
    /// anybody claimed it.
    state: &'static str,
    /// None once it was erased.
    email: Option<String>,
    sender: Option<String>,
    message: Option<String>,
    /// When it is sent, at the earliest: milliseconds since 1970 (UTC).
    send_at: i64,
    /// When it was last sent.
    sent_at: Option<i64>,
    claimed_at: Option<i64>,
}

pub(super) fn gift_out(gift: &GiftView) -> GiftOut {
    let written = gift.recipient.as_ref();
    GiftOut {
        state: gift.state.code(),
        email: written.map(|written| written.email.clone()),
        sender: written.map(|written| written.sender.clone()),
        message: written.map(|written| written.message.clone()),
        send_at: gift.send_at.ms(),
        sent_at: gift.sent_at.map(Timestamp::ms),
        claimed_at: gift.claimed_at.map(Timestamp::ms),
    }
}

/// What shall be mended.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendGiftIn {
    /// The recipient's address; the one that is known when absent.
    #[serde(default)]
    email: Option<String>,
}

/// Mend a gift's address, or have its link sent once more.
///
/// Another address makes another link; the one that was sent before opens nothing from then on. What
/// waits for its day or its payment is sent then.
#[utoipa::path(post, path = "/v1/orders/{order_id}/gift", tag = "orders",
    request_body = SendGiftIn, params(("order_id" = String, Path), TokenQuery),
    responses((status = 200, body = GiftOut), (status = 404), (status = 409), (status = 410),
        (status = 422)))]
async fn send_gift(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(order): PathParam<OrderId>,
    Query(query): Query<TokenQuery>,
    body: JsonBody<SendGiftIn>,
) -> Result<Json<GiftOut>, Problem> {
    let command = CorrectGift {
        order,
        token: query.token.clone(),
        email: body.value.email,
    };
    let caller = &visitor.caller;
    app.transact(caller, command, correct_gift).await?;
    let query = ViewOrder {
        order,
        token: query.token,
    };
    let page = app.read(caller, query, order_page).await?;
    let gift = page.gift.as_ref().ok_or(GiftError::NotFound)?;
    Ok(Json(gift_out(gift)))
}

/// A gift, for who got its link.
#[derive(Serialize, ToSchema)]
pub struct ReceivedGiftOut {
    /// `scheduled` or `sent` while it can be claimed; `claimed`; `void` when it was taken back.
    state: &'static str,
    sender: String,
    message: String,
    lines: Vec<GivenLineOut>,
    /// What came of it, for who claimed it.
    licenses: Vec<LicenseOut>,
}

/// A line of what is given.
#[derive(Serialize, ToSchema)]
pub struct GivenLineOut {
    title: String,
    quantity: i64,
    product_slug: String,
}

fn received_out(page: &GiftPage, now: Timestamp) -> ReceivedGiftOut {
    let lines = page.lines.iter();
    let lines = lines.map(|(title, quantity, slug)| GivenLineOut {
        title: title.clone(),
        quantity: *quantity,
        product_slug: slug.clone(),
    });
    let licenses = page.licenses.iter();
    ReceivedGiftOut {
        state: page.state.code(),
        sender: page.sender.clone(),
        message: page.message.clone(),
        lines: lines.collect(),
        licenses: licenses.map(|one| license_out(one, now)).collect(),
    }
}

/// What somebody was given, by the link in their mail.
#[utoipa::path(get, path = "/v1/gifts/{gift_id}", tag = "orders",
    params(("gift_id" = String, Path), TokenQuery),
    responses((status = 200, body = ReceivedGiftOut), (status = 404)))]
async fn show_gift(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(gift): PathParam<GiftId>,
    Query(query): Query<TokenQuery>,
) -> Result<Json<ReceivedGiftOut>, Problem> {
    let query = ViewGift {
        gift,
        token: query.token,
    };
    let page = app.read(&visitor.caller, query, gift_page).await?;
    Ok(Json(received_out(&page, app.now())))
}

/// Claim a gift: into the account that is signed in, or for who holds the link.
///
/// It is claimed once. What was claimed without an account is put into one by claiming it again.
#[utoipa::path(post, path = "/v1/gifts/{gift_id}/claim", tag = "orders",
    params(("gift_id" = String, Path), TokenQuery),
    responses((status = 200, body = ReceivedGiftOut), (status = 404), (status = 409),
        (status = 410)))]
async fn claim(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(gift): PathParam<GiftId>,
    Query(query): Query<TokenQuery>,
) -> Result<Json<ReceivedGiftOut>, Problem> {
    let command = ClaimGift {
        gift,
        token: query.token.clone(),
    };
    let caller = &visitor.caller;
    app.transact(caller, command, claim_gift).await?;
    let query = ViewGift {
        gift,
        token: query.token,
    };
    let page = app.read(caller, query, gift_page).await?;
    Ok(Json(received_out(&page, app.now())))
}
