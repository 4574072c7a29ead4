//! Sealing everything under another key-encryption key, while nobody else is at work.

use super::batches::keys;
use super::custody::purpose_of;
use super::ops::sealed_for;
use super::sql::sealed::{self as sql, Column};
use crate::custody::Custody;
use crate::domains::transparency;
use crate::store::{StoreError, Tx};
use mintreu::id::{KeyId, LicenseId};

/// Rows read at once.
const PAGE: i64 = 500;

/// The key of until now, the one of from now on, and where nonces come from.
pub struct Rewrap<'a> {
    /// Opens what is there.
    pub from: &'a Custody,
    /// Seals it again; made with [`Custody::succeeding`].
    pub to: &'a Custody,
    /// Fills bytes at random.
    pub entropy: fn(&mut [u8]),
    /// Hears how many secrets were sealed again so far.
    pub progress: fn(usize),
}

/// Seals every seed, redeem code and seller's own key again, and the secret of the hashes: all, or with an error none.
/// Answers how many; `None` when a secret doesn't open with the key of until now.
pub fn rewrap(tx: &mut dyn Tx, rewrap: &Rewrap<'_>) -> Result<Option<usize>, StoreError> {
    let mut done = 0;
    for tenant in sql::tenants(tx)? {
        let again = |purpose: &str, sealed: &[u8]| rewrap.again(purpose, sealed);
        let Some(of_log) = transparency::reseal(tx, tenant, again)? else {
            return Ok(None);
        };
        done += of_log;
        for column in [Column::Seed, Column::Code, Column::Key] {
            let mut after = [0; 16];
            loop {
                let page = sql::page(tx, column, tenant, after, PAGE)?;
                let Some((last, _)) = page.last() else {
                    break;
                };
                after = *last;
                for (id, sealed) in &page {
                    let Some(again) = rewrap.again(&purpose(column, *id), sealed) else {
                        return Ok(None);
                    };
                    sql::put(tx, column, tenant, *id, &again)?;
                }
                done += page.len();
                (rewrap.progress)(done);
            }
        }
    }
    rewrap.to.keep_macs(tx, rewrap.nonce())?;
    Ok(Some(done))
}

fn purpose(column: Column, id: [u8; 16]) -> String {
    match column {
        Column::Seed => purpose_of(KeyId::from_bytes(id)),
        Column::Code => sealed_for(LicenseId::from_bytes(id)),
        Column::Key => keys::sealed_for(LicenseId::from_bytes(id)),
    }
}

impl Rewrap<'_> {
    /// What is sealed for `purpose`, sealed anew; `None` when it doesn't open.
    pub fn again(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let plain = self.from.unseal(purpose, sealed)?;
        Some(self.to.seal(purpose, &plain, self.nonce()))
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        (self.entropy)(&mut nonce);
        nonce
    }
}
