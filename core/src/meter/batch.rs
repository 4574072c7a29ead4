//! Several segments in one request: sealed documents one behind the other.

use minicbor::Decoder;

use super::key::malformed;
use crate::error::Result;

/// The most segments of one request.
pub const MAX_BATCH: usize = 64;
/// The most bytes that several segments take together; one alone may be larger.
pub const MAX_BATCH_BYTES: usize = 512 << 10;

/// Splits a sequence of sealed segments (RFC 8742) at its documents, which are judged one by one
/// afterwards.
///
/// ```
/// use mintreu::meter::split_batch;
/// assert_eq!(split_batch(&[0x01, 0x41, 0x02])?, [&[0x01][..], &[0x41, 0x02]]);
/// assert!(split_batch(&[0x01, 0x41]).is_err(), "cut");
/// # Ok::<(), mintreu::Error>(())
/// ```
pub fn split_batch(bytes: &[u8]) -> Result<Vec<&[u8]>> {
    let mut documents = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        if documents.len() == MAX_BATCH {
            return Err(malformed("one request has too many segments"));
        }
        let mut d = Decoder::new(rest);
        d.skip()
            .map_err(|_| malformed("the request ends inside a segment"))?;
        let (document, after) = rest.split_at(d.position());
        documents.push(document);
        rest = after;
    }
    match documents.is_empty() {
        true => Err(malformed("the request has no segment")),
        false => Ok(documents),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded_and_whole() {
        let full = vec![0x01; MAX_BATCH];
        assert_eq!(split_batch(&full).unwrap().len(), MAX_BATCH);
        assert!(split_batch(&[0x01; MAX_BATCH + 1]).is_err());
        assert!(split_batch(&[]).is_err());
        // A length that nobody could hold.
        assert!(split_batch(&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
        // Nesting without an end.
        assert!(split_batch(&vec![0x81; 100_000]).is_err());
    }
}
