//! Keys held for sellers: a root, the product keys it certified, and a receipt key.
//!
//! A seller owns the root that their products pin. The server makes it at first need, keeps its
//! seed sealed, and gives it out once. What it signs day by day is done by certified keys, each
//! good for its kinds of document only.

use super::model::LicensingError;
use super::sql::{self, KeyName, StoredKey};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::catalog;
use mintreu::Timestamp;
use mintreu::document::{Kind, PublicKey, SigningKey};
use mintreu::id::{AccountId, KeyId, ProductId};
use mintreu::license::{Certificate, Products, Trust};
use std::fmt;
use zeroize::Zeroizing;

const ROOT: &str = "root";
const PRODUCT: &str = "product";
const RECEIPT: &str = "receipt";

/// What a product's key signs: all that is said day by day about its licenses. It may delegate, so
/// that a host of floating licenses can be certified for the licenses it hands on.
pub const PRODUCT_KINDS: [Kind; 5] = [
    Kind::License,
    Kind::Activation,
    Kind::Lease,
    Kind::Challenge,
    Kind::Revocations,
];

/// A key and the certificates that vouch for it.
pub(super) struct Held {
    pub id: KeyId,
    pub key: SigningKey,
    pub certificate: Option<Vec<u8>>,
}

impl Held {
    /// The chain from the root, the root's own key not included.
    pub fn certificates(&self) -> Vec<&[u8]> {
        self.certificate.as_deref().into_iter().collect()
    }
}

/// Opens a stored key; a wrong key-encryption key is told as such.
fn open(cx: &Cx<'_>, stored: StoredKey) -> Result<Held, LicensingError> {
    let broken = || {
        let detail = "a seller's key doesn't open with this key-encryption key";
        LicensingError::Signing(mintreu::Error::new("key_sealed", detail))
    };
    let seed = cx.keys.unseal(&purpose_of(stored.id), &stored.seed_sealed);
    let seed = seed.ok_or_else(broken)?;
    let seed = <&[u8; 32]>::try_from(seed.as_slice()).map_err(|_| broken())?;
    Ok(Held {
        id: stored.id,
        key: SigningKey::from_seed(seed),
        certificate: stored.certificate,
    })
}

/// A seed is sealed for its own row, so that rows can't be swapped.
fn purpose_of(key: KeyId) -> String {
    format!("licensing.seed {key}")
}

fn make(
    cx: &mut Cx<'_>,
    name: KeyName<'_>,
    certify: impl FnOnce(&SigningKey) -> Result<Option<Vec<u8>>, mintreu::Error>,
) -> Result<Held, LicensingError> {
    let seed = Zeroizing::new(cx.random::<32>());
    let key = SigningKey::from_seed(&seed);
    let certificate = certify(&key).map_err(LicensingError::Signing)?;
    let id = cx.make_id(KeyId::from_bytes);
    let nonce = cx.random::<12>();
    let stored = StoredKey {
        id,
        seed_sealed: cx.keys.seal(&purpose_of(id), seed.as_slice(), nonce),
        certificate,
    };
    sql::insert_key(cx.tx, name, &stored, key.public().as_bytes(), cx.now)?;
    Ok(Held {
        id,
        key,
        certificate: stored.certificate,
    })
}

fn root(cx: &mut Cx<'_>, seller: AccountId) -> Result<Held, LicensingError> {
    let name = KeyName {
        tenant: cx.caller.tenant,
        seller,
        purpose: ROOT,
        audience: "",
    };
    match sql::find_key(cx.tx, name)? {
        Some(stored) => open(cx, stored),
        None => make(cx, name, |_| Ok(None)),
    }
}

/// The key that signs licenses and activations of one product; made at first need.
pub(super) fn product_key(
    cx: &mut Cx<'_>,
    seller: AccountId,
    product_code: &str,
) -> Result<Held, LicensingError> {
    let name = KeyName {
        tenant: cx.caller.tenant,
        seller,
        purpose: PRODUCT,
        audience: product_code,
    };
    let scope = Scope {
        kinds: &PRODUCT_KINDS,
        products: Products::Only(vec![product_code.to_owned()]),
        delegate: true,
    };
    certified(cx, name, scope)
}

/// What a key is certified for.
struct Scope {
    kinds: &'static [Kind],
    products: Products,
    delegate: bool,
}

impl Scope {
    fn certificate(self, key: PublicKey, now: Timestamp) -> Certificate {
        Certificate {
            key,
            kinds: self.kinds.to_vec(),
            products: self.products,
            issued_at: now,
            signs_from: now,
            signs_until: None,
            delegate: self.delegate,
            licenses: None,
        }
    }

    fn is_within(&self, certificate: &Certificate) -> bool {
        let kinds = &certificate.kinds;
        self.kinds.iter().all(|kind| kinds.contains(kind))
            && (certificate.delegate || !self.delegate)
    }
}

fn certified(cx: &mut Cx<'_>, name: KeyName<'_>, scope: Scope) -> Result<Held, LicensingError> {
    if let Some(stored) = sql::find_key(cx.tx, name)? {
        let held = open(cx, stored)?;
        return widened(cx, name.seller, held, scope);
    }
    let root = root(cx, name.seller)?;
    let now = cx.now;
    make(cx, name, |key| {
        let certificate = scope.certificate(*key.public(), now);
        certificate.issue(&root.key).map(Some)
    })
}

/// A key that was certified before it signed all that it signs today gets a new certificate. What
/// another root certified is left as it is: only that root may widen it.
fn widened(
    cx: &mut Cx<'_>,
    seller: AccountId,
    mut held: Held,
    scope: Scope,
) -> Result<Held, LicensingError> {
    let Some(stored) = &held.certificate else {
        return Ok(held);
    };
    let root = root(cx, seller)?;
    let narrow = match Certificate::verify(stored, &[root.key.public()]) {
        Ok(old) if !scope.is_within(&old) => old,
        _ => return Ok(held),
    };
    let wider = Certificate {
        signs_from: narrow.signs_from,
        signs_until: narrow.signs_until,
        ..scope.certificate(narrow.key, cx.now)
    };
    let wider = wider.issue(&root.key).map_err(LicensingError::Signing)?;
    sql::set_certificate(cx.tx, cx.caller.tenant, held.id, &wider)?;
    held.certificate = Some(wider);
    Ok(held)
}

/// What signs receipts of usage for a seller's products.
pub struct ReceiptSigner {
    /// The key.
    pub key: SigningKey,
    /// What vouches for it, for the bundle.
    pub certificates: Vec<Vec<u8>>,
}

impl fmt::Debug for ReceiptSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptSigner(…)")
    }
}

/// The receipt key of the product's seller; made at first need.
pub fn signer_for_receipts(
    cx: &mut Cx<'_>,
    product: ProductId,
) -> Result<ReceiptSigner, LicensingError> {
    let tenant = cx.caller.tenant;
    let product = catalog::product(cx.tx, tenant, product)?.ok_or(LicensingError::NotFound)?;
    let name = KeyName {
        tenant,
        seller: product.seller.account,
        purpose: RECEIPT,
        audience: "",
    };
    let scope = Scope {
        kinds: &[Kind::Receipt],
        products: Products::Any,
        delegate: false,
    };
    let held = certified(cx, name, scope)?;
    Ok(ReceiptSigner {
        certificates: held.certificate.into_iter().collect(),
        key: held.key,
    })
}

/// Asks for what a product pins, by the product's slug.
#[derive(Debug, Clone)]
pub struct TrustText {
    /// Part of the product's address.
    pub slug: String,
}

impl Command for TrustText {
    const NAME: &'static str = "licensing.trust";
    const CAPABILITY: Capability = Capability::Browse;
    const AUDITED: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.slug.clone())
    }
}

/// What a product pins: its code and its seller's root, as text for a constant in a program.
pub fn trust(cx: &mut Cx<'_>, cmd: &TrustText) -> Result<Trust, LicensingError> {
    let found = catalog::product_by_slug(cx.tx, cx.caller.tenant, &cmd.slug)?;
    let visible = |product: &catalog::Product| {
        let own = cx.caller.account == Some(product.seller.account);
        own || product.state != catalog::State::Draft
    };
    let product = found.filter(visible).ok_or(LicensingError::NotFound)?;
    let root = root(cx, product.seller.account)?;
    Trust::new(&product.code, *root.key.public()).map_err(LicensingError::Signing)
}

/// Asks for one's own root, which is given out once.
#[derive(Debug, Clone, Copy)]
pub struct ExportRoot;

impl Command for ExportRoot {
    const NAME: &'static str = "licensing.export_root";
    const CAPABILITY: Capability = Capability::Sell;
}

/// A root on its way to its owner.
pub struct ExportedRoot {
    /// The 32 bytes to keep offline.
    pub seed: Zeroizing<[u8; 32]>,
    /// Its public half.
    pub public: PublicKey,
}

impl fmt::Debug for ExportedRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExportedRoot({})", self.public)
    }
}

/// Gives the caller their root, once; the audit log keeps that it left the house.
pub fn export_root(cx: &mut Cx<'_>, _cmd: &ExportRoot) -> Result<ExportedRoot, LicensingError> {
    let seller = cx.caller.account.ok_or(LicensingError::NotFound)?;
    let held = root(cx, seller)?;
    if !sql::mark_exported(cx.tx, cx.caller.tenant, held.id, cx.now)? {
        return Err(LicensingError::ExportedBefore);
    }
    crate::events::record(cx, "seller_root.exported", &held.id.to_string(), &())?;
    Ok(ExportedRoot {
        public: *held.key.public(),
        seed: held.key.seed(),
    })
}
