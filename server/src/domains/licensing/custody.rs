//! Keys held for sellers: a root, the product keys it certified, and a receipt key.
//!
//! A seller owns the root that their products pin. The server makes it at first need, keeps its
//! seed sealed, gives it out once, and forgets it when its owner says so; from then on certificates
//! and key sets come from its owner. What is signed day by day is signed by certified keys, each
//! good for its kinds of document only. The newest certified key that isn't revoked signs.

use super::model::LicensingError;
use super::sql::keys::{self as sql, KeyName, StoredKey};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::catalog;
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::document::{Kind, PublicKey, SigningKey};
use mintreu::id::{AccountId, KeyId, ProductId, TenantId};
use mintreu::license::{Certificate, KeySet, Products, Ring, Trust};
use std::fmt;
use zeroize::Zeroizing;

pub(super) const ROOT: &str = "root";
pub(super) const PRODUCT: &str = "product";
pub(super) const RECEIPT: &str = "receipt";

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

/// A seller's root as it was made here: what the first products pin.
pub(super) struct Root {
    pub id: KeyId,
    pub public: PublicKey,
    /// None once it was forgotten.
    secret: Option<SigningKey>,
}

impl Root {
    /// The root's own key, while it is here and holds: what it signs is believed.
    pub fn signs_under(&self, ring: &Ring) -> Result<&SigningKey, LicensingError> {
        let secret = self.secret.as_ref();
        let in_force = ring.roots_in_force().any(|root| *root == self.public);
        secret
            .filter(|_| in_force)
            .ok_or(LicensingError::RootAbsent)
    }
}

fn unseal(cx: &Cx<'_>, stored: &StoredKey) -> Result<SigningKey, LicensingError> {
    let broken = || {
        let detail = "a seller's key doesn't open with this key-encryption key";
        LicensingError::Signing(mintreu::Error::new("key_sealed", detail))
    };
    let seed = cx.keys.unseal(&purpose_of(stored.id), &stored.seed_sealed);
    let seed = seed.ok_or_else(broken)?;
    let seed = <&[u8; 32]>::try_from(seed.as_slice()).map_err(|_| broken())?;
    Ok(SigningKey::from_seed(seed))
}

/// Opens a stored key; a wrong key-encryption key is told as such.
fn open(cx: &Cx<'_>, stored: StoredKey) -> Result<Held, LicensingError> {
    Ok(Held {
        id: stored.id,
        key: unseal(cx, &stored)?,
        certificate: stored.certificate,
    })
}

/// A seed is sealed for its own row, so that rows can't be swapped.
pub(super) fn purpose_of(key: KeyId) -> String {
    format!("licensing.seed {key}")
}

fn make(
    cx: &mut Cx<'_>,
    name: KeyName<'_>,
    certify: impl FnOnce(&SigningKey) -> Result<Option<Vec<u8>>, LicensingError>,
) -> Result<Held, LicensingError> {
    let seed = Zeroizing::new(cx.random::<32>());
    let key = SigningKey::from_seed(&seed);
    let certificate = certify(&key)?;
    let id = cx.make_id(KeyId::from_bytes);
    let nonce = cx.random::<12>();
    let stored = StoredKey {
        id,
        public: *key.public(),
        seed_sealed: cx.keys.seal(&purpose_of(id), seed.as_slice(), nonce),
        certificate,
    };
    sql::insert(cx.tx, name, &stored, cx.now)?;
    Ok(Held {
        id,
        key,
        certificate: stored.certificate,
    })
}

/// The seller's root; made at first need.
pub(super) fn root(cx: &mut Cx<'_>, seller: AccountId) -> Result<Root, LicensingError> {
    let name = KeyName {
        tenant: cx.caller.tenant,
        seller,
        purpose: ROOT,
        audience: "",
    };
    let Some(stored) = sql::find(cx.tx, name)? else {
        let made = make(cx, name, |_| Ok(None))?;
        return Ok(Root {
            id: made.id,
            public: *made.key.public(),
            secret: Some(made.key),
        });
    };
    let forgotten = stored.seed_sealed.is_empty();
    let secret = match forgotten {
        true => None,
        false => Some(unseal(cx, &stored)?),
    };
    Ok(Root {
        id: stored.id,
        public: stored.public,
        secret,
    })
}

/// What a device knows that pins `root` and took the seller's newest key set.
pub(super) fn ring(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
    root: PublicKey,
) -> Result<Ring, LicensingError> {
    let mut ring = Ring::new(Trust::for_any_product(root));
    if let Some(set) = sql::newest_set(tx, tenant, seller)? {
        let installed = ring.install_key_set(&set.document);
        installed.map_err(LicensingError::Signing)?;
    }
    Ok(ring)
}

/// What a key is certified for.
pub(super) struct Scope {
    kinds: &'static [Kind],
    products: Products,
    delegate: bool,
}

impl Scope {
    /// That of a product's key.
    pub fn product(code: &str) -> Self {
        Self {
            kinds: &PRODUCT_KINDS,
            products: Products::Only(vec![code.to_owned()]),
            delegate: true,
        }
    }

    /// That of the receipt key.
    pub fn receipts() -> Self {
        Self {
            kinds: &[Kind::Receipt],
            products: Products::Any,
            delegate: false,
        }
    }

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

    /// Whether the key may sign all that it signs here.
    pub fn is_within(&self, certificate: &Certificate) -> bool {
        let kinds = &certificate.kinds;
        self.kinds.iter().all(|kind| kinds.contains(kind))
            && (certificate.delegate || !self.delegate)
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
    certified(cx, name, Scope::product(product_code))
}

fn certified(cx: &mut Cx<'_>, name: KeyName<'_>, scope: Scope) -> Result<Held, LicensingError> {
    match sql::find(cx.tx, name)? {
        Some(stored) => {
            let held = open(cx, stored)?;
            widened(cx, name.seller, held, scope)
        }
        None => certify_new(cx, name, scope),
    }
}

/// A new key that the root certifies; refused while the root is elsewhere.
pub(super) fn certify_new(
    cx: &mut Cx<'_>,
    name: KeyName<'_>,
    scope: Scope,
) -> Result<Held, LicensingError> {
    let root = root(cx, name.seller)?;
    let ring = ring(cx.tx, name.tenant, name.seller, root.public)?;
    let signer = root.signs_under(&ring)?;
    let now = cx.now;
    make(cx, name, |key| {
        let certificate = scope.certificate(*key.public(), now).issue(signer);
        certificate.map(Some).map_err(LicensingError::Signing)
    })
}

/// A new key that waits for a certificate from elsewhere.
pub(super) fn make_uncertified(cx: &mut Cx<'_>, name: KeyName<'_>) -> Result<Held, LicensingError> {
    make(cx, name, |_| Ok(None))
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
    let narrow = match Certificate::verify(stored, &[&root.public]) {
        Ok(old) if !scope.is_within(&old) => old,
        _ => return Ok(held),
    };
    let Some(signer) = &root.secret else {
        return Ok(held);
    };
    let wider = Certificate {
        signs_from: narrow.signs_from,
        signs_until: narrow.signs_until,
        ..scope.certificate(narrow.key, cx.now)
    };
    let wider = wider.issue(signer).map_err(LicensingError::Signing)?;
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
    let held = certified(cx, name, Scope::receipts())?;
    Ok(ReceiptSigner {
        certificates: held.certificate.into_iter().collect(),
        key: held.key,
    })
}

/// The key that signs for a license's devices; made at first need.
pub fn signer_for_product(
    cx: &mut Cx<'_>,
    license: &super::model::License,
) -> Result<ReceiptSigner, LicensingError> {
    let held = product_key(cx, license.seller, &license.product_code)?;
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

/// What a product pins: its code, its seller's roots as they are now, and the newest key set, as
/// text for a constant in a program. While the newest set is the one that changed the roots, the
/// first root is pinned: the old root signed that set, and the new ones don't know it.
pub fn trust(cx: &mut Cx<'_>, cmd: &TrustText) -> Result<Trust, LicensingError> {
    let found = catalog::product_by_slug(cx.tx, cx.caller.tenant, &cmd.slug)?;
    let visible = |product: &catalog::Product| {
        let own = cx.caller.account == Some(product.seller.account);
        own || product.state != catalog::State::Draft
    };
    let product = found.filter(visible).ok_or(LicensingError::NotFound)?;
    pinned(cx, product.seller.account, &product.code)
}

/// What a product of this code pins.
pub(super) fn pinned(
    cx: &mut Cx<'_>,
    seller: AccountId,
    product_code: &str,
) -> Result<Trust, LicensingError> {
    let first = root(cx, seller)?.public;
    let ring = ring(cx.tx, cx.caller.tenant, seller, first)?;
    let newest = sql::newest_set(cx.tx, cx.caller.tenant, seller)?;
    let in_force: Vec<_> = ring.roots_in_force().collect();
    let by_them = newest.is_none_or(|set| KeySet::verify(&set.document, &in_force).is_ok());
    let mut roots = in_force.into_iter().filter(|_| by_them).copied();
    let root = roots.next().unwrap_or(first);
    let trust = Trust::new(product_code, root).map_err(LicensingError::Signing)?;
    let least = ring.key_set().map_or(0, |set| set.version);
    let trust = trust.with_least_key_set(least);
    Ok(match roots.next() {
        Some(spare) => trust.with_spare(spare),
        None => trust,
    })
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

/// Gives the caller their root, once; the audit log keeps that it left the house. It goes on
/// signing here until it is forgotten.
pub fn export_root(cx: &mut Cx<'_>, _cmd: &ExportRoot) -> Result<ExportedRoot, LicensingError> {
    let seller = cx.caller.account.ok_or(LicensingError::NotFound)?;
    let held = root(cx, seller)?;
    let exported = sql::mark_exported(cx.tx, cx.caller.tenant, held.id, cx.now)?;
    let secret = held.secret.filter(|_| exported);
    let secret = secret.ok_or(LicensingError::ExportedBefore)?;
    crate::events::record(cx, "seller_root.exported", &held.id.to_string(), &())?;
    Ok(ExportedRoot {
        public: held.public,
        seed: secret.seed(),
    })
}

/// Asks to delete one's own root here, after it was exported.
#[derive(Debug, Clone, Copy)]
pub struct ForgetRoot;

impl Command for ForgetRoot {
    const NAME: &'static str = "licensing.forget_root";
    const CAPABILITY: Capability = Capability::Sell;
}

/// Deletes the seed of a root that its owner has: from then on only they certify keys and publish
/// key sets. Once is enough.
pub fn forget_root(cx: &mut Cx<'_>, _cmd: &ForgetRoot) -> Result<(), LicensingError> {
    let seller = cx.caller.account.ok_or(LicensingError::NotFound)?;
    let held = root(cx, seller)?;
    if held.secret.is_none() {
        return Ok(());
    }
    if !sql::forget(cx.tx, cx.caller.tenant, held.id, cx.now)? {
        return Err(LicensingError::NotExported);
    }
    crate::events::record(cx, "seller_root.forgotten", &held.id.to_string(), &())?;
    Ok(())
}

/// A product of the caller's own.
pub(super) fn own_product(cx: &mut Cx<'_>, slug: &str) -> Result<catalog::Product, LicensingError> {
    let found: Result<_, StoreError> = catalog::product_by_slug(cx.tx, cx.caller.tenant, slug);
    let me = cx.caller.account;
    let own = found?.filter(|product| Some(product.seller.account) == me);
    own.ok_or(LicensingError::NotFound)
}
