//! What a change in the middle of a paid period costs.
//!
//! Time is counted in the buyer's calendar days and today counts as used, so that a quote holds
//! until midnight: the price doesn't change while one looks at it. What is used and what is left
//! are parts of one amount and add up to it.

use super::days_between;
use mintreu::meter::Zone;
use mintreu::price::{Rounding, Share};
use mintreu::{Error, Money, Timestamp};

/// A period that was paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// What for the whole of it, not below zero.
    pub amount: Money,
    /// Its first instant.
    pub from: Timestamp,
    /// The instant after its last.
    pub until: Timestamp,
}

/// What a change costs now: `charge − credit = due`, which is below zero when less is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// What is left of the amount that was paid.
    pub credit: Money,
    /// What is wanted costs so much.
    pub charge: Money,
    /// What remains to pay.
    pub due: Money,
}

impl Quote {
    fn new(credit: Money, charge: Money) -> Result<Self, Error> {
        let due = charge.checked_sub(credit)?;
        Ok(Self {
            credit,
            charge,
            due,
        })
    }
}

impl Paid {
    /// The part of the period after the day of `now`, in days.
    fn rest(&self, now: Timestamp, zone: &Zone) -> Result<Share, Error> {
        let whole = days_between(self.from, self.until, zone).max(1);
        let used = days_between(self.from, now, zone).saturating_add(1);
        let used = match now < self.from {
            true => 0,
            false => used.min(whole),
        };
        Share::new(used, whole, whole)
    }

    fn part(share: Share, amount: Money) -> Money {
        let minor = share.of_amount(amount.minor().max(0), Rounding::HalfEven);
        Money::new(minor, amount.currency())
    }
}

/// The same period at another price (more seats, fewer, another plan of the same length): what is
/// left of the old amount against what is left of the new one.
pub fn prorate(paid: &Paid, price: Money, now: Timestamp, zone: &Zone) -> Result<Quote, Error> {
    let rest = paid.rest(now, zone)?;
    Quote::new(Paid::part(rest, paid.amount), Paid::part(rest, price))
}

/// A new period from now on, at its full price, less what is left of the old one.
pub fn restart(paid: &Paid, price: Money, now: Timestamp, zone: &Zone) -> Result<Quote, Error> {
    let rest = paid.rest(now, zone)?;
    Quote::new(Paid::part(rest, paid.amount), price)
}

#[cfg(test)]
mod tests {
    use super::super::zone_named;
    use super::*;
    use mintreu::Currency;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().expect("an instant");
        Timestamp::from_ms(instant.as_millisecond())
    }

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, Currency::parse(code).expect("a currency"))
    }

    fn figures(quote: Quote) -> (i64, i64, i64) {
        (
            quote.credit.minor(),
            quote.charge.minor(),
            quote.due.minor(),
        )
    }

    #[test]
    fn a_new_period_costs_its_price_less_what_is_left() {
        // Figures by hand; the first two are the worked examples of a peer: from 10 a month to 20
        // on 15 January, when 16 of 31 days are left (160/31 = 5.16); and from 10 a month to 100 a
        // year a week into February, when 21 of 28 are left (7.50).
        for (code, old, new, from, until, now, expected) in [
            (
                "USD",
                1_000,
                2_000,
                "2027-01-01T09:00:00Z",
                "2027-02-01T09:00:00Z",
                "2027-01-15T13:00:00Z",
                (516, 2_000, 1_484),
            ),
            (
                "USD",
                1_000,
                10_000,
                "2027-02-01T09:00:00Z",
                "2027-03-01T09:00:00Z",
                "2027-02-07T20:00:00Z",
                (750, 10_000, 9_250),
            ),
            // 20 of 30 days: 666.67, and 333.33 used.
            (
                "JPY",
                1_000,
                1_500,
                "2027-04-01T00:00:00Z",
                "2027-05-01T00:00:00Z",
                "2027-04-10T00:00:00Z",
                (667, 1_500, 833),
            ),
            // 287 of 365 days of 12.345: 9.7069, and 2.6381 used.
            (
                "KWD",
                12_345,
                20_000,
                "2027-01-01T00:00:00Z",
                "2028-01-01T00:00:00Z",
                "2027-03-19T23:59:59Z",
                (9_707, 20_000, 10_293),
            ),
            // On the last day nothing is left; 1 of 366 days of a leap year on the day before.
            (
                "EUR",
                36_600,
                36_600,
                "2028-01-01T06:00:00Z",
                "2029-01-01T06:00:00Z",
                "2028-12-31T10:00:00Z",
                (0, 36_600, 36_600),
            ),
            (
                "EUR",
                36_600,
                36_600,
                "2028-01-01T06:00:00Z",
                "2029-01-01T06:00:00Z",
                "2028-12-30T10:00:00Z",
                (100, 36_600, 36_500),
            ),
        ] {
            let paid = Paid {
                amount: money(old, code),
                from: at(from),
                until: at(until),
            };
            let quote = restart(&paid, money(new, code), at(now), &Zone::default());
            let quote = quote.expect("a quote");
            assert_eq!(figures(quote), expected, "{code} {old} to {new} at {now}");
        }
    }

    #[test]
    fn a_change_within_a_period_costs_the_difference_of_its_rest() {
        // 10 of 30 days are left, by hand: two seats of 15.00 become five, and five become two.
        for (code, old, new, expected) in [
            ("EUR", 3_000, 7_500, (1_000, 2_500, 1_500)),
            ("EUR", 7_500, 3_000, (2_500, 1_000, -1_500)),
            ("USD", 1_001, 2_002, (334, 667, 333)),
            ("JPY", 500, 1_000, (167, 333, 166)),
            ("KWD", 10_000, 12_500, (3_333, 4_167, 834)),
        ] {
            let paid = Paid {
                amount: money(old, code),
                from: at("2027-06-01T12:00:00Z"),
                until: at("2027-07-01T12:00:00Z"),
            };
            let now = at("2027-06-20T08:00:00Z");
            let quote = prorate(&paid, money(new, code), now, &Zone::default());
            assert_eq!(
                figures(quote.expect("a quote")),
                expected,
                "{code} {old} to {new}"
            );
        }
    }

    #[test]
    fn a_quote_holds_until_the_buyer_s_midnight() {
        let zone = zone_named("America/New_York").expect("a zone");
        let paid = Paid {
            amount: money(3_100, "USD"),
            from: at("2027-01-01T15:00:00Z"),
            until: at("2027-02-01T15:00:00Z"),
        };
        let due = |now: &str| {
            let quote = restart(&paid, money(5_000, "USD"), at(now), &zone);
            quote.expect("a quote").due.minor()
        };
        // 10 January in New York lasts from 05:00Z to 05:00Z; 21 days are left after it.
        let day = [
            "2027-01-10T05:00:00Z",
            "2027-01-10T18:00:00Z",
            "2027-01-11T04:59:59Z",
        ];
        for now in day {
            assert_eq!(due(now), 2_900, "{now}");
        }
        assert_eq!(due("2027-01-11T05:00:00Z"), 3_000);
    }

    proptest! {
        #[test]
        fn parts_add_up_and_stay_inside(
            amount in 0_i64..10_000_000, price in 0_i64..10_000_000,
            days in 1_i64..800, day in 0_i64..900, hour in 0_i64..24,
        ) {
            let zone = Zone::default();
            let from = at("2027-01-01T12:00:00Z");
            let paid = Paid {
                amount: money(amount, "EUR"),
                from,
                until: from.plus_ms(days * 86_400_000),
            };
            let now = from.plus_ms((day * 24 + hour) * 3_600_000);
            let quote = prorate(&paid, money(price, "EUR"), now, &zone).expect("a quote");
            let (credit, charge, due) = figures(quote);
            prop_assert!((0..=amount).contains(&credit) && (0..=price).contains(&charge));
            prop_assert_eq!(due, charge - credit);
            // The other way round it is the same with the sign turned.
            let back = Paid { amount: money(price, "EUR"), ..paid };
            let back = prorate(&back, money(amount, "EUR"), now, &zone).expect("a quote");
            prop_assert_eq!(back.due.minor(), -due);
            // Tomorrow there is not more left.
            let later = prorate(&paid, money(price, "EUR"), now.plus_ms(86_400_000), &zone);
            prop_assert!(later.expect("a quote").credit.minor() <= credit);
        }
    }
}
