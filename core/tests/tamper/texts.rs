//! Every change of the texts: what is read is the same bytes, or is not believed.

use mintreu::document::{Kind, from_text, to_armor, to_qr, to_text};

use crate::common::Random;
use crate::documents;
use crate::samples::{Sample, believes, trust};

#[derive(Default)]
struct Count {
    made: u64,
    same: u64,
    refused: u64,
}

/// Calls `found` with changed texts that are still texts.
fn mutants(text: &str, seed: u64, mut found: impl FnMut(&str)) {
    let mut random = Random::new(seed);
    let bytes = text.as_bytes();
    let mut changed = bytes.to_vec();
    let mut try_it = |changed: &[u8]| {
        if let Ok(text) = std::str::from_utf8(changed) {
            found(text);
        }
    };
    for bit in 0..bytes.len() * 8 {
        changed[bit / 8] ^= 1 << (bit % 8);
        try_it(&changed);
        changed[bit / 8] ^= 1 << (bit % 8);
    }
    for at in 0..bytes.len() {
        try_it(&bytes[..at]);
        changed.insert(at, b' ' + random.below(95) as u8);
        try_it(&changed);
        changed[at] = b'\n';
        try_it(&changed);
        changed.remove(at);
        let byte = changed.remove(at);
        try_it(&changed);
        changed.insert(at, byte);
        let other = random.below(bytes.len() as u64) as usize;
        changed.swap(at, other);
        try_it(&changed);
        changed.swap(at, other);
    }
}

fn changed(form: impl Fn(&[u8]) -> String) -> Count {
    let trust = trust();
    let mut count = Count::default();
    for (kind, index) in [(Kind::License, 0), (Kind::Receipt, 1), (Kind::Request, 2)] {
        for index in (0..documents()).map(|round| index + 4 * round) {
            let sample = Sample::new(kind, index);
            mutants(&form(&sample.bytes), index, |text| {
                count.made += 1;
                match from_text(text) {
                    Ok(read) if read == sample.bytes => count.same += 1,
                    Ok(read) => assert!(believes(kind, &read, &trust).is_err(), "{text}"),
                    Err(error) => {
                        assert!(["malformed", "unsupported", "too_large"].contains(&error.code()));
                        count.refused += 1;
                    }
                }
            });
        }
    }
    println!("{} texts, {} the same", count.made, count.same);
    assert!(count.made >= 10_000 * documents(), "only {}", count.made);
    count
}

#[test]
fn no_changed_paste_is_believed() {
    let count = changed(to_text);
    assert!(count.same > 1_000, "line breaks are forgiven");
}

#[test]
fn no_changed_armour_is_believed() {
    let count = changed(|bytes| to_armor(bytes).expect("writes"));
    assert!(count.same > 1_000, "line breaks are forgiven");
}

#[test]
fn no_changed_code_is_believed() {
    let count = changed(|bytes| to_qr(bytes).expect("writes").join("\n"));
    // Where a line break is put at the end of a line, or before the first, nothing changes.
    assert!(count.same < count.made / 100, "{} the same", count.same);
    assert!(count.refused > count.made / 10);
}
