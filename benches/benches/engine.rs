//! The engine beside the bare primitives it is made of.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use mintreu::cache::VerifiedCache;
use mintreu::document::{Kind, SigningKey, open};
use mintreu::id::LicenseId;
use mintreu::license::{Claims, Entitlement, QuotaClaim, Trust, issue, verify};
use mintreu::meter::Window;
use mintreu::{Engine, Timestamp};
use mintreu_benches::{compare, report};

const ISSUED: Timestamp = Timestamp::from_secs(1_790_000_000);

fn license(key: &SigningKey) -> Vec<u8> {
    let id = LicenseId::from_bytes([7; 16]);
    let mut claims = Claims::new(id, "acme.editor", ISSUED);
    for name in ["pro", "export-4k", "team", "api", "offline"] {
        let name = name.parse().expect("a name");
        claims.entitlements.insert(name, Entitlement::Granted);
    }
    for name in ["renders", "tokens"] {
        let quota = QuotaClaim::new(1 << 39, Window::Lifetime);
        claims.quotas.insert(name.parse().expect("a name"), quota);
    }
    issue(&claims, key, &[]).expect("a license")
}

fn main() {
    let key = SigningKey::from_seed(&[1; 32]);
    let trust = Trust::new("acme.editor", *key.public()).expect("a trust");
    let bundle = license(&key);
    verifying(&key, &trust, &bundle);
    counting(trust, &bundle);
}

fn verifying(key: &SigningKey, trust: &Trust, bundle: &[u8]) {
    let bare = ed25519_dalek::VerifyingKey::from_bytes(key.public().as_bytes()).expect("a key");
    // As long as what a document's signature covers: its bytes but the signature, and its context.
    let message = vec![0x5a; bundle.len() - 64 + 40];
    let signature = ed25519_dalek::Signature::from_bytes(&key.sign(&message));
    let strict = || bare.verify_strict(&message, &signature).is_ok();
    let beside = "bare verify_strict";
    let opened = compare(
        200,
        || open(Kind::License, bundle, &[key.public()]).is_ok(),
        strict,
    );
    report("open a document", opened, beside, "≤ 0.90");
    report(
        "verify a license",
        compare(200, || verify(bundle, trust).is_ok(), strict),
        beside,
        "-",
    );
    let jwt = Jwt::of(key);
    report(
        "verify a license",
        compare(200, || verify(bundle, trust).is_ok(), || jwt.holds()),
        "jsonwebtoken, EdDSA",
        "≤ 1",
    );
    let cache = VerifiedCache::new(trust.clone(), 100);
    cache.verify(bundle).expect("verifies");
    let again = compare(2_000, || cache.verify(bundle).is_ok(), strict);
    report("verify a license again", again, beside, "≤ 300 ns");
}

/// The same license as a JSON Web Token (RFC 8037), signed by the same key.
struct Jwt {
    text: String,
    key: jsonwebtoken::DecodingKey,
    rules: jsonwebtoken::Validation,
}

impl Jwt {
    fn of(key: &SigningKey) -> Self {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let claims = serde_json::json!({
            "jti": "lic_0e1r70w3ge1r70w3ge1r70w3ge", "aud": "acme.editor", "iat": ISSUED.secs(),
            "entitlements": ["pro", "export-4k", "team", "api", "offline"],
            "quotas": { "renders": 1_u64 << 39, "tokens": 1_u64 << 39 },
        });
        let header = serde_json::json!({ "alg": "EdDSA", "typ": "JWT", "kid": "acme" });
        let parts = [header, claims].map(|part| encode(part.to_string().as_bytes()));
        let signed = parts.join(".");
        let text = format!("{signed}.{}", encode(&key.sign(signed.as_bytes())));
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
        rules.set_audience(&["acme.editor"]);
        rules.required_spec_claims.clear();
        let x = encode(key.public().as_bytes());
        let key = jsonwebtoken::DecodingKey::from_ed_components(&x).expect("a key");
        let jwt = Self { text, key, rules };
        assert!(jwt.holds(), "the peer verifies its token");
        jwt
    }

    fn holds(&self) -> bool {
        jsonwebtoken::decode::<serde_json::Value>(&self.text, &self.key, &self.rules).is_ok()
    }
}

fn counting(trust: Trust, bundle: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::open(folder.path(), trust).expect("an engine");
    engine.install_bytes(bundle).expect("installs");
    let meter = engine.meter("api.calls").expect("a meter");
    let renders = engine.meter("renders").expect("a meter");
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
    let checked = compare(calls, || engine.check("export-4k").is_ok(), add);
    report("check a feature", checked, "atomic add", "≤ 50 ns");
}

fn take_one(word: &AtomicU64) -> bool {
    let taken = |used: u64| used.checked_add(1);
    word.fetch_update(Ordering::AcqRel, Ordering::Acquire, taken)
        .is_ok()
}
