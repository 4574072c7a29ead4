//! The route of upgrades: a free license that is paid for from now on.

use super::{SubscriptionPageOut, page};
use crate::app::App;
use crate::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use crate::domains::methods::Chosen;
use crate::domains::methods::http::chosen;
use crate::domains::subscriptions::ops::{Upgrade, upgrade};
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::id::{LicenseId, PriceId};
use mintreu::{Currency, Money};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(post_upgrade))
}

fn one() -> i64 {
    1
}

/// An upgrade.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeIn {
    /// A recurring price of the license's product.
    price_id: String,
    /// 1 to 100; 1 when absent.
    #[serde(default = "one")]
    seats: i64,
    /// What was seen to be due now: the price times the seats.
    amount_minor: i64,
    currency: String,
    /// Where the buyer's days begin, `Europe/Berlin`; UTC when absent.
    #[serde(default)]
    zone: String,
    /// `pmt_…`, one of your payment methods.
    method: String,
    /// Who found the buyer: `seller`, `marketplace`, or nothing.
    #[serde(default)]
    source: Option<String>,
}

/// What the house takes of it, and what a face knows.
pub fn upgrade_of(
    app: &App,
    license: LicenseId,
    (price, seats): (PriceId, i64),
    seen: Money,
    chosen: Chosen,
) -> Upgrade {
    let fees = &app.config.fees;
    Upgrade {
        license,
        price,
        seats,
        seen,
        zone: String::new(),
        provider: chosen.provider,
        method: chosen.name,
        traffic: Traffic::default(),
        fees: FeePolicy {
            seller_bps: fees.seller_bps,
            marketplace_bps: fees.marketplace_bps,
            default_bps: fees.default_bps,
        },
        tariff: PaymentTariff {
            bps: fees.payment_bps,
            fixed_minor: fees.payment_fixed_minor,
        },
    }
}

/// Pay for a free license of one's own from now on: the same license grants what the plan does.
///
/// The first period is charged first; unless it is paid nothing changes. When the subscription
/// ends, the license grants what it did before.
#[utoipa::path(post, path = "/v1/licenses/{license_id}/upgrades", tag = "subscriptions",
    params(("license_id" = String, Path)), request_body = UpgradeIn,
    responses((status = 202, body = SubscriptionPageOut), (status = 404), (status = 409),
        (status = 410), (status = 422)))]
async fn post_upgrade(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
    body: JsonBody<UpgradeIn>,
) -> Result<(StatusCode, Json<SubscriptionPageOut>), Problem> {
    let given = body.value;
    let method = chosen(&app, &visitor.caller, &given.method).await?;
    let price = (PriceId::parse(&given.price_id)?, given.seats);
    let seen = Money::new(given.amount_minor, Currency::parse(&given.currency)?);
    let command = Upgrade {
        zone: given.zone,
        traffic: Traffic::parse(given.source.as_deref().unwrap_or_default()),
        ..upgrade_of(&app, license, price, seen, method)
    };
    let id = app.transact(&visitor.caller, command, upgrade).await?;
    Ok((StatusCode::ACCEPTED, page(&app, &visitor, id).await?))
}
