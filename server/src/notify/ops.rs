//! From a fact to a letter.

use super::letter::Letter;
use super::{
    address as addresses, affiliates as partners, gifts, money, review, sellers, sql, told, usage,
    wishes,
};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::domains::accounts::{self, AccountError};
use crate::domains::affiliates::{self, AffiliateError};
use crate::domains::billing::{self, BillingError};
use crate::domains::carts;
use crate::domains::catalog;
use crate::domains::fulfilment;
use crate::domains::gifts as given;
use crate::domains::invoicing::{self, InvoiceError};
use crate::domains::licensing::{self, LicensingError};
use crate::domains::orders::{self, OrderError};
use crate::domains::quotas;
use crate::domains::risk;
use crate::domains::subscriptions::{self, SubscriptionError};
use crate::domains::webhooks;
use crate::events::{self, Event};
use crate::queue::{self, JobError};
use crate::store::StoreError;
use crate::text::Locale;
use mintreu::id::{AccountId, CartId, EventId, InvoiceId, OrderId};
use serde::{Deserialize, Serialize};

/// The job that tells a fact by mail.
pub const MAIL_JOB: &str = "notify.mail";

/// The facts that are told by mail.
const TOLD: &[&str] = &[
    "account.created",
    "cart.abandoned",
    gifts::CLAIMED,
    "invoice.finalized",
    "order.paid",
    risk::REVIEW_FACT,
    affiliates::DIGEST_FACT,
    affiliates::JOINED_FACT,
    billing::REPORT_FACT,
    webhooks::DISABLED_FACT,
];

/// The payload of [`MAIL_JOB`]: which fact, and nothing personal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MailJob {
    /// The text of the fact's id.
    pub event: String,
    /// To whom, where a fact is told to several: the text of an account's id.
    #[serde(default)]
    pub to: Option<String>,
}

fn is_money(kind: &str) -> bool {
    money::OF_SUBSCRIPTIONS.contains(&kind) || money::OF_MONEY.contains(&kind)
}

/// Whether the same may happen to the same thing again, and is told again.
fn recurs(kind: &str) -> bool {
    is_money(kind)
        || [gifts::SENT, quotas::REACHED_FACT].contains(&kind)
        || wishes::OF_WISHES.contains(&kind)
        || sellers::OF_STANDING.contains(&kind)
        || addresses::OF_ADDRESSES.contains(&kind)
        || [affiliates::ENDED_FACT, affiliates::RESUMED_FACT].contains(&kind)
}

/// Whether facts of this kind are told by mail.
pub fn is_told(kind: &str) -> bool {
    TOLD.contains(&kind) || recurs(kind)
}

/// What a mail is kept under: what the fact is about, or, where the same happens to it again and
/// again, the fact itself.
fn sent_as(event: &Event, to: Option<&str>) -> String {
    match (recurs(&event.kind), to) {
        (true, Some(to)) => format!("{}:{to}", event.event_id),
        (true, None) => event.event_id.to_string(),
        (false, Some(to)) => format!("{}:{to}", event.subject),
        (false, None) => event.subject.clone(),
    }
}

/// A subscriber of the outbox: queues a mail for facts that are told by mail.
pub fn on_fact(cx: &mut Cx<'_>, event: &Event) -> Result<(), JobError> {
    if !is_told(&event.kind) {
        return Ok(());
    }
    let id = event.event_id.to_string();
    let now = cx.now;
    for account in told::told_to(cx, event)? {
        let to = account.map(|account| account.to_string());
        let name = match &to {
            Some(to) => format!("{id} {to}"),
            None => id.clone(),
        };
        let event = id.clone();
        let job = MailJob { event, to };
        queue::enqueue_once(cx, MAIL_JOB, &name, &job, now)?;
    }
    Ok(())
}

/// Asks for the mail of a fact.
#[derive(Debug, Clone)]
pub struct ComposeMail {
    /// The text of the fact's id.
    pub event: String,
    /// To whom, where a fact is told to several.
    pub to: Option<String>,
    /// What links begin with.
    pub base_url: String,
}

impl Command for ComposeMail {
    const NAME: &'static str = "notify.compose";
    const CAPABILITY: Capability = Capability::Operate;
    const AUDITED: bool = false;
}

/// A letter with its address.
#[derive(Clone)]
pub struct Mail {
    /// The fact's kind.
    pub fact: String,
    /// What it is about.
    pub subject: String,
    /// The same for every copy.
    pub reference: String,
    /// Where it goes.
    pub to: String,
    /// What it says.
    pub letter: Letter,
}

/// Why a mail can't be made.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The job names no fact that can be read.
    #[error("the job's fact is unreadable: {0}")]
    Payload(String),
    /// The fact's subject isn't there.
    #[error("what the fact is about is gone")]
    Gone,
    /// People.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// Orders.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Licenses.
    #[error(transparent)]
    Licensing(#[from] LicensingError),
    /// Invoices.
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
    /// Subscriptions.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// Affiliates.
    #[error(transparent)]
    Affiliate(#[from] AffiliateError),
    /// Usage.
    #[error(transparent)]
    Billing(#[from] BillingError),
    /// Not this caller.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NotifyError> for JobError {
    fn from(error: NotifyError) -> Self {
        match error {
            NotifyError::Store(_) => JobError::retry(error),
            other => JobError::fail(other),
        }
    }
}

/// The mail of a fact; `None` when it was sent before, or nobody left an address.
pub fn compose(cx: &mut Cx<'_>, command: &ComposeMail) -> Result<Option<Mail>, NotifyError> {
    let id = EventId::parse(&command.event);
    let id = id.map_err(|e| NotifyError::Payload(e.to_string()))?;
    let event = events::find(cx, id)?.ok_or(NotifyError::Gone)?;
    let subject = sent_as(&event, command.to.as_deref());
    let about = (event.kind.as_str(), subject.as_str());
    if sql::sent(cx.tx, cx.caller.tenant, about)? {
        return Ok(None);
    }
    let base = command.base_url.as_str();
    let written = match about.0 {
        "account.created" => welcome(cx, &event, base)?,
        "cart.abandoned" => forgotten_cart(cx, &event, base)?,
        gifts::CLAIMED => gifts::claimed(cx, &event, base)?,
        gifts::SENT => gifts::sent(cx, &event, base)?,
        "invoice.finalized" => invoice(cx, &event, base)?,
        "order.paid" => receipt(cx, &event, base)?,
        billing::REPORT_FACT => usage::report(cx, &event, base)?,
        quotas::REACHED_FACT => usage::reached(cx, &event, base)?,
        webhooks::DISABLED_FACT => endpoint_disabled(cx, &event, base)?,
        affiliates::DIGEST_FACT => partners::digest(cx, &event, base)?,
        kind if partners::OF_PARTS.contains(&kind) => partners::part(cx, &event, base)?,
        kind if sellers::OF_STANDING.contains(&kind) => sellers::write(cx, &event, base)?,
        risk::REVIEW_FACT => review::write(cx, (&event, command.to.as_deref()), base)?,
        kind if wishes::OF_WISHES.contains(&kind) => {
            wishes::write(cx, (&event, command.to.as_deref()), base)?
        }
        kind if addresses::OF_ADDRESSES.contains(&kind) => addresses::write(cx, &event, base)?,
        kind if is_money(kind) => money::write(cx, (&event, command.to.as_deref()), base)?,
        other => return Err(NotifyError::Payload(format!("{other} is not told by mail"))),
    };
    Ok(written.map(|(to, letter)| Mail {
        fact: event.kind.clone(),
        subject,
        reference: match &command.to {
            Some(to) => format!("{}.{to}", command.event),
            None => command.event.clone(),
        },
        to,
        letter,
    }))
}

pub(super) type Written = Option<(String, Letter)>;

pub(super) fn letter(subject: impl FnOnce(&'static crate::text::Translator) -> String) -> Letter {
    let locale = Locale::default();
    Letter::new(locale, subject(crate::text::Translator::of(locale)))
}

pub(super) fn subject_id<T>(
    event: &Event,
    parse: fn(&str) -> Result<T, mintreu::Error>,
) -> Result<T, NotifyError> {
    parse(&event.subject).map_err(|e| NotifyError::Payload(e.to_string()))
}

pub(super) fn address(cx: &mut Cx<'_>, account: AccountId) -> Result<Option<String>, NotifyError> {
    let found = accounts::find_account(&mut reading(cx), &account)?;
    Ok(found.map(|account| account.email.as_str().to_owned()))
}

/// Where mail about an order or its invoices goes: the account's address, or the guest's.
pub(super) fn buyer(
    cx: &mut Cx<'_>,
    account: Option<AccountId>,
    order: Option<OrderId>,
) -> Result<Option<String>, NotifyError> {
    match (account, order) {
        (Some(account), _) => address(cx, account),
        (None, Some(order)) => Ok(orders::contact(cx, order)?),
        (None, None) => Ok(None),
    }
}

pub(super) fn reading<'a>(cx: &'a mut Cx<'_>) -> ReadCx<'a> {
    ReadCx {
        tx: cx.tx,
        now: cx.now,
        caller: cx.caller,
    }
}

/// The one reminder of a cart that its owner wished to be reminded of.
fn forgotten_cart(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let cart = subject_id(event, CartId::parse)?;
    let Some(account) = carts::reminded(cx.tx, cx.caller.tenant, cart)? else {
        return Ok(None);
    };
    let Some(to) = address(cx, account)? else {
        return Ok(None);
    };
    let mut letter = letter(|words| words.say("mail-cart-subject"));
    let words = letter.words();
    letter.intro.push(words.say("mail-cart-intro"));
    letter.action(words.say("mail-cart-open"), format!("{base}/cart"));
    letter.outro.push(words.say("mail-cart-outro"));
    Ok(Some((to, letter)))
}

fn welcome(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let account = subject_id(event, AccountId::parse)?;
    let Some(to) = address(cx, account)? else {
        return Ok(None);
    };
    let mut letter = letter(|words| words.say("mail-welcome-subject"));
    let words = letter.words();
    letter.intro.push(words.say("mail-welcome-intro"));
    letter.action(
        words.say("mail-welcome-licenses"),
        format!("{base}/licenses"),
    );
    letter.outro.push(words.say("mail-welcome-outro"));
    Ok(Some((to, letter)))
}

fn invoice(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let id = subject_id(event, InvoiceId::parse)?;
    let invoice = invoicing::find(&mut reading(cx), id)?.ok_or(NotifyError::Gone)?;
    let Some(to) = buyer(cx, invoice.customer, invoice.order)? else {
        return Ok(None);
    };
    let product = catalog::product(cx.tx, cx.caller.tenant, invoice.product)?;
    let name = product.map_or_else(|| invoice.product.to_string(), |product| product.name);
    let number = invoice.number_text();
    let mut letter = letter(|words| words.say_one("mail-invoice-subject", "number", &*number));
    let words = letter.words();
    letter
        .intro
        .push(words.say_one("mail-invoice-intro", "product", &*name));
    letter.fact(words.say("mail-invoice-number"), &number);
    letter.fact(words.say("mail-invoice-total"), invoice.total);
    letter.fact(words.say("mail-invoice-due"), day(invoice.due_at));
    letter.action(
        words.say("mail-invoice-open"),
        format!("{base}/invoices/{id}"),
    );
    letter.outro.push(words.say("mail-invoice-outro"));
    Ok(Some((to, letter)))
}

/// `2027-01-15`, which is the same day in every language; instants are UTC.
pub(super) fn day(at: mintreu::Timestamp) -> String {
    let stamp = jiff::Timestamp::from_millisecond(at.ms());
    stamp.map_or_else(
        |_| at.ms().to_string(),
        |stamp| stamp.strftime("%Y-%m-%d").to_string(),
    )
}

/// Where an order is looked at, with the secret that opens it.
pub(super) fn order_page(cx: &Cx<'_>, order: OrderId, base: &str) -> String {
    let token = orders::access_token(cx.keys, cx.caller.tenant, order);
    format!("{base}/orders/{order}?t={}", token.reveal())
}

fn receipt(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let order = orders::by_id(cx, subject_id(event, OrderId::parse)?)?;
    if subscriptions::of_order(cx, order.id)?.is_some() {
        // The bill of a subscription, which has a receipt of its own.
        return Ok(None);
    }
    let Some(to) = buyer(cx, order.account, Some(order.id))? else {
        return Ok(None);
    };
    let number = order.id.to_string();
    let mut letter = letter(|words| words.say_one("mail-order-subject", "order", &*number));
    let words = letter.words();
    let gift = gift_of(cx, order.id)?;
    letter.intro.push(match &gift {
        Some(recipient) => words.say_one("mail-order-gift", "email", recipient.as_str()),
        None => words.say("mail-order-intro"),
    });
    for line in &order.lines {
        letter.fact(words.say("mail-order-product"), &line.title);
        let source = line.id.to_string();
        let license = licensing::by_source(cx.tx, cx.caller.tenant, &source)?;
        // What was given is claimed by now, perhaps; its keys are its recipient's alone.
        if let Some(license) = license.filter(|_| gift.is_none()) {
            let code = licensing::reveal_code(cx, license.id)?;
            letter.code(words.say("mail-order-key"), code.reveal());
        }
    }
    letter.fact(words.say("mail-order-total"), order.total);
    for of in subscriptions::begun_by(cx.tx, cx.caller.tenant, order.id)? {
        let values = [
            ("product", money::product(cx, of.product)?.into()),
            ("date", day(of.until).into()),
        ];
        letter
            .intro
            .push(words.say_with("mail-order-renews", values));
    }
    let page = order_page(cx, order.id, base);
    letter.action(words.say("mail-order-open"), page);
    letter.outro.push(words.say(match gift {
        Some(_) => "mail-order-gift-outro",
        None => "mail-order-outro",
    }));
    if let Some(waiver) = fulfilment::waiver_of(cx.tx, cx.caller.tenant, order.id)? {
        let when = crate::web::format::rfc3339(waiver.agreed_at);
        let values = [
            ("when", when.into()),
            ("version", waiver.version.into()),
            ("text", words.say("consent-waiver").into()),
        ];
        letter
            .outro
            .push(words.say_with("mail-order-waiver", values));
    }
    Ok(Some((to, letter)))
}

/// Whom an order was given to, if it was; an address that was erased is nobody's.
fn gift_of(cx: &mut Cx<'_>, order: OrderId) -> Result<Option<String>, NotifyError> {
    let tenant = cx.caller.tenant;
    let Some(gift) = given::of_order(cx.tx, tenant, order)? else {
        return Ok(None);
    };
    let recipient = given::recipient(cx.tx, tenant, gift.id)?;
    Ok(Some(recipient.map(|one| one.email).unwrap_or_default()))
}

fn endpoint_disabled(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let Some(id) = webhooks::disabled_endpoint(event) else {
        return Err(NotifyError::Payload(event.subject.clone()));
    };
    let Some(endpoint) = webhooks::find_endpoint(cx, id)? else {
        // Deleted meanwhile: there is nothing to look at.
        return Ok(None);
    };
    let Some(to) = address(cx, endpoint.seller)? else {
        return Ok(None);
    };
    let mut letter = letter(|words| words.say("mail-webhook-subject"));
    let words = letter.words();
    let intro = match event.data["reason"].as_str() {
        Some("gone") => "mail-webhook-gone",
        _ => "mail-webhook-failing",
    };
    letter.intro.push(words.say(intro));
    letter.fact(words.say("mail-webhook-url"), &endpoint.url);
    letter.action(
        words.say("mail-webhook-open"),
        format!("{base}/sell/webhooks/{id}"),
    );
    letter.outro.push(words.say("mail-webhook-outro"));
    Ok(Some((to, letter)))
}

/// Notes that a mail was sent.
#[derive(Debug, Clone)]
pub struct NoteSent {
    /// The fact's kind.
    pub fact: String,
    /// What it was about.
    pub subject: String,
    /// The mail's Message-ID.
    pub message_id: String,
}

impl Command for NoteSent {
    const NAME: &'static str = "notify.note_sent";
    const CAPABILITY: Capability = Capability::Operate;
    const AUDITED: bool = false;
}

/// Keeps that it was sent, so that it isn't again.
pub fn note_sent(cx: &mut Cx<'_>, command: &NoteSent) -> Result<(), NotifyError> {
    let mail = (
        command.fact.as_str(),
        command.subject.as_str(),
        command.message_id.as_str(),
    );
    Ok(sql::note(cx.tx, cx.caller.tenant, mail, cx.now)?)
}
