//! Other people's libraries and vectors against ours: each verifies what the other issues.
//!
//! The shared vectors are looked for in `MINTREU_SHARED_VECTORS`, else in `../shared/vectors` beside
//! the workspace. Where they are absent, the tests that need them say so and pass.

use std::path::{Path, PathBuf};

use coset::{
    CborSerializable as _, CoseSign1, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable as _,
    iana,
};
use mintreu::Timestamp;
use mintreu::document::{Kind, PublicKey, SigningKey, open};
use mintreu::id::LicenseId;
use mintreu::license::{Claims, Trust, issue, verify};
use serde_json::Value;

fn claims() -> Claims {
    let issued_at = Timestamp::from_secs(1_795_008_000);
    let mut claims = Claims::new(LicenseId::from_bytes([7; 16]), "acme.editor", issued_at);
    claims.expires_at = Some(Timestamp::from_secs(1_826_544_000));
    claims.edition = Some("pro".into());
    claims
}

#[test]
fn coset_verifies_what_we_issue() {
    let key = SigningKey::from_seed(&[1; 32]);
    let document = issue(&claims(), &key, &[]).expect("issues");
    let theirs = CoseSign1::from_tagged_slice(&document).expect("coset reads it");
    let alg = coset::RegisteredLabelWithPrivate::Assigned(iana::Algorithm::Ed25519);
    assert_eq!(theirs.protected.header.alg, Some(alg));
    assert_eq!(theirs.protected.header.key_id, key.public().kid());
    assert!(theirs.unprotected.is_empty());
    let check = |aad: &[u8]| {
        theirs.verify_signature(aad, |signature, data| {
            let signature = signature.try_into().expect("64 bytes");
            key.public().verify(data, signature)
        })
    };
    assert!(check(b"mintreu/license/1").is_ok());
    assert!(check(b"mintreu/lease/1").is_err());
    assert!(check(b"").is_err());
    let claims = coset::cwt::ClaimsSet::from_slice(theirs.payload.as_deref().expect("claims"));
    let claims = claims.expect("coset reads the claims");
    assert_eq!(claims.audience.as_deref(), Some("acme.editor"));
    assert_eq!(
        claims.issued_at,
        Some(coset::cwt::Timestamp::WholeSeconds(1_795_008_000))
    );
    assert_eq!(claims.cwt_id.as_deref(), Some(&[7; 16][..]));
}

#[test]
fn we_verify_what_coset_issues() {
    let key = SigningKey::from_seed(&[1; 32]);
    let typ = "mintreu/license/1";
    let protected = HeaderBuilder::new()
        .algorithm(iana::Algorithm::Ed25519)
        .key_id(key.public().kid().to_vec())
        .value(16, typ.into())
        .build();
    let theirs = CoseSign1Builder::new()
        .protected(protected)
        .payload(claims().to_cbor().expect("encodes"))
        .create_signature(typ.as_bytes(), |data| key.sign(data).to_vec())
        .build();
    let bytes = theirs.to_tagged_vec().expect("coset writes it");
    let trust = Trust::new("acme.editor", *key.public()).expect("a trust");
    assert_eq!(
        verify(&bytes, &trust).expect("verifies").claims(),
        &claims()
    );
    assert_eq!(
        bytes,
        issue(&claims(), &key, &[]).expect("issues"),
        "byte for byte the same"
    );
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

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a readable file");
    serde_json::from_str(&text).expect("JSON")
}

fn hex(text: &str) -> Vec<u8> {
    assert!(text.is_ascii() && text.len().is_multiple_of(2));
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(byte).collect()
}

fn field(value: &Value, name: &str) -> Vec<u8> {
    hex(value[name].as_str().expect("a text"))
}

/// Whether we accept a signature; keys we refuse to load count as refused.
fn accepts(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (key.try_into(), signature.try_into()) else {
        return false;
    };
    PublicKey::from_bytes(&key).is_ok_and(|key| key.verify(message, &signature).is_ok())
}

#[test]
fn rfc_8032_signs_and_verifies_the_same() {
    let Some(path) = shared("rfc8032/ed25519_7_1.json") else {
        return;
    };
    let file = json(&path);
    let tests = file["tests"].as_array().expect("tests");
    assert_eq!(tests.len(), 5);
    for test in tests {
        let seed = field(test, "seed").try_into().expect("32 bytes");
        let (key, message) = (SigningKey::from_seed(&seed), field(test, "message"));
        assert_eq!(key.public().as_bytes().to_vec(), field(test, "public_key"));
        assert_eq!(key.sign(&message).to_vec(), field(test, "signature"));
        assert!(accepts(
            key.public().as_bytes(),
            &message,
            &key.sign(&message)
        ));
    }
}

#[test]
fn known_answers_are_the_same() {
    let Some(path) = shared("ed25519-sign-input/sign.input") else {
        return;
    };
    let text = std::fs::read_to_string(path).expect("a readable file");
    let mut ran = 0;
    for line in text.lines() {
        let fields: Vec<_> = line.split(':').map(hex).collect();
        let (seed, public) = fields[0].split_at(32);
        let key = SigningKey::from_seed(seed.try_into().expect("32 bytes"));
        assert_eq!(key.public().as_bytes(), public);
        assert_eq!(key.sign(&fields[2])[..], fields[3][..64]);
        assert!(accepts(public, &fields[2], &fields[3][..64]));
        ran += 1;
    }
    assert_eq!(ran, 1_024);
}

#[test]
fn wycheproof_agrees_on_every_case() {
    let Some(path) = shared("wycheproof/ed25519_test.json") else {
        return;
    };
    let (file, mut ran) = (json(&path), 0);
    for group in file["testGroups"].as_array().expect("groups") {
        let key = field(&group["publicKey"], "pk");
        for test in group["tests"].as_array().expect("tests") {
            let accepted = accepts(&key, &field(test, "msg"), &field(test, "sig"));
            assert_eq!(accepted, test["result"] == "valid", "case {}", test["tcId"]);
            ran += 1;
        }
    }
    assert_eq!(ran, 151);
}

#[test]
fn every_low_order_key_is_refused() {
    let Some(path) = shared("lowkeys/low_order_points.json") else {
        return;
    };
    let file = json(&path);
    let keys = file["keys"].as_array().expect("keys");
    assert_eq!(keys.len(), 14);
    for key in keys {
        let bytes = field(key, "hex").try_into().expect("32 bytes");
        let refused = PublicKey::from_bytes(&bytes).map_err(|error| error.code());
        assert_eq!(refused, Err("weak_key"), "{key}");
    }
}

#[test]
fn foreign_cose_is_read_but_not_taken_for_ours() {
    for name in ["eddsa-sig-01.json", "eddsa-sig-02.json"] {
        let Some(path) = shared(&format!("cose/{name}")) else {
            return;
        };
        let bytes = field(&json(&path)["output"], "cbor");
        let key = SigningKey::from_seed(&[1; 32]);
        for kind in Kind::all() {
            let refused = open(kind, &bytes, &[key.public()]).map_err(|error| error.code());
            assert!(
                matches!(refused, Err("malformed" | "unsupported")),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn another_library_builds_and_verifies_the_same_proofs() {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
    use mintreu::log::{Frontier, Hash, Node, consistency, inclusion, leaf_hash};
    use sha2::Sha256;
    use std::collections::HashMap;

    let leaf = |number: u64| number.to_be_bytes().to_vec();
    let (mut ours, mut nodes) = (Frontier::default(), HashMap::<Node, Hash>::new());
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut roots = vec![theirs.root()];
    for size in 1..=130_u64 {
        let grown = ours.push(leaf_hash(&leaf(size - 1))).expect("fits");
        nodes.extend(grown);
        theirs.push(leaf(size - 1));
        let root = theirs.root();
        assert_eq!(root.as_bytes().as_slice(), ours.root(), "root of {size}");
        let path = |plan: mintreu::log::Plan| -> Vec<u8> {
            let fetched = plan.path(|node| nodes.get(&node).copied().ok_or(node));
            fetched.expect("stored").concat()
        };
        for index in 0..size {
            let path = path(inclusion(index, size).expect("in range"));
            assert_eq!(theirs.prove_inclusion(index as usize).as_bytes(), path);
            let proof = InclusionProof::<Sha256>::from_bytes(path);
            let judged = root.verify_inclusion(&leaf(index), index, &proof);
            assert!(judged.is_ok(), "{index} of {size}");
        }
        for old in 1..=size {
            let path = path(consistency(old, size).expect("in range"));
            let proof = theirs.prove_consistency((size - old) as usize);
            assert_eq!(proof.as_bytes(), path, "{old} to {size}");
            let proof = ConsistencyProof::<Sha256>::try_from_bytes(path).expect("hashes");
            let before: &RootHash<Sha256> = roots.get(old as usize).unwrap_or(&root);
            assert!(
                root.verify_consistency(before, &proof).is_ok(),
                "{old} to {size}"
            );
        }
        roots.push(root);
    }
}
