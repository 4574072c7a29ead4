//! Texts that Keygen made.
//!
//! They are looked for in `MINTREU_SHARED_VECTORS`, else in `../shared/vectors` beside the project;
//! a test that doesn't find them says so and passes.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mintreu::Timestamp;
use mintreu::document::{PublicKey, SigningKey};
use mintreu::import::keygen::{Account, Form, Opening};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ALL, KEY, NOW, license_document, open, ours, sealed_file, signer, with_secrets};

/// One of Keygen's own files.
struct Vector {
    name: String,
    text: String,
    key: PublicKey,
    secret: String,
    fingerprint: Option<String>,
    issued: String,
    plaintext_sha256: String,
}

fn shared(path: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("MINTREU_SHARED_VECTORS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
    };
    let path = folder.join(path);
    if !path.exists() {
        eprintln!(
            "not run: {} is absent (set MINTREU_SHARED_VECTORS)",
            path.display()
        );
        return None;
    }
    Some(path)
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn account_key(text: &str) -> PublicKey {
    let bytes: Vec<u8> = (0..64)
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
        .collect();
    PublicKey::from_bytes(&bytes.try_into().expect("32 bytes")).expect("a good key")
}

fn vectors() -> Vec<Vector> {
    let Some(index) = shared("keygen/index.json") else {
        return Vec::new();
    };
    let text = std::fs::read_to_string(&index).expect("readable");
    let rows: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let of = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let vector = |row: &Value| {
        let file = index.with_file_name(of(row, "file"));
        let secret = of(row, "secret");
        let (secret, fingerprint) = match (of(row, "kind").as_str(), secret.split_at_checked(37)) {
            ("machine", Some((key, rest))) => (key.to_owned(), Some(rest.to_owned())),
            _ => (secret, None),
        };
        Vector {
            name: of(row, "name"),
            text: std::fs::read_to_string(file).expect("a listed file"),
            key: account_key(&of(row, "public_key")),
            secret,
            fingerprint,
            issued: of(&row["meta"], "issued"),
            plaintext_sha256: of(row, "plaintext_sha256"),
        }
    };
    rows.iter().map(vector).collect()
}

impl Vector {
    fn opening(&self) -> Opening<'_> {
        Opening {
            license_key: Some(&self.secret),
            fingerprint: self.fingerprint.as_deref(),
            now: None,
        }
    }

    fn account(&self) -> Account<'static> {
        Account::new(self.key, ALL)
    }

    /// The fields of the JSON in the armour, changed and put back.
    fn changed(&self, change: impl FnOnce(&mut Value)) -> String {
        let parts: Vec<&str> = self.text.trim().split("-----").collect();
        let [_, begin, body, end, _] = parts[..] else {
            panic!("{} is not in armour", self.name);
        };
        let body: String = body.split_whitespace().collect();
        let body = BASE64_STANDARD.decode(body).expect("base64");
        let mut fields: Value = serde_json::from_slice(&body).expect("JSON");
        change(&mut fields);
        let body = BASE64_STANDARD.encode(fields.to_string());
        format!("-----{begin}-----\n{body}\n-----{end}-----\n")
    }
}

#[test]
fn keygens_own_files_open() {
    let vectors = vectors();
    let mut opened = 0;
    for vector in &vectors {
        let signed = vector
            .account()
            .verify(&vector.text)
            .expect("its signature is good");
        if vector.secret == "UNKNOWN" {
            let refused = signed.open(&vector.opening()).expect_err("no key is known");
            assert!(
                ["wrong_secret", "secret_needed"].contains(&refused.code()),
                "{}",
                vector.name
            );
            continue;
        }
        let payload = signed.payload(&vector.opening()).expect("decrypts");
        assert_eq!(
            hex(Sha256::digest(&*payload)),
            vector.plaintext_sha256,
            "{}",
            vector.name
        );
        let license = signed.open(&vector.opening()).expect("reads");
        assert_eq!(license.key.as_deref(), Some(vector.secret.as_str()));
        assert_eq!(license.fingerprint, vector.fingerprint);
        let issued: Value = serde_json::from_slice(&payload).expect("JSON");
        assert_eq!(issued["meta"]["issued"], vector.issued.as_str());
        let much_later = Opening {
            now: Some(NOW),
            ..vector.opening()
        };
        let ends = !issued["meta"]["expiry"].is_null();
        assert_eq!(signed.open(&much_later).is_err(), ends, "{}", vector.name);
        opened += 1;
    }
    assert!(
        vectors.is_empty() || opened >= 7,
        "only {opened} were opened"
    );
}

#[test]
fn keygens_own_signed_key_opens() {
    let Some(path) = shared("keygen/java-signed.key") else {
        return;
    };
    let text = std::fs::read_to_string(path).expect("readable");
    let key = account_key("e8601e48b69383ba520245fd07971e983d06d22c4257cfd82304601479cee788");
    let account = Account::new(key, ALL);
    let signed = account.verify(&text).expect("its signature is good");
    assert_eq!(signed.form(), Form::SignedKey);
    let license = signed.open(&Opening::default()).expect("reads");
    assert_eq!(license.id, "f3d657de-2b50-4adf-867b-ef03dc86a3fe");
    assert_eq!(
        license.expires_at,
        Some(Timestamp::from_secs(1_634_256_000))
    );
    let (head, signature) = text.trim().split_once('.').expect("two parts");
    for at in 0..head.len() {
        let mut bytes = head.as_bytes().to_vec();
        bytes[at] ^= 1;
        let changed = format!("{}.{signature}", String::from_utf8(bytes).expect("ASCII"));
        assert!(account.verify(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn keygens_own_files_changed_anywhere_are_refused() {
    let refused = |vector: &Vector, text: &str, what: &str| {
        let verified = vector.account().verify(text);
        assert!(verified.is_err(), "{}: {what}", vector.name);
    };
    for vector in &vectors() {
        let flip = |field: &'static str, at: usize| {
            vector.changed(|fields| {
                let mut bytes = fields[field].as_str().expect("a text").as_bytes().to_vec();
                let at = at % bytes.len();
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                fields[field] = json!(String::from_utf8(bytes).expect("ASCII"));
            })
        };
        for step in 0..40 {
            refused(vector, &flip("enc", step * 101), "enc");
            refused(vector, &flip("sig", step * 2), "sig");
        }
        let (from, to) = match vector.fingerprint {
            None if vector.text.contains("LICENSE FILE") => ("LICENSE FILE", "MACHINE FILE"),
            _ => ("MACHINE FILE", "LICENSE FILE"),
        };
        refused(vector, &vector.text.replace(from, to), "prefix");
        let alg = vector.changed(|fields| fields["alg"] = json!("base64+ed25519"));
        let opened = open(&alg, &vector.account(), &vector.opening());
        assert_eq!(opened, Err("malformed".into()), "{}: alg", vector.name);
        let same = vector.changed(|_| {});
        assert!(
            vector.account().verify(&same).is_ok(),
            "unchanged it is good"
        );
        let stranger = Account::new(*signer().public(), ALL);
        assert!(stranger.verify(&vector.text).is_err());
    }
}

/// The control of the tests above: what decrypts is not therefore signed.
#[test]
fn a_forged_file_decrypts_and_is_refused() {
    let mut forged = license_document();
    forged["data"]["attributes"]["expiry"] = Value::Null;
    let text = sealed_file("LICENSE", &forged, KEY);
    assert!(
        ours(&text, &with_secrets()).is_ok(),
        "with our signature it would open"
    );
    for vector in &vectors() {
        assert!(open(&text, &vector.account(), &with_secrets()).is_err());
    }
    let stranger = Account::new(*SigningKey::from_seed(&[8; 32]).public(), ALL);
    assert_eq!(
        open(&text, &stranger, &with_secrets()),
        Err("bad_signature".into())
    );
}
