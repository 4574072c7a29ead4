//! Replays the fuzzer's seeds through the fuzzer's own functions, unchanged and a little changed,
//! where no fuzzer is at hand. `MINTREU_TEST_FUZZ` is how many changes of each seed are tried.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

#[path = "../../tests/fuzz/src/lib.rs"]
#[expect(dead_code, reason = "whoever writes seeds uses the rest")]
mod fuzz;

use std::path::{Path, PathBuf};

use common::Random;

fn seeds(target: &str) -> Vec<PathBuf> {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus");
    let entries = std::fs::read_dir(corpora.join(target)).expect("a corpus");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

#[test]
fn every_seed_of_every_target_holds() {
    for (target, run) in fuzz::TARGETS {
        let paths = seeds(target);
        assert!(paths.len() >= 5, "{target} has {} seeds", paths.len());
        for path in paths {
            println!("{}", path.display());
            run(&std::fs::read(path).expect("a seed"));
        }
    }
}

/// Replaces, doubles, removes and exchanges stretches of a seed.
fn changed(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        let len = (random.below(8) as usize).min(bytes.len() - at);
        match random.below(4) {
            0 => drop(bytes.drain(at..at + len)),
            1 => bytes.insert(at, random.below(256) as u8),
            2 => bytes.extend_from_within(at..at + len),
            _ => bytes[at..at + len].fill_with(|| random.below(256) as u8),
        }
    }
    bytes
}

#[test]
fn changed_seeds_hold_too() {
    let rounds = common::rounds("FUZZ", 40);
    for (target, run) in fuzz::TARGETS {
        for (number, path) in seeds(target).iter().enumerate() {
            let seed = std::fs::read(path).expect("a seed");
            let mut random = Random::new(number as u64 + 1);
            for _ in 0..rounds {
                let bytes = changed(&seed, &mut random);
                let outcome = std::panic::catch_unwind(|| run(&bytes));
                assert!(outcome.is_ok(), "{target}: {bytes:02x?}");
            }
        }
    }
}

/// The corpora are there for every target, and for nothing else.
#[test]
fn every_corpus_has_a_target() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus");
    let mut found: Vec<String> = std::fs::read_dir(corpora)
        .expect("the corpora")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    found.sort();
    assert_eq!(found, fuzz::TARGETS.map(|(name, _)| name));
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).expect("a manifest");
    for (name, _) in fuzz::TARGETS {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is no target"
        );
    }
}
