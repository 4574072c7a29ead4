//! The engine beside the bare primitives it is made of.
//!
//! Times of 50 µs differ by more than what is to be shown, so that instructions can be counted too:
//! `MINTREU_BENCH_COUNT=strict` (or `open`, `verify`, `nothing`) does that one thing 1,000 times
//! and nothing else, to be run under `valgrind --tool=callgrind` or `perf stat -e instructions:u`.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use mintreu::cache::VerifiedCache;
use mintreu::document::cbor::{self, Value};
use mintreu::document::{Kind, SigningKey, open};
use mintreu::id::LicenseId;
use mintreu::license::{
    Certificate, Claims, Entitlement, KeySet, Products, QuotaClaim, Ring, Trust, issue, verify,
};
use mintreu::meter::Window;
use mintreu::{Clock as _, Engine, SystemClock, Timestamp};
use mintreu_benches::{compare, report};

const ISSUED: Timestamp = Timestamp::from_secs(1_790_000_000);

fn license(key: &SigningKey) -> Vec<u8> {
    let id = LicenseId::from_bytes([7; 16]);
    let mut claims = Claims::new(id, "acme.editor", ISSUED);
    for name in ["pro", "export-4k", "team", "api", "offline"] {
        let name = name.parse().expect("a name");
        claims.entitlements.insert(name, Entitlement::Granted);
    }
    for (name, window) in [("renders", Window::Lifetime), ("tokens", Window::Month)] {
        let quota = QuotaClaim::new(1 << 39, window);
        claims.quotas.insert(name.parse().expect("a name"), quota);
    }
    issue(&claims, key, &[]).expect("a license")
}

fn main() {
    let key = SigningKey::from_seed(&[1; 32]);
    let trust = Trust::new("acme.editor", *key.public()).expect("a trust");
    let bundle = license(&key);
    if let Ok(what) = std::env::var("MINTREU_BENCH_COUNT") {
        return repeat(&what, &key, &trust, &bundle);
    }
    verifying(&key, &trust, &bundle);
    counting(trust, &bundle);
}

/// One thing 1,000 times, for a tool that counts instructions.
fn repeat(what: &str, key: &SigningKey, trust: &Trust, bundle: &[u8]) {
    let bare = Bare::of(bundle, key);
    let once: &dyn Fn() -> bool = match what {
        "strict" => &|| bare.holds(),
        "open" => &|| open(Kind::License, bundle, &[key.public()]).is_ok(),
        "verify" => &|| verify(bundle, trust).is_ok(),
        _ => &|| true,
    };
    assert!((0..1_000).all(|_| black_box(once())), "{what}");
}

/// A license's signature checked by dalek alone: the very bytes that its document's covers.
struct Bare {
    key: ed25519_dalek::VerifyingKey,
    message: Vec<u8>,
    signature: ed25519_dalek::Signature,
}

impl Bare {
    fn of(document: &[u8], key: &SigningKey) -> Self {
        let header = &document[4..4 + usize::from(document[3])];
        let claims = open(Kind::License, document, &[key.public()]).expect("opens");
        let message = Value::Array(vec![
            Value::text("Signature1"),
            Value::bytes(header),
            Value::bytes(Kind::License.media_type().as_bytes()),
            Value::bytes(claims),
        ]);
        let (_, signature) = document.split_last_chunk().expect("a signature");
        Self {
            key: ed25519_dalek::VerifyingKey::from_bytes(key.public().as_bytes()).expect("a key"),
            message: cbor::encode(&message).expect("encodes"),
            signature: ed25519_dalek::Signature::from_bytes(signature),
        }
    }

    fn holds(&self) -> bool {
        self.key
            .verify_strict(&self.message, &self.signature)
            .is_ok()
    }
}

/// Both say the same of the document and of each of its signature's bits flipped.
fn agree(document: &[u8], key: &SigningKey) {
    assert!(Bare::of(document, key).holds());
    let mut bare = Bare::of(document, key);
    let from = document.len() - 64;
    for bit in 0..512 {
        let mut flipped = document.to_vec();
        flipped[from + bit / 8] ^= 1 << (bit % 8);
        let (_, signature) = flipped.split_last_chunk().expect("a signature");
        bare.signature = ed25519_dalek::Signature::from_bytes(signature);
        let ours = open(Kind::License, &flipped, &[key.public()]).is_ok();
        assert_eq!(ours, bare.holds(), "bit {bit}");
    }
}

fn verifying(key: &SigningKey, trust: &Trust, bundle: &[u8]) {
    agree(bundle, key);
    let bare = Bare::of(bundle, key);
    let strict = "bare verify_strict";
    let compared = |what: &str, goal: &str, holds: &dyn Fn() -> bool| {
        report(what, compare(400, holds, || bare.holds()), strict, goal);
    };
    compared("the signature alone", "-", &|| {
        let signature = bare.signature.to_bytes();
        key.public().verify(&bare.message, &signature).is_ok()
    });
    compared("open a document", "≤ 0.90", &|| {
        open(Kind::License, bundle, &[key.public()]).is_ok()
    });
    compared("verify a license", "≤ 0.90", &|| {
        verify(bundle, trust).is_ok()
    });
    let (ring, alone, certified) = certified(key, trust);
    assert!(verify(&alone, &ring).is_ok() && verify(&certified, trust).is_ok());
    compared("… by a key that a key set certified", "≤ 0.90", &|| {
        verify(&alone, &ring).is_ok()
    });
    compared("… and its certificate, both unseen", "-", &|| {
        verify(&certified, trust).is_ok()
    });
    // No room for a license, so that only its certificate was seen before.
    let cache = VerifiedCache::new(trust.clone(), 0);
    compared(
        "… and its certificate, that one seen",
        "≤ 0.90",
        &|| cache.verify(&certified).is_ok(),
    );
    let cache = VerifiedCache::new(trust.clone(), 100);
    cache.verify(bundle).expect("verifies");
    let again = compare(20_000, || cache.verify(bundle).is_ok(), || bare.holds());
    report("verify a license again", again, strict, "≤ 300 ns");
    for peer in mintreu_benches::peers::all(key) {
        let beside = compare(400, || verify(bundle, trust).is_ok(), &peer.holds);
        report("verify a license", beside, peer.name, "≤ 1");
    }
}

/// A ring whose key set certifies key 3, and a license of key 3 without and with the certificate.
fn certified(root: &SigningKey, trust: &Trust) -> (Ring, Vec<u8>, Vec<u8>) {
    let product = SigningKey::from_seed(&[3; 32]);
    let certificate = Certificate {
        key: *product.public(),
        kinds: vec![Kind::License],
        products: Products::Only(vec!["acme.editor".into()]),
        issued_at: ISSUED,
        signs_from: ISSUED,
        signs_until: None,
        delegate: false,
        licenses: None,
    };
    let certificate = certificate.issue(root).expect("certifies");
    let mut set = KeySet::new(1, ISSUED);
    set.certificates = vec![certificate.clone()];
    let mut ring = Ring::new(trust.clone());
    let set = set.issue(root).expect("issues");
    ring.install_key_set(&set).expect("a key set");
    let alone = license(&product);
    let with_certificate = [certificate, alone.clone()].concat();
    (ring, alone, with_certificate)
}

fn counting(trust: Trust, bundle: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::open(folder.path(), trust).expect("an engine");
    engine.install_bytes(bundle).expect("installs");
    let meter = engine.meter("api.calls").expect("a meter");
    let renders = engine.meter("renders").expect("a meter");
    let tokens = engine.meter("tokens").expect("a meter");
    let word = AtomicU64::new(0);
    let add = || black_box(&word).fetch_add(1, Ordering::Relaxed);
    let swap = || take_one(black_box(&word));
    let calls = 100_000;
    report(
        "record by handle",
        compare(calls, || meter.record(1), add),
        "atomic add",
        "≤ 2.5",
    );
    let named = compare(calls, || engine.record("api.calls", 1).is_ok(), add);
    report("record by name", named, "atomic add", "≤ 5");
    let taken = compare(calls, || renders.consume(1).is_ok(), swap);
    report("consume by handle", taken, "compare-and-swap", "≤ 2.5");
    // What is consumed is taken from a quota and counted: two words, where the goal's bare has one.
    let both = || (swap(), add());
    let taken = compare(calls, || renders.consume(1).is_ok(), both);
    report("consume by handle", taken, "swap and add", "-");
    let named = compare(calls, || engine.consume("renders", 1).is_ok(), both);
    report("consume by name", named, "swap and add", "-");
    // Whoever keeps to a window must look at the clock.
    let timed = || (SystemClock.now(), swap(), add());
    let taken = compare(calls, || tokens.consume(1).is_ok(), timed);
    report(
        "consume of a month's quota",
        taken,
        "clock, swap and add",
        "-",
    );
    let checked = compare(calls, || engine.check("export-4k").is_ok(), add);
    report("check a feature", checked, "atomic add", "≤ 50 ns");
}

fn take_one(word: &AtomicU64) -> bool {
    let taken = |used: u64| used.checked_add(1);
    word.fetch_update(Ordering::AcqRel, Ordering::Acquire, taken)
        .is_ok()
}
