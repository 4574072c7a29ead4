//! What sellers and the owner see.

use super::model::{Payout, PayoutError, Run, SellerState, Setting, Skip, Verdict, verdict};
use super::{runs, sql};
use crate::app::ReadCx;
use crate::caller::Capability;
use crate::domains::invoicing::{Parties, Party};
use crate::domains::ledger::{
    self, AccountKind, After, Candidate, Closing, Held, LedgerError, Movement,
};
use crate::domains::orders;
use crate::domains::{accounts, catalog, invoicing};
use crate::store::StoreError;
use mintreu::id::{AccountId, OrderLineId, PayoutId, PayoutRunId};
use mintreu::{Currency, Money, Timestamp};
use std::collections::BTreeMap;

/// Most payouts of one page.
const MAX_PAGE: i64 = 100;
/// Most payouts and most notes shown of one run.
const MAX_OF_RUN: i64 = 500;
/// Notes shown to a seller.
const MAX_NOTES: i64 = 20;

/// What a seller has in one currency. Amounts are the seller's: what they owe is below zero.
#[derive(Debug, Clone)]
pub struct BalanceView {
    /// Releasable; below zero when the seller owes.
    pub available: Money,
    /// Earned and not releasable yet.
    pub held: Money,
    /// In payouts that the provider has not confirmed.
    pub in_transit: Money,
    /// What is held, until when and why, the next to be released first; at most a hundred.
    pub holds: Vec<Held>,
    /// What the seller wants.
    pub setting: Option<Setting>,
    /// Whether the seller may refund without the platform.
    pub may_refund: bool,
}

/// Everything about a seller's balances.
#[derive(Debug, Clone)]
pub struct SellerBalances {
    /// A view a currency.
    pub balances: Vec<BalanceView>,
    /// What the platform says.
    pub state: SellerState,
    /// Why runs passed over them, newest first.
    pub notes: Vec<Skip>,
}

fn account(cx: &ReadCx<'_>) -> Result<AccountId, PayoutError> {
    cx.caller.account.ok_or(PayoutError::NotFound)
}

fn must_own(cx: &ReadCx<'_>) -> Result<(), PayoutError> {
    let signed_in = cx.caller.account.is_some();
    let capability = Capability::Administer;
    match cx.caller.may(capability) {
        true => Ok(()),
        false => Err(crate::caller::Denied {
            capability,
            signed_in,
        }
        .into()),
    }
}

/// The caller's own balances.
pub fn balances(cx: &mut ReadCx<'_>, _: &()) -> Result<SellerBalances, PayoutError> {
    let (tenant, seller) = (cx.caller.tenant, account(cx)?);
    let stored = ledger::seller_balances(cx, &seller)?;
    let settings = sql::settings::all(cx.tx, (tenant, seller))?;
    let of_money = stored.iter().map(|balance| balance.amount.currency());
    let of_wishes = settings.iter().map(|setting| setting.currency);
    let mut currencies: Vec<Currency> = of_money.chain(of_wishes).collect();
    currencies.sort_by(|a, b| a.code().cmp(b.code()));
    currencies.dedup();
    let mut views = Vec::with_capacity(currencies.len());
    for currency in currencies {
        let of = |kind: AccountKind| {
            let found = stored
                .iter()
                .find(|one| one.kind == kind && one.amount.currency() == currency);
            found.map_or(Money::zero(currency), |one| one.amount)
        };
        let setting = settings.iter().find(|one| one.currency == currency);
        views.push(BalanceView {
            available: of(AccountKind::SellerReleasable),
            held: of(AccountKind::SellerHeld)
                .checked_add(of(AccountKind::AffiliatePayable))
                .map_err(LedgerError::from)?,
            in_transit: of(AccountKind::PayoutsInTransit),
            holds: ledger::held(cx.tx, tenant, Candidate { seller, currency })?,
            setting: setting.cloned(),
            may_refund: ledger::may_refund(cx.tx, tenant, seller, currency)?,
        });
    }
    Ok(SellerBalances {
        balances: views,
        state: sql::settings::seller(cx.tx, tenant, seller)?,
        notes: sql::runs::skips_of_seller(cx.tx, (tenant, seller), MAX_NOTES)?,
    })
}

/// Asks for the caller's payouts, newest first.
#[derive(Debug, Clone, Copy)]
pub struct MyPayouts {
    /// Only older ones: where the last page ended.
    pub before: Option<PayoutId>,
    /// At most so many, 1 to 100.
    pub limit: i64,
}

/// The payouts, and where the list goes on.
pub fn my_payouts(
    cx: &mut ReadCx<'_>,
    query: &MyPayouts,
) -> Result<(Vec<Payout>, Option<PayoutId>), PayoutError> {
    let owner = (cx.caller.tenant, account(cx)?);
    let limit = query.limit.clamp(1, MAX_PAGE);
    let before = query.before.unwrap_or(PayoutId::from_bytes([0xff; 16]));
    let mut found = sql::payouts::of_seller(cx.tx, owner, before, limit + 1)?;
    let more = found.len() as i64 > limit;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| last.id);
    Ok((found, next))
}

/// Asks for one payout.
#[derive(Debug, Clone, Copy)]
pub struct PayoutQuery {
    /// Which.
    pub payout: PayoutId,
}

/// A payout, for its seller and the owner; to others it doesn't exist.
pub fn payout(cx: &mut ReadCx<'_>, query: &PayoutQuery) -> Result<Payout, PayoutError> {
    let found = sql::payouts::find(cx.tx, cx.caller.tenant, query.payout)?;
    let may_see = |payout: &Payout| {
        cx.caller.account == Some(payout.seller) || cx.caller.may(Capability::Administer)
    };
    found.filter(may_see).ok_or(PayoutError::NotFound)
}

/// Asks for a page of a payout's statement.
#[derive(Debug, Clone, Copy)]
pub struct StatementQuery {
    /// Which payout's.
    pub payout: PayoutId,
    /// Where the page before ended.
    pub after: Option<After>,
}

/// A line of a statement.
#[derive(Debug, Clone)]
pub struct Line {
    /// The entry.
    pub movement: Movement,
    /// The order that it came of, when it came of one.
    pub order: Option<String>,
}

/// A page of a statement. Opening balance and all movements add up to the closing balance.
#[derive(Debug, Clone)]
pub struct StatementPage {
    /// The payout.
    pub payout: Payout,
    /// Opening and closing balance.
    pub closing: Closing,
    /// Oldest first.
    pub lines: Vec<Line>,
    /// Where it goes on.
    pub next: Option<After>,
}

/// The statement, from the closed set of entries alone.
pub fn statement(
    cx: &mut ReadCx<'_>,
    query: &StatementQuery,
) -> Result<StatementPage, PayoutError> {
    let tenant = cx.caller.tenant;
    let found = payout(
        cx,
        &PayoutQuery {
            payout: query.payout,
        },
    )?;
    let reference = found.id.to_string();
    let closing = ledger::closing(cx.tx, tenant, &reference)?;
    let closing = closing.ok_or(PayoutError::Ledger(LedgerError::NotFound))?;
    let movements = ledger::movements(cx.tx, tenant, &reference, query.after)?;
    let full = movements.len() as i64 == ledger::MAX_MOVEMENTS;
    let next = movements.last().filter(|_| full).map(Movement::after);
    let mut lines = Vec::with_capacity(movements.len());
    for movement in movements {
        let order = match OrderLineId::parse(movement.reference.trim_end_matches(":affiliate")) {
            Ok(line) => orders::of_line(cx.tx, tenant, line)?.map(|order| order.to_string()),
            Err(_) => Some(movement.reference.clone()).filter(|text| text.starts_with("ord_")),
        };
        lines.push(Line { movement, order });
    }
    Ok(StatementPage {
        payout: found,
        closing,
        lines,
        next,
    })
}

/// Who bills by a payout's statement, and for whom, as it stood when the statement was closed.
pub fn statement_parties(cx: &mut ReadCx<'_>, query: &PayoutQuery) -> Result<Parties, PayoutError> {
    let found = payout(cx, query)?;
    let issuer = invoicing::issuer_at(cx, found.created_at)?;
    let seller = accounts::find_account(cx, &found.seller);
    let seller = seller.map_err(|error| StoreError::shape(error.to_string()))?;
    let buyer = seller.map(|seller| Party {
        name: seller.name,
        email: seller.email.as_str().to_owned(),
        ..Party::default()
    });
    Ok(Parties {
        issuer,
        buyer,
        open: false,
    })
}

/// Asks what a run would do now.
#[derive(Debug, Clone, Copy)]
pub struct PreviewQuery {
    /// Behind this seller and currency.
    pub after: Option<Candidate>,
}

/// What a run would do for a seller and currency.
#[derive(Debug, Clone)]
pub struct PreviewLine {
    /// For whom.
    pub candidate: Candidate,
    /// All that is releasable.
    pub balance: Money,
    /// What it would do.
    pub verdict: Verdict,
}

/// Who would get what, and who wouldn't and why, by the rule that runs use.
pub fn preview(
    cx: &mut ReadCx<'_>,
    query: &PreviewQuery,
) -> Result<(Vec<PreviewLine>, Option<Candidate>), PayoutError> {
    must_own(cx)?;
    let (tenant, now) = (cx.caller.tenant, cx.now);
    let page = ledger::candidates(cx.tx, tenant, query.after, MAX_PAGE)?;
    let next = page
        .last()
        .copied()
        .filter(|_| page.len() as i64 == MAX_PAGE);
    let mut lines = Vec::with_capacity(page.len());
    for candidate in page {
        let standing = runs::standing(cx.tx, tenant, candidate, now)?;
        let verdict = verdict(&standing);
        if verdict != Verdict::Nothing {
            lines.push(PreviewLine {
                candidate,
                balance: standing.balance,
                verdict,
            });
        }
    }
    Ok((lines, next))
}

/// Asks for the newest runs.
pub fn runs(cx: &mut ReadCx<'_>, before: &Option<PayoutRunId>) -> Result<Vec<Run>, PayoutError> {
    must_own(cx)?;
    let before = before.unwrap_or(PayoutRunId::from_bytes([0xff; 16]));
    Ok(sql::runs::list(cx.tx, cx.caller.tenant, before, MAX_PAGE)?)
}

/// Asks for one run.
#[derive(Debug, Clone, Copy)]
pub struct RunQuery {
    /// Which.
    pub run: PayoutRunId,
}

/// What a run did: its payouts and notes, at most five hundred of each.
#[derive(Debug, Clone)]
pub struct RunView {
    /// The run.
    pub run: Run,
    /// What it paid.
    pub payouts: Vec<Payout>,
    /// Whom it passed over, and why.
    pub skips: Vec<Skip>,
}

/// What a run did.
pub fn run(cx: &mut ReadCx<'_>, query: &RunQuery) -> Result<RunView, PayoutError> {
    must_own(cx)?;
    let tenant = cx.caller.tenant;
    let found = sql::runs::find(cx.tx, tenant, query.run)?;
    Ok(RunView {
        run: found.ok_or(PayoutError::NotFound)?,
        payouts: sql::payouts::of_run(cx.tx, tenant, query.run, MAX_OF_RUN)?,
        skips: sql::runs::skips_of_run(cx.tx, tenant, query.run, MAX_OF_RUN)?,
    })
}

/// Asks what to call those who are paid, or would be.
#[derive(Debug, Clone)]
pub struct Payees {
    /// At most a thousand.
    pub accounts: Vec<AccountId>,
}

/// The name of each: the shop's, and of who has none, such as an affiliate, the person's.
pub fn payees(
    cx: &mut ReadCx<'_>,
    query: &Payees,
) -> Result<BTreeMap<AccountId, String>, PayoutError> {
    must_own(cx)?;
    let tenant = cx.caller.tenant;
    let mut names = BTreeMap::new();
    for account in query.accounts.iter().take(1_000) {
        if names.contains_key(account) {
            continue;
        }
        let name = match catalog::seller(cx.tx, tenant, *account)? {
            Some(shop) => Some(shop.name),
            None => accounts::name_of(cx.tx, tenant, *account)?,
        };
        names.extend(name.map(|name| (*account, name)));
    }
    Ok(names)
}

/// The instant that a list of movements goes on behind, as text, and back.
pub fn after_of(at: Timestamp, entry: [u8; 16]) -> After {
    (at, mintreu::id::LedgerEntryId::from_bytes(entry))
}
