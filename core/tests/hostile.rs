//! Whatever comes in, the engine answers with a code and never panics.

use mintreu::Timestamp;
use mintreu::activation::{Activation, RedeemCode, Request};
use mintreu::document::{Bundle, Kind, SigningKey, from_text, open, seal, to_armor, to_text};
use mintreu::id::LicenseId;
use mintreu::license::{Claims, Facts, Trust, issue, verify, verify_text};
use proptest::prelude::*;

fn root() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn trust() -> Trust {
    Trust::new("acme.editor", *root().public()).expect("a trust")
}

fn license() -> Vec<u8> {
    let id = LicenseId::from_bytes([7; 16]);
    let claims = Claims::new(id, "acme.editor", Timestamp::from_secs(1_795_008_000));
    issue(&claims, &root(), &[]).expect("issues")
}

/// Anything, often behind one of the known beginnings.
const TEXTS: &str = "(MT1-|MT1:|MT1:[0-9]{1,3}/[0-9]{1,3}:|-----BEGIN MINTREU )?\\PC{0,200}";

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(verify(&bytes, &trust()).is_err());
        prop_assert!(Activation::verify(&bytes, &trust()).is_err());
        prop_assert!(Request::verify(&bytes).is_err());
        prop_assert!(Bundle::from_bytes(&bytes).is_err());
    }

    #[test]
    fn arbitrary_texts_are_refused(text in TEXTS) {
        prop_assert!(!verify_text(&text, &trust(), &Facts::default()).is_allowed());
        prop_assert!(text.parse::<Trust>().is_err());
        prop_assert!(text.parse::<RedeemCode>().is_err());
    }

    /// A splice keeps a head and a tail and changes the middle.
    #[test]
    fn splices_are_refused(
        start in 0_usize..200,
        removed in 0_usize..50,
        put in proptest::collection::vec(any::<u8>(), 0..50),
    ) {
        let good = license();
        let start = start.min(good.len());
        let end = (start + removed).min(good.len());
        let mut spliced = good.clone();
        spliced.splice(start..end, put);
        prop_assert_eq!(verify(&spliced, &trust()).is_ok(), spliced == good);
    }

    /// Claims that the root itself signed may say anything; reading them must not fail badly.
    #[test]
    fn signed_nonsense_is_refused(claims in nonsense()) {
        let Ok(payload) = mintreu::document::cbor::encode(&claims) else {
            return Ok(());
        };
        for kind in [Kind::License, Kind::Activation, Kind::Certificate] {
            let Ok(document) = seal(kind, &payload, &root()) else {
                return Ok(());
            };
            prop_assert!(open(kind, &document, &[root().public()]).is_ok());
            let outcome = match kind {
                Kind::License => verify(&document, &trust()).map(drop),
                Kind::Activation => Activation::verify(&document, &trust()).map(drop),
                _ => verify(&[document, license()].concat(), &trust()).map(drop),
            };
            prop_assert!(outcome.is_err());
        }
    }

    #[test]
    fn texts_of_a_document_always_read_back(pad in proptest::collection::vec(any::<u8>(), 0..3_000)) {
        let value = mintreu::document::cbor::Value::bytes(&pad);
        let payload = mintreu::document::cbor::encode(&value).expect("encodes");
        let document = seal(Kind::License, &payload, &root()).expect("seals");
        prop_assert_eq!(&from_text(&to_text(&document)).expect("reads"), &document);
        prop_assert_eq!(&from_text(&to_armor(&document).expect("writes")).expect("reads"), &document);
    }
}

/// Maps with the labels that matter and values that don't fit them.
fn nonsense() -> impl Strategy<Value = mintreu::document::cbor::Value<'static>> {
    use mintreu::document::cbor::Value;
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Int),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
        proptest::collection::vec(any::<u8>(), 0..33).prop_map(|bytes| Value::Bytes(bytes.into())),
        "[a-z.]{0,12}".prop_map(|text| Value::Text(text.into())),
    ];
    let label = prop_oneof![-3_i64..17, Just(-65537_i64)];
    leaf.prop_recursive(3, 30, 8, move |inner| {
        let values = inner.clone();
        prop_oneof![
            proptest::collection::vec(inner, 0..5).prop_map(Value::Array),
            proptest::collection::btree_map(label.clone(), values, 0..8).prop_map(|entries| {
                let entries = entries.into_iter();
                Value::Map(
                    entries
                        .map(|(label, value)| (Value::Int(label), value))
                        .collect(),
                )
            }),
        ]
    })
}
