//! Usage reports: how often a customer wants to hear of their usage, and the job that tells them.
//!
//! The job records a fact; `notify` makes it a mail, once.

use super::model::{BillingError, boundary};
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use mintreu::Timestamp;
use mintreu::id::AccountId;
use serde::{Deserialize, Serialize};

/// The job that tells a customer of their usage.
pub const REPORT_JOB: &str = "billing.send_usage_reports";

/// The fact that a report is due; its subject is the account and the instant.
pub const REPORT_FACT: &str = "usage.report_due";

const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cadence {
    /// Not at all.
    Never,
    /// Every seven days.
    Weekly,
    /// Every month, on the day it began.
    Monthly,
}

impl Cadence {
    /// As stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// Reads what [`Cadence::name`] wrote.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Never, Self::Weekly, Self::Monthly]
            .into_iter()
            .find(|cadence| cadence.name() == name)
    }

    /// The first report after `now` of those that began at `anchor`.
    pub fn next(self, anchor: Timestamp, now: Timestamp) -> mintreu::Result<Option<Timestamp>> {
        let passed = now.since_ms(anchor).max(0);
        match self {
            Self::Never => Ok(None),
            Self::Weekly => {
                let weeks = passed / WEEK_MS + 1;
                Ok(Some(anchor.plus_ms(weeks.saturating_mul(WEEK_MS))))
            }
            Self::Monthly => {
                // No month is longer than 31 days, so this is never too many.
                let mut months = passed / (31 * WEEK_MS / 7) + 1;
                while boundary(anchor, months)? <= now {
                    months += 1;
                }
                boundary(anchor, months).map(Some)
            }
        }
    }
}

/// An account's wish, and when it is due next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preference {
    /// How often.
    pub cadence: Cadence,
    /// Counted from here.
    pub anchor: Timestamp,
    /// The next report.
    pub next_at: Option<Timestamp>,
}

impl Preference {
    fn from_now(cadence: Cadence, now: Timestamp) -> mintreu::Result<Self> {
        Ok(Self {
            cadence,
            anchor: now,
            next_at: cadence.next(now, now)?,
        })
    }
}

/// The payload of [`REPORT_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendUsageReports {
    account: String,
    at: i64,
}

/// A customer with a plan hears of it every month, until they say otherwise.
pub(super) fn begin(cx: &mut Cx<'_>, account: AccountId) -> Result<(), BillingError> {
    let preference = Preference::from_now(Cadence::Monthly, cx.now)?;
    match sql::reports::insert(cx.tx, (cx.caller.tenant, account), &preference)? {
        true => plan_next(cx, account, preference.next_at),
        false => Ok(()),
    }
}

fn plan_next(
    cx: &mut Cx<'_>,
    account: AccountId,
    next: Option<Timestamp>,
) -> Result<(), BillingError> {
    let Some(next) = next else {
        return Ok(());
    };
    let job = SendUsageReports {
        account: account.to_string(),
        at: next.ms(),
    };
    crate::queue::enqueue(cx, REPORT_JOB, &job, next)?;
    Ok(())
}

/// Tells that a report is due, and plans the next. A job that another wish has overtaken does
/// nothing; after a pause of months one report is due, not several.
pub fn send_usage_reports(cx: &mut Cx<'_>, job: &SendUsageReports) -> Result<(), BillingError> {
    let account = AccountId::parse(&job.account);
    let account = account.map_err(|e| BillingError::Payload(e.to_string()))?;
    let owner = (cx.caller.tenant, account);
    let found = sql::reports::find(cx.tx, owner)?;
    let due = |preference: &Preference| preference.next_at.map(Timestamp::ms) == Some(job.at);
    let Some(preference) = found.filter(due) else {
        return Ok(());
    };
    let subject = format!("{account}@{}", job.at);
    crate::events::record(cx, REPORT_FACT, &subject, &())?;
    let next_at = preference.cadence.next(preference.anchor, cx.now)?;
    let preference = Preference {
        next_at,
        ..preference
    };
    sql::reports::set(cx.tx, owner, &preference)?;
    plan_next(cx, account, next_at)
}

/// Says how often the caller wants to hear of their usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WishReports {
    /// How often.
    pub cadence: Cadence,
}

impl Command for WishReports {
    const NAME: &'static str = "billing.wish_reports";
    const CAPABILITY: Capability = Capability::Buy;
}

/// Counted anew from now; the same wish again changes nothing.
pub fn wish_reports(cx: &mut Cx<'_>, wish: &WishReports) -> Result<Preference, BillingError> {
    let account = cx.caller.account.ok_or(BillingError::NotFound)?;
    let owner = (cx.caller.tenant, account);
    let found = sql::reports::find(cx.tx, owner)?;
    if let Some(known) = found.filter(|known| known.cadence == wish.cadence) {
        return Ok(known);
    }
    let preference = Preference::from_now(wish.cadence, cx.now)?;
    sql::reports::set(cx.tx, owner, &preference)?;
    plan_next(cx, account, preference.next_at)?;
    Ok(preference)
}

/// Asks how often the caller hears of their usage.
#[derive(Debug, Clone, Copy)]
pub struct MyReports;

/// The caller's wish; nobody signed in has none.
pub fn my_reports(
    cx: &mut ReadCx<'_>,
    _query: &MyReports,
) -> Result<Option<Preference>, BillingError> {
    match cx.caller.account {
        Some(account) => Ok(sql::reports::find(cx.tx, (cx.caller.tenant, account))?),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let parsed: jiff::Timestamp = text.parse().expect("an instant");
        Timestamp::from_ms(parsed.as_millisecond())
    }

    #[test]
    fn reports_come_on_their_day_and_once_after_a_pause() {
        let anchor = at("2026-01-31T08:00:00Z");
        for (cadence, now, expected) in [
            (
                Cadence::Weekly,
                "2026-01-31T08:00:00Z",
                "2026-02-07T08:00:00Z",
            ),
            (
                Cadence::Weekly,
                "2026-02-07T08:00:00Z",
                "2026-02-14T08:00:00Z",
            ),
            (
                Cadence::Weekly,
                "2026-03-01T00:00:00Z",
                "2026-03-07T08:00:00Z",
            ),
            (
                Cadence::Monthly,
                "2026-01-31T08:00:00Z",
                "2026-02-28T08:00:00Z",
            ),
            (
                Cadence::Monthly,
                "2026-02-28T08:00:00Z",
                "2026-03-31T08:00:00Z",
            ),
            (
                Cadence::Monthly,
                "2026-07-15T08:00:00Z",
                "2026-07-31T08:00:00Z",
            ),
            (
                Cadence::Monthly,
                "2036-07-15T08:00:00Z",
                "2036-07-31T08:00:00Z",
            ),
        ] {
            let next = cadence.next(anchor, at(now)).expect("an instant");
            assert_eq!(next, Some(at(expected)), "{cadence:?} after {now}");
        }
        assert_eq!(Cadence::Never.next(anchor, anchor), Ok(None));
    }
}
