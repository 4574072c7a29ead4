//! Licenses that know revocation lists, certificates that name licenses, and licenses of tomorrow.

use mintreu::document::to_text;
use mintreu::id::LicenseId;
use mintreu::license::{Certificate, Freshness, ListEntry, StaleAction};
use serde_json::Value;

use super::licenses::{case, refused};
use super::made::{DAY, END, ISSUED, PRODUCT, by_root, certified, delegated, seller, with};

pub fn cases() -> Vec<Value> {
    [freshness(), certified_licenses(), growth()].concat()
}

/// A license that minds the age of revocation lists, on a device that has none: its own issue is
/// the last word.
fn freshness() -> Vec<Value> {
    let minding = |action| {
        to_text(&by_root(&with(|claims| {
            claims.status = Some(ListEntry { list: 1, index: 77 });
            claims.freshness = Some(Freshness {
                max_age_secs: 30 * DAY as u32,
                action,
                grace_secs: 7 * DAY as u32,
            });
        })))
    };
    let (ignore, warn) = (minding(StaleAction::Ignore), minding(StaleAction::Warn));
    let lock = minding(StaleAction::Lock);
    let stale = ISSUED + 30 * DAY;
    let warned = ("revocations_stale", true);
    let locked = ("revocations_stale", false);
    vec![
        case(
            "a second before lists are stale",
            &lock,
            stale - 1,
            ("valid", true),
        ),
        case("when lists are stale, with grace", &lock, stale, warned),
        case(
            "a second before grace is over",
            &lock,
            stale + 7 * DAY - 1,
            warned,
        ),
        case(
            "when grace for stale lists is over",
            &lock,
            stale + 7 * DAY,
            locked,
        ),
        case("long after grace for stale lists", &lock, END - 1, locked),
        case("over, and lists are stale", &lock, END, ("expired", false)),
        case(
            "stale lists that only warn",
            &warn,
            stale + 99 * DAY,
            warned,
        ),
        case(
            "stale lists that are ignored",
            &ignore,
            stale + 99 * DAY,
            ("valid", true),
        ),
    ]
}

/// Certificates that name the licenses they are for.
fn certified_licenses() -> Vec<Value> {
    let id = |seed| Some(vec![LicenseId::from_bytes([seed; 16])]);
    let scope = "certificate_out_of_scope";
    let named = to_text(&certified(|c| c.licenses = id(7)));
    let narrowing = Certificate {
        licenses: id(7),
        ..seller()
    };
    vec![
        case(
            "a certificate for this license",
            &named,
            ISSUED,
            ("valid", true),
        ),
        refused(
            "a certificate for another license",
            &certified(|c| c.licenses = id(8)),
            scope,
        ),
        refused(
            "child for every license",
            &delegated(narrowing.clone(), |_| ()),
            scope,
        ),
        refused(
            "child for another license",
            &delegated(narrowing, |c| c.licenses = id(8)),
            scope,
        ),
    ]
}

/// Licenses of tomorrow read by the engine of today.
fn growth() -> Vec<Value> {
    use super::made::Envelope;
    use mintreu::document::cbor::{self, Value as Cbor};
    let grown = |label: i64, inner: Option<i64>| {
        let id = [7; 16];
        let mut private = vec![(1, Some(Cbor::text("pro")))];
        private.extend(inner.map(|key| (key, Some(Cbor::Array(vec![Cbor::Int(1)])))));
        let mut entries = vec![
            (3, Some(Cbor::text(PRODUCT))),
            (6, Some(Cbor::Int(ISSUED))),
            (7, Some(Cbor::bytes(&id))),
            (-65537, Some(Cbor::labelled(private))),
        ];
        if label != 0 {
            entries.push((label, Some(Cbor::Bool(true))));
        }
        let payload = cbor::encode(&Cbor::labelled(entries)).expect("encodes");
        Envelope::with_payload(payload)
    };
    let quota = |items: &[i64]| {
        let id = [7; 16];
        let items = items.iter().map(|&item| match item {
            -1 => Cbor::Null,
            item => Cbor::Int(item),
        });
        let quotas = vec![(Cbor::text("renders"), Cbor::Array(items.collect()))];
        let private = Cbor::labelled([(3, Some(Cbor::Map(quotas)))]);
        let claims = Cbor::labelled([
            (3, Some(Cbor::text(PRODUCT))),
            (6, Some(Cbor::Int(ISSUED))),
            (7, Some(Cbor::bytes(&id))),
            (-65537, Some(private)),
        ]);
        Envelope::with_payload(cbor::encode(&claims).expect("encodes"))
    };
    let valid = |name: &str, bundle: &[u8]| case(name, &to_text(bundle), ISSUED, ("valid", true));
    vec![
        valid("overage with a cap", &quota(&[500, 4, 2, 50])),
        valid("overage without a cap", &quota(&[500, 4, 2, -1])),
        refused(
            "a cap without overage",
            &quota(&[500, 4, 1, 50]),
            "malformed",
        ),
        refused("a negative cap", &quota(&[500, 4, 2, -50]), "malformed"),
        refused(
            "a fifth element of a quota",
            &quota(&[500, 4, 2, 50, 0]),
            "unsupported",
        ),
        refused(
            "an unknown flag of a quota",
            &quota(&[500, 4, 4]),
            "unsupported",
        ),
        valid("an unknown optional private claim", &grown(0, Some(900))),
        valid("an unknown registered claim", &grown(260, None)),
        refused(
            "an unknown critical private claim",
            &grown(0, Some(-1)),
            "unsupported",
        ),
        refused(
            "another unknown critical claim",
            &grown(0, Some(-900)),
            "unsupported",
        ),
    ]
}
