//! Three texts for the same bytes: a line to paste, armour for files, and codes to scan.
//!
//! White space is forgiven in the pasted line and in armour, never in codes, where the space is a
//! digit of base45 (RFC 9285); the parts of a long code stand on lines of their own.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

use super::Bundle;
use super::Kind;
use crate::error::{Error, Result};

/// The most characters of one code: version 20 at error correction M, alphanumeric mode.
pub const MAX_QR_CHARS: usize = 970;

const PASTE: &str = "MT1-";
const QR: &str = "MT1:";
const BEGIN: &str = "-----BEGIN MINTREU ";
const END: &str = "-----END MINTREU ";
const DASHES: &str = "-----";
/// The most characters that are looked at: the largest document in armour, and some white space.
const MAX_TEXT: usize = 2 << 20;
/// The most parts of one document.
const MAX_PARTS: usize = 99;
/// Bytes of one part: two make three characters, after a prefix such as `MT1:12/34:`.
const PART_BYTES: usize = (MAX_QR_CHARS - 10) / 3 * 2;

fn malformed(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new("malformed", detail)
}

/// `MT1-` and base64url: one line to paste.
pub fn to_text(bundle: &[u8]) -> String {
    format!("{PASTE}{}", BASE64_URL_SAFE_NO_PAD.encode(bundle))
}

/// Armour for files: base64 in lines of 64, between BEGIN and END with the kind's name.
///
/// `malformed` when `bundle` is not a bundle.
pub fn to_armor(bundle: &[u8]) -> Result<String> {
    let name = Bundle::from_bytes(bundle)?.kind().name().to_uppercase();
    Ok(armored(&name, bundle))
}

/// Any bytes in armour that says `name`.
pub(crate) fn armored(name: &str, bytes: &[u8]) -> String {
    let encoded = BASE64_STANDARD.encode(bytes);
    let mut armor = format!("{BEGIN}{name}{DASHES}\n");
    for line in encoded.as_bytes().chunks(64) {
        armor.extend(line.iter().map(|&byte| char::from(byte)));
        armor.push('\n');
    }
    armor.push_str(&format!("{END}{name}{DASHES}\n"));
    armor
}

/// One code, or as many parts as it takes to keep each within [`MAX_QR_CHARS`].
///
/// `too_large` when that is more than 99 parts.
pub fn to_qr(bundle: &[u8]) -> Result<Vec<String>> {
    let whole = format!("{QR}{}", base45::encode(bundle));
    if whole.len() <= MAX_QR_CHARS {
        return Ok(vec![whole]);
    }
    let parts: Vec<&[u8]> = bundle.chunks(PART_BYTES).collect();
    let count = parts.len();
    if count > MAX_PARTS {
        return Err(Error::new(
            "too_large",
            "this is too long for codes; use the file instead",
        ));
    }
    let numbered = parts.iter().enumerate();
    Ok(numbered
        .map(|(index, part)| format!("{QR}{}/{count}:{}", index + 1, base45::encode(part)))
        .collect())
}

/// Reads any of the three texts back to the bundle's bytes; nothing of them is believed yet.
///
/// `too_large` or `malformed` with what to look at.
pub fn from_text(text: &str) -> Result<Vec<u8>> {
    if text.len() > MAX_TEXT {
        return Err(Error::new(
            "too_large",
            "this text is too long to be a license",
        ));
    }
    let start = text.trim_start();
    if start.starts_with(QR) {
        return from_qr(start);
    }
    if start.starts_with(BEGIN) {
        return from_armor(start);
    }
    let line: String = start.chars().filter(|c| !c.is_whitespace()).collect();
    let encoded = line.strip_prefix(PASTE).ok_or_else(|| {
        malformed("a license starts with MT1-, MT1: or -----BEGIN MINTREU; check what was pasted")
    })?;
    BASE64_URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|_| malformed("the text was changed or cut; copy it again as a whole"))
}

fn torn() -> Error {
    malformed("the BEGIN and END lines of the file don't fit together")
}

/// What armour says it holds, and the bytes; `text` begins with it.
pub(crate) fn unarmored(text: &str) -> Result<(&str, Vec<u8>)> {
    let inside = text.strip_prefix(BEGIN).ok_or_else(torn)?;
    let (name, rest) = inside.split_once(DASHES).ok_or_else(torn)?;
    let (body, end) = rest.split_once(END).ok_or_else(torn)?;
    if end.trim_end().strip_suffix(DASHES) != Some(name) {
        return Err(torn());
    }
    let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = BASE64_STANDARD
        .decode(body)
        .map_err(|_| malformed("the file was changed or cut; save it again as a whole"))?;
    Ok((name, bytes))
}

fn from_armor(text: &str) -> Result<Vec<u8>> {
    let (name, bytes) = unarmored(text)?;
    let kind = Kind::from_name(&name.to_lowercase()).map_err(|_| torn())?;
    if kind.name().to_uppercase() != name || Bundle::from_bytes(&bytes)?.kind() != kind {
        return Err(malformed(
            "the file's BEGIN line names another kind of document",
        ));
    }
    Ok(bytes)
}

/// Codes, one a line. Parts may come in any order and repeat.
fn from_qr(text: &str) -> Result<Vec<u8>> {
    let mut parts: Vec<Option<Vec<u8>>> = Vec::new();
    for line in text.split(['\n', '\r']).filter(|line| !line.is_empty()) {
        let code = line
            .strip_prefix(QR)
            .ok_or_else(|| malformed("each scanned code starts with MT1:"))?;
        let (index, count, digits) = numbered(code)?;
        if parts.is_empty() {
            parts.resize(count, None);
        }
        if parts.len() != count {
            return Err(malformed("these codes belong to different documents"));
        }
        let bytes = base45::decode(digits)
            .ok()
            .filter(|bytes| base45::encode(bytes) == digits)
            .ok_or_else(|| malformed("a code was misread; scan it again"))?;
        match &parts[index] {
            Some(seen) if *seen != bytes => {
                return Err(malformed("these codes belong to different documents"));
            }
            _ => parts[index] = Some(bytes),
        }
    }
    joined(parts)
}

/// `i/n:` before the digits, or one whole code: a document never starts with a digit in base45.
fn numbered(code: &str) -> Result<(usize, usize, &str)> {
    if !code.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok((0, 1, code));
    }
    let wrong =
        || malformed("a part of a code starts with MT1:, its number / how many, and a colon");
    let (head, digits) = code.split_once(':').ok_or_else(wrong)?;
    let (index, count) = head.split_once('/').ok_or_else(wrong)?;
    let number = |text: &str| {
        let number = text.parse::<usize>().ok()?;
        (number.to_string() == text && (1..=MAX_PARTS).contains(&number)).then_some(number)
    };
    let (index, count) = number(index).zip(number(count)).ok_or_else(wrong)?;
    if index > count || count < 2 {
        return Err(wrong());
    }
    Ok((index - 1, count, digits))
}

fn joined(parts: Vec<Option<Vec<u8>>>) -> Result<Vec<u8>> {
    let missing: Vec<String> = parts
        .iter()
        .enumerate()
        .filter(|(_, part)| part.is_none())
        .map(|(index, _)| (index + 1).to_string())
        .collect();
    if !missing.is_empty() {
        let (missing, count) = (missing.join(", "), parts.len());
        return Err(malformed(format!(
            "code {missing} of {count} is missing; scan it too"
        )));
    }
    Ok(parts.into_iter().flatten().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{SigningKey, cbor, seal};

    fn document(size: usize) -> Vec<u8> {
        let claims = cbor::encode(&cbor::Value::bytes(&vec![0xa5; size])).expect("encodes");
        seal(Kind::License, &claims, &SigningKey::from_seed(&[4; 32])).expect("seals")
    }

    #[test]
    fn all_texts_read_back_to_the_same_bytes() {
        for size in [0, 1, 2, 100, 500, 600, 5_000] {
            let bytes = document(size);
            assert_eq!(from_text(&to_text(&bytes)).expect("reads"), bytes);
            assert_eq!(
                from_text(&to_armor(&bytes).expect("writes")).expect("reads"),
                bytes
            );
            let mut codes = to_qr(&bytes).expect("writes");
            assert!(codes.iter().all(|code| code.len() <= MAX_QR_CHARS));
            codes.reverse();
            codes.push(codes[0].clone());
            assert_eq!(from_text(&codes.join("\n")).expect("reads"), bytes);
        }
    }

    #[test]
    fn white_space_is_forgiven_in_paste_and_armour() {
        let bytes = document(100);
        let spread: String = to_text(&bytes)
            .chars()
            .flat_map(|c| [c, ' ', '\r', '\n'])
            .collect();
        assert_eq!(from_text(&format!("\n {spread}")).expect("reads"), bytes);
        let armor = to_armor(&bytes).expect("writes").replace('\n', "\r\n  ");
        assert_eq!(from_text(&armor).expect("reads"), bytes);
    }

    #[test]
    fn a_changed_text_never_gives_other_bytes_that_still_hold() {
        let key = SigningKey::from_seed(&[4; 32]);
        let bytes = document(40);
        let armor = to_armor(&bytes).expect("writes");
        for text in [
            to_text(&bytes),
            armor,
            to_qr(&bytes).expect("writes").join("\n"),
        ] {
            for bit in 0..text.len() * 8 {
                let mut flipped = text.clone().into_bytes();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let Ok(flipped) = String::from_utf8(flipped) else {
                    continue;
                };
                let Ok(read) = from_text(&flipped) else {
                    continue;
                };
                let held = crate::document::open(Kind::License, &read, &[key.public()]).is_ok();
                assert!(read == bytes || !held, "{flipped}");
            }
        }
    }

    #[test]
    fn what_is_missing_or_mixed_is_said() {
        let codes = to_qr(&document(3_000)).expect("writes");
        assert!(codes.len() > 2);
        let error = from_text(&codes[1..].join("\n")).expect_err("a part is missing");
        assert!(error.detail().contains("code 1 of"), "{error}");
        let others = to_qr(&document(3_001)).expect("writes");
        let mixed = [&codes[..], &others[..1]].concat().join("\n");
        assert!(from_text(&mixed).is_err());
        for text in [
            "",
            "MT1-",
            "hello",
            "MT1:",
            "MT1:1/1:RRQ",
            "MT1:0/2:RRQ",
            "MT1:3/2:RRQ",
        ] {
            let outcome = from_text(text).and_then(|bytes| Bundle::from_bytes(&bytes).map(drop));
            assert_eq!(
                outcome.map_err(|error| error.code()),
                Err("malformed"),
                "{text}"
            );
        }
        assert_eq!(
            from_text(&"x".repeat(3 << 20)).map_err(|error| error.code()),
            Err("too_large")
        );
    }
}
