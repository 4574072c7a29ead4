//! Units of a quota that several devices share: what a device asks for, and the lease it gets.

use super::VerifiedActivation;
use crate::document::cbor::{self, Value};
use crate::document::{
    AUDIENCE, Bundle, CONFIRMATION, ISSUED_AT, Kind, NONCE, PRIVATE, PublicKey, SigningKey,
    cose_key, open_self_signed, private_claims_with, seal, unverified,
};
use crate::error::{Error, Result};
use crate::id::{ActivationId, LicenseId};
use crate::license::{Anchor, Signers, instant, open_under};
use crate::meter::MAX_LIMIT;
use crate::time::Timestamp;

/// What a request for units asks, and what a lease of units grants: critical, so that neither is
/// ever taken for one of a seat.
const UNITS: i64 = -1;
const ACTIVATION: i64 = 1;
const SECONDS: i64 = 2;
/// Who doesn't know it uses the units all the same.
const BESIDE: i64 = 3;
/// The most bytes of a meter's name.
const MAX_METER: usize = 80;
/// The longest a lease lasts, in seconds: ten years.
const MAX_SECONDS: u32 = 10 * 366 * 86_400;

/// A device asks for units of a meter whose quota it shares with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitsRequest {
    /// The product's code.
    pub product: String,
    /// The device's own clock; nothing depends on it.
    pub issued_at: Timestamp,
    /// Random, so that no two requests are alike.
    pub nonce: [u8; 16],
    /// The license whose quota it is.
    pub license: LicenseId,
    /// The device's activation of it.
    pub activation: ActivationId,
    /// The meter.
    pub meter: String,
    /// The number of the last lease it took; 0 for none.
    pub last: u64,
    /// The window that lease was for.
    pub window: u32,
    /// Units it has used of that window's leases in all.
    pub used: u64,
    /// Whether it will use no more of them: the lease is over by its own clock.
    pub closed: bool,
    /// How many more units it would like.
    pub wanted: u64,
}

impl UnitsRequest {
    /// Signs with the device's key, which the request then names.
    pub fn seal(&self, device: &SigningKey) -> Result<Vec<u8>> {
        let asked = Value::Array(vec![
            Value::bytes(self.license.as_bytes()),
            Value::bytes(self.activation.as_bytes()),
            Value::text(&self.meter),
            count(self.last),
            Value::Int(i64::from(self.window)),
            count(self.used),
            Value::Bool(self.closed),
            count(self.wanted),
        ]);
        let private = Value::labelled([(UNITS, Some(asked))]);
        let claims = cbor::encode(&Value::labelled([
            (AUDIENCE, Some(Value::text(&self.product))),
            (ISSUED_AT, Some(Value::Int(self.issued_at.secs().max(0)))),
            (CONFIRMATION, Some(cose_key(device.public()))),
            (NONCE, Some(Value::bytes(&self.nonce))),
            (PRIVATE, Some(private)),
        ]))?;
        seal(Kind::Request, &claims, device)
    }

    /// Verifies a request with the key it names: gives that device key and what it asks.
    pub fn verify(bytes: &[u8]) -> Result<(PublicKey, Self)> {
        let (device, payload) = open_self_signed(Kind::Request, bytes)?;
        let claims = cbor::decode(payload)?;
        let private = private_claims_with(&claims, &[UNITS])?;
        let asked = private.and_then(|private| private.at(UNITS));
        let asked = asked.ok_or_else(|| malformed("this asks for no units"))?;
        let [
            license,
            activation,
            meter,
            last,
            window,
            used,
            closed,
            wanted,
        ] = asked.as_array()?
        else {
            return Err(malformed("a request for units has eight parts"));
        };
        let request = Self {
            product: claims.need(AUDIENCE, "product")?.as_text()?.to_owned(),
            issued_at: instant(claims.need(ISSUED_AT, "issued at")?)?,
            nonce: claims.need(NONCE, "nonce")?.as_exact()?,
            license: LicenseId::from_bytes(license.as_exact()?),
            activation: ActivationId::from_bytes(activation.as_exact()?),
            meter: read_meter(meter)?,
            last: last.as_count()?,
            window: read_window(window)?,
            used: read_units(used)?,
            closed: closed.as_bool()?,
            wanted: read_units(wanted)?,
        };
        Ok((device, request))
    }
}

/// Units of a meter that one device may use until an instant.
///
/// Leases of one window add nothing up: each says how many units the device has of it in all, so
/// that a repeated, lost or reordered one changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitsLease {
    /// When it was issued, in whole seconds.
    pub issued_at: Timestamp,
    /// The activation it is for.
    pub activation: ActivationId,
    /// For how many seconds from then on the units may be used; at most ten years.
    pub seconds: u32,
    /// The meter.
    pub meter: String,
    /// Its number among the leases of this meter to this device, from 1; only the highest counts.
    pub number: u64,
    /// The window of the quota that the units are of.
    pub window: u32,
    /// Units in that window, those of earlier leases included.
    pub units: u64,
    /// Units of the window that others have used, as far as the lender knew when it lent, less those
    /// that were carried over into the window: what an alert of the shared quota goes by.
    pub beside: i64,
}

/// A lease of units whose signatures hold up to a pinned root and that is for a held activation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedUnits {
    lease: UnitsLease,
    signers: Signers,
}

impl UnitsLease {
    /// Whether a bundle holds a lease of units, going by what it says without proof.
    pub fn resembles(bundle: &[u8]) -> bool {
        let claims = || {
            let bundle = Bundle::from_bytes(bundle).ok()?;
            let payload = unverified(Kind::Lease, bundle.document()).ok()?;
            let claims = cbor::decode(payload).ok()?;
            claims.at(PRIVATE)?.at(UNITS).map(drop)
        };
        claims().is_some()
    }

    /// Signs with a key certified for leases: the bytes of the bundle.
    pub fn issue(&self, key: &SigningKey, certificates: &[&[u8]]) -> Result<Vec<u8>> {
        let granted = Value::Array(vec![
            Value::text(&self.meter),
            count(self.number),
            Value::Int(i64::from(self.window)),
            count(self.units),
        ]);
        let private = Value::labelled([
            (
                ACTIVATION,
                Some(Value::bytes(&self.activation.as_bytes()[8..])),
            ),
            (SECONDS, Some(Value::Int(i64::from(self.seconds)))),
            (
                BESIDE,
                Some(Value::Int(self.beside)).filter(|_| self.beside != 0),
            ),
            (UNITS, Some(granted)),
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
    ) -> Result<VerifiedUnits> {
        let held = activation.claims();
        let opened = open_under(Kind::Lease, bundle, anchor, &held.product, held.license)?;
        let claims = cbor::decode(opened.claims())?;
        let private = private_claims_with(&claims, &[UNITS])?
            .ok_or_else(|| malformed("the lease says nothing"))?;
        if private.need(ACTIVATION, "activation")?.as_bytes()? != &held.id.as_bytes()[8..] {
            return Err(Error::new(
                "lease_mismatch",
                "this lease is for another device or an older activation of this one",
            ));
        }
        let seconds = u32::try_from(private.need(SECONDS, "seconds")?.as_int()?);
        let seconds = seconds.ok().filter(|&seconds| seconds <= MAX_SECONDS);
        let [meter, number, window, units] = private.need(UNITS, "units")?.as_array()? else {
            return Err(malformed("a lease of units has four parts"));
        };
        let units = read_units(units)?;
        let lease = Self {
            issued_at: opened.issued_at(),
            activation: held.id,
            seconds: seconds.ok_or_else(|| malformed("a lease lasts at most ten years"))?,
            meter: read_meter(meter)?,
            number: number.as_count()?,
            window: read_window(window)?,
            units,
            beside: match private.at(BESIDE) {
                None => 0,
                Some(beside) => read_beside(beside)?,
            },
        };
        Ok(VerifiedUnits {
            lease,
            signers: opened.signers().clone(),
        })
    }

    /// When the units may no longer be used.
    pub fn ends_at(&self) -> Timestamp {
        self.issued_at.plus_ms(i64::from(self.seconds) * 1000)
    }
}

impl VerifiedUnits {
    /// What it says.
    pub const fn claims(&self) -> &UnitsLease {
        &self.lease
    }

    /// The keys it hangs on.
    pub const fn signers(&self) -> &Signers {
        &self.signers
    }
}

fn malformed(detail: &'static str) -> Error {
    Error::new("malformed", detail)
}

fn count<'a>(number: u64) -> Value<'a> {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn read_meter(value: &Value<'_>) -> Result<String> {
    let meter = value.as_text()?;
    match meter.len() {
        1..=MAX_METER => Ok(meter.to_owned()),
        _ => Err(malformed("a meter's name has 1 to 80 bytes")),
    }
}

/// No quota has more, so that no sum of them is too large for anybody.
fn read_units(value: &Value<'_>) -> Result<u64> {
    match value.as_count()? {
        units @ 0..=MAX_LIMIT => Ok(units),
        _ => Err(malformed("more units than any quota has")),
    }
}

fn read_beside(value: &Value<'_>) -> Result<i64> {
    let beside = value.as_int()?;
    match beside.unsigned_abs() {
        0..=MAX_LIMIT => Ok(beside),
        _ => Err(malformed("others have used too many units")),
    }
}

fn read_window(value: &Value<'_>) -> Result<u32> {
    let window = u32::try_from(value.as_int()?).ok();
    let window = window.filter(|&window| window < 1 << 24);
    window.ok_or_else(|| malformed("a window's number has 24 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::{Activation, Fingerprint, Lease};
    use crate::license::Trust;

    const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn activation(id: u8) -> VerifiedActivation {
        let activation = Activation {
            id: ActivationId::from_bytes([id; 16]),
            license: LicenseId::from_bytes([1; 16]),
            product: "acme.editor".into(),
            issued_at: NOW,
            expires_at: None,
            device: *key(5).public(),
            nonce: [9; 16],
            fingerprint: Fingerprint::default(),
            license_bundle: None,
        };
        let bundle = activation.issue(&key(1), &[]).expect("issues");
        Activation::verify(&bundle, &trust()).expect("verifies")
    }

    fn trust() -> Trust {
        Trust::new("acme.editor", *key(1).public()).expect("a trust")
    }

    #[test]
    fn a_request_for_units_comes_back_with_its_device() {
        let request = UnitsRequest {
            product: "acme.editor".into(),
            issued_at: NOW,
            nonce: [4; 16],
            license: LicenseId::from_bytes([1; 16]),
            activation: ActivationId::from_bytes([2; 16]),
            meter: "renders".into(),
            last: 3,
            window: 682,
            used: 40,
            closed: true,
            wanted: 50,
        };
        let bytes = request.seal(&key(5)).expect("seals");
        let (device, read) = UnitsRequest::verify(&bytes).expect("verifies");
        assert_eq!((&device, read), (key(5).public(), request));
        assert!(
            crate::activation::Request::verify(&bytes).is_err(),
            "no seat"
        );
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(UnitsRequest::verify(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn nobody_says_or_wants_more_than_any_quota_has() {
        for (used, wanted) in [(MAX_LIMIT, MAX_LIMIT), (MAX_LIMIT + 1, 0), (0, u64::MAX)] {
            let request = UnitsRequest {
                product: "acme.editor".into(),
                issued_at: NOW,
                nonce: [4; 16],
                license: LicenseId::from_bytes([1; 16]),
                activation: ActivationId::from_bytes([2; 16]),
                meter: "renders".into(),
                last: 0,
                window: 0,
                used,
                closed: false,
                wanted,
            };
            let bytes = request.seal(&key(5)).expect("seals");
            let read = UnitsRequest::verify(&bytes).map_err(|error| error.code());
            let fits = used.max(wanted) <= MAX_LIMIT;
            assert_eq!(read.map(drop), if fits { Ok(()) } else { Err("malformed") });
        }
    }

    #[test]
    fn a_lease_of_units_is_for_one_activation_and_for_no_seat() {
        let lease = UnitsLease {
            issued_at: NOW,
            activation: ActivationId::from_bytes([2; 16]),
            seconds: 3600,
            meter: "renders".into(),
            number: 1,
            window: 682,
            units: 50,
            beside: -7,
        };
        let bundle = lease.issue(&key(1), &[]).expect("issues");
        let verified = UnitsLease::verify(&bundle, &activation(2), &trust());
        let verified = verified.expect("verifies");
        assert_eq!(verified.claims(), &lease);
        assert_eq!(verified.claims().ends_at(), NOW.plus_ms(3_600_000));
        assert!(UnitsLease::resembles(&bundle));
        let code = |verified: Result<VerifiedUnits>| verified.map_err(|error| error.code());
        let other = UnitsLease::verify(&bundle, &activation(3), &trust());
        assert_eq!(code(other), Err("lease_mismatch"));
        let seat = Lease::verify(&bundle, &activation(2), &trust());
        assert_eq!(seat.map_err(|error| error.code()), Err("unsupported"));
        let forged = lease.issue(&key(9), &[]).expect("issues");
        assert!(UnitsLease::verify(&forged, &activation(2), &trust()).is_err());
        let seat = Lease {
            issued_at: NOW,
            activation: lease.activation,
            seconds: 60,
        };
        assert!(!UnitsLease::resembles(
            &seat.issue(&key(1), &[]).expect("issues")
        ));
    }
}
