//! `import`: licenses of another vendor become licenses of one's own. Works without any server.
//!
//! Every input ends in one line of the report, whatever became of it. The new license's id follows
//! from the old one's, and a license that is already there, with the same terms, is left as it is:
//! running it again changes nothing.

mod convert;

use std::path::{Path, PathBuf};

use mintreu::document::{Bundle, Kind, PublicKey, SigningKey, cbor, from_text, open, to_armor};
use mintreu::id::LicenseId;
use mintreu::import::keygen::{self, Account, Algorithm, Opening};
use mintreu::license::{Binding, Claims, Name, issue};
use mintreu::{Clock, SystemClock, Timestamp};
use serde::Serialize;
use serde_json::json;

use super::files::{Readable, read_text, write_new};
use super::keyfile::read_signing_key;
use super::keys::read_certificate;
use super::license::parse_binding;
use super::{CliError, Output};

/// Turn licenses of another vendor into your own; no server needed
#[derive(Debug, clap::Subcommand)]
pub enum Import {
    /// Read Keygen's signed keys, license files and machine files, and issue a license for each
    ///
    /// Check the files out with include=entitlements,policy,product (machine files with license
    /// too). The exit code is 1 when one of them could not be moved; the others were.
    ///
    /// Example: mintreu import keygen old/*.lic --account-key e8601e48…e788 --license-keys keys.txt
    /// --key acme.key --product acme.editor --out moved
    Keygen(Box<Keygen>),
}

/// What to read and how to issue
#[derive(Debug, clap::Args)]
pub struct Keygen {
    /// License files, machine files, or files of signed keys, one a line
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The Ed25519 public key of the Keygen account: 64 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = account_key)]
    account_key: PublicKey,
    /// License keys that open encrypted files, one a line; a tab and the fingerprint behind it for
    /// a machine file
    #[arg(long, value_name = "FILE")]
    license_keys: Option<PathBuf>,
    /// Take licenses of this Keygen product only
    #[arg(long, value_name = "ID")]
    keygen_product: Option<String>,
    /// The signing key: the root's or a certified one
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A certificate from the root towards the key, the root's first; at most two
    #[arg(long = "certificate", value_name = "FILE")]
    certificates: Vec<PathBuf>,
    /// The product's code
    #[arg(long, value_name = "CODE")]
    product: String,
    /// A policy, by name or id, and the edition it becomes; may be repeated
    #[arg(long = "map", value_name = "POLICY=EDITION", value_parser = mapping)]
    editions: Vec<(String, String)>,
    /// Whether devices need an activation [default: as it was at Keygen]
    #[arg(long, value_name = "HOW", value_parser = parse_binding)]
    binding: Option<Binding>,
    /// The meter that uses still left become a quota of
    #[arg(long, value_name = "METER", default_value = "uses")]
    uses_meter: Name,
    /// The folder for the licenses, one file each
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Runs one of them.
pub fn run(command: &Import, out: &Output) -> Result<(), CliError> {
    let Import::Keygen(command) = command;
    let moving = Moving::new(command)?;
    let mut lines = Vec::new();
    for path in &command.files {
        lines.extend(moving.file(path));
    }
    report(&lines, out)
}

fn account_key(text: &str) -> Result<PublicKey, String> {
    let unfit = || "the account's key is 64 hexadecimal digits".to_owned();
    let digits = text.as_bytes();
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut key = [0; 32];
    if digits.len() != 64 {
        return Err(unfit());
    }
    for (slot, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (digit(pair[0]), digit(pair[1]));
        *slot = high
            .zip(low)
            .map(|(high, low)| high << 4 | low)
            .ok_or_else(unfit)?;
    }
    PublicKey::from_bytes(&key).map_err(|error| error.detail().to_owned())
}

fn mapping(text: &str) -> Result<(String, String), String> {
    let (policy, edition) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is no mapping: write policy=edition"))?;
    Ok((policy.to_owned(), edition.to_owned()))
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Line {
    input: String,
    /// `written`, `unchanged` or `failed`.
    outcome: &'static str,
    /// Keygen's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    keygen_license: Option<String>,
    /// The key that the customer knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    keygen_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// What the old license said and the new one doesn't.
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Line {
    fn new(input: String) -> Self {
        Self {
            input,
            outcome: "failed",
            keygen_license: None,
            keygen_key: None,
            metadata: None,
            license: None,
            file: None,
            notes: Vec::new(),
            code: None,
            detail: None,
        }
    }

    fn text(&self) -> String {
        let what = match (&self.file, &self.detail) {
            (Some(file), _) => file.clone(),
            (None, Some(detail)) => format!("{detail} ({})", self.code.unwrap_or("failed")),
            (None, None) => String::new(),
        };
        let notes: String = self.notes.iter().map(|note| format!("; {note}")).collect();
        format!("{:<9}  {}  {what}{notes}", self.outcome, self.input)
    }
}

fn report(lines: &[Line], out: &Output) -> Result<(), CliError> {
    let count = |outcome: &str| lines.iter().filter(|line| line.outcome == outcome).count();
    let (written, unchanged, failed) = (count("written"), count("unchanged"), count("failed"));
    let mut text: Vec<String> = lines.iter().map(Line::text).collect();
    text.push(format!(
        "{written} written, {unchanged} unchanged, {failed} failed."
    ));
    let value = json!({
        "written": written, "unchanged": unchanged, "failed": failed, "inputs": lines,
    });
    out.result(&value, &text.join("\n"))?;
    if failed == 0 {
        return Ok(());
    }
    let detail = format!(
        "{failed} of {} were not moved; their lines say why",
        lines.len()
    );
    Err(CliError::new("partly_imported", detail))
}

/// Everything that is the same for all inputs.
struct Moving<'a> {
    command: &'a Keygen,
    key: SigningKey,
    certificates: Vec<Vec<u8>>,
    secrets: Vec<(String, Option<String>)>,
    now: Timestamp,
}

impl<'a> Moving<'a> {
    fn new(command: &'a Keygen) -> Result<Self, CliError> {
        let certificates = command.certificates.iter();
        std::fs::create_dir_all(&command.out).map_err(|error| {
            let detail = format!("{} can't be made: {error}", command.out.display());
            CliError::new("file_unwritable", detail)
        })?;
        Ok(Self {
            command,
            key: read_signing_key(&command.key)?,
            certificates: certificates
                .map(|path| read_certificate(path))
                .collect::<Result<_, _>>()?,
            secrets: match &command.license_keys {
                None => Vec::new(),
                Some(path) => secrets(&read_text(path)?),
            },
            now: SystemClock.now(),
        })
    }

    /// A line for each license that a file holds, or one that says why there is none.
    fn file(&self, path: &Path) -> Vec<Line> {
        let shown = path.display().to_string();
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) => return vec![failed(Line::new(shown), &error)],
        };
        if !text.trim_start().starts_with("key/") {
            return vec![self.line(shown, &text)];
        }
        let keys = text
            .lines()
            .enumerate()
            .filter(|(_, key)| !key.trim().is_empty());
        keys.map(|(at, key)| self.line(format!("{shown}:{}", at + 1), key))
            .collect()
    }

    fn line(&self, input: String, text: &str) -> Line {
        let mut line = Line::new(input);
        match self.moved(text, &mut line) {
            Ok(()) => line,
            Err(error) => failed(line, &error),
        }
    }

    fn moved(&self, text: &str, line: &mut Line) -> Result<(), CliError> {
        let old = self.read(text)?;
        line.keygen_license = Some(old.id.clone());
        line.keygen_key = old.key.clone().or_else(|| Some(text.trim().to_owned()));
        line.metadata = Some(old.metadata.clone());
        let terms = convert::Terms {
            product: &self.command.product,
            keygen_product: self.command.keygen_product.as_deref(),
            editions: &self.command.editions,
            binding: self.command.binding,
            uses_meter: &self.command.uses_meter,
        };
        let (claims, notes) = terms.claims(&old, self.now)?;
        line.notes = notes;
        line.license = Some(claims.id.to_string());
        let path = self.command.out.join(format!("{}.mtl", claims.id));
        line.outcome = self.write(&path, claims)?;
        line.file = Some(path.display().to_string());
        Ok(())
    }

    fn read(&self, text: &str) -> Result<keygen::License, CliError> {
        const ALL: &[Algorithm] = &[Algorithm::SignedKey, Algorithm::Plain, Algorithm::Sealed];
        let signed = Account::new(self.command.account_key, ALL).verify(text)?;
        let mut refused = match signed.open(&Opening::default()) {
            Ok(license) => return Ok(license),
            Err(error) => error,
        };
        if refused.code() != "secret_needed" {
            return Err(refused.into());
        }
        for (key, fingerprint) in &self.secrets {
            let opening = Opening {
                license_key: Some(key),
                fingerprint: fingerprint.as_deref(),
                now: None,
            };
            match signed.open(&opening) {
                Ok(license) => return Ok(license),
                Err(error) if ["wrong_secret", "secret_needed"].contains(&error.code()) => {
                    refused = error;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(refused.into())
    }

    /// Writes the license, unless the file already holds one with the same terms.
    fn write(&self, path: &Path, mut claims: Claims) -> Result<&'static str, CliError> {
        let before = match path.exists() {
            true => Some(from_text(&read_text(path)?)?),
            false => None,
        };
        if let Some(before) = &before {
            claims.issued_at = self.issued_at(before)?;
        }
        let chain: Vec<&[u8]> = self.certificates.iter().map(Vec::as_slice).collect();
        let bundle = issue(&claims, &self.key, &chain)?;
        match before {
            // Signing is deterministic: the same terms at the same instant are the same bytes.
            Some(before) if before == bundle => Ok("unchanged"),
            Some(_) => Err(differs(path, claims.id)),
            None => {
                write_new(path, to_armor(&bundle)?.as_bytes(), Readable::ByAnyone)?;
                Ok("written")
            }
        }
    }

    /// When the license in a file of ours was issued.
    fn issued_at(&self, bundle: &[u8]) -> Result<Timestamp, CliError> {
        let document = Bundle::from_bytes(bundle)?;
        let claims = open(Kind::License, document.document(), &[self.key.public()])?;
        let claims = cbor::decode(claims)?;
        let secs = claims.need(mintreu::document::ISSUED_AT, "iat")?.as_int()?;
        Ok(Timestamp::from_secs(secs))
    }
}

fn failed(mut line: Line, error: &CliError) -> Line {
    line.outcome = "failed";
    line.code = Some(error.code);
    line.detail = Some(error.detail.clone());
    line
}

fn differs(path: &Path, id: LicenseId) -> CliError {
    let detail = format!(
        "{} holds {id} with other terms; move it away to issue it again",
        path.display()
    );
    CliError::new("file_exists", detail)
}

fn secrets(text: &str) -> Vec<(String, Option<String>)> {
    let lines = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty());
    lines
        .map(|line| match line.split_once('\t') {
            Some((key, fingerprint)) => (key.to_owned(), Some(fingerprint.to_owned())),
            None => (line.to_owned(), None),
        })
        .collect()
}
