//! Writes the fuzzer's seeds: `cargo run -p mintreu --example write-seeds -- tests/fuzz/corpus`.
//!
//! They are the texts of the vectors, sampled, and the claims of generated documents of each kind.
//! Findings of the fuzzer stay beside them, under names that begin with `found-`.

#![expect(clippy::unwrap_used, reason = "a program for developers")]

#[path = "../write-vectors/cases/mod.rs"]
mod cases;
#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../../tests/fuzz/src/lib.rs"]
#[expect(dead_code, reason = "the targets are run elsewhere")]
mod fuzz;
#[path = "../../tests/tamper/samples.rs"]
#[expect(dead_code, reason = "who believes them is asked elsewhere")]
mod samples;

use std::collections::BTreeSet;
use std::path::Path;

use mintreu::document::{Bundle, Kind, from_text};
use mintreu::meter::Export;
use serde_json::Value;

/// The most seeds of one target, and the most bytes of one seed.
const MOST: usize = 48;
const LARGEST: usize = 4 << 10;

fn main() {
    let folder = std::env::args().nth(1).expect("a folder to write to");
    for (target, seeds) in all() {
        let folder = Path::new(&folder).join(target);
        std::fs::create_dir_all(&folder).expect("a folder");
        clear(&folder);
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("{number:03}")), seed).expect("a seed is written");
        }
        println!("{target}: {} seeds", seeds.len());
    }
}

/// Removes the seeds of before, and leaves what the fuzzer found.
fn clear(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| !name.starts_with("found-")) {
            std::fs::remove_file(path).expect("an old seed is removed");
        }
    }
}

fn all() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let texts = fields(&["license", "activation"]);
    let documents: Vec<Vec<u8>> = texts
        .iter()
        .filter_map(|text| from_text(text).ok())
        .collect();
    let as_bytes = |texts: Vec<String>| texts.into_iter().map(String::into_bytes).collect();
    let of = |kind| sampled(claims(kind, &documents));
    let every = Kind::all()
        .flat_map(|kind| claims(kind, &documents))
        .collect();
    vec![
        ("activation", of(Kind::Activation)),
        ("bundle", sampled(documents.clone())),
        ("cbor", sampled(every)),
        ("certificate", of(Kind::Certificate)),
        ("export", exports()),
        ("key_set", of(Kind::KeySet)),
        ("keygen", keygen()),
        ("license", of(Kind::License)),
        ("receipt", of(Kind::Receipt)),
        ("redeem_code", sampled(as_bytes(fields(&["code"])))),
        ("request", of(Kind::Request)),
        ("revocations", of(Kind::Revocations)),
        ("schema", schemas()),
        ("segment", of(Kind::Usage)),
        ("tariff", tariffs()),
        ("text", sampled(as_bytes(texts))),
        ("trust", sampled(as_bytes(fields(&["trust"])))),
    ]
}

/// What the vectors have under these names.
fn fields(names: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (_, content) in cases::files() {
        let file: Value = serde_json::from_str(&content).expect("JSON");
        for case in file["cases"].as_array().expect("cases") {
            let texts = names.iter().filter_map(|name| case[name].as_str());
            found.extend(texts.map(str::to_owned));
        }
    }
    found
}

/// Different seeds that aren't too large, spread over the list.
fn sampled(seeds: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let seeds: BTreeSet<_> = seeds
        .into_iter()
        .filter(|seed| seed.len() <= LARGEST)
        .collect();
    let step = seeds.len().div_ceil(MOST).max(1);
    seeds.into_iter().step_by(step).collect()
}

/// The claims of a kind: of the vectors' documents, and of generated ones.
fn claims(kind: Kind, documents: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let generated = (0..12).map(|index| samples::Sample::new(kind, index).bytes);
    let bundles = documents.iter().cloned().chain(generated);
    bundles
        .filter_map(|bytes| {
            let bundle = Bundle::from_bytes(&bytes).ok()?;
            let certificates = bundle.certificates().iter().copied();
            let parts = certificates.chain([bundle.document()]);
            Some(
                parts
                    .filter_map(|part| fuzz::claims_of(kind, part))
                    .collect::<Vec<_>>(),
            )
        })
        .flatten()
        .collect()
}

fn exports() -> Vec<Vec<u8>> {
    let segments: Vec<_> = (0..6)
        .map(|index| samples::Sample::new(Kind::Usage, index).bytes)
        .collect();
    let receipts = [samples::Sample::new(Kind::Receipt, 0).bytes];
    (0..6)
        .map(|count| Export {
            device: *samples::key(5).public().as_bytes(),
            activation: (count % 2 == 1).then(|| vec![0xa0]),
            checkpoints: vec![],
            segments: segments[..count].to_vec(),
            receipts: receipts[..count % 2].to_vec(),
        })
        .map(|export| export.to_bytes())
        .collect()
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn schemas() -> Vec<Vec<u8>> {
    texts(&[
        "mt1-schema",
        "mt1-schema export-4k=1",
        "mt1-schema export-4k=1 renders=2 seats/eu=4294967295",
        "mt1-schema a=1 a=2",
        "mt1-schema a=-1",
        "mt1-schema a",
    ])
}

fn tariffs() -> Vec<Vec<u8>> {
    texts(&[
        "EUR flat 9.99",
        "USD per_unit 0.002; free 100",
        "EUR package 100=5.00; min 5.00; max 500.00",
        "EUR graduated 100=0.10 1000=0.08+1.00 *=0.05",
        "JPY volume 10=100 *=80; round up",
        "USD per_unit 0.000001; round half_up",
        "EUR graduated *=",
        "EUR flat 9.999",
    ])
}

/// Another vendor's files in outline, and what their insides look like.
fn keygen() -> Vec<Vec<u8>> {
    texts(&[
        "key/e30.AAAA",
        "-----BEGIN LICENSE FILE-----\ne30=\n-----END LICENSE FILE-----\n",
        "-----BEGIN MACHINE FILE-----\neyJlbmMiOiJhYSIsInNpZyI6ImJiIiwiYWxnIjoiYmFzZTY0K2VkMjU1MTkifQ==\n-----END MACHINE FILE-----\n",
        "{}",
        r#"{"data":{"type":"licenses","id":"1","attributes":{"key":"K","expiry":"2027-01-01T00:00:00.000Z","name":null,"metadata":{}}},"meta":{"issued":"2026-01-01T00:00:00Z","expiry":null,"ttl":3600}}"#,
        r#"{"account":{"id":"a"},"product":{"id":"p"},"policy":{"id":"q","duration":31536000},"user":null,"license":{"id":"l","created":"2026-01-01T00:00:00Z","expiry":null}}"#,
    ])
}
