//! Documents in the wrong place: another kind, another product, another root.

use mintreu::document::{Kind, open, seal};
use mintreu::license::open_bundle;

use crate::samples::{Sample, WITH_CLAIMS, believes, key, root, some_claims, trust, trust_in};

#[test]
fn no_kind_is_taken_for_another() {
    let (trust, root) = (trust(), root());
    let mut pairs = 0;
    for made in Kind::all() {
        let sample = Sample::new(made, 0);
        let same_claims = seal(made, &some_claims(), &root).expect("seals");
        for asked in Kind::all().filter(|&asked| asked != made) {
            let pair = format!("{} as {}", made.name(), asked.name());
            assert_eq!(
                believes(asked, &sample.bytes, &trust),
                Err("wrong_kind"),
                "{pair}"
            );
            let opened = open(asked, &same_claims, &[root.public()]);
            assert_eq!(
                opened.map_err(|error| error.code()),
                Err("wrong_kind"),
                "{pair}"
            );
            let renamed = renamed(&same_claims, made, asked);
            assert_eq!(
                believes_any(asked, &renamed),
                Err("bad_signature"),
                "{pair}"
            );
            pairs += 1;
        }
    }
    let kinds = Kind::all().count();
    assert_eq!(pairs, kinds * (kinds - 1));
}

/// The same document whose header says that it is of another kind.
fn renamed(document: &[u8], from: Kind, to: Kind) -> Vec<u8> {
    let (from, to) = (from.media_type().as_bytes(), to.media_type().as_bytes());
    let at = document.windows(from.len()).position(|part| part == from);
    let at = at.expect("the header names the kind");
    let mut renamed = document.to_vec();
    renamed.splice(at..at + from.len(), to.iter().copied());
    // The heads of the text and of the header: every media type has 15 to 21 bytes.
    renamed[at - 1] = 0x60 + to.len() as u8;
    renamed[3] = (usize::from(document[3]) + to.len() - from.len()) as u8;
    renamed
}

fn believes_any(kind: Kind, bytes: &[u8]) -> Result<(), &'static str> {
    let opened = open(kind, bytes, &[root().public()]);
    opened.map(drop).map_err(|error| error.code())
}

/// Two products and two roots: believed only where both are the right ones.
#[test]
fn no_document_crosses_products_or_roots() {
    let mut refused = 0;
    // A lease names neither: it is held against its activation, in the next test.
    for kind in Kind::all().filter(|&kind| kind != Kind::Lease) {
        for root in [1, 2] {
            let bytes = seal(kind, &some_claims(), &key(root)).expect("seals");
            for (product, pinned) in [
                (crate::common::PRODUCT, 1),
                (crate::common::PRODUCT, 2),
                ("acme.viewer", 1),
                ("acme.viewer", 2),
            ] {
                let trust = trust_in(product, pinned);
                let expected = match (pinned == root, product == crate::common::PRODUCT) {
                    (true, true) => Ok(()),
                    (true, false) => Err("wrong_product"),
                    (false, _) => Err("unknown_key"),
                };
                let opened = open_bundle(kind, &bytes, &trust).map(drop);
                assert_eq!(opened.map_err(|error| error.code()), expected);
                refused += u32::from(expected.is_err());
            }
        }
    }
    assert_eq!(refused, (Kind::all().count() as u32 - 1) * 6);
}

/// What products name in their claims is held against the trust by each kind's own reader, too.
#[test]
fn no_sample_holds_under_another_root_or_product() {
    for kind in WITH_CLAIMS {
        for index in 0..4 {
            let sample = Sample::new(kind, index);
            let elsewhere = believes(kind, &sample.bytes, &trust_in(crate::common::PRODUCT, 9));
            let for_another = believes(kind, &sample.bytes, &trust_in("acme.viewer", 1));
            match kind {
                // Signed by a device, whoever that is: the server looks the device up.
                Kind::Request | Kind::Usage | Kind::Deactivation => {
                    assert_eq!((elsewhere, for_another), (Ok(()), Ok(())))
                }
                // A root's word on keys, for all of its products.
                Kind::KeySet | Kind::Certificate => {
                    assert_eq!((elsewhere, for_another), (Err("unknown_key"), Ok(())));
                }
                _ => {
                    assert_eq!(elsewhere, Err("unknown_key"), "{}", kind.name());
                    assert_eq!(for_another, Err("wrong_product"), "{}", kind.name());
                }
            }
        }
    }
}
