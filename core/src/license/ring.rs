//! What a device believes by now: the pinned trust, the newest key set and revocation lists.

use std::collections::BTreeMap;

use super::verify::{Root, Signers, root_certificate};
use super::{Certificate, KeySet, Revocations, Standing, Trust, VerifiedLicense, verify};
use crate::document::PublicKey;
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::time::Timestamp;

/// The most changes of roots that one key set is followed through.
const MAX_CHANGES: usize = 8;
/// The most revocation lists of one product.
const MAX_LISTS: usize = 64;

/// Up to what signatures are followed: a pinned [`Trust`] alone, or a [`Ring`].
pub trait Anchor {
    /// What the product pins.
    fn trust(&self) -> &Trust;

    /// What was learned since; nothing for a trust alone.
    fn ring(&self) -> Option<&Ring> {
        None
    }

    /// What these very bytes were found to be before, and the key whose signature fits them, where
    /// somebody remembers: a certificate is met again with every license that hangs on it.
    fn remembered(&self, _certificate: &[u8]) -> Option<(PublicKey, Certificate)> {
        None
    }

    /// Told of every certificate whose signature was found to fit.
    fn remember(&self, _bytes: &[u8], _parent: &PublicKey, _certificate: &Certificate) {}
}

impl Anchor for Trust {
    fn trust(&self) -> &Trust {
        self
    }
}

/// A pinned [`Trust`] with the newest key set and the newest revocation lists.
///
/// Whoever keeps the bytes of what was installed last, of the key set and of each list, can build
/// the same ring again.
#[derive(Debug, Clone)]
pub struct Ring {
    trust: Trust,
    roots: Vec<Root>,
    key_set: Option<KeySet>,
    added: Vec<Added>,
    signed_again: BTreeMap<LicenseId, VerifiedLicense>,
    lists: BTreeMap<u64, Listed>,
}

/// A revocation list, and the keys it hangs on.
#[derive(Debug, Clone)]
struct Listed {
    list: Revocations,
    signers: Signers,
}

/// A certificate that the key set adds, and the root that signed it.
#[derive(Debug, Clone)]
pub(super) struct Added {
    pub root: PublicKey,
    pub certificate: Certificate,
}

impl Anchor for Ring {
    fn trust(&self) -> &Trust {
        &self.trust
    }

    fn ring(&self) -> Option<&Ring> {
        Some(self)
    }
}

impl Ring {
    /// Knows what the product pins and nothing else yet.
    pub fn new(trust: Trust) -> Self {
        Self {
            roots: Root::pinned(&trust),
            trust,
            key_set: None,
            added: Vec::new(),
            signed_again: BTreeMap::new(),
            lists: BTreeMap::new(),
        }
    }

    /// The newest key set.
    pub const fn key_set(&self) -> Option<&KeySet> {
        self.key_set.as_ref()
    }

    /// The root keys that hold now: one, or two with the spare second.
    pub fn roots_in_force(&self) -> impl Iterator<Item = &PublicKey> {
        let current = self.roots.iter().filter(|root| root.until.is_none());
        current.map(|root| &root.key)
    }

    /// What a product knows that is built today and pins the roots that hold now: nothing else.
    pub fn as_pinned_today(&self) -> Result<Self> {
        let mut roots = self.roots_in_force();
        let missing = || Error::new("malformed", "no root key holds");
        let root = *roots.next().ok_or_else(missing)?;
        let trust = match self.trust.product() {
            Some(product) => Trust::new(product, root)?,
            None => Trust::for_any_product(root),
        };
        Ok(Self::new(match roots.next() {
            Some(&spare) => trust.with_spare(spare),
            None => trust,
        }))
    }

    /// The certificates that the key set adds, in its order.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.added.iter().map(|added| &added.certificate)
    }

    /// The newest of each revocation list.
    pub fn lists(&self) -> impl Iterator<Item = &Revocations> {
        self.lists.values().map(|held| &held.list)
    }

    /// Takes a key set; tells whether it was newer than the one held.
    ///
    /// `keyset_old` when it is older than the one held or than the trust accepts;
    /// `certificate_out_of_scope` when it changes the roots without the right to; `key_revoked`
    /// when a revoked root signed it; else errors as for any document.
    pub fn install_key_set(&mut self, bytes: &[u8]) -> Result<bool> {
        let next = Followed::from(&self.roots, self.key_set.as_ref()).take(bytes)?;
        let version = next.set.as_ref().map_or(0, |set| set.version);
        let held = self.key_set.as_ref().map_or(0, |set| set.version);
        if version < held.max(self.trust.least_key_set()) {
            return Err(Error::new(
                "keyset_old",
                "this key set is older than one already known; ask the seller for the newest",
            ));
        }
        if version == held {
            return Ok(false);
        }
        // Whoever reads only this one set must come to the same roots as whoever read them all.
        let alone = Followed::from(&Root::pinned(&self.trust), None).take(bytes)?;
        if !alone.in_force().eq(next.in_force()) {
            return Err(out_of_scope(
                "the key set leaves out an earlier change of the root keys",
            ));
        }
        let set = alone
            .set
            .ok_or_else(|| out_of_scope("there is no key set"))?;
        self.added = added(&set, &alone.roots, &self.trust)?;
        self.roots = alone.roots;
        self.key_set = Some(set);
        self.signed_again = self.verify_signed_again();
        Ok(true)
    }

    /// Takes a revocation list; tells whether it was newer than the one held.
    ///
    /// `list_old` when its version or its instant of issue is before the held one's, unless the
    /// latter hangs on a revoked key: then whoever had that key may have chosen both.
    pub fn install_revocations(&mut self, bundle: &[u8]) -> Result<bool> {
        let (opened, list) = Revocations::verify_by(bundle, self)?;
        let signers = opened.signers().clone();
        let held = self.lists.get(&list.list());
        let tainted = held.is_some_and(|held| self.revoked_from(&held.signers).is_some());
        let replaces = tainted && self.revoked_from(&signers).is_none();
        if let Some(Listed { list: held, .. }) = held.filter(|_| !replaces) {
            let (new, known) = (
                (list.version(), list.issued_at()),
                (held.version(), held.issued_at()),
            );
            if new.0 < known.0 || new.1 < known.1 {
                return Err(Error::new(
                    "list_old",
                    "this revocation list is older than one already known; ask for the newest",
                ));
            }
            if new == known {
                return Ok(false);
            }
        } else if held.is_none() && self.lists.len() >= MAX_LISTS {
            return Err(Error::new(
                "too_large",
                "a product has at most 64 revocation lists",
            ));
        }
        self.lists.insert(list.list(), Listed { list, signers });
        Ok(true)
    }

    /// What the key set and the lists say about a license: one of the [`Facts`](super::Facts).
    pub fn standing(&self, license: &VerifiedLicense) -> Standing {
        let claims = license.claims();
        let entry = claims.status;
        let list = entry.and_then(|entry| {
            let list = &self.lists.get(&entry.list)?.list;
            list.covers(entry).then_some(list)
        });
        let revoked = entry
            .zip(list)
            .is_some_and(|(entry, list)| list.is_revoked(entry.index));
        let free = |set: &&KeySet| {
            let products = set.sunset.as_ref();
            products.is_some_and(|products| products.contains(&claims.product))
        };
        Standing {
            revoked,
            replace_by: self.revoked_from(license.signers()),
            listed_at: list.map(Revocations::issued_at),
            sunset: self.key_set().filter(free).map(|set| set.issued_at),
        }
    }

    /// From when one of these keys is revoked, the earliest of them.
    pub fn revoked_from(&self, signers: &Signers) -> Option<Timestamp> {
        let revoked = self.key_set()?.revoked.iter();
        revoked
            .filter(|revoked| signers.contains(&revoked.key))
            .map(|revoked| revoked.from)
            .min()
    }

    /// The license as it was signed again after a key of its was revoked, if the key set brought
    /// that along; else the license itself.
    pub fn newest<'a>(&'a self, license: &'a VerifiedLicense) -> &'a VerifiedLicense {
        match self.signed_again.get(&license.claims().id) {
            Some(again) if self.revoked_from(license.signers()).is_some() => again,
            _ => license,
        }
    }

    /// The licenses of this product that the key set brought along, signed again.
    pub fn signed_again(&self) -> impl Iterator<Item = &VerifiedLicense> {
        self.signed_again.values()
    }

    pub(super) fn roots(&self) -> &[Root] {
        &self.roots
    }

    pub(super) fn added(&self) -> &[Added] {
        &self.added
    }

    /// Those of the set's licenses that hold here: others are for other products of the root.
    fn verify_signed_again(&self) -> BTreeMap<LicenseId, VerifiedLicense> {
        let bundles = self.key_set.iter().flat_map(|set| &set.licenses);
        bundles
            .filter_map(|bundle| verify(bundle, self).ok())
            .filter(|license| self.revoked_from(license.signers()).is_none())
            .map(|license| (license.claims().id, license))
            .collect()
    }
}

fn added(set: &KeySet, roots: &[Root], trust: &Trust) -> Result<Vec<Added>> {
    let certificate = |bytes: &Vec<u8>| {
        let (root, certificate) = root_certificate(bytes, roots, trust)?;
        Ok(Added { root, certificate })
    };
    set.certificates.iter().map(certificate).collect()
}

fn out_of_scope(detail: &'static str) -> Error {
    Error::new("certificate_out_of_scope", detail)
}

/// The roots as they are after some key sets, and the newest of these.
struct Followed {
    roots: Vec<Root>,
    set: Option<KeySet>,
}

impl Followed {
    fn from(roots: &[Root], set: Option<&KeySet>) -> Self {
        Self {
            roots: roots.to_vec(),
            set: set.cloned(),
        }
    }

    fn in_force(&self) -> impl Iterator<Item = &PublicKey> {
        let current = self.roots.iter().filter(|root| root.until.is_none());
        current.map(|root| &root.key)
    }

    /// Takes the changes of roots that lead to a set, the oldest first, and the set itself.
    fn take(mut self, bytes: &[u8]) -> Result<Self> {
        let known = self.set.as_ref().map_or(0, |set| set.version);
        let mut changes = Vec::new();
        let mut previous = KeySet::previous_of(bytes)?;
        while let Some(change) = previous {
            if changes.len() == MAX_CHANGES {
                return Err(Error::new(
                    "malformed",
                    "a key set is followed through at most 8 changes of root keys",
                ));
            }
            previous = KeySet::previous_of(&change)?;
            changes.push(change);
        }
        for change in changes.iter().rev() {
            match self.open(change) {
                // A product that pins a newer root doesn't know who signed the older changes.
                Err(error) if error.code() == "unknown_key" => {}
                Ok((_, set)) if set.version <= known => {}
                opened => self.apply(opened?)?,
            }
        }
        let (signer, set) = self.open(bytes)?;
        if set.version > known {
            self.apply((signer, set))?;
        } else {
            self.set = Some(set);
        }
        Ok(self)
    }

    fn open(&self, bytes: &[u8]) -> Result<(PublicKey, KeySet)> {
        KeySet::verify_by(bytes, &self.in_force().collect::<Vec<_>>())
    }

    fn apply(&mut self, (signer, set): (PublicKey, KeySet)) -> Result<()> {
        if let Some(before) = &self.set {
            if set.version <= before.version {
                return Err(Error::new(
                    "malformed",
                    "the key sets that lead to this one are out of order",
                ));
            }
            if before.revoked.iter().any(|revoked| revoked.key == signer) {
                return Err(Error::new(
                    "key_revoked",
                    "this key set is signed by a root key that was revoked",
                ));
            }
        }
        if !set.roots.is_empty() {
            self.change_roots(&signer, &set)?;
        }
        self.set = Some(set);
        Ok(())
    }

    /// New roots need the old root and themselves, or the spare.
    fn change_roots(&mut self, signer: &PublicKey, set: &KeySet) -> Result<()> {
        let current: Vec<_> = self.in_force().copied().collect();
        let by_spare = current.get(1) == Some(signer);
        for key in &set.roots {
            if !by_spare && !current.contains(key) && !set.is_endorsed_by(key) {
                return Err(out_of_scope(
                    "a new root key has not consented to the change of root keys",
                ));
            }
        }
        let former = self
            .roots
            .iter()
            .filter(|root| !set.roots.contains(&root.key));
        let former = former.map(|root| Root {
            until: root.until.or(Some(set.issued_at)),
            ..*root
        });
        let named = set.roots.iter().map(|&key| Root { key, until: None });
        self.roots = named.chain(former).collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
