//! Documents of every kind, generated from a number, and who believes them.

use mintreu::Timestamp;
use mintreu::activation::{
    Activation, Deactivation, Fingerprint, Lease, RedeemCode, Request, TimeProof,
    VerifiedActivation, Wanted,
};
use mintreu::document::cbor::{self, Value};
use mintreu::document::{Bundle, Kind, PublicKey, SigningKey, seal};
use mintreu::id::{ActivationId, LicenseId, StreamId};
use mintreu::license::{
    Certificate, Claims, Entitlement, KeySet, ListEntry, Products, QuotaClaim, Revocations,
    RevokedKey, Ring, Trust, issue, open_bundle, verify,
};
use mintreu::meter::{
    CellKey, Condition, GENESIS, Position, Receipt, Segment, TimeQuality, Total, Window,
    open_segment_of_any_device, seal_segment, stream_id,
};

use crate::common::{NOW, PRODUCT, Random};

/// The kinds that have claims of their own; the others are sealed around a license's claims.
pub const WITH_CLAIMS: [Kind; 11] = [
    Kind::License,
    Kind::Activation,
    Kind::Lease,
    Kind::Certificate,
    Kind::KeySet,
    Kind::Revocations,
    Kind::Request,
    Kind::Usage,
    Kind::Receipt,
    Kind::Deactivation,
    Kind::Challenge,
];

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

pub fn root() -> SigningKey {
    key(1)
}

pub fn trust() -> Trust {
    trust_in(PRODUCT, 1)
}

pub fn trust_in(product: &str, root: u8) -> Trust {
    Trust::new(product, *key(root).public()).expect("a trust")
}

/// One generated document: its bytes, maybe with certificates before it.
pub struct Sample {
    pub bytes: Vec<u8>,
}

impl Sample {
    /// The `index`th document of a kind; every second one hangs on certificates, where it may.
    pub fn new(kind: Kind, index: u64) -> Self {
        let mut random = Random::new(index * 31 + u64::from(kind.number()));
        let bytes = match index % 4 {
            1 => bundle_under(kind, &mut random, &[certificate(2, 1, false)], 2),
            3 => {
                let chain = [certificate(2, 1, true), certificate(3, 2, false)];
                bundle_under(kind, &mut random, &chain, 3)
            }
            _ => bundle_under(kind, &mut random, &[], 1),
        };
        Self { bytes }
    }

    /// The document without its certificates.
    pub fn document(&self) -> &[u8] {
        Bundle::from_bytes(&self.bytes)
            .expect("a bundle")
            .document()
    }
}

/// A certificate by which `parent` lets `seed` sign every kind.
fn certificate(seed: u8, parent: u8, delegate: bool) -> Vec<u8> {
    let certificate = Certificate {
        key: *key(seed).public(),
        kinds: Kind::all().collect(),
        products: Products::Only(vec![PRODUCT.into()]),
        issued_at: NOW,
        signs_from: NOW,
        signs_until: None,
        delegate,
        licenses: None,
    };
    certificate.issue(&key(parent)).expect("certifies")
}

fn bundle_under(kind: Kind, random: &mut Random, chain: &[Vec<u8>], signer: u8) -> Vec<u8> {
    let (signer, chain): (_, Vec<&[u8]>) = (key(signer), chain.iter().map(Vec::as_slice).collect());
    let sealed = match kind {
        Kind::License => issue(&license(random), &signer, &chain),
        Kind::Activation => activation(random).issue(&signer, &chain),
        Kind::Certificate => Ok(certificate(
            random.below(200) as u8,
            1,
            random.below(2) == 0,
        )),
        Kind::KeySet => key_set(random).issue(&root()),
        Kind::Revocations => revocations(random).issue(&signer, &chain),
        Kind::Request => request(random).seal(&key(5)),
        Kind::Usage => seal_segment(&segment(random), &key(5)),
        Kind::Receipt => receipt(random).seal(&signer, &chain),
        Kind::Lease => lease(random).issue(&signer, &chain),
        Kind::Challenge => time_proof(random).issue(&signer, &chain),
        Kind::Deactivation => deactivation(random).seal(&key(5)),
        other => {
            let claims = license(random).to_cbor().expect("encodes");
            let document = seal(other, &claims, &signer).expect("seals");
            Bundle::new(chain, &document).map(|bundle| bundle.to_bytes())
        }
    };
    sealed.expect("a document")
}

fn name(random: &mut Random) -> String {
    let letters = (0..1 + random.below(12)).map(|_| char::from(b'a' + random.below(26) as u8));
    letters.collect()
}

fn bytes<const N: usize>(random: &mut Random) -> [u8; N] {
    std::array::from_fn(|_| random.below(256) as u8)
}

pub fn license(random: &mut Random) -> Claims {
    let id = LicenseId::from_bytes(bytes(random));
    let mut claims = Claims::new(id, PRODUCT, NOW);
    for _ in 0..random.below(4) {
        let entitlement = match random.below(3) {
            0 => Entitlement::Granted,
            1 => Entitlement::Limit(random.below(1 << 40)),
            _ => Entitlement::Value(name(random)),
        };
        let name = name(random).parse().expect("a name");
        claims.entitlements.insert(name, entitlement);
    }
    if random.below(2) == 0 {
        let quota = QuotaClaim::new(random.below(1 << 30), Window::Month);
        claims
            .quotas
            .insert("renders".parse().expect("a name"), quota);
        claims.expires_at = Some(NOW.plus_ms(86_400_000));
        let entry = |index| ListEntry { list: 4, index };
        claims.status = Some(entry(random.below(1 << 20) as u32));
    }
    claims
}

fn activation(random: &mut Random) -> Activation {
    Activation {
        id: ActivationId::from_bytes(bytes(random)),
        license: LicenseId::from_bytes(bytes(random)),
        product: PRODUCT.into(),
        issued_at: NOW,
        expires_at: (random.below(2) == 0).then(|| NOW.plus_ms(86_400_000)),
        device: *key(random.below(200) as u8).public(),
        nonce: bytes(random),
        fingerprint: fingerprint(random),
        license_bundle: None,
    }
}

/// The activation that every generated lease is for.
fn lent() -> VerifiedActivation {
    let activation = Activation {
        id: ActivationId::from_bytes([7; 16]),
        ..activation(&mut Random::new(1))
    };
    let bundle = activation.issue(&root(), &[]).expect("issues");
    Activation::verify(&bundle, &trust()).expect("verifies")
}

fn lease(random: &mut Random) -> Lease {
    Lease {
        issued_at: NOW,
        activation: ActivationId::from_bytes([7; 16]),
        seconds: random.below(1 << 28) as u32,
    }
}

fn time_proof(random: &mut Random) -> TimeProof {
    TimeProof {
        product: PRODUCT.into(),
        at: NOW.plus_ms(random.below(1 << 40) as i64 / 1000 * 1000),
        device: *key(5).public(),
        nonce: bytes(random),
    }
}

fn deactivation(random: &mut Random) -> Deactivation {
    Deactivation {
        product: PRODUCT.into(),
        issued_at: NOW,
        nonce: bytes(random),
        license: LicenseId::from_bytes(bytes(random)),
        activation: ActivationId::from_bytes(bytes(random)),
    }
}

fn fingerprint(random: &mut Random) -> Fingerprint {
    let (machine, disk) = (name(random), name(random));
    let parts = [("machine", machine.as_str()), ("disk", disk.as_str())];
    Fingerprint::new(PRODUCT, &parts).expect("a fingerprint")
}

fn key_set(random: &mut Random) -> KeySet {
    let mut set = KeySet::new(1 + random.below(1 << 30), NOW);
    set.certificates = vec![certificate(random.below(200) as u8, 1, false)];
    set.revoked = vec![RevokedKey {
        key: *key(random.below(200) as u8).public(),
        from: NOW,
    }];
    if random.below(2) == 0 {
        set.roots = vec![*root().public(), *key(9).public()];
        set.endorsements = vec![set.endorse(&key(9)).expect("endorses")];
        set.sunset = Some(Products::Only(vec![name(random)]));
    }
    set
}

fn revocations(random: &mut Random) -> Revocations {
    let places = 1 + random.below(500) as u32;
    let mut list = Revocations::new(PRODUCT, random.below(9), places).expect("a list");
    for _ in 0..random.below(9) {
        let place = random.below(u64::from(places)) as u32;
        list.revoke(place).expect("a place");
    }
    list.at(1 + random.below(99), NOW)
}

fn request(random: &mut Random) -> Request {
    let wanted = match random.below(2) {
        0 => Wanted::Code(RedeemCode::new("acme", bytes(random))),
        _ => Wanted::License(LicenseId::from_bytes(bytes(random))),
    };
    Request {
        product: PRODUCT.into(),
        issued_at: NOW,
        nonce: bytes(random),
        wanted,
        fingerprint: fingerprint(random),
        version: Some("2.1".into()),
        renews: None,
        lend_secs: None,
    }
}

fn segment(random: &mut Random) -> Segment {
    let (device, license) = (*key(5).public(), LicenseId::from_bytes(bytes(random)));
    let mut meters: Vec<_> = (0..random.below(5)).map(|_| name(random)).collect();
    meters.sort();
    meters.dedup();
    let total = |meter: &String| Total {
        key: CellKey::new(meter).expect("a meter"),
        units: random.below(1 << 40),
    };
    let mut totals: Vec<Total> = meters.iter().map(total).collect();
    totals.sort_by(|a, b| a.key.cmp(&b.key));
    Segment {
        product: PRODUCT.into(),
        device,
        license,
        stream: stream_id(&device, license),
        epoch: 1,
        seq: 1,
        prev: GENESIS,
        totals,
        sealed_at: Timestamp::from_ms(NOW.ms() + random.below(1_000) as i64),
        time_quality: TimeQuality::Plausible,
        opening: None,
        events: Vec::new(),
        disputed_events: Vec::new(),
        condition: Condition::default(),
    }
}

fn receipt(random: &mut Random) -> Receipt {
    Receipt {
        product: PRODUCT.into(),
        stream: StreamId::from_bytes(bytes(random)),
        position: Position {
            epoch: 1 + random.below(9),
            seq: 1 + random.below(99),
            head: bytes(random),
        },
        issued_at: NOW,
        server_epoch: 1,
    }
}

/// Whether a product that pins `trust` believes these bytes as a document of `kind`.
pub fn believes(kind: Kind, bytes: &[u8], trust: &Trust) -> Result<(), &'static str> {
    let believed = match kind {
        Kind::License => verify(bytes, trust).map(drop),
        Kind::Activation => Activation::verify(bytes, trust).map(drop),
        Kind::Certificate => Certificate::verify(bytes, &roots(trust)).map(drop),
        Kind::KeySet => Ring::new(trust.clone()).install_key_set(bytes).map(drop),
        Kind::Revocations => Revocations::verify(bytes, trust).map(drop),
        Kind::Request => Request::verify(bytes).map(drop),
        Kind::Usage => open_segment_of_any_device(bytes).map(drop),
        Kind::Receipt => open_bundle(kind, bytes, trust)
            .and_then(|opened| Receipt::from_claims(opened.claims()))
            .map(drop),
        Kind::Lease => Lease::verify(bytes, &lent(), trust).map(drop),
        Kind::Challenge => TimeProof::verify(bytes, trust).map(drop),
        Kind::Deactivation => Deactivation::verify(bytes).map(drop),
        _ => open_bundle(kind, bytes, trust).map(drop),
    };
    believed.map_err(|error| error.code())
}

fn roots(trust: &Trust) -> Vec<&PublicKey> {
    trust.roots().collect()
}

/// Claims that every kind can be sealed around.
pub fn some_claims() -> Vec<u8> {
    let id = [7; 16];
    let private = Value::labelled([(2, Some(Value::bytes(&id)))]);
    let claims = Value::labelled([
        (3, Some(Value::text(PRODUCT))),
        (6, Some(Value::Int(NOW.secs()))),
        (7, Some(Value::bytes(&id))),
        (-65537, Some(private)),
    ]);
    cbor::encode(&claims).expect("encodes")
}
