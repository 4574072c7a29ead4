//! Whose token a backend shows, and whose key it asks about.

use super::key_mac;
use crate::app::ReadCx;
use crate::caller::Caller;
use crate::custody::Custody;
use crate::domains::access::model::AccessError;
use crate::domains::access::sql::{self, Found};
use crate::domains::accounts::tokens::{TOKEN_PREFIX, TOKEN_PURPOSE, caller_of_token};
use mintreu::gateway::{Token, TokenKind};

/// What was shown, hashed; a text that was never given is refused before this.
#[derive(Debug, Clone, Copy)]
pub struct Identify {
    token_mac: [u8; 32],
    key_mac: Option<[u8; 32]>,
}

impl Identify {
    /// Reads a seller's token and, where one is asked about, a customer's key.
    pub fn read(keys: &Custody, token: &str, key: Option<&str>) -> Result<Self, AccessError> {
        if !token.starts_with(TOKEN_PREFIX) {
            return Err(AccessError::TokenWrong);
        }
        let key = key.map(|key| Token::parse(TokenKind::ApiKey, key));
        let key = key.transpose().map_err(AccessError::KeyMistyped)?;
        Ok(Self {
            token_mac: keys.mac(TOKEN_PURPOSE, token.as_bytes()),
            key_mac: key.map(|key| key_mac(keys, &key)),
        })
    }

    /// The keyed hash of the customer's key.
    pub fn key_mac(&self) -> Option<[u8; 32]> {
        self.key_mac
    }
}

/// Who asks, about which key.
#[derive(Debug, Clone)]
pub struct Identified {
    /// The seller, for `transact`.
    pub seller: Caller,
    /// The key, if it is in force.
    pub key: Option<Found>,
}

/// Looks up a token and a key.
pub fn identify(cx: &mut ReadCx<'_>, query: &Identify) -> Result<Identified, AccessError> {
    let tenant = cx.caller.tenant;
    let seller = caller_of_token(cx, &query.token_mac)?.ok_or(AccessError::TokenWrong)?;
    let key = match &query.key_mac {
        Some(mac) => sql::find_secret(cx.tx, tenant, mac, cx.now)?,
        None => None,
    };
    Ok(Identified { seller, key })
}
