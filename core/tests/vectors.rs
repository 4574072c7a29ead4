//! Runs every vector, as each language does, and checks that they are what the writer writes.

#[path = "../examples/write-vectors/cases/mod.rs"]
mod cases;

use std::path::{Path, PathBuf};

use mintreu::Timestamp;
use mintreu::activation::{Presented, RedeemCode, judge_texts};
use mintreu::license::{Facts, Trust, verify, verify_text};
use mintreu::price::{Ask, AskedCharge, AskedCredit, Bill, Burn, Burned, Dimensions};
use serde_json::Value;

fn folder() -> PathBuf {
    match std::env::var_os("MINTREU_VECTORS") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors"),
    }
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a readable file");
    serde_json::from_str(&text).expect("JSON")
}

fn text<'a>(case: &'a Value, field: &str) -> Option<&'a str> {
    case[field].as_str()
}

fn facts(case: &Value) -> Facts {
    let mut facts = Facts::at(Timestamp::from_ms(case["now"].as_i64().expect("now")));
    facts.version = text(case, "version").map(|version| version.parse().expect("a version"));
    facts.released_at = case["released_at"].as_i64().map(Timestamp::from_ms);
    facts
}

fn run_license(case: &Value) -> Value {
    let trust = Trust::parse(text(case, "trust").expect("trust")).expect("a trust");
    let license = text(case, "license").expect("license");
    let verdict = verify_text(license, &trust, &facts(case));
    let mut found = serde_json::json!({
        "verdict": verdict.code(),
        "allowed": verdict.is_allowed(),
    });
    if case["expect"]["license"].is_object() {
        found["license"] = summary(license, &trust);
    }
    found
}

fn summary(license: &str, trust: &Trust) -> Value {
    use mintreu::license::Entitlement;
    let bytes = mintreu::document::from_text(license).expect("reads");
    let verified = verify(&bytes, trust).expect("verifies");
    let claims = verified.claims();
    let entitlements = claims.entitlements.iter().map(|(name, entitlement)| {
        let value = match entitlement {
            Entitlement::Granted => Value::from(true),
            Entitlement::Limit(limit) => Value::from(*limit),
            Entitlement::Value(value) => Value::from(value.as_str()),
        };
        (name.to_string(), value)
    });
    let quotas = claims.quotas.iter().map(|(name, quota)| {
        let value = serde_json::json!({ "limit": quota.limit, "window": quota.window.name() });
        (name.to_string(), value)
    });
    serde_json::json!({
        "id": claims.id.to_string(),
        "product": claims.product,
        "edition": claims.edition,
        "entitlements": entitlements.collect::<serde_json::Map<_, _>>(),
        "quotas": quotas.collect::<serde_json::Map<_, _>>(),
    })
}

fn run_activation(case: &Value) -> Value {
    let trust = Trust::parse(text(case, "trust").expect("trust")).expect("a trust");
    let texts = |field: &str| match &case[field] {
        Value::Array(texts) => texts
            .iter()
            .map(|text| text.as_str().expect("a text"))
            .collect(),
        _ => Vec::new(),
    };
    let presented = Presented {
        license: text(case, "license").expect("license"),
        activation: text(case, "activation"),
        lease: text(case, "lease"),
        key_sets: &texts("key_sets"),
        revocations: &texts("revocations"),
        device: text(case, "device").map(|key| key.parse().expect("a key")),
        ..Presented::default()
    };
    let verdict = judge_texts(&presented, &trust, &facts(case));
    serde_json::json!({ "verdict": verdict.code(), "allowed": verdict.is_allowed() })
}

fn run_code(case: &Value) -> Value {
    match text(case, "code").expect("code").parse::<RedeemCode>() {
        Ok(code) => serde_json::json!({ "ok": { "canonical": code.canonical() } }),
        Err(error) => serde_json::json!({ "error": error.code() }),
    }
}

fn run_trust(case: &Value) -> Value {
    match Trust::parse(text(case, "trust").expect("trust")) {
        Ok(trust) => serde_json::json!({ "ok": { "product": trust.product() } }),
        Err(error) => serde_json::json!({ "error": error.code() }),
    }
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn owned(value: &Value, field: &str) -> Option<String> {
    text(value, field).map(str::to_owned)
}

fn asked_charge(charge: &Value) -> AskedCharge {
    let cell = |cell: &Value| {
        let named = cell["dimensions"].as_object().expect("dimensions").iter();
        let pair = |(name, value): (&String, &Value)| {
            (name.clone(), value.as_str().expect("a value").to_owned())
        };
        let dimensions: Dimensions = named.map(pair).collect();
        (dimensions, owned(cell, "quantity").expect("a quantity"))
    };
    let amount = |amount: &Value| amount.as_str().expect("an amount").to_owned();
    AskedCharge {
        name: owned(charge, "name").expect("a name"),
        tariff: owned(charge, "tariff").expect("a tariff"),
        quantity: owned(charge, "quantity"),
        transactions: charge["transactions"].as_u64(),
        each: list(charge, "each").iter().map(amount).collect(),
        cells: list(charge, "cells").iter().map(cell).collect(),
    }
}

fn asked_credit(credit: &Value) -> AskedCredit {
    AskedCredit {
        id: owned(credit, "id").expect("an id"),
        amount: owned(credit, "amount"),
        units: owned(credit, "units"),
        charge: owned(credit, "charge"),
        priority: credit["priority"].as_u64().unwrap_or(0) as u32,
        expires_at: credit["expires_at"].as_i64().map(Timestamp::from_ms),
        created_at: credit["created_at"].as_i64().map(Timestamp::from_ms),
    }
}

fn run_price(case: &Value) -> Value {
    let share = list(case, "share").iter().filter_map(Value::as_u64);
    let ask = Ask {
        charges: list(case, "charges").iter().map(asked_charge).collect(),
        credits: list(case, "credits").iter().map(asked_credit).collect(),
        commitment: owned(case, "commitment"),
        share: match share.collect::<Vec<_>>()[..] {
            [from, to, whole] => Some((from, to, whole)),
            _ => None,
        },
    };
    match ask.bill(Timestamp::from_ms(case["now"].as_i64().unwrap_or(0))) {
        Ok(bill) => serde_json::json!({ "ok": told(&bill) }),
        Err(error) => serde_json::json!({ "error": error.code() }),
    }
}

fn told(bill: &Bill) -> Value {
    let line = |line: &mintreu::price::BillLine| {
        serde_json::json!({
            "charge": line.charge,
            "kind": line.line.kind.name(),
            "text": line.line.explain(),
        })
    };
    let burn = |burn: &Burn| match &burn.of {
        Burned::Units { units, .. } => format!("{}: {units}", burn.credit),
        Burned::Money(paid) => format!("{}: {paid}", burn.credit),
    };
    let sum: i64 = bill.lines.iter().map(|line| line.line.amount.minor()).sum();
    assert_eq!(sum, bill.total.minor(), "the lines add up");
    serde_json::json!({
        "lines": bill.lines.iter().map(line).collect::<Vec<_>>(),
        "cost": bill.cost.to_string(),
        "total": bill.total.to_string(),
        "burns": bill.burns.iter().map(burn).collect::<Vec<_>>(),
    })
}

#[test]
fn every_vector_holds() {
    let mut ran = 0;
    for entry in std::fs::read_dir(folder()).expect("the folder of vectors") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let file = read(&path);
        let run = match text(&file, "file") {
            Some("license") => run_license,
            Some("activation") => run_activation,
            Some("redeem_code") => run_code,
            Some("trust") => run_trust,
            Some("price") => run_price,
            other => panic!("{}: a kind nobody runs: {other:?}", path.display()),
        };
        for case in file["cases"].as_array().expect("cases") {
            assert_eq!(
                run(case),
                case["expect"],
                "{} in {}",
                case["name"],
                path.display()
            );
            ran += 1;
        }
    }
    assert!(ran >= 200, "only {ran} vectors ran");
}

#[test]
fn more_vectors_refuse_than_allow() {
    let (mut refusing, mut allowing) = (0, 0);
    for (_, content) in cases::files() {
        let file: Value = serde_json::from_str(&content).expect("JSON");
        if file["file"] == "price" {
            continue; // Arithmetic, where right answers matter more than refusals.
        }
        for case in file["cases"].as_array().expect("cases") {
            let expect = &case["expect"];
            let allows = expect["allowed"] == true || expect["ok"].is_object();
            *(if allows { &mut allowing } else { &mut refusing }) += 1;
        }
    }
    assert!(
        refusing > 2 * allowing,
        "{refusing} refuse, {allowing} allow"
    );
}

#[test]
fn the_committed_vectors_are_what_the_writer_writes() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    for (name, content) in cases::files() {
        let committed = std::fs::read_to_string(home.join(name)).expect("a committed file");
        assert!(
            committed == content,
            "{name} differs: cargo run -p mintreu --example write-vectors -- tests/vectors"
        );
    }
}
