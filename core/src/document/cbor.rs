//! Deterministic CBOR (RFC 8949 §4.2.1), read and written strictly.
//!
//! minicbor reads the items; this file adds what the profile asks for: definite lengths, shortest
//! forms, map keys in bytewise order and each once, no trailing bytes, and limits that are checked
//! before anything is allocated. Floats, tags, `undefined` and integers beyond 64 signed bits do
//! not occur in claims and are refused.

use std::borrow::Cow;
use std::convert::Infallible;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use crate::error::{Error, Result};

/// How deep arrays and maps may nest.
pub const MAX_DEPTH: usize = 8;

/// One item of claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A whole number.
    Int(i64),
    /// A byte string.
    Bytes(Cow<'a, [u8]>),
    /// A text string.
    Text(Cow<'a, str>),
    /// A list.
    Array(Vec<Value<'a>>),
    /// Entries in any order; [`encode`] sorts them.
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// True or false.
    Bool(bool),
    /// Nothing.
    Null,
}

impl<'a> Value<'a> {
    /// A byte string that borrows.
    pub fn bytes(bytes: &'a [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }

    /// A text string that borrows.
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A map with integer keys; entries whose value is `None` are left out.
    pub fn labelled(entries: impl IntoIterator<Item = (i64, Option<Value<'a>>)>) -> Self {
        let kept = entries.into_iter().filter_map(|(label, value)| {
            let value = value?;
            Some((Value::Int(label), value))
        });
        Self::Map(kept.collect())
    }

    /// The number, or `malformed`.
    pub fn as_int(&self) -> Result<i64> {
        match self {
            Self::Int(number) => Ok(*number),
            _ => Err(malformed("a whole number was expected")),
        }
    }

    /// The number when it is not negative, or `malformed`.
    pub fn as_count(&self) -> Result<u64> {
        u64::try_from(self.as_int()?).map_err(|_| malformed("a number may not be negative here"))
    }

    /// The bytes, or `malformed`.
    pub fn as_bytes(&self) -> Result<&[u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(malformed("a byte string was expected")),
        }
    }

    /// Exactly `N` bytes, or `malformed`.
    pub fn as_exact<const N: usize>(&self) -> Result<[u8; N]> {
        self.as_bytes()?
            .try_into()
            .map_err(|_| malformed("a byte string has the wrong length"))
    }

    /// The text, or `malformed`.
    pub fn as_text(&self) -> Result<&str> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(malformed("a text was expected")),
        }
    }

    /// The truth value, or `malformed`.
    pub fn as_bool(&self) -> Result<bool> {
        match self {
            Self::Bool(flag) => Ok(*flag),
            _ => Err(malformed("true or false was expected")),
        }
    }

    /// The items, or `malformed`.
    pub fn as_array(&self) -> Result<&[Value<'a>]> {
        match self {
            Self::Array(items) => Ok(items),
            _ => Err(malformed("a list was expected")),
        }
    }

    /// The entries, or `malformed`.
    pub fn as_map(&self) -> Result<&[(Value<'a>, Value<'a>)]> {
        match self {
            Self::Map(entries) => Ok(entries),
            _ => Err(malformed("a map was expected")),
        }
    }

    /// The value under an integer key of this map; `None` when absent or when this is no map.
    pub fn at(&self, label: i64) -> Option<&Value<'a>> {
        let Self::Map(entries) = self else {
            return None;
        };
        let found = entries
            .iter()
            .find(|(key, _)| matches!(key, Value::Int(number) if *number == label))?;
        Some(&found.1)
    }

    /// The value under an integer key, or `malformed` with the claim's name.
    pub fn need(&self, label: i64, name: &str) -> Result<&Value<'a>> {
        self.at(label)
            .ok_or_else(|| malformed(format!("the {name} claim is missing")))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

fn malformed(detail: impl Into<Cow<'static, str>>) -> Error {
    Error::new("malformed", detail)
}

/// The one deterministic encoding of `value`.
///
/// `malformed` when a map holds the same key twice.
pub fn encode(value: &Value<'_>) -> Result<Vec<u8>> {
    let mut encoder = Encoder::new(Vec::with_capacity(256));
    write(&mut encoder, value)?;
    Ok(encoder.into_writer())
}

fn unwritable(_: minicbor::encode::Error<Infallible>) -> Error {
    malformed("the claims can't be encoded")
}

fn write(encoder: &mut Encoder<Vec<u8>>, value: &Value<'_>) -> Result<()> {
    match value {
        Value::Int(number) => encoder.i64(*number).map_err(unwritable)?,
        Value::Bytes(bytes) => encoder.bytes(bytes).map_err(unwritable)?,
        Value::Text(text) => encoder.str(text).map_err(unwritable)?,
        Value::Bool(flag) => encoder.bool(*flag).map_err(unwritable)?,
        Value::Null => encoder.null().map_err(unwritable)?,
        Value::Array(items) => {
            encoder.array(items.len() as u64).map_err(unwritable)?;
            return items.iter().try_for_each(|item| write(encoder, item));
        }
        Value::Map(entries) => return write_map(encoder, entries),
    };
    Ok(())
}

fn write_map(encoder: &mut Encoder<Vec<u8>>, entries: &[(Value<'_>, Value<'_>)]) -> Result<()> {
    let mut sorted = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        sorted.push((encode(key)?, value));
    }
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    if sorted.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(malformed("a map holds the same key twice"));
    }
    encoder.map(sorted.len() as u64).map_err(unwritable)?;
    for (key, value) in sorted {
        encoder.writer_mut().extend_from_slice(&key);
        write(encoder, value)?;
    }
    Ok(())
}

/// Reads exactly one item and nothing after it; only its one deterministic encoding passes.
///
/// `input` is at most the size limit of its document, which its reader has checked. `malformed`
/// says what was wrong.
pub fn decode(input: &[u8]) -> Result<Value<'_>> {
    let mut reader = Reader {
        decoder: Decoder::new(input),
        owed: 0,
    };
    let value = reader.read(MAX_DEPTH)?;
    if reader.decoder.position() != input.len() {
        return Err(malformed("bytes follow the end of the claims"));
    }
    Ok(value)
}

/// The bytes of an item's head with this argument, in its shortest form (RFC 8949 §4.2.1).
pub(super) const fn head_bytes(argument: u64) -> usize {
    match argument {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

fn unreadable(_: minicbor::decode::Error) -> Error {
    malformed("the CBOR is broken or ends too early")
}

struct Reader<'a> {
    decoder: Decoder<'a>,
    /// Items that the lists and maps around the current one have promised and that are still to
    /// come. Each has a byte at least, so that all room taken for items is never more than there
    /// are bytes, however often a forged count is nested.
    owed: usize,
}

impl<'a> Reader<'a> {
    fn read(&mut self, depth: usize) -> Result<Value<'a>> {
        let start = self.decoder.position();
        if let Some(value) = self.read_short(start) {
            return Ok(value);
        }
        let value = match self.decoder.datatype().map_err(unreadable)? {
            Type::Bool => Value::Bool(self.decoder.bool().map_err(unreadable)?),
            Type::Null => {
                self.decoder.null().map_err(unreadable)?;
                Value::Null
            }
            Type::Bytes => {
                let bytes = self.decoder.bytes().map_err(unreadable)?;
                self.shortest(start, bytes.len() as u64, bytes.len())?;
                Value::bytes(bytes)
            }
            Type::String => {
                let text = self.decoder.str().map_err(unreadable)?;
                self.shortest(start, text.len() as u64, text.len())?;
                Value::text(text)
            }
            Type::Array => self.read_array(start, depth)?,
            Type::Map => self.read_map(start, depth)?,
            Type::BytesIndef | Type::StringIndef | Type::ArrayIndef | Type::MapIndef => {
                return Err(malformed("an indefinite length is not deterministic"));
            }
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => self.read_int(start)?,
            Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => self.read_int(start)?,
            _ => return Err(malformed("a kind of CBOR item that claims never hold")),
        };
        Ok(value)
    }

    /// Reads what is whole and has a head of one byte, which is always its shortest form: most of
    /// what claims hold. Everything else, broken things too, is left to who can say what it is.
    fn read_short(&mut self, start: usize) -> Option<Value<'a>> {
        let (&head, rest) = self.decoder.input().get(start..)?.split_first()?;
        let len = usize::from(head & 0x1f);
        let (value, body) = match head {
            0x00..=0x17 => (Value::Int(i64::from(head)), 0),
            0x20..=0x37 => (Value::Int(!i64::from(head - 0x20)), 0),
            0x40..=0x57 => (Value::bytes(rest.get(..len)?), len),
            0x60..=0x77 => (Value::text(str::from_utf8(rest.get(..len)?).ok()?), len),
            0xf4 | 0xf5 => (Value::Bool(head == 0xf5), 0),
            0xf6 => (Value::Null, 0),
            _ => return None,
        };
        self.decoder.set_position(start + 1 + body);
        Some(value)
    }

    /// Reads an item that the list or map around it has promised.
    fn read_promised(&mut self, depth: usize) -> Result<Value<'a>> {
        self.owed -= 1;
        self.read(depth)
    }

    fn read_int(&mut self, start: usize) -> Result<Value<'a>> {
        let number = self.decoder.i64().map_err(unreadable)?;
        let argument = if number < 0 { !number } else { number };
        self.shortest(start, argument.unsigned_abs(), 0)?;
        Ok(Value::Int(number))
    }

    fn read_array(&mut self, start: usize, depth: usize) -> Result<Value<'a>> {
        let count = definite(self.decoder.array().map_err(unreadable)?)?;
        let (depth, count) = self.enter(start, depth, count, 1)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.read_promised(depth)?);
        }
        Ok(Value::Array(items))
    }

    fn read_map(&mut self, start: usize, depth: usize) -> Result<Value<'a>> {
        let count = definite(self.decoder.map().map_err(unreadable)?)?;
        let (depth, count) = self.enter(start, depth, count, 2)?;
        let input = self.decoder.input();
        let mut entries = Vec::with_capacity(count);
        let mut last: &[u8] = &[];
        for _ in 0..count {
            let from = self.decoder.position();
            let key = self.read_promised(depth)?;
            if !matches!(key, Value::Int(_) | Value::Text(_) | Value::Bytes(_)) {
                return Err(malformed("a map key must be a number, a text or bytes"));
            }
            let bytes = &input[from..self.decoder.position()];
            if bytes <= last {
                return Err(malformed("map keys are out of order or repeated"));
            }
            last = bytes;
            entries.push((key, self.read_promised(depth)?));
        }
        Ok(Value::Map(entries))
    }

    /// Checks a container's head: shortest form, depth left, and enough input for `count` entries
    /// of `each` items beside what is owed already, so that a forged count can't make us allocate.
    fn enter(
        &mut self,
        start: usize,
        depth: usize,
        count: u64,
        each: usize,
    ) -> Result<(usize, usize)> {
        self.shortest(start, count, 0)?;
        let left = self.decoder.input().len() - self.decoder.position();
        let room = left.saturating_sub(self.owed) / each;
        let fits = usize::try_from(count).ok().filter(|&count| count <= room);
        let count = fits.ok_or_else(|| malformed("a length passes the end of the bytes"))?;
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| malformed("the claims nest too deep"))?;
        self.owed += count * each;
        Ok((depth, count))
    }

    /// Refuses a head longer than its argument needs (RFC 8949 §4.2.1, first rule).
    fn shortest(&self, start: usize, argument: u64, body: usize) -> Result<()> {
        if self.decoder.position() - start == head_bytes(argument) + body {
            return Ok(());
        }
        Err(malformed("a number or length is not in its shortest form"))
    }
}

fn definite(count: Option<u64>) -> Result<u64> {
    count.ok_or_else(|| malformed("an indefinite length is not deterministic"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value<'static>> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::Int),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(|b| Value::Bytes(b.into())),
            ".{0,30}".prop_map(|t| Value::Text(t.into())),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let key = prop_oneof![
                any::<i64>().prop_map(Value::Int),
                "[a-z]{0,5}".prop_map(|t| Value::Text(t.into())),
            ];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                proptest::collection::vec((key, inner), 0..6).prop_map(|mut entries| {
                    entries.sort_by_key(|(key, _)| encode(key).expect("encodes"));
                    entries.dedup_by(|a, b| a.0 == b.0);
                    Value::Map(entries)
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in value()) {
            let bytes = encode(&value).expect("encodes");
            prop_assert_eq!(decode(&bytes).expect("decodes"), value);
        }

        #[test]
        fn only_the_one_encoding_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = decode(&bytes) {
                prop_assert_eq!(encode(&value).expect("encodes"), bytes);
            }
        }

        #[test]
        fn another_library_reads_the_same(value in value()) {
            let bytes = encode(&value).expect("encodes");
            let theirs: ciborium::Value = ciborium::from_reader(&bytes[..]).expect("reads");
            let mut again = Vec::new();
            ciborium::into_writer(&theirs, &mut again).expect("writes");
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn sloppy_encodings_are_refused() {
        let cases: [(&str, &[u8]); 14] = [
            ("long zero", &[0x18, 0x00]),
            ("long negative", &[0x38, 0x01]),
            ("two-byte length of one", &[0x58, 0x01, 0x00]),
            ("two-byte text length", &[0x78, 0x01, 0x61]),
            ("indefinite bytes", &[0x5f, 0xff]),
            ("indefinite map", &[0xbf, 0xff]),
            ("indefinite array", &[0x9f, 0xff]),
            ("same key twice", &[0xa2, 0x01, 0x01, 0x01, 0x02]),
            ("keys out of order", &[0xa2, 0x02, 0x01, 0x01, 0x02]),
            ("trailing byte", &[0x01, 0x00]),
            ("float", &[0xf9, 0x00, 0x00]),
            ("tag", &[0xc1, 0x00]),
            ("invalid UTF-8", &[0x61, 0xff]),
            (
                "beyond i64",
                &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            ),
        ];
        for (name, bytes) in cases {
            let refused = decode(bytes).map_err(|error| error.code());
            assert_eq!(refused, Err("malformed"), "{name}");
        }
    }

    #[test]
    fn depth_and_counts_are_bounded_before_allocation() {
        let mut deep = vec![0x81; MAX_DEPTH];
        deep.push(0x00);
        assert!(decode(&deep).is_ok());
        deep.insert(0, 0x81);
        assert!(decode(&deep).is_err());
        assert!(decode(&[0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(decode(&[0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
    }

    #[test]
    fn nested_counts_share_the_bytes_that_are_there() {
        // The outer list still owes one item, for which nothing would be left.
        assert!(decode(&[0x82, 0x82, 0x00, 0x00]).is_err());
        assert!(decode(&[0x82, 0x82, 0x00, 0x00, 0x00]).is_ok());
        assert!(decode(&[0xa1, 0x01, 0x81, 0x82, 0x00, 0x00]).is_ok());
        let error = decode(&[0x83, 0x83, 0x00, 0x00, 0x00, 0x00]).expect_err("one too few");
        assert!(error.detail().contains("a length passes"), "{error}");
    }
}
