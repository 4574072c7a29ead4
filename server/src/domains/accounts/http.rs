//! Routes of accounts: signing up, in and out, and who one is.

mod address;

use super::entry::{SignUpForm, sign_in_with, sign_up_with};
use super::tokens::{MakeToken, RevokeToken, Token, list_tokens, make_token, revoke_token};
use super::{
    AccountError, BecomeDeveloper, ListSessions, RevokeSession, UseAdminLink, become_developer,
    find_account, list_sessions, model, revoke_session, use_admin_link,
};
use crate::app::App;
use crate::problem::Problem;
use crate::wire::cookies::Cookie;
use crate::wire::{JsonBody, PathParam, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use mintreu::id::{SessionId, TokenId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(post_account))
        .routes(routes!(post_session, delete_session, list))
        .routes(routes!(delete_other_session))
        .routes(routes!(me))
        .routes(routes!(post_developer))
        .routes(routes!(post_admin))
        .routes(routes!(post_token, get_tokens))
        .routes(routes!(delete_token))
        .merge(address::routes())
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        use AccountError as E;
        let detail = error.to_string();
        match error {
            E::EmailMalformed => Self::new(422, "email_malformed", detail).at("email"),
            E::EmailTaken => Self::new(409, "email_taken", detail).at("email"),
            E::EmailSame => Self::new(422, "email_same", detail).at("email"),
            E::NameMalformed => Self::new(422, "name_malformed", detail).at("name"),
            E::PasswordWeak(_) => Self::new(422, "password_weak", detail).at("password"),
            E::WrongCredentials => Self::new(401, "credentials_wrong", detail),
            E::TooMany { seconds } => Self::new(429, "too_many_requests", detail).after(seconds),
            E::LinkDead => Self::new(410, "link_dead", detail),
            E::TooManyTokens => Self::new(422, "too_many_tokens", detail),
            E::NotFound => Self::not_found(detail),
            E::Store(error) => error.into(),
            E::Denied(denied) => denied.into(),
        }
    }
}

/// Who wants an account.
#[derive(Deserialize, ToSchema)]
pub struct SignUpIn {
    email: String,
    name: String,
    /// At least 15 characters.
    password: String,
}

/// An account, as its owner sees it.
#[derive(Serialize, ToSchema)]
pub struct AccountOut {
    account_id: String,
    email: String,
    name: String,
    roles: Vec<&'static str>,
}

/// A session's token: for the header `Authorization: Bearer …`. The cookie holds it too.
#[derive(Serialize, ToSchema)]
pub struct SessionOut {
    token: String,
}

/// One of the caller's sessions.
#[derive(Serialize, ToSchema)]
pub struct SessionInfoOut {
    session_id: String,
    user_agent: String,
    /// Milliseconds since 1970 (UTC).
    created_at: i64,
    /// Milliseconds since 1970 (UTC), within five minutes.
    last_used_at: i64,
    current: bool,
}

/// Who signs in.
#[derive(Deserialize, ToSchema)]
pub struct SignInIn {
    email: String,
    password: String,
}

/// Sign up.
#[utoipa::path(post, path = "/v1/accounts", tag = "accounts", request_body = SignUpIn,
    responses((status = 201, body = AccountOut), (status = 409), (status = 422), (status = 429)))]
async fn post_account(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<SignUpIn>,
) -> Result<(StatusCode, Json<AccountOut>), Problem> {
    let form = SignUpForm {
        email: &body.value.email,
        name: &body.value.name,
        password: &body.value.password,
    };
    let account = sign_up_with(&app, &visitor.caller, &visitor.client_key(), &form).await?;
    let account = app.read(&visitor.caller, account, find_account).await?;
    let account = account.ok_or(AccountError::NotFound)?;
    Ok((StatusCode::CREATED, Json(account_out(&account))))
}

fn account_out(account: &model::Account) -> AccountOut {
    let names = account.roles.iter().copied().filter_map(model::role_name);
    AccountOut {
        account_id: account.account_id.to_string(),
        email: account.email.as_str().to_owned(),
        name: account.name.clone(),
        roles: names.collect(),
    }
}

type SetCookie = [(HeaderName, HeaderValue); 1];

/// Sign in.
#[utoipa::path(post, path = "/v1/sessions", tag = "accounts", request_body = SignInIn,
    responses((status = 201, body = SessionOut), (status = 401), (status = 429)))]
async fn post_session(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<SignInIn>,
) -> Result<(StatusCode, SetCookie, Json<SessionOut>), Problem> {
    let SignInIn { email, password } = &body.value;
    let (client, agent) = (visitor.client_key(), &visitor.user_agent);
    let token = sign_in_with(&app, &visitor.caller, &client, agent, email, password).await?;
    let cookie = [(header::SET_COOKIE, Cookie::Session.set(&app.config, &token))];
    Ok((StatusCode::CREATED, cookie, Json(SessionOut { token })))
}

/// Sign out: ends the session that asks.
#[utoipa::path(delete, path = "/v1/sessions", tag = "accounts",
    responses((status = 204), (status = 401)))]
async fn delete_session(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<(StatusCode, SetCookie), Problem> {
    if let Some(session) = visitor.session {
        let command = RevokeSession { session };
        app.transact(&visitor.caller, command, revoke_session)
            .await?;
    }
    let cookie = [(header::SET_COOKIE, Cookie::Session.clear(&app.config))];
    Ok((StatusCode::NO_CONTENT, cookie))
}

/// List one's sessions, the last used first.
#[utoipa::path(get, path = "/v1/sessions", tag = "accounts",
    responses((status = 200, body = Vec<SessionInfoOut>), (status = 404)))]
async fn list(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<Vec<SessionInfoOut>>, Problem> {
    let found = app
        .read(&visitor.caller, ListSessions, list_sessions)
        .await?;
    let out = found.into_iter().map(|info| SessionInfoOut {
        current: visitor.session == Some(info.session_id),
        session_id: info.session_id.to_string(),
        user_agent: info.user_agent,
        created_at: info.created_at.ms(),
        last_used_at: info.last_used_at.ms(),
    });
    Ok(Json(out.collect()))
}

/// End another of one's sessions.
#[utoipa::path(delete, path = "/v1/sessions/{session_id}", tag = "accounts",
    params(("session_id" = String, Path)), responses((status = 204), (status = 404)))]
async fn delete_other_session(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(session): PathParam<SessionId>,
) -> Result<StatusCode, Problem> {
    let command = RevokeSession { session };
    app.transact(&visitor.caller, command, revoke_session)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who am I?
#[utoipa::path(get, path = "/v1/me", tag = "accounts",
    responses((status = 200, body = AccountOut), (status = 401)))]
async fn me(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Json<AccountOut>, Problem> {
    let signed_out = || Problem::new(401, "sign_in_required", "Please sign in first.");
    let account = visitor.caller.account.ok_or_else(signed_out)?;
    let account = app.read(&visitor.caller, account, find_account).await?;
    Ok(Json(account_out(&account.ok_or_else(signed_out)?)))
}

/// Become a developer: sell products.
#[utoipa::path(post, path = "/v1/me/developer", tag = "accounts",
    responses((status = 204), (status = 401)))]
async fn post_developer(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<StatusCode, Problem> {
    app.transact(&visitor.caller, BecomeDeveloper, become_developer)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A one-time token, as `mintreu admin create` prints it.
#[derive(Deserialize, ToSchema)]
pub struct AdminTokenIn {
    token: String,
}

/// Become an administrator with a one-time token.
#[utoipa::path(post, path = "/v1/me/admin", tag = "accounts", request_body = AdminTokenIn,
    responses((status = 204), (status = 401), (status = 410)))]
async fn post_admin(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<AdminTokenIn>,
) -> Result<StatusCode, Problem> {
    let command = UseAdminLink {
        token: body.value.token,
    };
    app.transact(&visitor.caller, command, use_admin_link)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token for a program of the seller's.
#[derive(Deserialize, ToSchema)]
pub struct TokenIn {
    /// What to call it: 1 to 80 characters.
    name: String,
}

/// A token as its seller sees it.
#[derive(Serialize, ToSchema)]
pub struct TokenOut {
    token_id: String,
    name: String,
    created_at: i64,
    revoked_at: Option<i64>,
}

/// A new token. It is not shown again.
#[derive(Serialize, ToSchema)]
pub struct MadeTokenOut {
    token_id: String,
    /// Send it as `Authorization: Bearer …`.
    token: String,
}

/// All of a seller's tokens.
#[derive(Serialize, ToSchema)]
pub struct TokensOut {
    tokens: Vec<TokenOut>,
}

/// Make a token for meters and events.
#[utoipa::path(post, path = "/v1/tokens", tag = "accounts", request_body = TokenIn,
    responses((status = 201, body = MadeTokenOut), (status = 401), (status = 422)))]
async fn post_token(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<TokenIn>,
) -> Result<(StatusCode, Json<MadeTokenOut>), Problem> {
    let command = MakeToken {
        name: body.value.name,
    };
    let made = app.transact(&visitor.caller, command, make_token).await?;
    let out = MadeTokenOut {
        token_id: made.id.to_string(),
        token: made.secret,
    };
    Ok((StatusCode::CREATED, Json(out)))
}

/// List one's tokens.
#[utoipa::path(get, path = "/v1/tokens", tag = "accounts",
    responses((status = 200, body = TokensOut), (status = 401)))]
async fn get_tokens(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<TokensOut>, Problem> {
    let tokens = app.read(&visitor.caller, (), list_tokens).await?;
    let out = |token: Token| TokenOut {
        token_id: token.id.to_string(),
        name: token.name,
        created_at: token.created_at.ms(),
        revoked_at: token.revoked_at.map(mintreu::Timestamp::ms),
    };
    let tokens = tokens.into_iter().map(out).collect();
    Ok(Json(TokensOut { tokens }))
}

/// Revoke a token, at once.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "accounts",
    params(("id" = String, Path, description = "tok_…")),
    responses((status = 204), (status = 401), (status = 404)))]
async fn delete_token(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<TokenId>,
) -> Result<StatusCode, Problem> {
    app.transact(&visitor.caller, RevokeToken(id), revoke_token)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
