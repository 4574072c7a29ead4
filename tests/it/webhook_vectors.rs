//! Other people's answers: known signatures, and addresses that must be refused. They are looked
//! for in `MINTREU_SHARED_VECTORS`, else in `../shared/vectors` beside the project; a test that
//! doesn't find them says so and passes.

use crate::webhook_receiver::Receiver;
use mintreu::Timestamp;
use mintreu_server::domains::webhooks::{Scheme, sign};
use mintreu_server::net::{
    Answer, Names, Post, PostError, Reach, Refused, checked, is_public, may_reach, post,
};
use mintreu_tests::source;
use serde_json::Value;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

fn shared(path: &str) -> Option<Value> {
    let folder = match std::env::var_os("MINTREU_SHARED_VECTORS") {
        Some(folder) => PathBuf::from(folder),
        None => source::workspace().join("../shared/vectors"),
    };
    let Ok(text) = std::fs::read_to_string(folder.join(path)) else {
        println!("{path} skipped: set MINTREU_SHARED_VECTORS");
        return None;
    };
    Some(serde_json::from_str(&text).expect("JSON"))
}

fn texts<'a>(vectors: &'a Value, name: &str) -> Vec<&'a str> {
    let list = vectors[name].as_array().expect("a list");
    list.iter()
        .map(|text| text.as_str().expect("text"))
        .collect()
}

#[test]
fn known_signatures_are_ours() {
    let Some(vectors) = shared("webhooks/signatures.json") else {
        return;
    };
    let list = vectors["standard_webhooks"].as_array().expect("a list");
    assert!(list.len() > 3, "{list:?}");
    for vector in list {
        let text = |name: &str| vector[name].as_str().expect("text");
        let at: i64 = text("timestamp").parse().expect("seconds");
        let message = sign::message(text("id"), Timestamp::from_secs(at), text("payload"));
        let secret = sign::secret_bytes(text("secret")).expect("a secret");
        let ours = sign::signature(Scheme::Shared, &secret, &message).expect("signs");
        let listed = text("signature").split(' ').any(|one| one == ours);
        assert_eq!(listed, vector["valid"] == true, "{vector}");
    }
}

#[test]
fn private_addresses_are_refused_in_every_spelling() {
    let Some(vectors) = shared("ssrf/blocked.json") else {
        return;
    };
    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    for text in texts(&vectors, "allowed_ip") {
        assert!(is_public(ip(text)), "{text}");
        assert!(may_reach(ip(text), "https", Reach::Public), "{text}");
    }
    let v4 = texts(&vectors, "blocked_ipv4").into_iter();
    for text in v4.chain(texts(&vectors, "blocked_ipv6")) {
        assert!(!is_public(ip(text)), "{text}");
        let host = match ip(text) {
            IpAddr::V4(_) => text.to_owned(),
            IpAddr::V6(_) => format!("[{text}]"),
        };
        let url = format!("https://{host}/");
        assert_eq!(
            checked(&url, Reach::Public),
            Err(Refused::NotPublic),
            "{url}"
        );
    }
    let urls = texts(&vectors, "blocked_urls");
    assert!(urls.len() > 20);
    for text in urls {
        // As they are written, and so that the scheme alone doesn't refuse them.
        for url in [text.to_owned(), text.replacen("http:", "https:", 1)] {
            assert!(checked(&url, Reach::Public).is_err(), "{url}");
        }
    }
    assert!(checked("https://example.com/hooks", Reach::Public).is_ok());
}

/// Answers the addresses it was given, one list after the other, and counts.
struct Scripted(Mutex<Vec<Vec<SocketAddr>>>);

impl Scripted {
    fn of(answers: &[&[SocketAddr]]) -> Self {
        Self(Mutex::new(
            answers.iter().rev().map(|list| list.to_vec()).collect(),
        ))
    }

    fn left(&self) -> usize {
        self.0.lock().expect("no panic").len()
    }
}

impl Names for Scripted {
    fn look_up<'a>(
        &'a self,
        _: &'a str,
        _: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        let next = self.0.lock().expect("no panic").pop();
        Box::pin(async move { next.ok_or_else(|| io::Error::other("nothing left to answer")) })
    }
}

fn hello() -> Post {
    Post {
        headers: vec![("webhook-id", "evt_1".to_owned())],
        body: "{}".to_owned(),
        timeout: Duration::from_millis(1_500),
        most_answer: 8,
    }
}

async fn send(names: &Scripted, url: &str, reach: Reach) -> Result<Answer, PostError> {
    post(names, url, reach, hello()).await
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_reached_where_it_was_judged() {
    let receiver = Receiver::start().await;
    let here = receiver.address;
    let url = format!("http://hooks.localhost:{}/in", here.port());
    // No resolver but this one knows the name: that it arrives shows that nobody else is asked.
    let names = Scripted::of(&[&[here], &[SocketAddr::from(([10, 0, 0, 1], here.port()))]]);
    let answer = send(&names, &url, Reach::ThisMachine)
        .await
        .expect("arrives");
    assert_eq!((answer.status, answer.text.as_str()), (200, "answered"));
    assert_eq!(names.left(), 1, "looked up once");
    assert_eq!(receiver.take().len(), 1);
    let moved = send(&names, &url, Reach::ThisMachine).await;
    assert_eq!(moved, Err(PostError::Refused(Refused::NotPublic)));

    // First public, then this machine: nothing ever reaches this machine.
    // Set aside for nobody, so that nothing answers there.
    let public: IpAddr = "2d00::1".parse().expect("an address");
    let public = SocketAddr::new(public, here.port());
    let url = format!("https://hooks.example:{}/in", here.port());
    let names = Scripted::of(&[&[public], &[here], &[public, here]]);
    let first = send(&names, &url, Reach::Public).await;
    let tried = matches!(first, Err(PostError::TimedOut | PostError::Unreachable(_)));
    assert!(tried, "{first:?}");
    assert_eq!(names.left(), 2, "one look-up for one request");
    for case in ["rebound", "both"] {
        let refused = send(&names, &url, Reach::Public).await;
        assert_eq!(
            refused,
            Err(PostError::Refused(Refused::NotPublic)),
            "{case}"
        );
    }
    let literal = send(&names, &format!("http://{here}/"), Reach::Public).await;
    assert!(matches!(literal, Err(PostError::Refused(_))), "{literal:?}");
    assert_eq!(receiver.take(), []);
}

#[tokio::test]
async fn who_never_answers_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let silent = silent.expect("a port");
    let url = format!("http://{}/", silent.local_addr().expect("an address"));
    let came = send(&Scripted::of(&[]), &url, Reach::ThisMachine).await;
    assert_eq!(came, Err(PostError::TimedOut));
    let address = silent.local_addr().expect("an address");
    drop(silent);
    let came = send(
        &Scripted::of(&[]),
        &format!("http://{address}/"),
        Reach::ThisMachine,
    )
    .await;
    assert!(matches!(came, Err(PostError::Unreachable(_))), "{came:?}");
}
