//! Events: single happenings, told apart by their ids.

use std::collections::HashMap;

use mintreu::Timestamp;
use mintreu::meter::{Decimal, Event as Inner};

use crate::meter::key;
use crate::value::MintreuError;

/// What an event stands for: one where nothing is said.
pub(crate) fn value(given: Option<&str>) -> Result<Decimal, mintreu::Error> {
    given.map_or(Ok(Decimal::ONE), str::parse)
}

/// One happening of a meter, for what no sum can tell.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Event {
    /// Tells it from all others: 1 to 64 bytes. One that comes again when the work is done again.
    pub id: String,
    /// The meter.
    pub meter: String,
    /// A decimal text of at most 18 digits; one when absent.
    #[uniffi(default = None)]
    pub value: Option<String>,
    /// Whose: an opaque id.
    #[uniffi(default = None)]
    pub subject: Option<String>,
    /// How it is split.
    #[uniffi(default = None)]
    pub dimensions: Option<HashMap<String, String>>,
    /// When it happened, in milliseconds since 1970; when it is recorded, where absent.
    #[uniffi(default = None)]
    pub at: Option<i64>,
}

impl Event {
    /// The event itself, which happens `now` unless it was said when.
    pub(crate) fn happened(self, now: Timestamp) -> Result<Inner, MintreuError> {
        let key = key(&self.meter, self.subject, self.dimensions)?;
        let at = self.at.map_or(now, Timestamp::from_ms);
        let value = value(self.value.as_deref())?;
        Ok(Inner::new(self.id, key, at, value)?)
    }
}
