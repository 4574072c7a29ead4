//! Key sets: what a seller's root says about keys after products were built.
//!
//! While the root is here, the server makes the sets: a new product key, the total revocation of a
//! stolen one, a sunset. Once the root left, its owner makes them with `mintreu keys set` and
//! uploads them; the server takes only what a device would take that pins the seller's first root.
//!
//! Revoking a key takes from everything that it signed the power to hold. So every license that
//! hung on it is signed again first, some at a time, and then the set is published with the newest
//! of them along, as many as fit. A device that holds another license gets the new document when it
//! redeems its code or activates again.

use super::custody::{self, Held, PRODUCT, RECEIPT, Root, Scope};
use super::documents;
use super::model::{License, LicensingError};
use super::sql::keys::{self as sql, KeyName, KeyRecord, Revoking, StoredSet};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::catalog;
use crate::queue::{self, JobError};
use mintreu::Timestamp;
use mintreu::id::{AccountId, KeyId, LicenseId};
use mintreu::license::{Certificate, KeySet, Products, RevokedKey, Ring};
use serde::{Deserialize, Serialize};

/// The job that signs licenses again whose key was revoked.
pub const SIGN_AGAIN_JOB: &str = "licensing.sign_again";
/// Licenses signed again in one commit.
const BATCH: i64 = 200;
/// Bytes of a set that its licenses may fill: a document has 256 KiB.
const MOST_BYTES: usize = 250_000;
/// Licenses that travel along at most; the format allows 1024.
const MOST_LICENSES: i64 = 1000;
/// Certificates of one set.
const MOST_CERTIFICATES: usize = 256;
/// A license may still work so long after its end.
const GRACE_MS: i64 = 60 * 24 * 60 * 60 * 1000;
/// Who made a set.
const SERVICE: &str = "service";
const UPLOAD: &str = "upload";

/// A seller's root, what a device knows by now, and the newest set.
struct Known {
    root: Root,
    ring: Ring,
    newest: Option<StoredSet>,
}

fn known(cx: &mut Cx<'_>, seller: AccountId) -> Result<Known, LicensingError> {
    let root = custody::root(cx, seller)?;
    let ring = custody::ring(cx.tx, cx.caller.tenant, seller, root.public)?;
    let newest = sql::newest_set(cx.tx, cx.caller.tenant, seller)?;
    Ok(Known { root, ring, newest })
}

impl Known {
    /// The next set: it says what the newest says, and carries the last change of roots.
    fn next(&self, now: Timestamp) -> KeySet {
        let Some(held) = self.ring.key_set() else {
            return KeySet::new(1, now);
        };
        let mut set = KeySet::new(held.version.saturating_add(1), now);
        set.revoked.clone_from(&held.revoked);
        set.sunset.clone_from(&held.sunset);
        set.previous = match held.roots.is_empty() {
            true => held.previous.clone(),
            false => self.newest.as_ref().map(|newest| newest.document.clone()),
        };
        set
    }
}

/// Makes and publishes the seller's next set; answers its version.
fn publish(
    cx: &mut Cx<'_>,
    seller: AccountId,
    change: impl FnOnce(&mut KeySet),
) -> Result<u64, LicensingError> {
    let mut known = known(cx, seller)?;
    let mut set = known.next(cx.now);
    let keys = sql::of_seller(cx.tx, cx.caller.tenant, seller)?;
    let current = current(&keys).filter_map(|key| key.certificate.clone());
    set.certificates = current.take(MOST_CERTIFICATES).collect();
    change(&mut set);
    let signer = known.root.signs_under(&known.ring)?;
    let bare = set.issue(signer).map_err(LicensingError::Signing)?;
    set.licenses = travelling(cx, seller, MOST_BYTES.saturating_sub(bare.len()))?;
    let document = set.issue(signer).map_err(LicensingError::Signing)?;
    store(cx, seller, &mut known.ring, document, SERVICE)
}

/// The newest certified key of each purpose and product; `keys` has those together, newest first.
fn current(keys: &[KeyRecord]) -> impl Iterator<Item = &KeyRecord> {
    let mut last: Option<(&str, &str)> = None;
    let signs = |key: &&KeyRecord| key.certificate.is_some() && key.revoked_at.is_none();
    keys.iter().filter(signs).filter(move |key| {
        let name = (key.purpose.as_str(), key.audience.as_str());
        last.replace(name) != Some(name)
    })
}

/// Licenses that were signed again, the newest first, as many as fit.
fn travelling(
    cx: &mut Cx<'_>,
    seller: AccountId,
    most_bytes: usize,
) -> Result<Vec<Vec<u8>>, LicensingError> {
    let since = cx.now.plus_ms(-GRACE_MS);
    let mut found = sql::signed_again(cx.tx, cx.caller.tenant, seller, since, MOST_LICENSES)?;
    let mut bytes = 0;
    let fit = found.iter().take_while(|bundle| {
        // Each is led by its length.
        bytes += bundle.len() + 3;
        bytes <= most_bytes
    });
    let fit = fit.count();
    found.truncate(fit);
    Ok(found)
}

/// Keeps a set that devices would take, whether they pin the first root or, unless it is the one
/// that changes the roots, those of today.
fn store(
    cx: &mut Cx<'_>,
    seller: AccountId,
    ring: &mut Ring,
    document: Vec<u8>,
    origin: &str,
) -> Result<u64, LicensingError> {
    let newer = ring.install_key_set(&document);
    if !newer.map_err(LicensingError::KeySetRefused)? {
        let detail = "this version is published already; raise it";
        let old = mintreu::Error::new("keyset_old", detail);
        return Err(LicensingError::KeySetRefused(old));
    }
    if ring.key_set().is_some_and(|set| set.roots.is_empty()) {
        let today = ring.as_pinned_today();
        let taken = today.and_then(|mut today| today.install_key_set(&document));
        taken.map_err(LicensingError::KeySetRefused)?;
    }
    let version = ring.key_set().map_or(0, |set| set.version);
    let set = StoredSet {
        version,
        document,
        origin: origin.to_owned(),
        published_at: cx.now,
    };
    sql::insert_set(cx.tx, cx.caller.tenant, seller, &set)?;
    let told = Published { version, origin };
    crate::events::record(cx, "key_set.published", &seller.to_string(), &told)?;
    Ok(version)
}

/// What the fact of a published set tells.
#[derive(Serialize)]
struct Published<'a> {
    version: u64,
    origin: &'a str,
}

/// Sellers' keys change one after the other.
fn contention(what: &str) -> Vec<String> {
    vec![format!("keys {what}")]
}

/// Gives a product of one's own a new key; what the old one signed stays good.
#[derive(Debug, Clone)]
pub struct RotateKey {
    /// Part of the product's address.
    pub slug: String,
}

impl Command for RotateKey {
    const NAME: &'static str = "licensing.rotate_key";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.slug.clone())
    }

    fn contention_keys(&self) -> Vec<String> {
        contention(&self.slug)
    }
}

/// A new key of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The key.
    pub key: KeyId,
    /// Its public half, for its certificate.
    pub public: mintreu::document::PublicKey,
    /// The key set that tells of it; `None` while the key waits for a certificate, since the root
    /// is elsewhere.
    pub key_set: Option<u64>,
}

/// Gives a product a new key. Where the root is here it is certified at once and signs from now on;
/// where it isn't, the key waits for a set that is uploaded with its certificate.
pub fn rotate_key(cx: &mut Cx<'_>, cmd: &RotateKey) -> Result<Rotated, LicensingError> {
    let product = custody::own_product(cx, &cmd.slug)?;
    let seller = product.seller.account;
    let name = KeyName {
        tenant: cx.caller.tenant,
        seller,
        purpose: PRODUCT,
        audience: &product.code,
    };
    let (held, key_set) = match custody::certify_new(cx, name, Scope::product(&product.code)) {
        Ok(held) => (held, Some(publish(cx, seller, |_| {})?)),
        Err(LicensingError::RootAbsent) => (custody::make_uncertified(cx, name)?, None),
        Err(error) => return Err(error),
    };
    crate::events::record(cx, "product_key.made", &held.id.to_string(), &())?;
    Ok(Rotated {
        key: held.id,
        public: *held.key.public(),
        key_set,
    })
}

/// Revokes a stolen key of one's own totally.
#[derive(Debug, Clone)]
pub struct RevokeKey {
    /// Which.
    pub key: KeyId,
    /// From when nothing that hangs on it holds; at once without.
    pub from: Option<Timestamp>,
    /// Why, for the seller's own records.
    pub reason: String,
}

impl Command for RevokeKey {
    const NAME: &'static str = "licensing.revoke_key";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.key.to_string())
    }
}

/// Revokes a key: another takes its place at once, every license is signed again by it, and then
/// the key set that says so is published. Once is enough.
pub fn revoke_key(cx: &mut Cx<'_>, cmd: &RevokeKey) -> Result<(), LicensingError> {
    let seller = cx.caller.account.ok_or(LicensingError::NotFound)?;
    let keys = sql::of_seller(cx.tx, cx.caller.tenant, seller)?;
    let found = keys.iter().find(|key| key.id == cmd.key);
    let key = found.ok_or(LicensingError::NotFound)?;
    if key.revoked_at.is_some() {
        return Ok(());
    }
    let name = KeyName {
        tenant: cx.caller.tenant,
        seller,
        purpose: match key.purpose.as_str() {
            PRODUCT => PRODUCT,
            RECEIPT => RECEIPT,
            _ => return Err(LicensingError::RootIsChanged),
        },
        audience: &key.audience,
    };
    let signs = current(&keys).any(|known| known.id == key.id);
    let from = cmd.from.unwrap_or(cx.now);
    begin_revoking(cx, key, from, &cmd.reason)?;
    // The root must be here: who has it elsewhere revokes by a set of their own.
    let root = custody::root(cx, seller)?;
    let ring = custody::ring(cx.tx, name.tenant, seller, root.public)?;
    root.signs_under(&ring)?;
    // Not the key before it: that one was replaced for a reason.
    if signs {
        let scope = match name.purpose {
            PRODUCT => Scope::product(name.audience),
            _ => Scope::receipts(),
        };
        custody::certify_new(cx, name, scope)?;
    }
    Ok(())
}

/// Marks a key as revoked and plans that its licenses are signed again.
fn begin_revoking(
    cx: &mut Cx<'_>,
    key: &KeyRecord,
    from: Timestamp,
    reason: &str,
) -> Result<(), LicensingError> {
    let revoking = Revoking {
        from,
        reason,
        now: cx.now,
    };
    if sql::mark_revoked(cx.tx, cx.caller.tenant, key.id, &revoking)? {
        let job = SignAgain {
            key: key.id.to_string(),
            seller: cx.caller.account.map(|seller| seller.to_string()),
        };
        queue::enqueue(cx, SIGN_AGAIN_JOB, &job, cx.now)?;
        crate::events::record(cx, "seller_key.revoked", &key.id.to_string(), &())?;
    }
    Ok(())
}

/// What the job carries: the revoked key, and whose it is. What is left to do is in the rows.
#[derive(Debug, Serialize, Deserialize)]
pub struct SignAgain {
    key: String,
    seller: Option<String>,
}

/// Signs some licenses again; when none is left, publishes the set that revokes their key.
pub fn sign_again(cx: &mut Cx<'_>, job: &SignAgain) -> Result<(), JobError> {
    let key: KeyId = job.key.parse().map_err(JobError::fail)?;
    let seller = job.seller.as_deref().unwrap_or_default();
    let seller: AccountId = seller.parse().map_err(JobError::fail)?;
    let done = sign_some_again(cx, key, seller).map_err(|error| match error {
        LicensingError::Store(error) => JobError::from(error),
        other => JobError::fail(other),
    })?;
    if !done {
        queue::enqueue(cx, SIGN_AGAIN_JOB, job, cx.now)?;
    }
    Ok(())
}

fn sign_some_again(cx: &mut Cx<'_>, key: KeyId, seller: AccountId) -> Result<bool, LicensingError> {
    let tenant = cx.caller.tenant;
    let keys = sql::of_seller(cx.tx, tenant, seller)?;
    let found = keys.iter().find(|known| known.id == key);
    let stolen = found.ok_or(LicensingError::NotFound)?;
    let batch = sql::licenses_of_key(cx.tx, tenant, key, BATCH)?;
    let known = known(cx, seller)?;
    if !batch.is_empty() {
        let signer = custody::product_key(cx, seller, &stolen.audience)?;
        for (license, document) in &batch {
            let ring = &known.ring;
            sign_one_again(cx, seller, (*license, document.as_slice()), &signer, ring)?;
        }
        return Ok(false);
    }
    let from = stolen.revoked_from.unwrap_or(cx.now);
    let known_already = known.ring.key_set().is_some_and(|set| {
        let mut revoked = set.revoked.iter();
        revoked.any(|revoked| revoked.key == stolen.public)
    });
    if known_already && known.root.signs_under(&known.ring).is_err() {
        // The seller's own set told of it; theirs are the licenses that travel along.
        return Ok(true);
    }
    let revoked = RevokedKey {
        key: stolen.public,
        from,
    };
    publish(cx, seller, |set| {
        set.revoked.retain(|known| known.key != revoked.key);
        set.revoked.push(revoked);
    })?;
    Ok(true)
}

/// The same claims under another key, issued now: no instant of before vouches for them.
fn sign_one_again(
    cx: &mut Cx<'_>,
    seller: AccountId,
    (license, document): (LicenseId, &[u8]),
    signer: &Held,
    ring: &Ring,
) -> Result<Vec<u8>, LicensingError> {
    let verified = mintreu::license::verify(document, ring).map_err(LicensingError::Signing)?;
    let mut claims = verified.claims().clone();
    claims.issued_at = cx.now;
    let bundle = mintreu::license::issue(&claims, &signer.key, &signer.certificates())
        .map_err(LicensingError::Signing)?;
    let tenant = cx.caller.tenant;
    sql::sign_license_again(cx.tx, tenant, license, (signer.id, &bundle), cx.now)?;
    let logged = (claims.product.as_str(), license, cx.now);
    documents::log(cx, seller, logged, &bundle)?;
    Ok(bundle)
}

/// Signs a license again whose key was revoked, before its turn: somebody asks for it now.
pub(super) fn refresh(cx: &mut Cx<'_>, license: &mut License) -> Result<(), LicensingError> {
    if !sql::license_hangs_on_revoked(cx.tx, cx.caller.tenant, license.id)? {
        return Ok(());
    }
    let ring = known(cx, license.seller)?.ring;
    let signer = custody::product_key(cx, license.seller, &license.product_code)?;
    let before = (license.id, license.document.as_slice());
    license.document = sign_one_again(cx, license.seller, before, &signer, &ring)?;
    Ok(())
}

/// Sets the licenses of a product of one's own free for ever.
#[derive(Debug, Clone)]
pub struct SunsetProduct {
    /// Part of the product's address.
    pub slug: String,
}

impl Command for SunsetProduct {
    const NAME: &'static str = "licensing.sunset";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.slug.clone())
    }
}

/// Sets a product's licenses free: devices that take the set ask for no activation and know no end.
/// It can't be taken back from a device. Once is enough.
pub fn sunset_product(cx: &mut Cx<'_>, cmd: &SunsetProduct) -> Result<u64, LicensingError> {
    let product = custody::own_product(cx, &cmd.slug)?;
    let seller = product.seller.account;
    let known = known(cx, seller)?;
    let free = known.ring.key_set().map(|set| (set.version, &set.sunset));
    if let Some((version, Some(products))) = free
        && is_free(products, &product.code)
    {
        return Ok(version);
    }
    let code = product.code.clone();
    publish(cx, seller, |set| {
        set.sunset = Some(match set.sunset.take() {
            Some(Products::Any) => Products::Any,
            Some(Products::Only(mut codes)) => {
                codes.push(code);
                Products::Only(codes)
            }
            None => Products::Only(vec![code]),
        });
    })
}

fn is_free(products: &Products, code: &str) -> bool {
    match products {
        Products::Any => true,
        Products::Only(codes) => codes.iter().any(|known| known == code),
    }
}

/// Publishes a key set that one's own root signed elsewhere.
#[derive(Debug, Clone)]
pub struct UploadKeySet {
    /// The signed document.
    pub document: Vec<u8>,
}

impl Command for UploadKeySet {
    const NAME: &'static str = "licensing.upload_key_set";
    const CAPABILITY: Capability = Capability::Sell;
}

/// Takes a set as a device would take it, and with it the certificates for keys that are held here.
/// A set that leaves the server without a key that devices believe is refused.
pub fn upload_key_set(cx: &mut Cx<'_>, cmd: &UploadKeySet) -> Result<u64, LicensingError> {
    let seller = cx.caller.account.ok_or(LicensingError::NotFound)?;
    let mut known = known(cx, seller)?;
    let before = sql::of_seller(cx.tx, cx.caller.tenant, seller)?;
    let version = store(cx, seller, &mut known.ring, cmd.document.clone(), UPLOAD)?;
    adopt(cx, &before, &known.ring)?;
    for key in before.iter().filter(|key| key.revoked_at.is_none()) {
        let set = known.ring.key_set();
        let mut revoked = set.iter().flat_map(|set| &set.revoked);
        if let Some(revoked) = revoked.find(|revoked| revoked.key == key.public) {
            let from = revoked.from;
            begin_revoking(cx, key, from, "revoked by an uploaded key set")?;
        }
    }
    let after = sql::of_seller(cx.tx, cx.caller.tenant, seller)?;
    match current(&before).find(|key| !is_believed(key, &after, &known.ring)) {
        Some(left) => Err(LicensingError::KeyLeftOut {
            public: left.public.to_string(),
        }),
        None => Ok(version),
    }
}

/// Takes over the certificates of keys that are held here.
fn adopt(cx: &mut Cx<'_>, keys: &[KeyRecord], ring: &Ring) -> Result<(), LicensingError> {
    let documents = ring.key_set().map_or(&[][..], |set| &set.certificates);
    for (certificate, document) in ring.certificates().zip(documents) {
        let held = keys.iter().find(|key| key.public == certificate.key);
        let Some(key) = held else {
            continue;
        };
        let scope = match key.purpose.as_str() {
            PRODUCT => Scope::product(&key.audience),
            RECEIPT => Scope::receipts(),
            _ => continue,
        };
        if !scope.is_within(certificate) {
            return Err(LicensingError::CertificateNarrow {
                public: key.public.to_string(),
            });
        }
        sql::set_certificate(cx.tx, cx.caller.tenant, key.id, document)?;
    }
    Ok(())
}

/// Whether there is a key now for what `before` signs that a root in force certified.
fn is_believed(before: &KeyRecord, after: &[KeyRecord], ring: &Ring) -> bool {
    let roots: Vec<_> = ring.roots_in_force().collect();
    let same = |key: &&KeyRecord| key.purpose == before.purpose && key.audience == before.audience;
    let certified = current(after)
        .find(same)
        .and_then(|key| key.certificate.as_deref());
    certified.is_some_and(|bytes| Certificate::verify(bytes, &roots).is_ok())
}

/// Asks for the newest key set of a product's seller, by what the asker holds.
#[derive(Debug, Clone)]
pub struct AskKeySet {
    /// The product's code.
    pub product: String,
    /// The version held; 0 for none.
    pub have: u64,
}

/// The newest set of the product's seller, unless the asker has it.
pub fn find_key_set(
    cx: &mut ReadCx<'_>,
    ask: &AskKeySet,
) -> Result<Option<StoredSet>, LicensingError> {
    let tenant = cx.caller.tenant;
    let product = catalog::product_by_code(cx.tx, tenant, &ask.product)?;
    let product = product.ok_or(LicensingError::NotFound)?;
    let newest = sql::newest_set(cx.tx, tenant, product.seller.account)?;
    Ok(newest.filter(|set| set.version > ask.have))
}

/// A seller's keys, and the newest set that tells of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysView {
    /// Those of one purpose and product together, the newest first.
    pub keys: Vec<KeyRecord>,
    /// The newest set.
    pub key_set: Option<StoredSet>,
    /// The keys that sign now, by id.
    pub current: Vec<KeyId>,
    /// The roots that hold now, the spare second.
    pub roots: Vec<mintreu::document::PublicKey>,
}

/// The caller's own keys.
pub fn keys(cx: &mut ReadCx<'_>, _: &()) -> Result<KeysView, LicensingError> {
    let seller = cx.caller.account.ok_or(LicensingError::NotFound)?;
    let tenant = cx.caller.tenant;
    let keys = sql::of_seller(cx.tx, tenant, seller)?;
    let root = keys.iter().find(|key| key.purpose == custody::ROOT);
    let roots = match root {
        None => Vec::new(),
        Some(root) => {
            let ring = custody::ring(cx.tx, tenant, seller, root.public)?;
            ring.roots_in_force().copied().collect()
        }
    };
    Ok(KeysView {
        current: current(&keys).map(|key| key.id).collect(),
        key_set: sql::newest_set(cx.tx, tenant, seller)?,
        keys,
        roots,
    })
}
