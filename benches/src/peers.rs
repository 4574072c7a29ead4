//! The same license in other formats, each verified by the library that its users would take.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::Verifier as _;
use mintreu::document::SigningKey;
use serde_json::{Value, json};

/// A peer: its name, its token, and whether the token still holds.
pub struct Peer {
    pub name: &'static str,
    /// Characters of the token.
    pub len: usize,
    pub holds: Box<dyn Fn() -> bool>,
}

impl Peer {
    fn new(name: &'static str, len: usize, holds: impl Fn() -> bool + 'static) -> Self {
        let holds: Box<dyn Fn() -> bool> = Box::new(holds);
        assert!(holds(), "{name} verifies its own token");
        Self { name, len, holds }
    }
}

/// Every peer, with a token signed by `key`.
pub fn all(key: &SigningKey) -> Vec<Peer> {
    vec![json_web_token(key), paseto(key), biscuit(key), keygen(key)]
}

/// What the bench's license says, as JSON would.
fn claims() -> Value {
    json!({
        "jti": "lic_0e1r70w3ge1r70w3ge1r70w3ge", "aud": "acme.editor", "iat": "2026-09-21T14:13:20Z",
        "entitlements": ["pro", "export-4k", "team", "api", "offline"],
        "quotas": { "renders": 1_u64 << 39, "tokens": 1_u64 << 39 },
    })
}

fn url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A JSON Web Token (RFC 8037).
fn json_web_token(key: &SigningKey) -> Peer {
    let mut claims = claims();
    claims["iat"] = json!(1_790_000_000);
    let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": "acme" });
    let signed = [header, claims].map(|part| url(part.to_string().as_bytes()));
    let signed = signed.join(".");
    let text = format!("{signed}.{}", url(&key.sign(signed.as_bytes())));
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    rules.set_audience(&["acme.editor"]);
    rules.required_spec_claims.clear();
    let x = url(key.public().as_bytes());
    let key = jsonwebtoken::DecodingKey::from_ed_components(&x).expect("a key");
    Peer::new("jsonwebtoken, EdDSA", text.len(), move || {
        jsonwebtoken::decode::<Value>(&text, &key, &rules).is_ok()
    })
}

/// A PASETO v4.public.
fn paseto(key: &SigningKey) -> Peer {
    use pasetors::claims::{Claims, ClaimsValidationRules};
    use pasetors::keys::{AsymmetricPublicKey, AsymmetricSecretKey};
    use pasetors::token::UntrustedToken;
    use pasetors::version4::V4;
    let both = [&key.seed()[..], key.public().as_bytes()].concat();
    let secret = AsymmetricSecretKey::<V4>::from(&both).expect("a key");
    let public = AsymmetricPublicKey::<V4>::from(key.public().as_bytes()).expect("a key");
    let claims = Claims::from_string(&claims().to_string()).expect("claims");
    let text = pasetors::public::sign(&secret, &claims, None, None).expect("a token");
    let mut rules = ClaimsValidationRules::new();
    rules.disable_valid_at();
    rules.allow_non_expiring();
    rules.validate_audience_with("acme.editor");
    Peer::new("pasetors, v4.public", text.len(), move || {
        let token = UntrustedToken::<pasetors::Public, V4>::try_from(&text);
        token.is_ok_and(|token| {
            pasetors::public::verify(&public, &token, &rules, None, None).is_ok()
        })
    })
}

/// A Biscuit of one block; its signatures alone, no rule of an authorizer is run.
fn biscuit(key: &SigningKey) -> Peer {
    use biscuit_auth::builder::Algorithm;
    use biscuit_auth::{Biscuit, KeyPair, PrivateKey};
    let private = PrivateKey::from_bytes(&key.seed()[..], Algorithm::Ed25519).expect("a key");
    let pair = KeyPair::from(&private);
    let mut builder = Biscuit::builder();
    for fact in [
        r#"license("lic_0e1r70w3ge1r70w3ge1r70w3ge", "acme.editor", 1790000000)"#,
        r#"entitlement("pro")"#,
        r#"entitlement("export-4k")"#,
        r#"entitlement("team")"#,
        r#"entitlement("api")"#,
        r#"entitlement("offline")"#,
        r#"quota("renders", 549755813888)"#,
        r#"quota("tokens", 549755813888)"#,
    ] {
        builder = builder.fact(fact).expect("a fact");
    }
    let bytes = builder.build(&pair).and_then(|token| token.to_vec());
    let (bytes, public) = (bytes.expect("a token"), pair.public());
    Peer::new("biscuit-auth", url(&bytes).len(), move || {
        Biscuit::from(&bytes, public).is_ok()
    })
}

/// A Keygen license file, `base64+ed25519`, verified as its documentation says and with what its
/// own library calls: the crate itself brings an HTTP client along.
fn keygen(key: &SigningKey) -> Peer {
    let enc = BASE64_STANDARD.encode(claims().to_string());
    let sig = BASE64_STANDARD.encode(key.sign(format!("license/{enc}").as_bytes()));
    let inner = json!({ "enc": enc, "sig": sig, "alg": "base64+ed25519" }).to_string();
    let text = format!(
        "-----BEGIN LICENSE FILE-----\n{}\n-----END LICENSE FILE-----\n",
        BASE64_STANDARD.encode(inner)
    );
    let key = ed25519_dalek::VerifyingKey::from_bytes(key.public().as_bytes()).expect("a key");
    Peer::new(
        "Keygen license file, by its scheme",
        text.len(),
        move || opened(&text, &key).is_some(),
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "what the peer calls is what is measured"
)]
fn opened(text: &str, key: &ed25519_dalek::VerifyingKey) -> Option<Value> {
    let body = text.strip_prefix("-----BEGIN LICENSE FILE-----\n")?;
    let body = body.strip_suffix("\n-----END LICENSE FILE-----\n")?;
    let file: Value = serde_json::from_slice(&BASE64_STANDARD.decode(body).ok()?).ok()?;
    let enc = file["enc"].as_str()?;
    let sig = BASE64_STANDARD.decode(file["sig"].as_str()?).ok()?;
    let sig = ed25519_dalek::Signature::from_slice(&sig).ok()?;
    key.verify(format!("license/{enc}").as_bytes(), &sig).ok()?;
    serde_json::from_slice(&BASE64_STANDARD.decode(enc).ok()?).ok()
}
