//! Events: single happenings, for what no sum can tell: unique counts, the latest value,
//! percentiles, audits.
//!
//! An event has an id of the product's own choosing. Whoever sends the same id twice in one stream
//! has said one thing twice: the first counts, the second is a success and changes nothing.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use super::key::{CellKey, malformed};
use crate::document::cbor::{self, Value};
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// The most events one segment carries; more make more segments.
pub const MAX_EVENTS: usize = 1024;
/// The most bytes of an event's id.
pub const MAX_EVENT_ID: usize = 64;
/// The most digits behind the point of a [`Decimal`].
const MAX_SCALE: u8 = 18;

/// One happening, carried to the server exactly once by its stream and id.
///
/// ```
/// use mintreu::Timestamp;
/// use mintreu::meter::{CellKey, Event};
/// let key = CellKey::new("render.seconds")?.dimension("preset", "4k")?;
/// let at = Timestamp::from_secs(1_800_000_000);
/// let event = Event::new("job-81", key, at, "12.75".parse()?)?;
/// assert_eq!(event.value().to_string(), "12.75");
/// # Ok::<(), mintreu::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    id: String,
    key: CellKey,
    at: Timestamp,
    value: Decimal,
}

impl Event {
    /// An event of a meter, for one subject and with dimensions as the key says.
    ///
    /// The id tells it from every other event of this device and license: 1 to [`MAX_EVENT_ID`]
    /// bytes, else `event_id_invalid`. Take one that comes again when the work is done again.
    pub fn new(id: impl Into<String>, key: CellKey, at: Timestamp, value: Decimal) -> Result<Self> {
        let id = id.into();
        if id.is_empty() || id.len() > MAX_EVENT_ID {
            return Err(Error::new(
                "event_id_invalid",
                format!(
                    "an event's id has 1 to {MAX_EVENT_ID} bytes, not {}",
                    id.len()
                ),
            ));
        }
        Ok(Self { id, key, at, value })
    }

    /// What tells it from the others of its stream.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose, of what meter, with which dimensions.
    pub const fn key(&self) -> &CellKey {
        &self.key
    }

    /// When it happened, by the device's clock.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// How much of it.
    pub const fn value(&self) -> Decimal {
        self.value
    }

    /// `[id, subject, meter, dimensions, at, digits, scale]`.
    pub(crate) fn to_value(&self) -> Value<'_> {
        let [subject, meter, dimensions] = self.key.to_items();
        Value::Array(vec![
            Value::text(&self.id),
            subject,
            meter,
            dimensions,
            Value::Int(self.at.ms()),
            Value::Int(self.value.digits),
            Value::Int(i64::from(self.value.scale)),
        ])
    }

    /// The event by itself, in deterministic CBOR.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        cbor::encode(&self.to_value())
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave; anything else is refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_value(&cbor::decode(bytes)?)
    }

    pub(crate) fn from_value(item: &Value<'_>) -> Result<Self> {
        let [id, subject, meter, dimensions, at, digits, scale] = item.as_array()? else {
            return Err(malformed("an event has seven items"));
        };
        let scale = u8::try_from(scale.as_int()?).unwrap_or(u8::MAX);
        let value = Decimal::new(digits.as_int()?, scale)?;
        if value.scale != scale {
            return Err(malformed("an event's value is not in its shortest form"));
        }
        let key = CellKey::from_items(subject, meter, dimensions)?;
        Self::new(id.as_text()?, key, Timestamp::from_ms(at.as_int()?), value)
    }
}

/// Few enough, and each id once.
pub(crate) fn check<'a>(events: impl Iterator<Item = &'a Event>) -> Result<()> {
    let mut seen = HashSet::new();
    for event in events {
        if !seen.insert(event.id()) {
            return Err(malformed("an event appears twice in one segment"));
        }
        if seen.len() > MAX_EVENTS {
            return Err(malformed("the segment has too many events"));
        }
    }
    Ok(())
}

/// An exact decimal number: `digits` × 10^−`scale`, in its shortest form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    digits: i64,
    scale: u8,
}

impl Decimal {
    /// One: what an event stands for that only has to be counted.
    pub const ONE: Self = Self::whole(1);

    /// A whole number.
    pub const fn whole(number: i64) -> Self {
        Self {
            digits: number,
            scale: 0,
        }
    }

    /// `digits` × 10^−`scale`, shortened; `decimal_invalid` beyond 18 digits behind the point.
    pub fn new(mut digits: i64, mut scale: u8) -> Result<Self> {
        if scale > MAX_SCALE {
            return Err(invalid());
        }
        while scale > 0 && digits % 10 == 0 {
            digits /= 10;
            scale -= 1;
        }
        Ok(Self { digits, scale })
    }

    /// The digits as one whole number.
    pub const fn digits(self) -> i64 {
        self.digits
    }

    /// How many of them are behind the point.
    pub const fn scale(self) -> u8 {
        self.scale
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self::whole(number)
    }
}

impl FromStr for Decimal {
    type Err = Error;

    /// Reads `12`, `-0.5` or `12.750`; `decimal_invalid` for anything else.
    fn from_str(text: &str) -> Result<Self> {
        let (sign, plain) = match text.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", text),
        };
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(invalid());
        }
        let fraction = fraction.trim_end_matches('0');
        let scale = u8::try_from(fraction.len()).map_err(|_| invalid())?;
        let digits = format!("{sign}{whole}{fraction}").parse();
        Self::new(digits.map_err(|_| invalid())?, scale)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.digits.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.digits < 0 { "-" } else { "" };
        write!(f, "{sign}{whole}")?;
        match fraction {
            "" => Ok(()),
            fraction => write!(f, ".{fraction}"),
        }
    }
}

fn invalid() -> Error {
    Error::new(
        "decimal_invalid",
        "a value is a decimal number of at most 18 digits, like 12 or -0.5",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_have_one_form() {
        let same = |text: &str| text.parse::<Decimal>().unwrap().to_string();
        assert_eq!(same("12.750"), "12.75");
        assert_eq!(same("-0.05"), "-0.05");
        assert_eq!(same("007"), "7");
        assert_eq!(same("-0"), "0");
        assert_eq!(same("100"), "100");
        for bad in [
            "",
            "-",
            ".5",
            "5.",
            "1e3",
            "+1",
            " 1",
            "1,5",
            "99999999999999999999",
        ] {
            let refused = bad.parse::<Decimal>().unwrap_err();
            assert_eq!(refused.code(), "decimal_invalid", "{bad:?}");
        }
        assert!("0.1234567890123456789".parse::<Decimal>().is_err());
        assert!(Decimal::new(1, 19).is_err());
    }

    #[test]
    fn ids_and_repeats_are_bounded() {
        let event = |id: &str| {
            let key = CellKey::new("m").unwrap();
            Event::new(id, key, Timestamp::from_ms(5), Decimal::ONE)
        };
        assert_eq!(event("").unwrap_err().code(), "event_id_invalid");
        assert_eq!(
            event(&"x".repeat(65)).unwrap_err().code(),
            "event_id_invalid"
        );
        let (a, b) = (event("a").unwrap(), event("b").unwrap());
        assert!(check([&a, &b].into_iter()).is_ok());
        assert!(check([&a, &b, &a].into_iter()).is_err());
        let many: Vec<_> = (0..=MAX_EVENTS)
            .map(|n| event(&n.to_string()).unwrap())
            .collect();
        assert!(check(many[1..].iter()).is_ok());
        assert!(check(many.iter()).is_err());
    }

    #[test]
    fn a_value_that_could_be_shorter_is_refused() {
        let key = CellKey::new("m").unwrap();
        let event = Event::new("a", key, Timestamp::from_ms(5), Decimal::whole(1)).unwrap();
        let Value::Array(mut items) = event.to_value() else {
            panic!("an event is an array")
        };
        items[5] = Value::Int(10);
        items[6] = Value::Int(1);
        assert!(Event::from_value(&Value::Array(items.clone())).is_err());
        items[5] = Value::Int(11);
        assert!(Event::from_value(&Value::Array(items)).is_ok());
    }

    proptest! {
        #[test]
        fn text_and_items_round_trip(digits in any::<i64>(), scale in 0..=18u8, id in "[a-z0-9-]{1,64}") {
            let value = Decimal::new(digits, scale).unwrap();
            prop_assert_eq!(value.to_string().parse::<Decimal>(), Ok(value));
            let key = CellKey::new("m").unwrap().dimension("a", "b").unwrap();
            let event = Event::new(id, key, Timestamp::from_ms(digits), value).unwrap();
            prop_assert_eq!(Event::from_value(&event.to_value()), Ok(event.clone()));
        }
    }
}
