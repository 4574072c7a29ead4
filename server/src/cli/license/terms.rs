//! How the terms of a license are written on the command line.

use std::str::FromStr;

use mintreu::Timestamp;
use mintreu::license::{Entitlement, Name, VersionRange};

/// A day such as 2027-01-01 (its first instant in UTC), or an instant such as
/// 2027-01-01T12:00:00Z.
#[derive(Debug, Clone, Copy)]
pub struct Instant(pub Timestamp);

impl FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unfit = |_| format!("{text:?} is no date: write 2027-01-01 or 2027-01-01T12:00:00Z");
        let at = if text.contains('T') {
            text.parse::<jiff::Timestamp>().map_err(unfit)?
        } else {
            let date = text.parse::<jiff::civil::Date>().map_err(unfit)?;
            date.to_zoned(jiff::tz::TimeZone::UTC)
                .map_err(unfit)?
                .timestamp()
        };
        Ok(Self(Timestamp::from_ms(at.as_millisecond())))
    }
}

/// A length of time such as 14d, 12h, 30m or 90s, in whole seconds.
#[derive(Debug, Clone, Copy)]
pub struct Seconds(pub u32);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unfit = || format!("{text:?} is no length of time: write 14d, 12h, 30m or 90s");
        let unit = text.chars().last().ok_or_else(unfit)?;
        let each = match unit {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return Err(unfit()),
        };
        let count: u32 = text[..text.len() - 1].parse().map_err(|_| unfit())?;
        count.checked_mul(each).map(Self).ok_or_else(unfit)
    }
}

/// `pro`, `projects=50` or `region=eu`.
pub fn entitlement(text: &str) -> Result<(Name, Entitlement), String> {
    let (name, value) = match text.split_once('=') {
        None => (text, Entitlement::Granted),
        Some((name, value)) => match value.parse() {
            Ok(limit) => (name, Entitlement::Limit(limit)),
            Err(_) => (name, Entitlement::Value(value.to_owned())),
        },
    };
    Ok((name.parse().map_err(sentence)?, value))
}

/// A place in a revocation list; its index may be left to chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub list: u64,
    pub index: Option<u32>,
}

/// `1` or `1:4711`.
pub fn place(text: &str) -> Result<Place, String> {
    let unfit = || format!("{text:?} is no place in a list: write 1 or 1:4711");
    let (list, index) = match text.split_once(':') {
        None => (text, None),
        Some((list, index)) => (list, Some(index.parse().map_err(|_| unfit())?)),
    };
    let list = list.parse().map_err(|_| unfit())?;
    Ok(Place { list, index })
}

/// `2..3` (from 2 and below 3), `2..` or `..3`.
pub fn versions(text: &str) -> Result<VersionRange, String> {
    let unfit = || format!("{text:?} is no range of versions: write 2..3, 2.. or ..3");
    let (from, below) = text.split_once("..").ok_or_else(unfit)?;
    let end = |text: &str| match text {
        "" => Ok(None),
        version => version.parse().map(Some).map_err(|_| unfit()),
    };
    Ok(VersionRange {
        from: end(from)?,
        below: end(below)?,
    })
}

/// An error of the engine as one sentence, as clap shows it.
pub fn sentence(error: mintreu::Error) -> String {
    error.detail().to_owned()
}

/// An instant as people read it; whole days without the time.
pub fn day(at: Timestamp) -> String {
    let Ok(shown) = jiff::Timestamp::from_millisecond(at.ms()) else {
        return format!("{} ms", at.ms());
    };
    let text = jiff::Timestamp::to_string(&shown);
    text.strip_suffix("T00:00:00Z")
        .map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_as_they_are_written() {
        let at = |text: &str| text.parse::<Instant>().map(|instant| instant.0.secs());
        assert_eq!(at("2027-01-01"), Ok(1_798_761_600));
        assert_eq!(at("2027-01-01T00:00:01Z"), Ok(1_798_761_601));
        assert!(at("01.01.2027").is_err());
        assert_eq!(
            "14d".parse::<Seconds>().map(|seconds| seconds.0),
            Ok(1_209_600)
        );
        for bad in ["", "d", "14", "-1d", "9999999d", "1é"] {
            assert!(bad.parse::<Seconds>().is_err(), "{bad}");
        }
        assert_eq!(
            entitlement("projects=50").map(|(_, e)| e),
            Ok(Entitlement::Limit(50))
        );
        assert_eq!(entitlement("pro").map(|(_, e)| e), Ok(Entitlement::Granted));
        let first = Place {
            list: 1,
            index: None,
        };
        assert_eq!(place("1"), Ok(first));
        assert_eq!(place("1:7").map(|place| place.index), Ok(Some(7)));
        assert!(place("1:").is_err() && place("x:1").is_err() && place("1:-1").is_err());
        assert!(versions("2..3").is_ok() && versions("2").is_err());
    }
}
