//! Keygen's formats: small texts made here, and in `vectors.rs` those that Keygen made.
#![cfg(feature = "import")]

mod vectors;

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use mintreu::Timestamp;
use mintreu::document::SigningKey;
use mintreu::import::keygen::{Account, Algorithm, License, Opening};
use mintreu::license::OnExpiry;
use proptest::prelude::{ProptestConfig, any, proptest};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const ALL: &[Algorithm] = &[Algorithm::SignedKey, Algorithm::Plain, Algorithm::Sealed];
const KEY: &str = "AAAAAA-BBBBBB-CCCCCC";
const FINGERPRINT: &str = "4d:61:63";
const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

fn signer() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

/// Signs as dalek does, which the engine's own key does only for documents.
fn sign(message: &str) -> [u8; 64] {
    use ed25519_dalek::Signer as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    key.sign(message.as_bytes()).to_bytes()
}

fn open(text: &str, account: &Account<'_>, opening: &Opening<'_>) -> Result<License, String> {
    let opened = account.verify(text).and_then(|signed| signed.open(opening));
    opened.map_err(|error| error.code().to_owned())
}

fn ours(text: &str, opening: &Opening<'_>) -> Result<License, String> {
    open(text, &Account::new(*signer().public(), ALL), opening)
}

fn with_secrets() -> Opening<'static> {
    Opening {
        license_key: Some(KEY),
        fingerprint: Some(FINGERPRINT),
        now: Some(NOW),
    }
}

fn license_resource() -> Value {
    json!({
        "id": "0b1f", "type": "licenses",
        "attributes": {
            "name": "Ada", "key": KEY, "expiry": "2027-01-01T00:00:00.000Z", "suspended": false,
            "floating": true, "requireHeartbeat": true, "maxMachines": 3, "uses": 2, "maxUses": 10,
            "metadata": {"seat": "b"}, "created": "2026-01-01T00:00:00.000Z",
        },
        "relationships": {
            "product": {"data": {"type": "products", "id": "p1"}},
            "policy": {"data": {"type": "policies", "id": "pol1"}},
        },
    })
}

fn included() -> Value {
    json!([
        {"id": "e1", "type": "entitlements", "attributes": {"code": "EXPORT_4K"}},
        {"id": "pol0", "type": "policies", "attributes": {"name": "Other", "expirationStrategy": "ALLOW_ACCESS"}},
        {"id": "pol1", "type": "policies", "attributes": {"name": "Pro", "expirationStrategy": "MAINTAIN_ACCESS"}},
    ])
}

fn meta() -> Value {
    json!({"issued": "2026-11-01T00:00:00.000Z", "expiry": "2026-12-01T00:00:00.000Z", "ttl": 2_592_000})
}

fn license_document() -> Value {
    json!({"data": license_resource(), "included": included(), "meta": meta()})
}

fn machine_document() -> Value {
    let mut all = included();
    all.as_array_mut().expect("a list").push(license_resource());
    json!({
        "data": {
            "id": "m1", "type": "machines", "attributes": {"fingerprint": FINGERPRINT},
            "relationships": {"license": {"data": {"type": "licenses", "id": "0b1f"}}},
        },
        "included": all, "meta": meta(),
    })
}

fn armored(name: &str, enc: &str, sig: &[u8], alg: &str) -> String {
    let body = json!({"enc": enc, "sig": BASE64_STANDARD.encode(sig), "alg": alg}).to_string();
    let body = BASE64_STANDARD.encode(body);
    let lines: Vec<&str> = (0..body.len())
        .step_by(60)
        .map(|at| &body[at..body.len().min(at + 60)])
        .collect();
    format!(
        "-----BEGIN {name} FILE-----\n{}\n-----END {name} FILE-----\n",
        lines.join("\n")
    )
}

fn plain_file(name: &str, document: &Value) -> String {
    let enc = BASE64_STANDARD.encode(document.to_string());
    let sig = sign(&format!("{}/{enc}", name.to_lowercase()));
    armored(name, &enc, &sig, "base64+ed25519")
}

fn sealed_file(name: &str, document: &Value, secret: &str) -> String {
    let key: [u8; 32] = Sha256::digest(secret).into();
    let nonce = [3; 12];
    let sealed = Aes256Gcm::new(&key.into())
        .encrypt(&Nonce::from(nonce), document.to_string().as_bytes())
        .expect("encrypts");
    let (text, tag) = sealed.split_at(sealed.len() - 16);
    let enc = [text, &nonce, tag]
        .map(|part| BASE64_STANDARD.encode(part))
        .join(".");
    let sig = sign(&format!("{}/{enc}", name.to_lowercase()));
    armored(name, &enc, &sig, "aes-256-gcm+ed25519")
}

fn signed_key(payload: &str) -> String {
    let text = format!("key/{}", BASE64_URL_SAFE.encode(payload));
    let sig = BASE64_URL_SAFE.encode(sign(&text));
    format!("{text}.{sig}")
}

#[test]
fn files_say_what_was_sold() {
    let both = format!("{KEY}{FINGERPRINT}");
    let texts = [
        plain_file("LICENSE", &license_document()),
        sealed_file("LICENSE", &license_document(), KEY),
        plain_file("MACHINE", &machine_document()),
        sealed_file("MACHINE", &machine_document(), &both),
    ];
    for text in texts {
        let license = ours(&text, &with_secrets()).expect("opens");
        assert_eq!(license.id, "0b1f");
        assert_eq!(license.key.as_deref(), Some(KEY));
        assert_eq!(
            license.expires_at,
            Some(Timestamp::from_secs(1_798_761_600))
        );
        assert_eq!(license.on_expiry, Some(OnExpiry::Maintain));
        assert_eq!(license.entitlements, ["EXPORT_4K"]);
        assert_eq!(license.max_machines, Some(3));
        assert_eq!((license.floating, license.heartbeat), (Some(true), true));
        assert_eq!((license.uses, license.max_uses), (2, Some(10)));
        assert_eq!(license.policy_name.as_deref(), Some("Pro"));
        assert_eq!(license.metadata, r#"{"seat":"b"}"#);
    }
}

#[test]
fn a_signed_key_is_read_and_its_vendors_own_content_handed_out() {
    let usual = json!({
        "account": {"id": "a"}, "product": {"id": "p"}, "policy": {"id": "q", "duration": null},
        "user": null, "license": {"id": "l", "created": "2026-01-01T00:00:00.000Z", "expiry": null},
    });
    let license = ours(&signed_key(&usual.to_string()), &Opening::default()).expect("opens");
    assert_eq!((license.id.as_str(), license.expires_at), ("l", None));
    assert_eq!(license.policy_id.as_deref(), Some("q"));

    let own = signed_key("ada@example.com,pro");
    assert_eq!(
        ours(&own, &Opening::default()),
        Err("payload_unknown".into())
    );
    let account = Account::new(*signer().public(), ALL);
    let payload = account
        .verify(&own)
        .and_then(|signed| signed.payload(&Opening::default()));
    assert_eq!(
        payload.expect("is signed").as_slice(),
        b"ada@example.com,pro"
    );
    // An end that is not stated is no "never".
    let endless = r#"{"license":{"id":"l","created":"2026-01-01T00:00:00Z"}}"#;
    assert_eq!(
        ours(&signed_key(endless), &Opening::default()),
        Err("payload_unknown".into())
    );
}

#[test]
fn what_was_changed_or_is_not_meant_here_is_refused() {
    let plain = plain_file("LICENSE", &license_document());
    let sealed = sealed_file("LICENSE", &license_document(), KEY);
    let machine = plain_file("MACHINE", &machine_document());
    let swapped = plain.replace("LICENSE FILE", "MACHINE FILE");
    let stranger = *SigningKey::from_seed(&[8; 32]).public();
    let given = with_secrets();
    let code = |text: &str, opening: &Opening<'_>| ours(text, opening).expect_err("is refused");

    assert_eq!(code(&swapped, &given), "bad_signature");
    assert_eq!(
        code(&machine.replace("MACHINE", "LICENSE"), &given),
        "bad_signature"
    );
    assert_eq!(
        open(&plain, &Account::new(stranger, ALL), &given),
        Err("bad_signature".into())
    );
    let narrow = Account::new(*signer().public(), &[Algorithm::Sealed]);
    assert_eq!(open(&plain, &narrow, &given), Err("not_allowed".into()));
    assert!(open(&sealed, &narrow, &given).is_ok());

    let other_key = Opening {
        license_key: Some("X"),
        ..given
    };
    assert_eq!(code(&sealed, &other_key), "wrong_secret");
    assert_eq!(code(&plain, &other_key), "wrong_secret");
    assert_eq!(code(&sealed, &Opening::default()), "secret_needed");
    let elsewhere = Opening {
        fingerprint: Some("another"),
        ..given
    };
    assert_eq!(code(&machine, &elsewhere), "wrong_fingerprint");
    assert_eq!(
        code(&sealed_file("MACHINE", &machine_document(), KEY), &given),
        "wrong_secret"
    );
}

#[test]
fn alg_is_unsigned_and_changing_it_opens_nothing() {
    let document = license_document();
    let enc = BASE64_STANDARD.encode(document.to_string());
    let sig = sign(&format!("license/{enc}"));
    let claimed = |alg: &str| ours(&armored("LICENSE", &enc, &sig, alg), &with_secrets());
    assert!(claimed("base64+ed25519").is_ok());
    assert_eq!(claimed("aes-256-gcm+ed25519"), Err("malformed".into()));
    for alg in ["base64+rsa-sha256", "none", "", "base64", "BASE64+ED25519"] {
        assert_eq!(claimed(alg), Err("unsupported".into()), "{alg}");
    }
}

#[test]
fn a_file_is_believed_from_issue_to_expiry() {
    let text = plain_file("LICENSE", &license_document());
    let at = |secs: i64| {
        let now = Some(Timestamp::from_secs(secs));
        ours(
            &text,
            &Opening {
                now,
                ..with_secrets()
            },
        )
        .map(|_| ())
    };
    let (issued, over) = (1_793_491_200, 1_796_083_200);
    assert_eq!(at(issued - 301), Err("not_yet_issued".into()));
    assert_eq!(at(issued - 300), Ok(()));
    assert_eq!(at(over - 1), Ok(()));
    assert_eq!(at(over), Err("file_over".into()));
    assert!(
        ours(
            &text,
            &Opening {
                now: None,
                ..with_secrets()
            }
        )
        .is_ok()
    );
}

#[test]
fn what_is_left_out_never_turns_into_more() {
    let refused = |change: fn(&mut Value)| {
        let mut document = machine_document();
        change(&mut document);
        ours(&plain_file("MACHINE", &document), &with_secrets()).expect_err("is refused")
    };
    assert_eq!(refused(|d| d["included"] = json!([])), "license_missing");
    let end = |d: &mut Value| {
        let license = d["included"][3]["attributes"]
            .as_object_mut()
            .expect("a map");
        license.remove("expiry");
    };
    assert_eq!(refused(end), "malformed");
    assert_eq!(
        refused(|d| d["included"][3]["attributes"]["expiry"] = json!("soon")),
        "malformed"
    );
    assert_eq!(
        refused(|d| d["included"][3]["attributes"]["maxMachines"] = json!(-1)),
        "malformed"
    );
    assert_eq!(refused(|d| d["meta"] = json!({})), "malformed");
    assert_eq!(
        refused(|d| d["data"]["type"] = json!("licenses")),
        "malformed"
    );
}

#[test]
fn sizes_are_bounded_and_scraps_are_refused() {
    let long = format!("key/{}", "A".repeat(16 << 10));
    assert_eq!(
        ours(&format!("{long}."), &Opening::default()),
        Err("too_large".into())
    );
    let body = "A".repeat(256 << 10);
    let file = format!("-----BEGIN LICENSE FILE-----{body}-----END LICENSE FILE-----");
    assert_eq!(ours(&file, &Opening::default()), Err("too_large".into()));
    let begin = "-----BEGIN LICENSE FILE-----";
    for scrap in [
        "",
        "key/",
        "key/.",
        "key/a",
        "key/a.b.c",
        ".",
        begin,
        "-----END LICENSE FILE-----",
    ] {
        let refused = ours(scrap, &with_secrets());
        assert_eq!(refused, Err("malformed".into()), "{scrap}");
    }
    for json in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"enc":1}"#,
        r#"{"enc":"","sig":"","alg":"base64+ed25519"}"#,
    ] {
        let text = format!(
            "{begin}{}-----END LICENSE FILE-----",
            BASE64_STANDARD.encode(json)
        );
        assert!(ours(&text, &with_secrets()).is_err(), "{json}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_panics(text in any::<String>(), body in any::<Vec<u8>>()) {
        let file = format!("-----BEGIN LICENSE FILE-----{}-----END LICENSE FILE-----", BASE64_STANDARD.encode(&body));
        for text in [text.clone(), format!("key/{text}"), file] {
            assert!(ours(&text, &with_secrets()).is_err());
        }
    }

    #[test]
    fn no_signed_json_panics(text in r#"[\{\}\[\]":,a-z0-9]{0,64}"#) {
        let enc = BASE64_STANDARD.encode(&text);
        let file = armored("LICENSE", &enc, &sign(&format!("license/{enc}")), "base64+ed25519");
        assert!(ours(&file, &with_secrets()).is_err());
        assert!(ours(&signed_key(&text), &with_secrets()).is_err());
    }
}
