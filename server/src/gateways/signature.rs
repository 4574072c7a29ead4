//! Signatures over webhooks: `t=unix,v1=hex[,v1=hex…]`, HMAC-SHA-256 over `t.body`.
//!
//! Several signatures may stand side by side while a secret is changed; other schemes are ignored.

use hmac::{Hmac, KeyInit, Mac};
use mintreu::Timestamp;
use sha2::Sha256;
use std::fmt::Write;

/// How far a signature's time may be from now, either way, in seconds.
const TOLERANCE_SECS: i64 = 300;
/// Most parts of a header that are looked at.
const MAX_PARTS: usize = 16;

fn mac(secret: &[u8], at: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(at.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// The header for `body`, signed at `now`.
pub fn sign(secret: &[u8], now: Timestamp, body: &[u8]) -> String {
    let tag = mac(secret, now.secs(), body).finalize().into_bytes();
    let mut header = format!("t={},v1=", now.secs());
    for byte in tag {
        // Writing to a String can't fail.
        let _ = write!(header, "{byte:02x}");
    }
    header
}

/// Whether one of the header's signatures holds for `body` and its time is near `now`.
pub fn holds(secret: &[u8], header: &str, now: Timestamp, body: &[u8]) -> bool {
    let mut parts = header.split(',').take(MAX_PARTS).filter_map(|part| {
        let (name, value) = part.trim().split_once('=')?;
        Some((name, value))
    });
    let parts: Vec<_> = parts.by_ref().collect();
    let at = parts.iter().find(|(name, _)| *name == "t");
    let Some(at) = at.and_then(|(_, at)| at.parse::<i64>().ok()) else {
        return false;
    };
    if now.secs().abs_diff(at) > TOLERANCE_SECS.unsigned_abs() {
        return false;
    }
    let tags = parts.iter().filter(|(name, _)| *name == "v1");
    tags.filter_map(|(_, tag)| from_hex(tag))
        .any(|tag| mac(secret, at, body).verify_slice(&tag).is_ok())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let digits = text.as_bytes().chunks_exact(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"whsec_test_secret";
    const BODY: &[u8] = br#"{"id":"evt_1","object":"event","type":"checkout.session.completed"}"#;
    const AT: Timestamp = Timestamp::from_secs(1_700_000_000);
    /// Made by another implementation of the scheme.
    const TAG: &str = "d1e4aa90551919f198c22ba0a9691b35338d4b631d54ce1f1465e93b1d41c430";

    #[test]
    fn agrees_with_another_implementation() {
        assert_eq!(sign(SECRET, AT, BODY), format!("t=1700000000,v1={TAG}"));
        assert!(holds(SECRET, &format!("t=1700000000,v1={TAG}"), AT, BODY));
    }

    #[test]
    fn two_signatures_stand_side_by_side_while_a_secret_changes() {
        let old = "0".repeat(64);
        for header in [
            format!("t=1700000000,v1={old},v1={TAG}"),
            format!("t=1700000000,v0=x,v1={TAG},v1={old}"),
        ] {
            assert!(holds(SECRET, &header, AT, BODY), "{header}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let good = sign(SECRET, AT, BODY);
        assert!(!holds(b"other", &good, AT, BODY));
        assert!(!holds(SECRET, &good, AT, b"{}"));
        assert!(!holds(SECRET, &good, AT.plus_ms(301_000), BODY), "too old");
        assert!(
            !holds(SECRET, &good, AT.plus_ms(-301_000), BODY),
            "from the future"
        );
        let times = format!("t=1700000001,v1={TAG}");
        for bad in [
            "",
            "t=",
            "v1=",
            "t=1700000000",
            "t=x,v1=00",
            "t=1700000000,v1=zz",
            &times,
        ] {
            assert!(!holds(SECRET, bad, AT, BODY), "{bad}");
        }
        let long = format!("{}t=1700000000,v1={TAG}", "a=b,".repeat(16));
        assert!(!holds(SECRET, &long, AT, BODY));
    }
}
