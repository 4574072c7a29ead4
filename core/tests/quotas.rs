//! Quotas as a product meets them: windows, credits, overage, alerts and reservations, without a
//! network.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't go on says so by panicking"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{NOW, Server, counted, open_at};
use mintreu::engine::QuotaStatus;
use mintreu::license::{Credit, QuotaClaim};
use mintreu::meter::{Decision, Period, PeriodUnit, Rollover, Window};
use mintreu::{Engine, FixedClock, Timestamp};
use tempfile::TempDir;

const HOUR_MS: u32 = 3_600_000;

/// An engine whose license has one quota, and its clock.
struct Product {
    dir: TempDir,
    server: Server,
    clock: Arc<FixedClock>,
    engine: Engine,
}

impl Product {
    fn with(quota: QuotaClaim) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut server = Server::new(common::Fault::None);
        server.license.quotas = [("renders".parse().unwrap(), quota)].into();
        let clock = Arc::new(FixedClock::at(NOW));
        let engine = open_at(dir.path(), &server, clock.clone());
        engine.install_bytes(&server.license_bundle()).unwrap();
        Self {
            dir,
            server,
            clock,
            engine,
        }
    }

    /// As after `kill -9` and a new start: what the old process left on the disk is all there is.
    fn killed(self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        common::copy(self.dir.path(), dir.path());
        let engine = open_at(dir.path(), &self.server, self.clock.clone());
        assert!(engine.recovered().is_empty());
        Self {
            dir,
            engine,
            ..self
        }
    }

    fn take(&self, n: u64) -> Decision {
        self.engine.consume("renders", n).unwrap()
    }

    fn status(&self) -> QuotaStatus {
        self.engine.quota("renders").unwrap().unwrap()
    }

    fn remaining(&self) -> u64 {
        self.status().remaining.unwrap()
    }
}

fn ends(decision: &Decision) -> Option<i64> {
    decision.resets_at().map(Timestamp::secs)
}

#[test]
fn a_day_ends_at_its_own_zones_midnight() {
    // NOW is 2026-11-18T11:06:40Z.
    let utc = Product::with(QuotaClaim::new(5, Window::Day));
    assert_eq!(ends(&utc.take(1)), Some(1_795_046_400));
    let tokyo = QuotaClaim {
        zone: Some("Asia/Tokyo".into()),
        ..QuotaClaim::new(5, Window::Day)
    };
    let tokyo = Product::with(tokyo);
    assert_eq!(ends(&tokyo.take(4)), Some(1_795_014_000), "15:00 UTC");
    assert!(!tokyo.take(2).granted());
    tokyo.clock.set(Timestamp::from_secs(1_795_013_999));
    assert!(!tokyo.take(2).granted());
    tokyo.clock.set(Timestamp::from_secs(1_795_014_000));
    let next = tokyo.take(2);
    assert_eq!(
        (next.remaining(), ends(&next)),
        (Some(3), Some(1_795_100_400))
    );
}

#[test]
fn the_quick_way_ends_where_its_window_does() {
    let product = Product::with(QuotaClaim::new(1_000, Window::Hour));
    // NOW is 6 min 40 s past the hour.
    let mut granted = 0;
    for _ in 0..8 * 60 {
        granted += u64::from(product.take(1).granted());
        product.clock.advance(60_000);
    }
    assert_eq!(granted, 480);
    // 6 min 40 s past the hour again: six of them were in this hour.
    assert_eq!(product.status().used, 6);
    let renders = product.engine.meter("renders").unwrap();
    assert_eq!(renders.consume(994).unwrap().remaining(), Some(0));
    assert!(!renders.consume(1).unwrap().granted());
    assert_eq!(counted(&product.engine, "renders"), 480 + 994);
}

#[test]
fn a_clock_in_doubt_opens_no_window() {
    let product = Product::with(QuotaClaim::new(5, Window::Hour));
    assert!(product.take(5).granted());
    product.clock.set(NOW.plus_ms(-i64::from(HOUR_MS)));
    for _ in 0..100 {
        product.clock.advance(HOUR_MS);
        product.clock.set(NOW.plus_ms(-i64::from(HOUR_MS)));
        assert!(!product.take(1).granted());
    }
    product.clock.set(NOW.plus_ms(101 * i64::from(HOUR_MS)));
    assert!(product.take(5).granted(), "control: a clock put right does");
}

#[test]
fn billing_periods_and_rolling_windows_come_back() {
    let period = Window::Period(Period {
        unit: PeriodUnit::Week,
        count: 2,
        anchor: NOW.plus_ms(-86_400_000),
    });
    let product = Product::with(QuotaClaim::new(5, period));
    assert_eq!(ends(&product.take(5)), Some(NOW.secs() + 13 * 86_400));
    product.clock.set(NOW.plus_ms(13 * 86_400_000));
    assert!(product.take(5).granted());
    let rolling = Product::with(QuotaClaim::new(60, Window::Rolling { secs: 3600 }));
    assert!(rolling.take(60).granted());
    let refused = rolling.take(2);
    // One unit a minute comes back, on the full minute: NOW is 40 s past one.
    assert_eq!(ends(&refused), Some(NOW.secs() + 80));
    rolling.clock.advance(20_000);
    assert!(rolling.take(1).granted() && !rolling.take(1).granted());
}

#[test]
fn what_is_left_is_there_in_the_next_window() {
    let quota = QuotaClaim {
        rollover: Some(Rollover { least: 0, most: 4 }),
        ..QuotaClaim::new(5, Window::Hour)
    };
    let product = Product::with(quota);
    assert!(product.take(2).granted());
    product.clock.advance(HOUR_MS);
    assert_eq!(product.remaining(), 8);
    assert!(product.take(8).granted() && !product.take(1).granted());
}

fn credit(id: u32, priority: u8, expires: Option<i64>) -> Credit {
    Credit {
        id,
        units: 10,
        priority,
        created: NOW.plus_ms(i64::from(id)),
        expires: expires.map(|secs| NOW.plus_ms(secs * 1000)),
    }
}

#[test]
fn credits_are_burned_after_the_window_in_their_order() {
    let quota = QuotaClaim {
        credits: vec![
            credit(1, 1, None),
            credit(2, 0, Some(7200)),
            credit(3, 0, Some(3600)),
        ],
        ..QuotaClaim::new(5, Window::Month)
    };
    let product = Product::with(quota.clone());
    assert_eq!(product.remaining(), 35);
    let first = product.take(8);
    assert_eq!(
        first.remaining(),
        Some(27),
        "5 of the month and 3 of the third"
    );
    assert_eq!(product.status().credits, 27);
    assert!(!product.take(28).granted());
    assert_eq!(product.remaining(), 27, "all or none");
    product.clock.advance(HOUR_MS);
    assert_eq!(product.remaining(), 20, "7 of the third expired");
    assert_eq!(product.take(12).remaining(), Some(8));
    product.clock.advance(HOUR_MS);
    assert_eq!(
        product.remaining(),
        8,
        "nothing of the second was left to expire"
    );
    let product = product.killed();
    assert_eq!(product.remaining(), 8);
    assert!(product.take(8).granted() && !product.take(1).granted());
    // Credits are bought once, the window opens again.
    product.clock.set(NOW.plus_ms(40 * 86_400_000));
    assert_eq!(product.remaining(), 5);
    assert_eq!(counted(&product.engine, "renders"), 28);
}

#[test]
fn overage_begins_where_credits_end_and_is_told() {
    let quota = QuotaClaim {
        overage: true,
        overage_cap: Some(3),
        credits: vec![credit(1, 0, None)],
        ..QuotaClaim::new(5, Window::Month)
    };
    let product = Product::with(quota);
    let all = product.take(17);
    assert_eq!((all.remaining(), all.overage()), (Some(0), 2));
    assert!(!product.take(2).granted());
    assert_eq!(product.take(1).overage(), 3);
    let status = product.status();
    assert_eq!((status.used, status.overage, status.credits), (8, 3, 0));
    let only_counted = Product::with(QuotaClaim {
        limit: None,
        ..QuotaClaim::new(0, Window::Month)
    });
    assert_eq!(only_counted.take(99).remaining(), None);
    assert_eq!(only_counted.status().used, 99);
}

fn alerting() -> QuotaClaim {
    QuotaClaim {
        alerts: vec![50, 100],
        ..QuotaClaim::new(1_000, Window::Hour)
    }
}

#[test]
fn an_alert_is_told_once_whoever_reaches_it() {
    let product = Product::with(alerting());
    let crossed = [AtomicU64::new(0), AtomicU64::new(0)];
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let renders = product.engine.meter("renders").unwrap();
                for _ in 0..125 {
                    match renders.consume(1).unwrap().crossed() {
                        Some(50) => crossed[0].fetch_add(1, Ordering::Relaxed),
                        Some(100) => crossed[1].fetch_add(1, Ordering::Relaxed),
                        _ => 0,
                    };
                }
            });
        }
    });
    assert_eq!(crossed.map(AtomicU64::into_inner), [1, 1]);
    assert!(product.engine.alerts().unwrap().is_empty());
    let product = product.killed();
    assert!(product.engine.alerts().unwrap().is_empty(), "told before");
    product.clock.advance(HOUR_MS);
    assert_eq!(product.take(499).crossed(), None);
    assert_eq!(product.take(1).crossed(), Some(50), "a new window");
    assert_eq!(product.take(500).crossed(), Some(100));
}

#[test]
fn an_alert_that_a_reservation_reached_is_found_later() {
    let product = Product::with(alerting());
    let renders = product.engine.meter("renders").unwrap();
    // A reservation tells nobody what it reached.
    let held = renders.reserve(600).unwrap().unwrap();
    let told = product.engine.alerts().unwrap();
    let told: Vec<_> = told.iter().map(|a| (a.percent, a.status.used)).collect();
    assert_eq!(told, [(50, 600)]);
    assert!(product.engine.alerts().unwrap().is_empty());
    held.commit(600).unwrap();
    assert_eq!(product.take(400).crossed(), Some(100));
}

#[test]
fn a_reservation_of_a_killed_process_comes_back_when_its_time_is_over() {
    let quota = QuotaClaim {
        credits: vec![credit(1, 0, None)],
        ..QuotaClaim::new(100, Window::Month)
    };
    let product = Product::with(quota);
    let renders = product.engine.meter("renders").unwrap();
    let held = renders.reserve_for(105, 60).unwrap().unwrap();
    assert_eq!(held.expires_at(), NOW.plus_ms(60_000));
    std::mem::forget(held);
    let product = product.killed();
    assert_eq!(product.remaining(), 5);
    product.clock.advance(59_000);
    assert!(!product.take(6).granted(), "control: its time is not over");
    product.clock.advance(1_000);
    assert!(product.take(6).granted());
    assert_eq!(product.remaining(), 104);
    assert_eq!(counted(&product.engine, "renders"), 6);
}

#[test]
fn what_was_reserved_in_a_window_does_not_fill_the_next() {
    let product = Product::with(QuotaClaim::new(100, Window::Hour));
    let renders = product.engine.meter("renders").unwrap();
    std::mem::forget(renders.reserve_for(40, 5400).unwrap().unwrap());
    product.clock.advance(HOUR_MS);
    assert!(product.take(30).granted());
    product.clock.advance(HOUR_MS / 2);
    assert_eq!(product.remaining(), 70);
}

#[test]
fn work_that_took_too_long_is_counted_and_taken_again() {
    let product = Product::with(QuotaClaim::new(100, Window::Month));
    let renders = product.engine.meter("renders").unwrap();
    let late = renders.reserve_for(80, 60).unwrap().unwrap();
    product.clock.advance(60_000);
    assert_eq!(product.remaining(), 100);
    assert!(product.take(90).granted());
    late.commit(50).unwrap();
    let status = product.status();
    assert_eq!((status.used, status.remaining), (140, Some(0)));
    assert_eq!(counted(&product.engine, "renders"), 140);
    let released = renders.reserve(1).unwrap();
    assert!(released.is_err());
}

#[test]
fn work_that_used_more_than_was_held_is_taken_too() {
    let mut claim = QuotaClaim::new(500, Window::Month);
    claim.credits = vec![credit(1, 0, None)];
    let prepaid = claim.credits[0].units;
    let product = Product::with(claim);
    let renders = product.engine.meter("renders").unwrap();
    let work = |held, used| {
        renders
            .reserve(held)
            .unwrap()
            .unwrap()
            .commit(used)
            .unwrap()
    };
    work(300, 350);
    assert_eq!(
        (product.status().used, product.remaining()),
        (350, 150 + prepaid)
    );
    work(100, 150 + prepaid - 1);
    assert_eq!(
        product.remaining(),
        1,
        "what is prepaid comes before overage"
    );
    assert_eq!(product.status().overage, 0);
    work(1, 40);
    assert_eq!((product.remaining(), product.status().overage), (0, 39));
    assert!(!product.take(1).granted());
    assert_eq!(renders.counted(), 350 + 150 + prepaid - 1 + 40);
}

#[test]
fn reservations_have_a_bound() {
    let product = Product::with(QuotaClaim::new(1_000, Window::Month));
    let renders = product.engine.meter("renders").unwrap();
    let held: Vec<_> = (0..256).map(|_| renders.reserve(1).unwrap()).collect();
    let full = renders.reserve(1).unwrap_err();
    assert_eq!(full.code(), "reservations_full");
    assert_eq!(product.remaining(), 744, "what was refused is not kept");
    drop(held);
    assert!(renders.reserve(1).unwrap().is_ok());
}

/// Whatever is taken, held, given back, forgotten or expires: together never more than there is,
/// and in the end exactly what was not used is left.
#[test]
fn nothing_is_lost_and_nothing_granted_twice() {
    for seed in 0..common::rounds("QUOTAS", 20) {
        let mut random = common::Random::new(seed + 1);
        let quota = QuotaClaim {
            credits: vec![credit(1, 0, None), credit(2, 1, None)],
            ..QuotaClaim::new(50, Window::Lifetime)
        };
        let mut product = Product::with(quota);
        let (mut used, mut held) = (0, Vec::new());
        for _ in 0..200 {
            let renders = product.engine.meter("renders").unwrap();
            let n = random.below(9);
            match random.below(8) {
                0 | 1 => used += if product.take(n).granted() { n } else { 0 },
                2 | 3 => held.extend(renders.reserve_for(n, 100).unwrap()),
                4 if !held.is_empty() => {
                    let one: mintreu::engine::Reservation = held.swap_remove(0);
                    let spent = one.units().min(n);
                    one.commit(spent).unwrap();
                    used += spent;
                }
                5 => held.clear(),
                6 => held.drain(..).for_each(std::mem::forget),
                7 if random.below(4) == 0 => {
                    held.drain(..).for_each(std::mem::forget);
                    product = product.killed();
                }
                _ => product.clock.advance(1_000),
            }
            assert!(used <= 70, "seed {seed}: {used} of 70");
        }
        held.clear();
        product.clock.advance(200_000);
        assert_eq!(product.remaining(), 70 - used, "seed {seed}");
        assert_eq!(counted(&product.engine, "renders"), used);
    }
}
