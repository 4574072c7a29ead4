//! Amounts that decide what becomes of a refund. Pure; documented in docs/sandbox.md.

use super::model::Choice;
use mintreu::Money;

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

/// What the sandbox takes for a payment: 2.9 % and 30 minor units, as the usual tariff says. For
/// amounts that end in 51 the card is from abroad and costs 1.5 % more; in 52 it is a cheap one
/// and costs 0.5 % less.
pub fn fee(amount: Money) -> i64 {
    let bps = match amount.minor() % 100 {
        51 => 290 + 150,
        52 => 290 - 50,
        _ => 290,
    };
    let share = amount.basis_points(bps).map_or(0, |share| share.minor());
    share.saturating_add(30)
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

    #[test]
    fn a_payment_costs_the_tariff_except_when_its_amount_says_otherwise() {
        let cost = |minor| fee(Money::new(minor, mintreu::Currency::EUR));
        assert_eq!((cost(10_000), cost(4_900)), (320, 172));
        assert_eq!((cost(10_051), cost(10_052)), (472, 271));
    }
}
