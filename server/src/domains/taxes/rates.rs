//! The rates of tax on digital services: committed data, and the owner's own. Pure.
//!
//! Sources, read on 2026-11-26: for member states the European Commission's database of taxes in
//! Europe (TEDB), and for the other places their tax authorities: HMRC, Skatteetaten, the Swiss
//! Federal Tax Administration, India's CBIC (IGST on online services), Japan's National Tax Agency
//! and the Australian Taxation Office. A rate that changes is a new row with the day from which it
//! holds; rows are never edited. Days begin at midnight UTC.

use super::model::TaxError;
use super::places::Place;
use mintreu::Timestamp;

/// When the table was last compared with its sources.
pub const AS_OF: &str = "2026-11-26";

/// Since the first day of 2024 at the latest, which is before any sale.
const EVER: &str = "";

/// Place, first day, hundredths of a percent; of one place, earlier days come first.
pub const TABLE: &[(&str, &str, u32)] = &[
    ("AT", EVER, 2_000),
    ("AU", EVER, 1_000),
    ("BE", EVER, 2_100),
    ("BG", EVER, 2_000),
    ("CH", EVER, 810),
    ("CY", EVER, 1_900),
    ("CZ", EVER, 2_100),
    ("DE", EVER, 1_900),
    ("DK", EVER, 2_500),
    ("EE", EVER, 2_200),
    ("EE", "2025-07-01", 2_400),
    ("ES", EVER, 2_100),
    // The Canary Islands, Ceuta and Melilla lie outside the VAT territory.
    ("ES-CN", EVER, 0),
    ("ES-CE", EVER, 0),
    ("ES-ML", EVER, 0),
    ("FI", EVER, 2_400),
    ("FI", "2024-09-01", 2_550),
    ("FR", EVER, 2_000),
    ("GB", EVER, 2_000),
    ("GR", EVER, 2_400),
    ("HR", EVER, 2_500),
    ("HU", EVER, 2_700),
    ("IE", EVER, 2_300),
    ("IN", EVER, 1_800),
    ("IT", EVER, 2_200),
    ("JP", EVER, 1_000),
    ("LT", EVER, 2_100),
    ("LU", EVER, 1_700),
    ("LV", EVER, 2_100),
    ("MT", EVER, 1_800),
    ("NL", EVER, 2_100),
    ("NO", EVER, 2_500),
    ("PL", EVER, 2_300),
    ("PT", EVER, 2_300),
    // The Azores and Madeira.
    ("PT-20", EVER, 1_600),
    ("PT-30", EVER, 2_200),
    ("RO", EVER, 1_900),
    ("RO", "2025-08-01", 2_100),
    ("SE", EVER, 2_500),
    ("SI", EVER, 2_200),
    ("SK", EVER, 2_000),
    ("SK", "2025-01-01", 2_300),
];

/// A rate that the owner set, from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRate {
    /// Where.
    pub place: Place,
    /// From then on, until another own rate of the place begins.
    pub from: Timestamp,
    /// Hundredths of a percent; `None` to follow the table again.
    pub bps: Option<u32>,
    /// Why, for people; may be empty.
    pub note: String,
}

/// A rate that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate<'a> {
    /// Where: the region when it has its own rate, otherwise the country.
    pub place: &'a str,
    /// Hundredths of a percent.
    pub bps: u32,
    /// The note of an own rate; `None` for one of the table.
    pub note: Option<&'a str>,
}

/// A rate as it may be set: from nothing to the whole.
pub fn checked(bps: u32) -> Result<u32, TaxError> {
    match bps {
        0..=10_000 => Ok(bps),
        _ => Err(TaxError::Rate),
    }
}

/// The rate at a place: its region's before its country's, the owner's before the table's. `None`
/// where no tax is collected.
pub fn at<'a>(own: &'a [OwnRate], place: &'a Place, at: Timestamp) -> Option<Rate<'a>> {
    let region = place.region().map(|_| place.as_str());
    let places = region.into_iter().chain([place.country()]);
    places
        .filter_map(|code| own_at(own, code, at).or_else(|| listed(code, at)))
        .next()
}

fn own_at<'a>(own: &'a [OwnRate], code: &'a str, at: Timestamp) -> Option<Rate<'a>> {
    let of_place = own.iter().filter(|one| one.place.as_str() == code);
    let newest = of_place
        .filter(|one| one.from <= at)
        .max_by_key(|one| one.from)?;
    Some(Rate {
        place: code,
        bps: newest.bps?,
        note: Some(newest.note.as_str()),
    })
}

fn listed(code: &str, at: Timestamp) -> Option<Rate<'_>> {
    let today = day(at);
    let mut of_place = TABLE.iter().filter(|(place, _, _)| *place == code);
    let newest = of_place.rfind(|(_, from, _)| *from <= today.as_str())?;
    Some(Rate {
        place: code,
        bps: newest.2,
        note: None,
    })
}

/// The day of an instant (UTC): `2027-01-15`.
fn day(at: Timestamp) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.ms()).unwrap_or_default();
    instant.strftime("%Y-%m-%d").to_string()
}

/// The month of an instant (UTC): `2027-01`.
pub fn month(at: Timestamp) -> String {
    day(at).chars().take(7).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(day: &str) -> Timestamp {
        let instant: jiff::Timestamp = format!("{day}T00:00:00Z").parse().expect("an instant");
        Timestamp::from_ms(instant.as_millisecond())
    }

    fn bps(own: &[OwnRate], place: &str, day: &str) -> Option<u32> {
        let place = Place::parse(place).expect("a place");
        at(own, &place, on(day)).map(|rate| rate.bps)
    }

    #[test]
    fn the_table_is_in_order_and_has_every_member_state() {
        let states = TABLE
            .iter()
            .filter(|(place, _, _)| super::super::places::MEMBER_STATES.contains(place));
        let mut states: Vec<_> = states.map(|(place, _, _)| *place).collect();
        states.dedup();
        assert_eq!(states.len(), 27);
        for pair in TABLE.windows(2) {
            let same = pair[0].0 == pair[1].0;
            assert!(!same || pair[0].1 < pair[1].1, "{}", pair[0].0);
        }
        for (place, _, bps) in TABLE {
            assert!(
                Place::parse(place).is_ok() && checked(*bps).is_ok(),
                "{place}"
            );
        }
    }

    #[test]
    fn a_change_holds_from_its_day() {
        for (place, day, expected) in [
            ("FI", "2024-08-31", 2_400),
            ("FI", "2024-09-01", 2_550),
            ("EE", "2025-06-30", 2_200),
            ("EE", "2025-07-01", 2_400),
            ("CH", "2027-01-15", 810),
            ("PT-20", "2027-01-15", 1_600),
            ("PT-11", "2027-01-15", 2_300),
            ("ES-CN", "2027-01-15", 0),
        ] {
            assert_eq!(bps(&[], place, day), Some(expected), "{place} {day}");
        }
        assert_eq!(bps(&[], "US", "2027-01-15"), None);
        assert_eq!(bps(&[], "US-NY", "2027-01-15"), None);
    }

    #[test]
    fn own_rates_go_before_the_table_until_they_end() {
        let own = |place: &str, day: &str, bps| OwnRate {
            place: Place::parse(place).expect("a place"),
            from: on(day),
            bps,
            note: String::new(),
        };
        let own = [
            own("DE", "2027-02-01", Some(2_000)),
            own("DE", "2027-04-01", None),
            own("US-NY", "2027-01-01", Some(888)),
        ];
        assert_eq!(bps(&own, "DE", "2027-01-31"), Some(1_900));
        assert_eq!(bps(&own, "DE", "2027-02-01"), Some(2_000));
        assert_eq!(bps(&own, "DE-BE", "2027-03-31"), Some(2_000));
        assert_eq!(bps(&own, "DE", "2027-04-01"), Some(1_900));
        assert_eq!(bps(&own, "US-NY", "2027-02-01"), Some(888));
        assert_eq!(bps(&own, "US-NJ", "2027-02-01"), None);
    }
}
