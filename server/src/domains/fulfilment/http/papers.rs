//! Routes of papers: the invoices of an order, and the buyer's details on one.

use super::TokenQuery;
use crate::app::App;
use crate::domains::fulfilment::{
    AddBuyer, ViewInvoice, ViewInvoices, add_buyer, invoice_paper, invoices_of_order,
};
use crate::domains::invoicing::http::InvoiceOut;
use crate::domains::invoicing::{InvoiceError, Party};
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use mintreu::id::{InvoiceId, OrderId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_invoices))
        .routes(routes!(show_buyer, put_buyer))
}

/// The invoices of an order.
#[derive(Serialize, ToSchema)]
pub struct OrderInvoicesOut {
    /// One for each seller of record; none for an order of nothing, or before it is paid.
    invoices: Vec<InvoiceOut>,
}

/// The invoices of an order, for its buyer.
#[utoipa::path(get, path = "/v1/orders/{order_id}/invoices", tag = "invoices",
    params(("order_id" = String, Path), TokenQuery),
    responses((status = 200, body = OrderInvoicesOut), (status = 404)))]
async fn list_invoices(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(order): PathParam<OrderId>,
    Query(query): Query<TokenQuery>,
) -> Result<Json<OrderInvoicesOut>, Problem> {
    let query = ViewInvoices {
        order,
        token: query.token,
    };
    let found = app.read(&visitor.caller, query, invoices_of_order).await?;
    let invoices = found.iter().map(|one| InvoiceOut::of(one, None)).collect();
    Ok(Json(OrderInvoicesOut { invoices }))
}

/// The buyer as an invoice names them. What isn't known is empty.
#[derive(Serialize, ToSchema)]
pub struct BuyerOut {
    name: String,
    email: String,
    /// A line each, with `\n` between them.
    address: String,
    tax_number: String,
    /// Whether details can still be added.
    open: bool,
}

fn buyer_out(party: Party, open: bool) -> BuyerOut {
    BuyerOut {
        name: party.name,
        email: party.email,
        address: party.address,
        tax_number: party.tax_number,
        open,
    }
}

/// The buyer on an invoice of an order, for the buyer and the owner; a seller isn't told of them.
#[utoipa::path(get, path = "/v1/invoices/{id}/buyer", tag = "invoices",
    params(("id" = String, Path, description = "inv_…"), TokenQuery),
    responses((status = 200, body = BuyerOut), (status = 404)))]
async fn show_buyer(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(invoice): PathParam<InvoiceId>,
    Query(query): Query<TokenQuery>,
) -> Result<Json<BuyerOut>, Problem> {
    let query = ViewInvoice {
        invoice,
        token: query.token,
    };
    let found = app.read(&visitor.caller, query, invoice_paper).await?;
    let buyer = found.parties.buyer.ok_or(InvoiceError::NotFound)?;
    Ok(Json(buyer_out(buyer, found.parties.open)))
}

/// What a buyer adds; at least one of them says something.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BuyerIn {
    /// At most 120 characters; the name as it was given when empty.
    #[serde(default)]
    name: String,
    /// At most 500 characters in 8 lines.
    #[serde(default)]
    address: String,
    /// At most 120 characters.
    #[serde(default)]
    tax_number: String,
}

/// Add the buyer's details to an invoice of an order, once: afterwards 409 `invoice_complete`.
#[utoipa::path(put, path = "/v1/invoices/{id}/buyer", tag = "invoices",
    params(("id" = String, Path, description = "inv_…"), TokenQuery), request_body = BuyerIn,
    responses((status = 200, body = BuyerOut), (status = 404), (status = 409), (status = 422)))]
async fn put_buyer(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(invoice): PathParam<InvoiceId>,
    Query(query): Query<TokenQuery>,
    body: JsonBody<BuyerIn>,
) -> Result<Json<BuyerOut>, Problem> {
    let given = body.value;
    let command = AddBuyer {
        invoice,
        token: query.token,
        party: Party {
            name: given.name,
            address: given.address,
            tax_number: given.tax_number,
            ..Party::default()
        },
    };
    let party = app.transact(&visitor.caller, command, add_buyer).await?;
    Ok(Json(buyer_out(party, false)))
}
