//! Moving in: keys that customers already have become licenses that these keys open.

use super::keys;
use super::model::{
    self, Batch, BatchKind, BatchState, ImportReport, MAX_AT_ONCE, Outcome, RowReport,
};
use super::ops::{begin, grant, own_product};
use super::rows::{KeyRow, Refusal, Row, check_no_code};
use super::sql::{self, Item, Of, StoredKey};
use super::strength::is_weak;
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::catalog::Product;
use crate::domains::licensing::ops as licensing;
use crate::domains::licensing::{License, LicensingError};
use zeroize::Zeroizing;

/// Brings a page of a seller's own keys in.
pub struct ImportKeys {
    /// Part of the product's address.
    pub slug: String,
    /// What the batch is called. An import with the label of an earlier one adds to it.
    pub label: String,
    /// At most a thousand rows.
    pub rows: Vec<Row>,
    /// What all keys of the whole file begin with.
    pub shared: Zeroizing<String>,
    /// Whether keys that can be guessed with patience are taken too.
    pub allow_weak: bool,
}

impl Command for ImportKeys {
    const NAME: &'static str = "licensing.import_keys";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.slug.clone())
    }
}

/// One license for each new key; every row is answered for. The same rows again change nothing.
pub fn import_keys(cx: &mut Cx<'_>, cmd: &ImportKeys) -> Result<ImportReport, LicensingError> {
    if i64::try_from(cmd.rows.len()).map_or(true, |rows| rows > MAX_AT_ONCE) {
        let detail = format!("at most {MAX_AT_ONCE} rows at once; split the file");
        return Err(LicensingError::TooLarge(detail));
    }
    let product = own_product(cx.tx, cx.caller, &cmd.slug)?;
    let batch = batch_of(cx, cmd, &product)?;
    let stored = batch.issued > 0;
    let mut page = Page { batch, stored };
    let mut report = ImportReport::default();
    for (line, row) in &cmd.rows {
        let told = match row {
            Ok(row) => bring_in(cx, cmd, &mut page, (*line, row))?,
            Err(refusal) => RowReport::refused(*line, refusal),
        };
        report.add(told);
    }
    if report.created > 0 {
        sql::advance(cx.tx, cx.caller.tenant, &page.batch)?;
        report.batch = Some(page.batch.id.to_string());
    }
    Ok(report)
}

/// The batch that new licenses go to.
struct Page {
    batch: Batch,
    /// Whether it has a row yet: an import that makes no license leaves no batch.
    stored: bool,
}

fn batch_of(cx: &mut Cx<'_>, cmd: &ImportKeys, product: &Product) -> Result<Batch, LicensingError> {
    let label = model::label(&cmd.label)?;
    let of = Of {
        tenant: cx.caller.tenant,
        seller: product.seller.account,
        product: product.id,
    };
    if !label.is_empty() {
        let kind = BatchKind::Keys;
        let earlier = sql::newest_named(cx.tx, of, kind, &label, BatchState::Done)?;
        if let Some(earlier) = earlier {
            return Ok(earlier);
        }
    }
    let mut batch = begin(cx, product, BatchKind::Keys, &label)?;
    batch.state = BatchState::Done;
    Ok(batch)
}

fn bring_in(
    cx: &mut Cx<'_>,
    cmd: &ImportKeys,
    page: &mut Page,
    (line, row): (u64, &KeyRow),
) -> Result<RowReport, LicensingError> {
    let tenant = cx.caller.tenant;
    let mac = keys::mac(cx.keys, page.batch.product, &row.key);
    if let Some((license, _)) = sql::license_by_key(cx.tx, tenant, &mac)? {
        return Ok(RowReport::kept(line, license.id, Outcome::Unchanged));
    }
    let weak = is_weak(&row.key, &cmd.shared);
    if let Err(refusal) = acceptable(cx, cmd, page, row, weak) {
        return Ok(RowReport::refused(line, &refusal));
    }
    if !page.stored {
        sql::insert(cx.tx, tenant, &page.batch)?;
        page.stored = true;
    }
    let license = license_of(cx, &page.batch, row, &mac)?;
    let stored = StoredKey {
        mac,
        sealed: keys::seal(cx, license.id, &row.key),
        weak,
    };
    sql::insert_key(cx.tx, tenant, &license, &stored)?;
    page.batch.issued += 1;
    page.batch.wanted += 1;
    let item = Item {
        batch: page.batch.id,
        place: page.batch.issued,
        license: license.id,
        reference: &row.reference,
    };
    sql::insert_item(cx.tx, tenant, &item)?;
    Ok(RowReport::kept(line, license.id, Outcome::Created))
}

/// The keyed hash names the cause, so that a key can't become two licenses.
fn license_of(
    cx: &mut Cx<'_>,
    batch: &Batch,
    row: &KeyRow,
    mac: &[u8; 32],
) -> Result<License, LicensingError> {
    let mac: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut grant = grant(batch, format!("key {mac}"));
    grant.seats = row.seats.unwrap_or(grant.seats);
    grant.expires_at = row.expires_at.or(grant.expires_at);
    Ok(licensing::issue(cx, &grant)?.license)
}

fn acceptable(
    cx: &Cx<'_>,
    cmd: &ImportKeys,
    page: &Page,
    row: &KeyRow,
    weak: bool,
) -> Result<(), Refusal> {
    check_no_code(&row.key, &page.batch.product_code)?;
    if let Some(at) = row.expires_at
        && let Err(error) = model::end(at, cx.now)
    {
        let code = if at <= cx.now {
            "expired"
        } else {
            "expires_malformed"
        };
        return Err(Refusal::new(code, error.to_string()));
    }
    if weak && !cmd.allow_weak {
        let detail = "this key can be guessed; give the customer a new one, or allow weak keys";
        return Err(Refusal::new("key_weak", detail));
    }
    Ok(())
}
