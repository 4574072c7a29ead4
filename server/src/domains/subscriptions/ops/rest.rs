//! What becomes of subscriptions while their seller doesn't sell.
//!
//! While the seller is suspended they rest: no period begins, nothing is charged, and what was paid
//! for last goes on working. A license that would end meanwhile is signed again, [`BRIDGE_DAYS`] at a
//! time. When the seller sells again, a period that is over is followed by one that begins then, and
//! what was declined before is tried again. When the account is closed they end with their period.

use super::super::model::{
    DAY_MS, Event, SELLER_CLOSED, Status, Step, Subscription, SubscriptionError, next_status,
};
use super::super::sql;
use super::{Done, end, keep, known, renew, tell};
use crate::app::Cx;
use crate::domains::catalog::{self, Standing};
use crate::domains::licensing;
use crate::queue;
use mintreu::id::{AccountId, SubscriptionId};
use serde::{Deserialize, Serialize};

/// The job that signs the license of a subscription that rests again, before it ends.
pub const BRIDGE_JOB: &str = "subscriptions.bridge";
/// The fact that a subscription rests: its buyer is told once.
pub const RESTS_FACT: &str = "subscription.rests";
/// The fact that it goes on.
pub const GOES_ON_FACT: &str = "subscription.goes_on";
/// The fact that it ends with its period, since its seller gave up selling.
pub const SELLER_CLOSED_FACT: &str = "subscription.seller_closed";

/// Days that a license is signed for at a time while nothing is charged.
const BRIDGE_DAYS: i64 = 30;

/// The payload of [`BRIDGE_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BridgePayload {
    subscription: String,
}

/// Where the seller of a subscription stands.
pub(super) fn standing(cx: &mut Cx<'_>, of: &Subscription) -> Done<Standing> {
    let found = catalog::standing(cx.tx, cx.caller.tenant, of.seller)?;
    Ok(found.map_or(Standing::Active, |(standing, _)| standing))
}

/// Refuses what would charge a buyer while the seller doesn't sell.
pub(super) fn refuse_unless_sold(cx: &mut Cx<'_>, of: &Subscription) -> Done {
    match standing(cx, of)? {
        Standing::Active => Ok(()),
        stopped => Err(SubscriptionError::SellerStopped(stopped)),
    }
}

/// Notes that it rests, and tells its buyer, once.
fn rest(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    if of.rests_since.is_some() {
        return Ok(());
    }
    of.rests_since = Some(cx.now);
    keep(cx, of)?;
    tell(cx, RESTS_FACT, of)
}

/// It would be charged, or stop, and its seller is suspended: it rests, and its license works on.
pub(super) fn hold(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    rest(cx, of)?;
    sign_on(cx, of)
}

/// Signs the license for some more days, and plans to do so again.
fn sign_on(cx: &mut Cx<'_>, of: &Subscription) -> Done {
    let license = licensing::by_id(cx.tx, cx.caller.tenant, of.license)?;
    let license = license.ok_or(SubscriptionError::NotFound)?;
    let until = cx.now.plus_ms(BRIDGE_DAYS * DAY_MS);
    // A free license has no end that could come, and one whose end is later needs none.
    if license.expires_at.is_some_and(|ends| ends < until) {
        let renewal = licensing::Renewal {
            license: of.license,
            expires_at: until,
            grace_secs: of.grace_secs(),
            seats: license.seats,
        };
        licensing::renew(cx, &renewal)?;
    }
    let payload = BridgePayload {
        subscription: of.id.to_string(),
    };
    let name = payload.subscription.clone();
    queue::enqueue_once(cx, BRIDGE_JOB, &name, &payload, until)?;
    Ok(())
}

/// The job: signs on while it rests; whatever went on or ended meanwhile is left alone.
pub fn bridge(cx: &mut Cx<'_>, job: &BridgePayload) -> Done {
    let id = SubscriptionId::parse(&job.subscription);
    let id = id.map_err(|error| SubscriptionError::Payload(error.to_string()))?;
    let of = known(cx, id)?;
    let lives = !matches!(of.status, Status::Canceled | Status::Paused);
    match of.rests_since.is_some() && lives && standing(cx, &of)? == Standing::Suspended {
        true => sign_on(cx, &of),
        false => Ok(()),
    }
}

/// Brings one page of a seller's subscriptions to where the seller stands: those behind `after`, at
/// most `limit`. Answers the last, when there may be more. Doing it again changes nothing.
pub fn follow_seller(
    cx: &mut Cx<'_>,
    seller: AccountId,
    standing: Standing,
    (after, limit): (Option<SubscriptionId>, i64),
) -> Done<Option<SubscriptionId>> {
    let page = sql::of_seller(cx.tx, (cx.caller.tenant, seller), after, limit)?;
    let more = i64::try_from(page.len()) == Ok(limit);
    let last = page.last().map(|of| of.id).filter(|_| more);
    for mut of in page {
        let over = of.status == Status::Canceled;
        match standing {
            Standing::Active => go_on(cx, &mut of)?,
            Standing::Suspended if !over && of.status != Status::Paused => rest(cx, &mut of)?,
            Standing::Closed if !over => end_with_period(cx, &mut of)?,
            _ => {}
        }
    }
    Ok(last)
}

/// Its seller sells again. A period that is over is followed by one from now on, so that nobody pays
/// for the time between; a renewal that was declined before is tried again, its grace begins anew.
fn go_on(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    if of.rests_since.take().is_none() {
        return Ok(());
    }
    if matches!(of.status, Status::PastDue | Status::Incomplete) {
        of.past_due_at = Some(cx.now);
    }
    let over = matches!(of.status, Status::Active | Status::Trialing) && of.until <= cx.now;
    if over {
        (of.anchor, of.until) = (cx.now, cx.now);
    }
    keep(cx, of)?;
    if !matches!(of.status, Status::Canceled | Status::Paused) {
        tell(cx, GOES_ON_FACT, of)?;
    }
    match of.status {
        _ if over => renew::period_over(cx, of),
        Status::PastDue => {
            renew::plan_check(cx, of)?;
            renew::retry_now(cx, of)
        }
        Status::Incomplete => renew::plan_check(cx, of),
        _ => Ok(()),
    }
}

/// Its seller gave up selling: what is paid for goes on until its end, and nothing follows.
fn end_with_period(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    of.rests_since = None;
    let over = of.until <= cx.now;
    match next_status(of.status, of.flags(), Event::CancelAtEnd) {
        Step::Move(_) => end(cx, of, SELLER_CLOSED),
        // It rested: its period was over when the account was closed.
        _ if over => end(cx, of, SELLER_CLOSED),
        Step::Do => {
            of.cancel_wished_at = Some(cx.now);
            keep(cx, of)?;
            tell(cx, "subscription.end_wished", of)?;
            tell(cx, SELLER_CLOSED_FACT, of)
        }
        // Its buyer wished so before.
        Step::Stay | Step::Refuse => keep(cx, of),
    }
}
