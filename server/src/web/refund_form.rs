//! What a refund's form asks for, of a sale as of an invoice: an amount, a reason, a note.

use super::ask::Ask;
use super::page::Page;
use super::parts::{Choice, Field};
use super::sell::payouts::minor_of;
use super::sell::sale::reason_text;
use crate::domains::refunds::model::MAX_NOTE;
use crate::domains::refunds::{Reason, RefundError};
use crate::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::Money;

/// A field and what is wrong with it; `form` for all of it.
pub type Mistake = (&'static str, String);

/// What was typed; text, so that what can't be read can be shown again.
#[derive(Debug, Clone, Copy)]
pub struct Typed<'f> {
    /// In the currency's own notation: `12.50`.
    pub amount: &'f str,
    /// A reason's code.
    pub reason: &'f str,
    /// For the buyer.
    pub note: &'f str,
}

impl Typed<'_> {
    /// The amount in minor units, and the reason.
    pub fn read(&self, page: &Page, left: Money) -> Result<(i64, Reason), Mistake> {
        let unread = || ("amount", page.say("refund-amount-unread"));
        let minor = minor_of(self.amount.trim(), left.currency()).ok_or_else(unread)?;
        let missing = || ("reason", page.say("refund-reason-missing"));
        let reason = Reason::given().find(|reason| reason.code() == self.reason);
        let reason = reason.ok_or_else(missing)?;
        Ok((minor, reason))
    }
}

/// The inputs, with what was typed and the mistake at its field.
pub fn fields(page: &Page, left: Money, typed: Typed<'_>, mistake: Option<&Mistake>) -> Vec<Field> {
    let wrong = |field: &str| {
        let found = mistake.filter(|(at, _)| *at == field);
        found.map(|(_, text)| text.clone())
    };
    let choice = |value: &str, text: String| Choice {
        value: value.to_owned(),
        text,
    };
    let mut reasons = vec![choice("", page.say("refund-reason-choose"))];
    reasons.extend(Reason::given().map(|reason| choice(reason.code(), reason_text(page, reason))));
    let label = page.say_one("refund-amount", "currency", left.currency().code());
    vec![
        Field::text("amount", label)
            .hint(page.say_one("refund-amount-hint", "left", page.format.money(left)))
            .value(typed.amount)
            .error(wrong("amount"))
            .required()
            .input_mode("decimal")
            .max_length(20),
        Field::select("reason", page.say("refund-reason"), reasons)
            .hint(page.say("refund-reason-hint"))
            .value(typed.reason)
            .error(wrong("reason")),
        Field::text("note", page.say("refund-note"))
            .hint(page.say("refund-note-hint"))
            .value(typed.note)
            .error(wrong("note"))
            .full()
            .max_length(u32::try_from(MAX_NOTE).unwrap_or(u32::MAX)),
    ]
}

/// A refusal at the field that it is about; what is no mistake of who asks stays an error.
pub fn mistake_of(page: &Page, error: RefundError) -> Result<Mistake, Problem> {
    let at_amount = |key: &str, left| {
        let left = page.format.money(left);
        ("amount", page.say_one(key, "left", left))
    };
    Ok(match error {
        RefundError::OutOfRange { left } => at_amount("refund-amount-range", left),
        RefundError::Changed { left } => at_amount("refund-amount-changed", left),
        RefundError::NoteTooLong => {
            let most = i64::try_from(MAX_NOTE).unwrap_or(i64::MAX);
            ("note", page.say_one("refund-note-long", "most", most))
        }
        RefundError::Disputed => ("form", page.say("sale-refund-disputed")),
        RefundError::NotPaid(_) => ("form", page.say("sale-refund-nothing-left")),
        RefundError::Free => ("form", page.say("sale-refund-free")),
        RefundError::InvoiceOpen => ("form", page.say("invoice-refund-unpaid")),
        RefundError::NeedsPlatform => ("form", page.say("sale-refund-platform")),
        RefundError::TooMany => ("form", page.say("sale-refund-too-many")),
        other => return Err(other.into()),
    })
}

/// What makes the wish one wish, however often its button is pressed.
pub fn fresh_key(ask: &Ask) -> String {
    let mut key = [0; 16];
    (ask.app.entropy)(&mut key);
    URL_SAFE_NO_PAD.encode(key)
}
