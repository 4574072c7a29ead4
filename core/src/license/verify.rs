//! From bytes to belief: the chain of signatures from a pinned root down to a document.

use super::{Anchor, Certificate, Claims, Facts, Ring, Schema, Trust, Verdict, judge};
use crate::document::cbor::{self, Value};
use crate::document::{
    AUDIENCE, Bundle, DOCUMENT_ID, ISSUED_AT, Kind, PRIVATE, PublicKey, SigningKey, from_text,
    open, open_by, seal,
};
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::time::Timestamp;

/// A document whose signatures hold up to a pinned root, of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    claims: Vec<u8>,
    product: String,
    issued_at: Timestamp,
    signers: Signers,
    revoked_from: Option<Timestamp>,
}

impl Opened {
    /// The claims, in deterministic CBOR.
    pub fn claims(&self) -> &[u8] {
        &self.claims
    }

    /// The product it is for.
    pub fn product(&self) -> &str {
        &self.product
    }

    /// When it was issued; within the window of every certificate above it.
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// The keys it hangs on.
    pub const fn signers(&self) -> &Signers {
        &self.signers
    }

    /// `key_revoked` from the instant on from which one of its keys is revoked.
    ///
    /// Licenses and activations are judged; whatever else is believed at once asks here.
    pub fn holds_at(&self, now: Timestamp) -> Result<()> {
        match self.revoked_from {
            Some(from) if now >= from => Err(Error::new(
                "key_revoked",
                "a key that vouches for this was revoked; ask for it again",
            )),
            _ => Ok(()),
        }
    }
}

/// The keys that a document hangs on: the root's, its certificates' and its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signers(Vec<[u8; 32]>);

impl Signers {
    /// Whether `key` is one of them.
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.0.iter().any(|signer| signer == key.as_bytes())
    }
}

/// A license whose signatures hold up to a pinned root and whose product is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLicense {
    claims: Claims,
    signers: Signers,
}

impl VerifiedLicense {
    /// What it says.
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The keys it hangs on.
    pub const fn signers(&self) -> &Signers {
        &self.signers
    }

    /// The same license with names in place of the schema's numbers; `malformed` when that would
    /// make two claims into one.
    pub fn lengthened(self, schema: &Schema) -> Result<Self> {
        let claims = self.claims.lengthened(schema)?;
        Ok(Self { claims, ..self })
    }
}

/// Signs a license: the bytes of its bundle.
///
/// `certificates` lead from the root to `key`, the root's first; none when `key` is a root itself.
pub fn issue(claims: &Claims, key: &SigningKey, certificates: &[&[u8]]) -> Result<Vec<u8>> {
    let document = seal(Kind::License, &claims.to_cbor()?, key)?;
    Ok(Bundle::new(certificates.to_vec(), &document)?.to_bytes())
}

/// Verifies a license bundle against what the product pins, or what a ring has learned since.
///
/// The error's code is that of a [`Status`](super::Status), in the same precedence.
pub fn verify(bundle: &[u8], anchor: &dyn Anchor) -> Result<VerifiedLicense> {
    let believed = Believed::open(Kind::License, bundle, anchor, None)?;
    Ok(VerifiedLicense {
        claims: Claims::from_value(&believed.claims)?,
        signers: believed.signers,
    })
}

/// Reads, verifies and judges a license in any of its text forms: the whole way in one call.
///
/// With a ring, what `facts` say of the license's standing is taken from it.
pub fn verify_text(text: &str, anchor: &dyn Anchor, facts: &Facts) -> Verdict {
    match from_text(text).and_then(|bundle| verify(&bundle, anchor)) {
        Ok(license) => judge_under(&license, anchor, facts),
        Err(error) => Verdict::from(&error),
    }
}

fn judge_under(license: &VerifiedLicense, anchor: &dyn Anchor, facts: &Facts) -> Verdict {
    let Some(ring) = anchor.ring() else {
        return judge(license, facts);
    };
    let license = ring.newest(license);
    let standing = ring.standing(license);
    judge(license, &Facts { standing, ..*facts })
}

/// Opens a bundle of any kind that is issued under a root: its signatures, scope and product.
///
/// Every such document names its product (`aud`) and its instant of issue (`iat`); a lease is
/// opened with its activation, by [`Lease::verify`](crate::activation::Lease::verify).
pub fn open_bundle(kind: Kind, bundle: &[u8], anchor: &dyn Anchor) -> Result<Opened> {
    if kind == Kind::Lease {
        return Err(Error::new(
            "wrong_kind",
            "a lease says nothing without its activation",
        ));
    }
    Ok(Believed::open(kind, bundle, anchor, None)?.to_opened(anchor))
}

/// Opens a bundle that is about a license of a product without naming either.
pub(crate) fn open_under(
    kind: Kind,
    bundle: &[u8],
    anchor: &dyn Anchor,
    product: &str,
    license: LicenseId,
) -> Result<Opened> {
    let about = Some((product, license));
    Ok(Believed::open(kind, bundle, anchor, about)?.to_opened(anchor))
}

/// An opened document whose claims are still where they are in its bundle, read once.
struct Believed<'a> {
    payload: &'a [u8],
    claims: Value<'a>,
    product: String,
    issued_at: Timestamp,
    signers: Signers,
}

impl<'a> Believed<'a> {
    /// `about` is the product and license of a document that doesn't name them itself.
    fn open(
        kind: Kind,
        bundle: &'a [u8],
        anchor: &dyn Anchor,
        about: Option<(&str, LicenseId)>,
    ) -> Result<Self> {
        let bundle = Bundle::from_bytes(bundle)?;
        if bundle.kind() != kind {
            let (found, asked) = (bundle.kind().name(), kind.name());
            return Err(Error::new(
                "wrong_kind",
                format!("this is a {found}, not a {asked}"),
            ));
        }
        let (payload, chains) = match bundle.certificates() {
            [] => by_known_key(kind, bundle.document(), anchor)?,
            certificates => by_certificates(kind, certificates, bundle.document(), anchor)?,
        };
        let claims = cbor::decode(payload)?;
        let product = match about {
            Some((product, _)) => product,
            None => claims.need(AUDIENCE, "product")?.as_text()?,
        };
        let product = product.to_owned();
        let issued_at = super::codec::instant(claims.need(ISSUED_AT, "issued at")?)?;
        if let Some(ours) = anchor.trust().product().filter(|&ours| ours != product) {
            return Err(Error::new(
                "wrong_product",
                format!("this is for the product {product}, not for {ours}"),
            ));
        }
        let license = match about {
            Some((_, license)) => Some(license),
            None => license_of(kind, &claims)?,
        };
        let signers = first_that_allows(chains, |chain| {
            chain.allows(kind, &product, issued_at, license)
        })?;
        Ok(Self {
            payload,
            claims,
            product,
            issued_at,
            signers,
        })
    }

    fn to_opened(&self, anchor: &dyn Anchor) -> Opened {
        let ring = anchor.ring();
        Opened {
            claims: self.payload.to_vec(),
            product: self.product.clone(),
            issued_at: self.issued_at,
            revoked_from: ring.and_then(|ring| ring.revoked_from(&self.signers)),
            signers: self.signers.clone(),
        }
    }
}

/// The license that a document is about, where its kind is about one.
fn license_of(kind: Kind, claims: &Value<'_>) -> Result<Option<LicenseId>> {
    /// In activations.
    const LICENSE: i64 = 2;
    let id = match kind {
        Kind::License => claims.need(DOCUMENT_ID, "license id")?,
        Kind::Activation => {
            let private = claims.need(PRIVATE, "private")?;
            private.need(LICENSE, "license")?
        }
        _ => return Ok(None),
    };
    Ok(Some(LicenseId::from_bytes(id.as_exact()?)))
}

/// A root key, and the instant of issue from which another took its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Root {
    pub key: PublicKey,
    pub until: Option<Timestamp>,
}

impl Root {
    pub fn pinned(trust: &Trust) -> Vec<Self> {
        let root = |&key: &PublicKey| Self { key, until: None };
        trust.roots().map(root).collect()
    }

    fn allows(&self, issued_at: Timestamp) -> Result<()> {
        if self.until.is_none_or(|until| issued_at < until) {
            return Ok(());
        }
        Err(Error::new(
            "certificate_out_of_scope",
            "the root key that signed this had been replaced when it was issued",
        ))
    }
}

fn roots(anchor: &dyn Anchor) -> Vec<Root> {
    match anchor.ring() {
        Some(ring) => ring.roots().to_vec(),
        None => Root::pinned(anchor.trust()),
    }
}

/// Opens a certificate that a root signed, and tells which root it was.
pub(super) fn root_certificate(
    bytes: &[u8],
    roots: &[Root],
    anchor: &dyn Anchor,
) -> Result<(PublicKey, Certificate)> {
    let keys: Vec<_> = roots.iter().map(|root| &root.key).collect();
    let (key, certificate) = certificate_by(bytes, &keys, anchor)?;
    roots
        .iter()
        .filter(|root| root.key == key)
        .try_for_each(|root| root.allows(certificate.issued_at))?;
    Ok((key, certificate))
}

/// Opens a certificate that one of `parents` signed, by itself or as it is remembered.
fn certificate_by(
    bytes: &[u8],
    parents: &[&PublicKey],
    anchor: &dyn Anchor,
) -> Result<(PublicKey, Certificate)> {
    let known = anchor.remembered(bytes);
    if let Some(known) = known.filter(|(parent, _)| parents.contains(&parent)) {
        return Ok(known);
    }
    let (parent, certificate) = Certificate::verify_by(bytes, parents)?;
    anchor.remember(bytes, &parent, &certificate);
    Ok((parent, certificate))
}

/// One way from a root down to a document's key.
struct Chain {
    signers: Vec<[u8; 32]>,
    /// What bounds the last key: a certificate, or the root's own end.
    bound: Bound,
}

enum Bound {
    Root(Root),
    Certificate(Certificate),
}

impl Chain {
    fn allows(
        &self,
        kind: Kind,
        product: &str,
        issued_at: Timestamp,
        license: Option<LicenseId>,
    ) -> Result<()> {
        match &self.bound {
            Bound::Root(root) => root.allows(issued_at),
            Bound::Certificate(certificate) => {
                certificate.allows(kind, product, issued_at)?;
                license.map_or(Ok(()), |license| certificate.allows_license(license))
            }
        }
    }
}

/// The signers of the first chain that `allows`; the first one's refusal where none does.
fn first_that_allows(chains: Vec<Chain>, allows: impl Fn(&Chain) -> Result<()>) -> Result<Signers> {
    let mut refusal = None;
    for chain in chains {
        match allows(&chain) {
            Ok(()) => return Ok(Signers(chain.signers)),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| Error::new("unknown_key", "nobody vouches for the document")))
}

/// A document with its certificates: there is one chain.
fn by_certificates<'a>(
    kind: Kind,
    certificates: &[&[u8]],
    document: &'a [u8],
    anchor: &dyn Anchor,
) -> Result<(&'a [u8], Vec<Chain>)> {
    let (first, rest) = certificates
        .split_first()
        .ok_or_else(|| Error::new("malformed", "a chain has a first certificate"))?;
    let (root, mut parent) = root_certificate(first, &roots(anchor), anchor)?;
    let mut signers = vec![*root.as_bytes(), *parent.key.as_bytes()];
    for bytes in rest {
        let (_, certificate) = certificate_by(bytes, &[&parent.key], anchor)?;
        parent.allows_child(&certificate)?;
        signers.push(*certificate.key.as_bytes());
        parent = certificate;
    }
    let payload = open(kind, document, &[&parent.key])?;
    let bound = Bound::Certificate(parent);
    Ok((payload, vec![Chain { signers, bound }]))
}

/// A document alone: a root signed it, or a key that the key set added, perhaps more than once.
fn by_known_key<'a>(
    kind: Kind,
    document: &'a [u8],
    anchor: &dyn Anchor,
) -> Result<(&'a [u8], Vec<Chain>)> {
    let roots = roots(anchor);
    let added = anchor.ring().map_or(&[][..], Ring::added);
    let mut keys: Vec<_> = roots.iter().map(|root| &root.key).collect();
    for known in added {
        if !keys.contains(&&known.certificate.key) {
            keys.push(&known.certificate.key);
        }
    }
    let (key, payload) = open_by(kind, document, &keys)?;
    let by_root = roots.iter().filter(|root| root.key == key);
    let by_root = by_root.map(|root| Chain {
        signers: vec![*key.as_bytes()],
        bound: Bound::Root(*root),
    });
    let by_added = added.iter().filter(|known| known.certificate.key == key);
    let by_added = by_added.map(|known| Chain {
        signers: vec![*known.root.as_bytes(), *key.as_bytes()],
        bound: Bound::Certificate(known.certificate.clone()),
    });
    Ok((payload, by_root.chain(by_added).collect()))
}

#[cfg(test)]
mod tests;
