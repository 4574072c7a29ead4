//! Bodies, parameters and idempotency keys, each refusing with a problem.

use super::Visitor;
use crate::app::Idempotency;
use crate::problem::Problem;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::str::FromStr;

/// A body's bytes as they came: for signed documents and webhooks.
#[derive(Debug, Clone)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await;
        bytes.map(Self).map_err(|refusal| match refusal {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                Problem::new(413, "body_too_large", "The request's body is too large.")
            }
            _ => Problem::new(
                400,
                "body_unreadable",
                "The request's body did not arrive whole.",
            ),
        })
    }
}

/// A JSON body, with its bytes for hashing.
#[derive(Debug, Clone)]
pub struct JsonBody<T> {
    /// What it says.
    pub value: T,
    /// As it came.
    pub bytes: Bytes,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !has_type(request.headers(), |kind| {
            kind == "application/json" || kind.ends_with("+json")
        }) {
            let detail = "Send JSON, with Content-Type: application/json.";
            return Err(Problem::new(415, "content_type_unsupported", detail));
        }
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            let code = if error.is_data() {
                "json_unexpected"
            } else {
                "json_malformed"
            };
            Problem::new(400, code, format!("The JSON can't be read: {error}."))
        })?;
        Ok(Self { value, bytes })
    }
}

/// A body that may be left out: nothing was sent where no Content-Type says what it would be.
impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        match request.headers().contains_key(CONTENT_TYPE) {
            true => {
                let body = <Self as FromRequest<S>>::from_request(request, state).await?;
                Ok(Some(body))
            }
            false => Ok(None),
        }
    }
}

fn has_type(headers: &HeaderMap, wanted: impl Fn(&str) -> bool) -> bool {
    let given = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = given.and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| wanted(kind.trim().to_ascii_lowercase().as_str()))
}

/// A browser's form whose hidden field `csrf` holds the visitor's token.
#[derive(Debug, Clone)]
pub struct CsrfForm<T>(pub T);

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    csrf: String,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for CsrfForm<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !has_type(request.headers(), |kind| {
            kind == "application/x-www-form-urlencoded"
        }) {
            let detail = "Send a form, with Content-Type: application/x-www-form-urlencoded.";
            return Err(Problem::new(415, "content_type_unsupported", detail));
        }
        let (mut parts, body) = request.into_parts();
        let visitor =
            <Visitor as FromRequestParts<S>>::from_request_parts(&mut parts, state).await?;
        let request = Request::from_parts(parts, body);
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        let unreadable = |error: serde_urlencoded::de::Error| {
            let detail = format!("The form can't be read: {error}.");
            Problem::new(422, "form_malformed", detail)
        };
        let token: Token = serde_urlencoded::from_bytes(&bytes).map_err(unreadable)?;
        if !visitor.csrf_matches(&token.csrf) {
            let detail = "This form is too old or came from elsewhere; please load it again.";
            return Err(Problem::new(403, "csrf_mismatch", detail));
        }
        serde_urlencoded::from_bytes(&bytes)
            .map(Self)
            .map_err(unreadable)
    }
}

/// The `Idempotency-Key` header, if one was sent, with the method and path it belongs to.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    key: Option<String>,
    method: Method,
    path: String,
}

impl IdempotencyKey {
    /// The caller's promise over this body, when a key was sent.
    pub fn over(&self, body: &[u8]) -> Option<Idempotency> {
        let key = self.key.clone()?;
        let mut hash = Sha256::new();
        for part in [self.method.as_str().as_bytes(), self.path.as_bytes()] {
            hash.update(part);
            hash.update([0]);
        }
        hash.update(body);
        Some(Idempotency {
            key,
            request_hash: hash.finalize().into(),
        })
    }

    /// As [`IdempotencyKey::over`]; without a key the request is refused.
    pub fn required(&self, body: &[u8]) -> Result<Idempotency, Problem> {
        self.over(body).ok_or_else(|| {
            let detail = "Send an Idempotency-Key header: any text that is new for each request, \
                          such as a UUID.";
            Problem::new(400, "idempotency_key_missing", detail)
        })
    }
}

/// A form's hidden `key` field as an idempotency key: `Idempotent::of("checkout", key, bytes)`.
pub struct Idempotent;

impl Idempotent {
    /// The promise of a form drawn with `key`; the fields count by their values' bytes.
    pub fn of(what: &str, key: &str, fields: &[&str]) -> Idempotency {
        let mut hash = Sha256::new();
        for field in std::iter::once(&what).chain(fields) {
            // Lengths keep ("ab", "c") and ("a", "bc") apart.
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field.as_bytes());
        }
        Idempotency {
            key: key.chars().take(255).collect(),
            request_hash: hash.finalize().into(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let given = parts.headers.get("idempotency-key");
        let readable = given.map(|value| value.to_str().unwrap_or(""));
        // Some clients send the key as a structured field's string, in quotes.
        let key = readable.map(|key| key.trim_matches('"').to_owned());
        if key
            .as_ref()
            .is_some_and(|key| !(1..=255).contains(&key.len()))
        {
            let detail = "An Idempotency-Key has 1 to 255 visible characters.";
            return Err(Problem::new(400, "idempotency_key_malformed", detail));
        }
        Ok(Self {
            key,
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
        })
    }
}

/// A query string's parameters.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = parts.uri.query().unwrap_or("");
        serde_urlencoded::from_str(text).map(Self).map_err(|error| {
            let detail = format!("The query can't be read: {error}.");
            Problem::new(400, "query_malformed", detail)
        })
    }
}

/// The path's one parameter, such as an id; what can't be read is not found.
#[derive(Debug, Clone)]
pub struct PathParam<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for PathParam<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let missing = || Problem::not_found("There is nothing at this address.");
        let text = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = text.map_err(|_| missing())?;
        text.parse().map(Self).map_err(|_| missing())
    }
}

/// A path's parameters, when it has more than one; what can't be read is not found.
#[derive(Debug, Clone)]
pub struct PathParts<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParts<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = Path::<T>::from_request_parts(parts, state).await;
        let Path(found) =
            found.map_err(|_| Problem::not_found("There is nothing at this address."))?;
        Ok(Self(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_covers_method_path_and_body() {
        let key = |path: &str| IdempotencyKey {
            key: Some("k".to_owned()),
            method: Method::POST,
            path: path.to_owned(),
        };
        let hash = |path, body: &[u8]| key(path).over(body).unwrap().request_hash;
        assert_eq!(hash("/a", b"x"), hash("/a", b"x"));
        assert_ne!(hash("/a", b"x"), hash("/b", b"x"));
        assert_ne!(hash("/a", b"x"), hash("/a", b"y"));
        let fields = |fields: &[&str]| Idempotent::of("w", "k", fields).request_hash;
        assert_ne!(fields(&["ab", "c"]), fields(&["a", "bc"]));
    }
}
