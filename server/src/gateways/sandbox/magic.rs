//! Amounts that decide what becomes of a refund. Pure; documented in docs/sandbox.md.

use super::model::Choice;

/// What becomes of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundFate {
    /// It succeeds at once.
    Succeeds,
    /// It is accepted and succeeds a moment later.
    Waits,
    /// It succeeds, and the buyer's bank sends it back a moment later.
    ComesBack,
    /// It is accepted and fails a moment later.
    Fails,
    /// It is refused at once.
    Refused,
}

/// By the card that paid, then by the last two digits of the amount in minor units.
pub fn refund(card: &str, minor: i64) -> RefundFate {
    if card == Choice::RefundFails.code() {
        return RefundFate::ComesBack;
    }
    match minor % 100 {
        41 => RefundFate::Waits,
        42 => RefundFate::ComesBack,
        43 => RefundFate::Fails,
        44 => RefundFate::Refused,
        _ => RefundFate::Succeeds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_cards_decide() {
        assert_eq!(refund("succeed", 4_900), RefundFate::Succeeds);
        assert_eq!(refund("succeed", 1_041), RefundFate::Waits);
        assert_eq!(refund("refund_fails", 1_041), RefundFate::ComesBack);
        assert_eq!(refund("succeed", 44), RefundFate::Refused);
    }
}
