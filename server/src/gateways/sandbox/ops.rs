//! Use cases of the sandbox's page: open a session, let the buyer choose.

use super::model::{Choice, EventType, Outcome, SessionState, outcome};
use super::objects;
use super::setup;
use super::sql::{self, StoredSession};
use super::tell;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::custody::Custody;
use crate::gateways::{Closing, PAGE_CLOSED, SessionRequest};
use crate::store::StoreError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::id::PaymentId;

/// Why the sandbox refused.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// No such session.
    #[error("there is no such payment page")]
    NotFound,
    /// The provider refuses, with its code.
    #[error("{0}")]
    Refused(&'static str),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens a payment page.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// What the shop asked for.
    pub request: SessionRequest,
}

impl Command for OpenSession {
    const NAME: &'static str = "sandbox.open_session";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.request.payment.to_string())
    }
}

/// Opens a page for the payment, or answers the one it has.
pub fn open_session(cx: &mut Cx<'_>, cmd: &OpenSession) -> Result<String, SandboxError> {
    let (tenant, key) = (cx.caller.tenant, cmd.request.payment.to_string());
    if let Some(session) = sql::find_by_key(cx.tx, tenant, &key)? {
        return Ok(session);
    }
    let new = StoredSession {
        session: format!("sbx_{}", mintreu::id::encode(&cx.random())),
        reference: key,
        description: cmd.request.description.clone(),
        amount: cmd.request.amount,
        return_url: sealed(cx, &cmd.request.return_url),
        state: SessionState::Open,
        card: String::new(),
        card_country: String::new(),
        strong: cmd.request.strong,
        kept: cmd.request.keep,
    };
    sql::insert_session(cx.tx, tenant, &new, cx.now)?;
    Ok(new.session)
}

/// Closes a payment's page.
#[derive(Debug, Clone, Copy)]
pub struct CloseSession {
    /// The shop's name of the payment.
    pub payment: PaymentId,
}

impl Command for CloseSession {
    const NAME: &'static str = "sandbox.close_session";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.payment.to_string())
    }
}

/// Closes the page while nobody paid there, and tells the shop that nobody will.
pub fn close_session(cx: &mut Cx<'_>, cmd: &CloseSession) -> Result<Closing, SandboxError> {
    let tenant = cx.caller.tenant;
    let Some(name) = sql::find_by_key(cx.tx, tenant, &cmd.payment.to_string())? else {
        return Ok(Closing::Closed);
    };
    let found = sql::find(cx.tx, tenant, &name)?;
    let mut session = found.ok_or(SandboxError::NotFound)?;
    match session.state {
        SessionState::Succeeded => return Ok(Closing::Paid),
        SessionState::Failed => return Ok(Closing::Closed),
        SessionState::Open | SessionState::Challenge => session.state = SessionState::Failed,
    }
    sql::move_session(cx.tx, tenant, &session, cx.now)?;
    let happening = tell::Happening {
        kind: EventType::Failed,
        failure_code: Some(PAGE_CLOSED.to_owned()),
        ..tell::Happening::of(&session)
    };
    tell::tell(cx, happening, &[0])?;
    Ok(Closing::Closed)
}

/// What the way back is sealed for: it may hold the token of a guest's order, which opens that.
const WAY_BACK: &str = "sandbox.way_back";

pub(super) fn sealed(cx: &mut Cx<'_>, url: &str) -> String {
    let nonce = cx.random();
    URL_SAFE_NO_PAD.encode(cx.keys.seal(WAY_BACK, url.as_bytes(), nonce))
}

/// Where the buyer goes from the provider's page; the shop's front when the key was changed since.
pub fn way_back(keys: &Custody, stored: &StoredSession) -> String {
    let sealed = URL_SAFE_NO_PAD.decode(&stored.return_url).ok();
    let url = sealed.and_then(|sealed| keys.unseal(WAY_BACK, &sealed));
    let url = url.and_then(|url| String::from_utf8(url.to_vec()).ok());
    url.unwrap_or_else(|| "/".to_owned())
}

/// The session behind a page's address.
#[expect(clippy::ptr_arg, reason = "a query is given as it was sent")]
pub fn session(cx: &mut ReadCx<'_>, session: &String) -> Result<StoredSession, SandboxError> {
    sql::find(cx.tx, cx.caller.tenant, session)?.ok_or(SandboxError::NotFound)
}

/// The buyer chooses.
#[derive(Debug, Clone)]
pub struct Choose {
    /// On which page.
    pub session: String,
    /// What.
    pub choice: Choice,
    /// The country of the card (two capitals), if the page says one.
    pub country: Option<String>,
}

impl Command for Choose {
    const NAME: &'static str = "sandbox.choose";
    const CAPABILITY: Capability = Capability::Browse;

    fn contention_keys(&self) -> Vec<String> {
        vec![self.session.clone()]
    }
}

/// What follows from a choice; what would pay asks for a proof first where the shop wants one.
fn outcome_of(session: &StoredSession, choice: Choice) -> Option<Outcome> {
    if setup::is_setup(session) {
        return setup::setup_outcome(session.state, choice);
    }
    let found = outcome(session.state, choice)?;
    let pays = session.state == SessionState::Open && found.state == SessionState::Succeeded;
    match session.strong && pays {
        true => outcome(session.state, Choice::Challenge),
        false => Some(found),
    }
}

/// Applies the choice, once; one that isn't offered any more changes nothing.
pub fn choose(cx: &mut Cx<'_>, cmd: &Choose) -> Result<StoredSession, SandboxError> {
    let tenant = cx.caller.tenant;
    let found = sql::find(cx.tx, tenant, &cmd.session)?;
    let mut session = found.ok_or(SandboxError::NotFound)?;
    if let Some(outcome) = outcome_of(&session, cmd.choice) {
        session.state = outcome.state;
        if !matches!(cmd.choice, Choice::Confirm | Choice::Reject) {
            cmd.choice.code().clone_into(&mut session.card);
            let capitals = |text: &&String| {
                text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
            };
            let country = cmd.country.as_ref().filter(capitals);
            session.card_country = country.cloned().unwrap_or_default();
        }
        sql::move_session(cx.tx, tenant, &session, cx.now)?;
        for (kind, deliveries) in outcome.events {
            let happening = tell::Happening {
                kind: *kind,
                failure_code: outcome.failure_code.map(str::to_owned),
                method: match kind {
                    EventType::Succeeded | EventType::MethodKept => setup::kept(&session),
                    _ => None,
                },
                ..tell::Happening::of(&session)
            };
            tell::tell(cx, happening, deliveries)?;
        }
        if session.state == SessionState::Succeeded {
            objects::follow_card(cx, &session)?;
        }
    }
    Ok(session)
}

/// The body of an event, as it is delivered each time.
#[expect(clippy::ptr_arg, reason = "a query is given as it was sent")]
pub(super) fn event_body(cx: &mut ReadCx<'_>, event: &String) -> Result<String, SandboxError> {
    sql::event_body(cx.tx, cx.caller.tenant, event)?.ok_or(SandboxError::NotFound)
}
