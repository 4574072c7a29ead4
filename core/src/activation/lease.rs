//! A seat is kept for a while longer: the smallest document there is.

use super::VerifiedActivation;
use crate::document::cbor::{self, Value};
use crate::document::{Bundle, ISSUED_AT, Kind, PRIVATE, SigningKey, private_claims, seal};
use crate::error::{Error, Result};
use crate::id::ActivationId;
use crate::license::{Anchor, Signers, open_under};
use crate::time::Timestamp;

const ACTIVATION: i64 = 1;
const SECONDS: i64 = 2;

/// The longest a lease lasts, in seconds: ten years.
const MAX_SECONDS: u32 = 10 * 366 * 86_400;

/// Keeps the seat of one activation for longer.
///
/// It names its activation by the last eight bytes of the id, which are random; product, license
/// and device are those of the activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// When it was issued, in whole seconds.
    pub issued_at: Timestamp,
    /// The activation.
    pub activation: ActivationId,
    /// For how many seconds from then on the seat is kept; at most ten years.
    pub seconds: u32,
}

/// A lease whose signatures hold up to a pinned root and that is for a held activation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLease {
    lease: Lease,
    signers: Signers,
}

impl Lease {
    /// Signs with a key certified for leases: the bytes of the bundle.
    pub fn issue(&self, key: &SigningKey, certificates: &[&[u8]]) -> Result<Vec<u8>> {
        let private = Value::labelled([
            (ACTIVATION, Some(Value::bytes(short(&self.activation)))),
            (SECONDS, Some(Value::Int(i64::from(self.seconds)))),
        ]);
        let claims = cbor::encode(&Value::labelled([
            (ISSUED_AT, Some(Value::Int(self.issued_at.secs()))),
            (PRIVATE, Some(private)),
        ]))?;
        let document = seal(Kind::Lease, &claims, key)?;
        Ok(Bundle::new(certificates.to_vec(), &document)?.to_bytes())
    }

    /// Verifies a bundle for one activation against what the product pins.
    ///
    /// `lease_mismatch` when it is for another activation; else errors as for a license.
    pub fn verify(
        bundle: &[u8],
        activation: &VerifiedActivation,
        anchor: &dyn Anchor,
    ) -> Result<VerifiedLease> {
        let held = activation.claims();
        let opened = open_under(Kind::Lease, bundle, anchor, &held.product, held.license)?;
        let claims = cbor::decode(opened.claims())?;
        let private = private_claims(&claims)?
            .ok_or_else(|| Error::new("malformed", "the lease says nothing"))?;
        if private.need(ACTIVATION, "activation")?.as_bytes()? != short(&held.id) {
            return Err(Error::new(
                "lease_mismatch",
                "this lease is for another device or an older activation of this one",
            ));
        }
        let seconds = u32::try_from(private.need(SECONDS, "seconds")?.as_int()?);
        let seconds = seconds.ok().filter(|&seconds| seconds <= MAX_SECONDS);
        let lease = Lease {
            issued_at: opened.issued_at(),
            activation: held.id,
            seconds: seconds
                .ok_or_else(|| Error::new("malformed", "a lease lasts at most ten years"))?,
        };
        Ok(VerifiedLease {
            lease,
            signers: opened.signers().clone(),
        })
    }
}

impl VerifiedLease {
    /// What it says.
    pub const fn claims(&self) -> &Lease {
        &self.lease
    }

    /// The keys it hangs on.
    pub const fn signers(&self) -> &Signers {
        &self.signers
    }

    /// When the seat is no longer kept.
    pub fn ends_at(&self) -> Timestamp {
        let ms = i64::from(self.lease.seconds) * 1000;
        self.lease.issued_at.plus_ms(ms)
    }
}

/// The random half of an activation's id.
fn short(id: &ActivationId) -> &[u8] {
    &id.as_bytes()[8..]
}
