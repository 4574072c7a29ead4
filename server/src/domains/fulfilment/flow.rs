//! The way through the gateway: what happens between the transactions of a checkout.
//!
//! A crash between the steps is safe: the provider knows a payment by its id and answers the same
//! page again, and the order's page offers to pay for as long as the order waits.

use super::checkout::{
    Checkout, CheckoutPlaced, RetryPayment, checkout, retry_payment, still_sold,
};
use super::confirm::{Confirm, confirm};
use super::example::AskExample;
use super::model::{FulfilmentError, Network};
use super::pay::{PayInvoice, Paying, pay_invoice};
use super::promise::Promise;
use super::quote::{AskQuote, Basis, Quoted, Wanted, quote};
use crate::app::{App, Idempotency, ReadCx};
use crate::caller::Caller;
use crate::domains::carts::Owner;
use crate::domains::fees::http as fees;
use crate::domains::gifts::NewGift;
use crate::domains::ledger::{Split, Traffic};
use crate::domains::orders::{self, AccessToken, OrderError};
use crate::domains::payments::{
    self, AttachSession, MethodUse, Payment, PaymentError, attach_session,
};
use crate::domains::risk::{self, NoteRefusal};
use crate::domains::taxes;
use crate::gateways::{self, Closing, Gateway, SessionRequest};
use crate::limits::Rate;
use crate::text::Locale;
use mintreu::Money;
use mintreu::id::{InvoiceId, OrderId, PaymentId, ProductId, TenantId};

/// What a face knows of a purchase.
#[derive(Debug, Clone)]
pub struct Purchase {
    /// What, and with which codes.
    pub wanted: Wanted,
    /// The total that the buyer saw.
    pub seen: Money,
    /// A guest's address.
    pub email: Option<String>,
    /// Where the request came from, if it is known.
    pub network: Option<Network>,
    /// Who found the buyer.
    pub traffic: Traffic,
    /// Whose page takes the money; `None` for the shop's usual one.
    pub provider: Option<String>,
}

/// An order on its way.
#[derive(Debug, Clone)]
pub struct Started {
    /// The order.
    pub order: OrderId,
    /// What opens a guest's order; `None` when an account bought.
    pub token: Option<AccessToken>,
    /// Where to pay; `None` when there is nothing to pay.
    pub pay_url: Option<String>,
}

impl Started {
    /// The order's page: `/orders/ord_…`, with the token for a guest.
    pub fn order_path(&self) -> String {
        order_path(self.order, self.token.as_ref())
    }
}

/// The page of an order, with the token for a guest.
pub fn order_path(order: OrderId, token: Option<&AccessToken>) -> String {
    let query = token.map_or(String::new(), |token| format!("?t={}", token.reveal()));
    format!("/orders/{order}{query}")
}

/// The provider that takes this shop's money.
fn provider(app: &App, wanted: Option<&str>) -> Result<String, FulfilmentError> {
    let name = wanted.unwrap_or("sandbox");
    let found = gateways::find(app, name).map(|gateway| gateway.name().to_owned());
    found.ok_or_else(|| FulfilmentError::ProviderUnknown(name.to_owned()))
}

/// Places an order and opens its payment page. With an idempotency key, asking again answers the
/// same order and the same page.
pub async fn start(
    app: &App,
    caller: &Caller,
    idempotency: Option<Idempotency>,
    purchase: Purchase,
) -> Result<Started, FulfilmentError> {
    let provider = match purchase.seen.minor() {
        // What costs nothing needs nobody who takes money.
        0 => String::new(),
        _ => provider(app, purchase.provider.as_deref())?,
    };
    let command = Checkout {
        wanted: purchase.wanted,
        seen: purchase.seen,
        email: purchase.email,
        provider,
        basis: basis(app, purchase.traffic),
        network: purchase.network,
    };
    let placed = match idempotency {
        Some(key) => app.transact_once(caller, key, command, checkout).await,
        None => app.transact(caller, command, checkout).await,
    };
    let placed = noted(app, caller, placed).await?;
    started(app, caller, &placed).await
}

fn basis(app: &App, traffic: Traffic) -> Basis {
    Basis {
        traffic,
        fees: fees::settings(app),
        tariff: fees::tariff(app),
    }
}

/// What is wanted, with the country that the buyer is taken to be in unless they said: where their
/// account is, what their languages say, or where the seller of record is. While no tax is
/// collected, nobody needs to be anywhere.
pub async fn whereabouts(
    app: &App,
    caller: &Caller,
    accept_language: &str,
    wanted: Wanted,
) -> Result<Wanted, FulfilmentError> {
    if wanted.country.is_some() {
        return Ok(wanted);
    }
    let Some(home) = app.read(caller, (), taxes::policy).await?.home else {
        return Ok(wanted);
    };
    let known = match caller.account {
        Some(_) => app.read(caller, taxes::OwnPlace, taxes::own_place).await?,
        None => taxes::Buyer::default(),
    };
    if let Some(place) = known.place {
        let vat_id = known.vat_id.map(|id| id.as_str().to_owned());
        return Ok(Wanted {
            country: Some(place.country().to_owned()),
            region: wanted.region.or(place.region().map(str::to_owned)),
            vat_id: wanted.vat_id.or(vat_id),
            ..wanted
        });
    }
    let guessed = taxes::places::guess(accept_language);
    Ok(Wanted {
        country: Some(guessed.unwrap_or(home.country()).to_owned()),
        ..wanted
    })
}

/// What something costs the caller now, and what its codes do.
pub async fn quote_of(
    app: &App,
    caller: &Caller,
    wanted: Wanted,
    email: Option<String>,
) -> Result<Quoted, FulfilmentError> {
    let ask = AskQuote {
        wanted,
        email,
        basis: basis(app, Traffic::Marketplace),
        keys: app.keys.clone(),
    };
    app.read(caller, ask, quote).await
}

/// A quote as the buyer holds it, of what something costs now.
pub fn promise_of(
    app: &App,
    caller: &Caller,
    (quoted, wanted): (&Quoted, &Wanted),
    locale: Locale,
) -> Result<(Promise, String), FulfilmentError> {
    let mut nonce = [0; 16];
    (app.entropy)(&mut nonce);
    let promise = Promise::of(quoted, wanted, locale, (app.now(), nonce));
    let text = promise.seal(&app.keys, caller.tenant)?;
    Ok((promise, text))
}

/// What a face knows of a confirmation.
#[derive(Debug, Clone)]
pub struct Bid {
    /// What the buyer was shown.
    pub promise: Promise,
    /// A guest's address.
    pub email: Option<String>,
    /// Where the request came from, if it is known.
    pub network: Option<Network>,
    /// Who found the buyer.
    pub traffic: Traffic,
    /// Whose page takes the money; `None` for the shop's usual one.
    pub provider: Option<String>,
    /// The cart that was quoted: it ends with the order.
    pub cart: Option<Owner>,
    /// Whether the buyer agreed to lose the right to withdraw.
    pub waived: bool,
    /// Whom it is for, if not for the buyer.
    pub gift: Option<NewGift>,
}

/// Buys what was quoted and opens its payment page; confirming again answers the same ones.
pub async fn confirm_quote(
    app: &App,
    caller: &Caller,
    bid: Bid,
) -> Result<Started, FulfilmentError> {
    let provider = match bid.promise.total()?.minor() {
        0 => String::new(),
        _ => provider(app, bid.provider.as_deref())?,
    };
    let command = Confirm {
        promise: bid.promise,
        email: bid.email,
        provider,
        basis: basis(app, bid.traffic),
        network: bid.network,
        cart: bid.cart,
        waived: bid.waived,
        gift: bid.gift,
    };
    let placed = app.transact(caller, command, confirm).await;
    let placed = noted(app, caller, placed).await?;
    started(app, caller, &placed).await
}

/// Counts a confirmation by `whom`: few a minute and not many an hour, since who tries cards tries
/// many.
pub fn limit_confirms(app: &App, whom: &str) -> Result<(), FulfilmentError> {
    let limits = &app.config.checkout;
    let rate = |burst: u32, period_ms: u32| Rate {
        burst,
        refill_ms: period_ms / burst.max(1),
    };
    let rates = [
        ("confirm", rate(limits.confirms_per_minute, 60_000)),
        ("confirm.hour", rate(limits.confirms_per_hour, 3_600_000)),
    ];
    for (what, rate) in rates {
        let taken = app.limits.take(what, whom, rate, app.now());
        taken.map_err(|seconds| FulfilmentError::TooMany { seconds })?;
    }
    Ok(())
}

/// What would come of a sale at `amount` of a product, or of one that is to stand in a category: the
/// same division as a real one's.
pub async fn example(
    app: &App,
    caller: &Caller,
    (amount, traffic): (Money, Traffic),
    (product, category): (Option<ProductId>, &str),
) -> Result<Split, FulfilmentError> {
    let ask = AskExample {
        amount,
        traffic,
        product,
        category: category.to_owned(),
        settings: fees::settings(app),
        tariff: fees::tariff(app),
    };
    app.read(caller, ask, super::example::example).await
}

/// Opens a page for an order that still waits for its money.
pub async fn pay_again(
    app: &App,
    caller: &Caller,
    (order, token): (OrderId, Option<String>),
    network: Option<Network>,
) -> Result<Started, FulfilmentError> {
    let command = RetryPayment {
        order,
        token,
        provider: provider(app, None)?,
        network,
    };
    let placed = app.transact(caller, command, retry_payment).await;
    let placed = noted(app, caller, placed).await?;
    started(app, caller, &placed).await
}

/// What was refused is written down once its own transaction is undone.
async fn noted(
    app: &App,
    caller: &Caller,
    placed: Result<CheckoutPlaced, FulfilmentError>,
) -> Result<CheckoutPlaced, FulfilmentError> {
    if let Err(FulfilmentError::Risk(error)) = &placed
        && let Some(decision) = error.decision()
    {
        let note = NoteRefusal {
            decision: decision.clone(),
        };
        let house = Caller::system(caller.tenant);
        app.transact(&house, note, risk::note_refusal).await?;
    }
    placed
}

async fn started(
    app: &App,
    caller: &Caller,
    placed: &CheckoutPlaced,
) -> Result<Started, FulfilmentError> {
    let order = OrderId::parse(&placed.order).map_err(FulfilmentError::Payload)?;
    let guest = caller.account.is_none();
    let token = guest.then(|| orders::access_token(&app.keys, caller.tenant, order));
    let mut started = Started {
        order,
        token,
        pay_url: None,
    };
    if let Some(payment) = &placed.payment {
        let payment = PaymentId::parse(payment).map_err(FulfilmentError::Payload)?;
        let house = Caller::system(caller.tenant);
        let title = app.read(&house, order, title_of).await?;
        let opening = Opening {
            order: Some(order),
            strong: app.read(&house, order, risk::is_challenged).await?,
            title,
            path: started.order_path(),
        };
        started.pay_url = Some(open_page(app, caller, payment, opening).await?);
    }
    Ok(started)
}

/// Who wants to pay which invoice of usage, and how.
#[derive(Clone)]
pub struct PayUsage {
    /// Which.
    pub invoice: InvoiceId,
    /// What opens a guest's order.
    pub token: Option<String>,
    /// Whether later ones shall be charged to what pays this one.
    pub later: bool,
}

/// Opens a page for an invoice of usage that isn't paid, and answers where it is; while an attempt is
/// on its way, the same page again. One that somebody else was led to, or that says something else
/// of what pays there, is closed before.
pub async fn pay_usage(
    app: &App,
    caller: &Caller,
    wish: PayUsage,
) -> Result<String, FulfilmentError> {
    let query = wish
        .token
        .as_ref()
        .map_or(String::new(), |t| format!("?t={t}"));
    let path = format!("/invoices/{}{query}", wish.invoice);
    let mut command = PayInvoice {
        invoice: wish.invoice,
        token: wish.token,
        provider: provider(app, None)?,
        later: wish.later,
        closed: None,
    };
    let mut paying = app.transact(caller, command.clone(), pay_invoice).await?;
    if let Paying::Close(open) = &paying {
        if close_page(app, caller.tenant, open).await? == Closing::Paid {
            return Ok(path);
        }
        command.closed = Some(open.id);
        paying = app.transact(caller, command, pay_invoice).await?;
    }
    // Somebody opened another page in between: they pay.
    let Paying::Page(payment, title) = paying else {
        return Ok(path);
    };
    let opening = Opening {
        order: None,
        strong: false,
        title,
        path,
    };
    open_page(app, caller, payment, opening).await
}

/// Asks the provider of an attempt to take no money for it any more.
async fn close_page(
    app: &App,
    tenant: TenantId,
    payment: &Payment,
) -> Result<Closing, FulfilmentError> {
    let closing = gateway_of(app, payment)?
        .close_session(app, tenant, payment.id)
        .await;
    closing.map_err(|error| {
        tracing::warn!(%error, payment = %payment.id, "a payment page can't be closed");
        FulfilmentError::ProviderUnavailable { order: None }
    })
}

fn gateway_of(app: &App, payment: &Payment) -> Result<&'static dyn Gateway, FulfilmentError> {
    let unknown = || FulfilmentError::ProviderUnknown(payment.provider.clone());
    gateways::find(app, &payment.provider).ok_or_else(unknown)
}

/// What a payment's page says, and where it leads back to.
struct Opening {
    /// The order that waits, when it is one's.
    order: Option<OrderId>,
    /// Whether the provider shall ask for a proof whatever was paid with.
    strong: bool,
    /// What the buyer reads.
    title: String,
    /// Behind this server's own address.
    path: String,
}

/// What an order is of, while it may be paid.
fn title_of(cx: &mut ReadCx<'_>, order: &OrderId) -> Result<String, FulfilmentError> {
    let order = orders::find(cx.tx, cx.caller.tenant, *order)?.ok_or(OrderError::NotFound)?;
    still_sold(cx.tx, cx.caller.tenant, &order)?;
    let titles: Vec<_> = order.lines.iter().map(|line| line.title.as_str()).collect();
    Ok(titles.join(", "))
}

/// What the provider is asked for, and what is known already.
fn to_open(cx: &mut ReadCx<'_>, payment: &PaymentId) -> Result<Payment, FulfilmentError> {
    let found = payments::by_id(cx.tx, cx.caller.tenant, *payment)?;
    Ok(found.ok_or(PaymentError::NotFound)?)
}

async fn open_page(
    app: &App,
    caller: &Caller,
    id: PaymentId,
    opening: Opening,
) -> Result<String, FulfilmentError> {
    let house = Caller::system(caller.tenant);
    let payment = app.read(&house, id, to_open).await?;
    if let Some(url) = payment.page_url {
        return Ok(url);
    }
    let gateway = gateway_of(app, &payment)?;
    let base = app.config.server.base_url.trim_end_matches('/');
    let request = SessionRequest {
        tenant: caller.tenant,
        payment: id,
        amount: payment.amount,
        description: opening.title,
        strong: opening.strong,
        keep: payment.method_use == MethodUse::Setup,
        return_url: format!("{base}{}", opening.path),
    };
    let session = gateway.create_session(app, &request).await;
    let session = session.map_err(|error| {
        tracing::warn!(%error, payment = %id, "no payment page");
        FulfilmentError::ProviderUnavailable {
            order: opening.order,
        }
    })?;
    let attach = AttachSession {
        payment: id,
        session: session.id,
        page_url: session.page_url.clone(),
    };
    app.transact(&house, attach, attach_session).await?;
    Ok(session.page_url)
}
