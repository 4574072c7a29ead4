//! What a host may do: one license, and a chain of certificates down to the host's own key.

use crate::hostfile::HostFile;
use mintreu::activation::{Activation, Fingerprint, Lease};
use mintreu::document::{Kind, PublicKey, SigningKey};
use mintreu::id::ActivationId;
use mintreu::license::{Binding, Certificate, Trust, VerifiedLicense, verify};
use mintreu::{Error, Result, Timestamp};

/// A license and the right to lend its seats, checked as a product would check it.
#[derive(Debug)]
pub struct Delegation {
    license: VerifiedLicense,
    bundle: Vec<u8>,
    certificates: Vec<Vec<u8>>,
    trust: Trust,
    shown: Timestamp,
    signs_from: Timestamp,
    signs_until: Timestamp,
}

fn refuse<T>(code: &'static str, detail: &'static str) -> Result<T> {
    Err(Error::new(code, detail))
}

impl Delegation {
    /// Checks what a shop gave for `key`, against `pinned` or else the trust that came with it.
    /// Each way to be wrong has its own code.
    pub fn verify(file: HostFile, pinned: Option<Trust>, key: &PublicKey) -> Result<Self> {
        let Some(trust) = pinned.or(file.trust) else {
            return refuse(
                "host_trust_missing",
                "the file has no line mt1-trust; give the product's own with --trust",
            );
        };
        let license = verify(&file.license, &trust)?;
        if license.claims().binding != Binding::Floating {
            return refuse(
                "license_not_floating",
                "only a floating license has seats to lend on a network",
            );
        }
        let certificate = own_certificate(&file.certificates, &trust)?;
        let Some(signs_until) = certificate.signs_until else {
            return refuse(
                "certificate_without_end",
                "a host's certificate must end: a copy of the host could use it for ever",
            );
        };
        let delegation = Self {
            shown: license.claims().issued_at.max(certificate.issued_at),
            signs_from: certificate.signs_from,
            signs_until,
            license,
            bundle: file.license,
            certificates: file.certificates,
            trust,
        };
        delegation.is_for(&certificate, key)?;
        Ok(delegation)
    }

    fn is_for(&self, certificate: &Certificate, key: &PublicKey) -> Result<()> {
        if certificate.key != *key {
            return refuse(
                "certificate_for_another_key",
                "this file was made for another host; give the shop this host's key",
            );
        }
        let license = self.license.claims().id;
        let named = certificate.licenses.as_ref();
        if named.is_some_and(|named| !named.contains(&license)) {
            return refuse(
                "certificate_for_another_license",
                "the certificate in this file is for another license than the one beside it",
            );
        }
        Ok(())
    }

    /// Signs an activation and a lease at `now` and believes them as a product would.
    pub fn prove(&self, key: &SigningKey, now: Timestamp) -> Result<()> {
        let claims = self.license.claims();
        let id = ActivationId::from_bytes([0; 16]);
        let activation = Activation {
            id,
            license: claims.id,
            product: claims.product.clone(),
            issued_at: now,
            expires_at: Some(now),
            device: *key.public(),
            nonce: [0; 16],
            fingerprint: Fingerprint::default(),
            license_bundle: None,
        };
        let activation = activation.issue(key, &self.certificates())?;
        let activation = Activation::verify(&activation, &self.trust)?;
        let lease = Lease {
            issued_at: now,
            activation: id,
            seconds: 0,
        };
        let lease = lease.issue(key, &self.certificates())?;
        Lease::verify(&lease, &activation, &self.trust).map(drop)
    }

    /// Why the host may sign nothing at `now`, if so.
    pub fn refusal(&self, now: Timestamp) -> Option<Error> {
        if now < self.signs_from {
            let detail = "the host's certificate begins later; look at this machine's clock";
            return Some(Error::new("certificate_not_yet_valid", detail));
        }
        if now >= self.signs_until {
            let detail = "the host's certificate has ended; get a new file from the shop";
            return Some(Error::new("certificate_ended", detail));
        }
        None
    }

    /// The license.
    pub const fn license(&self) -> &VerifiedLicense {
        &self.license
    }

    /// The license's bundle, for devices that don't have it yet.
    pub fn bundle(&self) -> &[u8] {
        &self.bundle
    }

    /// What goes before every document the host signs.
    pub fn certificates(&self) -> Vec<&[u8]> {
        self.certificates.iter().map(Vec::as_slice).collect()
    }

    /// When the host may no longer sign.
    pub const fn signs_until(&self) -> Timestamp {
        self.signs_until
    }

    /// The latest instant that these documents show: it is no earlier than that.
    pub const fn shown(&self) -> Timestamp {
        self.shown
    }
}

/// The last certificate of the chain, with the signatures above it verified.
fn own_certificate(certificates: &[Vec<u8>], trust: &Trust) -> Result<Certificate> {
    let roots: Vec<&PublicKey> = trust.roots().collect();
    let mut above: Option<Certificate> = None;
    for bytes in certificates {
        let next = match &above {
            None => Certificate::verify(bytes, &roots)?,
            Some(parent) => Certificate::verify(bytes, &[&parent.key])?,
        };
        above = Some(next);
    }
    let own = above.ok_or_else(|| Error::new("host_file_malformed", "there is no certificate"))?;
    let needed = [Kind::Activation, Kind::Lease];
    if !needed.iter().all(|kind| own.kinds.contains(kind)) {
        return refuse(
            "certificate_out_of_scope",
            "the host's certificate doesn't cover activations and leases",
        );
    }
    Ok(own)
}
