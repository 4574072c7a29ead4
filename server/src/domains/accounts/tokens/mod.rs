//! Tokens by which a seller's programs call: made by the seller, shown once, revocable.
//!
//! A token is 256 random bits behind a prefix that scanners for lost secrets can look for. The
//! database holds its keyed hash alone.
//!
//! Invariants
//! * No token is stored, logged or shown a second time.
//! * A revoked token, and one of a disabled account, is nobody's.

mod sql;

use super::AccountError;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Caller, Capability, Role};
use crate::store::StoreError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::Timestamp;
use mintreu::id::{AccountId, TokenId};

/// What every token begins with.
pub const TOKEN_PREFIX: &str = "mtsk_";
/// What a token is hashed for.
pub const TOKEN_PURPOSE: &str = "seller_token";
/// Most living tokens of a seller.
const MAX_TOKENS: usize = 100;

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id, which is no secret.
    pub id: TokenId,
    /// What the seller calls it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended, if it did.
    pub revoked_at: Option<Timestamp>,
}

/// Makes a token.
#[derive(Debug, Clone)]
pub struct MakeToken {
    /// What to call it: 1 to 80 characters.
    pub name: String,
}

impl Command for MakeToken {
    const NAME: &'static str = "accounts.make_token";
    const CAPABILITY: Capability = Capability::Sell;
}

/// A new token, which is never shown again.
pub struct MadeToken {
    /// Its id.
    pub id: TokenId,
    /// The secret.
    pub secret: String,
}

fn own(caller: &Caller) -> Result<AccountId, AccountError> {
    caller
        .account
        .ok_or(AccountError::Denied(crate::caller::Denied {
            capability: Capability::Sell,
            signed_in: false,
        }))
}

/// Makes one and stores its hash.
pub fn make_token(cx: &mut Cx<'_>, command: &MakeToken) -> Result<MadeToken, AccountError> {
    let seller = own(cx.caller)?;
    let name = command.name.trim();
    let known = sql::list(cx.tx, cx.caller.tenant, seller)?;
    let living = known.iter().filter(|token| token.revoked_at.is_none());
    if living.count() >= MAX_TOKENS {
        return Err(AccountError::TooManyTokens);
    }
    if !(1..=80).contains(&name.chars().count()) {
        return Err(AccountError::NameMalformed);
    }
    let random: [u8; 32] = cx.random();
    let secret = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let id = cx.make_id(TokenId::from_bytes);
    let mac = cx.keys.mac(TOKEN_PURPOSE, secret.as_bytes());
    sql::insert(cx, (id, seller), name, &mac)?;
    Ok(MadeToken { id, secret })
}

/// A seller's own tokens.
pub fn list_tokens(cx: &mut ReadCx<'_>, (): &()) -> Result<Vec<Token>, AccountError> {
    let seller = own(cx.caller)?;
    Ok(sql::list(cx.tx, cx.caller.tenant, seller)?)
}

/// Ends a token.
#[derive(Debug, Clone, Copy)]
pub struct RevokeToken(pub TokenId);

impl Command for RevokeToken {
    const NAME: &'static str = "accounts.revoke_token";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// Ends it at once.
pub fn revoke_token(cx: &mut Cx<'_>, command: &RevokeToken) -> Result<(), AccountError> {
    let seller = own(cx.caller)?;
    match sql::revoke(cx, seller, command.0)? {
        true => Ok(()),
        false => Err(AccountError::NotFound),
    }
}

/// Who calls with a token of this hash: its seller, and no more than a seller.
pub fn caller_of_token(cx: &mut ReadCx<'_>, mac: &[u8; 32]) -> Result<Option<Caller>, StoreError> {
    let tenant = cx.caller.tenant;
    let seller = sql::seller(cx.tx, tenant, mac)?;
    Ok(seller.map(|seller| Caller {
        tenant,
        account: Some(seller),
        roles: vec![Role::Developer],
    }))
}
