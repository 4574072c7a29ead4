//! What holds for every route, added to its description: the answers of what stands around it, and
//! that a refusal is a problem.
//!
//! A handler's own `responses(…)` name what its use case decides. What the extractors before it and
//! the layers around it may answer follows from what the route takes, so that it is said here once.
//! `tests/openapi` holds every route to the whole of it.

use axum::http::StatusCode;
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::schema::{
    Components, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi, Ref, RefOr, Response};

/// Below it lies a face that speaks another vendor's dialect, in which it also refuses.
const DIALECT: &str = "/lago/";
/// What signed documents and papers are sent as.
const BYTES: [&str; 3] = [
    "application/cose",
    "application/cbor-seq",
    "application/pdf",
];
const SCHEMA: &str = "Problem";
const TOKEN: &str = "token";

/// The description with all that its routes have in common.
pub fn complete(mut api: OpenApi) -> OpenApi {
    for (path, item) in &mut api.paths.paths {
        for operation in operations(item) {
            surround(operation);
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                bytes(body.content.iter_mut());
            }
            let kinds: &[&str] = if path.starts_with(DIALECT) {
                &["application/json", "application/problem+json"]
            } else {
                &["application/problem+json"]
            };
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response {
                    bytes(response.content.iter_mut());
                    fill(status, response, kinds);
                }
            }
        }
    }
    let components = api.components.get_or_insert_with(Components::new);
    let schema = RefOr::T(Schema::Object(problem()));
    components.schemas.insert(SCHEMA.to_owned(), schema);
    components.add_security_scheme(TOKEN, token());
    let nobody = SecurityRequirement::default();
    let somebody = SecurityRequirement::new(TOKEN, Vec::<String>::new());
    api.security = Some(vec![nobody, somebody]);
    api
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let methods = [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.patch,
        &mut item.delete,
    ];
    methods.into_iter().filter_map(Option::as_mut)
}

/// Adds what extractors and layers answer before the handler is asked.
fn surround(operation: &mut Operation) {
    let parameters = operation.parameters.iter().flatten();
    let places: Vec<ParameterIn> = parameters
        .filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter.parameter_in.clone()),
            RefOr::Ref(_) => None,
        })
        .collect();
    let takes = |place: ParameterIn| places.contains(&place);
    let body = operation.request_body.is_some();
    // Who isn't signed in, or may not; a host that isn't ours; who asks too often; a server that is
    // busy.
    let mut statuses = vec![401, 403, 421, 429, 503];
    if body || takes(ParameterIn::Query) || takes(ParameterIn::Header) {
        // What can't be read, and what can but means nothing, such as an id of another kind.
        statuses.extend([400, 422]);
    }
    if body {
        statuses.extend([413, 415]);
    }
    if takes(ParameterIn::Path) {
        statuses.push(404);
    }
    let responses = &mut operation.responses.responses;
    for status in statuses {
        let response = || RefOr::T(Response::new(""));
        responses.entry(status.to_string()).or_insert_with(response);
    }
}

/// Describes signed documents and papers as bytes; a `Vec<u8>` would be a list of numbers.
fn bytes<'a>(contents: impl Iterator<Item = (&'a String, &'a mut RefOr<Content>)>) {
    for (kind, content) in contents {
        if let RefOr::T(content) = content
            && BYTES.contains(&kind.as_str())
        {
            let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
            let schema = ObjectBuilder::new().schema_type(Type::String);
            let schema = schema.format(Some(format)).build();
            content.schema = Some(RefOr::T(Schema::Object(schema)));
        }
    }
}

/// Says what an answer is when its route said only its status.
fn fill(status: &str, response: &mut Response, kinds: &[&str]) {
    let code = status
        .parse()
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok());
    if response.description.is_empty() {
        let reason = code.and_then(|code| code.canonical_reason());
        response.description = reason.unwrap_or("See the summary").to_owned();
    }
    let refuses = code.is_some_and(|code| code.is_client_error() || code.is_server_error());
    if refuses && response.content.is_empty() {
        for kind in kinds {
            let schema =
                (*kind == "application/problem+json").then(|| Ref::from_schema_name(SCHEMA));
            let content = ContentBuilder::new().schema(schema).build();
            response
                .content
                .insert((*kind).to_owned(), RefOr::T(content));
        }
    }
    if ["429", "503"].contains(&status) {
        let seconds = HeaderBuilder::new()
            .schema(Some(Object::with_type(Type::Integer)))
            .description(Some("After how many seconds to ask again."))
            .build();
        response
            .headers
            .insert("Retry-After".to_owned(), RefOr::T(seconds));
    }
}

/// A problem's members; some codes bring more, which docs/http-api.md names.
fn problem() -> Object {
    let text = || Object::with_type(Type::String);
    let mut schema = ObjectBuilder::new()
        .description(Some(
            "Why a request was refused (RFC 9457); `code` is stable.",
        ))
        .property("field", text());
    for member in ["type", "title", "code", "detail"] {
        schema = schema.property(member, text()).required(member);
    }
    let status = Object::with_type(Type::Integer);
    schema.property("status", status).required("status").build()
}

/// What `POST /v1/sessions` answers, a seller's token, or an API key, as the route says.
fn token() -> SecurityScheme {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    SecurityScheme::Http(scheme.build())
}
