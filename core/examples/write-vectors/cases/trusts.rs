//! What a product may pin.

use mintreu::document::PublicKey;
use serde_json::{Value, json};

use super::made::{key, trust};

pub fn cases() -> Vec<Value> {
    [plain(), weak()].concat()
}

/// Roots and spares that no trust may have.
fn weak() -> Vec<Value> {
    let case = |name: String, trust: String| json!({ "name": name, "trust": trust, "expect": { "error": "weak_key" } });
    let keys = super::weak::keys();
    let numbered = keys.iter().enumerate().flat_map(|(at, bytes)| {
        let (number, weak) = (at + 1, key_text(bytes));
        let as_root = format!("mt1-trust product=acme.editor root={weak}");
        let as_spare = format!("{} spare={weak}", trust());
        [
            case(format!("weak key {number} as root"), as_root),
            case(format!("weak key {number} as spare"), as_spare),
        ]
    });
    numbered.collect()
}

fn plain() -> Vec<Value> {
    let root: PublicKey = *key(1).public();
    let spare = trust().with_spare(*key(2).public());
    let ok = |name: &str, trust: &str| {
        let expect = json!({ "ok": { "product": "acme.editor" } });
        json!({ "name": name, "trust": trust, "expect": expect })
    };
    let refused = |name: &str, trust: &str, code: &str| json!({ "name": name, "trust": trust, "expect": { "error": code } });
    let mistyped = trust().to_string().replacen("MT1K-", "MT1K-A", 1);
    vec![
        ok("a root", &trust().to_string()),
        ok("a root and a spare", &spare.to_string()),
        ok("a lowest key set", &spare.with_least_key_set(3).to_string()),
        refused("nothing", "", "malformed"),
        refused("no product", &format!("mt1-trust root={root}"), "malformed"),
        refused("no root", "mt1-trust product=acme.editor", "malformed"),
        refused("a root with a typo", &mistyped, "malformed"),
        refused(
            "two products",
            &format!("mt1-trust product=a product=b root={root}"),
            "malformed",
        ),
        refused(
            "an unknown word",
            &format!("mt1-trust product=a root={root} x=1"),
            "malformed",
        ),
        refused(
            "two roots",
            &format!("mt1-trust product=a root={root} root={root}"),
            "malformed",
        ),
        refused("a root of low order", &low_order(), "weak_key"),
        refused(
            "far too long",
            &format!("mt1-trust product=a {}", " ".repeat(2_000)),
            "too_large",
        ),
    ]
}

/// The identity as root, with a checksum that fits.
fn low_order() -> String {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    format!("mt1-trust product=a root={}", key_text(&bytes))
}

/// The text of a key's bytes, whatever they are: `MT1K-` and base64url of the key and four bytes
/// of its COSE thumbprint.
fn key_text(bytes: &[u8; 32]) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    let head = [0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20];
    let thumbprint = sha2::Sha256::new()
        .chain_update(head)
        .chain_update(bytes)
        .finalize();
    let text = [&bytes[..], &thumbprint[..4]].concat();
    format!(
        "MT1K-{}",
        base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text)
    )
}
