//! Blocks: what a request brought of one hour, written together and read together. Pure.

use super::code::Broken;
use super::event::Event;
use mintreu::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Most events of a block: to find one of them, all are read.
const MAX_EVENTS: usize = 256;
/// Bytes after which a block takes no more.
const ENOUGH_BYTES: usize = 64 * 1024;
/// The longest time from a block's first event to its last, in milliseconds.
pub const MAX_SPAN: i64 = 3_600_000;

/// An event as a block holds it: a list without names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept<'b>(
    #[serde(borrow)] Cow<'b, str>,
    #[serde(borrow)] Cow<'b, str>,
    #[serde(borrow)] Cow<'b, str>,
    #[serde(borrow)] Cow<'b, str>,
    i64,
    #[serde(borrow)] Option<&'b RawValue>,
    #[serde(borrow)] Option<Cow<'b, str>>,
    #[serde(borrow)] Option<Cow<'b, str>>,
);

impl<'b> Kept<'b> {
    /// An event that happened at `at`, in milliseconds, and why a meter couldn't count it.
    pub fn new(event: &'b Event, at: i64, problem: Option<&'b str>) -> Result<Self, Broken> {
        let data = match event.data.as_str() {
            "" => None,
            data => Some(serde_json::from_str(data).map_err(|_| Broken)?),
        };
        Ok(Self(
            event.source.as_str().into(),
            event.id.as_str().into(),
            event.kind.as_str().into(),
            event.subject.as_str().into(),
            at,
            data,
            problem.map(Cow::from),
            event.reverses.as_deref().map(Cow::from),
        ))
    }

    /// Who made it.
    pub fn source(&self) -> &str {
        &self.0
    }

    /// Its name there.
    pub fn id(&self) -> &str {
        &self.1
    }

    /// What kind it is.
    pub fn kind(&self) -> &str {
        &self.2
    }

    /// Whose use it is.
    pub fn subject(&self) -> &str {
        &self.3
    }

    /// When it happened, in milliseconds.
    pub const fn at(&self) -> i64 {
        self.4
    }

    /// Its data, or nothing.
    pub fn data(&self) -> &str {
        self.5.map_or("", RawValue::get)
    }

    /// Why a meter could not count it.
    pub fn problem(&self) -> Option<&str> {
        self.6.as_deref()
    }

    /// The event that it takes back.
    pub fn reverses(&self) -> Option<&str> {
        self.7.as_deref()
    }
}

/// As stored.
pub fn write(events: &[Kept<'_>]) -> Result<String, Broken> {
    serde_json::to_string(events).map_err(|_| Broken)
}

/// Reads what [`write()`] wrote.
pub fn read(text: &str) -> Result<Vec<Kept<'_>>, Broken> {
    serde_json::from_str(text).map_err(|_| Broken)
}

/// Puts events into blocks, each the places of its events, by when they happened; what has no time
/// of its own happens `now`.
pub fn split<'e>(events: impl Iterator<Item = &'e Event>, now: Timestamp) -> Vec<Vec<usize>> {
    let mut order: Vec<(i64, usize, usize)> = events
        .enumerate()
        .map(|(place, event)| (event.at.unwrap_or(now).ms(), place, bytes(event)))
        .collect();
    order.sort_unstable();
    let mut blocks: Vec<Vec<usize>> = Vec::new();
    let (mut first_at, mut size) = (0, usize::MAX);
    for (at, place, bytes) in order {
        let room = size < ENOUGH_BYTES && at.saturating_sub(first_at) <= MAX_SPAN;
        match blocks.last_mut() {
            Some(block) if room && block.len() < MAX_EVENTS => {
                block.push(place);
                size += bytes;
            }
            _ => {
                blocks.push(vec![place]);
                (first_at, size) = (at, bytes);
            }
        }
    }
    blocks
}

fn bytes(event: &Event) -> usize {
    event.data.len() + event.id.len() + event.source.len() + event.subject.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(id: &str, at: i64, data: &str) -> Event {
        Event {
            source: "gate\"way".to_owned(),
            id: id.to_owned(),
            kind: "prompt".to_owned(),
            subject: "ключ".to_owned(),
            at: Some(Timestamp::from_ms(at)),
            data: data.to_owned(),
            leaves: Default::default(),
            reverses: None,
        }
    }

    #[test]
    fn events_read_back_to_the_digit() {
        let data = r#"{"n":900719925474099.312345678901,"s":"a\"b\\u0041"}"#;
        let mut takes_back = event("b", 7, "");
        takes_back.reverses = Some("a".to_owned());
        let events = [event("a", 5, data), takes_back];
        let kept = [
            Kept::new(&events[0], 5, Some("no number")).expect("keeps"),
            Kept::new(&events[1], 7, None).expect("keeps"),
        ];
        let text = write(&kept).expect("writes");
        let read = read(&text).expect("reads");
        assert_eq!(read[0].data(), data);
        assert_eq!((read[0].source(), read[0].subject()), ("gate\"way", "ключ"));
        assert_eq!(
            (read[0].problem(), read[0].reverses()),
            (Some("no number"), None)
        );
        assert_eq!((read[1].data(), read[1].at()), ("", 7));
        assert_eq!((read[1].id(), read[1].reverses()), ("b", Some("a")));
        assert!(
            super::read(&text[..text.len() - 2]).is_err(),
            "a part is no block"
        );
    }

    #[test]
    fn a_large_event_ends_its_block() {
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(ENOUGH_BYTES));
        let events = [
            event("a", 1, &large),
            event("b", 2, "{}"),
            event("c", 3, "{}"),
        ];
        let blocks = split(events.iter(), Timestamp::from_ms(9));
        assert_eq!(blocks, [vec![0], vec![1, 2]]);
    }

    proptest! {
        #[test]
        fn each_event_is_in_one_block_of_an_hour(
            ats in proptest::collection::vec(0_i64..20_000_000, 0..900),
        ) {
            let events: Vec<Event> =
                ats.iter().enumerate().map(|(n, at)| event(&n.to_string(), *at, "{}")).collect();
            let blocks = split(events.iter(), Timestamp::from_ms(0));
            let mut places: Vec<usize> = blocks.concat();
            places.sort_unstable();
            prop_assert_eq!(places, (0..ats.len()).collect::<Vec<_>>());
            for block in &blocks {
                prop_assert!(block.len() <= MAX_EVENTS);
                let times = || block.iter().map(|place| ats[*place]);
                prop_assert!(times().max().unwrap_or(0) - times().min().unwrap_or(0) <= MAX_SPAN);
            }
        }
    }
}
