//! The embedded provider: pays, declines, asks for a proof of identity, refunds, disputes, pays
//! out, delays, repeats, loses and shuffles webhooks, and never moves real money.
//!
//! It behaves as a provider elsewhere would: its own page takes the buyer's choice, its own rows
//! hold what happened, and it tells the shop by signed webhooks over HTTP. So the way from its
//! page to a paid order is the very way that real money goes.
//!
//! # Invariants
//! * A session that is over never changes again.
//! * One happening is one event, however often it is delivered.
//! * What is asked for twice under one key happens once; under the same key, nothing else does.
//! * No more goes back than was paid, and nothing while a bank has the money.
//! * A delivery is a job: what the shop doesn't answer with 2xx is delivered again.
//!
//! # Tables
//! `sandbox_session`, `sandbox_event`, `sandbox_object`, `sandbox_notice`, `sandbox_delivery`,
//! `sandbox_held`, `sandbox_evidence`, `sandbox_payout`, `sandbox_payout_event`, `sandbox_clock`.
//!
//! Start reading at [`model`], then [`ops`] and [`objects`]; webhooks leave through [`mod@tell`] and
//! [`deliver`].

pub mod clock;
pub mod deliver;
pub mod evidence;
pub mod magic;
pub mod model;
pub mod objects;
pub mod ops;
pub mod overview;
pub mod page;
pub mod payouts;
pub mod saved;
pub mod setup;
pub mod sql;
pub mod tell;

use super::{
    AcceptRequest, Charged, Closing, EventKind, EvidenceRequest, Gateway, GatewayError, KeptMethod,
    PayoutEvent, PayoutOrder, ProviderEvent, RefundRequest, SavedCharge, Sent, Session,
    SessionRequest, SetupRequest, signature,
};
use crate::app::App;
use crate::caller::Caller;
use async_trait::async_trait;
use axum::http::HeaderMap;
use mintreu::id::{MethodSetupId, PaymentId, TenantId};
use mintreu::{Currency, Money, Timestamp};
use model::{EventBody, EventType};
use zeroize::Zeroizing;

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "mintreu-sandbox-signature";

/// The embedded provider.
#[derive(Debug, Clone, Copy)]
pub struct Sandbox;

/// What signs webhooks: the configured secret, else one that follows from the server's key.
fn secret(app: &App) -> Zeroizing<Vec<u8>> {
    let configured = app.config.payments.webhook_secret.reveal();
    if configured.is_empty() {
        Zeroizing::new(app.keys.mac("sandbox.webhook", b"1").to_vec())
    } else {
        Zeroizing::new(configured.as_bytes().to_vec())
    }
}

#[async_trait]
impl Gateway for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    async fn create_session(
        &self,
        app: &App,
        request: &SessionRequest,
    ) -> Result<Session, GatewayError> {
        let caller = Caller::system(request.tenant);
        let command = ops::OpenSession {
            request: request.clone(),
        };
        let id = app.transact(&caller, command, ops::open_session).await;
        let id = id.map_err(|error| GatewayError::Unavailable(Box::new(error)))?;
        let base = app.config.server.base_url.trim_end_matches('/');
        Ok(Session {
            page_url: format!("{base}/sandbox/pay/{id}"),
            id,
        })
    }

    async fn close_session(
        &self,
        app: &App,
        tenant: TenantId,
        payment: PaymentId,
    ) -> Result<Closing, GatewayError> {
        let command = ops::CloseSession { payment };
        let caller = Caller::system(tenant);
        let closing = app.transact(&caller, command, ops::close_session).await;
        closing.map_err(|error| GatewayError::Unavailable(Box::new(error)))
    }

    async fn refund(&self, app: &App, request: &RefundRequest) -> Result<Sent, GatewayError> {
        let caller = Caller::system(request.tenant);
        let command = objects::SendRefund {
            request: request.clone(),
        };
        let sent = app.transact(&caller, command, objects::send_refund).await;
        sent.map_err(refused)
    }

    async fn charge_saved(&self, app: &App, charge: &SavedCharge) -> Result<Charged, GatewayError> {
        let caller = Caller::system(charge.tenant);
        let command = saved::ChargeSaved {
            charge: charge.clone(),
        };
        let charged = app.transact(&caller, command, saved::charge_saved).await;
        charged.map_err(|error| GatewayError::Unavailable(Box::new(error)))
    }

    async fn end_charge(&self, app: &App, charge: &SavedCharge) -> Result<Charged, GatewayError> {
        let caller = Caller::system(charge.tenant);
        let command = saved::EndCharge {
            charge: charge.clone(),
        };
        let ended = app.transact(&caller, command, saved::end_charge).await;
        ended.map_err(|error| GatewayError::Unavailable(Box::new(error)))
    }

    async fn create_setup(
        &self,
        app: &App,
        request: &SetupRequest,
    ) -> Result<Session, GatewayError> {
        let command = setup::OpenSetup {
            request: request.clone(),
        };
        let caller = Caller::system(request.tenant);
        let id = app.transact(&caller, command, setup::open_setup).await;
        let id = id.map_err(|error| GatewayError::Unavailable(Box::new(error)))?;
        let base = app.config.server.base_url.trim_end_matches('/');
        Ok(Session {
            page_url: format!("{base}/sandbox/pay/{id}"),
            id,
        })
    }

    async fn forget_method(
        &self,
        app: &App,
        tenant: TenantId,
        method: &str,
    ) -> Result<(), GatewayError> {
        let command = setup::ForgetMethod {
            method: method.to_owned(),
        };
        let caller = Caller::system(tenant);
        let forgotten = app.transact(&caller, command, setup::forget_method).await;
        forgotten.map_err(|error| GatewayError::Unavailable(Box::new(error)))
    }

    async fn submit_evidence(
        &self,
        app: &App,
        request: &EvidenceRequest,
    ) -> Result<(), GatewayError> {
        let caller = Caller::system(request.tenant);
        let command = evidence::TakeEvidence {
            request: request.clone(),
        };
        let taken = app.transact(&caller, command, evidence::take).await;
        taken.map_err(refused)
    }

    async fn accept_dispute(&self, app: &App, request: &AcceptRequest) -> Result<(), GatewayError> {
        let caller = Caller::system(request.tenant);
        let command = evidence::GiveUp {
            object: request.dispute.clone(),
        };
        let given_up = app.transact(&caller, command, evidence::give_up).await;
        given_up.map_err(refused)
    }

    fn is_test_method(&self, method: &str) -> bool {
        saved::METHODS.iter().any(|(name, _)| *name == method)
    }

    fn verify_webhook(
        &self,
        app: &App,
        headers: &HeaderMap,
        raw: &[u8],
    ) -> Result<ProviderEvent, GatewayError> {
        signed(app, headers, raw)?;
        let body: EventBody = serde_json::from_slice(raw).map_err(malformed)?;
        let currency = Currency::parse(&body.currency).map_err(malformed)?;
        if MethodSetupId::parse(&body.reference).is_err() {
            PaymentId::parse(&body.reference).map_err(malformed)?;
        }
        Ok(ProviderEvent {
            reference: body.reference,
            kind: meaning(body.kind),
            object: body.object,
            object_reference: body.object_reference,
            amount: Money::new(body.amount_minor, currency),
            fee: body.fee_minor.map(|minor| Money::new(minor, currency)),
            failure_code: body.failure_code,
            method_country: body.method_country,
            method: body.method.map(KeptMethod::from),
            evidence_due_at: body.evidence_due_at.map(Timestamp::from_ms),
            occurred_at: Timestamp::from_ms(body.created_at),
            id: body.id,
        })
    }

    async fn pay_out(&self, app: &App, request: &PayoutOrder) -> Result<String, GatewayError> {
        let caller = Caller::system(request.tenant);
        let command = payouts::TakePayout {
            request: request.clone(),
        };
        let taken = app.transact(&caller, command, payouts::take).await;
        taken.map_err(refused)
    }

    fn verify_payout_webhook(
        &self,
        app: &App,
        headers: &HeaderMap,
        raw: &[u8],
    ) -> Result<PayoutEvent, GatewayError> {
        signed(app, headers, raw)?;
        payouts::read(raw)
    }
}

/// Whether the header signs the bytes.
fn signed(app: &App, headers: &HeaderMap, raw: &[u8]) -> Result<(), GatewayError> {
    let header = headers.get(SIGNATURE_HEADER);
    let header = header.and_then(|value| value.to_str().ok());
    let header = header.ok_or(GatewayError::Signature)?;
    let holds = signature::holds(&secret(app), header, app.now(), raw);
    holds.then_some(()).ok_or(GatewayError::Signature)
}

/// What a use case's refusal is to the shop.
pub fn refused(error: ops::SandboxError) -> GatewayError {
    match error {
        ops::SandboxError::Refused(code) => GatewayError::Refused(code.to_owned()),
        ops::SandboxError::NotFound => GatewayError::Refused("payment_unknown".to_owned()),
        other => GatewayError::Unavailable(Box::new(other)),
    }
}

fn malformed(error: impl ToString) -> GatewayError {
    GatewayError::Malformed(error.to_string())
}

const fn meaning(kind: EventType) -> EventKind {
    match kind {
        EventType::ActionRequired => EventKind::ActionRequired,
        EventType::Succeeded => EventKind::Succeeded,
        EventType::Failed => EventKind::Failed,
        EventType::RefundSucceeded => EventKind::RefundSucceeded,
        EventType::RefundFailed => EventKind::RefundFailed,
        EventType::DisputeWarned => EventKind::DisputeWarned,
        EventType::DisputeInquired => EventKind::DisputeInquired,
        EventType::DisputeOpened => EventKind::DisputeOpened,
        EventType::DisputeWon => EventKind::DisputeWon,
        EventType::DisputeLost => EventKind::DisputeLost,
        EventType::MethodKept => EventKind::MethodKept,
        EventType::MethodRefused => EventKind::MethodRefused,
        EventType::Unknown => EventKind::Other,
    }
}
