//! Webhooks on their way to the shop, over HTTP, as from a provider elsewhere.

use super::ops::{SandboxError, event_body};
use super::payouts::{PAYOUT_EVENT, event_body as payout_body};
use super::{SIGNATURE_HEADER, secret};
use crate::app::App;
use crate::caller::Caller;
use crate::gateways::signature;
use crate::queue::JobError;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The job of one delivery.
pub const DELIVER_JOB: &str = "sandbox.deliver";
/// How long the shop may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The payload of [`DELIVER_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliverPayload {
    /// Which event.
    pub event: String,
}

/// Posts the event to the shop's webhook; anything but 2xx is tried again.
pub async fn deliver(
    app: Arc<App>,
    caller: Caller,
    payload: DeliverPayload,
) -> Result<(), JobError> {
    let (topic, body) = match payload.event.starts_with(PAYOUT_EVENT) {
        true => (
            "payouts",
            app.read(&caller, payload.event, payout_body).await,
        ),
        false => (
            "payments",
            app.read(&caller, payload.event, event_body).await,
        ),
    };
    let body = body.map_err(|error| match error {
        SandboxError::Store(error) => JobError::retry(error),
        other => JobError::fail(other),
    })?;
    let base = app.config.server.base_url.trim_end_matches('/');
    let header = signature::sign(&secret(&app), app.now(), body.as_bytes());
    let client = crate::net::client().timeout(TIMEOUT).build();
    let response = client
        .map_err(JobError::retry)?
        .post(format!("{base}/v1/{topic}/webhooks/sandbox"))
        .header("content-type", "application/json")
        .header(SIGNATURE_HEADER, header)
        .body(body)
        .send()
        .await
        .map_err(JobError::retry)?;
    response
        .error_for_status()
        .map(drop)
        .map_err(JobError::retry)
}
