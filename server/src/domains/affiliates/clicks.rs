//! Clicks on affiliates' links.

use super::model::{AffiliateError, MAX_CLICKS, Standing};
use super::sql::{self, NewClick};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::custody::Custody;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::id::{AffiliateClickId, TenantId};
use subtle::ConstantTimeEq;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Clicks of one affiliation that are counted in a day; more is no audience but a program.
const MOST_A_DAY: i64 = 10_000;
/// Bytes of the keyed hash in a cookie.
const SEAL: usize = 16;

/// Somebody followed a link.
#[derive(Debug, Clone)]
pub struct Click {
    /// What the link carries.
    pub code: String,
    /// The visitor's network address: hashed with the day, never kept.
    pub network: String,
}

impl Command for Click {
    const NAME: &'static str = "affiliates.click";
    const CAPABILITY: Capability = Capability::Browse;
}

/// Keeps the click; the same visitor's second one of a day is the first again. `None` when the code
/// is nobody's, or the click isn't one that counts.
pub fn click(cx: &mut Cx<'_>, cmd: &Click) -> Result<Option<AffiliateClickId>, AffiliateError> {
    let tenant = cx.caller.tenant;
    let found = sql::by_code(cx.tx, tenant, &cmd.code)?;
    let Some(of) = found.filter(|one| one.standing == Standing::Active) else {
        return Ok(None);
    };
    let own = cx.caller.account;
    let programme = sql::programme(cx.tx, tenant, of.seller)?;
    let terms = programme.map(|programme| programme.terms);
    let Some(terms) = terms.filter(|terms| terms.open) else {
        return Ok(None);
    };
    if own == Some(of.affiliate) || own == Some(of.seller) {
        return Ok(None);
    }
    let day = cx.now.ms().div_euclid(DAY_MS);
    let visitor = visitor(cx.keys, tenant, (&cmd.network, day));
    if let Some(known) = sql::click_of(cx.tx, tenant, (of.id, &visitor))? {
        return Ok(Some(known));
    }
    let since = cx.now.plus_ms(-DAY_MS);
    if sql::clicks_since(cx.tx, tenant, (of.id, since))? >= MOST_A_DAY {
        return Ok(None);
    }
    // A quote that was made while the click was good can be confirmed for a day.
    sql::sweep_clicks(cx.tx, tenant, cx.now.plus_ms(-7 * DAY_MS))?;
    let new = NewClick {
        id: cx.make_id(AffiliateClickId::from_bytes),
        affiliation: of.id,
        visitor: &visitor,
        now: cx.now,
        expires_at: cx.now.plus_ms(terms.window_days * DAY_MS),
    };
    sql::insert_click(cx.tx, tenant, &new)?;
    Ok(Some(new.id))
}

fn visitor(keys: &Custody, tenant: TenantId, (network, day): (&str, i64)) -> [u8; 32] {
    let data = [
        tenant.as_bytes().as_slice(),
        &day.to_be_bytes(),
        network.as_bytes(),
    ]
    .concat();
    keys.mac("affiliates.visitor", &data)
}

fn seal(keys: &Custody, tenant: TenantId, ids: &[u8]) -> [u8; 32] {
    keys.mac(
        "affiliates.cookie",
        &[tenant.as_bytes().as_slice(), ids].concat(),
    )
}

/// A cookie's value: clicks, the newest first, sealed.
pub fn cookie_value(keys: &Custody, tenant: TenantId, clicks: &[AffiliateClickId]) -> String {
    let kept = clicks.iter().take(MAX_CLICKS);
    let ids: Vec<u8> = kept.flat_map(|click| *click.as_bytes()).collect();
    let seal = seal(keys, tenant, &ids);
    URL_SAFE_NO_PAD.encode([&seal[..SEAL], &ids].concat())
}

/// Reads what [`cookie_value`] wrote; anything else names no click.
pub fn clicks_of_cookie(keys: &Custody, tenant: TenantId, value: &str) -> Vec<AffiliateClickId> {
    let bytes = URL_SAFE_NO_PAD.decode(value).unwrap_or_default();
    let Some((given, ids)) = bytes.split_at_checked(SEAL) else {
        return Vec::new();
    };
    if !bool::from(seal(keys, tenant, ids)[..SEAL].ct_eq(given)) {
        return Vec::new();
    }
    let (ids, _) = ids.as_chunks::<16>();
    let ids = ids.iter().take(MAX_CLICKS);
    ids.map(|id| AffiliateClickId::from_bytes(*id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_names_the_clicks_it_was_made_of_and_no_others() {
        let (keys, other) = (Custody::new([1; 32]), Custody::new([2; 32]));
        let tenant = TenantId::from_bytes([0; 16]);
        let clicks: Vec<_> = (0..7)
            .map(|at| AffiliateClickId::from_bytes([at; 16]))
            .collect();
        let value = cookie_value(&keys, tenant, &clicks);
        // What a cookie of ours may hold.
        assert!(value.len() <= 128, "{}", value.len());
        assert_eq!(
            clicks_of_cookie(&keys, tenant, &value),
            clicks[..MAX_CLICKS]
        );
        assert_eq!(clicks_of_cookie(&other, tenant, &value), []);
        let elsewhere = TenantId::from_bytes([9; 16]);
        assert_eq!(clicks_of_cookie(&keys, elsewhere, &value), []);
        for bad in ["", "AAAA", "no base64 at all", &value[2..]] {
            assert_eq!(clicks_of_cookie(&keys, tenant, bad), []);
        }
    }
}
