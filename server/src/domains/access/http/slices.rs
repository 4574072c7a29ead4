//! Slices of quotas for the nodes of a backend.

use super::check::{shown_token, tell};
use crate::app::App;
use crate::domains::access::{
    AccessError, Identified, Identify, LeaseSlice, NodeAsks, Sliced, identify, lease_slice,
    slice_s_license,
};
use crate::domains::catalog::model::EntitlementValue;
use crate::problem::Problem;
use crate::wire::{JsonBody, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use mintreu::meter::AskedUnits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How long a slice is lent when a node doesn't say.
const LEASE_SECS: i64 = 300;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(post_slice))
}

/// What a node says and asks.
#[derive(Deserialize, ToSchema)]
pub struct SliceIn {
    /// The key that customers' requests carry: `mtk_…`.
    key: String,
    meter: String,
    /// 16 to 64 letters, digits and `-`: random, and new for each slice that a process begins.
    node: String,
    /// `number` of the newest answer that the node took; 0 before the first.
    #[serde(default)]
    last: u64,
    /// `window` of that answer.
    #[serde(default)]
    window: u32,
    /// Units used in that window, of all slices of this node together.
    #[serde(default)]
    used: u64,
    /// Whether the node spends nothing more until it is answered; what is unspent goes back.
    #[serde(default)]
    closed: bool,
    /// How many more units it would like; 0 only reports.
    #[serde(default)]
    wanted: u64,
    /// 1 to 86,400; 300 when it is left out.
    lease_secs: Option<i64>,
    /// Names of entitlements to tell of; `*` for all.
    #[serde(default)]
    entitlements: Vec<String>,
}

/// What a node holds.
#[derive(Serialize, ToSchema)]
pub struct SliceOut {
    /// `leased`
    code: &'static str,
    license_id: String,
    /// The subject that the usage names.
    api_key_id: String,
    meter: String,
    number: i64,
    window: i64,
    /// Units that the node may use in this window, those that it has used included.
    units: i64,
    /// Units that it reported.
    used: i64,
    limit: Option<i64>,
    /// Units that nobody holds.
    remaining: Option<i64>,
    /// Units used and held beyond the limit, where the license allows that.
    overage: Option<i64>,
    /// Milliseconds since 1970 (UTC).
    resets_at: Option<i64>,
    ends_at: i64,
    /// For how long the node may spend them, from when it asked.
    ends_in_ms: i64,
    /// What the key's owner allows it at most: for the node to keep.
    rate: Option<String>,
    #[schema(value_type = Object)]
    entitlements: BTreeMap<String, EntitlementValue>,
}

/// Lease a slice of a key's quota, and report what was used.
///
/// A seller's node asks, with `Authorization: Bearer mtsk_…`. Asking again with the same `last`
/// answers the same slice and counts nothing again. Near the quota's end `units` rises no more:
/// ask `/v1/gateway/check` about each request then. When the key or its license is in force no
/// more, the report is taken all the same.
#[utoipa::path(post, path = "/v1/gateway/slices", tag = "gateway", request_body = SliceIn,
    responses((status = 200, body = SliceOut), (status = 401), (status = 403), (status = 404),
        (status = 409), (status = 422)))]
async fn post_slice(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    body: JsonBody<SliceIn>,
) -> Result<Response, Problem> {
    let now = app.now();
    let asked = body.value;
    let who = Identify::read(&app.keys, shown_token(&headers), Some(&asked.key))?;
    let Identified { seller, key } = app.read(&visitor.caller, who, identify).await?;
    let license = match key {
        Some(key) => Some(key.license),
        None => {
            let node = (seller.account, asked.node.clone());
            app.read(&visitor.caller, node, slice_s_license).await?
        }
    };
    let license = license.ok_or(AccessError::KeyUnknown)?;
    let mac = who.key_mac().ok_or(AccessError::KeyUnknown)?;
    let command = LeaseSlice::new(mac, license, asks(asked))?;
    let sliced = app.transact(&seller, command, lease_slice).await?;
    if let Some(refused) = sliced.refused {
        return Err(refused.into());
    }
    let state = sliced
        .allowance
        .map(|at| at.state(&sliced.slice.meter, now));
    let mut response = Json(out(sliced)).into_response();
    tell(&mut response, &Vec::from_iter(state), now);
    Ok(response)
}

fn asks(asked: SliceIn) -> NodeAsks {
    NodeAsks {
        node: asked.node,
        meter: asked.meter,
        asked: AskedUnits {
            last: asked.last,
            window: asked.window,
            used: asked.used,
            closed: asked.closed,
            wanted: asked.wanted,
        },
        lease_secs: asked.lease_secs.unwrap_or(LEASE_SECS),
        entitlements: asked.entitlements,
    }
}

fn out(sliced: Sliced) -> SliceOut {
    let slice = sliced.slice;
    SliceOut {
        code: "leased",
        license_id: slice.license.to_string(),
        api_key_id: slice.key.to_string(),
        meter: slice.meter,
        number: slice.number,
        window: slice.window,
        units: slice.units,
        used: slice.used,
        limit: sliced.allowance.map(|at| at.limit),
        remaining: sliced.allowance.map(|at| at.remaining),
        overage: sliced.allowance.map(|at| at.overage),
        resets_at: sliced.allowance.and_then(|at| at.resets_at),
        ends_at: slice.ends_at.ms(),
        ends_in_ms: sliced.ends_in_ms,
        rate: sliced.rate.map(|rate| rate.to_string()),
        entitlements: sliced.entitlements,
    }
}
