//! Runs: who is paid, and who isn't and why.

use super::model::{
    Payout, PayoutError, Run, Sells, Setting, Skip, Standing, State, Verdict, last_friday,
    next_friday, verdict,
};
use super::{flow, sql};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::catalog;
use crate::domains::invoicing;
use crate::domains::ledger::{self, Account, AccountKind, Balanced, Candidate, Posting, Reason};
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, PayoutId, PayoutRunId, TenantId};
use mintreu::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};

/// The job of the weekly run.
pub const WEEKLY_JOB: &str = "payouts.weekly";
/// The job that looks at one page of balances.
pub const CONSIDER_JOB: &str = "payouts.consider";
/// Balances looked at in one commit.
pub(super) const PAGE: i64 = 25;

/// A weekly run; it carries nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WeeklyPayload {}

/// Plans the next weekly run of the caller's tenant, unless one is planned.
pub fn plan_weekly(cx: &mut Cx<'_>) -> Result<(), StoreError> {
    let next = next_friday(cx.now);
    crate::queue::enqueue_once(cx, WEEKLY_JOB, "weekly", &WeeklyPayload {}, next)
}

/// The job: one run for the newest Friday, however late it is and however often it is asked for.
pub fn weekly(cx: &mut Cx<'_>, _: &WeeklyPayload) -> Result<(), PayoutError> {
    let cut_off = last_friday(cx.now);
    begin(cx, &format!("weekly:{}", cut_off.ms()), None, cut_off)?;
    Ok(plan_weekly(cx)?)
}

/// The owner starts a run for all that is releasable now.
#[derive(Debug, Clone, Copy)]
pub struct StartRun;

impl Command for StartRun {
    const NAME: &'static str = "payouts.start_run";
    const CAPABILITY: Capability = Capability::Administer;
}

/// Starts a run; the id's text, so that it can be kept under an idempotency key.
pub fn start_run(cx: &mut Cx<'_>, _: &StartRun) -> Result<String, PayoutError> {
    let id = cx.make_id(PayoutRunId::from_bytes);
    let (by, cut_off) = (cx.caller.account, cx.now);
    let run = begin(cx, &format!("owner:{id}"), by, cut_off)?;
    Ok(run.to_string())
}

/// The owner has a seller paid again whose payout failed or came back: a run of theirs alone.
#[derive(Debug, Clone, Copy)]
pub struct PayAgain {
    /// The payout that didn't arrive.
    pub payout: PayoutId,
}

impl Command for PayAgain {
    const NAME: &'static str = "payouts.pay_again";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.payout.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.payout.to_string()]
    }
}

/// Pays all that is releasable to the payout's seller in its currency, or notes why not, once a
/// failed payout; asking again answers the same run. The money was back in the balance, so a
/// weekly run may have paid it meanwhile: then there is nothing to pay.
pub fn pay_again(cx: &mut Cx<'_>, cmd: &PayAgain) -> Result<PayoutRunId, PayoutError> {
    let tenant = cx.caller.tenant;
    let found = sql::payouts::find(cx.tx, tenant, cmd.payout)?;
    let failed = found.ok_or(PayoutError::NotFound)?;
    if !matches!(
        failed.state,
        State::Failed | State::Returned | State::Reversed
    ) {
        return Err(PayoutError::NotFailed);
    }
    let occasion = format!("again:{}", failed.id);
    if let Some(known) = sql::runs::of_occasion(cx.tx, tenant, &occasion)? {
        return Ok(known);
    }
    let run = Run {
        id: cx.make_id(PayoutRunId::from_bytes),
        started_by: cx.caller.account,
        cut_off: cx.now,
        started_at: cx.now,
        finished_at: None,
    };
    sql::runs::insert(cx.tx, tenant, &occasion, &run)?;
    let candidate = Candidate {
        seller: failed.seller,
        currency: failed.amount.currency(),
    };
    look_at(cx, &run, candidate)?;
    sql::runs::finish(cx.tx, tenant, run.id, cx.now)?;
    Ok(run.id)
}

/// Begins a run, or answers the one that began on this occasion.
fn begin(
    cx: &mut Cx<'_>,
    occasion: &str,
    started_by: Option<AccountId>,
    cut_off: Timestamp,
) -> Result<PayoutRunId, PayoutError> {
    let tenant = cx.caller.tenant;
    if let Some(known) = sql::runs::of_occasion(cx.tx, tenant, occasion)? {
        return Ok(known);
    }
    let run = Run {
        id: cx.make_id(PayoutRunId::from_bytes),
        started_by,
        cut_off,
        started_at: cx.now,
        finished_at: None,
    };
    sql::runs::insert(cx.tx, tenant, occasion, &run)?;
    consider_from(cx, run.id, None)?;
    Ok(run.id)
}

fn consider_from(
    cx: &mut Cx<'_>,
    run: PayoutRunId,
    after: Option<Candidate>,
) -> Result<(), StoreError> {
    let payload = ConsiderPayload {
        run: run.to_string(),
        after: after.map(|after| (after.seller.to_string(), after.currency.code().to_owned())),
    };
    crate::queue::enqueue(cx, CONSIDER_JOB, &payload, cx.now).map(drop)
}

/// The payload of [`CONSIDER_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConsiderPayload {
    /// The run's id.
    pub run: String,
    /// The last seller and currency that were looked at.
    pub after: Option<(String, String)>,
}

impl ConsiderPayload {
    fn after(&self) -> Result<Option<Candidate>, PayoutError> {
        let Some((seller, currency)) = &self.after else {
            return Ok(None);
        };
        Ok(Some(Candidate {
            seller: AccountId::parse(seller).map_err(PayoutError::Payload)?,
            currency: Currency::parse(currency).map_err(PayoutError::Payload)?,
        }))
    }
}

/// The job: looks at one page of balances in one commit, then at the next.
pub fn consider(cx: &mut Cx<'_>, job: &ConsiderPayload) -> Result<(), PayoutError> {
    let tenant = cx.caller.tenant;
    let id = PayoutRunId::parse(&job.run).map_err(PayoutError::Payload)?;
    let run = sql::runs::find(cx.tx, tenant, id)?.ok_or(PayoutError::NotFound)?;
    let page = ledger::candidates(cx.tx, tenant, job.after()?, PAGE)?;
    for candidate in &page {
        look_at(cx, &run, *candidate)?;
    }
    match page.last() {
        Some(last) if page.len() as i64 == PAGE => consider_from(cx, id, Some(*last))?,
        _ => sql::runs::finish(cx.tx, tenant, id, cx.now)?,
    }
    Ok(())
}

fn look_at(cx: &mut Cx<'_>, run: &Run, candidate: Candidate) -> Result<(), PayoutError> {
    let standing = standing(cx.tx, cx.caller.tenant, candidate, run.cut_off)?;
    match verdict(&standing) {
        Verdict::Nothing => Ok(()),
        Verdict::Pay(amount, setting) => make(cx, run, candidate, amount, setting),
        Verdict::Skip(reason) => {
            let skip = Skip {
                run: run.id,
                seller: candidate.seller,
                balance: standing.balance,
                reason,
                noted_at: cx.now,
            };
            Ok(sql::runs::insert_skip(cx.tx, cx.caller.tenant, &skip)?)
        }
    }
}

/// What a run sees of a seller and currency, in whatever transaction.
pub(super) fn standing(
    tx: &mut dyn Tx,
    tenant: TenantId,
    candidate: Candidate,
    cut_off: Timestamp,
) -> Result<Standing, PayoutError> {
    let found = ledger::due(tx, tenant, candidate, cut_off)?;
    let owner = (tenant, candidate.seller);
    Ok(Standing {
        balance: found.balance,
        due: found.due,
        under_way: sql::payouts::is_under_way(tx, owner, candidate.currency)?,
        seller: sql::settings::seller(tx, tenant, candidate.seller)?,
        setting: sql::settings::find(tx, owner, candidate.currency)?,
        sells: Sells::at(cut_off, catalog::standing(tx, tenant, candidate.seller)?),
    })
}

/// Takes the amount out of the balance, closes the statement and queues the sending: one commit.
fn make(
    cx: &mut Cx<'_>,
    run: &Run,
    candidate: Candidate,
    amount: Money,
    setting: Setting,
) -> Result<(), PayoutError> {
    let Candidate { seller, currency } = candidate;
    let payout = Payout {
        id: cx.make_id(PayoutId::from_bytes),
        run: run.id,
        seller,
        amount,
        provider: setting.provider,
        destination: setting.destination,
        state: State::Created,
        statement_number: invoicing::take_number(cx, &format!("SB:{seller}"))?,
        provider_reference: None,
        failure_code: None,
        created_at: cx.now,
        paid_at: None,
        ended_at: None,
    };
    let releasable = Account::of(AccountKind::SellerReleasable, seller);
    let postings = vec![
        Posting {
            account: releasable,
            amount,
        },
        Posting {
            account: Account::of(AccountKind::PayoutsInTransit, seller),
            amount: amount.checked_neg().map_err(ledger::LedgerError::from)?,
        },
    ];
    let reference = payout.id.to_string();
    let key = format!("payout:{reference}");
    let balanced = Balanced::new(key, Reason::Payout, reference.clone(), postings)?;
    ledger::post(cx, &balanced)?;
    ledger::close(cx, releasable, currency, &reference)?;
    sql::payouts::insert(cx.tx, cx.caller.tenant, &payout)?;
    flow::enqueue_send(cx, payout.id)?;
    crate::events::record(cx, "payout.created", &reference, &payout.told())?;
    Ok(())
}
