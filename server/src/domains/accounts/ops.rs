//! Use cases of accounts and sessions.

use super::model::{Account, AccountError, Email, Session, SessionInfo};
use super::sql::{self, NewSession};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Role};
use crate::config::SessionsConfig;
use crate::store::{StoreError, Tx};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::id::{AccountId, SessionId, TenantId};

/// What a session token is hashed for.
pub const SESSION_PURPOSE: &str = "session";
const ADMIN_LINK: &str = "admin";
/// How long the first administrator's link lives: an hour.
const ADMIN_LINK_MS: i64 = 60 * 60 * 1000;

/// Makes an account. The password was hashed before.
#[derive(Clone)]
pub struct SignUp {
    /// Where mail goes.
    pub email: Email,
    /// What to call them.
    pub name: String,
    /// An Argon2id PHC string.
    pub password_hash: String,
}

impl Command for SignUp {
    const NAME: &'static str = "accounts.sign_up";
    const CAPABILITY: Capability = Capability::Browse;
}

/// Inserts the account; an address has one a tenant.
pub fn sign_up(cx: &mut Cx<'_>, command: &SignUp) -> Result<AccountId, AccountError> {
    let account = cx.make_id(AccountId::from_bytes);
    let (email, name) = (&command.email, &command.name);
    if !sql::insert(cx, account, email, name, &command.password_hash)? {
        return Err(AccountError::EmailTaken);
    }
    crate::events::record(cx, "account.created", &account.to_string(), &())?;
    Ok(account)
}

/// Opens a session for an account whose password was verified before.
#[derive(Clone)]
pub struct OpenSession {
    /// Whose.
    pub account: AccountId,
    /// The browser or program, as it called itself.
    pub user_agent: String,
    /// How long sessions last.
    pub limits: SessionsConfig,
}

impl Command for OpenSession {
    const NAME: &'static str = "accounts.open_session";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        Some(self.account.to_string())
    }
}

/// Answers the token: shown once, stored as a keyed hash.
pub fn open_session(cx: &mut Cx<'_>, command: &OpenSession) -> Result<String, AccountError> {
    let tenant = cx.caller.tenant;
    let account = sql::find(cx.tx, tenant, command.account)?.ok_or(AccountError::NotFound)?;
    let is_admin = account.roles.contains(&Role::Admin);
    let limits = &command.limits;
    let (idle, absolute) = if is_admin {
        (limits.admin_idle, limits.admin_absolute)
    } else {
        (limits.idle, limits.absolute)
    };
    let token = URL_SAFE_NO_PAD.encode(cx.random::<32>());
    let new = NewSession {
        session: cx.make_id(SessionId::from_bytes),
        account: command.account,
        token_hash: cx.keys.mac(SESSION_PURPOSE, token.as_bytes()),
        user_agent: &shortened(&command.user_agent),
        idle_ms: idle.saturating_mul(1000),
        expires_at: cx.now.plus_ms(absolute.saturating_mul(1000)),
    };
    sql::insert_session(cx, &new)?;
    Ok(token)
}

/// A user agent for a list: 200 characters, nothing that moves a cursor.
fn shortened(user_agent: &str) -> String {
    let printable = user_agent.chars().filter(|c| !c.is_control());
    printable.take(200).collect()
}

/// The living session behind the hash of a token.
pub fn session_of_token(
    cx: &mut ReadCx<'_>,
    token_hash: &[u8; 32],
) -> Result<Option<Session>, AccountError> {
    Ok(sql::session_of_token(
        cx.tx,
        cx.caller.tenant,
        cx.now,
        token_hash,
    )?)
}

/// Records that a session was used.
#[derive(Debug, Clone)]
pub struct TouchSession {
    /// Which.
    pub session: SessionId,
}

impl Command for TouchSession {
    const NAME: &'static str = "accounts.touch_session";
    const CAPABILITY: Capability = Capability::Browse;
    const AUDITED: bool = false;
}

/// Moves the end of idling.
pub fn touch_session(cx: &mut Cx<'_>, command: &TouchSession) -> Result<(), AccountError> {
    Ok(sql::touch(cx, command.session)?)
}

/// Ends one of the caller's sessions: signing out, or another device.
#[derive(Debug, Clone)]
pub struct RevokeSession {
    /// Which.
    pub session: SessionId,
}

impl Command for RevokeSession {
    const NAME: &'static str = "accounts.revoke_session";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.session.to_string())
    }
}

/// Deletes the row; another's session is `NotFound`.
pub fn revoke_session(cx: &mut Cx<'_>, command: &RevokeSession) -> Result<(), AccountError> {
    let account = cx.caller.account.ok_or(AccountError::NotFound)?;
    if sql::delete_session(cx, account, command.session)? {
        return Ok(());
    }
    Err(AccountError::NotFound)
}

/// Asks for the caller's sessions.
#[derive(Debug, Clone)]
pub struct ListSessions;

/// The caller's living sessions, the last used first.
pub fn list_sessions(
    cx: &mut ReadCx<'_>,
    _: &ListSessions,
) -> Result<Vec<SessionInfo>, AccountError> {
    let account = cx.caller.account.ok_or(AccountError::NotFound)?;
    Ok(sql::sessions(cx.tx, cx.caller.tenant, account, cx.now)?)
}

/// Finds one account of the caller's tenant: for other domains that show a name.
pub fn find_account(
    cx: &mut ReadCx<'_>,
    account: &AccountId,
) -> Result<Option<Account>, AccountError> {
    Ok(sql::find(cx.tx, cx.caller.tenant, *account)?)
}

/// Who runs the platform: for those who tell them of what waits for them.
pub fn owners(tx: &mut dyn Tx, tenant: TenantId) -> Result<Vec<AccountId>, StoreError> {
    sql::owners(tx, tenant)
}

/// Where an account's mail goes, inside a command or a query of another domain.
pub fn email_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Option<Email>, StoreError> {
    Ok(sql::find(tx, tenant, account)?.map(|account| account.email))
}

/// What to call that account, when it has a person.
pub fn name_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Option<String>, StoreError> {
    Ok(sql::find(tx, tenant, account)?.map(|account| account.name))
}

/// The caller wants to sell.
#[derive(Debug, Clone)]
pub struct BecomeDeveloper;

impl Command for BecomeDeveloper {
    const NAME: &'static str = "accounts.become_developer";
    const CAPABILITY: Capability = Capability::Buy;
}

/// Grants [`Role::Developer`]; doing it twice is fine.
pub fn become_developer(cx: &mut Cx<'_>, _: &BecomeDeveloper) -> Result<(), AccountError> {
    let account = cx.caller.account.ok_or(AccountError::NotFound)?;
    Ok(sql::grant(cx, account, Role::Developer)?)
}

/// Makes a link that makes whoever uses it an administrator: from the command line.
#[derive(Debug, Clone)]
pub struct MakeAdminLink;

impl Command for MakeAdminLink {
    const NAME: &'static str = "accounts.make_admin_link";
    const CAPABILITY: Capability = Capability::Operate;
}

/// Answers the link's token, which lives for an hour and works once.
pub fn make_admin_link(cx: &mut Cx<'_>, _: &MakeAdminLink) -> Result<String, AccountError> {
    let token = URL_SAFE_NO_PAD.encode(cx.random::<32>());
    let hash = cx.keys.mac(ADMIN_LINK, token.as_bytes());
    let expires_at = cx.now.plus_ms(ADMIN_LINK_MS);
    sql::insert_link(cx, ADMIN_LINK, hash, expires_at)?;
    Ok(token)
}

/// The caller, signed in, uses an administrator's link.
#[derive(Clone)]
pub struct UseAdminLink {
    /// As [`make_admin_link`] answered it.
    pub token: String,
}

impl Command for UseAdminLink {
    const NAME: &'static str = "accounts.use_admin_link";
    const CAPABILITY: Capability = Capability::Buy;
}

/// Grants [`Role::Admin`] and uses the link up in the same commit.
pub fn use_admin_link(cx: &mut Cx<'_>, command: &UseAdminLink) -> Result<(), AccountError> {
    let account = cx.caller.account.ok_or(AccountError::NotFound)?;
    let hash = cx.keys.mac(ADMIN_LINK, command.token.as_bytes());
    if !sql::use_link(cx, ADMIN_LINK, hash)? {
        return Err(AccountError::LinkDead);
    }
    Ok(sql::grant(cx, account, Role::Admin)?)
}
