//! What an HTTP answer says about limits: one set of header fields for every language.
//!
//! `RateLimit-Policy` and `RateLimit` are structured fields (RFC 9651) of the IETF draft
//! draft-ietf-httpapi-ratelimit-headers; the older `X-RateLimit-*` fields tell the tightest policy
//! alone. `Retry-After` comes with a refusal that time will end.

use std::fmt::Write as _;

use super::gcra::{RateDecision, RateLimit};
use crate::time::Timestamp;

/// The largest integer of a structured field.
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// One limit and where it stands, as its header fields tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitState {
    /// The policy's name: a meter's, or `requests`.
    pub name: String,
    /// Units of one window.
    pub limit: u64,
    /// The window's length, where it has one that stays the same.
    pub window_secs: Option<u64>,
    /// Units that are left.
    pub remaining: u64,
    /// Seconds until units come back; `None` when time alone brings none.
    pub reset_secs: Option<u64>,
    /// Whether this limit is why the request was refused.
    pub refused: bool,
}

impl LimitState {
    /// A quota that stands so at `now`.
    pub fn of_quota(
        name: impl Into<String>,
        limit: u64,
        remaining: u64,
        (resets_at, now): (Option<Timestamp>, Timestamp),
    ) -> Self {
        let reset_secs = resets_at.map(|at| ceil_secs(at.since_ms(now)));
        Self {
            name: name.into(),
            limit,
            window_secs: None,
            remaining,
            reset_secs,
            refused: false,
        }
    }

    /// A rate limit that has just decided so.
    pub fn of_rate(name: impl Into<String>, limit: RateLimit, decision: RateDecision) -> Self {
        let next = decision.retry_after_ms.unwrap_or(decision.full_after_ms);
        let next = i64::try_from(next).unwrap_or(i64::MAX);
        let never = !decision.granted && decision.retry_after_ms.is_none();
        Self {
            name: name.into(),
            limit: limit.burst(),
            window_secs: Some(limit.per_ms().div_ceil(1000)),
            remaining: decision.remaining,
            reset_secs: (!never).then(|| ceil_secs(next)),
            refused: !decision.granted,
        }
    }

    /// The same, refused or not.
    #[must_use]
    pub fn refused(mut self, refused: bool) -> Self {
        self.refused = refused;
        self
    }
}

/// The header fields of an answer under one or more limits.
///
/// ```
/// use mintreu::meter::{LimitState, RateLimitHeaders};
/// use mintreu::Timestamp;
/// let now = Timestamp::from_secs(1_800_000_000);
/// let state = LimitState::of_quota("api.calls", 100, 0, (Some(now.plus_ms(30_000)), now));
/// let headers = RateLimitHeaders::new(&[state.refused(true)], now);
/// assert_eq!(headers.field("RateLimit-Policy"), Some("\"api.calls\";q=100"));
/// assert_eq!(headers.field("RateLimit"), Some("\"api.calls\";r=0;t=30"));
/// assert_eq!(headers.field("Retry-After"), Some("30"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitHeaders(Vec<(&'static str, String)>);

impl RateLimitHeaders {
    /// The fields for limits that stand so at `now`; none for no limits.
    pub fn new(states: &[LimitState], now: Timestamp) -> Self {
        let mut fields = Vec::new();
        let Some(tightest) = states.iter().min_by_key(|s| (!s.refused, s.remaining)) else {
            return Self(fields);
        };
        fields.push(("RateLimit-Policy", list(states, policy)));
        fields.push(("RateLimit", list(states, standing)));
        fields.push(("X-RateLimit-Limit", tightest.limit.to_string()));
        fields.push(("X-RateLimit-Remaining", tightest.remaining.to_string()));
        if let Some(secs) = tightest.reset_secs {
            let at = now
                .secs()
                .saturating_add(i64::try_from(secs).unwrap_or(i64::MAX));
            fields.push(("X-RateLimit-Reset", at.to_string()));
        }
        let refusing = states.iter().filter(|s| s.refused);
        // Where one of them never gives way, no time helps.
        let wait: Option<Vec<u64>> = refusing.map(|s| s.reset_secs).collect();
        if let Some(wait) = wait.and_then(|all| all.into_iter().max()) {
            fields.push(("Retry-After", wait.max(1).to_string()));
        }
        Self(fields)
    }

    /// Every field: its name and value.
    pub fn fields(&self) -> &[(&'static str, String)] {
        &self.0
    }

    /// One field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

fn list(states: &[LimitState], one: fn(&mut String, &LimitState)) -> String {
    let mut text = String::new();
    for (index, state) in states.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        quoted(&mut text, &state.name);
        one(&mut text, state);
    }
    text
}

fn policy(text: &mut String, state: &LimitState) {
    parameter(text, "q", Some(state.limit));
    parameter(text, "w", state.window_secs);
}

fn standing(text: &mut String, state: &LimitState) {
    parameter(text, "r", Some(state.remaining));
    parameter(text, "t", state.reset_secs);
}

fn parameter(text: &mut String, name: &str, value: Option<u64>) {
    if let Some(value) = value {
        // Writing to a string cannot fail.
        write!(text, ";{name}={}", value.min(MAX_INTEGER)).ok();
    }
}

/// A structured field's string: printable ASCII, quotes and backslashes escaped.
fn quoted(text: &mut String, name: &str) {
    text.push('"');
    for c in name.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            ' '..='~' => text.push(c),
            _ => text.push('_'),
        }
    }
    text.push('"');
}

fn ceil_secs(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

    #[test]
    fn two_limits_make_one_list_and_the_tightest_speaks_for_old_clients() {
        let rate = RateLimit::parse("60/minute+10").unwrap();
        let (_, granted) = rate.decide(0, 1, NOW);
        let states = [
            LimitState::of_quota("calls", 1_000, 3, (None, NOW)),
            LimitState::of_rate("key", rate, granted),
        ];
        let headers = RateLimitHeaders::new(&states, NOW);
        let field = |name| headers.field(name);
        assert_eq!(
            field("ratelimit-policy"),
            Some("\"calls\";q=1000, \"key\";q=10;w=60")
        );
        assert_eq!(field("ratelimit"), Some("\"calls\";r=3, \"key\";r=9;t=1"));
        assert_eq!(field("x-ratelimit-remaining"), Some("3"));
        assert_eq!(field("x-ratelimit-reset"), None, "a lifetime never resets");
        assert_eq!(field("retry-after"), None);
    }

    #[test]
    fn retry_after_is_told_only_where_waiting_helps() {
        let rate = RateLimit::parse("60/minute+10").unwrap();
        let spent = rate.decide(0, 10, NOW).0;
        let (_, soon) = rate.decide(spent, 2, NOW);
        let (_, never) = rate.decide(spent, 11, NOW);
        let retry = |decision| {
            let state = LimitState::of_rate("key", rate, decision);
            RateLimitHeaders::new(&[state], NOW)
                .field("Retry-After")
                .map(str::to_owned)
        };
        assert_eq!(retry(soon).as_deref(), Some("2"));
        assert_eq!(retry(never), None);
        assert!(RateLimitHeaders::new(&[], NOW).fields().is_empty());
    }

    #[test]
    fn any_name_becomes_a_string_of_a_structured_field() {
        let state = LimitState::of_quota("a\"b\\c\u{e9}\r\n", u64::MAX, 0, (None, NOW));
        let headers = RateLimitHeaders::new(&[state], NOW);
        let expected = "\"a\\\"b\\\\c___\";q=999999999999999";
        assert_eq!(headers.field("RateLimit-Policy"), Some(expected));
    }
}
