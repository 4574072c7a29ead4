//! Somebody who asks an HTTP server as fast as it answers: so many connections that are kept, each
//! with one request under way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::{readable, time_async};

/// What came back.
#[derive(Debug, Clone)]
pub struct Served {
    /// Answers a second.
    pub rate: f64,
    /// How long half of them took at most.
    pub p50: Duration,
    /// How long 99 of 100 took at most.
    pub p99: Duration,
    /// Bytes of an answer's body, on average.
    pub bytes: usize,
}

impl Served {
    /// Prints one line: how many, how fast, and beside what.
    pub fn report(&self, what: &str, bare: &Self, goal: &str) {
        println!(
            "{what:<40} {:>8.0}/s  p50 {:>9} p99 {:>9}  {:>6} bytes  {:.2} × bare ({:.0}/s)  goal {goal}",
            self.rate,
            readable(self.p50.as_nanos() as f64),
            readable(self.p99.as_nanos() as f64),
            self.bytes,
            self.rate / bare.rate,
            bare.rate,
        );
    }
}

/// Asks `request(0)`, `request(1)` … in all `requests` times over `clients` connections.
///
/// A request is a whole HTTP/1.1 request as it goes over the line; every answer must be a 200 with
/// a length.
pub async fn drive(
    address: SocketAddr,
    (clients, requests): (usize, usize),
    request: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static,
) -> Served {
    let (next, request) = (Arc::new(AtomicUsize::new(0)), Arc::new(request));
    let mut all: Vec<(Duration, usize)> = Vec::with_capacity(requests);
    let (took, ()) = time_async(async {
        let tasks = (0..clients).map(|_| {
            let (next, request) = (Arc::clone(&next), Arc::clone(&request));
            tokio::spawn(async move {
                let stream = TcpStream::connect(address).await.expect("a connection");
                stream.set_nodelay(true).expect("no delay");
                let mut stream = BufReader::new(stream);
                let mut answers = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= requests {
                        return answers;
                    }
                    let bytes = request(number);
                    answers.push(time_async(ask(&mut stream, &bytes)).await);
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            all.extend(task.await.expect("a client"));
        }
    })
    .await;
    all.sort_unstable();
    let at = |share: usize| all[(all.len() - 1) * share / 100].0;
    Served {
        rate: all.len() as f64 / took.as_secs_f64(),
        p50: at(50),
        p99: at(99),
        bytes: all.iter().map(|(_, bytes)| bytes).sum::<usize>() / all.len(),
    }
}

/// One request and its answer; the length of its body.
async fn ask(stream: &mut BufReader<TcpStream>, request: &[u8]) -> usize {
    stream.get_mut().write_all(request).await.expect("is sent");
    let (mut line, mut length, mut first) = (String::new(), None, true);
    loop {
        line.clear();
        stream.read_line(&mut line).await.expect("a line");
        let text = line.trim_end();
        if first {
            assert!(text.contains(" 200 "), "answered by {text}");
            first = false;
        } else if text.is_empty() {
            break;
        }
        if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
    let mut body = vec![0; length.expect("a length")];
    stream.read_exact(&mut body).await.expect("a body");
    body.len()
}

/// A GET request for a path.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes()
}
