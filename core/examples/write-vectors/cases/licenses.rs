//! Genuine licenses, and genuine ones that don't hold here and now.

use mintreu::document::{Kind, from_text, to_armor, to_qr, to_text};
use mintreu::license::{
    Binding, Certificate, Entitlement, OnExpiry, Products, VersionRange, issue,
};
use serde_json::{Value, json};

use super::made::{
    DAY, END, ISSUED, PRODUCT, as_kind, at, by_root, certificate, certified, claims, delegated,
    key, license_json, root, seller, trust, with,
};

/// One case with the root's trust; `now` is in seconds.
pub fn case(name: &str, license: &str, now: i64, verdict: (&str, bool)) -> Value {
    json!({
        "name": name,
        "now": now * 1_000,
        "trust": trust().to_string(),
        "license": license,
        "expect": { "verdict": verdict.0, "allowed": verdict.1 },
    })
}

/// A case that is refused at any time.
pub fn refused(name: &str, bundle: &[u8], code: &str) -> Value {
    case(name, &to_text(bundle), ISSUED, (code, false))
}

fn set(mut case: Value, field: &str, value: impl Into<Value>) -> Value {
    case[field] = value.into();
    case
}

fn expecting_license(mut case: Value) -> Value {
    case["expect"]["license"] = license_json();
    case
}

pub fn cases() -> Vec<Value> {
    [forms(), chains(), scopes(), products(), dates(), versions()].concat()
}

fn forms() -> Vec<Value> {
    let bundle = certified(|_| ());
    let text = to_text(&bundle);
    let armor = to_armor(&bundle).expect("writes");
    let code = to_qr(&bundle).expect("writes").concat();
    let large = by_root(&with(|claims| {
        for number in 0..100 {
            let name = format!("entitlement-{number}").parse().expect("a name");
            claims.entitlements.insert(name, Entitlement::Granted);
        }
    }));
    let parts = to_qr(&large).expect("writes");
    let reversed: Vec<_> = parts.iter().rev().cloned().collect();
    let valid = |name: &str, text: &str| case(name, text, ISSUED, ("valid", true));
    let malformed = |name: &str, text: &str| case(name, text, ISSUED, ("malformed", false));
    let wrong_label = armor.replace("LICENSE", "RECEIPT");
    let bytes = from_text(&text).expect("reads");
    let lower = code[..4].to_owned() + &code[4..].to_lowercase();
    vec![
        expecting_license(valid("pasted line", &text)),
        expecting_license(valid("armour", &armor)),
        expecting_license(valid("code", &code)),
        valid("spaces and line breaks in a pasted line", &spread(&text)),
        valid(
            "armour with CRLF and indents",
            &armor.replace('\n', "\r\n  "),
        ),
        valid("parts of a code in order", &parts.join("\n")),
        valid("parts of a code out of order", &reversed.join("\r\n")),
        malformed("a part of a code is missing", &parts[1..].join("\n")),
        malformed(
            "parts of two documents",
            &[parts[0].clone(), code.clone()].join("\n"),
        ),
        malformed("nothing", ""),
        malformed("another text", "hello"),
        malformed("only the prefix", "MT1-"),
        malformed("prefix of another version", &text.replace("MT1-", "MT2-")),
        malformed(
            "a character that is no base64url",
            &text.replacen("MT1-0", "MT1-+", 1),
        ),
        malformed("padding in a pasted line", &format!("{text}=")),
        malformed(
            "a code with a space in it",
            &code.replacen("MT1:", "MT1: ", 1),
        ),
        malformed("a code in lower case", &lower),
        malformed("armour that names another kind", &wrong_label),
        malformed(
            "armour without its end",
            armor.split("-----END").next().unwrap_or(""),
        ),
        malformed(
            "armour with two different labels",
            &armor.replacen("LICENSE", "LEASE", 1),
        ),
        malformed(
            "a pasted line cut in the middle",
            &to_text(&bytes[..bytes.len() / 2]),
        ),
        malformed("the prefix again and again", &"MT1-".repeat(40)),
    ]
}

fn spread(text: &str) -> String {
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(40)
        .map(String::from_utf8_lossy)
        .collect();
    format!("  {}\n", lines.join(" \n\t"))
}

fn chains() -> Vec<Value> {
    let spare = trust().with_spare(*key(9).public()).to_string();
    let by_spare = to_text(&issue(&claims(), &key(9), &[]).expect("issues"));
    let three = [certified(|_| ()), as_kind(Kind::License)].concat();
    let seller_bytes = seller().issue(&root()).expect("certifies");
    let product = certificate(3).issue(&key(2)).expect("certifies");
    let orphan = issue(&claims(), &key(3), &[&product]).expect("issues");
    let swapped = issue(&claims(), &key(3), &[&product, &seller_bytes]).expect("issues");
    let unneeded = issue(&claims(), &root(), &[&seller_bytes]).expect("issues");
    let stranger = issue(&claims(), &key(8), &[]).expect("issues");
    let valid = |name: &str, bundle: &[u8]| case(name, &to_text(bundle), ISSUED, ("valid", true));
    vec![
        expecting_license(valid("signed by the root", &by_root(&claims()))),
        expecting_license(valid("signed under one certificate", &certified(|_| ()))),
        expecting_license(valid(
            "signed under two certificates",
            &delegated(seller(), |_| ()),
        )),
        set(
            case(
                "signed by the spare root",
                &by_spare,
                ISSUED,
                ("valid", true),
            ),
            "trust",
            spare,
        ),
        case(
            "the spare root is not trusted",
            &by_spare,
            ISSUED,
            ("unknown_key", false),
        ),
        refused("signed by a stranger", &stranger, "unknown_key"),
        refused(
            "the seller's certificate is missing",
            &orphan,
            "unknown_key",
        ),
        refused("certificates in the wrong order", &swapped, "unknown_key"),
        refused(
            "a certificate that didn't sign what follows",
            &unneeded,
            "unknown_key",
        ),
        refused("a license before the license", &three, "malformed"),
        refused("a certificate alone", &seller_bytes, "wrong_kind"),
    ]
}

fn scopes() -> Vec<Value> {
    let scope = "certificate_out_of_scope";
    let one = |name: &str, change: fn(&mut Certificate)| refused(name, &certified(change), scope);
    let two = |name: &str, change: fn(&mut Certificate)| {
        refused(name, &delegated(seller(), change), scope)
    };
    let plain = delegated(certificate(2), |_| ());
    let open = certified(|c| {
        c.products = Products::Any;
        c.signs_until = None;
    });
    vec![
        case(
            "certificate for any product, without end",
            &to_text(&open),
            ISSUED,
            ("valid", true),
        ),
        case(
            "a license outlives its certificate",
            &to_text(&certified(|_| ())),
            ISSUED + 100 * DAY,
            ("valid", true),
        ),
        one("certified for receipts only", |c| {
            c.kinds = vec![Kind::Receipt]
        }),
        one("certified for another product", |c| {
            c.products = Products::Only(vec!["b".into()])
        }),
        one("issued before its certificate begins", |c| {
            c.signs_from = at(ISSUED + 1)
        }),
        one("issued when its certificate had ended", |c| {
            c.signs_until = Some(at(ISSUED))
        }),
        refused("certified by a key that may not certify", &plain, scope),
        two("child with more kinds", |c| c.kinds.push(Kind::Receipt)),
        two("child with every product", |c| c.products = Products::Any),
        two("child that begins earlier", |c| {
            c.signs_from = at(ISSUED - DAY - 1)
        }),
        two("child without end", |c| c.signs_until = None),
        two("child issued when its parent had ended", |c| {
            c.issued_at = at(ISSUED + DAY)
        }),
    ]
}

fn products() -> Vec<Value> {
    let other = by_root(&with(|claims| claims.product = "acme.viewer".into()));
    let longer = by_root(&with(|claims| claims.product = format!("{PRODUCT}2")));
    let upper = by_root(&with(|claims| claims.product = PRODUCT.to_uppercase()));
    let bound = by_root(&with(|claims| claims.device = Some(*key(5).public())));
    let locked = by_root(&with(|claims| claims.binding = Binding::NodeLocked));
    vec![
        refused("another product", &other, "wrong_product"),
        refused("a product that begins alike", &longer, "wrong_product"),
        refused("the product in capitals", &upper, "wrong_product"),
        refused(
            "bound to a device that isn't told",
            &bound,
            "device_not_activated",
        ),
        refused("needs an activation", &locked, "device_not_activated"),
    ]
}

fn dates() -> Vec<Value> {
    let later = to_text(&by_root(&with(|claims| {
        claims.not_before = Some(at(ISSUED + DAY))
    })));
    let plain = to_text(&by_root(&claims()));
    let grace = to_text(&by_root(&with(|claims| claims.grace_secs = 7 * DAY as u32)));
    let warn = to_text(&by_root(&with(|claims| claims.warn_secs = Some(60))));
    let forever = to_text(&by_root(&with(|claims| claims.expires_at = None)));
    let on = |on_expiry| to_text(&by_root(&with(|claims| claims.on_expiry = on_expiry)));
    let (maintain, allow) = (on(OnExpiry::Maintain), on(OnExpiry::Allow));
    let released = |case, at: i64| set(case, "released_at", at * 1_000);
    vec![
        case(
            "before its start",
            &later,
            ISSUED + DAY - 1,
            ("not_yet_valid", false),
        ),
        case("at its start", &later, ISSUED + DAY, ("valid", true)),
        case(
            "fifteen days before the end",
            &plain,
            END - 15 * DAY,
            ("valid", true),
        ),
        case(
            "fourteen days before the end",
            &plain,
            END - 14 * DAY,
            ("expiring_soon", true),
        ),
        case(
            "a second before the end",
            &plain,
            END - 1,
            ("expiring_soon", true),
        ),
        case("at the end", &plain, END, ("expired", false)),
        case("long after the end", &plain, END * 2, ("expired", false)),
        case("at the end, with grace", &grace, END, ("in_grace", true)),
        case(
            "at the end of grace",
            &grace,
            END + 7 * DAY,
            ("expired", false),
        ),
        case("warns late", &warn, END - 61, ("valid", true)),
        case("warns at last", &warn, END - 60, ("expiring_soon", true)),
        case(
            "without end, in the far future",
            &forever,
            END * 50,
            ("valid", true),
        ),
        case("before 1970, without a start", &plain, -1, ("valid", true)),
        case(
            "allowed after the end, with a warning",
            &allow,
            END,
            ("expired", true),
        ),
        case(
            "maintained, release unknown",
            &maintain,
            END,
            ("expired", false),
        ),
        released(
            case(
                "maintained, released in time",
                &maintain,
                END,
                ("valid", true),
            ),
            END,
        ),
        released(
            case(
                "maintained, released late",
                &maintain,
                END,
                ("expired", false),
            ),
            END + 1,
        ),
    ]
}

fn versions() -> Vec<Value> {
    let version = |text: &str| Some(text.parse().expect("a version"));
    let range = VersionRange {
        from: version("2"),
        below: version("3"),
    };
    let ranged = to_text(&by_root(&with(|claims| claims.versions = range)));
    let updates = to_text(&by_root(&with(|claims| {
        claims.updates_until = Some(at(END - DAY))
    })));
    let running = |name: &str, version: &str, verdict| {
        set(case(name, &ranged, ISSUED, verdict), "version", version)
    };
    let released = |name: &str, secs: i64, verdict| {
        set(
            case(name, &updates, ISSUED, verdict),
            "released_at",
            secs * 1_000,
        )
    };
    vec![
        running("the first version covered", "2.0.0", ("valid", true)),
        running("the last version covered", "2.99.1", ("valid", true)),
        running("one version too old", "1.9.9", ("wrong_version", false)),
        running("one version too new", "3.0", ("wrong_version", false)),
        running(
            "a preview counts as its version",
            "3.0.0-beta",
            ("wrong_version", false),
        ),
        case(
            "a version nobody tells is not compared",
            &ranged,
            ISSUED,
            ("valid", true),
        ),
        released("released when updates ended", END - DAY, ("valid", true)),
        released(
            "released after updates ended",
            END - DAY + 1,
            ("wrong_version", false),
        ),
        case(
            "release unknown, updates ended",
            &updates,
            ISSUED,
            ("wrong_version", false),
        ),
    ]
}
