//! The whole server on a free port, and somebody who asks it things.

use mintreu_server::app::App;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running server; it runs no jobs by itself, so that tests say when ([`crate::TestApp::drain`]).
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl TestServer {
    pub(crate) fn start(app: Arc<App>, listener: std::net::TcpListener) -> Self {
        listener
            .set_nonblocking(true)
            .expect("a listener that doesn't block");
        let listener = TcpListener::from_std(listener).expect("a listener of the runtime");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let stopped = async {
                stopped.await.ok();
            };
            let routes = mintreu_server::router(&app);
            let bounds = (&app.config.server).into();
            mintreu_server::serve::serve(bounds, routes, listener, stopped).await;
        });
        Self {
            address,
            stop,
            serving,
        }
    }

    /// Somebody new, without cookies.
    pub fn browser(&self) -> Browser {
        let client = mintreu_server::net::client()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .build();
        Browser {
            client: client.expect("a client"),
            base: format!("http://{}", self.address),
        }
    }

    /// Stops in order: requests at work finish.
    pub async fn stop(self) {
        self.stop.send(()).ok();
        self.serving.await.expect("the server ends without a panic");
    }
}

/// Somebody who keeps cookies and follows no redirect by itself.
#[derive(Clone)]
pub struct Browser {
    /// The HTTP client, for what the methods here don't do.
    pub client: reqwest::Client,
    /// `http://127.0.0.1:port`
    pub base: String,
}

impl Browser {
    /// A request to a path of the server.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Response {
        let sent = self.request(Method::GET, path).send().await;
        sent.expect("an answer")
    }

    /// POST of JSON; the status and the JSON answered (null when there is none).
    pub async fn post_json(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let sent = self.request(Method::POST, path).json(body).send().await;
        answer(sent.expect("an answer")).await
    }

    /// GET of JSON.
    pub async fn get_json(&self, path: &str) -> (StatusCode, Value) {
        answer(self.get(path).await).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> StatusCode {
        let sent = self.request(Method::DELETE, path).send().await;
        sent.expect("an answer").status()
    }
}

/// The status of a response and its JSON; null when it has none.
pub async fn answer(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}
