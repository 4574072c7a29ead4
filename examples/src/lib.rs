//! What the examples share: a vendor with keys, played in the same process.
//!
//! A real vendor's keys live elsewhere: the root offline on a stick, the product's key on the
//! vendor's or the marketplace's server. A real program has only the [`Trust`], as a constant. Here
//! both sides are in one file, so that an example runs alone and shows every byte that passes
//! between them. Start with `src/bin/desktop.rs`.

use std::sync::Arc;

use mintreu::activation::{Activation, Deactivation, Lease, Request, TimeProof, Wanted};
use mintreu::document::{Kind, PublicKey, SigningKey, to_text};
use mintreu::id::{ActivationId, LicenseId};
use mintreu::license::{Certificate, Claims, Products, Trust, issue};
use mintreu::{Engine, FixedClock, Options, Result, SystemClock, Timestamp};

/// The product of every example.
pub const PRODUCT: &str = "acme.editor";
/// The instant at which every example begins: 2026-11-18.
pub const START: Timestamp = Timestamp::from_secs(1_795_000_000);
/// Milliseconds of one day.
pub const DAY_MS: i64 = 86_400_000;

/// A vendor: its root key, its product key and the certificate between them.
pub struct Vendor {
    root: SigningKey,
    key: SigningKey,
    certificate: Vec<u8>,
}

impl Vendor {
    /// Makes the keys: what `mintreu keys new` and `mintreu keys certify` do with files.
    pub fn new() -> Result<Self> {
        let (root, key) = (SigningKey::generate()?, SigningKey::generate()?);
        let certificate = Certificate {
            key: *key.public(),
            kinds: vec![
                Kind::License,
                Kind::Activation,
                Kind::Lease,
                Kind::Challenge,
                Kind::Receipt,
            ],
            products: Products::Only(vec![PRODUCT.into()]),
            issued_at: START,
            signs_from: START,
            signs_until: Some(START.plus_ms(365 * DAY_MS)),
            delegate: false,
            licenses: None,
        };
        let certificate = certificate.issue(&root)?;
        Ok(Self {
            root,
            key,
            certificate,
        })
    }

    /// What a program of the vendor pins.
    pub fn trust(&self) -> Result<Trust> {
        Trust::new(PRODUCT, *self.root.public())
    }

    /// A license that says nothing yet, with an id of its own.
    pub fn license(&self, number: u8) -> Claims {
        Claims::new(LicenseId::from_bytes([number; 16]), PRODUCT, START)
    }

    /// Signs a license: the bundle's bytes.
    pub fn issue(&self, claims: &Claims) -> Result<Vec<u8>> {
        issue(claims, &self.key, &[&self.certificate])
    }

    /// Signs a license: the line that a customer pastes.
    pub fn sell(&self, claims: &Claims) -> Result<String> {
        Ok(to_text(&self.issue(claims)?))
    }

    /// Answers a device's request, until `expires_at` or for as long as the license.
    pub fn activate(
        &self,
        request: &[u8],
        license: &Claims,
        expires_at: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<Vec<u8>> {
        let (device, request) = Request::verify(request)?;
        let has_only_a_code = !matches!(request.wanted, Wanted::License(_));
        let activation = Activation {
            id: ActivationId::from_bytes(*device.as_bytes().first_chunk().unwrap_or(&[0; 16])),
            license: license.id,
            product: request.product,
            issued_at: at,
            expires_at,
            device,
            nonce: request.nonce,
            fingerprint: request.fingerprint,
            license_bundle: match has_only_a_code {
                true => Some(self.issue(license)?),
                false => None,
            },
        };
        activation.issue(&self.key, &[&self.certificate])
    }

    /// Keeps the seat that a request renews for so many seconds longer.
    pub fn renew(&self, request: &[u8], seconds: u32, at: Timestamp) -> Result<Vec<u8>> {
        let (_, request) = Request::verify(request)?;
        let renews = request.renews.ok_or_else(|| {
            mintreu::Error::new("renews_nothing", "the request asks for a new seat")
        })?;
        let lease = Lease {
            issued_at: at,
            activation: renews,
            seconds: request.lend_secs.unwrap_or(seconds),
        };
        lease.issue(&self.key, &[&self.certificate])
    }

    /// Tells a device that asked what time it is.
    pub fn tell_time(&self, question: &[u8], at: Timestamp) -> Result<Vec<u8>> {
        let (device, request) = Request::verify(question)?;
        self.prove(device, request.nonce, at)
    }

    /// Takes a seat back: gives the license, and what tells the device that it was heard.
    pub fn take_back(&self, said: &[u8], at: Timestamp) -> Result<(LicenseId, Vec<u8>)> {
        let (device, said) = Deactivation::verify(said)?;
        Ok((said.license, self.prove(device, said.nonce, at)?))
    }

    fn prove(&self, device: PublicKey, nonce: [u8; 16], at: Timestamp) -> Result<Vec<u8>> {
        let proof = TimeProof {
            product: PRODUCT.into(),
            at,
            device,
            nonce,
        };
        proof.issue(&self.key, &[&self.certificate])
    }
}

/// A device in a folder of its own, with a clock that the example moves.
pub struct Device {
    /// The engine, as a product would hold it.
    pub engine: Engine,
    /// Its clock.
    pub clock: Arc<FixedClock>,
    _folder: tempfile::TempDir,
}

impl Device {
    /// A new device that trusts the vendor; `release` is the running version and its day.
    pub fn new(vendor: &Vendor, release: Option<(&str, Timestamp)>) -> Result<Self> {
        let folder = tempfile::tempdir()
            .map_err(|error| mintreu::Error::new("no_folder", error.to_string()))?;
        let clock = Arc::new(FixedClock::at(START));
        let options = Options {
            clock: clock.clone(),
            version: release.map(|(version, _)| version.parse()).transpose()?,
            released_at: release.map(|(_, day)| day),
            ..Options::default()
        };
        let engine = Engine::open_with(folder.path(), vendor.trust()?, options)?;
        Ok(Self {
            engine,
            clock,
            _folder: folder,
        })
    }

    /// Days go by.
    pub fn after_days(&self, days: i64) {
        self.clock.set(START.plus_ms(days * DAY_MS));
    }

    /// Hours go by.
    pub fn later_by_hours(&self, hours: u32) {
        self.clock.advance(hours * 3_600_000);
    }

    /// Prints what the licenses come to now, and gives the code.
    pub fn show(&self, when: &str) -> Result<&'static str> {
        let verdict = self.engine.verdict()?;
        let runs = if verdict.is_allowed() {
            "runs"
        } else {
            "stops"
        };
        println!(
            "{when:<28} {runs:<6} {:<22} {}",
            verdict.code(),
            verdict.sentence()
        );
        Ok(verdict.status().code())
    }
}

/// Milliseconds that `work` takes on the system's clock, and what it gave.
pub fn timed<T>(work: impl FnOnce() -> T) -> (i64, T) {
    use mintreu::Clock as _;
    let start = SystemClock.now();
    let done = work();
    (SystemClock.now().since_ms(start), done)
}
