use super::super::window::{Period, PeriodUnit};
use super::*;
use proptest::prelude::*;

const HOUR_MS: i64 = 3_600_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn hours(limit: u64) -> Quota {
    Quota::new(limit, Window::Hour).expect("a quota")
}

fn remaining(decision: &Decision) -> (bool, Option<u64>, u64) {
    (decision.granted(), decision.remaining(), decision.overage())
}

#[test]
fn a_clock_set_back_opens_no_earlier_window() {
    let quota = hours(5);
    let word = AtomicU64::new(0);
    assert!(quota.take(&word, 5, at(100 * HOUR_MS)).granted());
    let refused = quota.take(&word, 1, at(7 * HOUR_MS));
    assert_eq!(
        refused,
        Decision::Refused {
            reason: Refusal::QuotaSpent { remaining: 0 },
            resets_at: None,
        },
        "nobody knows how far it was set back"
    );
    assert!(quota.take(&word, 1, at(101 * HOUR_MS)).granted());
}

#[test]
fn a_doubted_clock_opens_no_window() {
    let quota = hours(5);
    let word = AtomicU64::new(0);
    let doubted = |hour: i64| Moment {
        may_open: false,
        ..quota.moment(at(hour * HOUR_MS))
    };
    assert!(quota.take(&word, 5, at(100 * HOUR_MS)).granted());
    assert!(quota.take_at(&word, 1, doubted(101)).is_err());
    assert!(quota.take(&word, 1, at(101 * HOUR_MS)).granted(), "control");
}

#[test]
fn a_lowered_limit_refuses_and_a_raised_one_continues() {
    let word = AtomicU64::new(0);
    let lifetime = |limit| Quota::new(limit, Window::Lifetime).expect("a quota");
    assert!(lifetime(10).take(&word, 8, at(0)).granted());
    assert!(!lifetime(5).take(&word, 1, at(0)).granted());
    assert_eq!(lifetime(12).remaining(&word, at(0)), Some(4));
    let huge = lifetime(MAX_LIMIT);
    assert!(!huge.take(&word, u64::MAX, at(0)).granted(), "no overflow");
    assert_eq!(
        Quota::new(MAX_LIMIT + 1, Window::Day).map_err(|e| e.code()),
        Err("quota_too_large")
    );
}

#[test]
fn overage_is_granted_up_to_its_cap_and_told() {
    let soft = hours(5).with_overage(Some(3)).expect("a quota");
    let word = AtomicU64::new(0);
    let take = |n| remaining(&soft.take(&word, n, at(0)));
    assert_eq!(take(4), (true, Some(1), 0));
    assert_eq!(take(3), (true, Some(0), 2));
    assert_eq!(take(2), (false, Some(1), 0));
    assert_eq!(take(1), (true, Some(0), 3));
    assert!(!soft.take(&word, 1, at(0)).granted());
    let open = hours(5).with_overage(None).expect("a quota");
    assert_eq!(remaining(&open.take(&word, u64::MAX, at(0))).1, Some(0));
    assert!(
        open.take(&word, 1, at(0)).granted(),
        "a full word stays full"
    );
    let counted = Quota::unlimited(Window::Hour);
    let word = AtomicU64::new(0);
    assert_eq!(remaining(&counted.take(&word, 7, at(0))), (true, None, 0));
    assert_eq!(counted.standing(&word, counted.moment(at(0))).used, 7);
}

#[test]
fn what_is_left_is_carried_over() {
    let rollover = Rollover { least: 1, most: 6 };
    let quota = hours(5).with_rollover(rollover).expect("a quota");
    let word = AtomicU64::new(0);
    let left = |hour: i64| quota.remaining(&word, at(hour * HOUR_MS));
    assert_eq!(left(100), Some(5), "the first window has nothing behind it");
    assert!(quota.take(&word, 2, at(100 * HOUR_MS)).granted());
    assert_eq!(left(101), Some(8), "three were left");
    assert_eq!(left(102), Some(11), "at most six");
    assert_eq!(left(200), Some(11));
    assert!(quota.take(&word, 8, at(101 * HOUR_MS)).granted());
    assert!(!quota.take(&word, 1, at(101 * HOUR_MS)).granted());
    assert_eq!(left(102), Some(6), "at least one");
    let capped = quota.with_overage(Some(9)).expect("a quota");
    assert!(capped.take(&word, 9, at(101 * HOUR_MS)).granted());
    assert_eq!(left(102), Some(6), "overage is not carried over");
}

#[test]
fn a_rolling_window_brings_units_back_evenly() {
    let quota = Quota::new(7, Window::Rolling { secs: 60 }).expect("a quota");
    let word = AtomicU64::new(0);
    let start = 1_795_000_000_003;
    for left in (0..7).rev() {
        let taken = quota.take(&word, 1, at(start));
        assert_eq!(remaining(&taken), (true, Some(left), 0));
    }
    let refused = quota.take(&word, 1, at(start));
    let back = refused.resets_at().expect("an instant");
    assert!(back.ms() - start <= 60_000 / 7 + 1);
    assert!(!quota.take(&word, 1, back.plus_ms(-1)).granted());
    assert!(quota.take(&word, 1, back).granted());
    assert!(!quota.take(&word, 1, back).granted());
    assert_eq!(quota.take(&word, 8, at(start + 99_999)).resets_at(), None);
    assert!(quota.take(&word, 7, at(start + 70_000)).granted());
    for unfit in [
        Quota::new(5, Window::Rolling { secs: 0 }),
        Quota::new(1 << 21, Window::Rolling { secs: 1 }),
        quota.with_overage(None),
    ] {
        assert_eq!(unfit.map_err(|e| e.code()), Err("quota_unfit"));
    }
    let empty = Period {
        unit: PeriodUnit::Day,
        count: 0,
        anchor: at(0),
    };
    assert!(Quota::new(5, Window::Period(empty)).is_err());
}

#[test]
fn threads_are_granted_exactly_the_limit() {
    for window in [Window::Lifetime, Window::Rolling { secs: 60 }] {
        let quota = Quota::new(1_000, window).expect("a quota");
        let word = AtomicU64::new(0);
        let granted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if quota.take(&word, 1, at(1_795_000_000_000)).granted() {
                            granted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(granted.into_inner(), 1_000);
    }
}

/// The negative control of the race test: deciding and writing apart grants too much.
#[test]
fn a_check_apart_from_its_write_would_be_caught() {
    let word = AtomicU64::new(0);
    let granted = AtomicU64::new(0);
    let barrier = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let seen = word.load(Ordering::SeqCst);
                barrier.wait();
                if seen < 1 {
                    word.store(seen + 1, Ordering::SeqCst);
                    granted.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert!(
        granted.into_inner() > 1,
        "the race that `take` must not have"
    );
}

proptest! {
    #[test]
    fn words_round_trip(window in 0u32..(1 << 24), used in -MOST_USED..=MOST_USED) {
        prop_assert_eq!(unpack(pack(window, used)), (window, used));
    }

    /// In no stretch of the period's length is more granted than what may be there at its start
    /// and what comes back meanwhile; at once, never more than the limit.
    #[test]
    fn a_rolling_window_never_grants_more_than_comes_back(
        limit in 1u64..50, secs in 1u32..100,
        calls in proptest::collection::vec((0i64..20_000, 1u64..8), 1..60),
    ) {
        let quota = Quota::new(limit, Window::Rolling { secs }).expect("a quota");
        let (word, mut now, mut taken) = (AtomicU64::new(0), 1_795_000_000_000, Vec::new());
        for (wait, n) in calls {
            now += wait;
            if quota.take(&word, n, at(now)).granted() {
                taken.push((now, n));
            }
        }
        for (first, &(from, _)) in taken.iter().enumerate() {
            for (last, &(to, _)) in taken.iter().enumerate().skip(first) {
                let granted: u64 = taken[first..=last].iter().map(|(_, n)| n).sum();
                let back = (to - from) as u64 * limit / (u64::from(secs) * 1000) + 1;
                prop_assert!(granted <= limit + back);
            }
        }
    }

    /// Whatever is carried over, what was granted by the end of a window never exceeds the limits
    /// of the windows so far and the units given away at their starts.
    #[test]
    fn rollover_gives_nothing_away(
        most in 0u64..20, calls in proptest::collection::vec((0i64..4, 1u64..12), 1..60),
    ) {
        let quota = hours(5).with_rollover(Rollover { least: 0, most }).expect("a quota");
        let (word, mut hour, mut granted) = (AtomicU64::new(0), 100, 0);
        for (wait, n) in calls {
            hour += wait;
            granted += if quota.take(&word, n, at(hour * HOUR_MS)).granted() { n } else { 0 };
            prop_assert!(granted <= 5 * (hour as u64 - 99));
        }
    }
}
