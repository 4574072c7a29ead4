//! Use cases of kept methods: leave one, list one's own, choose one, have it forgotten.

use super::model::{Chosen, MOST, Method, MethodError};
use super::sql;
use crate::app::{App, Command, Cx, ReadCx};
use crate::caller::{Caller, Capability, Denied};
use crate::domains::payments::{EventKind, MethodUse, Payment, PaymentEvent};
use crate::gateways::{self, KeptMethod};
use crate::queue::{self, JobError};
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, MethodId, MethodSetupId, TenantId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The job that has a provider forget a method.
pub const FORGET_JOB: &str = "methods.forget";

/// Somebody wants to leave a method.
#[derive(Debug, Clone)]
pub struct BeginSetup {
    /// Who shall keep it.
    pub provider: String,
}

impl Command for BeginSetup {
    const NAME: &'static str = "methods.begin_setup";
    const CAPABILITY: Capability = Capability::Buy;
}

/// Expects a method from the caller; its id is what the provider calls the setup by.
pub fn begin_setup(cx: &mut Cx<'_>, cmd: &BeginSetup) -> Result<MethodSetupId, MethodError> {
    let account = signed_in(cx.caller)?;
    if sql::of_account(cx.tx, cx.caller.tenant, account)?.len() >= MOST {
        return Err(MethodError::TooMany);
    }
    let id = cx.make_id(MethodSetupId::from_bytes);
    let new = (id, account, cmd.provider.as_str());
    sql::insert_setup(cx.tx, cx.caller.tenant, new, cx.now)?;
    Ok(id)
}

fn signed_in(caller: &Caller) -> Result<AccountId, MethodError> {
    let denied = Denied {
        capability: Capability::Buy,
        signed_in: false,
    };
    Ok(caller.account.ok_or(denied)?)
}

/// What a provider tells of a setup: the method is its owner's now, or it isn't kept.
pub fn settle_setup(
    cx: &mut Cx<'_>,
    setup: MethodSetupId,
    event: &PaymentEvent,
) -> Result<&'static str, MethodError> {
    let tenant = cx.caller.tenant;
    let Some(owner) = sql::open_setup(cx.tx, tenant, setup)? else {
        return Ok("unchanged");
    };
    let (state, fact) = match (event.kind, &event.method) {
        (EventKind::MethodKept, Some(kept)) => {
            keep(cx, (owner, &event.provider), kept)?;
            ("kept", "payment_method.added")
        }
        (EventKind::MethodRefused, _) => ("refused", "payment_method.refused"),
        _ => return Ok("noted"),
    };
    sql::end_setup(cx.tx, tenant, setup, state)?;
    crate::events::record(cx, fact, &setup.to_string(), &())?;
    Ok(state)
}

/// What paid and is kept becomes its payer's own, when they were signed in and the provider said what
/// it is.
pub fn keep_of_payment(
    cx: &mut Cx<'_>,
    payment: &Payment,
    event: &PaymentEvent,
) -> Result<(), StoreError> {
    let own = payment
        .begun_by
        .filter(|_| payment.method_use == MethodUse::Setup);
    match own.zip(event.method.as_ref()) {
        Some((owner, kept)) => keep(cx, (owner, &event.provider), kept),
        None => Ok(()),
    }
}

fn keep(
    cx: &mut Cx<'_>,
    (account, provider): (AccountId, &str),
    kept: &KeptMethod,
) -> Result<(), StoreError> {
    let method = Method {
        id: cx.make_id(MethodId::from_bytes),
        account,
        provider: provider.to_owned(),
        kept: kept.clone(),
        added_at: cx.now,
    };
    sql::insert(cx.tx, cx.caller.tenant, &method)
}

/// Asks for the caller's own.
#[derive(Debug, Clone, Copy)]
pub struct MyMethods;

/// The caller's methods, the newest first.
pub fn my_methods(cx: &mut ReadCx<'_>, _: &MyMethods) -> Result<Vec<Method>, MethodError> {
    let account = signed_in(cx.caller)?;
    Ok(sql::of_account(cx.tx, cx.caller.tenant, account)?)
}

/// Asks what a name of a method means for the caller.
#[derive(Debug, Clone)]
pub struct ChooseMethod {
    /// `pmt_…`, one of the caller's own; or a test method of a provider whose money isn't real.
    pub method: String,
}

/// What shall be charged, if that is the caller's to choose.
pub fn choose_method(cx: &mut ReadCx<'_>, query: &ChooseMethod) -> Result<Chosen, MethodError> {
    let account = signed_in(cx.caller)?;
    let id = MethodId::parse(&query.method).map_err(|_| MethodError::NotFound)?;
    let found = sql::find(cx.tx, cx.caller.tenant, id)?;
    let own = found.filter(|method| method.account == account);
    let method = own.ok_or(MethodError::NotFound)?;
    Ok(Chosen {
        provider: method.provider,
        name: method.kept.name,
    })
}

/// What an account knows a provider's method by; `None` for one that isn't kept for it.
pub fn label_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (account, provider, name): (AccountId, &str, &str),
) -> Result<Option<KeptMethod>, StoreError> {
    let all = sql::of_account(tx, tenant, account)?;
    let mut all = all.into_iter();
    let found = all.find(|method| method.provider == provider && method.kept.name == name);
    Ok(found.map(|method| method.kept))
}

/// The payload of [`FORGET_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForgetPayload {
    /// Who keeps it.
    pub provider: String,
    /// The provider's name of it.
    pub name: String,
}

/// The caller's method is theirs no more, and its provider forgets it; `what` says what is charged to
/// it, which nobody may take from under it.
pub fn forget(
    cx: &mut Cx<'_>,
    id: MethodId,
    what: impl FnOnce(&mut Cx<'_>, &Method) -> Result<Option<String>, StoreError>,
) -> Result<(), MethodError> {
    let account = signed_in(cx.caller)?;
    let found = sql::find(cx.tx, cx.caller.tenant, id)?;
    let own = found.filter(|method| method.account == account);
    let method = own.ok_or(MethodError::NotFound)?;
    if let Some(what) = what(cx, &method)? {
        return Err(MethodError::InUse { what });
    }
    sql::delete(cx.tx, cx.caller.tenant, id)?;
    let payload = ForgetPayload {
        provider: method.provider,
        name: method.kept.name,
    };
    queue::enqueue(cx, FORGET_JOB, &payload, cx.now)?;
    Ok(())
}

/// The job: between transactions, as often as it takes.
pub async fn forget_at_provider(
    app: Arc<App>,
    caller: Caller,
    payload: ForgetPayload,
) -> Result<(), JobError> {
    let gateway = gateways::find(&app, &payload.provider)
        .ok_or_else(|| JobError::retry(format!("no provider {:?}", payload.provider)))?;
    let forgotten = gateway.forget_method(&app, caller.tenant, &payload.name);
    forgotten.await.map_err(JobError::retry)
}
