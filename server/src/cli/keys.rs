//! `keys`: root keys, certificates for other keys, and rotation. Works without any server.

mod rewrap;
pub mod set;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use mintreu::document::{Bundle, Kind, PublicKey, SigningKey, from_text, to_armor};
use mintreu::license::{Certificate, Products, Trust};
use mintreu::{Clock, SystemClock, Timestamp};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::files::{Readable, read_text, text_or_file, write_new};
use super::keyfile::{is_signing_key, read_public_key, read_signing_key, write_signing_key};
use super::license::terms::{Instant, day};
use super::{CliError, Output};

/// Make and certify the keys that sign licenses; no server needed
#[derive(Debug, clap::Subcommand)]
pub enum Keys {
    /// Make a new signing key
    ///
    /// Writes FILE (mode 0600, keep it offline and backed up) and its public half beside it,
    /// with the ending .pub. Whoever holds a root key can forge every license of its products.
    New(New),
    /// Let a key sign some kinds of document for some products
    ///
    /// The certificate travels with each license, so that a product which pins only the root can
    /// check it offline. Its dates bound what the key may sign; licenses outlive it.
    Certificate(Certify),
    /// Replace a certified key: a new key and a certificate with the same scope
    ///
    /// What the old key signed stays good: licenses outlive certificates. A stolen key must be
    /// revoked instead.
    Rotate(Rotate),
    /// Show a key or certificate: never the secret
    Show(Show),
    /// Make a key set: what a root says about keys after products were built
    ///
    /// It adds and revokes keys, changes the roots and sets products free. Each set says
    /// everything; name the one before as --previous and it is said again. It is written only if
    /// devices that pin the trust would take it.
    Set(Box<set::Set>),
    /// Make a key file of a root that a server exported
    Import(Import),
    /// Seal a server's secrets under another key-encryption key; the server must be stopped
    ///
    /// The settings name the database and the key of until now. Afterwards the settings must name
    /// the new key: the old one opens nothing any more. Backups of before need the old one.
    Rewrap(rewrap::Rewrap),
    /// Consent to become a root, where the new root is kept
    Consent(set::Consent),
    /// Follow key sets as a device would, and say what they come to
    Check(set::Check),
}

/// Make a new signing key
#[derive(Debug, clap::Args)]
pub struct New {
    /// Where to write the key
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Make a spare root too, to be kept apart from the first
    #[arg(long, value_name = "FILE")]
    spare: Option<PathBuf>,
}

/// A seed to take in
#[derive(Debug, clap::Args)]
pub struct Import {
    /// A file with the seed as it was exported (base64url), or - for standard input
    #[arg(value_name = "FILE")]
    from: PathBuf,
    /// Where to write the key
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What a product's key signs.
const KINDS: [&str; 5] = ["license", "activation", "lease", "challenge", "revocations"];

/// What a key may sign
#[derive(Debug, clap::Args)]
pub struct Certify {
    /// The root's (or a delegating seller's) signing key
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// The key to certify: MT1K-…, a .pub or a .key file
    #[arg(long, value_name = "KEY")]
    key: String,
    /// A kind it may sign; may be repeated
    #[arg(long = "kind", value_name = "KIND", default_values = KINDS)]
    kinds: Vec<String>,
    /// A product it may sign for; may be repeated [default: every product]
    #[arg(long = "product", value_name = "CODE")]
    products: Vec<String>,
    /// The first day it may sign on [default: now]
    #[arg(long, value_name = "DATE")]
    from: Option<Instant>,
    /// The first day it may no longer sign on [default: no end]
    #[arg(long, value_name = "DATE")]
    until: Option<Instant>,
    /// Whether it may certify keys itself, never more widely than this
    #[arg(long)]
    delegate: bool,
    /// Where to write the certificate
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Replace a certified key
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// The signing key that signed the old certificate
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// The old key's certificate
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// The first day the new key may no longer sign on [default: as before, if that is ahead]
    #[arg(long, value_name = "DATE")]
    until: Option<Instant>,
    /// Where to write the new key; its certificate goes beside it with the ending .crt
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Show a key or certificate
#[derive(Debug, clap::Args)]
pub struct Show {
    /// A .key, .pub or .crt file, or MT1K-…
    #[arg(value_name = "FILE")]
    file: String,
    /// The root that signed a certificate: MT1K-… or a .pub file
    #[arg(long, value_name = "KEY")]
    root: Option<String>,
}

/// Runs one of them.
pub fn run(command: &Keys, config: Option<&Path>, out: &Output) -> Result<(), CliError> {
    match command {
        Keys::New(new) => create(new, out),
        Keys::Certificate(certify) => issue(certify, out),
        Keys::Rotate(rotate) => replace(rotate, out),
        Keys::Show(show) => describe(show, out),
        Keys::Import(import) => take_in(import, out),
        Keys::Rewrap(command) => rewrap::run(command, config, out),
        Keys::Set(command) => set::make(command, out),
        Keys::Consent(command) => set::consent(command, out),
        Keys::Check(command) => set::check(command, out),
    }
}

fn create(new: &New, out: &Output) -> Result<(), CliError> {
    let key = SigningKey::generate()?;
    let public = write_pair(&new.out, &key)?;
    let (text, shown) = (key.public().to_string(), new.out.display());
    let mut value = json!({
        "key": shown.to_string(),
        "public": public.display().to_string(),
        "public_key": text,
    });
    let mut people = format!("Wrote {shown} (secret) and {}.\n", public.display());
    let mut trust = format!("mt1-trust product=CODE root={text}");
    if let Some(path) = &new.spare {
        let spare = SigningKey::generate()?;
        let public = write_pair(path, &spare)?;
        let spare = spare.public().to_string();
        people += &format!(
            "Wrote {} (secret) and {}.\n",
            path.display(),
            public.display()
        );
        trust += &format!(" spare={spare}");
        value["spare"] = json!(path.display().to_string());
        value["spare_public_key"] = json!(spare);
    }
    value["trust"] = json!(trust);
    people += &format!("Pin this in your product: {trust}");
    out.result(&value, &people)
}

fn take_in(import: &Import, out: &Output) -> Result<(), CliError> {
    let text = Zeroizing::new(read_text(&import.from)?);
    let bytes = Zeroizing::new(
        BASE64_URL_SAFE_NO_PAD
            .decode(text.trim())
            .unwrap_or_default(),
    );
    let seed = <&[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| {
        let detail = "a seed is 32 bytes in base64url: 43 characters";
        CliError::new("seed_malformed", detail)
    })?;
    let key = SigningKey::from_seed(seed);
    let public = write_pair(&import.out, &key)?;
    let (text, shown) = (key.public().to_string(), import.out.display());
    let value = json!({
        "key": shown.to_string(),
        "public": public.display().to_string(),
        "public_key": text,
    });
    let people = format!("Wrote {shown} (secret) and {}: {text}", public.display());
    out.result(&value, &people)
}

/// Writes a key and its public half; gives the latter's path.
fn write_pair(path: &Path, key: &SigningKey) -> Result<PathBuf, CliError> {
    let public = beside(path, "pub")?;
    if public.exists() {
        let shown = public.display();
        let detail = format!("{shown} already exists; choose another name or move it away first");
        return Err(CliError::new("file_exists", detail));
    }
    write_signing_key(path, key)?;
    write_new(
        &public,
        format!("{}\n", key.public()).as_bytes(),
        Readable::ByAnyone,
    )?;
    Ok(public)
}

fn beside(path: &Path, ending: &str) -> Result<PathBuf, CliError> {
    let other = path.with_extension(ending);
    if other == path {
        let detail = format!("the key itself can't end in .{ending}; call it NAME.key");
        return Err(CliError::new("file_name", detail));
    }
    Ok(other)
}

fn issue(certify: &Certify, out: &Output) -> Result<(), CliError> {
    let root = read_signing_key(&certify.root)?;
    let now = SystemClock.now();
    let kinds: Result<Vec<Kind>, _> = certify.kinds.iter().map(|name| kind(name)).collect();
    let certificate = Certificate {
        key: read_public_key(&certify.key)?,
        kinds: kinds?,
        products: match certify.products.as_slice() {
            [] => Products::Any,
            some => Products::Only(some.to_vec()),
        },
        issued_at: now,
        signs_from: certify.from.map_or(now, |from| from.0),
        signs_until: certify.until.map(|until| until.0),
        delegate: certify.delegate,
        licenses: None,
    };
    write_certificate(&certify.out, &certificate, &root)?;
    let people = format!(
        "Wrote {}.\n{}",
        certify.out.display(),
        sentences(&certificate)
    );
    out.result(&certificate_json(&certificate), &people)
}

fn kind(name: &str) -> Result<Kind, CliError> {
    Kind::from_name(name).map_err(|_| {
        let known: Vec<_> = Kind::all().map(Kind::name).collect();
        let known = known.join(", ");
        CliError::new(
            "kind_unknown",
            format!("{name:?} is no kind of document: {known}"),
        )
        .exit(2)
    })
}

fn write_certificate(
    path: &Path,
    certificate: &Certificate,
    parent: &SigningKey,
) -> Result<(), CliError> {
    let armor = to_armor(&certificate.issue(parent)?)?;
    write_new(path, armor.as_bytes(), Readable::ByAnyone)
}

/// Reads the bytes of one certificate file.
pub fn read_certificate(path: &Path) -> Result<Vec<u8>, CliError> {
    let bytes = from_text(&read_text(path)?)?;
    if Bundle::from_bytes(&bytes)?.kind() == Kind::Certificate {
        return Ok(bytes);
    }
    let detail = format!("{} holds another kind of document", path.display());
    Err(CliError::new("wrong_kind", detail))
}

fn replace(rotate: &Rotate, out: &Output) -> Result<(), CliError> {
    let root = read_signing_key(&rotate.root)?;
    let old = Certificate::verify(&read_certificate(&rotate.certificate)?, &[root.public()])?;
    let now = SystemClock.now();
    let key = SigningKey::generate()?;
    let until = match rotate.until {
        Some(until) => Some(until.0),
        None => old.signs_until.filter(|&until| until > now),
    };
    let certificate = Certificate {
        key: *key.public(),
        issued_at: now,
        signs_from: now,
        signs_until: until,
        ..old
    };
    let certificate_path = beside(&rotate.out, "crt")?;
    write_pair(&rotate.out, &key)?;
    write_certificate(&certificate_path, &certificate, &root)?;
    let people = format!(
        "Wrote {} (secret) and {}.\n{}\nWhat the old key signed stays good.",
        rotate.out.display(),
        certificate_path.display(),
        sentences(&certificate),
    );
    out.result(&certificate_json(&certificate), &people)
}

fn describe(show: &Show, out: &Output) -> Result<(), CliError> {
    let text = text_or_file(&show.file, &["MT1K-", "MT1-"])?;
    if is_signing_key(&text) || text.trim_start().starts_with("MT1K-") {
        let key = read_public_key(&show.file)?;
        let value = json!({ "public_key": key.to_string(), "kid": hex(&key.kid()) });
        return out.result(
            &value,
            &format!("public key {key}\nkey id     {}", hex(&key.kid())),
        );
    }
    let root = show.root.as_deref().ok_or_else(|| {
        let detail = "name the root that signed the certificate: --root root.pub";
        CliError::new("root_missing", detail).exit(2)
    })?;
    let root: PublicKey = read_public_key(root)?;
    let certificate = Certificate::verify(&from_text(&text)?, &[&root])?;
    out.result(&certificate_json(&certificate), &sentences(&certificate))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn certificate_json(certificate: &Certificate) -> Value {
    json!({
        "public_key": certificate.key.to_string(),
        "kinds": certificate.kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
        "products": match &certificate.products {
            Products::Any => Value::Null,
            Products::Only(list) => json!(list),
        },
        "signs_from": certificate.signs_from.ms(),
        "signs_until": certificate.signs_until.map(Timestamp::ms),
        "delegate": certificate.delegate,
    })
}

fn sentences(certificate: &Certificate) -> String {
    let kinds: Vec<_> = certificate.kinds.iter().map(|kind| kind.name()).collect();
    let products = match &certificate.products {
        Products::Any => "every product".to_owned(),
        Products::Only(list) => list.join(", "),
    };
    let until = certificate
        .signs_until
        .map_or("without end".to_owned(), |until| {
            format!("until {}", day(until))
        });
    let delegate = if certificate.delegate {
        ", and certify other keys"
    } else {
        ""
    };
    format!(
        "{} may sign {} for {products}, from {} {until}{delegate}.",
        certificate.key,
        kinds.join(", "),
        day(certificate.signs_from),
    )
}

/// Reads what to trust: a whole trust, or a root key with `product` (any product without one).
pub fn read_trust(given: &str, product: Option<&str>) -> Result<Trust, CliError> {
    let text = text_or_file(given, &["mt1-trust", "MT1K-"])?;
    if text.trim_start().starts_with("mt1-trust") {
        return Ok(text.parse()?);
    }
    let root = if is_signing_key(&text) {
        read_public_key(given)?
    } else {
        text.parse()?
    };
    match product {
        Some(product) => Ok(Trust::new(product, root)?),
        None => Ok(Trust::for_any_product(root)),
    }
}
