//! The owner's routes into the books.

use super::explore::{
    AccountBalance, EntriesQuery, EntryView, MAX_ROWS, Of, accounts, entries, trial,
};
use super::{Account, LedgerError};
use crate::app::App;
use crate::problem::Problem;
use crate::wire::{Cursor, Query, Visitor};
use axum::Json;
use axum::extract::State;
use mintreu::Timestamp;
use mintreu::id::{LedgerAccountId, LedgerEntryId, LedgerTransactionId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_trial_balance))
        .routes(routes!(get_accounts))
        .routes(routes!(get_entries))
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::NotFound => Self::not_found("There is no such ledger transaction."),
            LedgerError::Denied(denied) => denied.into(),
            LedgerError::Store(error) => error.into(),
            other => {
                tracing::error!(cause = %other, "the ledger");
                Self::internal()
            }
        }
    }
}

/// The sum of all entries of one currency: zero, or the books are wrong.
#[derive(Serialize, ToSchema)]
pub struct TrialBalanceOut {
    currency: String,
    sum_minor: i64,
    entries: i64,
}

/// The trial balance, a line a currency. For the platform.
#[utoipa::path(get, path = "/v1/ledger/trial-balance", tag = "ledger",
    responses((status = 200, body = Vec<TrialBalanceOut>), (status = 403)))]
async fn get_trial_balance(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<Vec<TrialBalanceOut>>, Problem> {
    let lines = app.read(&visitor.caller, (), trial).await?;
    let lines = lines.into_iter().map(|line| TrialBalanceOut {
        currency: line.sum.currency().code().to_owned(),
        sum_minor: line.sum.minor(),
        entries: line.entries,
    });
    Ok(Json(lines.collect()))
}

/// An account: its kind, whose it is, and its balance.
#[derive(Serialize, ToSchema)]
#[schema(as = LedgerAccountOut)]
pub struct AccountOut {
    ledger_account_id: String,
    /// `psp_clearing`, `seller_held`, `seller_releasable`, `payouts_in_transit` …
    kind: &'static str,
    /// Nobody, for the platform's own.
    owner_id: Option<String>,
    currency: String,
    /// Debits are positive.
    balance_minor: i64,
}

fn owner(account: Account) -> Option<String> {
    account.owner.map(|owner| owner.to_string())
}

impl From<&AccountBalance> for AccountOut {
    fn from(found: &AccountBalance) -> Self {
        Self {
            ledger_account_id: found.id.to_string(),
            kind: found.account.kind.code(),
            owner_id: owner(found.account),
            currency: found.balance.currency().code().to_owned(),
            balance_minor: found.balance.minor(),
        }
    }
}

/// A page of accounts.
#[derive(Serialize, ToSchema)]
pub struct AccountsOut {
    accounts: Vec<AccountOut>,
    next: Option<String>,
}

/// Where a list goes on.
#[derive(Deserialize, IntoParams)]
pub struct AccountsParams {
    /// `next` of the page before.
    after: Option<String>,
}

/// Every ledger account with its balance, in the order of opening. For the platform.
#[utoipa::path(get, path = "/v1/ledger/accounts", tag = "ledger", params(AccountsParams),
    responses((status = 200, body = AccountsOut), (status = 403)))]
async fn get_accounts(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(page): Query<AccountsParams>,
) -> Result<Json<AccountsOut>, Problem> {
    let after = page.after.as_deref().map(LedgerAccountId::parse);
    let found = app
        .read(&visitor.caller, after.transpose()?, accounts)
        .await?;
    let full = found.len() as i64 == MAX_ROWS;
    Ok(Json(AccountsOut {
        accounts: found.iter().map(AccountOut::from).collect(),
        next: found
            .last()
            .filter(|_| full)
            .map(|last| last.id.to_string()),
    }))
}

/// One entry.
#[derive(Serialize, ToSchema)]
pub struct EntryOut {
    ledger_entry_id: String,
    ledger_transaction_id: String,
    /// Why money moved: `sale`, `release`, `payout` …
    reason: String,
    /// What its transaction belongs to.
    reference: String,
    ledger_account_id: String,
    account_kind: &'static str,
    owner_id: Option<String>,
    /// Debits are positive.
    amount_minor: i64,
    currency: String,
    at: i64,
}

impl From<&EntryView> for EntryOut {
    fn from(found: &EntryView) -> Self {
        Self {
            ledger_entry_id: found.id.to_string(),
            ledger_transaction_id: found.transaction.to_string(),
            reason: found.kind.clone(),
            reference: found.reference.clone(),
            ledger_account_id: found.account_id.to_string(),
            account_kind: found.account.kind.code(),
            owner_id: owner(found.account),
            amount_minor: found.amount.minor(),
            currency: found.amount.currency().code().to_owned(),
            at: found.at.ms(),
        }
    }
}

/// A page of entries.
#[derive(Serialize, ToSchema)]
pub struct EntriesOut {
    entries: Vec<EntryOut>,
    next: Option<String>,
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
pub struct EntriesParams {
    /// An account's (`lac_…`), a transaction's (`ltx_…`), or what transactions belong to: an
    /// order's, a line's, an invoice's, a payout's id.
    of: String,
    /// `next` of the page before.
    after: Option<String>,
    /// Entries of this instant and later, in milliseconds since 1970 (UTC).
    from: Option<i64>,
    /// Entries before this instant.
    until: Option<i64>,
}

/// The entries of an account, of a transaction, or of all that belongs to a reference, newest
/// first. For the platform.
#[utoipa::path(get, path = "/v1/ledger/entries", tag = "ledger", params(EntriesParams),
    responses((status = 200, body = EntriesOut), (status = 403)))]
async fn get_entries(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(asked): Query<EntriesParams>,
) -> Result<Json<EntriesOut>, Problem> {
    let account = LedgerAccountId::parse(&asked.of).map(Of::Account);
    let of = account.or_else(|_| LedgerTransactionId::parse(&asked.of).map(Of::Transaction));
    let cursor = asked
        .after
        .as_deref()
        .map(str::parse::<Cursor>)
        .transpose()?;
    let mut query = EntriesQuery::of(of.unwrap_or(Of::Reference(asked.of)));
    query.from = asked.from.map(Timestamp::from_ms);
    if let Some(until) = asked.until {
        query = query.until(Timestamp::from_ms(until));
    }
    if let Some(cursor) = cursor {
        query.before = Some((cursor.at, LedgerEntryId::from_bytes(cursor.id)));
    }
    let found = app.read(&visitor.caller, query, entries).await?;
    let full = found.len() as i64 == MAX_ROWS;
    let next = found.last().filter(|_| full).map(|last| Cursor {
        at: last.at,
        id: *last.id.as_bytes(),
    });
    Ok(Json(EntriesOut {
        entries: found.iter().map(EntryOut::from).collect(),
        next: next.map(|next| next.to_string()),
    }))
}
