//! All SQL of lists of papers.

use crate::domains::invoicing::credits::CreditKind;
use crate::domains::invoicing::lists::{After, Paper, PaperId};
use crate::domains::invoicing::model::State;
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{AccountId, CreditNoteId, InvoiceId, OrderId, TenantId};
use mintreu::{Currency, Money, Timestamp};

const OF_CUSTOMER: &str = "SELECT p.paper_id, p.series, p.number, p.about_series, p.about_number,
        p.at, p.currency, p.total_minor, p.tax_minor, p.state, p.order_id, p.rated, p.title
    FROM (SELECT i.invoice_id AS paper_id, i.series, i.number, NULL AS about_series,
            CAST(NULL AS BIGINT) AS about_number, i.finalized_at AS at, i.currency, i.total_minor,
            CAST(COALESCE((SELECT SUM(s.tax_minor) FROM invoice_sale s
                WHERE s.tenant_id = i.tenant_id AND s.invoice_id = i.invoice_id), 0) AS BIGINT)
                AS tax_minor,
            i.state, i.order_id,
            CASE WHEN EXISTS (SELECT 1 FROM invoice_sale s WHERE s.tenant_id = i.tenant_id
                AND s.invoice_id = i.invoice_id) THEN CAST(0 AS BIGINT)
                ELSE CAST(1 AS BIGINT) END AS rated,
            (SELECT MIN(s.title) FROM invoice_sale s WHERE s.tenant_id = i.tenant_id
                AND s.invoice_id = i.invoice_id) AS title
        FROM invoice i WHERE i.tenant_id = :tenant AND i.customer_id = :account
            AND i.finalized_at >= :from AND i.finalized_at < :until
        UNION ALL
        SELECT c.credit_note_id, c.series, c.number, i.series, i.number, c.issued_at, c.currency,
            c.total_minor,
            CAST(COALESCE((SELECT SUM(l.tax_minor) FROM credit_note_line l
                WHERE l.tenant_id = c.tenant_id AND l.credit_note_id = c.credit_note_id), 0)
                AS BIGINT),
            'issued', i.order_id, CAST(0 AS BIGINT), NULL
        FROM invoice i JOIN credit_note c ON c.tenant_id = i.tenant_id
            AND c.invoice_id = i.invoice_id
        WHERE i.tenant_id = :tenant AND i.customer_id = :account
            AND c.issued_at >= :from AND c.issued_at < :until) p
    WHERE p.at < :before_at OR (p.at = :before_at AND p.paper_id < :before_id)
    ORDER BY p.at DESC, p.paper_id DESC LIMIT :limit";

const OF_SELLER: &str = "SELECT p.paper_id, p.series, p.number, p.about_series, p.about_number,
        p.at, p.currency, p.total_minor, p.tax_minor, p.state, p.order_id, p.rated, p.title
    FROM (SELECT i.invoice_id AS paper_id, i.series, i.number, NULL AS about_series,
            CAST(NULL AS BIGINT) AS about_number, i.finalized_at AS at, i.currency,
            CAST(SUM(l.amount_minor) AS BIGINT) AS total_minor,
            CAST(COALESCE(SUM(s.tax_minor), 0) AS BIGINT) AS tax_minor, i.state, i.order_id,
            CASE WHEN COUNT(s.position) = 0 THEN CAST(1 AS BIGINT)
                ELSE CAST(0 AS BIGINT) END AS rated, MIN(s.title) AS title
        FROM invoice i
        JOIN invoice_line l ON l.tenant_id = i.tenant_id AND l.invoice_id = i.invoice_id
        LEFT JOIN invoice_sale s ON s.tenant_id = l.tenant_id AND s.invoice_id = l.invoice_id
            AND s.position = l.position
        WHERE i.tenant_id = :tenant AND COALESCE(s.seller_id, i.seller_id) = :account
            AND i.finalized_at >= :from AND i.finalized_at < :until
            AND (i.seller_id = :account OR i.invoice_id IN (SELECT o.invoice_id
                FROM invoice_sale o WHERE o.tenant_id = :tenant AND o.seller_id = :account))
        GROUP BY i.invoice_id, i.series, i.number, i.finalized_at, i.currency, i.state, i.order_id
        UNION ALL
        SELECT c.credit_note_id, c.series, c.number, i.series, i.number, c.issued_at, c.currency,
            CAST(SUM(l.amount_minor) AS BIGINT), CAST(SUM(l.tax_minor) AS BIGINT), 'issued',
            i.order_id, CAST(0 AS BIGINT), NULL
        FROM invoice_sale s
        JOIN invoice i ON i.tenant_id = s.tenant_id AND i.invoice_id = s.invoice_id
        JOIN credit_note c ON c.tenant_id = s.tenant_id AND c.invoice_id = s.invoice_id
        JOIN credit_note_line l ON l.tenant_id = c.tenant_id
            AND l.credit_note_id = c.credit_note_id AND l.invoice_position = s.position
        WHERE s.tenant_id = :tenant AND s.seller_id = :account
            AND c.issued_at >= :from AND c.issued_at < :until
        GROUP BY c.credit_note_id, c.series, c.number, i.series, i.number, c.issued_at, c.currency,
            i.order_id
        UNION ALL
        SELECT c.credit_note_id, c.series, c.number, i.series, i.number, c.issued_at, c.currency,
            l.amount_minor, l.tax_minor, 'issued', i.order_id, CAST(0 AS BIGINT), NULL
        FROM invoice i
        JOIN credit_note c ON c.tenant_id = i.tenant_id AND c.invoice_id = i.invoice_id
        JOIN credit_note_line l ON l.tenant_id = c.tenant_id
            AND l.credit_note_id = c.credit_note_id AND l.invoice_position = 0
        WHERE i.tenant_id = :tenant AND i.seller_id = :account
            AND c.issued_at >= :from AND c.issued_at < :until) p
    WHERE p.at < :before_at OR (p.at = :before_at AND p.paper_id < :before_id)
    ORDER BY p.at DESC, p.paper_id DESC LIMIT :limit";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[OF_CUSTOMER, OF_SELLER];

/// Whose papers, of when, from where on.
pub struct Asked {
    /// Whose.
    pub owner: (TenantId, AccountId),
    /// From the first instant to the instant after the last.
    pub within: (Timestamp, Timestamp),
    /// Only older than this.
    pub before: After,
    /// At most so many.
    pub limit: i64,
}

impl Asked {
    fn params(&self) -> [(&'static str, Value); 7] {
        [
            ("tenant", self.owner.0.as_bytes().into()),
            ("account", self.owner.1.as_bytes().into()),
            ("from", self.within.0.into()),
            ("until", self.within.1.into()),
            ("before_at", self.before.0.into()),
            ("before_id", (&self.before.1).into()),
            ("limit", self.limit.into()),
        ]
    }
}

/// The paper, and whether it is an invoice of usage: its tax stands elsewhere.
fn from_row(row: &Row) -> Result<(Paper, bool), StoreError> {
    let shape = |what: &str| StoreError::shape(format!("a paper with {what}"));
    let currency = Currency::parse(&row.text("currency")?).map_err(|_| shape("no currency"))?;
    let (series, number) = (row.text("series")?, row.int("number")?);
    let bytes = row.id("paper_id", |bytes| bytes)?;
    let kind = CreditKind::of_series(&series);
    let id = match kind {
        Some(kind) => PaperId::Credit(CreditNoteId::from_bytes(bytes), kind),
        None => {
            let state = State::parse(&row.text("state")?);
            let state = state.ok_or_else(|| shape("no state"))?;
            PaperId::Invoice(InvoiceId::from_bytes(bytes), state)
        }
    };
    let about = row
        .opt_text("about_series")?
        .zip(row.opt_int("about_number")?);
    let sign = if kind == Some(CreditKind::Credit) {
        -1
    } else {
        1
    };
    let amount = |column| Ok::<_, StoreError>(Money::new(sign * row.int(column)?, currency));
    let paper = Paper {
        id,
        number: format!("{series}-{number:06}"),
        about: about.map(|(series, number)| format!("{series}-{number:06}")),
        title: row.opt_text("title")?,
        at: row.at("at")?,
        total: amount("total_minor")?,
        tax: amount("tax_minor")?,
        order: row.opt_id("order_id", OrderId::from_bytes)?,
    };
    Ok((paper, row.int("rated")? != 0))
}

/// What an account pays, or has paid.
pub fn of_customer(tx: &mut dyn Tx, asked: &Asked) -> Result<Vec<(Paper, bool)>, StoreError> {
    tx.query(OF_CUSTOMER, &asked.params())?
        .iter()
        .map(from_row)
        .collect()
}

/// What an account earns by, with what its own lines come to.
pub fn of_seller(tx: &mut dyn Tx, asked: &Asked) -> Result<Vec<(Paper, bool)>, StoreError> {
    tx.query(OF_SELLER, &asked.params())?
        .iter()
        .map(from_row)
        .collect()
}
