//! Credit notes: what went back of an invoice, and corrections when it didn't after all.
//!
//! Both are papers with numbers of their own series, issued in the commit that moves the money and
//! never changed. A correction takes one whole credit note back, so that what is credited is the
//! sum of credit notes without those that were corrected.

use super::model::{Invoice, InvoiceError, InvoiceLine, Issuer, Sold};
use super::ops::{InvoiceQuery, invoice};
use super::sql::credits as sql;
use crate::app::{Cx, ReadCx};
use mintreu::id::{CreditNoteId, InvoiceId, OrderLineId};
use mintreu::{Money, Timestamp};

/// The fact of a credit note.
pub const ISSUED_FACT: &str = "credit_note.issued";
/// The fact of a correction.
pub const CORRECTED_FACT: &str = "credit_note.corrected";

/// Where a line of a credit note stands that is of the invoice's sum.
const WHOLE: i64 = 0;

/// What a paper about a credit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditKind {
    /// Something went back.
    Credit,
    /// It came back: the credit note that is named no longer counts.
    Correction,
}

impl CreditKind {
    /// Its series, by which it is stored.
    pub const fn series(self) -> &'static str {
        match self {
            Self::Credit => "CN",
            Self::Correction => "CC",
        }
    }

    /// As shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credit => "credit_note",
            Self::Correction => "correction",
        }
    }

    /// Reads what [`CreditKind::series`] wrote.
    pub fn of_series(series: &str) -> Option<Self> {
        [Self::Credit, Self::Correction]
            .into_iter()
            .find(|kind| kind.series() == series)
    }
}

/// What goes back of one line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// Of which line.
    pub line: OrderLineId,
    /// How much, tax included.
    pub amount: Money,
    /// The tax of it.
    pub tax: Money,
}

/// A credit note before it has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredit<'a> {
    /// What caused it: a refund's id, or a dispute's with its round. Once an invoice.
    pub cause: &'a str,
    /// Why, by a refund's stable code or `chargeback`.
    pub reason: &'a str,
    /// In words, for the buyer; may be empty.
    pub note: &'a str,
    /// What goes back, line by line.
    pub lines: &'a [Back],
}

/// A credit note or a correction, without its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditNote {
    /// Its id.
    pub id: CreditNoteId,
    /// Who issues it: who issued the invoice.
    pub issuer: Issuer,
    /// Which of both.
    pub kind: CreditKind,
    /// Rises by one in its series.
    pub number: i64,
    /// Of which invoice.
    pub invoice: InvoiceId,
    /// The credit note that it takes back.
    pub corrects: Option<CreditNoteId>,
    /// What caused it.
    pub cause: String,
    /// Why.
    pub reason: String,
    /// In words; may be empty.
    pub note: String,
    /// What its lines add up to.
    pub total: Money,
    /// When it got its number.
    pub issued_at: Timestamp,
}

impl CreditNote {
    /// The number people quote: `CN-000042`.
    pub fn number_text(&self) -> String {
        format!("{}-{:06}", self.kind.series(), self.number)
    }
}

/// A line of a credit note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditLine {
    /// Which line of the invoice, counted from 1; 0 is its sum.
    pub invoice_position: i64,
    /// How much, tax included.
    pub amount: Money,
    /// The tax of it.
    pub tax: Money,
}

/// Where an order's line stands on an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// On which.
    pub invoice: InvoiceId,
    /// Who issued it.
    pub issuer: Issuer,
    /// Its line, counted from 1.
    pub position: i64,
    /// What the line added.
    pub amount: Money,
}

/// Issues a credit note for each invoice that `new` takes from, inside the caller's commit; the same
/// cause again answers those that are there. Lines that were never invoiced are passed over: an
/// order that was paid before invoices were issued for orders has none to credit.
pub fn credit(cx: &mut Cx<'_>, new: &NewCredit<'_>) -> Result<Vec<CreditNote>, InvoiceError> {
    let tenant = cx.caller.tenant;
    let known = sql::of_cause(cx.tx, tenant, (new.cause, CreditKind::Credit))?;
    if !known.is_empty() {
        return Ok(known);
    }
    let mut placed: Vec<(Place, &Back)> = Vec::new();
    for back in new.lines.iter().filter(|back| back.amount.minor() > 0) {
        if let Some(place) = sql::place(cx.tx, tenant, back.line)? {
            check_left(cx, &place, back)?;
            placed.push((place, back));
        }
    }
    placed.sort_by_key(|(place, _)| (place.invoice, place.position));
    let mut issued = Vec::new();
    for of_invoice in placed.chunk_by(|(a, _), (b, _)| a.invoice == b.invoice) {
        issued.push(issue(cx, new, of_invoice)?);
    }
    Ok(issued)
}

/// A credit note of an invoice of usage, before it has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUsageCredit<'a> {
    /// Of which invoice.
    pub invoice: &'a Invoice,
    /// What caused it: a refund's id. Once an invoice.
    pub cause: &'a str,
    /// Why, by a refund's stable code.
    pub reason: &'a str,
    /// In words, for the buyer; may be empty.
    pub note: &'a str,
    /// How much of the invoice's sum, tax included.
    pub amount: Money,
    /// The tax of it.
    pub tax: Money,
}

/// Credits a part of what an invoice of usage came to, inside the caller's commit; the same cause
/// again answers the paper that is there. It is of the sum and of no single rated line.
pub fn credit_usage(cx: &mut Cx<'_>, new: &NewUsageCredit<'_>) -> Result<CreditNote, InvoiceError> {
    let tenant = cx.caller.tenant;
    let known = sql::of_cause(cx.tx, tenant, (new.cause, CreditKind::Credit))?;
    if let Some(known) = known.into_iter().next() {
        return Ok(known);
    }
    let (invoice, wanted) = (new.invoice, new.amount);
    let credited = sql::credited(cx.tx, tenant, (invoice.id, WHOLE))?;
    let credited = Money::new(credited, wanted.currency());
    let left = invoice.total.checked_sub(credited)?;
    if left.checked_sub(wanted)?.minor() < 0 {
        return Err(InvoiceError::OverCredited { wanted, left });
    }
    let note = CreditNote {
        id: cx.make_id(CreditNoteId::from_bytes),
        issuer: invoice.issuer,
        kind: CreditKind::Credit,
        number: 0,
        invoice: invoice.id,
        corrects: None,
        cause: new.cause.to_owned(),
        reason: new.reason.to_owned(),
        note: new.note.to_owned(),
        total: wanted,
        issued_at: cx.now,
    };
    let line = CreditLine {
        invoice_position: WHOLE,
        amount: wanted,
        tax: new.tax,
    };
    store(cx, note, &[line])
}

/// Of a line no more is credited than it added.
fn check_left(cx: &mut Cx<'_>, place: &Place, back: &Back) -> Result<(), InvoiceError> {
    let key = (place.invoice, place.position);
    let credited = sql::credited(cx.tx, cx.caller.tenant, key)?;
    let credited = Money::new(credited, place.amount.currency());
    let left = place.amount.checked_sub(credited)?;
    let wanted = back.amount;
    match left.checked_sub(wanted)?.minor() >= 0 {
        true => Ok(()),
        false => Err(InvoiceError::OverCredited { wanted, left }),
    }
}

fn issue(
    cx: &mut Cx<'_>,
    new: &NewCredit<'_>,
    placed: &[(Place, &Back)],
) -> Result<CreditNote, InvoiceError> {
    let (place, back) = placed.first().ok_or(InvoiceError::Empty)?;
    let zero = Money::zero(back.amount.currency());
    let mut amounts = placed.iter().map(|(_, back)| back.amount);
    let note = CreditNote {
        id: cx.make_id(CreditNoteId::from_bytes),
        issuer: place.issuer,
        kind: CreditKind::Credit,
        number: 0,
        invoice: place.invoice,
        corrects: None,
        cause: new.cause.to_owned(),
        reason: new.reason.to_owned(),
        note: new.note.to_owned(),
        total: amounts.try_fold(zero, |sum, one| sum.checked_add(one))?,
        issued_at: cx.now,
    };
    let lines = placed.iter().map(|(place, back)| CreditLine {
        invoice_position: place.position,
        amount: back.amount,
        tax: back.tax,
    });
    store(cx, note, &lines.collect::<Vec<_>>())
}

/// Gives the paper its number and writes it with its lines.
fn store(
    cx: &mut Cx<'_>,
    mut note: CreditNote,
    lines: &[CreditLine],
) -> Result<CreditNote, InvoiceError> {
    let tenant = cx.caller.tenant;
    let series = note.kind.series();
    note.number = super::sql::next_number(cx.tx, tenant, note.issuer, series)?;
    sql::insert(cx.tx, tenant, &note)?;
    for (position, line) in (1..).zip(lines) {
        sql::insert_line(cx.tx, (tenant, note.id), position, line)?;
    }
    let fact = match note.kind {
        CreditKind::Credit => ISSUED_FACT,
        CreditKind::Correction => CORRECTED_FACT,
    };
    crate::events::record(cx, fact, &note.id.to_string(), &())?;
    Ok(note)
}

/// Takes the credit notes of a cause back by corrections, inside the caller's commit; those that
/// are taken back stay so.
pub fn take_back(cx: &mut Cx<'_>, cause: &str) -> Result<Vec<CreditNote>, InvoiceError> {
    let tenant = cx.caller.tenant;
    let known = sql::of_cause(cx.tx, tenant, (cause, CreditKind::Correction))?;
    if !known.is_empty() {
        return Ok(known);
    }
    let mut issued = Vec::new();
    for credited in sql::of_cause(cx.tx, tenant, (cause, CreditKind::Credit))? {
        let lines = sql::lines(cx.tx, tenant, &credited)?;
        let correction = CreditNote {
            id: cx.make_id(CreditNoteId::from_bytes),
            kind: CreditKind::Correction,
            corrects: Some(credited.id),
            issued_at: cx.now,
            ..credited
        };
        issued.push(store(cx, correction, &lines)?);
    }
    Ok(issued)
}

/// The credit notes and corrections of an invoice, oldest first, as who sees these lines of it does.
pub fn credits_of(
    cx: &mut ReadCx<'_>,
    invoice: &Invoice,
    lines: &[InvoiceLine],
) -> Result<Vec<CreditView>, InvoiceError> {
    let mut views = Vec::new();
    for note in sql::of_invoice(cx.tx, cx.caller.tenant, invoice.id)? {
        views.extend(view(cx, note, (invoice.clone(), lines))?);
    }
    Ok(views)
}

/// A credit note with all of its lines, for the house's own use: no ownership is asked.
pub fn whole_credit(
    cx: &mut ReadCx<'_>,
    id: CreditNoteId,
) -> Result<Option<CreditView>, InvoiceError> {
    let tenant = cx.caller.tenant;
    let Some(note) = sql::by_id(cx.tx, tenant, id)? else {
        return Ok(None);
    };
    let invoice = super::sql::by_id(cx.tx, tenant, note.invoice)?;
    let invoice = invoice.ok_or(InvoiceError::NotFound)?;
    let lines = super::sql::lines(cx.tx, tenant, &invoice)?;
    view(cx, note, (invoice, &lines))
}

/// A credit note, for the house's own use: no ownership is asked.
pub fn find_credit(
    cx: &mut ReadCx<'_>,
    id: CreditNoteId,
) -> Result<Option<CreditNote>, InvoiceError> {
    Ok(sql::by_id(cx.tx, cx.caller.tenant, id)?)
}

/// A credit note with all that is printed on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditView {
    /// The credit note; to a seller, with what the own lines come to.
    pub note: CreditNote,
    /// The invoice, as the same person sees it.
    pub invoice: Invoice,
    /// The number of the credit note that it takes back.
    pub corrects: Option<String>,
    /// What each line gives back, with what the invoice's line says.
    pub lines: Vec<(CreditLine, Option<Sold>)>,
}

/// Asks for one credit note.
#[derive(Debug, Clone, Copy)]
pub struct CreditQuery {
    /// Which.
    pub id: CreditNoteId,
}

/// One credit note, for whoever sees its invoice: a seller the own lines, others all or nothing.
pub fn credit_note(cx: &mut ReadCx<'_>, query: &CreditQuery) -> Result<CreditView, InvoiceError> {
    let note = sql::by_id(cx.tx, cx.caller.tenant, query.id)?;
    let note = note.ok_or(InvoiceError::NotFound)?;
    let of = InvoiceQuery { id: note.invoice };
    let (invoice, invoiced) = invoice(cx, &of)?;
    view(cx, note, (invoice, &invoiced))?.ok_or(InvoiceError::NotFound)
}

/// The parts of a credit note about invoiced lines that are seen; `None` when it has none of them.
pub fn view(
    cx: &mut ReadCx<'_>,
    mut note: CreditNote,
    (invoice, invoiced): (Invoice, &[InvoiceLine]),
) -> Result<Option<CreditView>, InvoiceError> {
    let tenant = cx.caller.tenant;
    let all = super::sql::lines(cx.tx, tenant, &invoice)?;
    let mut lines = Vec::new();
    for line in sql::lines(cx.tx, tenant, &note)? {
        if line.invoice_position == WHOLE && invoiced.len() == all.len() {
            lines.push((line, None));
            continue;
        }
        let at = usize::try_from(line.invoice_position - 1).ok();
        let of = at.and_then(|at| all.get(at));
        let seen = of.filter(|of| invoiced.iter().any(|one| one.id == of.id));
        if let Some(of) = seen {
            lines.push((line, of.sold.clone()));
        }
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let zero = Money::zero(note.total.currency());
    let mut amounts = lines.iter().map(|(line, _)| line.amount);
    note.total = amounts.try_fold(zero, |sum, one| sum.checked_add(one))?;
    let corrects = match note.corrects {
        Some(id) => sql::by_id(cx.tx, tenant, id)?.map(|one| one.number_text()),
        None => None,
    };
    Ok(Some(CreditView {
        note,
        invoice,
        corrects,
        lines,
    }))
}
