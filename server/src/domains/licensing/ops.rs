//! Use cases of licenses: issue, redeem, show, revoke.

use super::batches::keys;
use super::custody;
use super::documents;
use super::guesses::Tried;
use super::key_sets;
use super::lists;
use super::model::{Code, Grant, License, LicenseState, LicenseView, LicensingError};
use super::sql::{self, Signed, StoredCode};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::custody::Custody;
use crate::store::{StoreError, Tx};
use mintreu::activation::{RedeemCode, seller_key};
use mintreu::id::{AccountId, LicenseId, TenantId};
use zeroize::Zeroizing;

/// Later than every id.
const NEWEST: [u8; 16] = [0xff; 16];
/// Most rows of one page.
const MAX_PAGE: i64 = 100;
/// What a redeem code is hashed for.
const CODE: &str = "licensing.redeem";

/// What became of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The license.
    pub license: License,
    /// Whether this call made it.
    pub new: bool,
}

/// Turns a grant into a license, once: the same source answers the same license.
pub fn issue(cx: &mut Cx<'_>, grant: &Grant) -> Result<Issued, LicensingError> {
    let tenant = cx.caller.tenant;
    if let Some(license) = sql::license_by_source(cx.tx, tenant, &grant.source)? {
        return Ok(Issued {
            license,
            new: false,
        });
    }
    let key = custody::product_key(cx, grant.seller, &grant.product_code)?;
    let id = cx.make_id(LicenseId::from_bytes);
    let place = lists::draw(cx, grant.product)?;
    let license = License {
        id,
        source: grant.source.clone(),
        product: grant.product,
        product_code: grant.product_code.clone(),
        seller: grant.seller,
        owner: grant.owner,
        seats: grant.seats,
        terms: grant.terms.clone(),
        document: documents::license(grant, id, place, (cx.now, cx.now), &key)?,
        issued_at: cx.now,
        expires_at: grant.expires_at,
        revoked_at: None,
        revoke_reason: None,
    };
    let code = new_code(cx, &license);
    let signed = Signed { place, key: key.id };
    sql::insert_license(cx.tx, tenant, &license, &code, &signed)?;
    let logged = (license.product_code.as_str(), id, license.issued_at);
    documents::log(cx, license.seller, logged, &license.document)?;
    let source = Source {
        source: &grant.source,
    };
    crate::events::record(cx, "license.issued", &id.to_string(), &source)?;
    Ok(Issued { license, new: true })
}

/// What the fact of an issued license tells: where it came from.
#[derive(serde::Serialize)]
struct Source<'a> {
    source: &'a str,
}

pub(super) fn sealed_for(license: LicenseId) -> String {
    format!("{CODE} {license}")
}

fn new_code(cx: &mut Cx<'_>, license: &License) -> StoredCode {
    let code = RedeemCode::new(&license.product_code, cx.random());
    let text = Zeroizing::new(code.to_string());
    let nonce = cx.random::<12>();
    StoredCode {
        mac: mac(cx, &code),
        sealed: cx
            .keys
            .seal(&sealed_for(license.id), text.as_bytes(), nonce),
    }
}

/// The look-up hash; of the code without dashes, so that its spelling doesn't matter.
pub(super) fn mac(cx: &Cx<'_>, code: &RedeemCode) -> [u8; 32] {
    let text = Zeroizing::new(code.canonical());
    cx.keys.mac(CODE, text.as_bytes())
}

/// Exchanges a code, or a key of the product's seller, for its license.
pub struct Redeem {
    presented: Presented,
    weak_allowed: bool,
}

enum Presented {
    /// As it was read, check characters and all.
    Code(RedeemCode),
    /// As it was typed, for the product with this code.
    Key {
        product: String,
        key: Zeroizing<String>,
    },
}

impl Redeem {
    /// Reads what a person typed; `CodeMistyped` for what can't be a code, before any look-up.
    pub fn parse(text: &str) -> Result<Self, LicensingError> {
        let code = text.parse().map_err(LicensingError::CodeMistyped)?;
        Ok(Self::of(Presented::Code(code)))
    }

    /// The same for one product, whose seller may have keys of their own.
    pub fn parse_for(product_code: &str, text: &str) -> Result<Self, LicensingError> {
        let own_code = |text: &str| RedeemCode::hint_of(text) == RedeemCode::hint_of(product_code);
        if let Ok(code) = text.parse::<RedeemCode>()
            && own_code(text)
        {
            return Ok(Self::of(Presented::Code(code)));
        }
        let key = seller_key(text).map_err(LicensingError::KeyMalformed)?;
        Ok(Self::of(Presented::Key {
            product: product_code.to_owned(),
            key: Zeroizing::new(key.to_owned()),
        }))
    }

    fn of(presented: Presented) -> Self {
        Self {
            presented,
            weak_allowed: true,
        }
    }

    /// What is tried, for the limits.
    pub fn tried(&self) -> Tried {
        match &self.presented {
            Presented::Code(code) => Tried::Code { hint: code.hint() },
            Presented::Key { product, .. } => Tried::Key {
                product: product.clone(),
            },
        }
    }

    /// Whether a key that can be guessed is answered; see [`super::guesses`].
    #[must_use]
    pub fn with_weak_allowed(mut self, weak_allowed: bool) -> Self {
        self.weak_allowed = weak_allowed;
        self
    }
}

impl Command for Redeem {
    const NAME: &'static str = "licensing.redeem";
    const CAPABILITY: Capability = Capability::Browse;
}

/// Answers the license of a code, again and again. Whoever is signed in becomes the owner of a
/// license that has none; a redeemed license of another stays theirs.
pub fn redeem(cx: &mut Cx<'_>, cmd: &Redeem) -> Result<License, LicensingError> {
    let tenant = cx.caller.tenant;
    let mut license = match &cmd.presented {
        Presented::Code(code) => license_of_code(cx, code)?,
        Presented::Key { product, key } => license_of_key(cx, (product, key), cmd.weak_allowed)?,
    };
    if license.state(cx.now) == LicenseState::Revoked {
        return Err(LicensingError::Revoked);
    }
    key_sets::refresh(cx, &mut license)?;
    let owner = cx.caller.account;
    sql::mark_redeemed(cx.tx, tenant, license.id, owner, cx.now)?;
    license.owner = license.owner.or(owner);
    Ok(license)
}

pub(super) fn license_of_code(
    cx: &mut Cx<'_>,
    code: &RedeemCode,
) -> Result<License, LicensingError> {
    let mac = mac(cx, code);
    let found = sql::license_by_code(cx.tx, cx.caller.tenant, &mac)?;
    found.ok_or(LicensingError::CodeUnknown)
}

/// The license of a seller's own key of this product; a code of ours does as well, and one of
/// ours that is mistyped is told so.
pub(super) fn license_of_key(
    cx: &mut Cx<'_>,
    (product, key): (&str, &str),
    weak_allowed: bool,
) -> Result<License, LicensingError> {
    let found = keys::license_of(cx, product, key, weak_allowed);
    if !matches!(
        found,
        Err(LicensingError::KeyUnknown { .. } | LicensingError::KeyWaits)
    ) {
        return found;
    }
    let ours = RedeemCode::hint_of(key) == RedeemCode::hint_of(product);
    match key.parse::<RedeemCode>() {
        Ok(code) if ours => license_of_code(cx, &code),
        Err(error) if ours && is_long_as_code(key) => Err(LicensingError::CodeMistyped(error)),
        _ => found,
    }
}

fn is_long_as_code(text: &str) -> bool {
    let symbols = text.bytes().filter(u8::is_ascii_alphanumeric).count();
    symbols == 20 && RedeemCode::resembles(text)
}

/// Makes `owner` the owner of a license that has none: a guest's order joined to an account.
pub fn claim(cx: &mut Cx<'_>, license: LicenseId, owner: AccountId) -> Result<(), StoreError> {
    sql::mark_redeemed(cx.tx, cx.caller.tenant, license, Some(owner), cx.now)
}

/// The code, for whom the caller of this function found entitled to it.
pub fn reveal_code(cx: &mut Cx<'_>, license: LicenseId) -> Result<Code, LicensingError> {
    let sealed = sql::sealed_code(cx.tx, cx.caller.tenant, license)?;
    let sealed = sealed.ok_or(LicensingError::NotFound)?;
    unseal_code(cx.keys, license, &sealed)
}

/// A stored code in the clear.
pub(super) fn unseal_code(
    keys: &Custody,
    license: LicenseId,
    sealed: &[u8],
) -> Result<Code, LicensingError> {
    let opened = keys.unseal(&sealed_for(license), sealed);
    let text = opened.and_then(|plain| String::from_utf8(plain.to_vec()).ok());
    let broken = || {
        let detail = "a redeem code doesn't open with this key-encryption key";
        LicensingError::Signing(mintreu::Error::new("key_sealed", detail))
    };
    text.map(|text| Code(Zeroizing::new(text)))
        .ok_or_else(broken)
}

/// Which page of the caller's own licenses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Licenses {
    /// Licenses of one's own products, instead of those one bought.
    pub as_seller: bool,
    /// Licenses issued before this one; `None` for the newest.
    pub before: Option<LicenseId>,
    /// Licenses a page, at most a hundred; 0 is twenty.
    pub limit: i64,
}

/// The caller's own licenses, newest first.
pub fn list(cx: &mut ReadCx<'_>, query: &Licenses) -> Result<Vec<License>, LicensingError> {
    let Some(person) = cx.caller.account else {
        return Ok(Vec::new());
    };
    let limit = if query.limit == 0 {
        20
    } else {
        query.limit.clamp(1, MAX_PAGE)
    };
    let page = sql::Page {
        tenant: cx.caller.tenant,
        person,
        as_seller: query.as_seller,
        before: query.before.map_or(NEWEST, |license| *license.as_bytes()),
        limit,
    };
    Ok(sql::licenses(cx.tx, &page)?)
}

/// The newest hundred licenses of an account.
pub fn newest_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    person: AccountId,
) -> Result<Vec<License>, StoreError> {
    let page = sql::Page {
        tenant,
        person,
        as_seller: false,
        before: NEWEST,
        limit: 100,
    };
    sql::licenses(tx, &page)
}

/// A license with its devices, whoever asks: the caller of this function knows who may.
pub fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: LicenseId,
) -> Result<Option<License>, StoreError> {
    sql::license_by_id(tx, tenant, id)
}

/// The license that was issued for `source`.
pub fn by_source(
    tx: &mut dyn Tx,
    tenant: TenantId,
    source: &str,
) -> Result<Option<License>, StoreError> {
    sql::license_by_source(tx, tenant, source)
}

/// The license with its devices, if the caller owns it or sold it.
pub fn view(cx: &mut ReadCx<'_>, id: &LicenseId) -> Result<LicenseView, LicensingError> {
    let found = sql::license_by_id(cx.tx, cx.caller.tenant, *id)?;
    let own = |license: &License| {
        let me = cx.caller.account;
        me.is_some() && (license.owner == me || Some(license.seller) == me)
    };
    let license = found.filter(own).ok_or(LicensingError::NotFound)?;
    with_devices(cx, license)
}

/// A license as a page shows it.
pub(crate) fn with_devices(
    cx: &mut ReadCx<'_>,
    license: License,
) -> Result<LicenseView, LicensingError> {
    let mut activations = sql::activations(cx.tx, cx.caller.tenant, license.id)?;
    activations.sort_by_key(|one| one.seat.is_none());
    Ok(LicenseView {
        state: license.state(cx.now),
        license,
        activations,
    })
}

/// Withdraws a license of one's own product.
#[derive(Debug, Clone)]
pub struct Revoke {
    /// Which.
    pub license: LicenseId,
    /// Why, for the customer to read.
    pub reason: String,
}

impl Command for Revoke {
    const NAME: &'static str = "licensing.revoke";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.license.to_string())
    }
}

/// Withdraws a license: it activates and redeems no more, and the next revocation list says so to
/// devices. Once is enough.
pub fn revoke(cx: &mut Cx<'_>, cmd: &Revoke) -> Result<(), LicensingError> {
    let tenant = cx.caller.tenant;
    let seller = cx.caller.account.ok_or(LicensingError::NotFound)?;
    if let Some(place) = sql::revoke(cx.tx, tenant, cmd, seller, cx.now)? {
        return changed(cx, cmd.license, place, true);
    }
    let before = sql::license_by_id(cx.tx, tenant, cmd.license)?;
    let revoked = before.filter(|license| license.seller == seller && license.revoked_at.is_some());
    revoked.map(drop).ok_or(LicensingError::NotFound)
}

/// Takes back the withdrawal of a license of one's own product.
#[derive(Debug, Clone, Copy)]
pub struct Reinstate {
    /// Which.
    pub license: LicenseId,
}

impl Command for Reinstate {
    const NAME: &'static str = "licensing.reinstate";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.license.to_string())
    }
}

/// Takes a withdrawal back: the license works again, and the next revocation list frees devices.
/// A license that isn't withdrawn stays as it is.
pub fn reinstate(cx: &mut Cx<'_>, cmd: &Reinstate) -> Result<(), LicensingError> {
    let tenant = cx.caller.tenant;
    let seller = cx.caller.account.ok_or(LicensingError::NotFound)?;
    if let Some(place) = sql::reinstate(cx.tx, tenant, cmd.license, seller)? {
        return changed(cx, cmd.license, place, false);
    }
    let found = sql::license_by_id(cx.tx, tenant, cmd.license)?;
    let own = found.filter(|license| license.seller == seller);
    own.map(drop).ok_or(LicensingError::NotFound)
}

pub(super) fn changed(
    cx: &mut Cx<'_>,
    license: LicenseId,
    (product, place): sql::Place,
    revoked: bool,
) -> Result<(), LicensingError> {
    if let Some(place) = place {
        lists::mark(cx, product, place, revoked)?;
    }
    let fact = match revoked {
        true => "license.revoked",
        false => "license.reinstated",
    };
    crate::events::record(cx, fact, &license.to_string(), &())?;
    Ok(())
}
