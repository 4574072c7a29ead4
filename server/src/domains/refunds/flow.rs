//! The way through the gateway: what happens between the transactions of a refund.
//!
//! A crash between the steps is safe: the provider knows a refund by its id and sends it once.

use super::model::{Refund, RefundError, RefundState};
use super::{ops, sql, usage};
use crate::app::{App, Command, Cx, ReadCx};
use crate::caller::{Caller, Capability};
use crate::domains::invoicing;
use crate::gateways::{self, GatewayError, RefundRequest, Sent, SentState};
use crate::queue::JobError;
use mintreu::Money;
use mintreu::id::{PaymentId, RefundId, TenantId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The job that asks the provider.
pub const SEND_JOB: &str = "refunds.send";

/// The payload of [`SEND_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendPayload {
    /// The refund's id.
    pub refund: String,
}

/// Asks the provider to send a refund, and keeps the answer; one that is settled already is left
/// alone.
pub async fn send_refund(
    app: Arc<App>,
    caller: Caller,
    payload: SendPayload,
) -> Result<(), JobError> {
    let id = RefundId::parse(&payload.refund).map_err(JobError::fail)?;
    let refund = app.read(&caller, id, to_send).await;
    let Some(refund) = refund.map_err(JobError::from)? else {
        return Ok(());
    };
    let gateway = gateways::find(&app, &refund.provider);
    let gateway = gateway.ok_or_else(|| JobError::retry("the provider isn't set up here"))?;
    let request = request(caller.tenant, &refund);
    let answer = answer(id, gateway.refund(&app, &request).await)?;
    app.transact(&caller, answer, take_answer)
        .await
        .map_err(JobError::from)
}

/// A refund, of an order or of an invoice, that the provider is to be asked for.
#[derive(Debug, Clone)]
pub struct ToSend {
    id: RefundId,
    payment: PaymentId,
    provider: String,
    amount: Money,
}

/// The refund, while the provider is still to be asked for it.
pub fn to_send(cx: &mut ReadCx<'_>, id: &RefundId) -> Result<Option<ToSend>, RefundError> {
    let tenant = cx.caller.tenant;
    let (state, send) = match sql::find_refund(cx.tx, tenant, *id)? {
        Some(found) => {
            let Refund {
                payment,
                provider,
                amount,
                state,
                ..
            } = found;
            (state, (payment, provider, amount))
        }
        None => {
            let found = sql::usage::find(cx.tx, (tenant, *id))?;
            let found = found.ok_or(RefundError::NotFound)?;
            (found.state, (found.payment, found.provider, found.amount))
        }
    };
    let (payment, provider, amount) = send;
    let send = ToSend {
        id: *id,
        payment,
        provider,
        amount,
    };
    Ok(Some(send).filter(|_| state == RefundState::Requested))
}

/// What the provider is asked for.
pub fn request(tenant: TenantId, refund: &ToSend) -> RefundRequest {
    RefundRequest {
        tenant,
        refund: refund.id,
        payment: refund.payment,
        amount: refund.amount,
    }
}

/// What the provider said at once; an error when it must be asked again.
pub fn answer(refund: RefundId, sent: Result<Sent, GatewayError>) -> Result<TakeAnswer, JobError> {
    let (name, state) = match sent {
        Ok(sent) => (Some(sent.id), sent.state),
        Err(GatewayError::Refused(code)) => (None, SentState::Failed(code)),
        Err(error) => return Err(JobError::retry(error)),
    };
    Ok(TakeAnswer {
        refund,
        name,
        state,
    })
}

/// Keeps what the provider said at once.
#[derive(Debug, Clone)]
pub struct TakeAnswer {
    refund: RefundId,
    name: Option<String>,
    state: SentState,
}

impl Command for TakeAnswer {
    const NAME: &'static str = "refunds.take_answer";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.refund.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![invoicing::CONTENDED.to_owned()]
    }
}

/// What the answer makes of the refund.
pub fn take_answer(cx: &mut Cx<'_>, answer: &TakeAnswer) -> Result<(), RefundError> {
    let tenant = cx.caller.tenant;
    let Some(refund) = sql::find_refund(cx.tx, tenant, answer.refund)? else {
        return take_answer_of_invoice(cx, answer);
    };
    if let Some(name) = &answer.name {
        sql::name_refund(cx.tx, tenant, answer.refund, name)?;
    }
    match &answer.state {
        SentState::Pending => {}
        SentState::Succeeded => {
            ops::succeed(cx, &refund)?;
        }
        // A refund that already succeeded isn't undone by a late refusal to send it again.
        SentState::Failed(code) if refund.state == RefundState::Requested => {
            ops::fail(cx, &refund, Some(code))?;
        }
        SentState::Failed(_) => {}
    }
    Ok(())
}

fn take_answer_of_invoice(cx: &mut Cx<'_>, answer: &TakeAnswer) -> Result<(), RefundError> {
    let of = (cx.caller.tenant, answer.refund);
    if let Some(name) = &answer.name {
        sql::usage::name(cx.tx, of, name)?;
    }
    let found = sql::usage::find(cx.tx, of)?;
    let refund = found.ok_or(RefundError::NotFound)?;
    match &answer.state {
        SentState::Pending => {}
        SentState::Succeeded => {
            usage::succeed(cx, &refund)?;
        }
        SentState::Failed(code) if refund.state == RefundState::Requested => {
            usage::fail(cx, &refund, Some(code))?;
        }
        SentState::Failed(_) => {}
    }
    Ok(())
}
