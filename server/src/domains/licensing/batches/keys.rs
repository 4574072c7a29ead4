//! A seller's own keys: looked up by a keyed hash with their product, kept sealed.

use super::sql;
use crate::app::Cx;
use crate::custody::Custody;
use crate::domains::catalog;
use crate::domains::licensing::{Code, License, LicensingError};
use mintreu::id::{LicenseId, ProductId};
use zeroize::Zeroizing;

/// What such a key is hashed and sealed for.
const KEY: &str = "licensing.key";

/// The look-up hash: of the key within its product, exactly as it is given.
pub(super) fn mac(keys: &Custody, product: ProductId, key: &str) -> [u8; 32] {
    let text = Zeroizing::new(format!("{product} {key}"));
    keys.mac(KEY, text.as_bytes())
}

/// A key is sealed for its own row, so that rows can't be swapped.
pub(in super::super) fn sealed_for(license: LicenseId) -> String {
    format!("{KEY} {license}")
}

pub(super) fn seal(cx: &mut Cx<'_>, license: LicenseId, key: &str) -> Vec<u8> {
    let nonce = cx.random::<12>();
    cx.keys.seal(&sealed_for(license), key.as_bytes(), nonce)
}

pub(super) fn unseal(keys: &Custody, license: LicenseId, sealed: &[u8]) -> Option<Code> {
    let plain = keys.unseal(&sealed_for(license), sealed)?;
    let text = String::from_utf8(plain.to_vec()).ok()?;
    Some(Code(Zeroizing::new(text)))
}

/// The license that a key of the product's seller stands for.
///
/// `weak_allowed` is off while guesses of this product's keys have to wait; a weak key is then
/// answered as a wrong one is, so that nothing is learned. Strong ones are found as ever.
pub fn license_of(
    cx: &mut Cx<'_>,
    product_code: &str,
    key: &str,
    weak_allowed: bool,
) -> Result<License, LicensingError> {
    let tenant = cx.caller.tenant;
    let product = catalog::product_by_code(cx.tx, tenant, product_code)?;
    let product = product.ok_or(LicensingError::NotFound)?.id;
    let mac = mac(cx.keys, product, key);
    let found = sql::license_by_key(cx.tx, tenant, &mac)?;
    let guessable = match &found {
        Some((_, weak)) => *weak,
        None => sql::has_weak_keys(cx.tx, tenant, product)?,
    };
    if guessable && !weak_allowed {
        return Err(LicensingError::KeyWaits);
    }
    found
        .map(|(license, _)| license)
        .ok_or(LicensingError::KeyUnknown { guessable })
}
