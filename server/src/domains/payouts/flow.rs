//! The way to the provider: what happens between the transactions of a payout.
//!
//! A crash between the steps is safe: the provider knows a payout by its id, and the job asks until
//! it was answered.

use super::model::{EventKind, Payout, PayoutError, State};
use super::settle::{self, Settled};
use super::sql;
use crate::app::{App, Command, Cx};
use crate::caller::{Caller, Capability};
use crate::gateways::{self, GatewayError, PayoutOrder};
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::id::{PayoutId, TenantId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The job that asks the provider to send a payout.
pub const SEND_JOB: &str = "payouts.send";

/// Who sends this shop's money, if anybody does.
pub fn provider(app: &App) -> Option<&'static str> {
    gateways::find(app, "sandbox").map(|gateway| gateway.name())
}

/// The payload of [`SEND_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendPayload {
    /// The payout's id.
    pub payout: String,
}

pub(super) fn enqueue_send(cx: &mut Cx<'_>, payout: PayoutId) -> Result<(), StoreError> {
    let payload = SendPayload {
        payout: payout.to_string(),
    };
    crate::queue::enqueue(cx, SEND_JOB, &payload, cx.now).map(drop)
}

/// Notes that the provider is about to be asked.
#[derive(Debug, Clone, Copy)]
pub struct BeginSending(pub PayoutId);

impl Command for BeginSending {
    const NAME: &'static str = "payouts.begin_sending";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// The payout, when there is still something to ask for.
pub fn begin_sending(cx: &mut Cx<'_>, cmd: &BeginSending) -> Result<Option<Payout>, PayoutError> {
    let tenant = cx.caller.tenant;
    let found = sql::payouts::find(cx.tx, tenant, cmd.0)?;
    let mut payout = found.ok_or(PayoutError::NotFound)?;
    if !payout.state.is_under_way() || payout.provider_reference.is_some() {
        return Ok(None);
    }
    if payout.state == State::Created {
        payout.state = State::Sending;
        sql::payouts::update(cx.tx, tenant, &payout, cx.now)?;
    }
    Ok(Some(payout))
}

/// What the provider answered.
#[derive(Debug, Clone)]
pub struct RecordAnswer {
    payout: PayoutId,
    answer: Result<String, String>,
}

impl Command for RecordAnswer {
    const NAME: &'static str = "payouts.record_answer";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.payout.to_string())
    }
}

/// Keeps the provider's name of the payout, or gives the money back when it was refused. An event
/// may have come before.
pub fn record_answer(cx: &mut Cx<'_>, cmd: &RecordAnswer) -> Result<(), PayoutError> {
    let tenant = cx.caller.tenant;
    let found = sql::payouts::find(cx.tx, tenant, cmd.payout)?;
    let mut payout = found.ok_or(PayoutError::NotFound)?;
    match &cmd.answer {
        Ok(reference) => {
            payout.provider_reference = Some(reference.clone());
            sql::payouts::update(cx.tx, tenant, &payout, cx.now)?;
        }
        Err(why) if payout.state.is_under_way() => {
            payout.failure_code = Some(why.chars().take(100).collect());
            let _: Settled = settle::apply(cx, &mut payout, EventKind::Failed)?;
        }
        Err(_) => {}
    }
    Ok(())
}

/// The job: asks the provider, between transactions. It may run twice.
pub async fn send(app: Arc<App>, caller: Caller, job: SendPayload) -> Result<(), JobError> {
    let id = PayoutId::parse(&job.payout).map_err(JobError::fail)?;
    let begun = app
        .transact(&caller, BeginSending(id), begin_sending)
        .await?;
    let Some(payout) = begun else {
        return Ok(());
    };
    let gateway = gateways::find(&app, &payout.provider);
    let gateway = gateway.ok_or_else(|| {
        JobError::retry(format!(
            "{:?} sends no money here just now",
            payout.provider
        ))
    })?;
    let sent = gateway.pay_out(&app, &order(caller.tenant, &payout)).await;
    let record = answer(id, sent)?;
    app.transact(&caller, record, record_answer).await?;
    Ok(())
}

/// What the provider is asked for.
pub fn order(tenant: TenantId, payout: &Payout) -> PayoutOrder {
    PayoutOrder {
        tenant,
        payout: payout.id,
        amount: payout.amount,
        destination: payout.destination.clone(),
    }
}

/// What the provider answered; an error when it must be asked again.
pub fn answer(
    payout: PayoutId,
    sent: Result<String, GatewayError>,
) -> Result<RecordAnswer, JobError> {
    let answer = match sent {
        Ok(reference) => Ok(reference),
        Err(GatewayError::Refused(why)) => Err(why),
        Err(error) => return Err(JobError::retry(error)),
    };
    Ok(RecordAnswer { payout, answer })
}
