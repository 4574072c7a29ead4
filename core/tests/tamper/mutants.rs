//! Every change of the bytes.

use mintreu::document::{Kind, seal};

use crate::common::Random;
use crate::documents;
use crate::samples::{Sample, WITH_CLAIMS, believes, root, trust};

/// Calls `found` with every mutant of `bytes`: each is different from `bytes`.
fn mutants(bytes: &[u8], seed: u64, mut found: impl FnMut(&[u8])) {
    let mut random = Random::new(seed);
    let mut changed = bytes.to_vec();
    for bit in 0..bytes.len() * 8 {
        changed[bit / 8] ^= 1 << (bit % 8);
        found(&changed);
        changed[bit / 8] ^= 1 << (bit % 8);
    }
    for len in 0..bytes.len() {
        found(&bytes[..len]);
    }
    for at in 0..=bytes.len() {
        changed.insert(at, random.below(256) as u8);
        found(&changed);
        changed.remove(at);
    }
    for at in 0..bytes.len() {
        let byte = changed.remove(at);
        found(&changed);
        changed.insert(at, byte);
    }
    for _ in 0..bytes.len() {
        let (a, b) = (place(&mut random, bytes), place(&mut random, bytes));
        if bytes[a] != bytes[b] {
            changed.swap(a, b);
            found(&changed);
            changed.swap(a, b);
        }
    }
    for byte in 0..=255 {
        changed.push(byte);
        found(&changed);
        changed.pop();
    }
}

fn place(random: &mut Random, bytes: &[u8]) -> usize {
    random.below(bytes.len() as u64) as usize
}

/// Makes every mutant of some documents of a kind; none is believed.
fn changed(kind: Kind) {
    let trust = trust();
    let (mut made, mut accepted) = (0, Vec::new());
    for index in 0..documents() {
        let sample = Sample::new(kind, index);
        mutants(&sample.bytes, index, |mutant| {
            made += 1;
            if believes(kind, mutant, &trust).is_ok() {
                accepted.push(mutant.to_vec());
            }
        });
    }
    println!("{made} mutants of {}", kind.name());
    assert!(accepted.is_empty(), "{} accepted", accepted.len());
    assert!(made >= 2_500 * documents(), "only {made} mutants");
}

/// One test a kind, so that they run beside each other.
macro_rules! changed {
    ($($test:ident: $kind:ident,)*) => {$(
        #[test]
        fn $test() { changed(Kind::$kind); }
    )*};
}

changed! {
    no_changed_license_is_believed: License,
    no_changed_activation_is_believed: Activation,
    no_changed_certificate_is_believed: Certificate,
    no_changed_key_set_is_believed: KeySet,
    no_changed_revocation_list_is_believed: Revocations,
    no_changed_request_is_believed: Request,
    no_changed_segment_is_believed: Usage,
    no_changed_receipt_is_believed: Receipt,
}

#[test]
fn no_change_of_any_other_kind_is_believed() {
    let others = Kind::all().filter(|kind| !WITH_CLAIMS.contains(kind));
    for kind in others {
        let (sample, trust) = (Sample::new(kind, 0), trust());
        mutants(&sample.bytes, 1, |mutant| {
            assert!(believes(kind, mutant, &trust).is_err());
        });
    }
}

/// The negative control: whoever doesn't look at the signature believes many of the mutants.
#[test]
fn without_the_signature_mutants_are_believed() {
    let (mut made, mut accepted) = (0, 0);
    let sample = Sample::new(Kind::License, 2);
    mutants(&sample.bytes, 2, |mutant| {
        made += 1;
        accepted += u64::from(believes_unsigned(mutant));
    });
    assert!(accepted > 500, "only {accepted} of {made} accepted");
}

/// A verifier that signs whatever claims it finds itself, and then verifies that.
fn believes_unsigned(bytes: &[u8]) -> bool {
    use coset::TaggedCborSerializable as _;
    let payload = coset::CoseSign1::from_tagged_slice(bytes).map(|sign1| sign1.payload);
    let Ok(Some(payload)) = payload else {
        return false;
    };
    seal(Kind::License, &payload, &root())
        .is_ok_and(|sealed| believes(Kind::License, &sealed, &trust()).is_ok())
}

/// The head of one document and the tail of another, and their parts exchanged.
#[test]
fn no_splice_of_two_documents_is_believed() {
    let trust = trust();
    let mut made = 0;
    for kind in WITH_CLAIMS {
        for index in 0..documents() {
            let (one, other) = (Sample::new(kind, index), Sample::new(kind, index + 100));
            for mutant in splices(&one, &other, index) {
                if mutant == one.bytes || mutant == other.bytes {
                    continue;
                }
                made += 1;
                let found = believes(kind, &mutant, &trust);
                assert!(found.is_err(), "{} {index}", kind.name());
            }
        }
    }
    assert!(made >= 1_000 * documents(), "only {made} splices");
}

fn splices(one: &Sample, other: &Sample, seed: u64) -> Vec<Vec<u8>> {
    let (a, b) = (&one.bytes, &other.bytes);
    let mut random = Random::new(seed);
    let mut splices: Vec<Vec<u8>> = (0..150)
        .map(|_| {
            let (from, to) = (place(&mut random, a), place(&mut random, b));
            [&a[..from], &b[to..]].concat()
        })
        .collect();
    // The claims of one with the signature of the other, and whole documents in a row.
    let tail = |bytes: &[u8], len: usize| bytes[bytes.len() - len..].to_vec();
    for len in [32, 64, 66] {
        splices.push([&a[..a.len() - len], &tail(b, len)].concat());
        splices.push([&b[..b.len() - len], &tail(a, len)].concat());
    }
    splices.push([a.as_slice(), b].concat());
    splices.push([one.document(), other.document()].concat());
    splices
}
