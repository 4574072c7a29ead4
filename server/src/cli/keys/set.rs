//! `keys set`, `keys consent` and `keys check`: key sets made and followed on one's own machine.
//!
//! A set is written only after it was followed from the pinned trust as a device would follow it,
//! so that a mistake is found at the desk and not at the customers.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use mintreu::document::{Bundle, Kind, PublicKey, SigningKey, from_text, to_armor};
use mintreu::license::{Certificate, KeySet, Products, RevokedKey, Ring};
use mintreu::{Clock, SystemClock, Timestamp};
use serde_json::{Value, json};

use super::super::files::{Readable, read_text, text_or_file, write_new};
use super::super::keyfile::{is_signing_key, read_public_key, read_signing_key};
use super::super::license::terms::{Instant, day};
use super::super::{CliError, Output};
use super::{hex, read_certificate, read_trust};

/// What a key set says
#[derive(Debug, clap::Args)]
pub struct Set {
    /// The root (or its spare) that signs the set
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// What products pin: an mt1-trust line or a file with it; the set is followed from there
    #[arg(long, value_name = "TRUST")]
    trust: String,
    /// The set before this one: what it says is said again
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// The version [default: one more than before]
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    /// A certificate to add; may be repeated
    #[arg(long = "add", value_name = "CERT")]
    add: Vec<PathBuf>,
    /// A key to revoke totally, from a day on or at once: MT1K-… or a file, @ and the day
    #[arg(long = "revoke", value_name = "KEY[@DATE]")]
    revoke: Vec<Revoked>,
    /// A license that was signed again, to travel along; may be repeated
    #[arg(long = "license", value_name = "FILE")]
    licenses: Vec<String>,
    /// The root key that holds from now on; a .key file consents at once
    #[arg(long, value_name = "KEY")]
    new_root: Option<String>,
    /// The spare beside the new root; a .key file consents at once
    #[arg(long, value_name = "KEY", requires = "new_root")]
    spare: Option<String>,
    /// The consent of a new root that is kept elsewhere; may be repeated
    #[arg(long = "consent", value_name = "FILE", requires = "new_root")]
    consents: Vec<PathBuf>,
    /// Set the licenses of these products free for ever; of all without a code
    #[arg(long, value_name = "CODE", num_args = 0..)]
    sunset: Option<Vec<String>>,
    /// Where to write the set
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A new root's consent to become one
#[derive(Debug, clap::Args)]
pub struct Consent {
    /// The new root (or spare) that consents
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The version of the set that will change the roots
    #[arg(long, value_name = "N")]
    version: u64,
    /// The new root, as the set will name it
    #[arg(long, value_name = "KEY")]
    new_root: String,
    /// The spare beside it, as the set will name it
    #[arg(long, value_name = "KEY")]
    spare: Option<String>,
    /// Where to write the consent
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Key sets to follow
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Key sets in the order in which a device meets them
    #[arg(value_name = "SET", required = true)]
    sets: Vec<String>,
    /// What the product pins: an mt1-trust line, a file with it, or a root key
    #[arg(long, value_name = "TRUST")]
    trust: String,
}

/// A key and from when it is revoked, as written on the command line.
#[derive(Debug, Clone)]
struct Revoked {
    key: String,
    from: Option<Timestamp>,
}

impl FromStr for Revoked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, from) = match text.rsplit_once('@') {
            None => (text, None),
            Some((key, date)) => (key, Some(date.parse::<Instant>()?.0)),
        };
        Ok(Self {
            key: key.to_owned(),
            from,
        })
    }
}

/// Reads a key set in any of its text forms.
pub fn read_key_set(given: &str) -> Result<Vec<u8>, CliError> {
    let bytes = from_text(&text_or_file(given, &["MT1-", "-----BEGIN MINTREU"])?)?;
    if Bundle::from_bytes(&bytes)?.kind() == Kind::KeySet {
        return Ok(bytes);
    }
    let detail = format!("{given} holds another kind of document");
    Err(CliError::new("wrong_kind", detail))
}

fn read_set_file(path: &Path) -> Result<Vec<u8>, CliError> {
    read_key_set(&path.display().to_string())
}

/// Makes a set.
pub fn make(command: &Set, out: &Output) -> Result<(), CliError> {
    let root = read_signing_key(&command.root)?;
    let mut ring = Ring::new(read_trust(&command.trust, None)?);
    let previous = command.previous.as_deref().map(read_set_file).transpose()?;
    if let Some(bytes) = &previous {
        ring.install_key_set(bytes)?;
    }
    let now = SystemClock.now();
    let mut set = next(&ring, previous, command.version, now);
    let mut gone = Vec::new();
    for revoked in &command.revoke {
        let key = read_public_key(&revoked.key)?;
        let from = revoked.from.unwrap_or(now);
        gone.push(key);
        set.revoked.retain(|known| known.key != key);
        set.revoked.push(RevokedKey { key, from });
    }
    set.certificates = without(&ring, &gone);
    for path in &command.add {
        set.certificates.push(read_certificate(path)?);
    }
    for given in &command.licenses {
        set.licenses.push(read_license(given)?);
    }
    if let Some(codes) = &command.sunset {
        set.sunset = Some(sunset(set.sunset.take(), codes));
    }
    roots(command, &mut set)?;
    let bytes = set.issue(&root)?;
    if !ring.install_key_set(&bytes)? {
        let detail = format!("version {} is not newer than the set before", set.version);
        return Err(CliError::new("keyset_old", detail));
    }
    if set.roots.is_empty() {
        ring.as_pinned_today()?.install_key_set(&bytes)?;
    }
    write_new(
        &command.out,
        to_armor(&bytes)?.as_bytes(),
        Readable::ByAnyone,
    )?;
    let people = format!("Wrote {}.\n{}", command.out.display(), words(&ring));
    out.result(&as_json(&ring), &people)
}

/// The set after the one that `ring` holds: it says the same, and carries the last change of roots.
fn next(ring: &Ring, previous: Option<Vec<u8>>, version: Option<u64>, now: Timestamp) -> KeySet {
    let Some(held) = ring.key_set() else {
        return KeySet::new(version.unwrap_or(1), now);
    };
    let mut set = held.clone();
    set.version = version.unwrap_or(held.version.saturating_add(1));
    set.issued_at = now;
    if !set.roots.is_empty() {
        set.previous = previous;
        set.roots = Vec::new();
        set.endorsements = Vec::new();
    }
    set
}

/// The certificates that are held, but those of revoked keys and of roots of before: who pins
/// today's roots could read none of a set that holds one of the latter.
fn without(ring: &Ring, gone: &[PublicKey]) -> Vec<Vec<u8>> {
    let documents = ring.key_set().map_or(&[][..], |set| &set.certificates);
    let held = ring.certificates().zip(documents);
    let roots: Vec<_> = ring.roots_in_force().collect();
    held.filter(|(certificate, _)| !gone.contains(&certificate.key))
        .filter(|(_, document)| Certificate::verify(document, &roots).is_ok())
        .map(|(_, document)| document.clone())
        .collect()
}

fn read_license(given: &str) -> Result<Vec<u8>, CliError> {
    let bytes = from_text(&text_or_file(given, &["MT1-", "-----BEGIN MINTREU"])?)?;
    if Bundle::from_bytes(&bytes)?.kind() == Kind::License {
        return Ok(bytes);
    }
    Err(CliError::new(
        "wrong_kind",
        format!("{given} holds no license"),
    ))
}

fn sunset(before: Option<Products>, codes: &[String]) -> Products {
    match (before, codes) {
        (Some(Products::Any), _) | (_, []) => Products::Any,
        (None, codes) => Products::Only(codes.to_vec()),
        (Some(Products::Only(mut known)), codes) => {
            for code in codes
                .iter()
                .filter(|code| !known.contains(code))
                .collect::<Vec<_>>()
            {
                known.push(code.clone());
            }
            Products::Only(known)
        }
    }
}

fn roots(command: &Set, set: &mut KeySet) -> Result<(), CliError> {
    let given: Vec<&String> = command.new_root.iter().chain(&command.spare).collect();
    for key in &given {
        set.roots.push(read_public_key(key)?);
    }
    for key in &given {
        if let Some(key) = signing_key_in(key)? {
            set.endorsements.push(set.endorse(&key)?);
        }
    }
    for path in &command.consents {
        set.endorsements.push(read_set_file(path)?);
    }
    Ok(())
}

/// The secret half, when a new root was named by its `.key` file.
fn signing_key_in(given: &str) -> Result<Option<SigningKey>, CliError> {
    if given.trim_start().starts_with("MT1K-") {
        return Ok(None);
    }
    let path = Path::new(given);
    let text = zeroize::Zeroizing::new(read_text(path)?);
    match is_signing_key(&text) {
        true => read_signing_key(path).map(Some),
        false => Ok(None),
    }
}

/// Consents to a change of roots.
pub fn consent(command: &Consent, out: &Output) -> Result<(), CliError> {
    let key = read_signing_key(&command.key)?;
    let mut set = KeySet::new(command.version, SystemClock.now());
    for given in command_roots(command) {
        set.roots.push(read_public_key(given)?);
    }
    if !set.roots.contains(key.public()) {
        let detail = "the key that consents is neither the new root nor its spare";
        return Err(CliError::new("root_missing", detail));
    }
    let bytes = set.endorse(&key)?;
    write_new(
        &command.out,
        to_armor(&bytes)?.as_bytes(),
        Readable::ByAnyone,
    )?;
    let (shown, version) = (command.out.display(), command.version);
    let people = format!(
        "Wrote {shown}: {} consents to be a root from version {version} on.",
        key.public()
    );
    let value = json!({ "public_key": key.public().to_string(), "version": version });
    out.result(&value, &people)
}

fn command_roots(command: &Consent) -> impl Iterator<Item = &str> {
    let spare = command.spare.as_deref();
    std::iter::once(command.new_root.as_str()).chain(spare)
}

/// Follows sets as a device would.
pub fn check(command: &Check, out: &Output) -> Result<(), CliError> {
    let mut ring = Ring::new(read_trust(&command.trust, None)?);
    for given in &command.sets {
        let new = ring.install_key_set(&read_key_set(given)?)?;
        if !new {
            out.note(&format!("{given} says nothing new"));
        }
    }
    out.result(&as_json(&ring), &words(&ring))
}

fn as_json(ring: &Ring) -> Value {
    let Some(set) = ring.key_set() else {
        return Value::Null;
    };
    let added: Vec<_> = ring.certificates().map(super::certificate_json).collect();
    let revoked = set.revoked.iter().map(|revoked| {
        json!({
            "public_key": revoked.key.to_string(),
            "kid": hex(&revoked.key.kid()),
            "from": revoked.from.ms(),
        })
    });
    json!({
        "version": set.version,
        "issued_at": set.issued_at.ms(),
        "certificates": added,
        "revoked": revoked.collect::<Vec<_>>(),
        "roots": texts(ring.roots_in_force()),
        "changes_roots": !set.roots.is_empty(),
        "sunset": match &set.sunset {
            None => json!([]),
            Some(Products::Any) => json!(true),
            Some(Products::Only(list)) => json!(list),
        },
        "licenses": set.licenses.len(),
    })
}

fn texts<'a>(keys: impl Iterator<Item = &'a PublicKey>) -> Vec<String> {
    keys.map(ToString::to_string).collect()
}

fn words(ring: &Ring) -> String {
    let Some(set) = ring.key_set() else {
        return "There is no key set.".to_owned();
    };
    let mut lines = vec![format!(
        "Key set version {} of {}.",
        set.version,
        day(set.issued_at)
    )];
    lines.extend(ring.certificates().map(added));
    for revoked in &set.revoked {
        let (key, from) = (revoked.key, day(revoked.from));
        lines.push(format!("{key} is revoked: what hangs on it ends {from}."));
    }
    let roots = texts(ring.roots_in_force());
    let verb = if set.roots.is_empty() {
        "stays"
    } else {
        "becomes"
    };
    lines.push(match roots.as_slice() {
        [root, spare] => format!("The root {verb} {root}, its spare {spare}."),
        _ => format!("The root {verb} {}, without a spare.", roots.join(", ")),
    });
    match &set.sunset {
        None => {}
        Some(Products::Any) => lines.push("The licenses of every product are free.".to_owned()),
        Some(Products::Only(list)) => {
            lines.push(format!("The licenses of {} are free.", list.join(", ")));
        }
    }
    if !set.licenses.is_empty() {
        let count = set.licenses.len();
        lines.push(format!("Licenses signed again that travel along: {count}."));
    }
    lines.join("\n")
}

fn added(certificate: &Certificate) -> String {
    super::sentences(certificate)
}
