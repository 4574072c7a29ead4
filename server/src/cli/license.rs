//! `license`: issue, verify and show licenses. Works without any server.

mod quota;
pub mod terms;

use std::path::PathBuf;

use mintreu::activation::{Activation, Fingerprint};
use mintreu::document::{Bundle, PublicKey, from_text, kind_of, to_armor, to_qr, to_text};
use mintreu::id::LicenseId;
use mintreu::license::{
    self, Binding, Claims, DeviceFacts, Entitlement, Facts, ListEntry, Matching, Name, OnExpiry,
    QuotaClaim, Ring, Verdict, VerifiedLicense, Version, VersionRange,
};
use mintreu::{Clock, SystemClock, Timestamp};
use serde_json::{Map, Value, json};

use self::quota::{quota, window_text};
use self::terms::{Instant, Place, Seconds, day, entitlement, place, sentence, versions};
use super::files::{Readable, text_or_file, write_new};
use super::keyfile::{read_public_key, read_signing_key};
use super::keys::set::read_key_set;
use super::keys::{read_certificate, read_trust};
use super::revocations::{self, read_list};
use super::{CliError, Output};

/// What a license starts with, in any of its forms.
const FORMS: [&str; 3] = ["MT1-", "MT1:", "-----BEGIN MINTREU"];

/// Issue and check licenses; no server needed
#[derive(Debug, clap::Subcommand)]
pub enum License {
    /// Issue a license and print it
    ///
    /// Example: mintreu license issue --key acme.key --product acme.editor --entitlement pro
    /// --quota renders=500/month --expires 2027-01-01
    Issue(Box<Issue>),
    /// Say whether a license holds, or the one reason why not
    ///
    /// The exit code is 0 when the product may run and 1 when it may not.
    ///
    /// Example: mintreu license verify license.mtl --trust root.pub --product acme.editor
    Verify(Box<Verify>),
    /// Show what a document is, in another form if asked; nothing of it is verified
    Show(Show),
}

/// The terms of a new license
#[derive(Debug, clap::Args)]
pub struct Issue {
    /// The signing key: the root's or a certified one
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A certificate from the root towards the key, the root's first; at most two
    #[arg(long = "certificate", value_name = "FILE")]
    certificates: Vec<PathBuf>,
    /// The product's code
    #[arg(long, value_name = "CODE")]
    product: String,
    /// The license's id, to issue it again [default: a new one]
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    id: Option<LicenseId>,
    /// The edition that was bought
    #[arg(long, value_name = "NAME")]
    edition: Option<String>,
    /// What it allows: pro, projects=50 or region=eu; may be repeated
    #[arg(long = "entitlement", value_name = "NAME[=VALUE]", value_parser = entitlement)]
    entitlements: Vec<(Name, Entitlement)>,
    /// How much of a meter: renders=500/month[,per-device][,overage[=CAP]][,zone=Europe/Berlin]
    /// [,rollover=0..100][,alert=80][,credit=ID:UNITS[:PRIORITY[:EXPIRES]]]; a billing period is
    /// 500/months,from=2026-01-31, a rolling window 100/60m; may be repeated
    #[arg(long = "quota", value_name = "METER=N/WINDOW", value_parser = quota)]
    quotas: Vec<(Name, QuotaClaim)>,
    /// How many devices, or floating users at a time
    #[arg(long, value_name = "N")]
    seats: Option<u32>,
    /// The first day it no longer holds on
    #[arg(long, value_name = "DATE")]
    expires: Option<Instant>,
    /// The first day it holds on
    #[arg(long, value_name = "DATE")]
    starts: Option<Instant>,
    /// What the end means: restrict stops, maintain keeps older versions, allow only warns
    #[arg(long, value_name = "HOW", default_value = "restrict", value_parser = parse_on_expiry)]
    on_expiry: OnExpiry,
    /// How long it still works after the end: 14d
    #[arg(long, value_name = "TIME")]
    grace: Option<Seconds>,
    /// Whether it is a trial
    #[arg(long)]
    trial: bool,
    /// The versions it covers: 2..3
    #[arg(long, value_name = "RANGE", value_parser = versions)]
    versions: Option<VersionRange>,
    /// Versions released after this day are not covered
    #[arg(long, value_name = "DATE")]
    updates_until: Option<Instant>,
    /// Whether devices need an activation: none, node-locked or floating
    #[arg(long, value_name = "HOW", default_value = "none", value_parser = parse_binding)]
    binding: Binding,
    /// How much of a device's fingerprint must match: ignore, any, two, most or all
    #[arg(long, value_name = "HOW", default_value = "ignore", value_parser = parse_matching)]
    matching: Matching,
    /// The one device it holds on: its key, MT1K-…
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    device: Option<PublicKey>,
    /// The customer as an id of yours; no name, no address
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// A license it takes the place of; may be repeated
    #[arg(long = "supersedes", value_name = "ID", value_parser = parse_id)]
    supersedes: Vec<LicenseId>,
    /// Its place in a revocation list: LIST, or LIST:INDEX to issue it again [default index: random]
    #[arg(long, value_name = "LIST[:INDEX]", value_parser = place)]
    status: Option<Place>,
    /// Write it to a new file, in armour, instead of printing one line
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What to check a license against
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The license itself, a file, or - for standard input
    #[arg(value_name = "LICENSE")]
    license: String,
    /// What is trusted: a .pub file, MT1K-…, or a whole mt1-trust line
    #[arg(long, value_name = "TRUST")]
    trust: String,
    /// The product's code; any product without it
    #[arg(long, value_name = "CODE")]
    product: Option<String>,
    /// The instant to judge at [default: now]
    #[arg(long, value_name = "DATE")]
    at: Option<Instant>,
    /// The newest key set, and sets before it, as a device holds them; may be repeated
    #[arg(long = "keyset", value_name = "SET")]
    key_sets: Vec<String>,
    /// A revocation list; may be repeated
    #[arg(long = "revocations", value_name = "LIST")]
    revocations: Vec<String>,
    /// The product's version
    #[arg(long = "product-version", value_name = "VERSION", value_parser = parse_version)]
    version: Option<Version>,
    /// When that version was released
    #[arg(long, value_name = "DATE")]
    released: Option<Instant>,
    /// The device's key, MT1K-… or a file
    #[arg(long, value_name = "KEY")]
    device: Option<String>,
    /// The device's activation: itself, a file, or -
    #[arg(long, value_name = "ACTIVATION", requires = "device")]
    activation: Option<String>,
}

/// A document to look at
#[derive(Debug, clap::Args)]
pub struct Show {
    /// The document itself, a file, or - for standard input
    #[arg(value_name = "DOCUMENT")]
    document: String,
    /// Print it in this form: text, armor, codes (the texts in them) or qr (to scan)
    #[arg(long = "as", value_name = "FORM", value_parser = ["text", "armor", "codes", "qr"])]
    form: Option<String>,
}

/// Runs one of them.
pub fn run(command: &License, out: &Output) -> Result<(), CliError> {
    match command {
        License::Issue(issue) => create(issue, out),
        License::Verify(verify) => check(verify, out),
        License::Show(show) => describe(show, out),
    }
}

fn parse_id(text: &str) -> Result<LicenseId, String> {
    LicenseId::parse(text).map_err(sentence)
}

fn parse_key(text: &str) -> Result<PublicKey, String> {
    text.parse().map_err(sentence)
}

fn parse_version(text: &str) -> Result<Version, String> {
    text.parse().map_err(sentence)
}

fn named<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        format!("use one of {}", names.join(", "))
    })
}

fn parse_on_expiry(text: &str) -> Result<OnExpiry, String> {
    let known = [
        ("restrict", OnExpiry::Restrict),
        ("maintain", OnExpiry::Maintain),
        ("allow", OnExpiry::Allow),
    ];
    named(text, &known)
}

pub(super) fn parse_binding(text: &str) -> Result<Binding, String> {
    let known = [
        ("none", Binding::None),
        ("node-locked", Binding::NodeLocked),
        ("floating", Binding::Floating),
    ];
    named(text, &known)
}

fn parse_matching(text: &str) -> Result<Matching, String> {
    let known = [
        ("ignore", Matching::Ignore),
        ("any", Matching::Any),
        ("two", Matching::Two),
        ("most", Matching::Most),
        ("all", Matching::All),
    ];
    named(text, &known)
}

fn create(issue: &Issue, out: &Output) -> Result<(), CliError> {
    let key = read_signing_key(&issue.key)?;
    let mut certificates = Vec::with_capacity(issue.certificates.len());
    for path in &issue.certificates {
        certificates.push(read_certificate(path)?);
    }
    let chain: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    let claims = claims(issue, SystemClock.now())?;
    let bundle = license::issue(&claims, &key, &chain)?;
    let text = to_text(&bundle);
    let value = json!({ "license": text, "claims": claims_json(&claims) });
    let Some(path) = &issue.out else {
        return out.result(&value, &text);
    };
    write_new(path, to_armor(&bundle)?.as_bytes(), Readable::ByAnyone)?;
    out.result(
        &value,
        &format!("Wrote {} ({}).", path.display(), claims.id),
    )
}

fn claims(issue: &Issue, now: Timestamp) -> Result<Claims, CliError> {
    let mut claims = Claims::new(
        issue.id.map_or_else(|| new_id(now), Ok)?,
        &issue.product,
        now,
    );
    claims.not_before = issue.starts.map(|starts| starts.0);
    claims.expires_at = issue.expires.map(|expires| expires.0);
    claims.device = issue.device;
    claims.edition = issue.edition.clone();
    claims.entitlements = issue.entitlements.iter().cloned().collect();
    claims.quotas = issue.quotas.iter().cloned().collect();
    let credits = claims.quotas.values_mut().flat_map(|q| &mut q.credits);
    credits.for_each(|credit| credit.created = now);
    claims.seats = issue.seats;
    claims.on_expiry = issue.on_expiry;
    claims.grace_secs = issue.grace.map_or(0, |grace| grace.0);
    claims.trial = issue.trial;
    claims.versions = issue.versions.unwrap_or_default();
    claims.updates_until = issue.updates_until.map(|until| until.0);
    claims.binding = issue.binding;
    claims.matching = issue.matching;
    claims.customer = issue.customer.clone();
    claims.supersedes = issue.supersedes.clone();
    claims.status = issue.status.map(entry).transpose()?;
    Ok(claims)
}

/// A place, drawn at random where no index was named.
fn entry(place: Place) -> Result<ListEntry, CliError> {
    let mut random = [0; 4];
    getrandom::fill(&mut random)
        .map_err(|error| CliError::new("no_randomness", error.to_string()))?;
    let drawn = u32::from_be_bytes(random) % revocations::PLACES;
    Ok(ListEntry {
        list: place.list,
        index: place.index.unwrap_or(drawn),
    })
}

fn new_id(now: Timestamp) -> Result<LicenseId, CliError> {
    let mut random = [0; 10];
    getrandom::fill(&mut random)
        .map_err(|error| CliError::new("no_randomness", error.to_string()))?;
    Ok(LicenseId::from_bytes(mintreu::id::uuid_v7(now, random)))
}

fn check(verify: &Verify, out: &Output) -> Result<(), CliError> {
    let mut ring = Ring::new(read_trust(&verify.trust, verify.product.as_deref())?);
    for set in &verify.key_sets {
        ring.install_key_set(&read_key_set(set)?)?;
    }
    for list in &verify.revocations {
        ring.install_revocations(&read_list(list)?)?;
    }
    let text = text_or_file(&verify.license, &FORMS)?;
    let opened = from_text(&text).and_then(|bundle| license::verify(&bundle, &ring));
    let opened = match opened {
        Ok(license) => {
            let license = ring.newest(&license).clone();
            Ok((judged(verify, &ring, &license)?, license))
        }
        Err(error) => Err(Verdict::from(&error)),
    };
    let (verdict, claims) = match &opened {
        Ok((verdict, license)) => (verdict, Some(license.claims())),
        Err(verdict) => (verdict, None),
    };
    let value = json!({
        "verdict": verdict.code(),
        "allowed": verdict.is_allowed(),
        "sentence": verdict.sentence(),
        "claims": claims.map(claims_json),
    });
    if verdict.is_allowed() || out.json {
        let described = claims.map(describe_claims).unwrap_or_default();
        let people = format!("{}: {}\n{described}", verdict.code(), verdict.sentence());
        out.result(&value, &people)?;
    }
    if verdict.is_allowed() {
        return Ok(());
    }
    Err(CliError::new(verdict.code(), verdict.sentence()))
}

fn judged(verify: &Verify, ring: &Ring, license: &VerifiedLicense) -> Result<Verdict, CliError> {
    let mut facts = Facts::at(verify.at.map_or_else(|| SystemClock.now(), |at| at.0));
    facts.standing = ring.standing(license);
    facts.version = verify.version;
    facts.released_at = verify.released.map(|released| released.0);
    let key = verify.device.as_deref().map(read_public_key).transpose()?;
    let activation = match &verify.activation {
        None => None,
        Some(given) => {
            let bundle = from_text(&text_or_file(given, &FORMS)?)?;
            let verified = Activation::verify(&bundle, ring)?;
            // A tool on another machine has no host to compare: the recorded one stands in.
            let recorded: &Fingerprint = &verified.claims().fingerprint;
            Some(verified.facts(license.claims().matching, recorded))
        }
    };
    facts.device = key.map(|key| DeviceFacts { key, activation });
    Ok(license::judge(license, &facts))
}

fn describe(show: &Show, out: &Output) -> Result<(), CliError> {
    let bytes = from_text(&text_or_file(&show.document, &FORMS)?)?;
    let bundle = Bundle::from_bytes(&bytes)?;
    let kind = kind_of(bundle.document())?;
    // What is too long for codes can still be shown in the other forms.
    let codes = match to_qr(&bytes) {
        Err(error) if matches!(show.form.as_deref(), Some("codes" | "qr")) => {
            return Err(error.into());
        }
        codes => codes.unwrap_or_default(),
    };
    let printed = match show.form.as_deref() {
        Some("text") => to_text(&bytes),
        Some("armor") => to_armor(&bytes)?,
        Some("codes") => codes.join("\n"),
        Some("qr") => scannable(&codes)?,
        _ => format!(
            "a {} of {} bytes under {} certificates ({} characters as text, {} codes)\n\
             Nothing of it is verified: use mintreu license verify",
            kind.name(),
            bundle.document().len(),
            bundle.certificates().len(),
            to_text(&bytes).len(),
            codes.len(),
        ),
    };
    let value = json!({
        "kind": kind.name(),
        "document_bytes": bundle.document().len(),
        "certificates": bundle.certificates().len(),
        "text": to_text(&bytes),
        "codes": codes,
        "verified": false,
    });
    out.result(&value, &printed)
}

/// Codes drawn with block characters, one below the other.
fn scannable(codes: &[String]) -> Result<String, CliError> {
    let mut drawn = Vec::with_capacity(codes.len());
    for code in codes {
        let code = qrcode::QrCode::with_error_correction_level(code, qrcode::EcLevel::M)
            .map_err(|error| CliError::new("too_large", error.to_string()))?;
        drawn.push(code.render::<qrcode::render::unicode::Dense1x2>().build());
    }
    Ok(drawn.join("\n\n"))
}

fn claims_json(claims: &Claims) -> Value {
    let entitlements: Map<String, Value> = claims
        .entitlements
        .iter()
        .map(|(name, entitlement)| (name.to_string(), entitlement_json(entitlement)))
        .collect();
    let quotas: Map<String, Value> = claims
        .quotas
        .iter()
        .map(|(name, quota)| {
            let terms = json!({
                "limit": quota.limit,
                "window": window_text(quota),
                "zone": quota.zone,
                "per_device": quota.per_device,
                "overage": quota.overage,
            });
            (name.to_string(), terms)
        })
        .collect();
    json!({
        "id": claims.id.to_string(),
        "product": claims.product,
        "edition": claims.edition,
        "issued_at": claims.issued_at.ms(),
        "not_before": claims.not_before.map(Timestamp::ms),
        "expires_at": claims.expires_at.map(Timestamp::ms),
        "device": claims.device.map(|key| key.to_string()),
        "entitlements": entitlements,
        "quotas": quotas,
        "seats": claims.seats,
        "trial": claims.trial,
        "customer": claims.customer,
        "status": claims.status.map(|status| json!({
            "list": status.list,
            "index": status.index,
        })),
    })
}

fn entitlement_json(entitlement: &Entitlement) -> Value {
    match entitlement {
        Entitlement::Granted => json!(true),
        Entitlement::Limit(limit) => json!(limit),
        Entitlement::Value(value) => json!(value),
    }
}

fn describe_claims(claims: &Claims) -> String {
    let mut lines = vec![format!("license      {}", claims.id)];
    lines.push(format!("product      {}", claims.product));
    if let Some(edition) = &claims.edition {
        lines.push(format!("edition      {edition}"));
    }
    lines.push(format!("issued       {}", day(claims.issued_at)));
    let end = claims.expires_at.map_or("never".to_owned(), day);
    lines.push(format!("ends         {end}"));
    if let Some(seats) = claims.seats {
        lines.push(format!("seats        {seats}"));
    }
    if let Some(status) = claims.status {
        lines.push(format!(
            "place        {} in list {}",
            status.index, status.list
        ));
    }
    for (name, entitlement) in &claims.entitlements {
        let value = match entitlement {
            Entitlement::Granted => String::new(),
            Entitlement::Limit(limit) => format!(" = {limit}"),
            Entitlement::Value(value) => format!(" = {value}"),
        };
        lines.push(format!("entitlement  {name}{value}"));
    }
    for (name, quota) in &claims.quotas {
        let limit = quota
            .limit
            .map_or("unlimited".to_owned(), |limit| limit.to_string());
        lines.push(format!(
            "quota        {name} = {limit} / {}",
            window_text(quota)
        ));
    }
    lines.join("\n")
}
