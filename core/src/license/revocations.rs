//! Revocation lists: one bit for each license that may be withdrawn.

use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use super::name::check_name;
use super::{Anchor, ListEntry, Opened, open_bundle};
use crate::document::cbor::{self, Value};
use crate::document::{
    AUDIENCE, Bundle, ISSUED_AT, Kind, PRIVATE, SigningKey, private_claims, seal,
};
use crate::error::{Error, Result};
use crate::time::Timestamp;

const LIST: i64 = 1;
const VERSION: i64 = 2;
const BITS: i64 = 3;
const BITMAP: i64 = 4;

/// The most bits of one list: 128 KiB inflated.
pub(super) const MAX_BITS: u32 = 1 << 20;
/// Of zlib's levels the one that is the smallest without being slow.
const LEVEL: u8 = 8;

/// A revocation list: which of its places stand for licenses that were withdrawn.
///
/// Places are drawn at random, so a list tells nobody how many customers there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocations {
    product: String,
    issued_at: Timestamp,
    list: u64,
    version: u64,
    bits: u32,
    bitmap: Vec<u8>,
}

fn malformed(detail: &'static str) -> Error {
    Error::new("malformed", detail)
}

impl Revocations {
    /// A list with `bits` places, none of them revoked; `malformed` for none or more than 2²⁰.
    pub fn new(product: &str, list: u64, bits: u32) -> Result<Self> {
        if bits == 0 || bits > MAX_BITS {
            return Err(malformed("a revocation list has 1 to 1048576 places"));
        }
        Ok(Self {
            product: check_name(product)?.to_owned(),
            issued_at: Timestamp::default(),
            list,
            version: 0,
            bits,
            bitmap: vec![0; bytes_of(bits)],
        })
    }

    /// The list as it is at `issued_at`. Versions only rise.
    #[must_use]
    pub const fn at(mut self, version: u64, issued_at: Timestamp) -> Self {
        self.version = version;
        self.issued_at = issued_at;
        self
    }

    /// Withdraws the license at `index`; `malformed` when the list has no such place.
    pub fn revoke(&mut self, index: u32) -> Result<()> {
        if index >= self.bits {
            return Err(malformed("the revocation list has no such place"));
        }
        self.bitmap[index as usize / 8] |= 1 << (index % 8);
        Ok(())
    }

    /// Whether the license at `index` is withdrawn; a place the list doesn't have is not.
    pub fn is_revoked(&self, index: u32) -> bool {
        index < self.bits && self.bitmap[index as usize / 8] >> (index % 8) & 1 == 1
    }

    /// Whether the list tells about a license with this entry.
    pub const fn covers(&self, entry: ListEntry) -> bool {
        self.list == entry.list && entry.index < self.bits
    }

    /// The product's code.
    pub fn product(&self) -> &str {
        &self.product
    }

    /// The list's number.
    pub const fn list(&self) -> u64 {
        self.list
    }

    /// Its version, which only rises.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// When it was issued.
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// How many places it has.
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// Signs the list: the bytes of its bundle, as [`issue`](super::issue) does for a license.
    pub fn issue(&self, key: &SigningKey, certificates: &[&[u8]]) -> Result<Vec<u8>> {
        let document = seal(Kind::Revocations, &self.to_cbor()?, key)?;
        Ok(Bundle::new(certificates.to_vec(), &document)?.to_bytes())
    }

    fn to_cbor(&self) -> Result<Vec<u8>> {
        let bitmap = compress_to_vec_zlib(&self.bitmap, LEVEL);
        let number =
            |number| i64::try_from(number).map_err(|_| malformed("a number is out of range"));
        let private = Value::labelled([
            (LIST, Some(Value::Int(number(self.list)?))),
            (VERSION, Some(Value::Int(number(self.version)?))),
            (BITS, Some(Value::Int(i64::from(self.bits)))),
            (BITMAP, Some(Value::bytes(&bitmap))),
        ]);
        cbor::encode(&Value::labelled([
            (AUDIENCE, Some(Value::text(&self.product))),
            (ISSUED_AT, Some(Value::Int(self.issued_at.secs()))),
            (PRIVATE, Some(private)),
        ]))
    }

    /// Verifies a list's bundle; errors as for a license.
    pub fn verify(bundle: &[u8], anchor: &dyn Anchor) -> Result<Self> {
        Self::verify_by(bundle, anchor).map(|verified| verified.1)
    }

    /// As [`Revocations::verify`], and tells how far its signature can be believed.
    pub(crate) fn verify_by(bundle: &[u8], anchor: &dyn Anchor) -> Result<(Opened, Self)> {
        let opened = open_bundle(Kind::Revocations, bundle, anchor)?;
        let claims = cbor::decode(opened.claims())?;
        let private =
            private_claims(&claims)?.ok_or_else(|| malformed("the revocation list is empty"))?;
        let bits = private.need(BITS, "number of places")?.as_count()?;
        let bits = u32::try_from(bits).map_err(|_| malformed("a number is out of range"))?;
        let mut list = Self::new(
            opened.product(),
            private.need(LIST, "list")?.as_count()?,
            bits,
        )?;
        list.bitmap = inflate(private.need(BITMAP, "bitmap")?.as_bytes()?, bits)?;
        let version = private.need(VERSION, "version")?.as_count()?;
        let list = list.at(version, opened.issued_at());
        Ok((opened, list))
    }
}

const fn bytes_of(bits: u32) -> usize {
    bits.div_ceil(8) as usize
}

/// Never allocates more than the places that were declared need, whatever the stream says.
fn inflate(stream: &[u8], bits: u32) -> Result<Vec<u8>> {
    let bitmap = decompress_to_vec_zlib_with_limit(stream, bytes_of(bits))
        .map_err(|_| malformed("the bitmap doesn't inflate to the places that are declared"))?;
    if bitmap.len() != bytes_of(bits) {
        return Err(malformed("the bitmap has another size than is declared"));
    }
    Ok(bitmap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::license::Trust;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[1; 32])
    }

    fn trust() -> Trust {
        Trust::new("p", *key().public()).expect("a trust")
    }

    #[test]
    fn a_list_comes_back_with_every_bit() {
        for bits in [1, 7, 8, 9, 1_000, MAX_BITS] {
            let mut list = Revocations::new("p", 3, bits).expect("a list");
            for index in (0..bits).step_by(7) {
                list.revoke(index).expect("has the place");
            }
            assert!(list.revoke(bits).is_err());
            let list = list.at(2, Timestamp::from_secs(9));
            let bundle = list.issue(&key(), &[]).expect("issues");
            let read = Revocations::verify(&bundle, &trust()).expect("verifies");
            assert_eq!(read, list);
            for index in 0..bits.min(64) {
                assert_eq!(read.is_revoked(index), index % 7 == 0, "{index} of {bits}");
            }
            assert!(!read.is_revoked(bits), "beyond the end");
        }
        assert!(Revocations::new("p", 3, 0).is_err());
        assert!(Revocations::new("p", 3, MAX_BITS + 1).is_err());
    }

    /// A list that declares `bits` and holds `bitmap`, whatever the two have to do with each other.
    fn forged(bits: i64, bitmap: &[u8]) -> Result<Revocations> {
        let private = Value::labelled([
            (LIST, Some(Value::Int(1))),
            (VERSION, Some(Value::Int(1))),
            (BITS, Some(Value::Int(bits))),
            (BITMAP, Some(Value::bytes(bitmap))),
        ]);
        let claims = cbor::encode(&Value::labelled([
            (AUDIENCE, Some(Value::text("p"))),
            (ISSUED_AT, Some(Value::Int(1))),
            (PRIVATE, Some(private)),
        ]))?;
        Revocations::verify(&seal(Kind::Revocations, &claims, &key())?, &trust())
    }

    #[test]
    fn a_bitmap_has_exactly_the_declared_size() {
        let zlib = |len: usize| compress_to_vec_zlib(&vec![0; len], LEVEL);
        assert!(forged(80, &zlib(10)).is_ok());
        let bomb = zlib(64 << 20);
        assert!(bomb.len() < 1 << 17, "small before it is inflated");
        for (bits, bitmap) in [
            (80, zlib(9)),
            (80, zlib(11)),
            (80, bomb),
            (80, b"not zlib".to_vec()),
            (80, Vec::new()),
            (80, zlib(10)[..8].to_vec()),
            (0, zlib(0)),
            (-8, zlib(1)),
            (i64::from(MAX_BITS) + 8, zlib((MAX_BITS as usize / 8) + 1)),
        ] {
            let found = forged(bits, &bitmap).map_err(|error| error.code());
            assert_eq!(found, Err("malformed"), "{bits} bits");
        }
    }
}
