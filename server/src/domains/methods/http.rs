//! Routes of one's own payment methods, and what a name of one means to other faces.

use super::{
    BeginSetup, ChooseMethod, Chosen, Method, MethodError, MyMethods, begin_setup, choose_method,
    my_methods,
};
use crate::app::App;
use crate::caller::Caller;
use crate::gateways::{self, SetupRequest};
use crate::limits::Rate;
use crate::problem::Problem;
use crate::wire::{JsonBody, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::id::{MethodSetupId, TenantId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The provider whose pages methods are left on.
const PROVIDER: &str = "sandbox";
/// Setups of one account: ten at once, then one every six minutes.
const SETUPS: Rate = Rate {
    burst: 10,
    refill_ms: 360_000,
};

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_methods))
        .routes(routes!(post_setup))
}

impl From<MethodError> for Problem {
    fn from(error: MethodError) -> Self {
        let detail = error.to_string();
        match error {
            MethodError::NotFound => Self::new(422, "method_unknown", detail).at("method"),
            MethodError::TooMany => Self::new(409, "methods_too_many", detail),
            MethodError::TooOften { seconds } => {
                Self::new(429, "too_many_requests", detail).after(seconds)
            }
            MethodError::InUse { .. } => Self::new(409, "method_in_use", detail),
            MethodError::ProviderUnavailable => {
                Self::new(502, "provider_unavailable", detail).after(10)
            }
            MethodError::Denied(denied) => denied.into(),
            MethodError::Store(error) => error.into(),
        }
    }
}

/// What a name of a method means for the caller: `pmt_…`, one of their own, or a test method.
pub async fn chosen(app: &App, caller: &Caller, method: &str) -> Result<Chosen, MethodError> {
    let tests = gateways::find(app, PROVIDER).filter(|gateway| gateway.is_test_method(method));
    if let Some(gateway) = tests {
        return Ok(Chosen {
            provider: gateway.name().to_owned(),
            name: method.to_owned(),
        });
    }
    let query = ChooseMethod {
        method: method.to_owned(),
    };
    app.read(caller, query, choose_method).await
}

/// Opens a provider's page where the caller leaves a method, and answers where it is; it leads back
/// to `back`, an address of this shop.
pub async fn setup_page(app: &App, caller: &Caller, back: &str) -> Result<String, MethodError> {
    let gateway = gateways::find(app, PROVIDER).ok_or(MethodError::ProviderUnavailable)?;
    if let Some(account) = caller.account {
        let taken = app
            .limits
            .take("methods.setup", &account.to_string(), SETUPS, app.now());
        taken.map_err(|seconds| MethodError::TooOften { seconds })?;
    }
    let command = BeginSetup {
        provider: gateway.name().to_owned(),
    };
    let setup = app.transact(caller, command, begin_setup).await?;
    leave_at(app, caller.tenant, setup, back).await
}

/// The provider's page of a setup.
pub async fn leave_at(
    app: &App,
    tenant: TenantId,
    setup: MethodSetupId,
    back: &str,
) -> Result<String, MethodError> {
    let gateway = gateways::find(app, PROVIDER).ok_or(MethodError::ProviderUnavailable)?;
    let base = app.config.server.base_url.trim_end_matches('/');
    let request = SetupRequest {
        tenant,
        setup,
        return_url: format!("{base}{back}"),
    };
    let session = gateway.create_setup(app, &request).await;
    let session = session.map_err(|error| {
        tracing::warn!(%error, %setup, "no page for a payment method");
        MethodError::ProviderUnavailable
    })?;
    Ok(session.page_url)
}

/// A payment method that is kept for you.
#[derive(Serialize, ToSchema)]
pub struct PaymentMethodOut {
    /// `pmt_…`: what other routes take as `method`.
    payment_method_id: String,
    /// Who keeps it: `sandbox`.
    provider: String,
    /// `Visa •••• 4242`.
    label: String,
    /// The last month it can be charged in (`2029-12`), when it has one.
    expires: Option<String>,
    /// Milliseconds since 1970 (UTC).
    added_at: i64,
}

impl From<Method> for PaymentMethodOut {
    fn from(method: Method) -> Self {
        Self {
            payment_method_id: method.id.to_string(),
            provider: method.provider,
            label: method.kept.label,
            expires: method.kept.expires,
            added_at: method.added_at.ms(),
        }
    }
}

/// Your payment methods.
#[derive(Serialize, ToSchema)]
pub struct PaymentMethodsOut {
    payment_methods: Vec<PaymentMethodOut>,
}

/// The payment methods that providers keep for you, the newest first.
#[utoipa::path(get, path = "/v1/payment-methods", tag = "payment methods",
    responses((status = 200, body = PaymentMethodsOut)))]
async fn list_methods(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<PaymentMethodsOut>, Problem> {
    let found = app.read(&visitor.caller, MyMethods, my_methods).await?;
    let payment_methods = found.into_iter().map(PaymentMethodOut::from).collect();
    Ok(Json(PaymentMethodsOut { payment_methods }))
}

/// Where to go after a method was left.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupIn {
    /// An address of this shop, such as `/subscriptions/sub_…`; the list of methods when absent.
    #[serde(default)]
    return_path: Option<String>,
}

/// Where a method is left.
#[derive(Serialize, ToSchema)]
pub struct SetupOut {
    /// The provider's page.
    setup_url: String,
}

/// Begin to add a payment method: answers the provider's page, where you leave it. It is in your list
/// a moment after that; card numbers never reach this server.
#[utoipa::path(post, path = "/v1/payment-methods/setups", tag = "payment methods",
    request_body = SetupIn,
    responses((status = 201, body = SetupOut), (status = 409), (status = 422), (status = 502)))]
async fn post_setup(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<SetupIn>,
) -> Result<(StatusCode, Json<SetupOut>), Problem> {
    let back = body.value.return_path;
    let back = back.as_deref().unwrap_or("/payment-methods");
    if !crate::wire::is_local(back) {
        let detail = "An address of this shop begins with one slash: /subscriptions.";
        return Err(Problem::new(422, "input_invalid", detail).at("return_path"));
    }
    let setup_url = setup_page(&app, &visitor.caller, back).await?;
    Ok((StatusCode::CREATED, Json(SetupOut { setup_url })))
}
