//! Use cases of orders: place one, move it, and show it to those who may see it.

use super::model::{
    AccessToken, InBundle, Line, Order, OrderError, OrderEvent, OrderState, Quote, SplitAmounts,
    Step, next_state,
};
use super::sql::{self, StoredOrder};
use crate::app::{Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::custody::Custody;
use crate::domains::affiliates::Verdict;
use crate::domains::catalog::Offer;
use crate::domains::fees::Agreed;
use crate::domains::ledger::{PaymentTariff, Split, SplitLine, Traffic, split_sale};
use crate::domains::taxes::{self, Evidence, Tax};
use crate::store::{StoreError, Tx};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::id::{AccountId, OrderId, OrderLineId, ProductId, TenantId};
use mintreu::{Money, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Most units of one product in one order.
pub const MAX_QUANTITY: i64 = 100;
/// Most lines of one order.
pub const MAX_LINES: usize = 50;
/// How long an order waits for its money: a day.
const PATIENCE_MS: i64 = 24 * 60 * 60 * 1000;
/// Most rows of one page.
const MAX_PAGE: i64 = 100;
/// Later than every id.
const NEWEST: [u8; 16] = [0xff; 16];

/// Who buys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Buyer {
    /// The caller's own account.
    Account(AccountId),
    /// Nobody who is signed in; the receipt goes to this address.
    Guest(String),
}

/// One line of what is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLine {
    /// What is for sale now.
    pub offer: Offer,
    /// How many.
    pub quantity: i64,
    /// For one.
    pub unit: Money,
    /// Whether the buyer named the price.
    pub named: bool,
    /// Taken off the line, at most what it costs.
    pub discount: Money,
    /// How the discount came about; empty when there is none.
    pub discount_why: String,
    /// The platform's share, and whose rule it is.
    pub fee: Agreed,
    /// The bundle that it is sold in, at its share of the bundle's price.
    pub bundle: Option<InBundle>,
    /// Who brought the buyer of this line.
    pub brought: Verdict,
}

/// What to place.
#[derive(Debug, Clone)]
pub struct PlaceOrder {
    /// In the order shown: one at least, all in one currency.
    pub lines: Vec<NewLine>,
    /// The total that the buyer saw.
    pub seen: Money,
    /// Who buys.
    pub buyer: Buyer,
    /// Who found the buyer.
    pub traffic: Traffic,
    /// What the payment costs.
    pub tariff: PaymentTariff,
    /// What each line bears.
    pub tax: Tax,
    /// Where the buyer is, as far as is known.
    pub evidence: Evidence,
}

/// Places an order at the price its buyer saw. It awaits its payment, even when that is nothing.
pub fn place(cx: &mut Cx<'_>, new: &PlaceOrder) -> Result<Order, OrderError> {
    check(new)?;
    let lines = agree(cx, new)?;
    let total = total(lines.iter().map(|line| line.split.charged))?;
    if total != new.seen {
        return Err(OrderError::PriceChanged(Box::new(quote(&lines, total)?)));
    }
    let (account, email) = match &new.buyer {
        Buyer::Account(account) => (Some(*account), None),
        Buyer::Guest(email) => (None, Some(email)),
    };
    let order = Order {
        id: cx.make_id(OrderId::from_bytes),
        account,
        state: OrderState::AwaitingPayment,
        total,
        traffic: new.traffic,
        placed_at: cx.now,
        expires_at: cx.now.plus_ms(PATIENCE_MS),
        paid_at: None,
        lines,
    };
    let order = store(cx, order, email.map(String::as_str))?;
    taxes::locate(cx, (order.id, account), &new.evidence)?;
    Ok(order)
}

/// What the buyer pays for all of it; nothing at all is no order.
pub fn total(charged: impl Iterator<Item = Money>) -> Result<Money, OrderError> {
    let mut sum = None;
    for amount in charged {
        sum = Some(match sum {
            None => amount,
            Some(sum) => amount.checked_add(sum)?,
        });
    }
    sum.ok_or(OrderError::Lines)
}

/// The first line as it stands now, with the total of all.
fn quote(lines: &[Line], total: Money) -> Result<Quote, OrderError> {
    let line = lines.first().ok_or(OrderError::Lines)?;
    Ok(Quote {
        product: line.product,
        price: line.price,
        quantity: line.quantity,
        unit: line.unit,
        total,
    })
}

fn check(new: &PlaceOrder) -> Result<(), OrderError> {
    if !(1..=MAX_LINES).contains(&new.lines.len()) {
        return Err(OrderError::Lines);
    }
    let sold = |quantity| (1..=MAX_QUANTITY).contains(&quantity);
    if new.lines.iter().any(|line| !sold(line.quantity)) {
        return Err(OrderError::Quantity);
    }
    let sellers = || new.lines.iter().map(|line| &line.offer.product.seller);
    match &new.buyer {
        Buyer::Account(account) if sellers().any(|seller| seller.account == *account) => {
            Err(OrderError::OwnProduct)
        }
        Buyer::Guest(email) if email.is_empty() => Err(OrderError::EmailMissing),
        Buyer::Guest(email) if !is_address(email) => Err(OrderError::EmailMalformed),
        Buyer::Account(_) | Buyer::Guest(_) => Ok(()),
    }
}

/// Whether mail could be sent there: one `@` with something on both sides, and nothing that a
/// header would trip over. Whether it arrives is known only by sending.
pub fn is_address(text: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>(),;:\"\\[]".contains(c);
    let Some((local, host)) = text.split_once('@') else {
        return false;
    };
    let host_sound = host.contains('.') && !host.starts_with('.') && !host.ends_with('.');
    (1..=64).contains(&local.len())
        && text.len() <= 254
        && host_sound
        && !host.contains('@')
        && text.chars().all(plain)
}

/// Who gets what of the lines of one payment, all of which bear the same tax.
///
/// A discount or a named price may not eat up what the payment costs: that is `BelowFees`.
pub fn divide(
    lines: &[NewLine],
    tax: &Tax,
    tariff: PaymentTariff,
) -> Result<Vec<SplitAmounts>, OrderError> {
    let mut sold = Vec::with_capacity(lines.len());
    for line in lines {
        sold.push(SplitLine {
            gross: line.unit.checked_mul(line.quantity)?,
            discount: line.discount,
            tax: tax.clone(),
            platform_bps: line.fee.platform_bps,
            affiliate_bps: line.brought.bps(),
        });
    }
    let mut splits = split_sale(&sold, tariff)?;
    for (line, split) in lines.iter().zip(&mut splits) {
        let lowered = line.named || line.discount.minor() > 0 || line.bundle.is_some();
        if lowered && split.shortfall.minor() > 0 {
            return Err(OrderError::BelowFees);
        }
        say(split, "discount", &line.discount_why);
        if let Some(bundle) = &line.bundle {
            let why = format!("its share of the price of {}", bundle.title);
            say(split, "gross", &why);
        }
        say(split, "platform_fee", &line.fee.why);
        if let Some(commission) = line.brought.commission() {
            say(split, "affiliate", &commission.why);
        }
    }
    let figures = splits.iter().map(SplitAmounts::of);
    let figures = figures.collect::<Result<_, _>>();
    Ok(figures.map_err(|error| StoreError::shape(error.to_string()))?)
}

/// Says how a step came about, when there is more to say than its figures.
pub(super) fn say(split: &mut Split, name: &str, why: &str) {
    let mut steps = split.steps.iter_mut();
    if let Some(step) = steps.find(|step| step.step == name)
        && !why.is_empty()
    {
        why.clone_into(&mut step.why);
    }
}

/// The offers as lines, divided.
fn agree(cx: &mut Cx<'_>, new: &PlaceOrder) -> Result<Vec<Line>, OrderError> {
    let splits = divide(&new.lines, &new.tax, new.tariff)?;
    let pairs = new.lines.iter().zip(splits);
    Ok(pairs
        .map(|(line, split)| {
            let id = cx.make_id(OrderLineId::from_bytes);
            agreed(id, (line, split, &new.tax))
        })
        .collect())
}

fn agreed(id: OrderLineId, (new, split, tax): (&NewLine, SplitAmounts, &Tax)) -> Line {
    let (product, price) = (&new.offer.product, &new.offer.price);
    Line {
        id,
        product: product.id,
        price: price.id,
        seller: product.seller.account,
        title: product.name.clone(),
        product_code: product.code.clone(),
        product_slug: product.slug.clone(),
        kind: product.kind,
        model: price.model,
        period: price.period,
        quantity: new.quantity,
        unit: new.unit,
        tax: tax.clone(),
        split,
        terms: new.offer.terms().clone(),
        bundle: new.bundle.clone(),
    }
}

pub(super) fn store(
    cx: &mut Cx<'_>,
    order: Order,
    email: Option<&str>,
) -> Result<Order, OrderError> {
    let tenant = cx.caller.tenant;
    let token = access_token(cx.keys, tenant, order.id);
    let stored = StoredOrder {
        access_hash: hash(token.reveal()).to_vec(),
        order,
    };
    sql::insert_order(cx.tx, tenant, &stored)?;
    sql::insert_lines(cx.tx, tenant, &stored.order)?;
    if let Some(email) = email {
        sql::insert_contact(cx.tx, tenant, stored.order.id, email)?;
    }
    let order = stored.order;
    crate::events::record(cx, "order.placed", &order.id.to_string(), &())?;
    Ok(order)
}

/// The secret token of an order, for its buyer only. It follows from the order and the server's
/// key: nothing secret is stored, and the mail that carries it can be sent at any time.
pub fn access_token(keys: &Custody, tenant: TenantId, order: OrderId) -> AccessToken {
    let data = [tenant.as_bytes().as_slice(), order.as_bytes()].concat();
    AccessToken(URL_SAFE_NO_PAD.encode(keys.mac("orders.access", &data)))
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The order, for the house itself.
pub fn by_id(cx: &mut Cx<'_>, order: OrderId) -> Result<Order, OrderError> {
    let stored = sql::find(cx.tx, cx.caller.tenant, order)?;
    stored
        .map(|stored| stored.order)
        .ok_or(OrderError::NotFound)
}

/// As [`by_id`], in a query.
pub fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Option<Order>, StoreError> {
    Ok(sql::find(tx, tenant, order)?.map(|stored| stored.order))
}

/// Where a guest's receipt goes.
pub fn contact(cx: &mut Cx<'_>, order: OrderId) -> Result<Option<String>, OrderError> {
    Ok(contact_of(cx.tx, cx.caller.tenant, order)?)
}

/// As [`contact`], in a query.
pub fn contact_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Option<String>, StoreError> {
    sql::contact(tx, tenant, order)
}

/// Everybody of whom an account bought something.
pub fn sellers_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Vec<AccountId>, StoreError> {
    sql::sellers_of(tx, tenant, account)
}

/// The newest hundred paid orders of an account, each with every seller in it.
pub fn newest_with_sellers(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Vec<(AccountId, OrderId)>, StoreError> {
    sql::newest_with_sellers(tx, tenant, account)
}

/// Makes a guest's order an account's; one that is an account's already stays.
pub fn give(cx: &mut Cx<'_>, order: OrderId, account: AccountId) -> Result<(), OrderError> {
    Ok(sql::give(
        cx.tx,
        cx.caller.tenant,
        (order, account),
        cx.now,
    )?)
}

/// Lets `event` happen to the order, and says what came of it.
pub fn apply(cx: &mut Cx<'_>, order: &mut Order, event: OrderEvent) -> Result<Step, OrderError> {
    let step = next_state(order.state, event);
    if let Step::Move(state) = step {
        order.state = state;
        if state == OrderState::Paid {
            // A refund that failed makes it paid again, not paid anew.
            order.paid_at = order.paid_at.or(Some(cx.now));
        }
        sql::move_order(cx.tx, cx.caller.tenant, order, cx.now)?;
    }
    Ok(step)
}

/// The order, if the caller owns it or holds its token.
pub fn view(cx: &mut ReadCx<'_>, order: OrderId, token: Option<&str>) -> Result<Order, OrderError> {
    let stored = sql::find(cx.tx, cx.caller.tenant, order)?;
    visible(stored, cx.caller.account, token)
}

/// As [`view`], inside a command.
pub fn seen_by(cx: &mut Cx<'_>, order: OrderId, token: Option<&str>) -> Result<Order, OrderError> {
    let stored = sql::find(cx.tx, cx.caller.tenant, order)?;
    visible(stored, cx.caller.account, token)
}

/// What may not be seen does not exist: the same answer for both.
fn visible(
    stored: Option<StoredOrder>,
    account: Option<AccountId>,
    token: Option<&str>,
) -> Result<Order, OrderError> {
    let stored = stored.ok_or(OrderError::NotFound)?;
    let owned = account.is_some() && account == stored.order.account;
    let held = token.is_some_and(|token| {
        hash(token)
            .as_slice()
            .ct_eq(stored.access_hash.as_slice())
            .into()
    });
    if owned || held {
        Ok(stored.order)
    } else {
        Err(OrderError::NotFound)
    }
}

/// Keeps whether a bank asks about an order, undecided; lists are filtered by it.
pub fn mark_disputed(cx: &mut Cx<'_>, order: OrderId, disputed: bool) -> Result<(), StoreError> {
    sql::mark_disputed(cx.tx, cx.caller.tenant, order, disputed)
}

/// Which page of the caller's own orders.
#[derive(Debug, Clone, Copy, Default)]
pub struct History {
    /// Orders placed before this one; `None` for the newest.
    pub before: Option<OrderId>,
    /// Orders a page, at most a hundred; 0 is twenty.
    pub limit: i64,
    /// Orders in this state; `None` for all.
    pub state: Option<OrderState>,
    /// Only orders that a bank asks about, undecided.
    pub disputed: bool,
}

fn page_size(limit: i64) -> i64 {
    if limit == 0 {
        20
    } else {
        limit.clamp(1, MAX_PAGE)
    }
}

impl History {
    /// How many orders a full page holds.
    pub fn size(&self) -> i64 {
        page_size(self.limit)
    }
}

/// The caller's own orders, newest first.
pub fn history(cx: &mut ReadCx<'_>, query: &History) -> Result<Vec<Order>, OrderError> {
    let Some(owner) = cx.caller.account else {
        return Ok(Vec::new());
    };
    let page = sql::Page {
        tenant: cx.caller.tenant,
        owner,
        before: query.before.map_or(NEWEST, |order| *order.as_bytes()),
        limit: query.size(),
        state: query.state,
        disputed: query.disputed,
    };
    Ok(sql::history(cx.tx, &page)?)
}

/// Which order a line belongs to.
pub fn of_line(
    tx: &mut dyn Tx,
    tenant: TenantId,
    line: OrderLineId,
) -> Result<Option<OrderId>, StoreError> {
    sql::order_of_line(tx, tenant, line)
}

/// One sold line, as its seller sees it: nothing that identifies the buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// The line.
    pub line: OrderLineId,
    /// Its order.
    pub order: OrderId,
    /// Which product.
    pub product: ProductId,
    /// The product's name at the sale.
    pub title: String,
    /// Part of its address.
    pub product_slug: String,
    /// How many.
    pub quantity: i64,
    /// Who got what, and why.
    pub split: SplitAmounts,
    /// Where the order stands.
    pub state: OrderState,
    /// When it was paid.
    pub paid_at: Timestamp,
}

/// All sales of a seller in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SalesTotal {
    /// Lines sold.
    pub sold: i64,
    /// Gross less discount.
    pub net: Money,
    /// The platform's part.
    pub platform_fee: Money,
    /// The payment fees.
    pub payment_fee: Money,
    /// The seller's part.
    pub seller: Money,
}

/// Which page of the caller's own sales.
#[derive(Debug, Clone, Copy, Default)]
pub struct SalesQuery {
    /// Lines sold before this one; `None` for the newest.
    pub before: Option<OrderLineId>,
    /// Lines a page, at most a hundred; 0 is twenty.
    pub limit: i64,
    /// Lines of orders in this state; `None` for all.
    pub state: Option<OrderState>,
    /// Only lines of orders that a bank asks about, undecided.
    pub disputed: bool,
}

/// A page of sales, with totals over all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SalesPage {
    /// Newest first.
    pub sales: Vec<Sale>,
    /// A line a currency.
    pub totals: Vec<SalesTotal>,
    /// What to ask for next.
    pub next: Option<OrderLineId>,
}

/// The caller's own sales, newest first.
pub fn sales(cx: &mut ReadCx<'_>, query: &SalesQuery) -> Result<SalesPage, OrderError> {
    let (capability, account) = (Capability::Sell, cx.caller.account);
    let owner = account
        .filter(|_| cx.caller.may(capability))
        .ok_or(Denied {
            capability,
            signed_in: account.is_some(),
        })?;
    let page = sql::Page {
        tenant: cx.caller.tenant,
        owner,
        before: query.before.map_or(NEWEST, |line| *line.as_bytes()),
        limit: page_size(query.limit),
        state: query.state,
        disputed: query.disputed,
    };
    let sales = sql::sales(cx.tx, &page)?;
    let full = i64::try_from(sales.len()) == Ok(page.limit);
    let next = sales.last().map(|sale| sale.line).filter(|_| full);
    let totals = sql::sales_totals(cx.tx, page.tenant, owner)?;
    Ok(SalesPage {
        sales,
        totals,
        next,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_mail_can_go_to() {
        for good in ["ada@example.org", "a.b+c@x-y.example", "ü@exämple.org"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b.c",
            "a@",
            "a@b",
            "a@b@c.d",
            "a b@c.d",
            "a@.b",
            "a@b.",
            "a\r\n@b.c",
            "<a@b.c>",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
