//! Every JSON route in one table, and the document that describes them.
//!
//! Each domain's `http.rs` offers `pub fn routes() -> OpenApiRouter<Arc<App>>`; a handler is an
//! axum handler with `#[utoipa::path(…)]` above it, named with `routes!(…)`. To add a domain, add
//! its line to [`table`]; its routes are then served and are in `/openapi.json`, since both are
//! made from the same table.
//!
//! Invariants
//! * No route is served that isn't described, but `/healthz` and `/openapi.json` themselves.
//! * Faces check no permission; they say who the caller is.
//! * Every error is a [`crate::problem::Problem`].

mod described;
mod papers;
mod visit;

pub use visit::{Visits, visit};

use crate::app::App;
use crate::domains::{
    access, accounts, affiliates, answers, billing, bundles, carts, catalog, fees, fulfilment,
    invoicing, ledger, licensing, metering, meters, methods, orders, payments, payouts, promotions,
    quotas, refunds, risk, sellers, subscriptions, taxes, transparency, webhooks, wishes,
};
use crate::problem::Problem;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::{Arc, OnceLock};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

#[derive(OpenApi)]
#[openapi(info(
    title = "Mintreu",
    description = "Sell software, issue offline licenses, bill usage. Errors are \
        application/problem+json (RFC 9457) with a stable `code`."
))]
struct Described;

/// Every domain's routes, one line each.
fn table() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Described::openapi())
        .merge(access::http::routes())
        .merge(accounts::http::routes())
        .merge(affiliates::http::routes())
        .merge(answers::http::routes())
        .merge(billing::http::routes())
        .merge(bundles::http::routes())
        .merge(carts::http::routes())
        .merge(catalog::http::routes())
        .merge(fees::http::routes())
        .merge(fulfilment::http::routes())
        .merge(invoicing::http::routes())
        .merge(ledger::http::routes())
        .merge(licensing::http::routes())
        .merge(metering::http::routes(meters::ops::accept_segment))
        .merge(meters::http::routes())
        .merge(methods::http::routes())
        .merge(orders::http::routes())
        .merge(payments::http::routes())
        .merge(promotions::http::routes())
        .merge(payouts::http::routes())
        .merge(subscriptions::http::routes())
        .merge(refunds::http::routes())
        .merge(quotas::http::routes())
        .merge(risk::http::routes())
        .merge(sellers::http::routes())
        .merge(taxes::http::routes())
        .merge(transparency::http::routes())
        .merge(webhooks::http::routes())
        .merge(wishes::http::routes())
        .merge(papers::routes())
}

/// The description of every route.
pub fn openapi() -> utoipa::openapi::OpenApi {
    described::complete(table().split_for_parts().1)
}

/// The routes with `/openapi.json` and `/healthz`.
pub fn router() -> Router<Arc<App>> {
    let (routes, _) = table().split_for_parts();
    routes
        .route("/openapi.json", get(describe))
        .route("/healthz", get(health))
        .route("/v1/{*rest}", axum::routing::any(nothing))
}

/// The description as it is sent. It is written when somebody first asks: the tree that it is
/// written from is a third of what a server at rest would hold.
async fn describe() -> Result<Response, Problem> {
    static WRITTEN: OnceLock<Bytes> = OnceLock::new();
    let written = match WRITTEN.get() {
        Some(written) => written.clone(),
        None => {
            let written = serde_json::to_vec(&openapi()).map_err(|error| {
                tracing::error!(%error, "the description can't be written");
                Problem::internal()
            })?;
            WRITTEN.get_or_init(|| written.into()).clone()
        }
    };
    Ok(([(CONTENT_TYPE, "application/json")], written).into_response())
}

async fn nothing() -> Problem {
    Problem::not_found("There is nothing at this address; /openapi.json lists what there is.")
}

/// 200 when the database answers.
async fn health(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    app.store.ping().await?;
    Ok("ok\n")
}
