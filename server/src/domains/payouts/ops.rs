//! What sellers and the owner decide about payouts.

use super::model::{PayoutError, Setting, State, WriteOff, parse_destination, parse_reason};
use super::{flow, runs, sql};
use crate::app::{Command, Cx};
use crate::caller::{Capability, Denied};
use crate::domains::ledger::{self, Account, AccountKind, Balanced, Candidate, Posting, Reason};
use mintreu::id::{AccountId, PayoutId, WriteOffId};
use mintreu::{Currency, Money};
use serde::{Deserialize, Serialize};

/// A seller or an affiliate says where their money of one currency goes.
#[derive(Debug, Clone)]
pub struct SetSettings {
    /// Of which currency.
    pub currency: Currency,
    /// Who sends the money here, if anybody does.
    pub provider: Option<&'static str>,
    /// The provider's name of the seller's account.
    pub destination: String,
    /// Less than this isn't paid out; `None` for the least.
    pub threshold_minor: Option<i64>,
    /// None for now.
    pub paused: bool,
}

impl Command for SetSettings {
    const NAME: &'static str = "payouts.set_settings";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.currency.code().to_owned())
    }
}

/// The seller behind the call.
fn seller(cx: &Cx<'_>) -> Result<AccountId, PayoutError> {
    let missing = Denied {
        capability: Capability::Buy,
        signed_in: false,
    };
    Ok(cx.caller.account.ok_or(missing)?)
}

/// A million of the least: more is a slip of the finger.
const MOST_OF_LEAST: i64 = 1_000_000;

/// Keeps what the seller wants, and sees to it that this shop has weekly runs.
pub fn set_settings(cx: &mut Cx<'_>, cmd: &SetSettings) -> Result<Setting, PayoutError> {
    let seller = seller(cx)?;
    let least = ledger::least(cmd.currency);
    let threshold = cmd.threshold_minor.unwrap_or(least.minor());
    if threshold < least.minor() || threshold / MOST_OF_LEAST > least.minor() {
        return Err(PayoutError::Threshold { least });
    }
    let setting = Setting {
        currency: cmd.currency,
        provider: cmd.provider.ok_or(PayoutError::NoProvider)?.to_owned(),
        destination: parse_destination(&cmd.destination)?,
        threshold: Money::new(threshold, cmd.currency),
        paused: cmd.paused,
    };
    sql::settings::put(cx.tx, (cx.caller.tenant, seller), &setting, cx.now)?;
    runs::plan_weekly(cx)?;
    Ok(setting)
}

/// What the owner says of a seller; what is `None` stays.
#[derive(Debug, Clone)]
pub struct SetSeller {
    /// Of whom.
    pub seller: AccountId,
    /// The platform knows who they are, or no longer.
    pub verified: Option<bool>,
    /// Why their payouts are held; an empty text ends that.
    pub pause: Option<String>,
}

impl Command for SetSeller {
    const NAME: &'static str = "payouts.set_seller";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.seller.to_string())
    }
}

/// Keeps it.
pub fn set_seller(cx: &mut Cx<'_>, cmd: &SetSeller) -> Result<(), PayoutError> {
    let tenant = cx.caller.tenant;
    let mut state = sql::settings::seller(cx.tx, tenant, cmd.seller)?;
    match cmd.verified {
        Some(true) => state.verified_at = state.verified_at.or(Some(cx.now)),
        Some(false) => state.verified_at = None,
        None => {}
    }
    match cmd.pause.as_deref().map(str::trim) {
        Some("") => state.paused = None,
        Some(reason) => state.paused = Some(parse_reason(reason)?),
        None => {}
    }
    sql::settings::put_seller(cx.tx, (tenant, cmd.seller), &state, cx.now)?;
    Ok(())
}

/// The owner bears a seller's debt of one currency.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WriteOffDebt {
    /// The text of the seller's id.
    pub seller: String,
    /// ISO 4217.
    pub currency: String,
    /// Why, 1 to 500 characters.
    pub reason: String,
}

impl Command for WriteOffDebt {
    const NAME: &'static str = "payouts.write_off";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.seller.clone())
    }
}

/// Brings a releasable balance that is below zero to zero, and the platform bears it.
pub fn write_off(cx: &mut Cx<'_>, cmd: &WriteOffDebt) -> Result<WriteOff, PayoutError> {
    let seller = AccountId::parse(&cmd.seller).map_err(|_| PayoutError::NotFound)?;
    let currency = Currency::parse(&cmd.currency).map_err(|_| PayoutError::NotFound)?;
    let reason = parse_reason(&cmd.reason)?;
    let candidate = Candidate { seller, currency };
    let standing = ledger::due(cx.tx, cx.caller.tenant, candidate, cx.now)?;
    if standing.balance.minor() >= 0 {
        return Err(PayoutError::NoDebt);
    }
    let debt = standing
        .balance
        .checked_neg()
        .map_err(ledger::LedgerError::from)?;
    let new = WriteOff {
        id: cx.make_id(WriteOffId::from_bytes),
        seller,
        amount: debt,
        reason,
    };
    let postings = vec![
        Posting {
            account: Account::platform(AccountKind::WriteOff),
            amount: debt,
        },
        Posting {
            account: Account::of(AccountKind::SellerReleasable, seller),
            amount: standing.balance,
        },
    ];
    let reference = new.id.to_string();
    let key = format!("write_off:{reference}");
    let balanced = Balanced::new(key, Reason::WriteOff, reference, postings)?;
    ledger::post(cx, &balanced)?;
    sql::settings::insert_write_off(cx, &new)?;
    Ok(new)
}

/// The owner has a payout asked for again: for one whose job was given up.
#[derive(Debug, Clone, Copy)]
pub struct RetryPayout {
    /// Which.
    pub payout: PayoutId,
}

impl Command for RetryPayout {
    const NAME: &'static str = "payouts.retry";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.payout.to_string())
    }
}

/// Queues the sending once more; the provider knows the payout by its id and sends it once.
pub fn retry_payout(cx: &mut Cx<'_>, cmd: &RetryPayout) -> Result<State, PayoutError> {
    let found = sql::payouts::find(cx.tx, cx.caller.tenant, cmd.payout)?;
    let payout = found.ok_or(PayoutError::NotFound)?;
    if !payout.state.is_under_way() {
        return Err(PayoutError::Ended);
    }
    flow::enqueue_send(cx, payout.id)?;
    Ok(payout.state)
}
