//! The calendar day of an instant.

use crate::time::Timestamp;

pub(super) const DAY_SECS: i64 = 86_400;

/// The day of an instant in UTC, `2027-01-31`.
pub(super) fn day(at: Timestamp) -> String {
    // Counting years from 1 March puts the leap day last (proleptic Gregorian calendar).
    let days = at.secs().div_euclid(DAY_SECS) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}")
}
