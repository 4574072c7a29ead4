//! What the provider knows, for its own page.

use super::deliver::{DELIVER_JOB, DeliverPayload};
use super::ops::SandboxError;
use super::sql::objects::{self as rows, StoredObject};
use super::sql::payouts::{self, StoredPayout};
use super::sql::{self, StoredSession};
use super::tell::Mode;
use crate::app::ReadCx;
use crate::queue;
use mintreu::Timestamp;
use serde::Deserialize;

/// Most payments shown.
const MOST: i64 = 50;
/// Most events and payouts shown.
const MOST_EVENTS: i64 = 50;
/// Most deliveries under way that are looked at.
const MOST_WAITING: i64 = 500;

/// The newest payments, what came of them, and how webhooks leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// Each payment page with its refunds and disputes, the newest first.
    pub payments: Vec<(StoredSession, Vec<Answered>)>,
    /// The newest payouts.
    pub payouts: Vec<StoredPayout>,
    /// The newest events, whatever they speak of.
    pub events: Vec<Told>,
    /// How webhooks leave.
    pub mode: Mode,
    /// How many wait to be let go.
    pub held: usize,
}

/// A refund or a dispute, and when the bank of a dispute was last answered.
pub type Answered = (StoredObject, Option<Timestamp>);

/// An event and its way to the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The provider's name of it.
    pub event: String,
    /// What happened: `payment.succeeded`.
    pub kind: String,
    /// The shop's name of what it speaks of.
    pub reference: String,
    /// When it happened.
    pub at: Timestamp,
    /// Where its webhook is.
    pub way: Way,
}

/// Where a webhook is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The shop has it, or it was lost on purpose.
    Gone,
    /// It leaves then, after so many tries that failed.
    Leaves(Timestamp, i64),
    /// It waits to be let go.
    Held,
}

/// What every body of an event says.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
    reference: String,
}

/// Everything that the page shows.
pub fn overview(cx: &mut ReadCx<'_>, _query: &()) -> Result<Overview, SandboxError> {
    let tenant = cx.caller.tenant;
    let mut payments = Vec::new();
    for session in sql::recent(cx.tx, tenant, MOST)? {
        let mut objects = Vec::new();
        for object in rows::of_session(cx.tx, tenant, &session.session)? {
            let told = rows::evidence_of(cx.tx, (tenant, &object.object))?;
            objects.push((object, told.last().map(|one| one.taken_at)));
        }
        payments.push((session, objects));
    }
    let held = rows::held(cx.tx, tenant)?;
    Ok(Overview {
        payments,
        payouts: payouts::recent(cx.tx, tenant, MOST_EVENTS)?,
        events: events(cx, &held)?,
        mode: rows::mode(cx.tx, tenant)?,
        held: held.len(),
    })
}

fn events(cx: &mut ReadCx<'_>, held: &[String]) -> Result<Vec<Told>, SandboxError> {
    let tenant = cx.caller.tenant;
    let jobs = queue::sql::undone(cx.tx, tenant, (DELIVER_JOB, MOST_WAITING))?;
    let waiting: Vec<_> = jobs
        .into_iter()
        .filter_map(|(payload, at, tries)| {
            let payload: DeliverPayload = serde_json::from_str(&payload).ok()?;
            Some((payload.event, at, tries))
        })
        .collect();
    let found = sql::recent_events(cx.tx, tenant, MOST_EVENTS)?;
    let told = found.into_iter().filter_map(|(event, body, at)| {
        let head: Head = serde_json::from_str(&body).ok()?;
        let leaves = waiting.iter().find(|(name, ..)| *name == event);
        let way = match leaves {
            Some((_, at, tries)) => Way::Leaves(*at, *tries),
            None if held.contains(&event) => Way::Held,
            None => Way::Gone,
        };
        Some(Told {
            kind: head.kind,
            reference: head.reference,
            event,
            at,
            way,
        })
    });
    Ok(told.collect())
}
