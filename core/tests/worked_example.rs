//! The worked bytes of `docs/license-document.md` are what the engine writes and reads.

use std::path::Path;

use mintreu::Timestamp;
use mintreu::document::{Kind, SigningKey, seal, to_armor, to_qr, to_text};
use mintreu::id::LicenseId;
use mintreu::license::{
    Certificate, Claims, Entitlement, Products, QuotaClaim, Status, Trust, issue, verify,
};
use mintreu::meter::Window;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn claims() -> Claims {
    let mut claims = Claims::new(
        LicenseId::from_bytes([7; 16]),
        "acme.editor",
        at(1_795_008_000),
    );
    claims.expires_at = Some(at(1_826_544_000));
    claims.edition = Some("pro".into());
    let name = |text: &str| text.parse().expect("a name");
    claims
        .entitlements
        .insert(name("export-4k"), Entitlement::Granted);
    claims
        .entitlements
        .insert(name("projects"), Entitlement::Limit(50));
    claims
        .quotas
        .insert(name("renders"), QuotaClaim::new(500, Window::Month));
    claims
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every value the document shows, in the order of its example section.
fn shown() -> Vec<(&'static str, String)> {
    let (root, product) = (
        SigningKey::from_seed(&[1; 32]),
        SigningKey::from_seed(&[3; 32]),
    );
    let trust = Trust::new("acme.editor", *root.public()).expect("a trust");
    let certificate = Certificate {
        key: *product.public(),
        kinds: vec![Kind::License, Kind::Activation],
        products: Products::Only(vec!["acme.editor".into()]),
        issued_at: at(1_795_000_000),
        signs_from: at(1_795_000_000),
        signs_until: Some(at(1_830_000_000)),
        delegate: false,
        licenses: None,
    };
    let certificate = certificate.issue(&root).expect("certifies");
    let payload = claims().to_cbor().expect("encodes");
    let document = seal(Kind::License, &payload, &product).expect("seals");
    let bundle = issue(&claims(), &product, &[&certificate]).expect("issues");
    assert_eq!(bundle, [&certificate[..], &document].concat());
    assert_eq!(
        verify(&bundle, &trust).expect("verifies").claims(),
        &claims()
    );
    let protected = &document[4..4 + usize::from(document[3])];
    vec![
        ("root public key", hex(root.public().as_bytes())),
        ("root kid", hex(&root.public().kid())),
        ("product public key", hex(product.public().as_bytes())),
        ("product kid", hex(&product.public().kid())),
        ("trust", trust.to_string()),
        ("claims", hex(&payload)),
        ("protected header", hex(protected)),
        ("document", hex(&document)),
        ("certificate", hex(&certificate)),
        ("pasted line", to_text(&bundle)),
        ("armour", to_armor(&bundle).expect("writes")),
        ("code", to_qr(&bundle).expect("writes").concat()),
    ]
}

/// The example section of the document, written from the engine's own values.
fn section() -> String {
    let mut section = String::new();
    for (name, value) in shown() {
        let mut lines = String::new();
        for line in value.lines() {
            for chunk in line.as_bytes().chunks(96) {
                lines.push_str(std::str::from_utf8(chunk).expect("ASCII"));
                lines.push('\n');
            }
        }
        section.push_str(&format!("\n{name}:\n\n```text\n{lines}```\n"));
    }
    section
}

#[test]
fn the_document_shows_what_the_engine_writes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/license-document.md");
    let text = std::fs::read_to_string(&path).expect("the document");
    let (head, rest) = text
        .split_once("<!-- example -->\n")
        .expect("the start of the example");
    let (found, tail) = rest
        .split_once("<!-- /example -->")
        .expect("the end of the example");
    let expected = section();
    if found != expected && std::env::var_os("MINTREU_WRITE_DOCS").is_some() {
        let marked = format!("{head}<!-- example -->\n{expected}<!-- /example -->{tail}");
        std::fs::write(&path, marked).expect("writes");
        return;
    }
    assert!(
        found == expected,
        "run this test with MINTREU_WRITE_DOCS=1 to write the example"
    );
}

#[test]
fn the_document_lists_every_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/license-document.md");
    let text = std::fs::read_to_string(path).expect("the document");
    for status in Status::all() {
        assert!(
            text.contains(&format!("`{}`", status.code())),
            "{} is missing",
            status.code()
        );
    }
    for kind in Kind::all() {
        let row = format!(
            "| {} | `{}` | {} |",
            kind.number(),
            kind.name(),
            kind.max_bytes()
        );
        assert!(text.contains(&row), "{row} is missing");
    }
}
