//! The key of a log: made at first need, sealed at rest, never exchanged.

use super::model::LogError;
use super::sql::{self, StoredKey};
use crate::app::Cx;
use crate::store::{StoreError, Tx};
use mintreu::document::SigningKey;
use mintreu::id::{KeyId, TenantId};
use zeroize::Zeroizing;

/// The key that signs the heads of the caller's tenant.
pub(super) fn log_key(cx: &mut Cx<'_>) -> Result<SigningKey, LogError> {
    match sql::find_key(cx.tx, cx.caller.tenant)? {
        Some(stored) => open(cx, &stored),
        None => make(cx),
    }
}

/// A seed is sealed for its own row, so that rows can't be swapped.
fn purpose_of(key: KeyId) -> String {
    format!("transparency.seed {key}")
}

fn make(cx: &mut Cx<'_>) -> Result<SigningKey, LogError> {
    let seed = Zeroizing::new(cx.random::<32>());
    let key = SigningKey::from_seed(&seed);
    let id = cx.make_id(KeyId::from_bytes);
    let nonce = cx.random::<12>();
    let stored = StoredKey {
        id,
        public: *key.public().as_bytes(),
        seed_sealed: cx.keys.seal(&purpose_of(id), seed.as_slice(), nonce),
    };
    sql::insert_key(cx.tx, cx.caller.tenant, &stored, cx.now)?;
    Ok(key)
}

/// Seals a tenant's key by `again`, which is told what it is sealed for. Answers how many keys that
/// were; `None` when it doesn't open.
pub fn reseal(
    tx: &mut dyn Tx,
    tenant: TenantId,
    again: impl Fn(&str, &[u8]) -> Option<Vec<u8>>,
) -> Result<Option<usize>, StoreError> {
    let Some(stored) = sql::find_key(tx, tenant)? else {
        return Ok(Some(0));
    };
    let Some(sealed) = again(&purpose_of(stored.id), &stored.seed_sealed) else {
        return Ok(None);
    };
    sql::reseal_key(tx, tenant, &sealed)?;
    Ok(Some(1))
}

fn open(cx: &Cx<'_>, stored: &StoredKey) -> Result<SigningKey, LogError> {
    let broken = || {
        let detail = "the log's key doesn't open with this key-encryption key";
        LogError::Broken(mintreu::Error::new("key_sealed", detail))
    };
    let seed = cx.keys.unseal(&purpose_of(stored.id), &stored.seed_sealed);
    let seed = seed.ok_or_else(broken)?;
    let seed = <&[u8; 32]>::try_from(seed.as_slice()).map_err(|_| broken())?;
    Ok(SigningKey::from_seed(seed))
}
