//! Versions, and claims that a set may not make.

use super::*;

#[test]
fn versions_never_go_back_and_end_at_the_highest() {
    let top = i64::MAX as u64;
    let highest = signed(&set(top), 1);
    let seven = signed(&set(7), 1);
    let other_seven = signed(&with(7, |set| set.issued_at = at(NOW + 99)), 1);
    check(vec![
        (
            "older",
            vec![seven.clone()],
            signed(&set(6), 1),
            "keyset_old",
        ),
        ("the same", vec![seven.clone()], seven.clone(), "known"),
        (
            "another of the same version",
            vec![seven.clone()],
            other_seven,
            "known",
        ),
        (
            "the first again, by the spare",
            vec![seven.clone()],
            signed(&set(1), 9),
            "keyset_old",
        ),
        (
            "fast forward",
            vec![seven.clone()],
            highest.clone(),
            "taken",
        ),
        (
            "after the highest",
            vec![highest.clone()],
            signed(&set(top - 1), 9),
            "keyset_old",
        ),
        (
            "the highest again",
            vec![highest],
            signed(&set(top), 9),
            "known",
        ),
        (
            "beyond the highest",
            vec![],
            raw(&[(1, None)], &[0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            "malformed",
        ),
        (
            "version zero",
            vec![],
            raw(&[(1, Some(Value::Int(0)))], &[]),
            "malformed",
        ),
        (
            "below zero",
            vec![],
            raw(&[(1, Some(Value::Int(-1)))], &[]),
            "malformed",
        ),
        (
            "version a text",
            vec![],
            raw(&[(1, Some(Value::text("7")))], &[]),
            "malformed",
        ),
    ]);
    assert!(set(top + 1).issue(&key(1)).is_err());
    let mut strict = Ring::new(trust().with_least_key_set(7));
    let below = strict.install_key_set(&signed(&set(6), 1));
    assert_eq!(below.map_err(|error| error.code()), Err("keyset_old"));
    assert_eq!(strict.install_key_set(&seven), Ok(true));
}

#[test]
fn a_set_has_one_shape() {
    let whole = signed(&set(5), 1);
    let mut flipped = whole.clone();
    *flipped.last_mut().expect("a signature") ^= 1;
    let one =
        |label: i64, value: Value<'_>| raw(&[(1, Some(Value::Int(5))), (label, Some(value))], &[]);
    let list = |count: usize, item: Value<'static>| Value::Array(vec![item; count]);
    let some_key = Value::Bytes(key(3).public().as_bytes().to_vec().into());
    let pair = |key: Value<'static>, from: i64| Value::Array(vec![key, Value::Int(from)]);
    let weak = Value::Bytes(vec![0; 32].into());
    let without_iat = {
        let private = Value::labelled([(1, Some(Value::Int(5)))]);
        let claims = Value::labelled([(-65537, Some(private))]);
        seal(
            Kind::KeySet,
            &cbor::encode(&claims).expect("encodes"),
            &key(1),
        )
        .expect("seals")
    };
    let empty = seal(Kind::KeySet, &[0xa0], &key(1)).expect("seals");
    let large = by_hand(&cbor::encode(&Value::bytes(&vec![0; 256 << 10])).expect("encodes"));
    let certified = [&certificate(2, 1, NOW)[..], &whole].concat();
    let with_certificate = |bytes: Vec<u8>| {
        let set = with(5, |set| set.certificates = vec![bytes]);
        signed(&set, 1)
    };
    let late = {
        let change = signed(&changing(4, &[2, 9], &[2]), 1);
        let set = with(5, |set| set.certificates = vec![certificate(3, 1, NOW + 4)]);
        signed(&after(&set, &change), 2)
    };
    check(vec![
        ("a changed signature", vec![], flipped, "bad_signature"),
        (
            "a cut set",
            vec![],
            whole[..whole.len() - 1].to_vec(),
            "malformed",
        ),
        (
            "a byte behind",
            vec![],
            [&whole[..], &[0]].concat(),
            "malformed",
        ),
        (
            "a bundle with a certificate",
            vec![],
            certified,
            "malformed",
        ),
        ("a license", vec![], license(1), "wrong_kind"),
        ("no claims", vec![], empty, "malformed"),
        ("no instant of issue", vec![], without_iat, "malformed"),
        (
            "no version",
            vec![],
            raw(&[(3, Some(list(0, Value::Null)))], &[]),
            "malformed",
        ),
        ("too large", vec![], large, "too_large"),
        (
            "an unknown limit",
            vec![],
            one(-1, Value::Int(1)),
            "unsupported",
        ),
        ("an unknown claim", vec![], one(900, Value::Int(1)), "taken"),
        (
            "three roots",
            vec![],
            one(
                4,
                Value::Array(vec![
                    Value::bytes(key(1).public().as_bytes()),
                    Value::bytes(key(2).public().as_bytes()),
                    Value::bytes(key(3).public().as_bytes()),
                ]),
            ),
            "malformed",
        ),
        (
            "a root twice",
            vec![],
            one(4, list(2, some_key.clone())),
            "malformed",
        ),
        (
            "a weak root",
            vec![],
            one(4, list(1, weak.clone())),
            "weak_key",
        ),
        (
            "a root of 31 bytes",
            vec![],
            one(4, list(1, Value::Bytes(vec![1; 31].into()))),
            "malformed",
        ),
        (
            "a weak revoked key",
            vec![],
            one(3, list(1, pair(weak, NOW))),
            "taken",
        ),
        (
            "a revoked key of 33 bytes",
            vec![],
            one(3, list(1, pair(Value::Bytes(vec![1; 33].into()), NOW))),
            "malformed",
        ),
        (
            "revoked before 1970",
            vec![],
            one(3, list(1, pair(some_key.clone(), -1))),
            "malformed",
        ),
        (
            "revoked without an instant",
            vec![],
            one(3, list(1, list(1, some_key.clone()))),
            "malformed",
        ),
        (
            "too many revoked",
            vec![],
            one(3, list(1_025, pair(Value::Bytes(vec![2; 32].into()), 1))),
            "malformed",
        ),
        (
            "three consents",
            vec![],
            one(5, list(3, Value::Bytes(vec![].into()))),
            "malformed",
        ),
        (
            "too many certificates",
            vec![],
            one(2, list(257, Value::Bytes(vec![].into()))),
            "malformed",
        ),
        (
            "too many licenses",
            vec![],
            one(7, list(1_025, Value::Bytes(vec![].into()))),
            "malformed",
        ),
        (
            "a sunset of nonsense",
            vec![],
            one(6, list(1, Value::text("a b"))),
            "malformed",
        ),
        (
            "a sunset that is false",
            vec![],
            one(6, Value::Bool(false)),
            "malformed",
        ),
        (
            "a certificate of a stranger",
            vec![],
            with_certificate(certificate(3, 4, NOW)),
            "unknown_key",
        ),
        (
            "a certificate that is a license",
            vec![],
            with_certificate(license(1)),
            "wrong_kind",
        ),
        (
            "a certificate cut",
            vec![],
            with_certificate(certificate(3, 1, NOW)[1..].to_vec()),
            "malformed",
        ),
        (
            "a certificate of the former root, from after its end",
            vec![],
            late,
            SCOPE,
        ),
    ]);
}
