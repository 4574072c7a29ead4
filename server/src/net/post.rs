//! One POST to where a stranger said: looked up once, judged, and sent to what was judged.

use super::guard::{Reach, Refused, checked, literal, may_reach};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Response, redirect};
use std::future::{Future, ready};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

/// The addresses of a name, on their way.
pub type LookUp<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Who knows the addresses of names.
pub trait Names: Send + Sync {
    /// The addresses of `host`.
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> LookUp<'a>;
}

/// The operating system's resolver.
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> LookUp<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Post {
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
    /// For all of it: looking up, connecting, sending, answering.
    pub timeout: Duration,
    /// How much of the answer is read, in bytes.
    pub most_answer: usize,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The header `Retry-After`, as it came.
    pub retry_after: Option<String>,
    /// How the body began; bytes that are no UTF-8 and control characters are replaced.
    pub text: String,
}

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// It may not be sent there; nothing was.
    #[error("nothing was sent: {0}")]
    Refused(#[from] Refused),
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
    /// No connection, or it broke.
    #[error("can't be reached: {0}")]
    Unreachable(String),
}

/// Gives what was judged for any name that is asked for.
struct Judged(Vec<SocketAddr>);

impl Resolve for Judged {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(ready(Ok(addresses)))
    }
}

/// Sends it once, follows no redirect, and connects to no address but those that were judged.
pub async fn post(
    names: &dyn Names,
    to: &str,
    reach: Reach,
    post: Post,
) -> Result<Answer, PostError> {
    let timeout = post.timeout;
    let sent = tokio::time::timeout(timeout, send(names, to, reach, post)).await;
    sent.unwrap_or(Err(PostError::TimedOut))
}

async fn send(names: &dyn Names, to: &str, reach: Reach, post: Post) -> Result<Answer, PostError> {
    let url = checked(to, reach)?;
    let addresses = judged(names, &url, reach).await?;
    let client = super::client()
        .dns_resolver(Judged(addresses))
        .redirect(redirect::Policy::none())
        .build()
        .map_err(unreachable)?;
    let mut request = client.post(url).body(post.body);
    for (name, value) in post.headers {
        request = request.header(name, value);
    }
    let response = request.send().await.map_err(unreachable)?;
    let retry_after = response.headers().get("retry-after");
    let retry_after = retry_after.and_then(|value| value.to_str().ok());
    Ok(Answer {
        status: response.status().as_u16(),
        retry_after: retry_after.map(str::to_owned),
        text: beginning(response, post.most_answer).await,
    })
}

/// The addresses of the host, all of which may be reached: a name that also leads into our own
/// network is no slip, so nothing is sent to its other addresses either.
async fn judged(
    names: &dyn Names,
    url: &reqwest::Url,
    reach: Reach,
) -> Result<Vec<SocketAddr>, PostError> {
    let host = url.host_str().ok_or(Refused::Malformed)?;
    let port = url.port_or_known_default().ok_or(Refused::Malformed)?;
    let addresses = match literal(host) {
        Some(ip) => vec![SocketAddr::new(ip, port)],
        None => {
            let found = names.look_up(host, port).await;
            found.map_err(|error| PostError::Unreachable(error.to_string()))?
        }
    };
    if addresses.is_empty() {
        return Err(PostError::Unreachable("the name has no address".to_owned()));
    }
    let all = addresses
        .iter()
        .all(|address| may_reach(address.ip(), url.scheme(), reach));
    if !all {
        return Err(Refused::NotPublic.into());
    }
    Ok(addresses)
}

/// The innermost cause says most, and holds no address that a seller doesn't know.
fn unreachable(error: reqwest::Error) -> PostError {
    if error.is_timeout() {
        return PostError::TimedOut;
    }
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    PostError::Unreachable(cause.to_string().chars().take(200).collect())
}

/// A body that breaks off, or doesn't end in time, is as good as what came of it.
async fn beginning(mut response: Response, most: usize) -> String {
    const PATIENCE: Duration = Duration::from_secs(1);
    let mut bytes = Vec::new();
    while bytes.len() < most {
        match tokio::time::timeout(PATIENCE, response.chunk()).await {
            Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk),
            _ => break,
        }
    }
    bytes.truncate(most);
    let text = String::from_utf8_lossy(&bytes);
    let plain = |c: char| match c {
        '\n' | '\t' => c,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(plain).collect()
}
