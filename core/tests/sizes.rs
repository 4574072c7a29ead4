//! How long documents are, as people meet them: characters to paste, and the QR code that holds
//! them at error correction M. `cargo test -p mintreu --test sizes -- --nocapture` prints the table.

use mintreu::Timestamp;
use mintreu::activation::{
    Activation, Deactivation, Fingerprint, Lease, RedeemCode, Request, TimeProof, Wanted,
};
use mintreu::document::{Kind, SigningKey, to_qr, to_text};
use mintreu::id::{ActivationId, LicenseId, StreamId};
use mintreu::license::{
    Certificate, Claims, Entitlement, KeySet, ListEntry, Products, QuotaClaim, Revocations, Schema,
    issue,
};
use mintreu::meter::{Position, Receipt, Window, chain_hash};

const PRODUCT: &str = "acme.editor";
const NOW: Timestamp = Timestamp::from_secs(1_795_008_000);

/// Alphanumeric characters that versions 1 to 20 hold at level M (ISO/IEC 18004, table 7).
const AT_LEVEL_M: [usize; 20] = [
    20, 38, 61, 90, 122, 154, 178, 221, 262, 311, 366, 419, 483, 528, 600, 656, 734, 816, 909, 970,
];

/// The smallest version that holds the longest of some codes.
fn version(codes: &[String]) -> usize {
    let longest = codes.iter().map(String::len).max().expect("a code");
    let fits = AT_LEVEL_M.iter().position(|&most| longest <= most);
    1 + fits.expect("no code passes version 20")
}

/// Prints a line of the table and gives the characters to paste without their prefix.
fn line(name: &str, bytes: &[u8]) -> usize {
    let (pasted, codes) = (to_text(bytes).len() - 4, to_qr(bytes).expect("codes"));
    let (count, version) = (codes.len(), version(&codes));
    println!(
        "{name:<42} {:>6} B {pasted:>6} characters {count:>3} QR v{version}",
        bytes.len()
    );
    pasted
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// An id as they are drawn: without a pattern that would be shorter in any encoding.
fn id() -> [u8; 16] {
    *b"\x01\x93\xa7\x5c\x2e\x84\x7f\x30\xb1\x4d\xee\x09\x5a\xc3\x77\x12"
}

/// Five entitlements, two quotas and an end.
fn claims() -> Claims {
    let mut claims = Claims::new(LicenseId::from_bytes(id()), PRODUCT, NOW);
    claims.expires_at = Some(Timestamp::from_secs(1_826_544_000));
    let name = |text: &str| text.parse().expect("a name");
    for granted in ["export-4k", "offline", "team", "projects", "region"] {
        let name = name(granted);
        claims.entitlements.insert(name, Entitlement::Granted);
    }
    for (metered, limit) in [("renders", 500), ("tokens", 2_000_000)] {
        let quota = QuotaClaim::new(limit, Window::Month);
        claims.quotas.insert(name(metered), quota);
    }
    claims
}

/// The same with an edition, seats, a limit, a value and a place in a revocation list.
fn full() -> Claims {
    let mut claims = claims();
    claims.edition = Some("pro".into());
    claims.seats = Some(3);
    claims.status = Some(ListEntry {
        list: 1,
        index: 77_777,
    });
    let name = |text: &str| text.parse().expect("a name");
    claims
        .entitlements
        .insert(name("projects"), Entitlement::Limit(50));
    claims
        .entitlements
        .insert(name("region"), Entitlement::Value("eu".into()));
    claims
}

fn schema() -> Schema {
    let text = "mt1-schema export-4k=1 offline=2 team=3 projects=4 region=5 renders=6 tokens=7";
    Schema::parse(text).expect("a schema")
}

fn certificate() -> Vec<u8> {
    let certificate = Certificate {
        key: *key(3).public(),
        kinds: vec![Kind::License, Kind::Activation],
        products: Products::Only(vec![PRODUCT.into()]),
        issued_at: NOW,
        signs_from: NOW,
        signs_until: Some(Timestamp::from_secs(1_826_544_000)),
        delegate: false,
        licenses: None,
    };
    certificate.issue(&key(1)).expect("certifies")
}

fn fingerprint() -> Fingerprint {
    let parts = [("machine", "m"), ("disk", "d"), ("board", "b")];
    Fingerprint::new(PRODUCT, &parts).expect("a fingerprint")
}

fn activation(license_bundle: Option<Vec<u8>>) -> Vec<u8> {
    let activation = Activation {
        id: ActivationId::from_bytes(id()),
        license: LicenseId::from_bytes(id()),
        product: PRODUCT.into(),
        issued_at: NOW,
        expires_at: Some(Timestamp::from_secs(1_797_600_000)),
        device: *key(5).public(),
        nonce: id(),
        fingerprint: fingerprint(),
        license_bundle,
    };
    activation.issue(&key(3), &[]).expect("issues")
}

fn request() -> Vec<u8> {
    let request = Request {
        product: PRODUCT.into(),
        issued_at: NOW,
        nonce: id(),
        wanted: Wanted::Code(RedeemCode::new(PRODUCT, [5; 10])),
        fingerprint: fingerprint(),
        version: Some("2.4.1".into()),
        renews: None,
        lend_secs: None,
    };
    request.seal(&key(5)).expect("seals")
}

fn time_request() -> Vec<u8> {
    let request = Request {
        product: PRODUCT.into(),
        issued_at: NOW,
        nonce: id(),
        wanted: Wanted::Time,
        fingerprint: Fingerprint::default(),
        version: None,
        renews: None,
        lend_secs: None,
    };
    request.seal(&key(5)).expect("seals")
}

fn time_proof() -> Vec<u8> {
    let proof = TimeProof {
        product: PRODUCT.into(),
        at: NOW,
        device: *key(5).public(),
        nonce: id(),
    };
    proof.issue(&key(3), &[&certificate()]).expect("issues")
}

fn lease() -> Vec<u8> {
    let lease = Lease {
        issued_at: NOW,
        activation: ActivationId::from_bytes(id()),
        seconds: 30 * 86_400,
    };
    lease.issue(&key(3), &[]).expect("issues")
}

fn deactivation() -> Vec<u8> {
    let deactivation = Deactivation {
        product: PRODUCT.into(),
        issued_at: NOW,
        nonce: id(),
        license: LicenseId::from_bytes(id()),
        activation: ActivationId::from_bytes(id()),
    };
    deactivation.seal(&key(5)).expect("seals")
}

#[test]
fn documents_are_as_short_as_they_are_said_to_be() {
    let signed = |claims: &Claims, certificates: &[&[u8]]| {
        issue(claims, &key(3), certificates).expect("issues")
    };
    let (named, numbered) = (claims(), claims().shortened(&schema()).expect("shortens"));
    let certificate = certificate();
    let with = |claims: &Claims| signed(claims, &[&certificate]);
    let license = line("license, names as text", &signed(&named, &[]));
    let short = line("license, names by schema", &signed(&numbered, &[]));
    line(
        "license, with edition, seats and values",
        &signed(&full(), &[]),
    );
    line("… with its certificate: names as text", &with(&named));
    line("… with its certificate: names by schema", &with(&numbered));
    let activated = line("activation", &activation(None));
    line(
        "… with the license and its certificate",
        &activation(Some(with(&numbered))),
    );
    line("request, with a code and a fingerprint", &request());
    line("request for the time", &time_request());
    line("… its answer, with a certificate", &time_proof());
    let lent = line("lease", &lease());
    line("deactivation", &deactivation());
    line("certificate", &certificate);
    line("receipt", &receipt());
    let mut set = KeySet::new(7, NOW);
    set.certificates = vec![certificate.clone(); 2];
    line(
        "key set, two certificates",
        &set.issue(&key(1)).expect("issues"),
    );
    for revoked in [0, 10, 1_000] {
        let name = format!("revocation list, {revoked} of 100,000 withdrawn");
        line(&name, &list(revoked));
    }
    assert!(license <= 330, "{license} characters with names as text");
    assert!(short <= 245, "{short} characters by schema");
    assert!(lent <= 180, "{lent} characters of a lease");
    assert!(activated <= 370, "{activated} characters of an activation");
}

fn receipt() -> Vec<u8> {
    let receipt = Receipt {
        product: PRODUCT.into(),
        stream: StreamId::from_bytes(id()),
        position: Position {
            epoch: 1,
            seq: 1_000,
            head: *key(6).public().as_bytes(),
        },
        issued_at: NOW,
        server_epoch: 1,
    };
    receipt.seal(&key(3), &[]).expect("seals")
}

fn list(revoked: u32) -> Vec<u8> {
    let mut list = Revocations::new(PRODUCT, 1, 100_000).expect("a list");
    for number in 0..revoked {
        // Places are drawn at random, which is what a list costs.
        let digest = chain_hash(&number.to_be_bytes());
        let place = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) % 100_000;
        list.revoke(place).expect("a place");
    }
    list.at(1, NOW).issue(&key(3), &[]).expect("issues")
}
