//! Syncing over a network that loses, repeats and reorders, with restarts in between, by seed.
//!
//! `MINTREU_TEST_SYNC_SEEDS` sets how many seeds are run; a failure names its seed.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use common::{Fault, Random, Server, counted, open, rounds, sync};
use mintreu::Engine;

/// Runs one seed and gives what the device counted and what the server billed.
fn simulate(seed: u64, fault: Fault) -> (u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random::new(seed);
    let mut server = Server::new(fault);
    let mut backup: Option<Server> = None;
    let mut late: Vec<(u16, Vec<u8>)> = Vec::new();
    let mut engine = open(dir.path(), &server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    for _ in 0..40 {
        match random.below(12) {
            0..4 => engine.record("api.calls", 1 + random.below(50)).unwrap(),
            4 => engine
                .meter("api.calls")
                .unwrap()
                .subject("s")
                .unwrap()
                .record(1),
            5 => {
                drop(engine);
                engine = open(dir.path(), &server);
                assert!(
                    engine.recovered().is_empty(),
                    "seed {seed}: {:?}",
                    engine.recovered()
                );
            }
            6 if !late.is_empty() => {
                let (status, body) = late.swap_remove(random.below(late.len() as u64) as usize);
                hear(&engine, status, &body);
            }
            7 if random.below(4) == 0 => match backup.take() {
                Some(old) => server.restore(old),
                None => backup = Some(server.clone()),
            },
            _ => exchange(&engine, &mut server, &mut random, &mut late),
        }
    }
    sync(&engine, &mut server);
    engine.record("api.calls", 1).unwrap();
    sync(&engine, &mut server);
    (counted(&engine, "api.calls"), server.billed("api.calls"))
}

/// One request whose delivery and answer may each be lost, repeated or late.
fn exchange(
    engine: &Engine,
    server: &mut Server,
    random: &mut Random,
    late: &mut Vec<(u16, Vec<u8>)>,
) {
    let Some(request) = engine.next_request().unwrap() else {
        return;
    };
    for _ in 0..random.below(3) {
        let (status, body) = server.handle(&request.path, &request.body);
        match random.below(3) {
            0 => late.push((status, body)),
            1 => hear(engine, status, &body),
            _ => {}
        }
    }
}

/// A late answer to a request that was answered already may be refused; it must do no harm.
fn hear(engine: &Engine, status: u16, body: &[u8]) {
    if let Err(refused) = engine.on_response(status, body) {
        let late = ["activation_mismatch", "challenge_mismatch"];
        assert!(late.contains(&refused.code()), "{refused}");
    }
}

#[test]
fn what_was_counted_is_billed_once() {
    for seed in 0..rounds("SYNC_SEEDS", 60) {
        let (counted, billed) = simulate(seed, Fault::None);
        assert_eq!(counted, billed, "seed {seed}");
    }
}

/// The negative control: a server that counts repeats is caught by the same simulation.
#[test]
fn a_server_that_counts_repeats_is_caught() {
    let wrong = (0..20).filter(|&seed| {
        let (counted, billed) = simulate(seed, Fault::CountsRepeats);
        counted != billed
    });
    assert!(wrong.count() > 5);
}

#[test]
fn a_seed_repeats_itself() {
    for seed in 0..5 {
        assert_eq!(simulate(seed, Fault::None), simulate(seed, Fault::None));
    }
}
