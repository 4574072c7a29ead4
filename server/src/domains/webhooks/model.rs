//! Endpoints, deliveries, tries, and when the next one is. Pure.

use super::facts;
use crate::caller::Denied;
use crate::net::{Reach, Refused};
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{AccountId, EventId, WebhookDeliveryId, WebhookEndpointId};

/// Endpoints a seller may have.
pub const MAX_ENDPOINTS: usize = 20;
/// Secrets of an endpoint that may sign at the same time.
pub const MAX_SECRETS: usize = 4;
/// Longest address, in bytes.
pub const MAX_URL: usize = 2_048;
/// Longest description, in characters.
pub const MAX_DESCRIPTION: usize = 200;
/// Largest payload, in bytes; the specification advises 20 kB.
pub const MAX_PAYLOAD: usize = 20_000;
/// How much of an answer is kept, in bytes.
pub const MAX_ANSWER: usize = 1_024;
/// Deliveries in a row that fail to their end before an endpoint is switched off.
pub const MAX_FAILURES: i64 = 10;
/// For how long a secret still signs after its successor was made: a day.
pub const OVERLAP_MS: i64 = 24 * HOUR;
/// For how long ended deliveries are kept: 90 days.
pub const KEPT_MS: i64 = 90 * 24 * HOUR;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// The pauses between tries, in milliseconds: ten tries in about 75 hours.
pub const PAUSES: [i64; 9] = [
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
];

/// The longest that an endpoint may ask to be left alone.
const MAX_RETRY_AFTER: i64 = 24 * HOUR;

/// How long to pause after the `tries`th try failed, in milliseconds; `None` after the last.
///
/// `chance` (any number) lengthens a pause by up to a tenth, so that deliveries that failed
/// together don't come back together. An endpoint that asks for more is given it, up to a day.
pub fn pause_ms(tries: i64, chance: u32, retry_after_ms: Option<i64>) -> Option<i64> {
    let index = usize::try_from(tries.checked_sub(1)?).ok()?;
    let pause = *PAUSES.get(index)?;
    let jitter = pause / 10 * i64::from(chance % 1_000) / 1_000;
    let asked = retry_after_ms.unwrap_or(0).clamp(0, MAX_RETRY_AFTER);
    Some((pause + jitter).max(asked))
}

/// What the header `Retry-After` asks for, in milliseconds from `now`: seconds, or a date.
pub fn retry_after_ms(header: &str, now: Timestamp) -> Option<i64> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u32>() {
        return Some(i64::from(seconds) * SECOND);
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header);
    let at = Timestamp::from_ms(date.ok()?.as_millisecond());
    Some(at.since_ms(now).max(0))
}

/// How deliveries to an endpoint are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `v1`: HMAC-SHA-256 with a shared secret, `whsec_…`.
    Shared,
    /// `v1a`: Ed25519; the seller gets the public key, `whpk_…`.
    Public,
}

impl Scheme {
    /// As stored and in signatures.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Shared => "v1",
            Self::Public => "v1a",
        }
    }

    /// Reads what [`Scheme::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Shared, Self::Public]
            .into_iter()
            .find(|scheme| scheme.code() == code)
    }
}

/// Where a seller wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Which.
    pub id: WebhookEndpointId,
    /// Whose.
    pub seller: AccountId,
    /// Where.
    pub url: String,
    /// What it is for, in the seller's words.
    pub description: String,
    /// Of which events; empty for all.
    pub events: Vec<String>,
    /// How it is signed.
    pub scheme: Scheme,
    /// Deliveries in a row that failed to their end.
    pub failures: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when nothing is sent.
    pub disabled_at: Option<Timestamp>,
    /// Why: `seller`, `failing` or `gone`.
    pub disabled_why: Option<String>,
    /// The newest public key, `whpk_…`, of `v1a`.
    pub public_key: Option<String>,
    /// Until when the secret before the newest signs too.
    pub overlaps_until: Option<Timestamp>,
}

impl Endpoint {
    /// Whether it wants to hear of `event` now.
    pub fn wants(&self, event: &str) -> bool {
        let asked = self.events.is_empty() || self.events.iter().any(|name| name == event);
        self.disabled_at.is_none() && asked
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// The next try is planned.
    Waiting,
    /// Answered 2xx.
    Delivered,
    /// Every try failed, or the endpoint said that it is gone.
    Failed,
    /// The endpoint was switched off or deleted meanwhile.
    Skipped,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Delivered, Self::Failed, Self::Skipped];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Reads what [`DeliveryState::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// What an endpoint is told of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which.
    pub id: WebhookDeliveryId,
    /// To which endpoint.
    pub endpoint: WebhookEndpointId,
    /// Of which fact: the `webhook-id` of every try.
    pub event_id: EventId,
    /// The event's name: `order.paid`.
    pub event: String,
    /// The body of every try.
    pub payload: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Tries in all.
    pub attempts: i64,
    /// Tries since it began, or was begun anew.
    pub tries: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is tried next.
    pub next_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What a try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryOutcome {
    /// Answered 2xx.
    Delivered,
    /// Answered something else.
    Answered,
    /// Didn't answer in time.
    TimedOut,
    /// Can't be reached.
    Unreachable,
    /// Lies where nothing may be sent.
    AddressRefused,
}

impl TryOutcome {
    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Answered => "answered",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::AddressRefused => "address_refused",
        }
    }
}

/// One try of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: i64,
    /// [`TryOutcome::code`].
    pub outcome: String,
    /// The HTTP status, when something was answered.
    pub status: Option<i64>,
    /// How long it took.
    pub duration_ms: i64,
    /// How the answer began, or why there was none.
    pub answer: String,
    /// When it began.
    pub at: Timestamp,
}

/// Why something about webhooks can't be done.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is no such endpoint or delivery of the caller's.
    #[error("there is no such webhook endpoint or delivery")]
    NotFound,
    /// The address can't be used.
    #[error("this address can't be used: {0}")]
    UrlRefused(Refused),
    /// The description is too long.
    #[error(
        "a description has at most {MAX_DESCRIPTION} characters, none of them control characters"
    )]
    DescriptionMalformed,
    /// No such event.
    #[error("there is no event named {0:?}")]
    EventUnknown(String),
    /// No such scheme.
    #[error("the scheme is v1 (a shared secret) or v1a (a public key)")]
    SchemeUnknown,
    /// The seller has as many as one may have.
    #[error("a seller has at most {MAX_ENDPOINTS} webhook endpoints")]
    TooManyEndpoints,
    /// Rotated too often.
    #[error("{MAX_SECRETS} secrets of this endpoint still sign; wait until one has ended")]
    TooManySecrets,
    /// The endpoint is switched off.
    #[error("the endpoint is switched off; switch it on first")]
    Disabled,
    /// The delivery is under way already.
    #[error("this delivery is still being tried")]
    UnderWay,
    /// A secret doesn't open with this key-encryption key.
    #[error("a webhook's secret doesn't open")]
    Sealed,
    /// The job names nothing that can be read.
    #[error("the job is unreadable: {0}")]
    Payload(String),
    /// Not this caller.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An address as it is kept; `reach` says what it may be.
pub fn url(text: &str, reach: Reach) -> Result<String, WebhookError> {
    let text = text.trim();
    if text.len() > MAX_URL {
        return Err(WebhookError::UrlRefused(Refused::TooLong));
    }
    let url = crate::net::checked(text, reach).map_err(WebhookError::UrlRefused)?;
    Ok(url.to_string())
}

/// A description as it is kept.
pub fn description(text: &str) -> Result<String, WebhookError> {
    let text = text.trim();
    let long = text.chars().count() > MAX_DESCRIPTION;
    if long || text.chars().any(char::is_control) {
        return Err(WebhookError::DescriptionMalformed);
    }
    Ok(text.to_owned())
}

/// Names of events as they are kept: in order, each once.
pub fn events(names: &[String]) -> Result<Vec<String>, WebhookError> {
    let mut kept = Vec::new();
    for name in names.iter().map(|name| name.trim()) {
        if !facts::is_event(name) {
            let shown = name.chars().take(80).collect();
            return Err(WebhookError::EventUnknown(shown));
        }
        kept.push(name.to_owned());
    }
    kept.sort();
    kept.dedup();
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tries_take_three_days_and_a_little_more_with_bad_luck() {
        let total = |chance| -> i64 { (1..=9).filter_map(|n| pause_ms(n, chance, None)).sum() };
        assert_eq!(total(0), 75 * HOUR + 35 * MINUTE + 5 * SECOND);
        assert!(total(999) < 84 * HOUR && total(999) > total(500));
        assert_eq!(pause_ms(10, 0, None), None, "the tenth is the last");
        assert_eq!(pause_ms(0, 0, None), None);
        assert_eq!(pause_ms(i64::MIN, 0, None), None);
    }

    #[test]
    fn who_asks_for_a_longer_pause_gets_it_and_a_day_at_most() {
        assert_eq!(pause_ms(1, 0, Some(90 * SECOND)), Some(90 * SECOND));
        assert_eq!(pause_ms(1, 0, Some(SECOND)), Some(5 * SECOND));
        assert_eq!(pause_ms(1, 0, Some(i64::MAX)), Some(24 * HOUR));
        assert_eq!(pause_ms(10, 0, Some(SECOND)), None);
    }

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_as_a_date() {
        let now = Timestamp::from_secs(1_800_000_000);
        let asked = |text| retry_after_ms(text, now);
        assert_eq!(asked("120"), Some(120 * SECOND));
        assert_eq!(asked("Fri, 15 Jan 2027 08:01:00 GMT"), Some(MINUTE));
        assert_eq!(asked("Fri, 15 Jan 2027 07:00:00 GMT"), Some(0));
        for unreadable in ["", "-5", "soon", "99999999999"] {
            assert_eq!(asked(unreadable), None, "{unreadable}");
        }
    }
}
