//! What affiliates are told of what they earn: a mail a day at most, of all that happened.
//!
//! What happens is kept in the commit in which it happens. The job of the next midnight (UTC) adds it
//! up, records one fact that says it all, and forgets it, in one commit: nothing is told twice.

use super::model::line_of;
use super::sql::{news as sql, of_line};
use crate::app::Cx;
use crate::domains::catalog::{self, Standing};
use crate::domains::ledger::{self, AccountKind, ReleasePayload};
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::id::{AccountId, OrderLineId};
use mintreu::{Money, Timestamp};
use serde::{Deserialize, Serialize};

/// The job that tells an affiliate of a day.
pub const DIGEST_JOB: &str = "affiliates.digest";
/// The fact of a day that brought an affiliate something, or took it.
pub const DIGEST_FACT: &str = "affiliate.digest";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What happened to a commission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// A sale was paid; its commission is held.
    Sold,
    /// Its days are over: it is theirs.
    Confirmed,
    /// A refund or a bank took of it.
    TakenBack,
    /// What was taken came back.
    GivenAgain,
}

impl News {
    /// Every kind, in the order in which they are told.
    pub const ALL: [Self; 4] = [
        Self::Sold,
        Self::Confirmed,
        Self::TakenBack,
        Self::GivenAgain,
    ];

    /// As stored and told.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Sold => "sold",
            Self::Confirmed => "confirmed",
            Self::TakenBack => "taken_back",
            Self::GivenAgain => "given_again",
        }
    }
}

/// The payload of [`DIGEST_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DigestPayload {
    /// Whom it is for: the text of an account's id.
    pub affiliate: String,
}

/// What there is of one kind in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The code of a [`News`].
    pub kind: String,
    /// How many lines.
    pub count: i64,
    /// How much in all.
    pub amount: Money,
}

/// Keeps what happened to the commission of a line until the next midnight; `cause` tells apart what may
/// happen to it more than once.
pub(super) fn note(
    cx: &mut Cx<'_>,
    (affiliate, line): (AccountId, OrderLineId),
    (news, cause): (News, &str),
    amount: Money,
) -> Result<(), StoreError> {
    let of = (cx.caller.tenant, affiliate, line);
    sql::insert(cx.tx, of, (news.code(), cause), amount)?;
    let payload = DigestPayload {
        affiliate: affiliate.to_string(),
    };
    let name = payload.affiliate.clone();
    crate::queue::enqueue_once(cx, DIGEST_JOB, &name, &payload, midnight(cx.now))
}

/// The first moment of the next day (UTC).
fn midnight(now: Timestamp) -> Timestamp {
    let today = now.ms().div_euclid(DAY_MS);
    Timestamp::from_ms(today.saturating_add(1).saturating_mul(DAY_MS))
}

/// The job: all that happened since the last becomes one fact.
pub fn digest(cx: &mut Cx<'_>, payload: &DigestPayload) -> Result<(), JobError> {
    let affiliate = AccountId::parse(&payload.affiliate).map_err(JobError::fail)?;
    let of = (cx.caller.tenant, affiliate);
    let sums = sql::sums(cx.tx, of)?;
    if sums.is_empty() {
        return Ok(());
    }
    sql::forget(cx.tx, of)?;
    let told = |sum: &Sum| {
        serde_json::json!({
            "kind": sum.kind,
            "count": sum.count,
            "amount_minor": sum.amount.minor(),
            "currency": sum.amount.currency().code(),
        })
    };
    let news: Vec<_> = sums.iter().map(told).collect();
    let subject = format!("{affiliate}@{}", cx.now.ms());
    let about = serde_json::json!({ "affiliate": payload.affiliate, "news": news });
    crate::events::record(cx, DIGEST_FACT, &subject, &about)?;
    Ok(())
}

/// What an affiliate reads of a commission that is held for longer.
const RESTS: &str = "the seller is suspended; it is released when they sell again";

/// Whether a hold is of a commission, still holds something, and its seller is suspended.
fn rests(cx: &mut Cx<'_>, source: &str) -> Result<bool, StoreError> {
    let Some(line) = line_of(source) else {
        return Ok(false);
    };
    let tenant = cx.caller.tenant;
    let Some(referral) = of_line(cx.tx, tenant, line)? else {
        return Ok(false);
    };
    let held = ledger::hold_of(cx.tx, tenant, source)?;
    let standing = catalog::standing(cx.tx, tenant, referral.seller)?;
    Ok(held.is_some_and(|held| held.state == "held")
        && standing.is_some_and(|(standing, _)| standing == Standing::Suspended))
}

/// The job that ends a hold, a commission's or a seller's: whose commission is theirs now is told.
///
/// A commission of a suspended seller's sale isn't released: it is looked at again a day later.
pub fn release(cx: &mut Cx<'_>, job: &ReleasePayload) -> Result<(), JobError> {
    if rests(cx, &job.source)? {
        ledger::explain(cx, &job.source, RESTS)?;
        crate::queue::enqueue(cx, ledger::RELEASE_JOB, job, cx.now.plus_ms(DAY_MS))?;
        return Ok(());
    }
    let Some((account, amount)) = ledger::release(cx, job)? else {
        return Ok(());
    };
    let of = (account.owner, line_of(&job.source));
    if let (AccountKind::AffiliatePayable, (Some(affiliate), Some(line))) = (account.kind, of)
        && amount.minor() > 0
    {
        note(cx, (affiliate, line), (News::Confirmed, ""), amount)?;
    }
    Ok(())
}
