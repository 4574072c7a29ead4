//! Statements of sellers' tokens.

use super::Token;
use crate::app::Cx;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, TenantId, TokenId};

const INSERT: &str = "INSERT INTO seller_token (token_id, tenant_id, seller_id, name, token_mac,
        created_at)
    VALUES (:token, :tenant, :seller, :name, :mac, :now)";

const LIST: &str = "SELECT token_id, name, created_at, revoked_at FROM seller_token
    WHERE tenant_id = :tenant AND seller_id = :seller ORDER BY token_id";

const SELLER: &str = "SELECT t.seller_id FROM seller_token t
    JOIN account a ON a.account_id = t.seller_id AND a.tenant_id = t.tenant_id
    WHERE t.tenant_id = :tenant AND t.token_mac = :mac AND t.revoked_at IS NULL
        AND a.disabled_at IS NULL";

const REVOKE: &str = "UPDATE seller_token SET revoked_at = :now
    WHERE tenant_id = :tenant AND seller_id = :seller AND token_id = :token
        AND revoked_at IS NULL";

/// Stores a token's hash.
pub(super) fn insert(
    cx: &mut Cx<'_>,
    (token, seller): (TokenId, AccountId),
    name: &str,
    mac: &[u8; 32],
) -> Result<(), StoreError> {
    let params = [
        ("token", token.as_bytes().into()),
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("name", name.into()),
        ("mac", mac.as_slice().into()),
        ("now", cx.now.into()),
    ];
    cx.tx.execute(INSERT, &params).map(drop)
}

/// A seller's tokens, also those that were revoked.
pub(super) fn list(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Vec<Token>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    let token = |row: &Row| {
        Ok(Token {
            id: row.id("token_id", TokenId::from_bytes)?,
            name: row.text("name")?,
            created_at: row.at("created_at")?,
            revoked_at: row.opt_at("revoked_at")?,
        })
    };
    tx.query(LIST, &params)?.iter().map(token).collect()
}

/// Whose token has this hash, while it lives.
pub(super) fn seller(
    tx: &mut dyn Tx,
    tenant: TenantId,
    mac: &[u8; 32],
) -> Result<Option<AccountId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("mac", mac.as_slice().into()),
    ];
    let row = tx.query_one(SELLER, &params)?;
    row.map(|row| row.id("seller_id", AccountId::from_bytes))
        .transpose()
}

/// Ends a token; false when there is no living one.
pub(super) fn revoke(
    cx: &mut Cx<'_>,
    seller: AccountId,
    token: TokenId,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("token", token.as_bytes().into()),
        ("now", cx.now.into()),
    ];
    Ok(cx.tx.execute(REVOKE, &params)? == 1)
}
