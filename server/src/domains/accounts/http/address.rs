//! Routes of the account's address.

use crate::app::App;
use crate::domains::accounts::address::{
    AddressChange, ConfirmAddress, LeaveAddress, MyAddress, StopAddress, confirm_address,
    leave_address, my_address, stop_address,
};
use crate::domains::accounts::entry::ask_address_with;
use crate::problem::Problem;
use crate::wire::{JsonBody, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_address, post_address, delete_address))
        .routes(routes!(post_confirmation))
        .routes(routes!(post_stop))
}

/// Where one's mail goes, and shall go.
#[derive(Serialize, ToSchema)]
pub struct AddressOut {
    email: String,
    /// What was asked for and isn't confirmed.
    pending: Option<PendingAddressOut>,
}

/// An address that waits to be confirmed.
#[derive(Serialize, ToSchema)]
pub struct PendingAddressOut {
    email: String,
    /// Until when its link confirms it.
    expires_at: i64,
}

impl From<&AddressChange> for PendingAddressOut {
    fn from(of: &AddressChange) -> Self {
        Self {
            email: of.new.as_str().to_owned(),
            expires_at: of.expires_at.ms(),
        }
    }
}

/// Where one's mail goes, and what was asked for.
#[utoipa::path(get, path = "/v1/me/email", tag = "accounts",
    responses((status = 200, body = AddressOut), (status = 404)))]
async fn get_address(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<AddressOut>, Problem> {
    let (email, open) = app.read(&visitor.caller, MyAddress, my_address).await?;
    Ok(Json(AddressOut {
        email: email.as_str().to_owned(),
        pending: open.as_ref().map(PendingAddressOut::from),
    }))
}

/// Another address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressIn {
    email: String,
    /// The account's password.
    password: String,
}

/// Ask for another address. A link goes there, which confirms it within a day; until then nothing
/// changes. The answer is the same whoever has the address.
#[utoipa::path(post, path = "/v1/me/email", tag = "accounts", request_body = AddressIn,
    responses((status = 202, body = PendingAddressOut), (status = 401), (status = 422),
        (status = 429)))]
async fn post_address(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<AddressIn>,
) -> Result<(StatusCode, Json<PendingAddressOut>), Problem> {
    let AddressIn { email, password } = &body.value;
    let client = visitor.client_key();
    let change = ask_address_with(&app, &visitor.caller, &client, (email, password)).await?;
    Ok((StatusCode::ACCEPTED, Json((&change).into())))
}

/// Leave one's address as it is.
#[utoipa::path(delete, path = "/v1/me/email", tag = "accounts",
    responses((status = 204), (status = 401)))]
async fn delete_address(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<StatusCode, Problem> {
    app.transact(&visitor.caller, LeaveAddress, leave_address)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a link in a mail carries.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressLinkIn {
    token: String,
}

/// Confirm a new address with the link that went there.
#[utoipa::path(post, path = "/v1/email-confirmations", tag = "accounts",
    request_body = AddressLinkIn,
    responses((status = 204), (status = 409), (status = 410)))]
async fn post_confirmation(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<AddressLinkIn>,
) -> Result<StatusCode, Problem> {
    let command = ConfirmAddress {
        token: body.value.token,
    };
    app.transact(&visitor.caller, command, confirm_address)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// "That was not me": stop a change of address, or take it back within three days, with the link that
/// went to the old one. Every session of the account ends.
#[utoipa::path(post, path = "/v1/email-stops", tag = "accounts", request_body = AddressLinkIn,
    responses((status = 204), (status = 409), (status = 410)))]
async fn post_stop(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<AddressLinkIn>,
) -> Result<StatusCode, Problem> {
    let command = StopAddress {
        token: body.value.token,
    };
    app.transact(&visitor.caller, command, stop_address).await?;
    Ok(StatusCode::NO_CONTENT)
}
