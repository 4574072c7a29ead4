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
    let richer = |items: &[i64], more: Option<Cbor<'static>>| {
        let id = [7; 16];
        let items = items.iter().map(|&item| match item {
            -1 => Cbor::Null,
            item => Cbor::Int(item),
        });
        let items = items.chain(more).collect();
        let quotas = vec![(Cbor::text("renders"), Cbor::Array(items))];
        let private = Cbor::labelled([(3, Some(Cbor::Map(quotas)))]);
        let claims = Cbor::labelled([
            (3, Some(Cbor::text(PRODUCT))),
            (6, Some(Cbor::Int(ISSUED))),
            (7, Some(Cbor::bytes(&id))),
            (-65537, Some(private)),
        ]);
        Envelope::with_payload(cbor::encode(&claims).expect("encodes"))
    };
    let quota = |items: &[i64]| richer(items, None);
    let with = |window: i64, more: Vec<(i64, Option<Cbor<'static>>)>| {
        richer(&[500, window, 0, -1], Some(Cbor::labelled(more)))
    };
    let number = |key: i64, number: i64| (key, Some(Cbor::Int(number)));
    let list = |key: i64, items: &[i64]| {
        let items = items.iter().map(|&item| Cbor::Int(item));
        (key, Some(Cbor::Array(items.collect())))
    };
    let credit = |ids: &[i64]| {
        let parts = |id: i64| [id, 9, 0, ISSUED, ISSUED + 60].map(Cbor::Int).to_vec();
        let credits = ids.iter().map(|&id| Cbor::Array(parts(id)));
        vec![(6, Some(Cbor::Array(credits.collect())))]
    };
    let zone = |name: &'static str| vec![(1, Some(Cbor::text(name)))];
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
            "a fifth element of a quota that is no map",
            &quota(&[500, 4, 2, 50, 0]),
            "malformed",
        ),
        refused(
            "a sixth element of a quota",
            &richer(&[500, 4, 2, 50, -1], Some(Cbor::Int(0))),
            "unsupported",
        ),
        valid("a quota a year", &quota(&[500, 5])),
        refused("an unknown window", &quota(&[500, 10]), "unsupported"),
        valid("days of a time zone", &with(2, zone("Europe/Berlin"))),
        refused(
            "a time zone with a space",
            &with(2, zone("Europe Berlin")),
            "malformed",
        ),
        valid(
            "quarters from an anchor",
            &with(8, vec![number(2, ISSUED), number(3, 3)]),
        ),
        refused("a period without an anchor", &with(8, vec![]), "malformed"),
        refused(
            "an empty period",
            &with(6, vec![number(2, ISSUED), number(3, 0)]),
            "malformed",
        ),
        refused(
            "a period that is too long",
            &with(7, vec![number(2, ISSUED), number(3, 1201)]),
            "malformed",
        ),
        valid("a rolling window", &with(9, vec![number(3, 3600)])),
        refused(
            "a rolling window without a length",
            &quota(&[500, 9]),
            "malformed",
        ),
        refused(
            "a rolling window with overage",
            &richer(&[500, 9, 2, -1], Some(Cbor::labelled(vec![number(3, 60)]))),
            "malformed",
        ),
        valid("units carried over", &with(4, vec![list(4, &[0, 100])])),
        valid("alerts", &with(4, vec![list(5, &[80, 100])])),
        refused(
            "alerts that fall",
            &with(4, vec![list(5, &[100, 80])]),
            "malformed",
        ),
        refused(
            "an alert at nothing",
            &with(4, vec![list(5, &[0])]),
            "malformed",
        ),
        valid("prepaid credits", &with(4, credit(&[1, 2]))),
        refused(
            "two credits of one number",
            &with(4, credit(&[1, 1])),
            "malformed",
        ),
        valid(
            "an unknown optional term of a quota",
            &with(4, vec![number(77, 1)]),
        ),
        refused(
            "an unknown critical term of a quota",
            &with(4, vec![number(-1, 1)]),
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
