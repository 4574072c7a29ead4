//! The one way out: HTTP clients that speak TLS by rustls and ring, with the web's root
//! certificates compiled in, so that what a server may reach is the same on every machine.
//!
//! Invariants
//! * Every client of the server and its tools begins here: one without a provider can't be built.
//! * No proxy is taken from the environment: only settings say where things go.
//! * What goes where a stranger says goes by [`post`], to a public address that was checked.

mod guard;
mod post;

pub use guard::{Reach, Refused, checked, is_public, may_reach};
pub use post::{Answer, Names, Post, PostError, SystemNames, post};

use reqwest::ClientBuilder;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// A client to set further: timeouts, cookies.
pub fn client() -> ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls())
        .no_proxy()
}

fn tls() -> ClientConfig {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
