//! Redeem codes as people type them.

use mintreu::activation::RedeemCode;
use serde_json::{Value, json};

pub fn cases() -> Vec<Value> {
    let code = RedeemCode::new("acme.editor", [0x9a, 3, 77, 200, 41, 90, 250, 1, 66, 17]);
    let (text, canonical) = (code.to_string(), code.canonical());
    let zeros = RedeemCode::new("100", [0; 10]);
    let ok = |name: &str, typed: &str, code: &RedeemCode| json!({ "name": name, "code": typed, "expect": { "ok": { "canonical": code.canonical() } } });
    let mut cases = vec![
        ok("as it is printed", &text, &code),
        ok("without dashes", &canonical, &code),
        ok("in lower case", &text.to_lowercase(), &code),
        ok("with spaces", &text.replace('-', " "), &code),
        ok("with a line break", &format!(" {text}\n"), &code),
        ok(
            "O for 0 and l for 1",
            &zeros.to_string().replace('0', "O").replace('1', "l"),
            &zeros,
        ),
        ok("i for 1", &zeros.to_string().replace('1', "i"), &zeros),
    ];
    let mistyped = |name: String, typed: &str| json!({ "name": name, "code": typed, "expect": { "error": "code_mistyped" } });
    for at in 0..canonical.len() {
        let mut typo = canonical.clone().into_bytes();
        typo[at] = if typo[at] == b'7' { b'8' } else { b'7' };
        let typo = String::from_utf8_lossy(&typo).into_owned();
        cases.push(mistyped(format!("character {} is wrong", at + 1), &typo));
    }
    for at in 1..canonical.len() {
        let mut swapped = canonical.clone().into_bytes();
        swapped.swap(at - 1, at);
        if swapped != canonical.as_bytes() {
            let swapped = String::from_utf8_lossy(&swapped).into_owned();
            cases.push(mistyped(
                format!("characters {at} and {} are swapped", at + 1),
                &swapped,
            ));
        }
    }
    for (name, typed) in [
        ("nothing", ""),
        ("one character short", &canonical[1..]),
        ("one character long", &format!("{canonical}0")),
        ("a letter that isn't used", &canonical.replacen('A', "U", 1)),
        ("a license instead of a code", "MT1-0oRYIA"),
        ("far too long", &"A".repeat(2_000)),
    ] {
        cases.push(mistyped(name.to_owned(), typed));
    }
    cases
}
