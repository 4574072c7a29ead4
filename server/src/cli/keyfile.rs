//! Key files: an armoured seed for its owner's eyes, and the public key beside it.
//!
//! The body of a `.key` file is base64 of the 32-byte seed and four bytes of the public key's
//! thumbprint, so that a damaged file is noticed instead of becoming another key.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mintreu::document::{PublicKey, SigningKey};
use zeroize::Zeroizing;

use super::CliError;
use super::files::{Readable, read_text, write_new};

const BEGIN: &str = "-----BEGIN MINTREU SIGNING KEY-----";
const END: &str = "-----END MINTREU SIGNING KEY-----";

fn damaged(path: &Path) -> CliError {
    let shown = path.display();
    CliError::new(
        "key_malformed",
        format!("{shown} is not a signing key made by `mintreu keys new`, or it is damaged"),
    )
}

/// Writes a signing key to a new file that only its owner can read.
pub fn write_signing_key(path: &Path, key: &SigningKey) -> Result<(), CliError> {
    let mut body = Zeroizing::new([0; 36]);
    body[..32].copy_from_slice(&key.seed()[..]);
    body[32..].copy_from_slice(&key.public().kid()[..4]);
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(&body[..]));
    let text = Zeroizing::new(format!("{BEGIN}\n{}\n{END}\n", encoded.as_str()));
    write_new(path, text.as_bytes(), Readable::ByOwner)
}

/// Reads a signing key.
pub fn read_signing_key(path: &Path) -> Result<SigningKey, CliError> {
    let text = Zeroizing::new(read_text(path)?);
    let inner = text
        .trim()
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_suffix(END));
    let inner = inner.ok_or_else(|| damaged(path))?;
    let body = BASE64_STANDARD
        .decode(inner.trim())
        .map_err(|_| damaged(path))?;
    let body = Zeroizing::new(body);
    let (seed, check) = body
        .split_first_chunk::<32>()
        .ok_or_else(|| damaged(path))?;
    let key = SigningKey::from_seed(seed);
    if key.public().kid()[..4] != *check {
        return Err(damaged(path));
    }
    Ok(key)
}

/// Whether a text is a signing key's armour.
pub fn is_signing_key(text: &str) -> bool {
    text.trim_start().starts_with(BEGIN)
}

/// Reads a public key: `MT1K-…` itself, a `.pub` file, or the public half of a `.key` file.
pub fn read_public_key(given: &str) -> Result<PublicKey, CliError> {
    if given.trim_start().starts_with("MT1K-") {
        return Ok(given.parse()?);
    }
    let path = Path::new(given);
    let text = Zeroizing::new(read_text(path)?);
    if is_signing_key(&text) {
        return Ok(*read_signing_key(path)?.public());
    }
    Ok(text.parse()?)
}
