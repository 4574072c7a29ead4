//! No change of any document is ever believed: every bit, cut, byte more or less, splice and
//! exchange, on the bytes and on each text, and every envelope that tries to choose its own rules.
//!
//! `MINTREU_TEST_TAMPER` is how many documents of each kind are changed in every way.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "../common/mod.rs"]
mod common;

mod confusion;
mod crossed;
mod mutants;
mod samples;
mod texts;

use mintreu::document::Kind;
use samples::{Sample, WITH_CLAIMS, believes, trust};

/// Documents of each kind that are changed in every way.
fn documents() -> u64 {
    common::rounds("TEST_TAMPER", 3)
}

#[test]
fn every_sample_is_believed_as_it_is() {
    for kind in Kind::all() {
        let indices = match WITH_CLAIMS.contains(&kind) {
            true => 0..50,
            false => 0..1,
        };
        for index in indices {
            let sample = Sample::new(kind, index);
            let found = believes(kind, &sample.bytes, &trust());
            assert_eq!(found, Ok(()), "{} {index}", kind.name());
        }
    }
}
