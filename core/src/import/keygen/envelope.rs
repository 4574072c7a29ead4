//! The outer layers: armour, signature, encryption.

use aes_gcm::aead::{Aead as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::resource::{self, License};
use crate::document::PublicKey;
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// The most characters of a file, white space counted: ten times the largest that was seen.
const MAX_FILE: usize = 256 << 10;
/// The most characters of a signed key.
const MAX_KEY: usize = 16 << 10;
/// How far ahead of our clock theirs may have been.
const TOLERANCE_MS: i64 = 5 * 60 * 1_000;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `key/….…`: a license key that carries its own signature.
    SignedKey,
    /// A license that was checked out into a file.
    LicenseFile,
    /// A machine with its license, checked out into a file.
    MachineFile,
}

impl Form {
    /// The name in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignedKey => "signed key",
            Self::LicenseFile => "license file",
            Self::MachineFile => "machine file",
        }
    }

    /// What stands before the signed text.
    const fn prefix(self) -> &'static str {
        match self {
            Self::SignedKey => "key/",
            Self::LicenseFile => "license/",
            Self::MachineFile => "machine/",
        }
    }

    const fn armor(self) -> (&'static str, &'static str) {
        match self {
            Self::MachineFile => ("-----BEGIN MACHINE FILE-----", "-----END MACHINE FILE-----"),
            _ => ("-----BEGIN LICENSE FILE-----", "-----END LICENSE FILE-----"),
        }
    }
}

/// How something is signed, and whether it is also encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// The scheme `ED25519_SIGN` of signed keys.
    SignedKey,
    /// `base64+ed25519`: a file that everyone can read.
    Plain,
    /// `aes-256-gcm+ed25519`: a file that opens with the license key.
    Sealed,
}

impl Algorithm {
    fn of_file(name: &str) -> Result<Self> {
        match name {
            "base64+ed25519" => Ok(Self::Plain),
            "aes-256-gcm+ed25519" => Ok(Self::Sealed),
            _ => Err(Error::new(
                "unsupported",
                "the file is not signed with Ed25519; check it out again with ed25519",
            )),
        }
    }
}

/// A Keygen account as far as it is trusted: its public key and what may be signed with it.
#[derive(Debug, Clone)]
pub struct Account<'a> {
    key: PublicKey,
    allowed: &'a [Algorithm],
}

impl<'a> Account<'a> {
    /// Trusts `key` for the algorithms named and for no others.
    pub const fn new(key: PublicKey, allowed: &'a [Algorithm]) -> Self {
        Self { key, allowed }
    }

    /// Verifies the signature of a signed key, license file or machine file.
    ///
    /// `too_large`, `malformed`, `unsupported` (another signature scheme), `not_allowed` (an
    /// algorithm that the account was not trusted for) or `bad_signature`.
    pub fn verify(&self, text: &str) -> Result<Signed> {
        let text = text.trim();
        let parts = match text.strip_prefix(Form::SignedKey.prefix()) {
            Some(key) => split_key(key)?,
            None => split_file(text)?,
        };
        if !self.allowed.contains(&parts.algorithm) {
            let detail = "the caller does not allow licenses in this form";
            return Err(Error::new("not_allowed", detail));
        }
        let message = [parts.form.prefix(), &parts.payload].concat();
        self.key.verify(message.as_bytes(), &parts.signature)?;
        Ok(Signed(parts))
    }
}

#[derive(Debug, Clone)]
struct Parts {
    form: Form,
    algorithm: Algorithm,
    /// Still encoded, as it was signed.
    payload: String,
    signature: [u8; 64],
}

fn split_key(key: &str) -> Result<Parts> {
    bounded(key, MAX_KEY)?;
    let (payload, signature) = key.split_once('.').ok_or_else(malformed)?;
    Ok(Parts {
        form: Form::SignedKey,
        algorithm: Algorithm::SignedKey,
        payload: payload.to_owned(),
        signature: exact(&unpacked(&BASE64_URL_SAFE, signature)?)?,
    })
}

fn split_file(text: &str) -> Result<Parts> {
    bounded(text, MAX_FILE)?;
    let armored = [Form::LicenseFile, Form::MachineFile].map(|form| {
        let (begin, end) = form.armor();
        let body = text.strip_prefix(begin)?.strip_suffix(end)?;
        Some((form, body))
    });
    let (form, body) = armored.into_iter().flatten().next().ok_or_else(malformed)?;
    let body: String = body.split_ascii_whitespace().collect();
    let json = unpacked(&BASE64_STANDARD, &body)?;
    let fields: Value = serde_json::from_slice(&json).map_err(|_| malformed())?;
    let field = |name: &str| fields[name].as_str().ok_or_else(malformed);
    Ok(Parts {
        form,
        algorithm: Algorithm::of_file(field("alg")?)?,
        payload: field("enc")?.to_owned(),
        signature: exact(&unpacked(&BASE64_STANDARD, field("sig")?)?)?,
    })
}

/// What opens a [`Signed`], and what it is held against.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening<'a> {
    /// The license key; needed for what is encrypted, and compared wherever it is given.
    pub license_key: Option<&'a str>,
    /// The machine's fingerprint; needed for encrypted machine files, and compared wherever it is
    /// given. A product that asks whether it may run here always gives it.
    pub fingerprint: Option<&'a str>,
    /// The instant at which a file must be believable. Without one an old file opens too: for
    /// moving in, where it tells what was sold, and not whether something may run.
    pub now: Option<Timestamp>,
}

/// Something whose signature was verified, still closed.
#[derive(Debug, Clone)]
pub struct Signed(Parts);

impl Signed {
    /// What it is.
    pub const fn form(&self) -> Form {
        self.0.form
    }

    /// What was signed, decoded and decrypted: of a signed key whatever its vendor put in.
    ///
    /// `secret_needed` or `wrong_secret` where a key or fingerprint doesn't open it.
    pub fn payload(&self, opening: &Opening<'_>) -> Result<Zeroizing<Vec<u8>>> {
        let payload = &self.0.payload;
        let bytes = match self.0.algorithm {
            Algorithm::SignedKey => unpacked(&BASE64_URL_SAFE, payload)?,
            Algorithm::Plain => unpacked(&BASE64_STANDARD, payload)?,
            Algorithm::Sealed => decrypted(payload, &self.secret(opening)?)?,
        };
        Ok(Zeroizing::new(bytes))
    }

    /// Reads the license in it.
    ///
    /// The errors of [`Signed::payload`]; `malformed`; `payload_unknown` (a signed key with
    /// content of its vendor's own); `license_missing` (a machine file without its license);
    /// `not_yet_issued` and `file_over` (believable neither yet nor any longer);
    /// `wrong_secret` and `wrong_fingerprint` (made for another key or machine).
    pub fn open(&self, opening: &Opening<'_>) -> Result<License> {
        let payload = self.payload(opening)?;
        let license = match self.0.form {
            Form::SignedKey => resource::from_key(&payload)?,
            form => {
                let document: Value = serde_json::from_slice(&payload).map_err(|_| malformed())?;
                timely(&document["meta"], opening.now)?;
                resource::from_file(form, &document)?
            }
        };
        self.compare(&license, opening)?;
        Ok(license)
    }

    fn secret(&self, opening: &Opening<'_>) -> Result<[u8; 32]> {
        let needed = |given: Option<&str>, what: &str| {
            let detail = format!("this {} opens with the {what}", self.0.form.name());
            given
                .map(str::to_owned)
                .ok_or_else(|| Error::new("secret_needed", detail))
        };
        let mut digest = Sha256::new();
        digest.update(needed(opening.license_key, "license key")?);
        if self.0.form == Form::MachineFile {
            digest.update(needed(opening.fingerprint, "license key and fingerprint")?);
        }
        Ok(digest.finalize().into())
    }

    fn compare(&self, license: &License, opening: &Opening<'_>) -> Result<()> {
        // A signed key is the license key.
        let key = license.key.as_deref();
        if key
            .zip(opening.license_key)
            .is_some_and(|(is, given)| is != given)
        {
            return Err(wrong_secret());
        }
        let expected = opening
            .fingerprint
            .filter(|_| self.0.form == Form::MachineFile);
        if expected.is_some_and(|expected| license.fingerprint.as_deref() != Some(expected)) {
            let detail = "the machine file was made for another machine";
            return Err(Error::new("wrong_fingerprint", detail));
        }
        Ok(())
    }
}

/// A file is believed from its `issued` to its `expiry`.
fn timely(meta: &Value, now: Option<Timestamp>) -> Result<()> {
    let issued = resource::instant(&meta["issued"])?.ok_or_else(malformed)?;
    let over = resource::instant(&meta["expiry"])?;
    let Some(now) = now else {
        return Ok(());
    };
    if issued > now.plus_ms(TOLERANCE_MS) {
        let detail = "the file was issued in the future; set the clock of this machine";
        return Err(Error::new("not_yet_issued", detail));
    }
    if over.is_some_and(|over| now >= over) {
        let detail = "the file is no longer believed; check it out again";
        return Err(Error::new("file_over", detail));
    }
    Ok(())
}

/// Opens `ciphertext.nonce.tag`.
fn decrypted(payload: &str, secret: &[u8; 32]) -> Result<Vec<u8>> {
    let mut parts = payload.split('.');
    let mut part = || unpacked(&BASE64_STANDARD, parts.next().ok_or_else(malformed)?);
    let (mut sealed, nonce, tag) = (part()?, part()?, part()?);
    if parts.next().is_some() {
        return Err(malformed());
    }
    let (nonce, tag): ([u8; 12], [u8; 16]) = (exact(&nonce)?, exact(&tag)?);
    sealed.extend_from_slice(&tag);
    let cipher = Aes256Gcm::new(&(*secret).into());
    cipher
        .decrypt(&Nonce::from(nonce), sealed.as_slice())
        .map_err(|_| wrong_secret())
}

fn bounded(text: &str, most: usize) -> Result<()> {
    if text.len() <= most {
        return Ok(());
    }
    let detail = format!("{} bytes are no license; the most is {most}", text.len());
    Err(Error::new("too_large", detail))
}

fn unpacked(alphabet: &base64::engine::GeneralPurpose, text: &str) -> Result<Vec<u8>> {
    alphabet.decode(text).map_err(|_| malformed())
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| malformed())
}

fn wrong_secret() -> Error {
    let detail = "the license key, or the fingerprint, is not the one this was made for";
    Error::new("wrong_secret", detail)
}

pub(super) fn malformed() -> Error {
    Error::new(
        "malformed",
        "this is no Keygen signed key, license file or machine file, or it is damaged",
    )
}
