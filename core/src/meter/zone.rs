//! Time zones: where a calendar's days begin.

use crate::error::{Error, Result};
use crate::time::Timestamp;

/// The most bytes a time zone's name may have; the longest there is has 32.
pub const MAX_ZONE_NAME: usize = 40;

/// A time zone of the IANA database, daylight saving included, from the copy that is built in: so
/// that every device finds the same midnight, whatever its system knows.
///
/// Builds without the feature `journal` know UTC alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone {
    /// None for UTC, which needs no rules.
    #[cfg(feature = "journal")]
    rules: Option<jiff::tz::TimeZone>,
}

impl Zone {
    /// The zone with this name, such as `Europe/Berlin`; `zone_unknown` when there is none.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "UTC" => Ok(Self::default()),
            name => Self::ruled(name),
        }
    }

    #[cfg(feature = "journal")]
    fn ruled(name: &str) -> Result<Self> {
        let database = jiff::tz::TimeZoneDatabase::bundled();
        let rules = database.get(name).map_err(|_| unknown(name))?;
        Ok(Self { rules: Some(rules) })
    }

    #[cfg(not(feature = "journal"))]
    fn ruled(name: &str) -> Result<Self> {
        Err(unknown(name))
    }

    /// What a clock on the wall shows at `at`, in milliseconds as if it stood in UTC.
    pub(super) fn wall_ms(&self, at: Timestamp) -> i64 {
        at.ms().saturating_add(self.offset_ms(at))
    }

    /// The first instant at which a clock on the wall shows `ms`, or would if it weren't skipped.
    pub(super) fn instant(&self, ms: i64) -> Timestamp {
        self.found(ms).unwrap_or(Timestamp::from_ms(ms))
    }

    #[cfg(feature = "journal")]
    pub(super) fn offset_ms(&self, at: Timestamp) -> i64 {
        let at = jiff::Timestamp::from_millisecond(at.ms()).ok();
        let offset = self.rules.as_ref().zip(at);
        offset.map_or(0, |(rules, at)| {
            i64::from(rules.to_offset(at).seconds()) * 1000
        })
    }

    #[cfg(feature = "journal")]
    fn found(&self, ms: i64) -> Option<Timestamp> {
        let shown = jiff::Timestamp::from_millisecond(ms).ok()?;
        let shown = jiff::tz::Offset::UTC.to_datetime(shown);
        let found = self.rules.as_ref()?.to_timestamp(shown).ok()?;
        Some(Timestamp::from_ms(found.as_millisecond()))
    }

    #[cfg(not(feature = "journal"))]
    pub(super) fn offset_ms(&self, _at: Timestamp) -> i64 {
        0
    }

    #[cfg(not(feature = "journal"))]
    fn found(&self, _ms: i64) -> Option<Timestamp> {
        None
    }
}

/// Whether a text can be the name of a zone: a document's is read wherever it is verified, also
/// where its rules aren't known.
pub(crate) fn is_zone_name(name: &str) -> bool {
    let fit = |b: u8| b.is_ascii_alphanumeric() || b"/_+-".contains(&b);
    (1..=MAX_ZONE_NAME).contains(&name.len()) && name.bytes().all(fit)
}

fn unknown(name: &str) -> Error {
    Error::new(
        "zone_unknown",
        format!("{name:?} is no time zone that this build knows: use names such as Europe/Berlin"),
    )
}
