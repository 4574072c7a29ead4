//! Folders that follow a server: a made-up one that may lie, and the demo's own.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::accepted;
use crate::made::Log;
use mintreu::document::{SigningKey, to_text};
use mintreu::log::{Frontier, Part};

type Answers = Arc<Mutex<HashMap<String, Value>>>;

/// A server that answers what it is told to; its address.
fn server(answers: &Answers) -> String {
    let answers = answers.clone();
    let (told, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
            let listener = listener.expect("a free port");
            let address = listener.local_addr().expect("an address");
            told.send(format!("http://{address}"))
                .expect("somebody waits");
            let answer = async move |uri: Uri| {
                let found = answers
                    .lock()
                    .expect("no panic")
                    .get(&uri.to_string())
                    .cloned();
                match found {
                    Some(found) => Json(found).into_response(),
                    None => {
                        let problem = json!({ "code": "not_found", "detail": "Nothing here." });
                        (StatusCode::NOT_FOUND, Json(problem)).into_response()
                    }
                }
            };
            axum::serve(listener, axum::Router::new().fallback(answer))
                .await
                .expect("serves");
        });
    });
    address.recv().expect("it listens")
}

fn fetch(folder: &Path, server: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mintreu"))
        .current_dir(folder)
        .args([
            "--json", "log", "fetch", "--out", "audit", "--server", server,
        ])
        .args(arguments)
        .output()
        .expect("the command runs")
}

fn fetched(folder: &Path, server: &str, arguments: &[&str]) -> Value {
    let output = fetch(folder, server, arguments);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn refused(folder: &Path, server: &str, arguments: &[&str]) -> String {
    let output = fetch(folder, server, arguments);
    assert!(!output.status.success(), "must be refused");
    let error: Value = serde_json::from_slice(&output.stderr).expect("JSON on standard error");
    error["code"].as_str().expect("a code").to_owned()
}

fn heads(folder: &Path, name: &str) -> usize {
    let text = fs::read_to_string(folder.join("audit").join(name)).unwrap_or_default();
    text.lines().count()
}

#[test]
fn a_folder_follows_a_log_that_grows_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, log) = (folder.path(), Log::new());
    let answers: Answers = Arc::new(Mutex::new(HashMap::new()));
    let server = server(&answers);
    let show = |shown: HashMap<String, Value>| *answers.lock().expect("no panic") = shown;
    let key = log.key.public().to_string();
    let mut before = 0;
    for size in [0, 1, 3, 3, 4, 8, 9] {
        show(log.answers(size));
        let found = fetched(folder, &server, &["--log-key", &key]);
        assert_eq!(
            (&found["size"], &found["new_leaves"]),
            (&size.into(), &(size - before).into())
        );
        before = size;
        accepted(folder, &["audit"]);
    }
    assert_eq!(
        heads(folder, "heads.txt"),
        6,
        "a head that was seen is kept once"
    );
    // The third license was exchanged, before anything was seen or after; or the log shrank.
    let rewritten = Log::of([0, 1, 77, 3, 4, 5, 6, 7, 8]);
    for lie in [rewritten.answers(9), log.answers(8)] {
        show(lie);
        assert_eq!(refused(folder, &server, &[]), "log_rewritten");
    }
    assert_eq!(
        heads(folder, "evidence.txt"),
        4,
        "two pairs that can't both be true"
    );
    assert_eq!(
        heads(folder, "heads.txt"),
        6,
        "what was believed is as it was"
    );
    show(log.answers(9));
    assert_eq!(fetched(folder, &server, &[])["new_leaves"], 0);
    accepted(folder, &["audit"]);
}

#[test]
fn a_log_that_was_rewritten_between_two_visits_is_found() {
    let (log, rewritten) = (Log::new(), Log::of([0, 1, 77, 3, 4, 5, 6, 7, 8]));
    let answers: Answers = Arc::new(Mutex::new(HashMap::new()));
    let server = server(&answers);
    for seen in 1..9 {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        *answers.lock().expect("no panic") = log.answers(seen);
        fetched(folder, &server, &[]);
        *answers.lock().expect("no panic") = rewritten.answers(9);
        if seen > 2 {
            assert_eq!(
                refused(folder, &server, &[]),
                "log_rewritten",
                "seen {seen}"
            );
        } else {
            // What nobody had seen yet could still be chosen.
            fetched(folder, &server, &[]);
        }
    }
}

#[test]
fn another_key_leaves_that_don_t_fit_and_a_silent_server_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, log) = (folder.path(), Log::new());
    let answers: Answers = Arc::new(Mutex::new(log.answers(4)));
    let server = server(&answers);
    let stranger = SigningKey::from_seed(&[2; 32]).public().to_string();
    assert_eq!(
        refused(folder, &server, &["--log-key", &stranger]),
        "log_key_changed"
    );
    assert!(
        !folder.join("audit").exists(),
        "nothing is begun with a key that isn't known"
    );
    fetched(folder, &server, &[]);
    let mut other = Log::new();
    other.key = SigningKey::from_seed(&[2; 32]);
    *answers.lock().expect("no panic") = other.answers(9);
    assert_eq!(refused(folder, &server, &[]), "log_key_changed");
    let mut torn = log.answers(9);
    let swapped = torn["/v1/log/entries?from=0&to=5"].clone();
    torn.insert("/v1/log/entries?from=4&to=9".to_owned(), swapped);
    *answers.lock().expect("no panic") = torn;
    assert_eq!(refused(folder, &server, &[]), "log_rewritten");
    *answers.lock().expect("no panic") = HashMap::new();
    assert_eq!(refused(folder, &server, &[]), "server_refused");
    let nobody = refused(folder, "http://127.0.0.1:9", &[]);
    assert_eq!(nobody, "network_failed");
    let hashes = folder.join("audit/hashes.txt");
    let text = fs::read_to_string(&hashes).expect("reads");
    fs::write(&hashes, text.replacen(&text[..64], &"0".repeat(64), 1)).expect("writes");
    *answers.lock().expect("no panic") = log.answers(9);
    assert_eq!(
        refused(folder, &server, &[]),
        "log_rewritten",
        "the folder itself was changed"
    );
}

#[test]
fn a_seller_is_shown_what_everybody_is_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, log) = (folder.path(), Log::new());
    fs::write(folder.join("session.txt"), "the-token").expect("writes");
    let arguments = ["--token-file", "session.txt"];
    // Nothing is theirs, and the second statement is of a log that only they are shown.
    let (own, other) = (Log::new(), Log::of([0, 1, 77, 3, 4, 5, 6, 7, 8]));
    let answers: Answers = Arc::new(Mutex::new(HashMap::new()));
    let server = server(&answers);
    for (shown, expected) in [(own, None), (other, Some("log_rewritten"))] {
        let part = Part {
            of: "acc_1".to_owned(),
            size: 0,
            root: Frontier::default().root(),
        };
        let mut all = log.answers(9);
        let mut statement = all["/v1/log"].clone();
        statement["head"] = to_text(&shown.head(9, Some(part))).into();
        all.insert("/v1/log/statement".to_owned(), statement);
        *answers.lock().expect("no panic") = all;
        match expected {
            None => assert_eq!(fetched(folder, &server, &arguments)["own_leaves"], 0),
            Some(code) => assert_eq!(refused(folder, &server, &arguments), code),
        }
        accepted(folder, &["audit"]);
    }
    assert_eq!(heads(folder, "evidence.txt"), 2);
}

#[test]
fn a_session_s_token_travels_by_tls_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("session.txt"), "the-token").expect("writes");
    let arguments = ["--token-file", "session.txt"];
    for server in [
        "http://shop.example",
        "http://127.0.0.1.shop.example",
        "shop.example",
    ] {
        assert_eq!(refused(folder, server, &arguments), "token_in_clear");
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody calls");
        let mut heard = [0; 512];
        let length = stream.read(&mut heard).expect("it speaks first");
        heard[..length].to_vec()
    });
    let code = refused(folder, &format!("https://localhost:{port}"), &arguments);
    assert_eq!(code, "network_failed");
    let heard = heard.join().expect("no panic");
    assert_eq!(heard[..2], [0x16, 0x03], "a TLS handshake: {heard:?}");
    let token = heard.windows(9).any(|window| window == b"the-token");
    assert!(!token, "the token is in the clear");
}

/// Ends the demo with the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Signs in until the demo's people are there; the session's token.
async fn sign_in(url: &str) -> String {
    let client = mintreu_server::net::client().build().expect("a client");
    let body = json!({
        "email": "tomasz@northbeam.example", "password": mintreu_server::demo::PASSWORD,
    });
    let sent = client
        .post(format!("{url}/v1/sessions"))
        .json(&body)
        .send()
        .await;
    let answer: Value = sent.expect("an answer").json().await.expect("JSON");
    answer["token"].as_str().expect("a token").to_owned()
}

#[test]
fn a_seller_of_the_demo_audits_the_shop() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let child = Command::new(env!("CARGO_BIN_EXE_mintreu"))
        .current_dir(folder)
        .args([
            "--json",
            "demo",
            "--listen",
            "127.0.0.1:0",
            "--folder",
            "shop",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut demo = Demo(child.expect("it starts"));
    let mut line = String::new();
    let mut out = BufReader::new(demo.0.stdout.take().expect("a pipe"));
    out.read_line(&mut line).expect("it says where it is");
    let told: Value = serde_json::from_str(&line).expect("JSON");
    let url = told["url"].as_str().expect("an address");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let token = runtime.block_on(sign_in(url));
    fs::write(folder.join("session.txt"), token).expect("writes");
    let arguments = ["--token-file", "session.txt"];
    let mut found = fetched(folder, url, &arguments);
    for _ in 0..240 {
        if found["own_leaves"].as_u64() > Some(1) {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
        found = fetched(folder, url, &arguments);
    }
    assert!(found["own_leaves"].as_u64() > Some(1), "{found}");
    let held = accepted(folder, &["audit"]);
    assert_eq!(held["own_leaves"], found["own_leaves"]);
    assert_eq!(held["size"], found["size"]);
    let wrong = ["--token-file", "audit/log.txt"];
    assert_eq!(refused(folder, url, &wrong), "server_refused");
}
