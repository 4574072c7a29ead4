//! What a host's own HTTP client is to send, and how long it waits before it sends again.

use mintreu::sync::Request as EngineRequest;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::value::{Thrown, units};

/// What the host's own HTTP client is to send.
#[napi(object)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub content_type: String,
    pub body: Buffer,
}

impl From<EngineRequest> for Request {
    fn from(request: EngineRequest) -> Self {
        Self {
            method: request.method.to_owned(),
            path: request.path,
            content_type: request.content_type.to_owned(),
            body: request.body.into(),
        }
    }
}

/// How many milliseconds to wait after so many failures in a row, with a random number to spread by.
#[napi]
pub fn retry_after(header: Option<String>, failures: f64, draw: f64) -> Result<f64, Thrown> {
    let failures = u32::try_from(units(Some(failures))?).unwrap_or(u32::MAX);
    let draw = units(Some(draw))?;
    Ok(mintreu::sync::retry_after(header.as_deref(), failures, draw) as f64)
}
