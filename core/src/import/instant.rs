//! RFC 3339 date-times, as other vendors write them.

use crate::time::Timestamp;

/// Reads `2026-11-23T04:05:06.789Z`, also with an offset; `None` for anything else.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let clock = rest.get(..8)?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let (millis, zone) = fraction(rest.get(8..)?)?;
    let within = (1..=days_in(year, month)?).contains(&day) && hour < 24 && minute < 60;
    // A leap second reads as the last second before it.
    if !within || second > 60 {
        return None;
    }
    let secs =
        days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second.min(59)
            - offset(zone)?;
    Some(Timestamp::from_ms(secs * 1_000 + millis))
}

/// Three numbers of fixed widths.
fn numbers(text: &str, between: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut found = [0; 3];
    let mut parts = text.split(between);
    for (slot, width) in found.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width)?;
        *slot = digits(part)?;
    }
    parts.next().is_none().then_some(found)
}

fn digits(text: &str) -> Option<i64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// Milliseconds of `.789…`, cut, and what follows.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    let (shown, zone) = rest.split_at_checked(end).filter(|_| end > 0)?;
    let three: String = shown.chars().chain("00".chars()).take(3).collect();
    Some((digits(&three)?, zone))
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let fits = hours.len() == 2 && minutes.len() == 2;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (fits && hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> Option<i64> {
    match month {
        2 => Some(28 + i64::from(is_leap(year))),
        4 | 6 | 9 | 11 => Some(30),
        1..=12 => Some(31),
        _ => None,
    }
}

/// Days of the Gregorian calendar, counted in years that begin in March, so that the leap day is
/// the last one.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let before_month = (month * 153 + 2) / 5;
    // 719 468 days lie between the first of March of the year 0 and 1970.
    year * 365 + leaps + before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_to_the_millisecond() {
        let ms = |text: &str| parse(text).map(Timestamp::ms);
        assert_eq!(ms("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(ms("1969-12-31T23:59:59.999Z"), Some(-1));
        assert_eq!(ms("2022-04-01T13:18:09.930Z"), Some(1_648_819_089_930));
        assert_eq!(ms("2024-02-29T00:00:00.5+01:00"), Some(1_709_161_200_500));
        assert_eq!(ms("2000-03-01T00:00:00-00:30"), Some(951_870_600_000));
        assert_eq!(ms("9999-12-31T23:59:59Z"), Some(253_402_300_799_000));
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for bad in [
            "",
            "T",
            "2022-04-01",
            "2022-04-01T13:18:09",
            "2022-04-01T13:18:09.Z",
            "2022-04-01T13:18:09.9",
            "2023-02-29T00:00:00Z",
            "2022-13-01T00:00:00Z",
            "2022-00-01T00:00:00Z",
            "2022-04-00T00:00:00Z",
            "2022-04-01T24:00:00Z",
            "2022-04-01T00:60:00Z",
            "2022-4-01T00:00:00Z",
            "+022-04-01T00:00:00Z",
            "2022-04-01T00:00:00+1:00",
            "2022-04-01T00:00:00é",
            "2022-04-01Té0:00:000Z",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
