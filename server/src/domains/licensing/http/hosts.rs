//! Routes of hosts of floating seats.

use crate::app::App;
use crate::domains::licensing::{DelegateHost, FloatingHost, delegate_host, hosts};
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::id::LicenseId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_hosts, post_host))
}

/// A host to hand the seats to.
#[derive(Deserialize, ToSchema)]
pub struct HostIn {
    /// The key that the host showed at its first start: `MT1K-…`.
    host_key: String,
    /// For how many days, 1 to 366; it can't be called back before.
    days: i64,
}

/// A host of floating seats.
#[derive(Serialize, ToSchema)]
pub struct HostOut {
    /// `MT1K-…`
    host_key: String,
    /// Milliseconds since 1970 (UTC).
    delegated_at: i64,
    /// The seats are online again from then on.
    ends_at: i64,
    /// What `mintreu serve --floating --license FILE` is given; no secret.
    file: String,
}

/// The hosts of a license.
#[derive(Serialize, ToSchema)]
pub struct HostsOut {
    hosts: Vec<HostOut>,
}

fn host_out(host: FloatingHost) -> HostOut {
    HostOut {
        host_key: host.key.to_string(),
        delegated_at: host.delegated_at.ms(),
        ends_at: host.ends_at.ms(),
        file: host.file,
    }
}

/// The hosts that one's own license has or had.
#[utoipa::path(get, path = "/v1/licenses/{license_id}/hosts", tag = "licenses",
    params(("license_id" = String, Path)),
    responses((status = 200, body = HostsOut), (status = 404)))]
async fn list_hosts(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
) -> Result<Json<HostsOut>, Problem> {
    let found = app.read(&visitor.caller, license, hosts).await?;
    let hosts = found.into_iter().map(host_out).collect();
    Ok(Json(HostsOut { hosts }))
}

/// Hand the seats of one's own floating license to a host.
///
/// The host lends them on a network without internet until the end; none is taken online
/// meanwhile. For the same host it may be done again, to go on.
#[utoipa::path(post, path = "/v1/licenses/{license_id}/hosts", tag = "licenses",
    params(("license_id" = String, Path)), request_body = HostIn,
    responses((status = 201, body = HostOut), (status = 403), (status = 404), (status = 409),
        (status = 422)))]
async fn post_host(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
    body: JsonBody<HostIn>,
) -> Result<(StatusCode, Json<HostOut>), Problem> {
    let command = DelegateHost {
        license,
        host: body.value.host_key.trim().parse()?,
        days: body.value.days,
    };
    let host = app
        .transact(&visitor.caller, command, delegate_host)
        .await?;
    Ok((StatusCode::CREATED, Json(host_out(host))))
}
