//! What a refund would do, told before it is asked for: by the rules that will carry it out.

use super::effect::{self, Book};
use super::model::{By, RefundError};
use super::ops::{self, AskRefund, RefundBundle, RefundSale, Scope};
use crate::app::ReadCx;
use crate::domains::ledger::{self, Fees, Parts};
use crate::domains::licensing;
use crate::domains::orders::Line;
use mintreu::Money;

/// What would happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// What the buyer would get.
    pub amount: Money,
    /// What could be refunded afterwards.
    pub left: Money,
    /// What it takes from each part of the sale.
    pub parts: Parts,
    /// What becomes of the platform's fee.
    pub fees: Fees,
    /// What the seller bears, all in all.
    pub borne: Money,
    /// How much of that comes out of what is held for the sale; the rest comes out of the balance.
    pub from_held: Money,
    /// What becomes of each line's license, by the line's title.
    pub licenses: Vec<(String, LicenseFate)>,
}

/// What becomes of a license.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LicenseFate {
    /// There is none.
    None,
    /// It works on, since a part of its price stays.
    WorksOn,
    /// It works on, although all of its price went back.
    Kept,
    /// It is withdrawn, and with it so many seats.
    Withdrawn(i64),
    /// It was withdrawn before, and stays so.
    StaysWithdrawn,
}

/// What [`ops::refund_sale`] would do now, or why it would refuse.
pub fn preview_sale(cx: &mut ReadCx<'_>, wanted: &RefundSale) -> Result<Preview, RefundError> {
    preview(cx, &wanted.0, Scope::Line)
}

/// What [`ops::refund_bundle`] would do now, or why it would refuse.
pub fn preview_bundle(cx: &mut ReadCx<'_>, wanted: &RefundBundle) -> Result<Preview, RefundError> {
    preview(cx, &wanted.0, Scope::Bundle)
}

fn preview(cx: &mut ReadCx<'_>, wanted: &AskRefund, scope: Scope) -> Result<Preview, RefundError> {
    let tenant = cx.caller.tenant;
    let book = Book::read(cx.tx, tenant, wanted.order)?;
    let asker = (By::Seller, cx.caller.account, scope);
    let (lines, amount) = ops::consider(cx.tx, tenant, (&book, wanted), asker)?;
    let none = Money::zero(amount.currency());
    let planned = effect::plan(&book, &lines, (amount, none), "preview")?;
    let fees = ops::fees(&book.disputes, (By::Seller, wanted.reason));
    let mut preview = Preview {
        amount,
        left: book.left_of(&lines)?.checked_sub(amount)?,
        parts: Parts::zero(amount.currency()),
        fees,
        borne: none,
        from_held: none,
        licenses: Vec::new(),
    };
    for one in &planned {
        let borne = fees.borne_by_seller(&one.parts)?;
        let held = held(cx, &one.line.to_string(), borne)?;
        preview.parts = preview.parts.checked_add(&one.parts)?;
        preview.borne = preview.borne.checked_add(borne)?;
        preview.from_held = preview.from_held.checked_add(held)?;
    }
    for line in &lines {
        let taken = planned.iter().find(|one| one.line == line.id);
        let taken = taken.map_or(Ok(none), |one| one.parts.total())?;
        let whole = taken.minor() > 0 && taken == book.left(line)?;
        let fate = fate(cx, line, (whole, wanted.keeps_license))?;
        preview.licenses.push((line.title.clone(), fate));
    }
    Ok(preview)
}

/// What of `borne` a sale's hold gives.
fn held(cx: &mut ReadCx<'_>, source: &str, borne: Money) -> Result<Money, RefundError> {
    let hold = ledger::hold_of(cx.tx, cx.caller.tenant, source)?;
    let open = hold.filter(|hold| matches!(hold.state.as_str(), "held" | "frozen"));
    let there = open.map_or(0, |hold| hold.amount.minor());
    Ok(Money::new(
        borne.minor().min(there).max(0),
        borne.currency(),
    ))
}

fn fate(
    cx: &mut ReadCx<'_>,
    line: &Line,
    (whole, keeps): (bool, bool),
) -> Result<LicenseFate, RefundError> {
    let source = line.id.to_string();
    let license = licensing::by_source(cx.tx, cx.caller.tenant, &source)?;
    Ok(match license {
        None => LicenseFate::None,
        Some(license) if license.revoked_at.is_some() => LicenseFate::StaysWithdrawn,
        Some(_) if !whole => LicenseFate::WorksOn,
        Some(_) if keeps => LicenseFate::Kept,
        Some(license) => LicenseFate::Withdrawn(license.seats),
    })
}
