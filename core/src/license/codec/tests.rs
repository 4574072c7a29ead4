use super::*;
use crate::document::SigningKey;
use crate::license::quotas::{Credit, OVERAGE, PER_DEVICE};
use crate::license::revocations::MAX_BITS;
use crate::meter::{Period, PeriodUnit, Rollover, Window};

fn decoded(bytes: &[u8]) -> Result<Claims> {
    Claims::from_value(&cbor::decode(bytes)?)
}

/// Every window and every term of a quota.
fn quotas() -> Vec<(Name, QuotaClaim)> {
    let at = Timestamp::from_secs;
    let period = |unit, count| {
        let anchor = at(1_790_000_000);
        Window::Period(Period {
            unit,
            count,
            anchor,
        })
    };
    let windows = [
        period(PeriodUnit::Day, 30),
        period(PeriodUnit::Week, 2),
        period(PeriodUnit::Month, 1),
        Window::Rolling { secs: 3600 },
    ];
    let all = Window::NAMED.into_iter().chain(windows);
    let mut quotas: Vec<_> = all.map(|window| QuotaClaim::new(10, window)).collect();
    quotas[2].zone = Some("America/Argentina/Buenos_Aires".into());
    quotas[3].rollover = Some(Rollover { least: 1, most: 9 });
    quotas[4].alerts = vec![80, 100, 255];
    let credit = |id, expires| Credit {
        id,
        units: 1_000,
        priority: 3,
        created: at(1_790_000_000),
        expires,
    };
    quotas[5].credits = vec![credit(1, None), credit(2, Some(at(1_800_000_000)))];
    let named = |(index, quota)| {
        let name: Name = format!("m{index}").parse().expect("a name");
        (name, quota)
    };
    quotas.into_iter().enumerate().map(named).collect()
}

fn everything() -> Claims {
    let id = LicenseId::from_bytes([5; 16]);
    let at = Timestamp::from_secs;
    let mut claims = Claims::new(id, "acme.editor", at(1_790_000_000));
    claims.not_before = Some(at(1_790_000_001));
    claims.expires_at = Some(at(1_820_000_000));
    claims.device = Some(*SigningKey::from_seed(&[6; 32]).public());
    claims.edition = Some("pro".into());
    let name = |text: &str| text.parse::<Name>().expect("a name");
    claims
        .entitlements
        .insert(name("export-4k"), Entitlement::Granted);
    claims
        .entitlements
        .insert(name("projects"), Entitlement::Limit(12));
    claims
        .entitlements
        .insert(name("#7"), Entitlement::Value("eu".into()));
    claims
        .quotas
        .insert(name("renders"), QuotaClaim::new(500, Window::Month));
    let metered = QuotaClaim {
        limit: None,
        window: Window::Day,
        per_device: true,
        overage: true,
        overage_cap: Some(40),
        ..QuotaClaim::new(0, Window::Day)
    };
    claims.quotas.insert(name("#1"), metered);
    claims.quotas.extend(quotas());
    claims.seats = Some(3);
    claims.on_expiry = OnExpiry::Maintain;
    claims.grace_secs = 86_400;
    claims.trial = true;
    let version = |text: &str| Some(text.parse().expect("a version"));
    claims.versions = VersionRange {
        from: version("2"),
        below: version("3.5"),
    };
    claims.updates_until = Some(at(1_810_000_000));
    claims.binding = Binding::Floating;
    claims.matching = Matching::Most;
    claims.supersedes = vec![LicenseId::from_bytes([4; 16])];
    claims.customer = Some("cus_81".into());
    claims.warn_secs = Some(3_600);
    claims.suspect_secs = Some(7_200);
    claims.status = Some(ListEntry {
        list: 4,
        index: 81_920,
    });
    claims.freshness = Some(Freshness {
        max_age_secs: 604_800,
        action: StaleAction::Lock,
        grace_secs: 86_400,
    });
    claims
}

#[test]
fn every_claim_comes_back() {
    let claims = everything();
    let bytes = claims.to_cbor().expect("encodes");
    assert_eq!(decoded(&bytes).expect("decodes"), claims);
    let bare = Claims::new(claims.id, "p", claims.issued_at);
    let bytes = bare.to_cbor().expect("encodes");
    assert_eq!(decoded(&bytes).expect("decodes"), bare);
    assert_eq!(bytes.len(), 28, "nothing is written that says nothing");
}

fn with_private(entries: Vec<(Value<'_>, Value<'_>)>) -> Result<Claims> {
    let id = [5; 16];
    let claims = Value::labelled([
        (AUDIENCE, Some(Value::text("p"))),
        (ISSUED_AT, Some(Value::Int(1))),
        (DOCUMENT_ID, Some(Value::bytes(&id))),
        (PRIVATE, Some(Value::Map(entries))),
    ]);
    decoded(&cbor::encode(&claims)?)
}

#[test]
fn unknown_optional_claims_pass_and_critical_ones_do_not() {
    assert!(with_private(vec![(Value::Int(4_000), Value::Bool(true))]).is_ok());
    let refused = |entries| with_private(entries).map_err(|error| error.code());
    let int = Value::Int;
    assert_eq!(refused(vec![(int(-1), int(0))]), Err("unsupported"));
    assert_eq!(refused(vec![(int(ON_EXPIRY), int(9))]), Err("unsupported"));
    assert_eq!(refused(vec![(int(BINDING), int(-1))]), Err("malformed"));
    assert_eq!(refused(vec![(Value::text("x"), int(1))]), Err("malformed"));
    let quota = |items| vec![(int(QUOTAS), Value::Map(vec![(int(1), Value::Array(items))]))];
    assert_eq!(refused(quota(vec![int(5), int(99)])), Err("unsupported"));
    assert_eq!(
        refused(quota(vec![int(5), int(1), int(8)])),
        Err("unsupported")
    );
    assert_eq!(refused(quota(vec![int(-5), int(1)])), Err("malformed"));
    let capped = |flags, cap| refused(quota(vec![int(5), int(1), int(flags), cap])).is_ok();
    assert!(capped(OVERAGE, int(3)) && capped(0, Value::Null));
    assert!(!capped(PER_DEVICE, int(3)), "a cap of what is not allowed");
    assert!(!capped(OVERAGE, int(-3)));
    let five = vec![int(5), int(1), int(2), int(3), int(0)];
    assert_eq!(refused(quota(five)), Err("malformed"));
    let more = |window, entries| {
        let terms = vec![
            int(5),
            int(window),
            int(0),
            Value::Null,
            Value::Map(entries),
        ];
        refused(quota(terms)).map(|claims| claims.quotas.into_values().collect::<Vec<_>>())
    };
    let plain = Ok(vec![QuotaClaim::new(5, Window::Day)]);
    assert_eq!(more(2, vec![(int(77), int(1))]), plain, "optional");
    assert_eq!(more(2, vec![(int(-1), int(1))]), Err("unsupported"));
    let text = |text: &'static str| vec![(int(1), Value::text(text))];
    assert!(more(2, text("Europe/Berlin")).is_ok());
    assert_eq!(more(2, text("Europe Berlin")), Err("malformed"));
    assert_eq!(more(8, vec![]), Err("malformed"), "no anchor");
    let anchor = |count| more(8, vec![(int(2), int(1_790_000_000)), (int(3), int(count))]);
    assert!(anchor(12).is_ok());
    assert_eq!(anchor(0), Err("malformed"));
    assert_eq!(anchor(1201), Err("malformed"));
    assert_eq!(more(9, vec![]), Err("malformed"), "no length");
    assert!(more(9, vec![(int(3), int(60))]).is_ok());
    let alerts = |items| more(2, vec![(int(5), Value::Array(items))]);
    assert!(alerts(vec![int(80), int(100)]).is_ok());
    assert_eq!(alerts(vec![int(100), int(80)]), Err("malformed"));
    assert_eq!(alerts(vec![int(0)]), Err("malformed"));
    assert_eq!(alerts(vec![int(256)]), Err("malformed"));
    let credit = |id, units| {
        let parts = vec![int(id), int(units), int(0), int(9), Value::Null];
        Value::Array(parts)
    };
    let credits = |items| more(2, vec![(int(6), Value::Array(items))]);
    assert!(credits(vec![credit(1, 5), credit(2, 5)]).is_ok());
    assert_eq!(credits(vec![credit(1, 5), credit(1, 6)]), Err("malformed"));
    assert_eq!(credits(vec![credit(1, 1 << 39)]), Err("malformed"));
    let array = |label, items| vec![(int(label), Value::Array(items))];
    let stale = |action| refused(array(FRESHNESS, vec![int(60), int(action), int(0)]));
    assert_eq!(stale(3), Err("unsupported"));
    assert!(stale(2).is_ok());
    assert_eq!(refused(array(FRESHNESS, vec![int(60)])), Err("malformed"));
    let place = |index| refused(array(STATUS, vec![int(1), int(index)]));
    assert!(place(i64::from(MAX_BITS) - 1).is_ok());
    assert_eq!(place(i64::from(MAX_BITS)), Err("malformed"));
    assert_eq!(place(-1), Err("malformed"));
}
