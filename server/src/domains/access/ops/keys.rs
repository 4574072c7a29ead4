//! A customer's keys: made, renamed, rotated, switched off, deleted.

use super::key_mac;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::access::model::{
    self, AccessError, ApiKey, MAX_KEYS, MAX_OVERLAP_SECS, NewApiKey,
};
use crate::domains::access::sql;
use crate::domains::licensing;
use crate::store::Tx;
use mintreu::Timestamp;
use mintreu::gateway::{Token, TokenKind};
use mintreu::id::{AccountId, ApiKeyId, LicenseId, TenantId};
use mintreu::meter::RateLimit;

/// Makes a key for one's own license.
#[derive(Debug, Clone)]
pub struct CreateApiKey {
    /// Which license.
    pub license: LicenseId,
    /// What to call it.
    pub name: String,
    /// What it may do at most: `100/minute`.
    pub rate: Option<String>,
}

impl Command for CreateApiKey {
    const NAME: &'static str = "access.create_api_key";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.license.to_string())
    }
}

/// Replaces a key's secret; the one before holds on for a while.
#[derive(Debug, Clone)]
pub struct RotateApiKey {
    /// Which key.
    pub key: ApiKeyId,
    /// For how many seconds the secret before still holds, 0 to 30 days.
    pub overlap_secs: i64,
}

impl Command for RotateApiKey {
    const NAME: &'static str = "access.rotate_api_key";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.key.to_string())
    }
}

/// Changes what is given; the rest stays.
#[derive(Debug, Clone)]
pub struct ChangeApiKey {
    /// Which key.
    pub key: ApiKeyId,
    /// Another name.
    pub name: Option<String>,
    /// Another rate; an empty text takes it away.
    pub rate: Option<String>,
    /// On or off.
    pub disabled: Option<bool>,
}

impl Command for ChangeApiKey {
    const NAME: &'static str = "access.change_api_key";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.key.to_string())
    }
}

/// Deletes a key for good.
#[derive(Debug, Clone, Copy)]
pub struct DeleteApiKey {
    /// Which key.
    pub key: ApiKeyId,
}

impl Command for DeleteApiKey {
    const NAME: &'static str = "access.delete_api_key";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.key.to_string())
    }
}

fn own_license(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (id, me): (LicenseId, Option<AccountId>),
) -> Result<(), AccessError> {
    let found = licensing::by_id(tx, tenant, id)?;
    let own = found.is_some_and(|license| me.is_some() && license.owner == me);
    own.then_some(()).ok_or(AccessError::NotFound)
}

fn own_key(cx: &mut Cx<'_>, id: ApiKeyId) -> Result<ApiKey, AccessError> {
    let tenant = cx.caller.tenant;
    let key = sql::key_by_id(cx.tx, tenant, id)?.ok_or(AccessError::NotFound)?;
    own_license(cx.tx, tenant, (key.license, cx.caller.account))?;
    Ok(key)
}

/// A rate as it was written; nothing for an empty text.
fn rate(text: Option<&str>) -> Result<Option<RateLimit>, AccessError> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let rate = text.map(RateLimit::parse).transpose();
    rate.map_err(AccessError::RateMalformed)
}

/// A new secret for a key whose others were ended.
fn give_secret(cx: &mut Cx<'_>, key: &mut ApiKey) -> Result<Token, AccessError> {
    let secret = Token::new(TokenKind::ApiKey, cx.random());
    secret.shown().clone_into(&mut key.shown);
    let kept = (key.id, key_mac(cx.keys, &secret), secret.shown());
    sql::insert_secret(cx.tx, cx.caller.tenant, kept, cx.now)?;
    Ok(secret)
}

/// Makes a key; its secret is in the answer and nowhere else.
pub fn create_api_key(cx: &mut Cx<'_>, cmd: &CreateApiKey) -> Result<NewApiKey, AccessError> {
    let tenant = cx.caller.tenant;
    own_license(cx.tx, tenant, (cmd.license, cx.caller.account))?;
    if sql::count_keys(cx.tx, tenant, cmd.license)? >= MAX_KEYS {
        return Err(AccessError::TooManyKeys);
    }
    let mut key = ApiKey {
        id: cx.make_id(ApiKeyId::from_bytes),
        license: cmd.license,
        name: model::name(&cmd.name)?,
        shown: String::new(),
        rate: rate(cmd.rate.as_deref())?,
        created_at: cx.now,
        overlaps_until: None,
        disabled_at: None,
    };
    sql::insert_key(cx.tx, tenant, &key)?;
    let secret = give_secret(cx, &mut key)?;
    Ok(NewApiKey { key, secret })
}

/// Gives a key a new secret; its id and its counters stay.
pub fn rotate_api_key(cx: &mut Cx<'_>, cmd: &RotateApiKey) -> Result<NewApiKey, AccessError> {
    if !(0..=MAX_OVERLAP_SECS).contains(&cmd.overlap_secs) {
        return Err(AccessError::OutOfRange {
            field: "overlap_secs",
            least: 0,
            most: MAX_OVERLAP_SECS,
        });
    }
    let mut key = own_key(cx, cmd.key)?;
    let ends = cx.now.plus_ms(cmd.overlap_secs * 1000);
    sql::end_secrets(cx.tx, cx.caller.tenant, key.id, ends)?;
    let secret = give_secret(cx, &mut key)?;
    key.overlaps_until = Some(ends);
    Ok(NewApiKey { key, secret })
}

/// Renames a key, limits it, switches it off or on.
pub fn change_api_key(cx: &mut Cx<'_>, cmd: &ChangeApiKey) -> Result<ApiKey, AccessError> {
    let mut key = own_key(cx, cmd.key)?;
    if let Some(name) = &cmd.name {
        key.name = model::name(name)?;
    }
    if let Some(text) = &cmd.rate {
        key.rate = rate(Some(text))?;
    }
    if let Some(disabled) = cmd.disabled {
        let since: Timestamp = key.disabled_at.unwrap_or(cx.now);
        key.disabled_at = disabled.then_some(since);
    }
    sql::update_key(cx.tx, cx.caller.tenant, &key)?;
    Ok(key)
}

/// Deletes a key: its secrets hold no more, what it counted stays.
pub fn delete_api_key(cx: &mut Cx<'_>, cmd: &DeleteApiKey) -> Result<(), AccessError> {
    let key = own_key(cx, cmd.key)?;
    Ok(sql::delete_key(cx.tx, cx.caller.tenant, key.id, cx.now)?)
}

/// The keys of one's own license, the newest first.
pub fn api_keys(cx: &mut ReadCx<'_>, license: &LicenseId) -> Result<Vec<ApiKey>, AccessError> {
    let (tenant, me) = (cx.caller.tenant, cx.caller.account);
    own_license(cx.tx, tenant, (*license, me))?;
    Ok(sql::keys_of_license(cx.tx, tenant, *license)?)
}
