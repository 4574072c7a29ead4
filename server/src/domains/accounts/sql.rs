//! The statements of accounts and sessions.

use super::model::{self, Account, Email, Session, SessionInfo};
use crate::app::Cx;
use crate::caller::Role;
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{AccountId, SessionId, TenantId};

const INSERT: &str = "INSERT INTO account
    (account_id, tenant_id, email, email_key, name, password_hash, created_at)
    VALUES (:account, :tenant, :email, :email_key, :name, :password_hash, :now)
    ON CONFLICT (tenant_id, email_key) DO NOTHING";

const FIND: &str = "SELECT account_id, email, name FROM account
    WHERE tenant_id = :tenant AND account_id = :account";

const CREDENTIALS: &str = "SELECT account_id, password_hash FROM account
    WHERE tenant_id = :tenant AND email_key = :email_key AND disabled_at IS NULL";

const ROLES: &str = "SELECT role FROM account_role
    WHERE tenant_id = :tenant AND account_id = :account ORDER BY role";

const GRANT: &str = "INSERT INTO account_role (tenant_id, account_id, role, granted_at)
    VALUES (:tenant, :account, :role, :now)
    ON CONFLICT (tenant_id, account_id, role) DO NOTHING";

// What waits for who runs the platform is told to a few, not to a crowd.
const OWNERS: &str = "SELECT account_role.account_id FROM account_role
    JOIN account ON account.account_id = account_role.account_id
    WHERE account_role.tenant_id = :tenant AND account_role.role = 'admin'
      AND account.disabled_at IS NULL
    ORDER BY account_role.account_id LIMIT 20";

const INSERT_SESSION: &str = "INSERT INTO session (session_id, tenant_id, account_id, token_hash,
    user_agent, created_at, last_used_at, idle_ms, expires_at)
    VALUES (:session, :tenant, :account, :token_hash, :user_agent, :now, :now, :idle_ms, :expires)";

const SESSION_OF_TOKEN: &str = "SELECT session.session_id, session.account_id,
    session.last_used_at, session.idle_ms, session.expires_at, account.email, account.name
    FROM session JOIN account ON account.account_id = session.account_id
    WHERE session.tenant_id = :tenant AND session.token_hash = :token_hash
      AND account.disabled_at IS NULL";

const SESSIONS: &str = "SELECT session_id, user_agent, created_at, last_used_at, idle_ms,
    expires_at FROM session WHERE tenant_id = :tenant AND account_id = :account
    ORDER BY last_used_at DESC, session_id LIMIT 100";

const TOUCH: &str = "UPDATE session SET last_used_at = :now
    WHERE tenant_id = :tenant AND session_id = :session AND last_used_at < :now";

const DELETE_SESSION: &str = "DELETE FROM session
    WHERE tenant_id = :tenant AND account_id = :account AND session_id = :session";

const DELETE_ENDED: &str = "DELETE FROM session WHERE tenant_id = :tenant AND account_id = :account
    AND expires_at <= :now";

const INSERT_LINK: &str = "INSERT INTO one_time_link
    (tenant_id, token_hash, purpose, created_at, expires_at)
    VALUES (:tenant, :token_hash, :purpose, :now, :expires)";

const USE_LINK: &str = "UPDATE one_time_link SET used_at = :now
    WHERE tenant_id = :tenant AND token_hash = :token_hash AND purpose = :purpose
      AND used_at IS NULL AND expires_at > :now";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT,
    FIND,
    CREDENTIALS,
    ROLES,
    GRANT,
    OWNERS,
    INSERT_SESSION,
    SESSION_OF_TOKEN,
    SESSIONS,
    TOUCH,
    DELETE_SESSION,
    DELETE_ENDED,
    INSERT_LINK,
    USE_LINK,
];

type Params = Vec<(&'static str, Value)>;

fn of(tenant: TenantId, account: AccountId) -> Params {
    vec![
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ]
}

/// Inserts an account; false when the address has one.
pub(super) fn insert(
    cx: &mut Cx<'_>,
    account: AccountId,
    email: &Email,
    name: &str,
    password_hash: &str,
) -> Result<bool, StoreError> {
    let mut params = of(cx.caller.tenant, account);
    params.push(("email", email.as_str().into()));
    params.push(("email_key", email.key().into()));
    params.push(("name", name.into()));
    params.push(("password_hash", password_hash.into()));
    params.push(("now", cx.now.into()));
    Ok(cx.tx.execute(INSERT, &params)? == 1)
}

pub(super) fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Option<Account>, StoreError> {
    let row = tx.query_one(FIND, &of(tenant, account))?;
    row.map(|row| account_of(tx, tenant, &row)).transpose()
}

/// Who runs the platform, and may still sign in; the first twenty.
pub(super) fn owners(tx: &mut dyn Tx, tenant: TenantId) -> Result<Vec<AccountId>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into())];
    let rows = tx.query(OWNERS, &params)?;
    let account = |row: &Row| row.id("account_id", AccountId::from_bytes);
    rows.iter().map(account).collect()
}

fn account_of(tx: &mut dyn Tx, tenant: TenantId, row: &Row) -> Result<Account, StoreError> {
    let account_id = row.id("account_id", AccountId::from_bytes)?;
    let mut roles = vec![Role::Customer];
    for row in tx.query(ROLES, &of(tenant, account_id))? {
        let name = row.text("role")?;
        let role = model::role_of(&name);
        roles.push(role.ok_or_else(|| StoreError::shape(format!("{name} is no role")))?);
    }
    let email = Email::parse(&row.text("email")?);
    Ok(Account {
        account_id,
        email: email.map_err(|error| StoreError::Backend(Box::new(error)))?,
        name: row.text("name")?,
        roles,
    })
}

/// The account of an address and its password's hash.
pub(super) fn credentials(
    tx: &mut dyn Tx,
    tenant: TenantId,
    email: &Email,
) -> Result<Option<(AccountId, String)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("email_key", email.key().into()),
    ];
    let Some(row) = tx.query_one(CREDENTIALS, &params)? else {
        return Ok(None);
    };
    let account = row.id("account_id", AccountId::from_bytes)?;
    Ok(Some((account, row.text("password_hash")?)))
}

pub(super) fn grant(cx: &mut Cx<'_>, account: AccountId, role: Role) -> Result<(), StoreError> {
    let name = model::role_name(role);
    let name = name.ok_or_else(|| StoreError::shape(format!("{role:?} can't be granted")))?;
    let mut params = of(cx.caller.tenant, account);
    params.push(("role", name.into()));
    params.push(("now", cx.now.into()));
    cx.tx.execute(GRANT, &params).map(drop)
}

/// A session about to be stored.
pub(super) struct NewSession<'a> {
    pub session: SessionId,
    pub account: AccountId,
    pub token_hash: [u8; 32],
    pub user_agent: &'a str,
    pub idle_ms: i64,
    pub expires_at: Timestamp,
}

pub(super) fn insert_session(cx: &mut Cx<'_>, new: &NewSession<'_>) -> Result<(), StoreError> {
    let mut ended = of(cx.caller.tenant, new.account);
    ended.push(("now", cx.now.into()));
    cx.tx.execute(DELETE_ENDED, &ended)?;
    let mut params = of(cx.caller.tenant, new.account);
    params.push(("session", new.session.as_bytes().into()));
    params.push(("token_hash", new.token_hash.as_slice().into()));
    params.push(("user_agent", new.user_agent.into()));
    params.push(("now", cx.now.into()));
    params.push(("idle_ms", new.idle_ms.into()));
    params.push(("expires", new.expires_at.into()));
    cx.tx.execute(INSERT_SESSION, &params).map(drop)
}

/// The living session behind a token's hash.
pub(super) fn session_of_token(
    tx: &mut dyn Tx,
    tenant: TenantId,
    now: Timestamp,
    token_hash: &[u8; 32],
) -> Result<Option<Session>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("token_hash", token_hash.as_slice().into()),
    ];
    let row = tx.query_one(SESSION_OF_TOKEN, &params)?;
    let Some(row) = row else {
        return Ok(None);
    };
    if !alive(&row, now)? {
        return Ok(None);
    }
    Ok(Some(Session {
        session_id: row.id("session_id", SessionId::from_bytes)?,
        last_used_at: row.at("last_used_at")?,
        account: account_of(tx, tenant, &row)?,
    }))
}

fn alive(row: &Row, now: Timestamp) -> Result<bool, StoreError> {
    let (last_used_at, end) = (row.at("last_used_at")?, row.at("expires_at")?);
    Ok(model::is_alive(now, last_used_at, row.int("idle_ms")?, end))
}

/// The living sessions of an account, the last used first; at most 100.
pub(super) fn sessions(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
    now: Timestamp,
) -> Result<Vec<SessionInfo>, StoreError> {
    let mut found = Vec::new();
    for row in tx.query(SESSIONS, &of(tenant, account))? {
        if alive(&row, now)? {
            found.push(SessionInfo {
                session_id: row.id("session_id", SessionId::from_bytes)?,
                user_agent: row.text("user_agent")?,
                created_at: row.at("created_at")?,
                last_used_at: row.at("last_used_at")?,
            });
        }
    }
    Ok(found)
}

pub(super) fn touch(cx: &mut Cx<'_>, session: SessionId) -> Result<(), StoreError> {
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("session", session.as_bytes().into()),
        ("now", cx.now.into()),
    ];
    cx.tx.execute(TOUCH, &params).map(drop)
}

/// Deletes a session of this account; whether there was one.
pub(super) fn delete_session(
    cx: &mut Cx<'_>,
    account: AccountId,
    session: SessionId,
) -> Result<bool, StoreError> {
    let mut params = of(cx.caller.tenant, account);
    params.push(("session", session.as_bytes().into()));
    Ok(cx.tx.execute(DELETE_SESSION, &params)? == 1)
}

pub(super) fn insert_link(
    cx: &mut Cx<'_>,
    purpose: &str,
    token_hash: [u8; 32],
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let mut params = link_params(cx, purpose, token_hash);
    params.push(("expires", expires_at.into()));
    cx.tx.execute(INSERT_LINK, &params).map(drop)
}

/// Uses a link up; false when it was used, has ended or never was.
pub(super) fn use_link(
    cx: &mut Cx<'_>,
    purpose: &str,
    token_hash: [u8; 32],
) -> Result<bool, StoreError> {
    let params = link_params(cx, purpose, token_hash);
    Ok(cx.tx.execute(USE_LINK, &params)? == 1)
}

fn link_params(cx: &Cx<'_>, purpose: &str, token_hash: [u8; 32]) -> Params {
    vec![
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("token_hash", token_hash.as_slice().into()),
        ("purpose", purpose.into()),
        ("now", cx.now.into()),
    ]
}
