//! Another address of an account. Its owner asks for it with the password; a link in a mail to the new
//! address confirms it; the old address is told, and can stop it or, for three days, take it back.
//!
//! Nothing but the address changes: orders, licenses, subscriptions and payment methods are the
//! account's. Links follow from the round and the server's key, so that a mail can be made at any time
//! and nothing that opens anything is stored.
//!
//! Invariants
//! * Until its link was used nothing has changed; a link is used once, for a day, and only the newest.
//! * Whoever asks never learns whether another account has the address: only its mailbox does.
//! * What an old mailbox stops ends every session, for somebody else had the password.
//! * Addresses that an account had are kept, so that what is refused to one isn't allowed to the next.

mod sql;

use super::model::{AccountError, Email};
use super::ops::email_of;
use super::sql as accounts;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::custody::Custody;
use crate::events;
use crate::store::{StoreError, Tx};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::Timestamp;
use mintreu::id::{AccountId, TenantId};
use subtle::ConstantTimeEq;

/// The fact that another address was asked for: a link goes to it.
pub const ASKED_FACT: &str = "account.address_asked";
/// The same, for the address that the account has.
pub const NOTICE_FACT: &str = "account.address_noticed";
/// The fact that an account has another address: its old one hears so.
pub const CHANGED_FACT: &str = "account.address_changed";
/// The fact that a customer is reached otherwise, for those who sold them something.
pub const CUSTOMER_FACT: &str = "customer.updated";

/// How long a link confirms: a day.
pub const OPEN_MS: i64 = 24 * 60 * 60 * 1000;
/// How long the old address takes it back: three days.
pub const UNDO_MS: i64 = 3 * OPEN_MS;

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeState {
    /// It waits for its link.
    Open,
    /// The account has the new address.
    Confirmed,
    /// Stopped, or another was asked for.
    Stopped,
    /// The old address took it back.
    Undone,
}

impl ChangeState {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Confirmed => "confirmed",
            Self::Stopped => "stopped",
            Self::Undone => "undone",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Open, Self::Confirmed, Self::Stopped, Self::Undone]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// A change of address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressChange {
    /// Whose.
    pub account: AccountId,
    /// The how manieth of the account.
    pub round: i64,
    /// What it had then.
    pub old: Email,
    /// What it shall have.
    pub new: Email,
    /// Since when.
    pub asked_at: Timestamp,
    /// Until when its link confirms.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: ChangeState,
    /// Since when it stands there.
    pub decided_at: Option<Timestamp>,
}

impl AddressChange {
    /// Whether its link confirms now.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == ChangeState::Open && now < self.expires_at
    }
}

/// What a link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Confirms the new address.
    Confirm,
    /// "That was not me."
    Stop,
}

/// The secret of a link: whose, of which round, and a keyed hash of both.
pub fn link(keys: &Custody, tenant: TenantId, of: &AddressChange, what: Link) -> String {
    let mac = mac(keys, tenant, (of.account, of.round), what);
    format!(
        "{}.{}.{}",
        of.account,
        of.round,
        URL_SAFE_NO_PAD.encode(mac)
    )
}

fn mac(keys: &Custody, tenant: TenantId, of: (AccountId, i64), what: Link) -> [u8; 32] {
    let purpose = match what {
        Link::Confirm => "accounts.confirm_address",
        Link::Stop => "accounts.stop_address",
    };
    let round = of.1.to_be_bytes();
    let data = [tenant.as_bytes().as_slice(), of.0.as_bytes(), &round].concat();
    keys.mac(purpose, &data)
}

/// The change that a link is of.
fn linked(cx: &mut Cx<'_>, text: &str, what: Link) -> Result<AddressChange, AccountError> {
    let mut parts = text.trim().splitn(3, '.');
    let account = parts.next().and_then(|text| AccountId::parse(text).ok());
    let round = parts.next().and_then(|text| text.parse::<i64>().ok());
    let given = parts
        .next()
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let of = account.zip(round).ok_or(AccountError::LinkDead)?;
    let right = mac(cx.keys, cx.caller.tenant, of, what);
    let given = given.ok_or(AccountError::LinkDead)?;
    if !bool::from(right.as_slice().ct_eq(&given)) {
        return Err(AccountError::LinkDead);
    }
    let found = sql::find(cx.tx, cx.caller.tenant, of)?;
    found.ok_or(AccountError::LinkDead)
}

/// Asks for another address of the caller's account; the password was checked before.
#[derive(Debug, Clone)]
pub struct AskAddress {
    /// What it shall be.
    pub email: Email,
}

impl Command for AskAddress {
    const NAME: &'static str = "accounts.ask_address";
    const CAPABILITY: Capability = Capability::Buy;
}

/// See [`AskAddress`]: what was asked for before is stopped by it.
pub fn ask_address(cx: &mut Cx<'_>, cmd: &AskAddress) -> Result<AddressChange, AccountError> {
    let account = cx.caller.account.ok_or(AccountError::NotFound)?;
    let tenant = cx.caller.tenant;
    let old = email_of(cx.tx, tenant, account)?.ok_or(AccountError::NotFound)?;
    if old == cmd.email {
        return Err(AccountError::EmailSame);
    }
    sql::stop_open(cx, account)?;
    let before = sql::newest(cx.tx, tenant, account)?;
    let change = AddressChange {
        account,
        round: before.map_or(0, |before| before.round) + 1,
        old,
        new: cmd.email.clone(),
        asked_at: cx.now,
        expires_at: cx.now.plus_ms(OPEN_MS),
        state: ChangeState::Open,
        decided_at: None,
    };
    sql::insert(cx, &change)?;
    tell(cx, ASKED_FACT, &change)?;
    tell(cx, NOTICE_FACT, &change)?;
    Ok(change)
}

fn tell(cx: &mut Cx<'_>, kind: &'static str, of: &AddressChange) -> Result<(), StoreError> {
    let about = serde_json::json!({ "round": of.round });
    events::record(cx, kind, &of.account.to_string(), &about).map(drop)
}

/// Uses a link that went to the new address.
#[derive(Clone)]
pub struct ConfirmAddress {
    /// What the link carries.
    pub token: String,
}

impl Command for ConfirmAddress {
    const NAME: &'static str = "accounts.confirm_address";
    const CAPABILITY: Capability = Capability::Browse;
}

/// See [`ConfirmAddress`]: whoever has the mailbox may, signed in or not.
pub fn confirm_address(cx: &mut Cx<'_>, cmd: &ConfirmAddress) -> Result<(), AccountError> {
    let change = linked(cx, &cmd.token, Link::Confirm)?;
    if !change.is_open(cx.now) {
        return Err(AccountError::LinkDead);
    }
    move_to(cx, &change, &change.new)?;
    sql::decide(cx, &change, ChangeState::Confirmed)?;
    tell(cx, CHANGED_FACT, &change)?;
    Ok(tell(cx, CUSTOMER_FACT, &change)?)
}

/// Moves the account to an address that no other account has.
fn move_to(cx: &mut Cx<'_>, of: &AddressChange, to: &Email) -> Result<(), AccountError> {
    let owner = sql::owner(cx.tx, cx.caller.tenant, to)?;
    if owner.is_some_and(|owner| owner != of.account) {
        return Err(AccountError::EmailTaken);
    }
    match sql::move_to(cx, of.account, to) {
        Ok(true) => Ok(()),
        Ok(false) => Err(AccountError::LinkDead),
        // A race lost against who signs up with it.
        Err(StoreError::Conflict { .. }) => Err(AccountError::EmailTaken),
        Err(error) => Err(error.into()),
    }
}

/// Uses a link that went to the old address: "that was not me".
#[derive(Clone)]
pub struct StopAddress {
    /// What the link carries.
    pub token: String,
}

impl Command for StopAddress {
    const NAME: &'static str = "accounts.stop_address";
    const CAPABILITY: Capability = Capability::Browse;
}

/// See [`StopAddress`]: what is open is stopped, what was confirmed within three days is taken back,
/// with all that was confirmed since, and every session of the account ends. Doing it again changes nothing.
pub fn stop_address(cx: &mut Cx<'_>, cmd: &StopAddress) -> Result<(), AccountError> {
    let change = linked(cx, &cmd.token, Link::Stop)?;
    let undoes = change
        .decided_at
        .is_some_and(|at| cx.now < at.plus_ms(UNDO_MS));
    match change.state {
        ChangeState::Undone => return Ok(()),
        ChangeState::Open => {}
        ChangeState::Stopped if undoes => {}
        ChangeState::Confirmed if undoes => {
            move_to(cx, &change, &change.old)?;
            sql::undo_since(cx, &change)?;
            tell(cx, CUSTOMER_FACT, &change)?;
        }
        ChangeState::Confirmed | ChangeState::Stopped => return Err(AccountError::LinkDead),
    }
    sql::stop_open(cx, change.account)?;
    Ok(sql::end_sessions(cx, change.account)?)
}

/// The caller doesn't want another address after all.
#[derive(Debug, Clone, Copy)]
pub struct LeaveAddress;

impl Command for LeaveAddress {
    const NAME: &'static str = "accounts.leave_address";
    const CAPABILITY: Capability = Capability::Buy;
}

/// See [`LeaveAddress`]; where nothing is open nothing changes.
pub fn leave_address(cx: &mut Cx<'_>, _: &LeaveAddress) -> Result<(), AccountError> {
    let account = cx.caller.account.ok_or(AccountError::NotFound)?;
    Ok(sql::stop_open(cx, account)?)
}

/// Asks where one's own mail goes, and shall go.
#[derive(Debug, Clone, Copy)]
pub struct MyAddress;

/// See [`MyAddress`].
pub fn my_address(
    cx: &mut ReadCx<'_>,
    _: &MyAddress,
) -> Result<(Email, Option<AddressChange>), AccountError> {
    let account = cx.caller.account.ok_or(AccountError::NotFound)?;
    let found = accounts::find(cx.tx, cx.caller.tenant, account)?;
    let newest = sql::newest(cx.tx, cx.caller.tenant, account)?;
    let open = newest.filter(|newest| newest.is_open(cx.now));
    Ok((found.ok_or(AccountError::NotFound)?.email, open))
}

/// A change, for the mail that tells of it.
pub fn address_change(
    tx: &mut dyn Tx,
    tenant: TenantId,
    of: (AccountId, i64),
) -> Result<Option<AddressChange>, StoreError> {
    sql::find(tx, tenant, of)
}

/// Whether an account other than that of the change has its new address.
pub fn is_taken(tx: &mut dyn Tx, tenant: TenantId, of: &AddressChange) -> Result<bool, StoreError> {
    let owner = sql::owner(tx, tenant, &of.new)?;
    Ok(owner.is_some_and(|owner| owner != of.account))
}

/// The addresses that an account had before, the newest first, at most fifty.
pub fn former_addresses(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Vec<Email>, StoreError> {
    sql::former(tx, tenant, account)
}
