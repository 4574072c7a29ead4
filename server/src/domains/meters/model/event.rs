//! Events as they come in: limits first, then what they say. Pure.

use super::decimal::Decimal;
use mintreu::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Most events of one request.
pub const MAX_EVENTS: usize = 5_000;
/// Longest id, source or subject, in bytes.
const MAX_NAME: usize = 256;
/// Longest type.
const MAX_TYPE: usize = 128;
/// Most bytes of an event's data.
const MAX_DATA: usize = 16 * 1024;
/// Most properties of it, at all depths.
const MAX_LEAVES: usize = 128;
const MAX_DEPTH: usize = 8;

/// One property that is no object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// A text.
    Text(String),
    /// A number as it was written, or true, false or null.
    Bare(String),
    /// A list: no value.
    List,
}

impl Leaf {
    /// As a text: what values are told apart by.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Bare(text) if text != "null" => text,
            Self::Bare(_) | Self::List => "",
        }
    }

    /// As a number, also when it was written as a text.
    pub fn number(&self) -> Result<Decimal, String> {
        let text = match self {
            Self::Text(text) | Self::Bare(text) => text.trim(),
            Self::List => return Err("a list".to_owned()),
        };
        let shown: String = text.chars().take(40).collect();
        text.parse().map_err(|_| shown)
    }
}

/// One event, within its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who made it.
    pub source: String,
    /// Its name there: source and id together are counted once, for ever.
    pub id: String,
    /// What kind it is.
    pub kind: String,
    /// Whose use it is.
    pub subject: String,
    /// When it happened; without, when it arrives.
    pub at: Option<Timestamp>,
    /// The data as it is compared and stored: names in order, without white space; empty without.
    pub data: String,
    /// Its properties by their way.
    pub leaves: BTreeMap<String, Leaf>,
    /// The id, in the same source, of the event that it takes back.
    pub reverses: Option<String>,
}

/// Why an event can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct EventError {
    /// Which part of it.
    pub field: &'static str,
    /// A sentence.
    pub why: &'static str,
}

fn wrong(field: &'static str, why: &'static str) -> EventError {
    EventError { field, why }
}

/// An event in the manner of CloudEvents 1.0.
#[derive(Debug, Deserialize)]
pub struct CloudEvent<'j> {
    #[serde(borrow, default)]
    id: Cow<'j, str>,
    #[serde(borrow, default)]
    source: Cow<'j, str>,
    #[serde(borrow, default)]
    specversion: Cow<'j, str>,
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'j, str>,
    #[serde(borrow, default)]
    subject: Cow<'j, str>,
    #[serde(borrow, default)]
    time: Option<Cow<'j, str>>,
    #[serde(borrow, default)]
    datacontenttype: Option<Cow<'j, str>>,
    #[serde(borrow, default)]
    data: Option<&'j RawValue>,
    #[serde(borrow, default)]
    reverses: Option<Cow<'j, str>>,
}

impl CloudEvent<'_> {
    /// The event, when it keeps the limits; it may happen until `latest`.
    pub fn read(self, latest: Timestamp) -> Result<Event, EventError> {
        if self.specversion.is_empty() {
            return Err(wrong("specversion", "it must be 1.0"));
        }
        let kind = self.datacontenttype.as_deref();
        if kind.is_some_and(|kind| kind != "application/json") {
            return Err(wrong("datacontenttype", "only application/json is read"));
        }
        let instant = |text: Cow<'_, str>| -> Result<Timestamp, EventError> {
            let read: Result<jiff::Timestamp, _> = text.parse();
            let read = read.map_err(|_| wrong("time", "it is no RFC 3339 instant"))?;
            Ok(Timestamp::from_ms(read.as_millisecond()))
        };
        let event = Event {
            source: self.source.into_owned(),
            id: self.id.into_owned(),
            kind: self.kind.into_owned(),
            subject: self.subject.into_owned(),
            at: self.time.map(instant).transpose()?,
            data: String::new(),
            leaves: BTreeMap::new(),
            reverses: self.reverses.map(Cow::into_owned),
        };
        event.with_data(self.data, latest)
    }
}

impl Event {
    /// What joins the names of a way.
    pub const JOINT: &'static str = "\u{1f}";

    /// Reads the data, and checks every limit.
    pub fn with_data(
        mut self,
        data: Option<&RawValue>,
        latest: Timestamp,
    ) -> Result<Self, EventError> {
        let named = [
            ("id", &self.id, MAX_NAME),
            ("source", &self.source, MAX_NAME),
            ("type", &self.kind, MAX_TYPE),
            ("subject", &self.subject, MAX_NAME),
        ];
        for (field, text, most) in named {
            // What is taken back says itself of what type and whose it was.
            let may_lack = self.reverses.is_some() && ["type", "subject"].contains(&field);
            if text.is_empty() && !may_lack {
                return Err(wrong(field, "it is missing"));
            }
            if text.len() > most || text.contains('\0') {
                return Err(wrong(field, "it is too long or holds a zero byte"));
            }
        }
        if self.at.is_some_and(|at| at > latest || at.ms() < 0) {
            return Err(wrong("time", "it lies in the future or before 1970"));
        }
        if let Some(raw) = data.filter(|raw| raw.get() != "null") {
            if raw.get().len() > MAX_DATA {
                return Err(wrong("data", "it has more than 16 KiB"));
            }
            if !raw.get().starts_with('{') {
                return Err(wrong("data", "it must be an object"));
            }
            let mut reader = DataReader::default();
            reader.value(raw, "", 0)?;
            (self.data, self.leaves) = (reader.text, reader.leaves);
        }
        Ok(self)
    }

    /// Whether two events of the same id say the same. Their times aren't compared: a client that
    /// sends again may stamp again.
    pub fn says(&self, kind: &str, subject: &str, data: &str) -> bool {
        self.kind == kind && self.subject == subject && self.data == data
    }
}

#[derive(Default)]
struct DataReader {
    text: String,
    leaves: BTreeMap<String, Leaf>,
}

impl DataReader {
    /// Writes a value the one way that equal ones have in common, and notes its leaves.
    fn value(&mut self, raw: &RawValue, way: &str, depth: usize) -> Result<(), EventError> {
        let malformed = || wrong("data", "it can't be read");
        if depth > MAX_DEPTH {
            return Err(wrong("data", "it is too deep"));
        }
        match raw.get().as_bytes().first() {
            Some(b'{') => {
                let fields: BTreeMap<Cow<'_, str>, &RawValue> =
                    serde_json::from_str(raw.get()).map_err(|_| malformed())?;
                self.text.push('{');
                for (index, (name, inner)) in fields.into_iter().enumerate() {
                    if index > 0 {
                        self.text.push(',');
                    }
                    self.string(&name)?;
                    self.text.push(':');
                    let inner_way = match way {
                        "" => name.into_owned(),
                        _ => [way, &name].join(Event::JOINT),
                    };
                    self.value(inner, &inner_way, depth + 1)?;
                }
                self.text.push('}');
            }
            Some(b'[') => {
                let items: Vec<&RawValue> =
                    serde_json::from_str(raw.get()).map_err(|_| malformed())?;
                self.note(way, Leaf::List)?;
                self.text.push('[');
                for (index, item) in items.into_iter().enumerate() {
                    if index > 0 {
                        self.text.push(',');
                    }
                    self.value(item, way, depth + 1)?;
                }
                self.text.push(']');
            }
            Some(b'"') => {
                let text: Cow<'_, str> =
                    serde_json::from_str(raw.get()).map_err(|_| malformed())?;
                self.string(&text)?;
                self.note(way, Leaf::Text(text.into_owned()))?;
            }
            _ => {
                // 1, 1.0 and 1e0 are one number.
                let number: Result<Decimal, _> = raw.get().parse();
                match number {
                    Ok(number) => self.text.push_str(&number.to_string()),
                    Err(_) => self.text.push_str(raw.get()),
                }
                self.note(way, Leaf::Bare(raw.get().to_owned()))?;
            }
        }
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), EventError> {
        if text.contains('\0') {
            return Err(wrong("data", "a text holds a zero byte"));
        }
        let quoted = serde_json::to_string(text).map_err(|_| wrong("data", "it can't be read"))?;
        self.text.push_str(&quoted);
        Ok(())
    }

    /// The first value of a list stays the list's.
    fn note(&mut self, way: &str, leaf: Leaf) -> Result<(), EventError> {
        if self.leaves.len() >= MAX_LEAVES {
            return Err(wrong("data", "it has too many properties"));
        }
        self.leaves.entry(way.to_owned()).or_insert(leaf);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn read(json: &str) -> Result<Event, EventError> {
        let event: CloudEvent<'_> = serde_json::from_str(json).expect("fields");
        event.read(NOW)
    }

    fn with_data(data: &str) -> Result<Event, EventError> {
        let head = r#""id":"1","source":"s","specversion":"1.0","type":"t","subject":"u""#;
        read(&format!("{{{head},\"data\":{data}}}"))
    }

    #[test]
    fn equal_data_has_one_form() {
        let first = with_data(r#"{"b": 1.0, "a": {"c": "x\u0041", "d": [1, 2]}}"#).expect("reads");
        let second = with_data(r#"{"a":{"d":[1,2.0],"c":"xA"},"b":1e0}"#).expect("reads");
        assert_eq!(first.data, r#"{"a":{"c":"xA","d":[1,2]},"b":1}"#);
        assert_eq!(first.data, second.data);
        assert_eq!(with_data("null").expect("reads").data, "");
        assert_eq!(with_data("{}").expect("reads").data, "{}");
        let way = ["a", "c"].join(Event::JOINT);
        assert_eq!(first.leaves.get(&way), Some(&Leaf::Text("xA".to_owned())));
        assert_eq!(first.leaves["b"].number(), Ok(Decimal::whole(1)));
    }

    #[test]
    fn numbers_stay_as_exact_as_they_were_written() {
        let event = with_data(r#"{"n": 900719925474099.312345678901}"#).expect("reads");
        let number = event.leaves["n"].number().expect("a number");
        assert_eq!(number.to_string(), "900719925474099.312345678901");
        for (data, why) in [
            (r#"{"n":"NaN"}"#, "NaN"),
            (r#"{"n":true}"#, "true"),
            (r#"{"n":[1]}"#, "a list"),
        ] {
            let event = with_data(data).expect("reads");
            assert_eq!(event.leaves["n"].number(), Err(why.to_owned()));
        }
    }

    #[test]
    fn limits_are_kept() {
        let long = "x".repeat(257);
        let deep = format!("{}1{}", r#"{"a":"#.repeat(12), "}".repeat(12));
        let wide: Vec<String> = (0..200).map(|n| format!("\"k{n}\":{n}")).collect();
        for (json, field) in [
            (r#"{"source":"s","specversion":"1.0","type":"t","subject":"u"}"#.to_owned(), "id"),
            (format!(r#"{{"id":"{long}","source":"s","specversion":"1.0","type":"t","subject":"u"}}"#), "id"),
            (r#"{"id":"1","source":"s","type":"t","subject":"u"}"#.to_owned(), "specversion"),
            (r#"{"id":"1","source":"s","specversion":"1.0","type":"t"}"#.to_owned(), "subject"),
            (r#"{"id":"1","source":"s","specversion":"1.0","type":"t","subject":"u","time":"soon"}"#.to_owned(), "time"),
            (r#"{"id":"1","source":"s","specversion":"1.0","type":"t","subject":"u","time":"2030-01-01T00:00:00Z"}"#.to_owned(), "time"),
            (r#"{"id":"1","source":"s","specversion":"1.0","type":"t","subject":"u","datacontenttype":"application/xml"}"#.to_owned(), "datacontenttype"),
        ] {
            assert_eq!(read(&json).expect_err(field).field, field);
        }
        for data in [
            &deep,
            &format!("{{{}}}", wide.join(",")),
            "\"text\"",
            "5",
            "[1]",
            r#"{"a":"\u0000"}"#,
            &format!(r#"{{"a":"{}"}}"#, "x".repeat(20_000)),
        ] {
            assert_eq!(with_data(data).expect_err("data").field, "data");
        }
    }

    proptest! {
        #[test]
        fn no_data_makes_it_panic(text in ".{0,80}") {
            if let Ok(raw) = RawValue::from_string(text) {
                let event = with_data("{}").expect("reads");
                drop(event.with_data(Some(&raw), NOW));
            }
        }
    }
}
