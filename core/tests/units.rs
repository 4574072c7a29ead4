//! Quotas that devices share: lent by the server, spent without it, never more than there is.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't go on says so by panicking"
)]

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use common::{NOW, PRODUCT, Server, open_at};
use mintreu::activation::{UnitsLease, UnitsRequest};
use mintreu::document::{PublicKey, to_text};
use mintreu::license::{Binding, QuotaClaim};
use mintreu::meter::{AskedUnits, Lent, Window, lend};
use mintreu::{Engine, FixedClock, Installed, sync as paths};
use tempfile::TempDir;

const LIMIT: u64 = 100;
const DAY_MS: u32 = 86_400_000;

/// A server that lends units, by the engine's own rule.
struct Lender {
    server: Server,
    clock: Arc<FixedClock>,
    rows: HashMap<Vec<u8>, Vec<Lent>>,
    /// Lends as if nobody else had anything.
    broken: bool,
    /// Units that others use of the quota without a lease.
    direct: u64,
}

impl Lender {
    fn new(window: Window) -> Self {
        let mut server = Server::new(common::Fault::None);
        let quota = QuotaClaim::new(LIMIT, window);
        server.license.quotas = [("renders".parse().unwrap(), quota)].into();
        server.license.seats = Some(4);
        server.license.binding = Binding::NodeLocked;
        Self {
            server,
            clock: Arc::new(FixedClock::at(NOW)),
            rows: HashMap::new(),
            broken: false,
            direct: 0,
        }
    }

    /// What others have told that they used of a window.
    fn beside(&self, device: &PublicKey, window: u32) -> i64 {
        let others = self.rows.iter();
        let others = others.filter(|(known, _)| known.as_slice() != device.as_bytes());
        let rows = others.flat_map(|(_, rows)| rows);
        let used = rows.filter(|lent| lent.window == window);
        i64::try_from(used.map(|lent| lent.used).sum::<u64>() + self.direct).unwrap()
    }

    fn device(&self) -> (TempDir, Engine) {
        let dir = tempfile::tempdir().unwrap();
        let engine = open_at(dir.path(), &self.server, self.clock.clone());
        engine.install_bytes(&self.server.license_bundle()).unwrap();
        (dir, engine)
    }

    fn handle(&mut self, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        if path != paths::LEASES {
            return self.server.handle(path, body);
        }
        let (device, asked) = UnitsRequest::verify(body).unwrap();
        assert_eq!((&*asked.product, &*asked.meter), (PRODUCT, "renders"));
        (200, self.lend(device, &asked))
    }

    fn lend(&mut self, device: PublicKey, asked: &UnitsRequest) -> Vec<u8> {
        let now = mintreu::Clock::now(&*self.clock);
        let opened = self.server.license.quotas.values().next().unwrap();
        let opened = opened.window.at(now);
        let key = device.as_bytes().to_vec();
        let of_others = self.rows.iter().filter(|(known, _)| **known != key);
        let of_others = of_others.flat_map(|(_, rows)| rows);
        let others = of_others.filter(|lent| lent.window == opened.number);
        let others = if self.broken {
            0
        } else {
            others.map(|lent| lent.units).sum::<u64>() + self.direct
        };
        let rows = self.rows.entry(key).or_default();
        let question = AskedUnits {
            last: asked.last,
            window: asked.window,
            used: asked.used,
            closed: asked.closed,
            wanted: asked.wanted,
        };
        let lending = lend(LIMIT, others, rows.last().copied(), question, opened.number);
        if let (Some(before), Some(row)) = (lending.before, rows.last_mut()) {
            *row = before;
        }
        if rows
            .last()
            .is_some_and(|row| row.window == lending.now.window)
        {
            rows.pop();
        }
        rows.push(lending.now);
        let month = now.plus_ms(30 * i64::from(DAY_MS));
        let end = opened.ends.map_or(month, |end| end.min(month));
        let lease = UnitsLease {
            issued_at: now,
            activation: asked.activation,
            seconds: u32::try_from(end.since_ms(now) / 1000).unwrap(),
            meter: asked.meter.clone(),
            number: lending.now.number,
            window: lending.now.window,
            units: lending.now.units,
            beside: self.beside(&device, lending.now.window),
        };
        lease.issue(self.server.root(), &[]).unwrap()
    }

    /// The device's request for units; what it sends before is answered.
    fn asked(&mut self, engine: &Engine) -> paths::Request {
        loop {
            let request = engine.next_request().unwrap().unwrap();
            if request.path == paths::LEASES {
                return request;
            }
            let (status, body) = self.handle(&request.path, &request.body);
            engine.on_response(status, &body).unwrap();
        }
    }

    fn sync(&mut self, engine: &Engine) {
        for _ in 0..100 {
            let Some(request) = engine.next_request().unwrap() else {
                return;
            };
            let (status, body) = self.handle(&request.path, &request.body);
            engine.on_response(status, &body).unwrap();
        }
        panic!("the sync does not end");
    }
}

fn take(engine: &Engine, n: u64) -> bool {
    engine.consume("renders", n).unwrap().granted()
}

fn left(engine: &Engine) -> u64 {
    let status = engine.quota("renders").unwrap().unwrap();
    status.remaining.unwrap()
}

#[test]
fn a_device_spends_what_it_was_lent_and_asks_in_time() {
    let mut lender = Lender::new(Window::Month);
    let (dir, engine) = lender.device();
    assert!(!take(&engine, 1), "nothing was lent, nor is it activated");
    lender.sync(&engine);
    assert_eq!(left(&engine), 10);
    assert!(take(&engine, 4));
    assert_eq!(
        engine.next_request().unwrap().unwrap().path,
        paths::SEGMENTS
    );
    lender.sync(&engine);
    assert_eq!(left(&engine), 6, "more than half is left");
    assert!(take(&engine, 2));
    lender.sync(&engine);
    assert_eq!(left(&engine), 14);
    drop(engine);
    let engine = open_at(dir.path(), &lender.server, lender.clock.clone());
    assert!(take(&engine, 14) && !take(&engine, 1));
    lender.sync(&engine);
    assert_eq!(left(&engine), 10);
    // The window is over: what was lent of it is too, and the next has units of its own.
    lender.clock.advance(20 * DAY_MS);
    assert!(!take(&engine, 1));
    lender.sync(&engine);
    assert!(take(&engine, 10) && !take(&engine, 1));
    let rows = lender.rows.values().next().unwrap();
    let used: Vec<_> = rows.iter().map(|lent| (lent.units, lent.used)).collect();
    assert_eq!(used, [(20, 20), (10, 0)], "the rest of November went back");
}

/// Every alert in turn, as `Engine::alerts` and decisions tell them.
fn told(engine: &Engine) -> Vec<u8> {
    let alerts = engine.alerts().unwrap();
    alerts.iter().map(|alert| alert.percent).collect()
}

#[test]
fn alerts_of_a_shared_quota_go_by_what_all_have_used() {
    let mut lender = Lender::new(Window::Month);
    let quota = lender.server.license.quotas.values_mut().next().unwrap();
    quota.alerts = vec![10, 50, 80, 100];
    let (dir, engine) = lender.device();
    let (_other_dir, other) = lender.device();
    lender.sync(&engine);
    lender.sync(&other);
    assert_eq!(told(&engine), [0; 0]);
    let decision = engine.consume("renders", 10).unwrap();
    assert_eq!(
        decision.crossed(),
        Some(10),
        "a tenth, by this device alone"
    );
    assert_eq!(told(&engine), [0; 0], "once");
    lender.direct = 45;
    lender.sync(&engine);
    assert_eq!(told(&engine), [50], "others are told of with the lease");
    let status = engine.quota("renders").unwrap().unwrap();
    assert_eq!(
        (status.limit, status.used, status.credits),
        (Some(LIMIT), 55, 0)
    );
    assert_eq!(
        status.remaining,
        Some(10),
        "what it may use without a network"
    );
    // The other device was told of nothing and counts for itself alone.
    assert_eq!(other.consume("renders", 9).unwrap().crossed(), None);
    assert_eq!(other.consume("renders", 1).unwrap().crossed(), Some(10));
    drop(engine);
    let engine = open_at(dir.path(), &lender.server, lender.clock.clone());
    assert_eq!(told(&engine), [0; 0], "not again after a restart");
    assert!(take(&engine, 1));
    // A new month has alerts of its own.
    lender.direct = 0;
    lender.clock.advance(31 * DAY_MS);
    lender.sync(&engine);
    lender.sync(&engine);
    assert_eq!(engine.consume("renders", 10).unwrap().crossed(), Some(10));
}

#[test]
fn overage_with_a_bound_is_lent_like_the_rest_and_without_one_is_not() {
    for (cap, granted) in [(Some(50), 10), (None, 1000)] {
        let mut lender = Lender::new(Window::Month);
        let quota = lender.server.license.quotas.values_mut().next().unwrap();
        (quota.overage, quota.overage_cap) = (true, cap);
        let (_dir, engine) = lender.device();
        lender.sync(&engine);
        let taken = (0..1000).filter(|_| take(&engine, 1)).count();
        assert_eq!(
            taken, granted,
            "{cap:?}: three devices with it would have had 150"
        );
    }
}

#[test]
fn a_lease_comes_by_any_channel_and_an_old_one_says_nothing() {
    let mut lender = Lender::new(Window::Lifetime);
    let (_dir, engine) = lender.device();
    lender.sync(&engine);
    assert!(take(&engine, 8));
    let request = lender.asked(&engine);
    assert!(
        engine.next_request().unwrap().is_none(),
        "its answer was lost"
    );
    let again = engine.next_request().unwrap().unwrap();
    assert_eq!(again, request, "retries are byte-identical");
    let (_, first) = lender.handle(&request.path, &request.body);
    let (_, repeated) = lender.handle(&request.path, &request.body);
    assert_eq!(first, repeated, "and answered alike");
    let installed = engine.install(&to_text(&first)).unwrap();
    assert_eq!(installed, Installed::Units(lender.server.license.id));
    assert_eq!(left(&engine), 12);
    engine.install(&to_text(&first)).unwrap();
    assert_eq!(left(&engine), 12);
    lender.sync(&engine);
    // Closed for good: the same lease again brings nothing back.
    lender.clock.advance(31 * DAY_MS);
    assert_eq!(left(&engine), 0);
    let closing = lender.asked(&engine);
    assert!(UnitsRequest::verify(&closing.body).unwrap().1.closed);
    lender.clock.set(NOW);
    engine.install(&to_text(&first)).unwrap();
    assert!(!take(&engine, 1));
    let (_stranger_dir, stranger) = lender.device();
    lender.sync(&stranger);
    let refused = stranger.install(&to_text(&first)).unwrap_err();
    assert_eq!(refused.code(), "lease_mismatch");
}

/// What four devices with bad lines use of one quota together, and the most that was lent.
fn fleet(seed: u64, broken: bool) -> (u64, u64) {
    let mut random = common::Random::new(seed);
    let mut lender = Lender::new(Window::Lifetime);
    let devices: Vec<_> = (0..4).map(|_| lender.device()).collect();
    devices.iter().for_each(|(_, engine)| lender.sync(engine));
    lender.broken = broken;
    let (mut used, mut lent) = (0, 0);
    for _ in 0..200 {
        let (_, engine) = &devices[random.below(4) as usize];
        match random.below(6) {
            0..=2 => {
                let n = random.below(6);
                used += if take(engine, n) { n } else { 0 };
            }
            3 => {
                // A line that breaks: the request may arrive, its answer doesn't.
                if let Some(request) = engine.next_request().unwrap()
                    && random.below(2) == 0
                {
                    lender.handle(&request.path, &request.body);
                }
            }
            4 => lender.sync(engine),
            _ => lender.clock.advance(random.below(4) as u32 * DAY_MS),
        }
        let rows = lender.rows.values().flatten();
        lent = lent.max(rows.map(|lent| lent.units).sum());
    }
    (used, lent)
}

#[test]
fn devices_offline_never_overspend_a_quota_together() {
    for seed in 1..=common::rounds("UNITS", 4) {
        let (used, lent) = fleet(seed, false);
        assert!(
            lent <= LIMIT && used <= LIMIT,
            "seed {seed}: {used} of {lent}"
        );
    }
}

#[test]
fn a_lender_that_forgets_the_others_would_be_found_out() {
    let overspent = (1..=4).filter(|&seed| fleet(seed, true).0 > LIMIT);
    assert!(overspent.count() > 0);
}
