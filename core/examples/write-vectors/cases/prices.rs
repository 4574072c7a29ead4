//! Prices: every model in a currency without a minor unit, with cents and with thousandths. The
//! figures are worked out by hand; each line's text is the arithmetic to check it by.

use serde_json::{Map, Value, json};

/// One charge, what its lines say, and what they come to.
struct Priced {
    name: &'static str,
    charge: Value,
    lines: &'static [(&'static str, &'static str)],
    total: &'static str,
}

pub fn cases() -> Vec<Value> {
    let mut cases: Vec<Value> = models().into_iter().map(case).collect();
    cases.extend(together());
    cases.extend(refused());
    cases
}

fn case(priced: Priced) -> Value {
    let lines: Vec<Value> = priced
        .lines
        .iter()
        .map(|(kind, text)| line(Some("used"), kind, text))
        .collect();
    json!({
        "name": priced.name,
        "charges": [priced.charge],
        "expect": { "ok": {
            "lines": lines, "cost": priced.total, "total": priced.total, "burns": [],
        } },
    })
}

fn line(charge: Option<&str>, kind: &str, text: &str) -> Value {
    json!({ "charge": charge, "kind": kind, "text": text })
}

fn charge(tariff: &str, quantity: &str) -> Value {
    json!({ "name": "used", "tariff": tariff, "quantity": quantity })
}

fn each(tariff: &str, amounts: &[&str]) -> Value {
    json!({ "name": "used", "tariff": tariff, "each": amounts })
}

fn counted(tariff: &str, quantity: &str, transactions: u64) -> Value {
    let mut charge = charge(tariff, quantity);
    charge["transactions"] = transactions.into();
    charge
}

fn cells(tariff: &str, cells: &[(&[(&str, &str)], &str)]) -> Value {
    let cell = |(dimensions, quantity): &(&[(&str, &str)], &str)| {
        let named = dimensions
            .iter()
            .map(|(n, v)| ((*n).to_owned(), Value::from(*v)));
        json!({ "dimensions": named.collect::<Map<_, _>>(), "quantity": quantity })
    };
    let cells: Vec<Value> = cells.iter().map(cell).collect();
    json!({ "name": "used", "tariff": tariff, "cells": cells })
}

fn models() -> Vec<Priced> {
    let mut all = plain();
    all.extend(tiered());
    all.extend(percentages());
    all.extend(matrices());
    all.extend(bounds_and_rounding());
    all
}

fn plain() -> Vec<Priced> {
    vec![
        Priced {
            name: "flat, yen",
            charge: charge("JPY flat 1200", "7"),
            lines: &[("flat", "flat, 1200 JPY")],
            total: "1200 JPY",
        },
        Priced {
            name: "flat, dollars",
            charge: charge("USD flat 9.00", "0"),
            lines: &[("flat", "flat, 9.00 USD")],
            total: "9.00 USD",
        },
        Priced {
            name: "flat, dinars",
            charge: charge("KWD flat 2.750", "1"),
            lines: &[("flat", "flat, 2.750 KWD")],
            total: "2.750 KWD",
        },
        Priced {
            name: "per unit below a yen, ten free",
            charge: charge("JPY per_unit 0.35; free 10", "25"),
            lines: &[("free", "10 free"), ("units", "15 × 0.35 = 5 JPY")],
            total: "5 JPY",
        },
        Priced {
            name: "per unit below a cent, a thousand free",
            charge: charge("USD per_unit 0.0004; free 1000", "3500"),
            lines: &[("free", "1000 free"), ("units", "2500 × 0.0004 = 1.00 USD")],
            total: "1.00 USD",
        },
        Priced {
            name: "per unit below a fils",
            charge: charge("KWD per_unit 0.00015", "12345"),
            lines: &[("units", "12345 × 0.00015 = 1.852 KWD")],
            total: "1.852 KWD",
        },
        Priced {
            name: "packages, yen, one free",
            charge: charge("JPY package 1000=500; free 1", "1002"),
            lines: &[
                ("free", "1 free"),
                ("packages", "1001 in 2 packages of 1000 = 1000 JPY"),
            ],
            total: "1000 JPY",
        },
        Priced {
            name: "packages, dollars, the third begun",
            charge: charge("USD package 100=2.50", "250"),
            lines: &[("packages", "250 in 3 packages of 100 = 7.50 USD")],
            total: "7.50 USD",
        },
        Priced {
            name: "packages, dinars, exactly one",
            charge: charge("KWD package 3=0.100", "3"),
            lines: &[("packages", "3 in 1 packages of 3 = 0.100 KWD")],
            total: "0.100 KWD",
        },
    ]
}

fn tiered() -> Vec<Priced> {
    vec![
        Priced {
            name: "graduated, yen, a half goes to the even side",
            charge: charge("JPY graduated 100=2 *=1.5", "133"),
            lines: &[
                ("tier", "100 (1 to 100) × 2 = 200 JPY"),
                ("tier", "33 (101 to 133) × 1.5 = 50 JPY"),
            ],
            total: "250 JPY",
        },
        Priced {
            name: "graduated, dollars, with a fee",
            charge: charge("USD graduated 10=1.00 100=0.50+2.00 *=0.10", "101"),
            lines: &[
                ("tier", "10 (1 to 10) × 1.00 = 10.00 USD"),
                ("tier", "90 (11 to 100) × 0.50 + 2.00 = 47.00 USD"),
                ("tier", "1 (101 to 101) × 0.10 = 0.10 USD"),
            ],
            total: "57.10 USD",
        },
        Priced {
            name: "graduated, dinars, one unit into the second tier",
            charge: charge("KWD graduated 1000=0.0125 *=0.0075", "1001"),
            lines: &[
                ("tier", "1000 (1 to 1000) × 0.0125 = 12.500 KWD"),
                ("tier", "1 (1001 to 1001) × 0.0075 = 0.008 KWD"),
            ],
            total: "12.508 KWD",
        },
        Priced {
            name: "volume, yen, at the end of a tier",
            charge: charge("JPY volume 100=2 *=1.5", "100"),
            lines: &[("tier", "100 (1 to 100) × 2 = 200 JPY")],
            total: "200 JPY",
        },
        Priced {
            name: "volume, yen, one more costs less",
            charge: charge("JPY volume 100=2 *=1.5", "101"),
            lines: &[("tier", "101 (1 to 101) × 1.5 = 152 JPY")],
            total: "152 JPY",
        },
        Priced {
            name: "volume, dollars",
            charge: charge("USD volume 10=1.00 *=0.105", "11"),
            lines: &[("tier", "11 (1 to 11) × 0.105 = 1.16 USD")],
            total: "1.16 USD",
        },
        Priced {
            name: "volume, dinars, with a fee",
            charge: charge("KWD volume 5=1.000 *=0.333+0.500", "6"),
            lines: &[("tier", "6 (1 to 6) × 0.333 + 0.500 = 2.498 KWD")],
            total: "2.498 KWD",
        },
    ]
}

fn percentages() -> Vec<Priced> {
    vec![
        Priced {
            name: "percentage, yen",
            charge: charge("JPY percentage 3.6%", "12345"),
            lines: &[("percentage", "12345 × 3.6% = 444 JPY")],
            total: "444 JPY",
        },
        Priced {
            name: "percentage, dollars, and a fee for one transaction",
            charge: counted("USD percentage 2.9%+0.30", "100.00", 1),
            lines: &[("percentage", "100 × 2.9% + 1 × 0.30 = 3.20 USD")],
            total: "3.20 USD",
        },
        Priced {
            name: "percentage, dinars, of amounts counted in fils",
            charge: charge("KWD percentage 0.25%; amounts minor", "123456"),
            lines: &[("percentage", "123456 minor units × 0.25% = 0.309 KWD")],
            total: "0.309 KWD",
        },
        Priced {
            name: "percentage, yen, each held to its bounds",
            charge: each(
                "JPY percentage 3%; each_min 10; each_max 1000",
                &["100", "5000", "100000"],
            ),
            lines: &[(
                "percentage",
                "105100 × 3%, 1 raised to 10, 1 cut to 1000 = 1160 JPY",
            )],
            total: "1160 JPY",
        },
        Priced {
            name: "percentage, dollars, the first free and each held to its bounds",
            charge: each(
                "USD percentage 2.9%+0.30; free_transactions 1; each_min 0.35; each_max 5.00",
                &["4.00", "1.00", "100.00", "900.00", "0"],
            ),
            lines: &[
                ("free", "4 free"),
                (
                    "percentage",
                    "1001 × 2.9% + 4 × 0.30, 2 raised to 0.35, 1 cut to 5.00 = 8.90 USD",
                ),
            ],
            total: "8.90 USD",
        },
        Priced {
            name: "percentage, dinars, the first free",
            charge: each(
                "KWD percentage 1%+0.050; free_transactions 1",
                &["10", "20.5"],
            ),
            lines: &[
                ("free", "10 free"),
                ("percentage", "20.5 × 1% + 1 × 0.050 = 0.255 KWD"),
            ],
            total: "0.255 KWD",
        },
        Priced {
            name: "graduated percentage, yen, with a fee",
            charge: charge("JPY graduated_percentage 1000=2% *=1%+50", "1500"),
            lines: &[
                ("percentage", "1000 (over 0 to 1000) × 2% = 20 JPY"),
                ("percentage", "500 (over 1000 to 1500) × 1% + 50 = 55 JPY"),
            ],
            total: "75 JPY",
        },
        Priced {
            name: "graduated percentage, dollars",
            charge: charge("USD graduated_percentage 100=2.5% *=1.25%", "123.45"),
            lines: &[
                ("percentage", "100 (over 0 to 100) × 2.5% = 2.50 USD"),
                (
                    "percentage",
                    "23.45 (over 100 to 123.45) × 1.25% = 0.29 USD",
                ),
            ],
            total: "2.79 USD",
        },
        Priced {
            name: "graduated percentage, dinars, a half goes to the even side",
            charge: charge("KWD graduated_percentage 10=1% *=0.5%", "10.5"),
            lines: &[
                ("percentage", "10 (over 0 to 10) × 1% = 0.100 KWD"),
                ("percentage", "0.5 (over 10 to 10.5) × 0.5% = 0.002 KWD"),
            ],
            total: "0.102 KWD",
        },
    ]
}

fn matrices() -> Vec<Priced> {
    vec![
        Priced {
            name: "matrix, yen",
            charge: cells(
                "JPY matrix model=large:3 *:0.5",
                &[(&[("model", "small")], "3"), (&[("model", "large")], "7")],
            ),
            lines: &[
                ("cell", "7 (model=large) × 3 = 21 JPY"),
                ("cell", "3 (*) × 0.5 = 2 JPY"),
            ],
            total: "23 JPY",
        },
        Priced {
            name: "matrix, dollars, the first row that holds decides",
            charge: cells(
                "USD matrix model=gpt-4,region=eu:0.03 model=gpt-4:0.02 *:0.001",
                &[
                    (&[("model", "gpt-4"), ("region", "eu")], "60"),
                    (&[("model", "gpt-4"), ("region", "us")], "50"),
                    (&[("model", "mini"), ("region", "eu")], "1234"),
                    (&[("model", "gpt-4"), ("region", "eu"), ("tier", "b")], "40"),
                ],
            ),
            lines: &[
                ("cell", "100 (model=gpt-4,region=eu) × 0.03 = 3.00 USD"),
                ("cell", "50 (model=gpt-4) × 0.02 = 1.00 USD"),
                ("cell", "1234 (*) × 0.001 = 1.23 USD"),
            ],
            total: "5.23 USD",
        },
        Priced {
            name: "matrix, dinars, free units from the first row",
            charge: cells(
                "KWD matrix size=extra%20large:0.0125 *:0.010; free 2",
                &[(&[("size", "extra large")], "3")],
            ),
            lines: &[
                ("free", "2 free"),
                ("cell", "1 (size=extra%20large) × 0.0125 = 0.012 KWD"),
            ],
            total: "0.012 KWD",
        },
    ]
}

fn bounds_and_rounding() -> Vec<Priced> {
    vec![
        Priced {
            name: "up to the minimum, yen",
            charge: charge("JPY per_unit 1; min 100", "40"),
            lines: &[
                ("units", "40 × 1 = 40 JPY"),
                ("minimum", "up to the minimum, 60 JPY"),
            ],
            total: "100 JPY",
        },
        Priced {
            name: "down to the maximum, dollars",
            charge: charge("USD per_unit 0.10; max 5.00", "90"),
            lines: &[
                ("units", "90 × 0.10 = 9.00 USD"),
                ("maximum", "down to the maximum, -4.00 USD"),
            ],
            total: "5.00 USD",
        },
        Priced {
            name: "between minimum and maximum, dinars",
            charge: charge("KWD per_unit 0.100; min 1.000; max 2.000", "15"),
            lines: &[("units", "15 × 0.100 = 1.500 KWD")],
            total: "1.500 KWD",
        },
        Priced {
            name: "half a yen to the even side",
            charge: charge("JPY per_unit 0.5", "1"),
            lines: &[("units", "1 × 0.5 = 0 JPY")],
            total: "0 JPY",
        },
        Priced {
            name: "half a yen up",
            charge: charge("JPY per_unit 0.5; round half_up", "1"),
            lines: &[("units", "1 × 0.5 = 1 JPY")],
            total: "1 JPY",
        },
        Priced {
            name: "most of a cent down",
            charge: charge("USD per_unit 0.0099; round down", "1"),
            lines: &[("units", "1 × 0.0099 = 0.00 USD")],
            total: "0.00 USD",
        },
        Priced {
            name: "the least part of a fils up",
            charge: charge("KWD per_unit 0.000000000001; round up", "0.000000001"),
            lines: &[("units", "0.000000001 × 0.000000000001 = 0.001 KWD")],
            total: "0.001 KWD",
        },
        Priced {
            name: "two and a half units, a half goes to the even side",
            charge: charge("USD per_unit 0.33", "2.5"),
            lines: &[("units", "2.5 × 0.33 = 0.82 USD")],
            total: "0.82 USD",
        },
        Priced {
            name: "more yen than a double holds",
            charge: charge("JPY per_unit 1", "9007199254740993"),
            lines: &[("units", "9007199254740993 × 1 = 9007199254740993 JPY")],
            total: "9007199254740993 JPY",
        },
        Priced {
            name: "more cents than a double holds",
            charge: charge("USD per_unit 0.01", "9007199254740993"),
            lines: &[("units", "9007199254740993 × 0.01 = 90071992547409.93 USD")],
            total: "90071992547409.93 USD",
        },
        Priced {
            name: "more fils than a double holds",
            charge: charge("KWD per_unit 0.001", "9007199254740993"),
            lines: &[("units", "9007199254740993 × 0.001 = 9007199254740.993 KWD")],
            total: "9007199254740.993 KWD",
        },
        Priced {
            name: "nothing used costs nothing",
            charge: charge("USD graduated 10=1.00+5.00 *=0.50", "0"),
            lines: &[],
            total: "0.00 USD",
        },
    ]
}

fn calls(tariff: &str, quantity: &str) -> Value {
    json!({ "name": "calls", "tariff": tariff, "quantity": quantity })
}

/// Commitments, credits and parts of a period.
fn together() -> Vec<Value> {
    vec![
        json!({
            "name": "a commitment over two charges, yen",
            "charges": [
                calls("JPY per_unit 2", "100"),
                { "name": "seats", "tariff": "JPY flat 300", "quantity": "1" },
            ],
            "commitment": "1000",
            "expect": { "ok": {
                "lines": [
                    line(Some("calls"), "units", "100 × 2 = 200 JPY"),
                    line(Some("seats"), "flat", "flat, 300 JPY"),
                    line(None, "commitment", "up to the commitment, 500 JPY"),
                ],
                "cost": "1000 JPY", "total": "1000 JPY", "burns": [],
            } },
        }),
        json!({
            "name": "a commitment that was reached, dollars",
            "charges": [calls("USD per_unit 0.0125", "1000")],
            "commitment": "10.00",
            "expect": { "ok": {
                "lines": [line(Some("calls"), "units", "1000 × 0.0125 = 12.50 USD")],
                "cost": "12.50 USD", "total": "12.50 USD", "burns": [],
            } },
        }),
        json!({
            "name": "a commitment without any usage, dinars",
            "charges": [calls("KWD per_unit 0.001", "0")],
            "commitment": "5.000",
            "expect": { "ok": {
                "lines": [line(None, "commitment", "up to the commitment, 5.000 KWD")],
                "cost": "5.000 KWD", "total": "5.000 KWD", "burns": [],
            } },
        }),
        json!({
            "name": "units burn before money, yen",
            "charges": [calls("JPY per_unit 2", "100")],
            "credits": [
                { "id": "gift", "amount": "50" },
                { "id": "pack", "units": "30", "charge": "calls" },
                { "id": "other", "units": "30", "charge": "seats" },
            ],
            "expect": { "ok": {
                "lines": [
                    line(Some("calls"), "prepaid", "30 prepaid"),
                    line(Some("calls"), "units", "70 × 2 = 140 JPY"),
                    line(None, "credit", "paid by credit, -50 JPY"),
                ],
                "cost": "140 JPY", "total": "90 JPY", "burns": ["pack: 30", "gift: 50 JPY"],
            } },
        }),
        json!({
            "name": "what expires first burns first, and what expired pays nothing, dollars",
            "charges": [calls("USD per_unit 0.01", "450")],
            "credits": [
                { "id": "late", "amount": "2.00", "expires_at": 3000, "created_at": 1 },
                { "id": "never", "amount": "9.00", "created_at": 0 },
                { "id": "expired", "amount": "9.00", "expires_at": 1000, "created_at": 0 },
                { "id": "soon", "amount": "1.00", "expires_at": 2000, "created_at": 2 },
            ],
            "now": 1000,
            "expect": { "ok": {
                "lines": [
                    line(Some("calls"), "units", "450 × 0.01 = 4.50 USD"),
                    line(None, "credit", "paid by credit, -1.00 USD"),
                    line(None, "credit", "paid by credit, -2.00 USD"),
                    line(None, "credit", "paid by credit, -1.50 USD"),
                ],
                "cost": "4.50 USD", "total": "0.00 USD",
                "burns": ["soon: 1.00 USD", "late: 2.00 USD", "never: 1.50 USD"],
            } },
        }),
        json!({
            "name": "priority comes before age, dinars",
            "charges": [calls("KWD per_unit 0.003", "1000")],
            "credits": [
                { "id": "old", "amount": "5.000", "priority": 1, "created_at": 0 },
                { "id": "first", "amount": "2.000", "priority": 0, "created_at": 9 },
            ],
            "commitment": "4.000",
            "expect": { "ok": {
                "lines": [
                    line(Some("calls"), "units", "1000 × 0.003 = 3.000 KWD"),
                    line(None, "commitment", "up to the commitment, 1.000 KWD"),
                    line(None, "credit", "paid by credit, -2.000 KWD"),
                    line(None, "credit", "paid by credit, -2.000 KWD"),
                ],
                "cost": "4.000 KWD", "total": "0.000 KWD",
                "burns": ["first: 2.000 KWD", "old: 2.000 KWD"],
            } },
        }),
        json!({
            "name": "the first ten days of thirty-one, yen",
            "charges": [calls("JPY flat 1000", "0")],
            "share": [0, 10, 31],
            "expect": { "ok": {
                "lines": [line(Some("calls"), "flat", "flat, 323 JPY")],
                "cost": "323 JPY", "total": "323 JPY", "burns": [],
            } },
        }),
        json!({
            "name": "the other twenty-one days make up the thousand, yen",
            "charges": [calls("JPY flat 1000", "0")],
            "share": [10, 31, 31],
            "expect": { "ok": {
                "lines": [line(Some("calls"), "flat", "flat, 677 JPY")],
                "cost": "677 JPY", "total": "677 JPY", "burns": [],
            } },
        }),
        json!({
            "name": "a day of a commitment, dollars",
            "charges": [calls("USD per_unit 0.10", "3")],
            "commitment": "31.00",
            "share": [0, 1, 31],
            "expect": { "ok": {
                "lines": [
                    line(Some("calls"), "units", "3 × 0.10 = 0.30 USD"),
                    line(None, "commitment", "up to the commitment, 0.70 USD"),
                ],
                "cost": "1.00 USD", "total": "1.00 USD", "burns": [],
            } },
        }),
        json!({
            "name": "a third of the free units, dinars",
            "charges": [calls("KWD per_unit 0.010; free 90", "50")],
            "share": [0, 1, 3],
            "expect": { "ok": {
                "lines": [
                    line(Some("calls"), "free", "30 free"),
                    line(Some("calls"), "units", "20 × 0.010 = 0.200 KWD"),
                ],
                "cost": "0.200 KWD", "total": "0.200 KWD", "burns": [],
            } },
        }),
    ]
}

fn refused() -> Vec<Value> {
    let one = |name: &str, charge: Value, error: &str| json!({ "name": name, "charges": [charge], "expect": { "error": error } });
    let mut cases = vec![
        one(
            "a part of a yen can't be asked for",
            charge("JPY flat 0.5", "0"),
            "amount_malformed",
        ),
        one(
            "a fourth digit of dinars",
            charge("KWD flat 1.0001", "0"),
            "amount_malformed",
        ),
        one(
            "no such currency",
            charge("XXX flat 1", "0"),
            "currency_unknown",
        ),
        one(
            "no such model",
            charge("USD guess 1.00", "0"),
            "tariff_invalid",
        ),
        one(
            "tiers without an end",
            charge("USD graduated 10=1.00", "0"),
            "tariff_invalid",
        ),
        one(
            "a matrix without a rest",
            charge("USD matrix a=b:1.00", "0"),
            "tariff_invalid",
        ),
        one(
            "a percentage without its sign",
            charge("USD percentage 2.9", "0"),
            "tariff_invalid",
        ),
        one(
            "units below zero",
            charge("USD per_unit 0.10", "-1"),
            "quantity_malformed",
        ),
        one(
            "units with an exponent",
            charge("USD per_unit 0.10", "1e3"),
            "quantity_malformed",
        ),
        one(
            "a tenth digit of units",
            charge("USD per_unit 1", "0.0000000001"),
            "quantity_malformed",
        ),
        one(
            "more units than 64 bits count",
            charge("USD per_unit 1", "18446744073709551616"),
            "quantity_too_large",
        ),
        one(
            "more money than 64 bits hold",
            charge("USD per_unit 1000.00", "18446744073709551615"),
            "money_overflow",
        ),
        one(
            "a fee for transactions that nobody counted",
            charge("USD percentage 2.9%+0.30", "100"),
            "usage_incomplete",
        ),
        one(
            "bounds for transactions that aren't told apart",
            counted("USD percentage 2.9%; each_max 1.00", "100", 2),
            "usage_incomplete",
        ),
    ];
    let mut twice = charge("USD per_unit 1", "5");
    twice["each"] = json!(["5"]);
    cases.push(one("usage said in two ways", twice, "usage_invalid"));
    for (name, field, value, error) in [
        (
            "a credit of nothing",
            "credits",
            json!([{ "id": "x" }]),
            "credit_invalid",
        ),
        (
            "units of no charge",
            "credits",
            json!([{ "id": "x", "units": "5" }]),
            "credit_invalid",
        ),
        (
            "a share of no period",
            "share",
            json!([0, 1, 0]),
            "share_invalid",
        ),
        (
            "a share that ends before it begins",
            "share",
            json!([2, 1, 3]),
            "share_invalid",
        ),
        (
            "a commitment with too many digits",
            "commitment",
            json!("1.001"),
            "amount_malformed",
        ),
    ] {
        let mut case = one(name, charge("USD per_unit 1.00", "1"), error);
        case[field] = value;
        cases.push(case);
    }
    cases.push(json!({
        "name": "two currencies on one bill",
        "charges": [charge("USD flat 1.00", "0"), charge("JPY flat 1", "0")],
        "expect": { "error": "currency_mixed" },
    }));
    cases
}
