//! What came back to a buyer, what their bank asked, and what they agreed to, in words with dates.

use super::page::Page;
use super::parts::{Badge, Tone};
use crate::domains::fulfilment::OrderPage as Bought;
use crate::domains::orders::Consent;
use crate::domains::refunds::{Dispute, DisputeState, Refund, RefundState};

/// Something that happened to an order's money.
pub struct Happening {
    pub state: Badge,
    pub text: String,
    /// What the seller wrote; may be empty.
    pub note: String,
}

/// Refunds, then disputes, each in the order they came.
pub fn happenings(page: &Page, bought: &Bought) -> Vec<Happening> {
    let refunds = bought.back.refunds.iter().map(|one| refund(page, one));
    let disputes = bought.back.disputes.iter().filter(|one| happened(one));
    let disputes =
        disputes.map(|one| dispute(page, one, &format!("back-bank-{}", one.state.code())));
    refunds.chain(disputes).collect()
}

/// What banks ask about the payment of an invoice of usage.
pub fn disputed_usage(page: &Page, disputes: &[Dispute]) -> Vec<Happening> {
    let disputes = disputes.iter().filter(|one| happened(one));
    disputes
        .map(|one| dispute(page, one, &format!("back-used-{}", one.state.code())))
        .collect()
}

/// A suspicion is the bank's and the seller's business: nothing happened to the buyer yet.
const fn happened(dispute: &Dispute) -> bool {
    !matches!(
        dispute.state,
        DisputeState::Warning | DisputeState::Prevented
    )
}

fn refund(page: &Page, refund: &Refund) -> Happening {
    let (tone, state, text) = match refund.state {
        RefundState::Requested => (Tone::Wait, "refund-state-requested", "back-requested"),
        RefundState::Succeeded => (Tone::Good, "refund-state-succeeded", "back-succeeded"),
        RefundState::Failed => (Tone::Bad, "refund-state-failed", "back-failed"),
    };
    let at = refund.settled_at.unwrap_or(refund.requested_at);
    let values = [
        ("amount", page.format.money(refund.amount).into()),
        ("when", page.format.instant(at).into()),
    ];
    Happening {
        state: Badge::new(tone, page.say(state)),
        text: page.words.say_with(text, values),
        note: refund.note.clone(),
    }
}

/// Said with the sentence of `key`: of what was bought, or of what was used.
fn dispute(page: &Page, dispute: &Dispute, key: &str) -> Happening {
    let at = dispute.closed_at.unwrap_or(dispute.opened_at);
    let values = [
        ("amount", page.format.money(dispute.amount).into()),
        ("when", page.format.instant(at).into()),
    ];
    let tone = match dispute.state {
        DisputeState::Inquiry | DisputeState::Chargeback => Tone::Wait,
        _ => Tone::Info,
    };
    Happening {
        state: Badge::new(tone, page.say("back-bank")),
        text: page.words.say_with(key, values),
        note: String::new(),
    }
}

/// What was agreed to, and when.
pub fn agreements(page: &Page, consents: &[Consent]) -> Vec<String> {
    let said = |consent: &Consent| {
        let key = match consent.kind.as_str() {
            "withdrawal_waiver" => "back-waiver",
            "license_terms" => "back-terms",
            _ => return None,
        };
        let values = [
            ("when", page.format.instant(consent.agreed_at).into()),
            ("version", consent.version.as_str().into()),
        ];
        Some(page.words.say_with(key, values))
    };
    consents.iter().filter_map(said).collect()
}
