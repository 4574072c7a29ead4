//! One document has one form: every other spelling of the same bytes or claims is refused, or is
//! one of the few that are forgiven and lead to the same bytes.

use mintreu::Timestamp;
use mintreu::document::cbor::{self, Value};
use mintreu::document::{SigningKey, from_text, to_armor, to_qr, to_text};
use mintreu::id::LicenseId;
use mintreu::license::{Claims, Entitlement, Facts, Schema, Trust, issue, verify_text};

const PRODUCT: &str = "acme.editor";

fn root() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

/// A license whose length leaves `left` bytes over after groups of three.
fn license(left: usize) -> Vec<u8> {
    let at = Timestamp::from_secs(1_795_008_000);
    let lengths = 1..9;
    let of = |length| {
        let mut claims = Claims::new(LicenseId::from_bytes([7; 16]), PRODUCT, at);
        let value = Entitlement::Value("x".repeat(length));
        claims
            .entitlements
            .insert("a".parse().expect("a name"), value);
        issue(&claims, &root(), &[]).expect("issues")
    };
    let mut licenses = lengths.map(of);
    let found = licenses.find(|bytes| bytes.len() % 3 == left);
    found.expect("a license of such a length")
}

fn code(text: &str) -> &'static str {
    let trust = Trust::new(PRODUCT, *root().public()).expect("a trust");
    let facts = Facts::at(Timestamp::from_secs(1_795_008_000));
    verify_text(text, &trust, &facts).code()
}

fn refused(cases: Vec<(&str, String)>) {
    for (name, text) in cases {
        assert_eq!(code(&text), "malformed", "{name}: {text:?}");
    }
}

/// White space, as Unicode has it, and nothing else is skipped in a pasted line and in armour.
const SPACES: [&str; 9] = [
    " ", "\t", "\n", "\r\n", "\u{a0}", "\u{2003}", "\u{2028}", "\u{3000}", "\u{85}",
];

/// Signs that look like nothing, or like others.
const LOOKALIKES: [(&str, &str); 12] = [
    ("a byte order mark", "\u{feff}"),
    ("a zero-width space", "\u{200b}"),
    ("a zero-width joiner", "\u{200d}"),
    ("a word joiner", "\u{2060}"),
    ("a soft hyphen", "\u{ad}"),
    ("right to left", "\u{202e}"),
    ("a combining accent", "\u{301}"),
    ("NUL", "\0"),
    ("a Cyrillic capital", "\u{41c}"),
    ("a full-width capital", "\u{ff2d}"),
    ("a dash", "\u{2013}"),
    ("a quote", "\""),
];

#[test]
fn what_is_forgiven_leads_to_the_same_bytes() {
    let bytes = license(1);
    let (paste, armor) = (to_text(&bytes), to_armor(&bytes).expect("writes"));
    for space in SPACES {
        for text in [
            format!("{space}{paste}{space}"),
            paste.replace('A', &format!("{space}A{space}")),
            format!("MT1{space}-{space}{}", &paste[4..]),
            format!("{space}{armor}{space}"),
            armor.replacen('\n', &format!("{space}\n"), 1),
            armor
                .replace("\n", &format!("\n{space}"))
                .replace(&format!("{space}-----END"), "-----END"),
        ] {
            assert_eq!(from_text(&text), Ok(bytes.clone()), "{text:?}");
            assert_eq!(code(&text), "valid");
        }
    }
    let codes = to_qr(&bytes).expect("writes").join("\n");
    for text in [
        format!("{codes}\n"),
        format!("\r\n{codes}\r\n"),
        format!("{codes}\n{codes}"),
    ] {
        assert_eq!(from_text(&text), Ok(bytes.clone()), "{text:?}");
    }
}

#[test]
fn a_pasted_line_has_one_form() {
    let (one, two) = (to_text(&license(1)), to_text(&license(2)));
    let bytes = license(1);
    let standard = format!("MT1-{}", standard(&bytes));
    assert!(
        standard.contains('+') || standard.contains('/'),
        "the alphabets differ here"
    );
    let mut cases = vec![
        ("bits left over, of four", raised(&one)),
        ("bits left over, of two", raised(&two)),
        ("padding", format!("{one}==")),
        ("one padding sign", format!("{two}=")),
        (
            "padding in the middle",
            format!("{}={}", &one[..9], &one[9..]),
        ),
        ("the other alphabet", standard),
        (
            "the other alphabet, padded",
            format!("MT1-{}==", self::standard(&bytes)),
        ),
        ("small letters", one.to_lowercase()),
        ("capitals", one.to_uppercase()),
        ("a small prefix", one.replacen("MT1", "mt1", 1)),
        ("another version", one.replacen("MT1", "MT2", 1)),
        ("the prefix of codes", one.replacen("MT1-", "MT1:", 1)),
        ("no prefix", one[4..].to_owned()),
        ("the prefix twice", format!("MT1-{one}")),
        ("percent signs", one.replace('-', "%2D")),
        (
            "an address before it",
            format!("https://acme.example/#{one}"),
        ),
        ("a full stop behind it", format!("{one}.")),
        ("two licenses", format!("{one}\n{one}")),
        ("one sign less", one[..one.len() - 1].to_owned()),
        ("one sign more", format!("{one}A")),
        ("in brackets", format!("<{one}>")),
    ];
    for (name, sign) in LOOKALIKES {
        cases.push((name, format!("{sign}{one}")));
        cases.push((name, format!("{one}{sign}")));
        cases.push((name, format!("{}{sign}{}", &one[..40], &one[40..])));
        cases.push((name, one.replacen('M', sign, 1)));
    }
    refused(cases);
}

/// The same bytes in base64's other alphabet.
fn standard(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD_NO_PAD.encode(bytes)
}

/// The text whose last sign carries one bit more than there are bytes for.
fn raised(text: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (head, last) = text.split_at(text.len() - 1);
    let at = ALPHABET.find(last).expect("a sign of the alphabet");
    assert_eq!(at % 4, 0, "no bits are left over in the honest text");
    format!("{head}{}", &ALPHABET[at + 1..at + 2])
}

#[test]
fn armour_has_one_form() {
    let armor = to_armor(&license(1)).expect("writes");
    let end = armor.find("-----END").expect("an end");
    let mut cases = vec![
        ("without padding", armor.replace('=', "")),
        ("with one sign of padding", armor.replacen("==", "=", 1)),
        (
            "the other alphabet",
            armor.replace('+', "-").replace('/', "_"),
        ),
        ("small letters", armor.to_lowercase()),
        (
            "another kind at both ends",
            armor.replace("LICENSE", "RECEIPT"),
        ),
        (
            "another kind at the end",
            armor.replacen("END MINTREU LICENSE", "END MINTREU RECEIPT", 1),
        ),
        ("a kind nobody knows", armor.replace("LICENSE", "COUPON")),
        (
            "a kind in small letters",
            armor.replace("LICENSE", "license"),
        ),
        ("four dashes", armor.replacen("-----BEGIN", "----BEGIN", 1)),
        ("no end", armor[..end].to_owned()),
        ("cut in the end", armor[..armor.len() - 3].to_owned()),
        ("something behind it", format!("{armor}x")),
        ("twice", armor.repeat(2)),
        ("a comment before it", format!("# a license\n{armor}")),
        ("a header in it", armor.replacen('\n', "\nVersion: 1\n", 1)),
        (
            "a checksum in it",
            armor.replacen("-----END", "=abcd\n-----END", 1),
        ),
    ];
    for (name, sign) in LOOKALIKES {
        cases.push((name, format!("{sign}{armor}")));
        cases.push((name, format!("{}{sign}{}", &armor[..60], &armor[60..])));
        cases.push((name, format!("{}{sign}{}", &armor[..end], &armor[end..])));
    }
    refused(cases);
}

#[test]
fn a_code_has_one_form() {
    let bytes = license(1);
    let code = to_qr(&bytes).expect("writes").concat();
    let parts = |count: usize| {
        let pieces = bytes.chunks(bytes.len().div_ceil(count));
        let numbered = pieces
            .enumerate()
            .map(|(at, piece)| format!("MT1:{}/{count}:{}", at + 1, base45::encode(piece)));
        numbered.collect::<Vec<_>>()
    };
    let two = parts(2);
    assert_eq!(
        from_text(&two.join("\n")),
        Ok(bytes.clone()),
        "parts of any length"
    );
    let mut cases = vec![
        ("small letters", code.to_lowercase()),
        ("a space behind it", format!("{code} ")),
        ("a space in it", format!("{} {}", &code[..9], &code[9..])),
        ("a tab", format!("{code}\t")),
        ("three digits of 65536 and more", format!("{code}:::")),
        ("two digits of 256 and more", {
            let even = if bytes.len().is_multiple_of(2) {
                ""
            } else {
                "00"
            };
            format!("{code}{even}::")
        }),
        ("a digit alone", format!("{code}0")),
        ("a part of one", two[0].replacen("1/2", "1/1", 1)),
        ("part zero", two.join("\n").replacen("1/2", "0/2", 1)),
        (
            "part three of two",
            two.join("\n").replacen("2/2", "3/2", 1),
        ),
        ("a hundred parts", two.join("\n").replace("/2:", "/100:")),
        ("a leading zero", two.join("\n").replace("/2:", "/02:")),
        ("a sign", two.join("\n").replacen("1/2", "+1/2", 1)),
        ("no second colon", two[0].replacen("2:", "2", 1)),
        ("the first part only", two[0].clone()),
        ("the first part twice", format!("{0}\n{0}", two[0])),
        (
            "parts exchanged",
            two.join("\n")
                .replacen("1/2", "x/2", 1)
                .replacen("2/2", "1/2", 1)
                .replacen("x/2", "2/2", 1),
        ),
        ("a whole code and a part", format!("{code}\n{}", two[1])),
        (
            "parts of two counts",
            [parts(3)[0].clone(), two[1].clone()].join("\n"),
        ),
        ("two parts on a line", two.concat()),
        ("a space before the second", two.join("\n ")),
        ("nothing", "MT1:".into()),
        ("only lines", "MT1:\n\nMT1:".into()),
    ];
    for (name, sign) in LOOKALIKES {
        cases.push((name, format!("{sign}{code}")));
        cases.push((name, format!("{code}{sign}")));
        cases.push((name, format!("{}{sign}{}", &code[..40], &code[40..])));
    }
    refused(cases);
}

/// One item of claims in CBOR, and what it is worth here.
fn claim(bytes: &[u8]) -> &'static str {
    cbor::decode(bytes).map_or_else(|error| error.code(), |_| "ok")
}

/// Each head of CBOR in every longer form, for each major type that has an argument.
#[test]
fn heads_have_their_shortest_form() {
    let numbers = [
        0_u64,
        1,
        23,
        24,
        255,
        256,
        65_535,
        65_536,
        0xffff_ffff,
        0x1_0000_0000,
    ];
    let mut longer = 0;
    for number in numbers {
        for major in [0_u8, 1] {
            let forms = forms(major, number);
            for form in &forms {
                let expected = if form.len() == forms[0].len() {
                    "ok"
                } else {
                    "malformed"
                };
                assert_eq!(claim(form), expected, "{form:02x?}");
                longer += u32::from(expected != "ok");
            }
        }
        // Lengths, as far as it makes sense to write them out.
        if number > 70_000 {
            continue;
        }
        for major in [2_u8, 3, 4] {
            let forms = forms(major, number);
            let body = vec![0x61; number as usize];
            let body = if major == 4 {
                vec![0xf6; number as usize]
            } else {
                body
            };
            for form in &forms {
                let expected = if form.len() == forms[0].len() {
                    "ok"
                } else {
                    "malformed"
                };
                assert_eq!(claim(&[&form[..], &body].concat()), expected, "{form:02x?}");
                longer += u32::from(expected != "ok");
            }
        }
    }
    assert!(longer > 100);
    for map in [
        &[0xb8, 0x00][..],
        &[0xb8, 0x01, 0x01, 0x01],
        &[0xb9, 0, 0],
        &[0xba, 0, 0, 0, 0],
    ] {
        assert_eq!(claim(map), "malformed");
    }
}

/// The heads that say `number`, the shortest first.
fn forms(major: u8, number: u64) -> Vec<Vec<u8>> {
    let (high, bytes) = (major << 5, number.to_be_bytes());
    let mut forms = Vec::new();
    if number < 24 {
        forms.push(vec![high | number as u8]);
    }
    for (info, width) in [(24, 1), (25, 2), (26, 4), (27, 8)] {
        if width == 8 || number < 1 << (8 * width) {
            forms.push([&[high | info], &bytes[8 - width..]].concat());
        }
    }
    forms
}

#[test]
fn claims_have_one_form() {
    let good = cbor::encode(&Value::labelled([
        (1, Some(Value::Int(1))),
        (2, Some(Value::text("a"))),
    ]));
    let good = good.expect("encodes");
    assert_eq!(good, [0xa2, 0x01, 0x01, 0x02, 0x61, 0x61]);
    for behind in 0..=255 {
        assert_eq!(claim(&[&good[..], &[behind]].concat()), "malformed");
    }
    let cases: &[(&str, &[u8])] = &[
        ("keys out of order", &[0xa2, 0x02, 0x61, 0x61, 0x01, 0x01]),
        ("the same key twice", &[0xa2, 0x01, 0x01, 0x01, 0x01]),
        (
            "the same text key twice",
            &[0xa2, 0x61, 0x61, 0x01, 0x61, 0x61, 0x02],
        ),
        (
            "a text key before a number",
            &[0xa2, 0x61, 0x61, 0x01, 0x01, 0x02],
        ),
        (
            "a negative key before one that isn't",
            &[0xa2, 0x20, 0x01, 0x01, 0x02],
        ),
        (
            "a longer key before a shorter",
            &[0xa2, 0x62, 0x61, 0x61, 0x01, 0x61, 0x62, 0x02],
        ),
        (
            "keys out of order, deep",
            &[0x81, 0xa2, 0x02, 0x01, 0x01, 0x01],
        ),
        ("null as a key", &[0xa1, 0xf6, 0x01]),
        ("true as a key", &[0xa1, 0xf5, 0x01]),
        ("a list as a key", &[0xa1, 0x80, 0x01]),
        ("a map as a key", &[0xa1, 0xa0, 0x01]),
        ("a key without a value", &[0xa1, 0x01]),
        ("a list too short", &[0x82, 0x01]),
        ("indefinite bytes", &[0x5f, 0x41, 0x00, 0xff]),
        ("indefinite text", &[0x7f, 0x61, 0x61, 0xff]),
        ("an indefinite list", &[0x9f, 0x01, 0xff]),
        ("an indefinite map", &[0xbf, 0x01, 0x01, 0xff]),
        ("an indefinite list, deep", &[0x81, 0x9f, 0xff]),
        ("a break alone", &[0xff]),
        ("half a float", &[0xf9, 0x3c, 0x00]),
        ("a float", &[0xfa, 0x3f, 0x80, 0x00, 0x00]),
        ("a double", &[0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
        ("not a number", &[0xf9, 0x7e, 0x00]),
        ("undefined", &[0xf7]),
        ("a simple value", &[0xe0]),
        ("a simple value in two bytes", &[0xf8, 0x20]),
        ("false in two bytes", &[0xf8, 0x14]),
        ("a tag for time", &[0xc1, 0x01]),
        ("a tag for a bignum", &[0xc2, 0x41, 0x01]),
        ("a tag for CBOR itself", &[0xd9, 0xd9, 0xf7, 0x01]),
        ("a reserved head", &[0x1c]),
        ("a reserved length", &[0x5d]),
        ("text that isn't UTF-8", &[0x61, 0x80]),
        ("text with a surrogate", &[0x63, 0xed, 0xa0, 0x80]),
        ("text in an overlong form", &[0x62, 0xc0, 0xaf]),
        ("below 64 signed bits", &[0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("above 64 signed bits", &[0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("nothing", &[]),
        ("a length beyond the end", &[0x42, 0x00]),
        ("a length of 2^63", &[0x5b, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        (
            "a length of 2^64 - 1",
            &[0x7b, 255, 255, 255, 255, 255, 255, 255, 255],
        ),
        ("a list of 2^32", &[0x9b, 0, 0, 0, 1, 0, 0, 0, 0]),
    ];
    for (name, bytes) in cases {
        assert_eq!(claim(bytes), "malformed", "{name}");
    }
    // Text is bytes: nothing is normalised, so that these are two names.
    assert_eq!(claim(&[0x62, 0xc3, 0xa9]), "ok");
    assert_eq!(claim(&[0x63, 0x65, 0xcc, 0x81]), "ok");
}

#[test]
fn nesting_ends_at_eight() {
    let nested = |head: &[u8], depth: usize| [head.repeat(depth), vec![0x01]].concat();
    for head in [&[0x81][..], &[0xa1, 0x01], &[0x82, 0x01]] {
        assert_eq!(claim(&nested(head, 8)), "ok");
        for depth in [9, 16, 1_000, 100_000] {
            assert_eq!(claim(&nested(head, depth)), "malformed", "{depth}");
        }
    }
}

/// The texts of constants have their own forms.
#[test]
fn trusts_keys_and_schemas_have_one_form() {
    let trust = Trust::new(PRODUCT, *root().public()).expect("a trust");
    let (trust, key) = (trust.to_string(), root().public().to_string());
    let code = |text: &str| {
        text.parse::<Trust>()
            .map_or_else(|error| error.code(), |_| "ok")
    };
    assert_eq!(code(&format!("  {}\r\n", trust.replace(' ', "\n\t"))), "ok");
    for (name, sign) in LOOKALIKES {
        assert_eq!(code(&format!("{sign}{trust}")), "malformed", "{name}");
        assert_eq!(code(&format!("{trust}{sign}")), "malformed", "{name}");
        assert_eq!(code(&trust.replacen('.', sign, 1)), "malformed", "{name}");
    }
    for (from, to) in [
        ("MT1K-", "mt1k-"),
        ("MT1K-", "MT1-"),
        ("mt1-trust", "MT1-TRUST"),
        ("product=", "Product="),
        ("root=", "root =\u{200b}"),
        ("root=", "root=="),
        (" root", "\u{a0}root"),
    ] {
        assert_eq!(code(&trust.replacen(from, to, 1)), "malformed", "{to}");
    }
    for bad in [
        format!("{key}="),
        format!("{key}A"),
        key.replace('-', "_"),
        key.to_lowercase(),
        key[..key.len() - 1].to_owned(),
        format!("{}\n{}", &key[..20], &key[20..]),
    ] {
        let found = bad.parse::<mintreu::document::PublicKey>();
        assert_eq!(
            found.map_err(|error| error.code()),
            Err("malformed"),
            "{bad}"
        );
    }
    for bad in [
        "mt1-schema a=01x",
        "mt1-schema a=0x1",
        "mt1-schema a=\u{661}",
        "mt1-schema \u{e4}=1",
    ] {
        let found = Schema::parse(bad).map_err(|error| error.code());
        assert_eq!(found.map(drop), Err("malformed"), "{bad}");
    }
}
