//! `log fetch`: the one part of the tools that asks a server.

use std::net::IpAddr;
use std::time::Duration;

use mintreu::document::{PublicKey, from_text};
use mintreu::log::{Hash, TreeHead, verify_consistency};
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::folder::{Folder, OwnLeaf};
use super::verify::{check_heads, check_key};
use super::{Fetch, rewritten};
use crate::cli::files::read_text;
use crate::cli::keyfile::read_public_key;
use crate::cli::server::runtime;
use crate::cli::{CliError, Output};
use crate::domains::transparency::model::from_hex;

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes of one answer.
const MAX_ANSWER: usize = 4 << 20;
/// Leaves asked for at once.
const PAGE: u64 = 1000;
/// Own leaves asked for at once.
const OWN_PAGE: usize = 500;
/// How often a busy server is asked again.
const TRIES: u32 = 6;

pub(super) fn run(command: &Fetch, out: &Output) -> Result<(), CliError> {
    let server = Server::new(command)?;
    runtime()?.block(fetch(command, &server, out))
}

/// A log as the server tells of it.
#[derive(Deserialize)]
struct LogAnswer {
    origin: String,
    key: String,
    head: String,
}

#[derive(Deserialize)]
struct Hashes {
    hashes: Vec<String>,
}

#[derive(Deserialize)]
struct OwnPage {
    leaves: Vec<OwnLeaf>,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    detail: String,
}

/// What the server says the log is.
struct Told {
    origin: String,
    key: PublicKey,
    head: Vec<u8>,
    /// A seller's: a head of the same size, signed with their part.
    statement: Option<Vec<u8>>,
}

async fn told(server: &Server) -> Result<Told, CliError> {
    if server.token.is_none() {
        let answer: LogAnswer = server.ask("/v1/log").await?;
        return Ok(Told {
            key: answer.key.parse()?,
            head: from_text(&answer.head)?,
            origin: answer.origin,
            statement: None,
        });
    }
    let own: LogAnswer = server.ask("/v1/log/statement").await?;
    let (key, statement) = (own.key.parse()?, from_text(&own.head)?);
    let size = TreeHead::verify(&statement, &key)?.size;
    // What everybody is shown, to hold the statement against; it can be shown to others, too.
    let public: LogAnswer = server.ask(&format!("/v1/log/heads/{size}")).await?;
    expected(&public.key.parse()?, &key)?;
    Ok(Told {
        origin: public.origin,
        key,
        head: from_text(&public.head)?,
        statement: Some(statement),
    })
}

async fn fetch(command: &Fetch, server: &Server, out: &Output) -> Result<(), CliError> {
    let told = told(server).await?;
    let mut folder = opened(command, &told)?;
    let head = folder.verified(&told.head)?;
    let before = folder.size();
    follow(&folder, server, &head, &told.head).await?;
    if head.size > before || folder.heads.is_empty() {
        let new = entries(server, before, head.size).await?;
        folder.grow(head.clone(), &told.head, new)?;
    }
    let own = match &told.statement {
        None => None,
        Some(statement) => Some(keep_own(&folder, server, &head, statement).await?),
    };
    let value = json!({
        "ok": true,
        "origin": folder.origin,
        "key": folder.key.to_string(),
        "size": head.size,
        "new_leaves": head.size - before,
        "own_leaves": own,
    });
    let text = format!(
        "The log {} has {} leaves, {} of them new; nothing before was rewritten.",
        folder.origin,
        head.size,
        head.size - before
    );
    out.result(&value, &text)
}

/// The folder, which is begun when it isn't there; with the key that is known, if one is.
fn opened(command: &Fetch, told: &Told) -> Result<Folder, CliError> {
    if let Some(known) = &command.log_key {
        expected(&told.key, &read_public_key(known)?)?;
    }
    let Some(folder) = Folder::open(&command.out)? else {
        // Nothing is pinned to a key that didn't sign what came with it.
        TreeHead::verify(&told.head, &told.key)?;
        return Folder::create(&command.out, &told.origin, told.key);
    };
    check_key(&folder, &told.key)?;
    // What was changed in the folder itself is found before it is added to.
    check_heads(&folder, None)?;
    Ok(folder)
}

/// Keeps the seller's own leaves and the statement of them; how many they are.
async fn keep_own(
    folder: &Folder,
    server: &Server,
    head: &TreeHead,
    statement: &[u8],
) -> Result<usize, CliError> {
    let stated = folder.verified(statement)?;
    if (stated.size, stated.root) != (head.size, head.root) {
        folder.keep_evidence(statement)?;
        return Err(rewritten(
            "the head signed with your part is not the one that everybody is shown; both are in \
             evidence.txt",
        ));
    }
    let part = stated.part.map_or(0, |part| part.size);
    let own = own_leaves(server, part).await?;
    folder.keep_own(&own, statement)?;
    Ok(own.len())
}

fn expected(key: &PublicKey, known: &PublicKey) -> Result<(), CliError> {
    if key == known {
        return Ok(());
    }
    let detail = format!("the server's log has the key {key}, not {known}");
    Err(CliError::new("log_key_changed", detail))
}

/// The new head must begin with the last one seen; if it doesn't, both are kept.
async fn follow(
    folder: &Folder,
    server: &Server,
    head: &TreeHead,
    document: &[u8],
) -> Result<(), CliError> {
    let Some(last) = folder.heads.last() else {
        return Ok(());
    };
    let path = if last.size < head.size && last.size > 0 {
        let (from, to) = (last.size, head.size);
        server
            .hashes(&format!("/v1/log/consistency?from={from}&to={to}"))
            .await?
    } else {
        Vec::new()
    };
    let judged = verify_consistency((last.size, &last.root), (head.size, &head.root), &path);
    if let Err(error) = judged {
        folder.keep_evidence(document)?;
        return Err(rewritten(format!(
            "{}; both signed heads are in evidence.txt",
            error.detail()
        )));
    }
    Ok(())
}

async fn entries(server: &Server, from: u64, to: u64) -> Result<Vec<Hash>, CliError> {
    let (mut at, mut hashes) = (from, Vec::new());
    while at < to {
        let end = to.min(at + PAGE);
        let page = server
            .hashes(&format!("/v1/log/entries?from={at}&to={end}"))
            .await?;
        if page.len() as u64 != end - at {
            return Err(unexpected("it gives another number of leaves than it has"));
        }
        hashes.extend(page);
        at = end;
    }
    Ok(hashes)
}

async fn own_leaves(server: &Server, size: u64) -> Result<Vec<OwnLeaf>, CliError> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut own: Vec<OwnLeaf> = Vec::new();
    while own.len() < size {
        let path = format!("/v1/log/own?from={}&limit={OWN_PAGE}", own.len());
        let page: OwnPage = server.ask(&path).await?;
        if page.leaves.is_empty() {
            return Err(unexpected("it gives fewer leaves of yours than it signed"));
        }
        own.extend(page.leaves);
    }
    // Some may have come after the head was signed.
    own.truncate(size);
    Ok(own)
}

fn unexpected(what: &str) -> CliError {
    CliError::new("answer_unexpected", format!("the server's answer: {what}")).exit(5)
}

/// A session's token is sent by TLS, or to this machine itself.
fn check_private(server: &str) -> Result<(), CliError> {
    let url = reqwest::Url::parse(server).ok();
    let private = url.is_some_and(|url| {
        let host = url.host_str().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        url.scheme() == "https" || loopback
    });
    if private {
        return Ok(());
    }
    let detail = "a session's token is sent over https:// only, or to this machine";
    Err(CliError::new("token_in_clear", detail).exit(2))
}

/// Who is asked.
struct Server {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Server {
    fn new(command: &Fetch) -> Result<Self, CliError> {
        let token = match &command.token_file {
            Some(file) => Some(read_text(file)?.trim().to_owned()),
            None => None,
        };
        let client = crate::net::client().timeout(TIMEOUT).build();
        if token.is_some() {
            check_private(&command.server)?;
        }
        let failed = |error: reqwest::Error| CliError::new("network_failed", error.to_string());
        Ok(Self {
            client: client.map_err(failed)?,
            base: command.server.trim_end_matches('/').to_owned(),
            token,
        })
    }

    async fn hashes(&self, path: &str) -> Result<Vec<Hash>, CliError> {
        let answer: Hashes = self.ask(path).await?;
        let hashes: Option<Vec<Hash>> = answer.hashes.iter().map(|hash| from_hex(hash)).collect();
        hashes.ok_or_else(|| unexpected("a hash can't be read"))
    }

    /// GET of JSON; a server that is busy is asked again, when it says.
    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        for _ in 0..TRIES {
            let (status, wait, body) = self.get(path).await?;
            if status.is_success() {
                let read = serde_json::from_slice(&body);
                return read.map_err(|error| unexpected(&error.to_string()));
            }
            if wait.is_none() {
                let refusal = serde_json::from_slice::<Refusal>(&body);
                let said = match refusal {
                    Ok(refusal) => format!("{} ({})", refusal.detail, refusal.code),
                    Err(_) => status.to_string(),
                };
                let detail = format!("{path}: {said}");
                return Err(CliError::new("server_refused", detail).exit(5));
            }
            tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1))).await;
        }
        let detail = format!("the server is busy: {path}");
        Err(CliError::new("server_busy", detail).exit(5))
    }

    /// The status, when to ask again if so, and the body.
    async fn get(&self, path: &str) -> Result<(StatusCode, Option<u64>, Vec<u8>), CliError> {
        let failed = |error: reqwest::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            let detail = format!("{error}: {}", cause.unwrap_or_default());
            CliError::new("network_failed", detail).exit(5)
        };
        let mut request = self.client.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let busy = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        let wait = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|wait| wait.to_str().ok());
        let wait = wait
            .and_then(|wait| wait.parse::<u64>().ok())
            .map(|wait| wait.min(30));
        let wait = wait.filter(|_| busy.contains(&status));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(unexpected("it is too long"));
            }
        }
        Ok((status, wait, body))
    }
}
