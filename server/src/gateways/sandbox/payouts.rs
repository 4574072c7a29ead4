//! Payouts of the embedded provider: no money moves, and the name of the destination decides what
//! becomes of it, as the number of a test card does.

use super::deliver::{DELIVER_JOB, DeliverPayload};
use super::ops::SandboxError;
use super::sql::payouts as sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::gateways::{GatewayError, PayoutEvent, PayoutEventKind, PayoutOrder};
use crate::store::StoreError;
use mintreu::id::PayoutId;
use mintreu::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};

/// When a bank sends money back, after it arrived.
pub const BACK_MS: i64 = 24 * 60 * 60 * 1000;
/// What names of events about payouts begin with; they have an address of their own.
pub(super) const PAYOUT_EVENT: &str = "spe_";
/// How late the late one is told of.
const LATE_MS: i64 = 5_000;

/// The body of a webhook about a payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutBody {
    /// The same in every delivery.
    pub id: String,
    /// `payout.paid`, `payout.failed`, `payout.returned`, `payout.reversed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The provider's name of the payout.
    pub payout: String,
    /// The shop's name of it.
    pub reference: String,
    /// How much.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Why it did not arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// What happens to a payout: the event, why, and how late each delivery is.
type Happening = (&'static str, Option<&'static str>, &'static [i64]);

/// What follows from a destination; `None` when the provider refuses it.
fn outcome(destination: &str) -> Option<&'static [Happening]> {
    const PAID: Happening = ("payout.paid", None, &[0]);
    Some(match destination {
        "acct_refused" => return None,
        "acct_closed" => &[("payout.failed", Some("account_closed"), &[0])],
        "acct_returns" => &[
            PAID,
            ("payout.returned", Some("no_such_account"), &[BACK_MS]),
        ],
        "acct_reversed" => &[PAID, ("payout.reversed", Some("recalled"), &[BACK_MS])],
        "acct_late" => &[("payout.paid", None, &[LATE_MS])],
        "acct_repeats" => &[("payout.paid", None, &[0, 0, 0])],
        _ => &[PAID],
    })
}

/// Takes a payout.
#[derive(Debug, Clone)]
pub struct TakePayout {
    /// What the shop asks for.
    pub request: PayoutOrder,
}

impl Command for TakePayout {
    const NAME: &'static str = "sandbox.take_payout";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.request.payout.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.request.payout.to_string()]
    }
}

/// Takes the payout once; asked for again, the same name is answered and nothing happens.
pub fn take(cx: &mut Cx<'_>, cmd: &TakePayout) -> Result<String, SandboxError> {
    let (tenant, request) = (cx.caller.tenant, &cmd.request);
    let happenings = outcome(&request.destination);
    let happenings = happenings.ok_or(SandboxError::Refused("destination_refused"))?;
    if let Some(known) = sql::ask_again(cx.tx, tenant, &request.payout.to_string())? {
        return Ok(known);
    }
    let payout = format!("spo_{}", mintreu::id::encode(&cx.random()));
    sql::insert(cx.tx, request, &payout, cx.now)?;
    for happening in happenings {
        tell(cx, request, &payout, happening)?;
    }
    Ok(payout)
}

fn tell(
    cx: &mut Cx<'_>,
    request: &PayoutOrder,
    payout: &str,
    (kind, failure, deliveries): &Happening,
) -> Result<(), SandboxError> {
    let first = deliveries.first().copied().unwrap_or_default();
    let event = PayoutBody {
        id: format!("{PAYOUT_EVENT}{}", mintreu::id::encode(&cx.random())),
        kind: (*kind).to_owned(),
        payout: payout.to_owned(),
        reference: request.payout.to_string(),
        amount_minor: request.amount.minor(),
        currency: request.amount.currency().code().to_owned(),
        failure_code: failure.map(str::to_owned),
        created_at: cx.now.plus_ms(first).ms(),
    };
    let body =
        serde_json::to_string(&event).map_err(|error| StoreError::shape(error.to_string()))?;
    sql::insert_event(cx.tx, request.tenant, &event, &body, cx.now)?;
    for late_ms in *deliveries {
        let payload = DeliverPayload {
            event: event.id.clone(),
        };
        crate::queue::enqueue(cx, DELIVER_JOB, &payload, cx.now.plus_ms(*late_ms))?;
    }
    Ok(())
}

/// The body of an event, as it is delivered each time.
#[expect(clippy::ptr_arg, reason = "a query is given as it was sent")]
pub(super) fn event_body(cx: &mut ReadCx<'_>, event: &String) -> Result<String, SandboxError> {
    sql::event_body(cx.tx, cx.caller.tenant, event)?.ok_or(SandboxError::NotFound)
}

/// Reads a body whose signature holds.
pub(super) fn read(raw: &[u8]) -> Result<PayoutEvent, GatewayError> {
    let malformed = |error: String| GatewayError::Malformed(error);
    let body: PayoutBody =
        serde_json::from_slice(raw).map_err(|error| malformed(error.to_string()))?;
    let currency = Currency::parse(&body.currency).map_err(|error| malformed(error.to_string()))?;
    let payout = PayoutId::parse(&body.reference).map_err(|error| malformed(error.to_string()))?;
    let kind = match body.kind.as_str() {
        "payout.paid" => PayoutEventKind::Paid,
        "payout.failed" => PayoutEventKind::Failed,
        "payout.returned" => PayoutEventKind::Returned,
        "payout.reversed" => PayoutEventKind::Reversed,
        _ => PayoutEventKind::Other,
    };
    Ok(PayoutEvent {
        kind,
        payout,
        amount: Money::new(body.amount_minor, currency),
        failure_code: body.failure_code,
        occurred_at: Timestamp::from_ms(body.created_at),
        id: body.id,
    })
}
