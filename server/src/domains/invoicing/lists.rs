//! Invoices and credit notes in one list: a buyer's own, or what a seller's lines stand on.

use super::credits::CreditKind;
use super::model::{InvoiceError, State};
use super::ops::usage_tax;
use super::sql::lists as sql;
use crate::app::ReadCx;
use mintreu::id::{CreditNoteId, InvoiceId, OrderId};
use mintreu::{Money, Timestamp};

/// Most papers of one page.
const MAX_PAGE: i64 = 200;

/// Which paper a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaperId {
    /// An invoice.
    Invoice(InvoiceId, State),
    /// A credit note or a correction.
    Credit(CreditNoteId, CreditKind),
}

impl PaperId {
    /// As shown: `invoice`, `credit_note` or `correction`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Invoice(..) => "invoice",
            Self::Credit(_, kind) => kind.name(),
        }
    }

    /// Its sixteen bytes, by which papers of one instant are put in order.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        match self {
            Self::Invoice(id, _) => id.as_bytes(),
            Self::Credit(id, _) => id.as_bytes(),
        }
    }
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// Which.
    pub id: PaperId,
    /// The number people quote.
    pub number: String,
    /// The invoice that a credit note is about, by its number.
    pub about: Option<String>,
    /// What an invoice sold, by one of its lines; an invoice of usage and a credit note have none.
    pub title: Option<String>,
    /// When it got its number.
    pub at: Timestamp,
    /// What it comes to; to a seller, what the own lines come to. Credit notes are below zero.
    pub total: Money,
    /// The tax in it.
    pub tax: Money,
    /// The order, when it came of one.
    pub order: Option<OrderId>,
}

/// Where a page ended: the instant and the bytes of its last paper.
pub type After = (Timestamp, [u8; 16]);

/// Asks for the caller's papers, newest first.
#[derive(Debug, Clone, Copy)]
pub struct ListPapers {
    /// Those that the caller earns by, not those that the caller pays.
    pub as_seller: bool,
    /// From the first instant to the instant after the last; `None` for all.
    pub within: Option<(Timestamp, Timestamp)>,
    /// Where the last page ended.
    pub after: Option<After>,
    /// At most so many, 1 to 200.
    pub limit: i64,
}

/// A page of papers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperPage {
    /// Newest first.
    pub papers: Vec<Paper>,
    /// Where it goes on.
    pub next: Option<After>,
}

/// The caller's own papers. Nobody signed in has none.
pub fn papers(cx: &mut ReadCx<'_>, query: &ListPapers) -> Result<PaperPage, InvoiceError> {
    let Some(account) = cx.caller.account else {
        return Ok(PaperPage {
            papers: Vec::new(),
            next: None,
        });
    };
    let limit = query.limit.clamp(1, MAX_PAGE);
    let end = Timestamp::from_ms(i64::MAX);
    let asked = sql::Asked {
        owner: (cx.caller.tenant, account),
        within: query.within.unwrap_or((Timestamp::from_ms(i64::MIN), end)),
        before: query.after.unwrap_or((end, [0xff; 16])),
        limit: limit + 1,
    };
    let rows = match query.as_seller {
        true => sql::of_seller(cx.tx, &asked)?,
        false => sql::of_customer(cx.tx, &asked)?,
    };
    let mut papers = Vec::with_capacity(rows.len());
    for (mut paper, rated) in rows {
        if let (true, PaperId::Invoice(id, _)) = (rated, paper.id)
            && let Some(tax) = usage_tax(cx.tx, cx.caller.tenant, id)?
        {
            paper.tax = tax.amount;
        }
        papers.push(paper);
    }
    let more = papers.len() as i64 > limit;
    papers.truncate(limit as usize);
    let last = papers.last().filter(|_| more);
    let next = last.map(|last| (last.at, *last.id.as_bytes()));
    Ok(PaperPage { papers, next })
}

/// Asks in which of some spans of time there are papers.
#[derive(Debug, Clone)]
pub struct AskSpans {
    /// Those that the caller earns by, not those that the caller pays.
    pub as_seller: bool,
    /// Each from its first instant to the instant after its last; at most 20 are looked at.
    pub spans: Vec<(Timestamp, Timestamp)>,
}

/// Whether the caller has papers in each of them.
pub fn spans_with_papers(cx: &mut ReadCx<'_>, query: &AskSpans) -> Result<Vec<bool>, InvoiceError> {
    let mut found = Vec::new();
    for span in query.spans.iter().take(20) {
        let one = ListPapers {
            as_seller: query.as_seller,
            within: Some(*span),
            after: None,
            limit: 1,
        };
        found.push(!papers(cx, &one)?.papers.is_empty());
    }
    Ok(found)
}
