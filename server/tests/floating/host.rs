//! The host with a clock that the test sets: ends, borders, and clocks that are set back.

use crate::common::{PRODUCT, Shop, days};
use mintreu::activation::{Activation, Request, Wanted};
use mintreu::document::{SigningKey, from_text};
use mintreu::id::{ActivationId, LicenseId};
use mintreu::license::Trust;
use mintreu::sync::{ACTIVATIONS, DEACTIVATIONS, LEASES, SEGMENTS};
use mintreu::{Clock, Engine, FixedClock, Options, Timestamp};
use mintreu_server::floating::host::Refused;
use mintreu_server::floating::{Host, Setup, Terms};
use std::sync::Arc;
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const MINUTE: u32 = 60_000;
const DAY_MS: u32 = 86_400_000;

struct World {
    shop: Shop,
    clock: Arc<FixedClock>,
    folder: TempDir,
    host: Option<Host>,
}

fn entropy(bytes: &mut [u8]) {
    mintreu_server::app::system_entropy(bytes);
}

impl World {
    fn new(seats: u32, change: impl FnOnce(&mut Shop)) -> Self {
        let mut shop = Shop::at(NOW, seats);
        change(&mut shop);
        let mut world = Self {
            shop,
            clock: Arc::new(FixedClock::at(NOW)),
            folder: tempfile::tempdir().expect("a folder"),
            host: None,
        };
        world.restart(None).expect("it opens");
        world
    }

    fn key() -> SigningKey {
        SigningKey::from_seed(&[3; 32])
    }

    fn restart(&mut self, seats: Option<u32>) -> Result<(), &'static str> {
        self.host = None;
        let setup = Setup {
            key: Self::key(),
            file: self.shop.file(&Self::key()),
            trust: None,
            terms: Terms {
                lease_secs: 900,
                borrow_secs: 7 * 86_400,
                seats,
            },
            clock: self.clock.clone(),
            entropy: Arc::new(entropy),
        };
        let opened = Host::open(self.folder.path(), setup).map_err(|error| error.code());
        self.host = Some(opened?);
        Ok(())
    }

    fn host(&self) -> &Host {
        self.host.as_ref().expect("a host")
    }

    fn device(&self) -> (TempDir, Engine) {
        let home = tempfile::tempdir().expect("a folder");
        let options = Options {
            clock: self.clock.clone(),
            ..Options::default()
        };
        let engine = Engine::open_with(home.path(), self.shop.trust(), options).expect("opens");
        engine.install_bytes(&self.shop.bundle()).expect("installs");
        (home, engine)
    }

    /// Syncs to the end, or to the first refusal.
    fn sync(&self, engine: &Engine) -> Result<(), Refused> {
        while let Some(request) = engine.next_request().expect("a request") {
            let (status, body) = match request.path.as_str() {
                ACTIVATIONS => (200, self.host().activate(&request.body)?),
                DEACTIVATIONS => {
                    self.host().deactivate(&request.body)?;
                    (204, Vec::new())
                }
                SEGMENTS | LEASES => (501, Vec::new()),
                _ => (404, Vec::new()),
            };
            engine.on_response(status, &body).expect("is taken");
        }
        Ok(())
    }

    fn over(&self, engine: &Engine) -> &'static str {
        match self.sync(engine) {
            Err(Refused::Over(error)) => error.code(),
            Err(other) => panic!("{other}"),
            Ok(()) => "lent",
        }
    }

    fn taken(&self) -> usize {
        self.host().standing().expect("stands").taken.len()
    }

    fn seat_ends(&self, engine: &Engine) -> Timestamp {
        engine.seat_ends_at(self.shop.license.id).expect("a seat")
    }
}

fn status(engine: &Engine) -> &'static str {
    engine.verdict().expect("a verdict").status().code()
}

#[test]
fn a_seat_is_kept_by_half_time_and_free_when_its_lease_is_over() {
    let world = World::new(1, |_| {});
    let ((_a, one), (_b, other)) = (world.device(), world.device());
    world.sync(&one).expect("a seat");
    for _ in 0..10 {
        world.clock.advance(8 * MINUTE);
        world.sync(&one).expect("is kept");
        assert_eq!(status(&one), "valid");
        let refused = world.sync(&other).expect_err("is full");
        assert!(
            matches!(
                refused,
                Refused::Exhausted {
                    seats: 1,
                    retry_secs: 900
                }
            ),
            "{refused}"
        );
    }
    world.clock.advance(15 * MINUTE - 1000);
    let refused = world.sync(&other).expect_err("is full");
    assert!(
        matches!(refused, Refused::Exhausted { retry_secs: 1, .. }),
        "{refused}"
    );
    world.clock.advance(1000);
    assert_eq!(status(&one), "lease_over");
    world.sync(&other).expect("is free");
    assert_eq!((status(&other), world.taken()), ("valid", 1));
    // The first comes back: its seat is another's now, and it asks for what is free.
    let refused = world.sync(&one).expect_err("lost");
    assert!(matches!(refused, Refused::Exhausted { .. }));
    other.deactivate(None).expect("gives back");
    world.sync(&other).expect("is heard");
    world.sync(&one).expect("a free one");
    assert_eq!(
        (status(&one), status(&other)),
        ("valid", "device_not_activated")
    );
}

#[test]
fn what_is_borrowed_is_kept_offline_and_never_shortened() {
    let world = World::new(2, |_| {});
    let (_a, engine) = world.device();
    world.sync(&engine).expect("a seat");
    engine.borrow(None, 30 * 86_400).expect("asks");
    world.sync(&engine).expect("is lent");
    let week = days(NOW, 7);
    assert_eq!(world.seat_ends(&engine), week, "seven days at most");
    assert!(world.host().standing().expect("stands").taken[0].borrowed);
    world.clock.advance(4 * DAY_MS);
    world.sync(&engine).expect("past half of it, it asks");
    assert_eq!(world.seat_ends(&engine), week, "and loses nothing");
    world.clock.advance(3 * DAY_MS - MINUTE);
    assert_eq!(status(&engine), "valid", "without a network");
    world.sync(&engine).expect("is kept");
    assert_eq!(
        world.seat_ends(&engine),
        week.plus_ms(14 * i64::from(MINUTE))
    );
    assert!(!world.host().standing().expect("stands").taken[0].borrowed);
}

#[test]
fn nothing_is_lent_beyond_the_end_of_license_and_certificate() {
    for by_license in [true, false] {
        let world = World::new(2, |shop| match by_license {
            true => shop.license.expires_at = Some(days(NOW, 1)),
            false => shop.signs_until = Some(days(NOW, 1)),
        });
        let (_a, engine) = world.device();
        world.sync(&engine).expect("a seat");
        engine.borrow(None, 7 * 86_400).expect("asks");
        world.sync(&engine).expect("is lent");
        assert_eq!(world.seat_ends(&engine), days(NOW, 1));
        // A device that asks at half of what is left comes to an end, and so does its loop.
        for _ in 0..40 {
            let left = world.seat_ends(&engine).since_ms(world.clock.now());
            world
                .clock
                .advance(u32::try_from(left / 2 + 1).expect("fits"));
            if world.sync(&engine).is_err() {
                break;
            }
        }
        let left = world.seat_ends(&engine).since_ms(world.clock.now());
        assert!((0..2000).contains(&left), "{left}");
        world.clock.advance(5000);
        let code = world.over(&world.device().1);
        let expected = if by_license {
            "license_expired"
        } else {
            "certificate_ended"
        };
        assert_eq!(code, expected);
        let standing = world.host().standing().expect("stands");
        assert_eq!(standing.refusal.map(|error| error.code()), Some(expected));
        assert!(standing.taken.is_empty());
    }
}

#[test]
fn the_same_bytes_have_the_same_answer_and_a_lost_folder_keeps_its_seat() {
    let world = World::new(1, |_| {});
    let (_a, engine) = world.device();
    let request = from_text(&engine.activation_request().expect("asks")).expect("bytes");
    let first = world.host().activate(&request).expect("a seat");
    world.clock.advance(MINUTE);
    assert_eq!(world.host().activate(&request).expect("again"), first);
    assert_eq!(world.taken(), 1);
    // With a new nonce it is the same seat, for the same activation, for longer.
    let key = SigningKey::from_seed(&[40; 32]);
    let ask = |nonce| {
        let request = Request {
            product: PRODUCT.to_owned(),
            issued_at: NOW,
            nonce: [nonce; 16],
            wanted: Wanted::License(world.shop.license.id),
            fingerprint: Default::default(),
            version: None,
            renews: None,
            lend_secs: None,
        };
        request.seal(&key).expect("seals")
    };
    assert!(world.host().activate(&ask(1)).is_err(), "one seat");
    world.clock.advance(15 * MINUTE);
    let read = |bytes: &[u8]| {
        let verified = Activation::verify(bytes, &world.shop.trust()).expect("holds");
        (
            verified.claims().id,
            verified.claims().nonce,
            verified.claims().expires_at,
        )
    };
    let (id, _, end) = read(&world.host().activate(&ask(1)).expect("free"));
    world.clock.advance(MINUTE);
    let (same, nonce, later) = read(&world.host().activate(&ask(2)).expect("again"));
    assert_eq!((same, nonce, world.taken()), (id, [2; 16], 1));
    assert!(later > end);
}

#[test]
fn seats_are_kept_over_restarts_and_run_out_where_fewer_are_lent() {
    let mut world = World::new(3, |_| {});
    let devices = [world.device(), world.device(), world.device()];
    for (_, engine) in &devices {
        world.sync(engine).expect("a seat");
    }
    world.restart(None).expect("opens");
    assert_eq!(world.taken(), 3);
    world.restart(Some(2)).expect("opens");
    world.clock.advance(8 * MINUTE);
    let kept = devices
        .iter()
        .filter(|(_, engine)| world.sync(engine).is_ok());
    assert_eq!(kept.count(), 2, "the third runs out");
    world.clock.advance(8 * MINUTE);
    assert_eq!(world.taken(), 2);
    // Another license has no seats here while these last.
    let id = LicenseId::from_bytes([9; 16]);
    (world.shop.license.id, world.shop.licenses) = (id, Some(vec![id]));
    assert_eq!(world.restart(None), Err("dir_of_another_license"));
    world.clock.advance(20 * MINUTE);
    assert_eq!(world.restart(None), Ok(()));
    assert_eq!(world.taken(), 0);
}

#[test]
fn a_clock_that_is_set_back_frees_nothing_and_is_shown() {
    let mut world = World::new(1, |shop| shop.signs_until = Some(days(NOW, 10)));
    let ((_a, one), (_b, other)) = (world.device(), world.device());
    world.clock.advance(DAY_MS);
    world.sync(&one).expect("a seat");
    world.host().tick().expect("is kept");
    let own = Arc::new(FixedClock::at(NOW));
    own.set(days(NOW, -30));
    let real = std::mem::replace(&mut world.clock, own);
    world.restart(None).expect("opens");
    let standing = world.host().standing().expect("stands");
    assert!(standing.suspect, "noticed");
    assert_eq!(standing.taken.len(), 1, "and the seat is kept");
    assert!(
        standing.now >= NOW,
        "it is no earlier than the documents say"
    );
    assert!(matches!(world.sync(&other), Err(Refused::Exhausted { .. })));
    // It runs on under suspicion for as long as the license tolerates.
    for _ in 0..4 {
        world.clock.advance(DAY_MS);
        world.host().tick().expect("is kept");
    }
    let refusal = world.host().standing().expect("stands").refusal;
    assert_eq!(refusal.map(|error| error.code()), Some("clock_refused"));
    assert_eq!(world.restart(None), Err("clock_refused"));
    // Right again, it goes on; and the certificate's end is where it was.
    real.advance(4 * DAY_MS);
    real.restart();
    world.clock = real;
    world.restart(None).expect("opens");
    assert!(!world.host().standing().expect("stands").suspect);
    world.clock.advance(5 * DAY_MS);
    let expected = Some("certificate_ended");
    let refusal = world.host().standing().expect("stands").refusal;
    assert_eq!(refusal.map(|error| error.code()), expected);
}

#[test]
fn a_host_s_word_is_good_for_its_license_and_its_kinds_alone() {
    let world = World::new(2, |_| {});
    let (_a, engine) = world.device();
    let mut other = Shop::at(NOW, 2);
    other.license.id = LicenseId::from_bytes([9; 16]);
    let device = tempfile::tempdir().expect("a folder");
    let options = Options {
        clock: world.clock.clone(),
        ..Options::default()
    };
    let engine_of_other = Engine::open_with(device.path(), other.trust(), options).expect("opens");
    engine_of_other
        .install_bytes(&other.bundle())
        .expect("installs");
    // The host itself refuses; whoever holds its key signs, and the device refuses.
    assert!(matches!(
        world.sync(&engine_of_other),
        Err(Refused::NotHere)
    ));
    let request = engine_of_other.activation_request().expect("asks");
    let (device, asked) = Request::verify(&from_text(&request).expect("bytes")).expect("holds");
    let forged = |license, product: &str| Activation {
        id: ActivationId::from_bytes([1; 16]),
        license,
        product: product.to_owned(),
        issued_at: NOW,
        expires_at: Some(days(NOW, 1)),
        device,
        nonce: asked.nonce,
        fingerprint: Default::default(),
        license_bundle: None,
    };
    let file = world.shop.file(&World::key());
    let chain: Vec<&[u8]> = file.certificates.iter().map(Vec::as_slice).collect();
    let signed = forged(other.license.id, PRODUCT)
        .issue(&World::key(), &chain)
        .expect("signs");
    let refused = engine_of_other
        .install_bytes(&signed)
        .expect_err("is refused");
    assert_eq!(refused.code(), "certificate_out_of_scope");
    // Signed after the certificate's end.
    let late = Activation {
        issued_at: days(NOW, 31),
        ..forged(world.shop.license.id, PRODUCT)
    };
    let late = late.issue(&World::key(), &chain).expect("signs");
    let trust: Trust = world.shop.trust();
    let refused = Activation::verify(&late, &trust).expect_err("is refused");
    assert_eq!(refused.code(), "certificate_out_of_scope");
    let proof = mintreu::activation::TimeProof {
        product: PRODUCT.to_owned(),
        at: NOW,
        device,
        nonce: asked.nonce,
    };
    let proof = proof.issue(&World::key(), &chain).expect("signs");
    let refused = engine.install_bytes(&proof).expect_err("is refused");
    assert_eq!(
        refused.code(),
        "certificate_out_of_scope",
        "its word on time is nothing"
    );
    world
        .sync(&engine)
        .expect("the negative control: its own license");
    assert_eq!(status(&engine), "valid");
}
