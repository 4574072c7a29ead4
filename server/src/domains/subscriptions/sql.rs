//! SQL of the subscriptions' tables.

pub(super) mod discontinued;
pub mod setups;

use super::model::{Bill, BillKind, Change, Cycle, Status, Subscription, Unit};

use crate::domains::catalog::model::LicenseTerms;
use crate::domains::ledger::{PaymentTariff, Traffic};
use crate::domains::orders::{Consent, ConsentText};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{
    AccountId, InvoiceId, LicenseId, OrderId, PriceId, ProductId, SubscriptionId, TenantId,
};
use mintreu::{Currency, Money, Timestamp};

const INSERT: &str = "\
INSERT INTO subscription (tenant_id, subscription_id, account_id, order_id, license_id, seller_id,
    product_id, price_id, status, currency, unit_minor, seats, cycle_unit, cycle_count, zone,
    anchor_at, period, period_start, period_end, traffic, platform_bps, payment_bps,
    payment_fixed_minor, provider, method, failures, grace_days, created_at, updated_at,
    granted_price_id, free_terms, ended_at, end_reason, paid_minor, payments_left, keeps_license)
VALUES (:tenant, :subscription, :account, :order, :license, :seller, :product, :price, :status,
    :currency, :unit, :seats, :cycle_unit, :cycle_count, :zone, :anchor, :period, :from, :until,
    :traffic, :platform_bps, :payment_bps, :payment_fixed, :provider, :method, 0, :grace, :now,
    :now, :granted, :free, :ended, :reason, :paid, :left,
    :keeps)";

const UPDATE: &str = "\
UPDATE subscription SET account_id = :account, price_id = :price, status = :status,
    unit_minor = :unit, seats = :seats, paid_minor = :paid, cycle_unit = :cycle_unit, cycle_count = :cycle_count,
    zone = :zone, anchor_at = :anchor, period = :period, period_start = :from,
    period_end = :until, cancel_wished_at = :cancel,
    cancel_reason = :cancel_reason, pause_wished_at = :pause, pending = :pending,
    notice_minor = :notice_minor, notice_from = :notice_from,
    notice_price_id = :notice_price,
    granted_price_id = :granted, provider = :provider,
    method = :method, failures = :failures, next_attempt_at = :next, past_due_at = :past_due,
    payments_left = :left, keeps_license = :keeps, grace_days = :grace,
    ended_at = :ended, end_reason = :reason, disputed = :disputed,
    rests_since = :rests, updated_at = :now
WHERE tenant_id = :tenant AND subscription_id = :subscription";

const FIND: &str = "\
SELECT * FROM subscription WHERE tenant_id = :tenant AND subscription_id = :subscription";

const OF_LICENSE: &str = "\
SELECT * FROM subscription WHERE tenant_id = :tenant AND license_id = :license";

const OF_ORDER: &str = "\
SELECT * FROM subscription WHERE tenant_id = :tenant AND order_id = :order
ORDER BY subscription_id";

const OF_ACCOUNT: &str = "\
SELECT * FROM subscription WHERE tenant_id = :tenant AND account_id = :account
    AND subscription_id < :before
ORDER BY subscription_id DESC LIMIT :limit";

const OF_PRODUCT: &str = "\
SELECT * FROM subscription WHERE tenant_id = :tenant AND product_id = :product
    AND seller_id = :seller AND subscription_id < :before
ORDER BY subscription_id DESC LIMIT :limit";

const OF_SELLER: &str = "\
SELECT * FROM subscription WHERE tenant_id = :tenant AND seller_id = :seller
    AND subscription_id > :after
ORDER BY subscription_id LIMIT :limit";

const CHARGED_TO: &str = "\
SELECT product_id FROM subscription WHERE tenant_id = :tenant AND account_id = :account
    AND method = :name AND provider = :provider AND status <> 'canceled' ORDER BY subscription_id";

const INSERT_BILL: &str = "\
INSERT INTO subscription_bill (tenant_id, order_id, subscription_id, kind, period_start,
    period_end, change, placed_at)
VALUES (:tenant, :order, :subscription, :kind, :from, :until, :change, :now)";

const FIND_BILL: &str = "\
SELECT order_id, subscription_id, kind, period_start, period_end, change, settled_at
FROM subscription_bill WHERE tenant_id = :tenant AND order_id = :order";

const BILLS: &str = "\
SELECT order_id, subscription_id, kind, period_start, period_end, change, settled_at
FROM subscription_bill WHERE tenant_id = :tenant AND subscription_id = :subscription
ORDER BY placed_at DESC, order_id DESC LIMIT 100";

const SETTLE_BILL: &str = "\
UPDATE subscription_bill SET settled_at = :now, invoice_id = :invoice
WHERE tenant_id = :tenant AND order_id = :order";

const KEEP_FEES: &str = "\
INSERT INTO subscription_fees (tenant_id, order_id, platform_bps, payment_bps,
    payment_fixed_minor)
VALUES (:tenant, :order, :platform_bps, :payment_bps, :payment_fixed)
ON CONFLICT (tenant_id, order_id) DO NOTHING";

const FEES: &str = "\
SELECT platform_bps, payment_bps, payment_fixed_minor FROM subscription_fees
WHERE tenant_id = :tenant AND order_id = :order";

const CLAIM_TRIAL: &str = "\
INSERT INTO subscription_trial (tenant_id, account_id, product_id, subscription_id, begun_at)
VALUES (:tenant, :account, :product, :subscription, :now)
ON CONFLICT (tenant_id, account_id, product_id) DO NOTHING";

const CLAIM_ADDRESS: &str = "\
INSERT INTO subscription_trial_address (tenant_id, product_id, address_hash, subscription_id)
VALUES (:tenant, :product, :address, :subscription)
ON CONFLICT (tenant_id, product_id, address_hash) DO NOTHING";

const TRIED: &str = "\
SELECT product_id FROM subscription_trial
WHERE tenant_id = :tenant AND account_id = :account AND product_id = :product
UNION ALL
SELECT product_id FROM subscription_trial_address
WHERE tenant_id = :tenant AND product_id = :product AND address_hash = :address";

const INSERT_CONSENT: &str = "\
INSERT INTO subscription_consent (tenant_id, subscription_id, kind, version, text_hash, agreed_at)
VALUES (:tenant, :subscription, :kind, :version, :hash, :now)";

const CONSENTS: &str = "\
SELECT kind, version, text_hash, agreed_at FROM subscription_consent
WHERE tenant_id = :tenant AND subscription_id = :subscription ORDER BY kind";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT,
    UPDATE,
    FIND,
    OF_LICENSE,
    OF_ORDER,
    OF_ACCOUNT,
    OF_PRODUCT,
    OF_SELLER,
    INSERT_BILL,
    FIND_BILL,
    BILLS,
    SETTLE_BILL,
    KEEP_FEES,
    FEES,
    CLAIM_TRIAL,
    CLAIM_ADDRESS,
    TRIED,
    INSERT_CONSENT,
    CONSENTS,
];

type Params = Vec<(&'static str, Value)>;

fn shape(what: impl ToString) -> StoreError {
    StoreError::shape(what.to_string())
}

fn bps(row: &Row, column: &str) -> Result<u32, StoreError> {
    u32::try_from(row.int(column)?).map_err(shape)
}

fn change(row: &Row, column: &str) -> Result<Option<Change>, StoreError> {
    let text = row.opt_text(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(shape))
        .transpose()
}

fn change_text(change: Option<&Change>) -> Result<Option<String>, StoreError> {
    change
        .map(|change| serde_json::to_string(change).map_err(shape))
        .transpose()
}

fn cycle(row: &Row) -> Result<Cycle, StoreError> {
    let unit = Unit::parse(&row.text("cycle_unit")?);
    let cycle = unit.zip(Some(row.int("cycle_count")?));
    let cycle = cycle.and_then(|(unit, count)| Cycle::new(unit, count));
    cycle.ok_or_else(|| shape("no such cycle"))
}

fn tariff(row: &Row) -> Result<PaymentTariff, StoreError> {
    Ok(PaymentTariff {
        bps: bps(row, "payment_bps")?,
        fixed_minor: row.int("payment_fixed_minor")?,
    })
}

fn free_terms(row: &Row) -> Result<Option<LicenseTerms>, StoreError> {
    let text = row.opt_text("free_terms")?;
    text.map(|text| serde_json::from_str(&text).map_err(shape))
        .transpose()
}

fn free_text(terms: Option<&LicenseTerms>) -> Result<Option<String>, StoreError> {
    terms
        .map(|terms| serde_json::to_string(terms).map_err(shape))
        .transpose()
}

fn subscription(row: &Row) -> Result<Subscription, StoreError> {
    let currency = Currency::parse(&row.text("currency")?).map_err(shape)?;
    let status = row.text("status")?;
    Ok(Subscription {
        id: row.id("subscription_id", SubscriptionId::from_bytes)?,
        account: row.opt_id("account_id", AccountId::from_bytes)?,
        order: row.opt_id("order_id", OrderId::from_bytes)?,
        license: row.id("license_id", LicenseId::from_bytes)?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        product: row.id("product_id", ProductId::from_bytes)?,
        price: row.id("price_id", PriceId::from_bytes)?,
        status: Status::parse(&status).ok_or_else(|| shape("no such status"))?,
        unit: Money::new(row.int("unit_minor")?, currency),
        seats: row.int("seats")?,
        paid: row
            .opt_int("paid_minor")?
            .map(|minor| Money::new(minor, currency)),
        cycle: cycle(row)?,
        zone: row.text("zone")?,
        anchor: row.at("anchor_at")?,
        period: row.int("period")?,
        from: row.at("period_start")?,
        until: row.at("period_end")?,
        cancel_wished_at: row.opt_at("cancel_wished_at")?,
        cancel_reason: row.opt_text("cancel_reason")?,
        pause_wished_at: row.opt_at("pause_wished_at")?,
        pending: change(row, "pending")?,
        notice: row.opt_int("notice_minor")?.zip(row.opt_at("notice_from")?),
        notice_price: row.opt_id("notice_price_id", PriceId::from_bytes)?,
        granted: row.opt_id("granted_price_id", PriceId::from_bytes)?,
        free_terms: free_terms(row)?,
        traffic: Traffic::parse(&row.text("traffic")?),
        platform_bps: bps(row, "platform_bps")?,
        tariff: tariff(row)?,
        provider: row.text("provider")?,
        method: row.opt_text("method")?,
        failures: row.int("failures")?,
        next_attempt_at: row.opt_at("next_attempt_at")?,
        past_due_at: row.opt_at("past_due_at")?,
        grace_days: row.int("grace_days")?,
        payments_left: row.opt_int("payments_left")?,
        keeps_license: row.int("keeps_license")? != 0,
        ended_at: row.opt_at("ended_at")?,
        end_reason: row.opt_text("end_reason")?,
        disputed: row.opt_text("disputed")?.as_deref().and_then(Status::parse),
        rests_since: row.opt_at("rests_since")?,
    })
}

/// What can change.
fn movable(of: &Subscription) -> Result<Params, StoreError> {
    Ok(vec![
        ("subscription", of.id.as_bytes().into()),
        (
            "account",
            of.account.as_ref().map(AccountId::as_bytes).into(),
        ),
        ("price", of.price.as_bytes().into()),
        ("status", of.status.code().into()),
        ("unit", of.unit.minor().into()),
        ("seats", of.seats.into()),
        ("paid", of.paid.map(|paid| paid.minor()).into()),
        ("cycle_unit", of.cycle.unit().code().into()),
        ("cycle_count", of.cycle.count().into()),
        ("zone", of.zone.as_str().into()),
        ("anchor", of.anchor.into()),
        ("period", of.period.into()),
        ("from", of.from.into()),
        ("until", of.until.into()),
        ("provider", of.provider.as_str().into()),
        ("method", of.method.as_deref().into()),
        ("granted", of.granted.as_ref().map(PriceId::as_bytes).into()),
        ("ended", of.ended_at.into()),
        ("reason", of.end_reason.as_deref().into()),
        ("left", of.payments_left.into()),
        ("keeps", i64::from(of.keeps_license).into()),
        ("grace", of.grace_days.into()),
    ])
}

/// Writes a new subscription.
pub(super) fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    new: &Subscription,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut params = movable(new)?;
    params.extend([
        ("tenant", tenant.as_bytes().into()),
        ("order", new.order.as_ref().map(OrderId::as_bytes).into()),
        ("license", new.license.as_bytes().into()),
        ("seller", new.seller.as_bytes().into()),
        ("product", new.product.as_bytes().into()),
        ("currency", new.currency().code().into()),
        ("traffic", new.traffic.code().into()),
        ("platform_bps", i64::from(new.platform_bps).into()),
        ("payment_bps", i64::from(new.tariff.bps).into()),
        ("payment_fixed", new.tariff.fixed_minor.into()),
        ("free", free_text(new.free_terms.as_ref())?.into()),
        ("now", now.into()),
    ]);
    tx.execute(INSERT, &params).map(drop)
}

/// Writes what changed.
pub(super) fn update(
    tx: &mut dyn Tx,
    tenant: TenantId,
    moved: &Subscription,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut params = movable(moved)?;
    params.extend([
        ("tenant", tenant.as_bytes().into()),
        ("cancel", moved.cancel_wished_at.into()),
        ("cancel_reason", moved.cancel_reason.as_deref().into()),
        ("pause", moved.pause_wished_at.into()),
        ("pending", change_text(moved.pending.as_ref())?.into()),
        ("notice_minor", moved.notice.map(|notice| notice.0).into()),
        ("notice_from", moved.notice.map(|notice| notice.1).into()),
        (
            "notice_price",
            moved.notice_price.as_ref().map(PriceId::as_bytes).into(),
        ),
        ("failures", moved.failures.into()),
        ("next", moved.next_attempt_at.into()),
        ("past_due", moved.past_due_at.into()),
        ("disputed", moved.disputed.map(Status::code).into()),
        ("rests", moved.rests_since.into()),
        ("now", now.into()),
    ]);
    tx.execute(UPDATE, &params).map(drop)
}

/// One subscription.
pub(super) fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: SubscriptionId,
) -> Result<Option<Subscription>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("subscription", id.as_bytes().into()),
    ];
    let row = tx.query_one(FIND, &params)?;
    row.as_ref().map(subscription).transpose()
}

/// The one that pays for a license.
pub(super) fn of_license(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<Option<Subscription>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    let row = tx.query_one(OF_LICENSE, &params)?;
    row.as_ref().map(subscription).transpose()
}

/// Those that an order began.
pub(super) fn of_order(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<Subscription>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    let rows = tx.query(OF_ORDER, &params)?;
    rows.iter().map(subscription).collect()
}

/// Whose subscriptions, and which page of them.
pub(super) struct Page {
    pub tenant: TenantId,
    pub person: AccountId,
    pub before: SubscriptionId,
    pub limit: i64,
}

/// A buyer's, newest first.
pub(super) fn of_account(tx: &mut dyn Tx, page: &Page) -> Result<Vec<Subscription>, StoreError> {
    let params = [
        ("tenant", page.tenant.as_bytes().into()),
        ("account", page.person.as_bytes().into()),
        ("before", page.before.as_bytes().into()),
        ("limit", page.limit.into()),
    ];
    tx.query(OF_ACCOUNT, &params)?
        .iter()
        .map(subscription)
        .collect()
}

/// A product's, for its seller, newest first.
pub(super) fn of_product(
    tx: &mut dyn Tx,
    page: &Page,
    product: ProductId,
) -> Result<Vec<Subscription>, StoreError> {
    let params = [
        ("tenant", page.tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
        ("seller", page.person.as_bytes().into()),
        ("before", page.before.as_bytes().into()),
        ("limit", page.limit.into()),
    ];
    tx.query(OF_PRODUCT, &params)?
        .iter()
        .map(subscription)
        .collect()
}

/// A seller's behind one, in their order, whatever became of them.
pub(super) fn of_seller(
    tx: &mut dyn Tx,
    (tenant, seller): (TenantId, AccountId),
    after: Option<SubscriptionId>,
    limit: i64,
) -> Result<Vec<Subscription>, StoreError> {
    let after = after.unwrap_or(SubscriptionId::from_bytes([0; 16]));
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("after", after.as_bytes().into()),
        ("limit", limit.into()),
    ];
    let rows = tx.query(OF_SELLER, &params)?;
    rows.iter().map(subscription).collect()
}

fn bill(row: &Row) -> Result<Bill, StoreError> {
    let kind = BillKind::parse(&row.text("kind")?);
    Ok(Bill {
        order: row.id("order_id", OrderId::from_bytes)?,
        subscription: row.id("subscription_id", SubscriptionId::from_bytes)?,
        kind: kind.ok_or_else(|| shape("no such kind of bill"))?,
        period: (row.at("period_start")?, row.at("period_end")?),
        change: change(row, "change")?,
        settled: row.opt_at("settled_at")?.is_some(),
    })
}

/// The products whose live subscriptions are charged to a method of an account.
pub(super) fn charged_to(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (account, provider, name): (AccountId, &str, &str),
) -> Result<Vec<ProductId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("provider", provider.into()),
        ("name", name.into()),
    ];
    let rows = tx.query(CHARGED_TO, &params)?;
    let product = |row: &Row| row.id("product_id", ProductId::from_bytes);
    rows.iter().map(product).collect()
}

/// Writes a bill.
pub(super) fn insert_bill(
    tx: &mut dyn Tx,
    tenant: TenantId,
    new: &Bill,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", new.order.as_bytes().into()),
        ("subscription", new.subscription.as_bytes().into()),
        ("kind", new.kind.code().into()),
        ("from", new.period.0.into()),
        ("until", new.period.1.into()),
        ("change", change_text(new.change.as_ref())?.into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_BILL, &params).map(drop)
}

/// What an order pays for.
pub(super) fn find_bill(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Option<Bill>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    let row = tx.query_one(FIND_BILL, &params)?;
    row.as_ref().map(bill).transpose()
}

/// The newest bills of a subscription.
pub(super) fn bills(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: SubscriptionId,
) -> Result<Vec<Bill>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("subscription", id.as_bytes().into()),
    ];
    tx.query(BILLS, &params)?.iter().map(bill).collect()
}

/// Notes that a bill was paid, by which invoice, or given up.
pub(super) fn settle_bill(
    tx: &mut dyn Tx,
    (tenant, order): (TenantId, OrderId),
    invoice: Option<InvoiceId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("invoice", invoice.as_ref().map(InvoiceId::as_bytes).into()),
        ("now", now.into()),
    ];
    tx.execute(SETTLE_BILL, &params).map(drop)
}

/// Keeps the fees of an order.
pub(super) fn keep_fees(
    tx: &mut dyn Tx,
    (tenant, order): (TenantId, OrderId),
    platform_bps: u32,
    tariff: PaymentTariff,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("platform_bps", i64::from(platform_bps).into()),
        ("payment_bps", i64::from(tariff.bps).into()),
        ("payment_fixed", tariff.fixed_minor.into()),
    ];
    tx.execute(KEEP_FEES, &params).map(drop)
}

/// The fees that an order was placed with.
pub(super) fn fees(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Option<(u32, PaymentTariff)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    let row = tx.query_one(FEES, &params)?;
    row.map(|row| Ok((bps(&row, "platform_bps")?, tariff(&row)?)))
        .transpose()
}

/// Takes an account's one trial of a product; `false` when it was taken.
pub(super) fn claim_trial(
    tx: &mut dyn Tx,
    tenant: TenantId,
    of: (AccountId, ProductId, SubscriptionId),
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", of.0.as_bytes().into()),
        ("product", of.1.as_bytes().into()),
        ("subscription", of.2.as_bytes().into()),
        ("now", now.into()),
    ];
    Ok(tx.execute(CLAIM_TRIAL, &params)? > 0)
}

/// Takes an address's one trial of a product; `false` when it was taken.
pub(super) fn claim_address(
    tx: &mut dyn Tx,
    tenant: TenantId,
    of: (&[u8; 32], ProductId, SubscriptionId),
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("address", of.0.as_slice().into()),
        ("product", of.1.as_bytes().into()),
        ("subscription", of.2.as_bytes().into()),
    ];
    Ok(tx.execute(CLAIM_ADDRESS, &params)? > 0)
}

/// Whether an account, or who has its address, tried a product.
pub(super) fn tried(
    tx: &mut dyn Tx,
    tenant: TenantId,
    of: (AccountId, ProductId),
    address: Option<&[u8; 32]>,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", of.0.as_bytes().into()),
        ("product", of.1.as_bytes().into()),
        ("address", address.map_or(&[][..], |hash| hash).into()),
    ];
    Ok(tx.query_one(TRIED, &params)?.is_some())
}

/// Keeps what was agreed to when a subscription began without an order.
pub(super) fn insert_consent(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (subscription, text): (SubscriptionId, &ConsentText),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("subscription", subscription.as_bytes().into()),
        ("kind", text.kind.name().into()),
        ("version", text.version.as_str().into()),
        ("hash", text.hash().as_slice().into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_CONSENT, &params).map(drop)
}

/// What was agreed to when a subscription began without an order.
pub(super) fn consents(
    tx: &mut dyn Tx,
    tenant: TenantId,
    subscription: SubscriptionId,
) -> Result<Vec<Consent>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("subscription", subscription.as_bytes().into()),
    ];
    let consent = |row: &Row| {
        Ok(Consent {
            kind: row.text("kind")?,
            version: row.text("version")?,
            text_hash: row.blob("text_hash")?,
            agreed_at: row.at("agreed_at")?,
        })
    };
    tx.query(CONSENTS, &params)?.iter().map(consent).collect()
}
