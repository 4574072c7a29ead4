use super::*;
use proptest::prelude::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn months(count: u16, anchor: i64) -> Window {
    Window::Period(Period {
        unit: PeriodUnit::Month,
        count,
        anchor: Timestamp::from_secs(anchor),
    })
}

#[test]
fn calendar_windows_end_where_a_calendar_says() {
    // 2026-11-22T22:30:00Z, a Sunday.
    let now = at(1_795_386_600_000);
    let ends = |window: Window| window.at(now).ends.map(Timestamp::secs);
    assert_eq!(ends(Window::Hour), Some(1_795_388_400));
    assert_eq!(ends(Window::Day), Some(1_795_392_000));
    assert_eq!(
        ends(Window::Week),
        Some(1_795_392_000),
        "Sunday's midnight begins a Monday"
    );
    assert_eq!(ends(Window::Month), Some(1_796_083_200), "2026-12-01");
    assert_eq!(ends(Window::Year), Some(1_798_761_600), "2027-01-01");
    assert_eq!(ends(Window::Lifetime), None);
    assert_eq!(Window::Month.at(now).number, 56 * 12 + 10);
    assert_eq!(Window::Year.at(now).number, 56);
}

#[test]
fn a_period_from_the_31st_ends_on_the_last_day_of_shorter_months() {
    // 2026-01-31T10:00:00Z.
    let window = months(1, 1_769_853_600);
    let ends = |secs: i64| {
        let opened = window.at(Timestamp::from_secs(secs));
        (opened.number, opened.ends.map(Timestamp::secs))
    };
    let february = 1_772_272_800; // 2026-02-28T10:00:00Z
    let march = 1_774_951_200; // 2026-03-31T10:00:00Z: counted from the anchor, not from February
    assert_eq!(ends(1_769_853_600), (0, Some(february)));
    assert_eq!(ends(february - 1), (0, Some(february)));
    assert_eq!(ends(february), (1, Some(march)));
    assert_eq!(ends(0), (0, Some(february)), "before the anchor");
    let quarters = months(3, 1_769_853_600);
    let opened = quarters.at(Timestamp::from_secs(march));
    assert_eq!(
        opened.ends.map(Timestamp::secs),
        Some(1_777_543_200),
        "2026-04-30"
    );
}

#[cfg(feature = "journal")]
#[test]
fn days_of_a_zone_are_as_long_as_its_clocks_make_them() {
    let berlin = Zone::named("Europe/Berlin").expect("a zone");
    // 2026-03-29T00:30:00Z: an hour before clocks in Berlin are put forward.
    let spring = at(1_774_744_200_000);
    let day = Window::Day.at_in(spring, &berlin);
    assert_eq!(day.ends.map(Timestamp::secs), Some(1_774_821_600), "22:00Z");
    let before = Window::Day.at_in(at(1_774_738_800_000 - 1), &berlin);
    assert_eq!(before.number + 1, day.number, "it began at 23:00Z");
    // 2026-10-25T01:30:00Z: the hour after 02:00 is shown for the second time.
    let second = Window::Hour.at_in(at(1_792_891_800_000), &berlin);
    let first = Window::Hour.at_in(at(1_792_891_800_000 - HOUR_MS), &berlin);
    assert_eq!(first.number + 1, second.number);
    // In India clocks are half an hour off.
    let india = Zone::named("Asia/Kolkata").expect("a zone");
    let hour = Window::Hour.at_in(at(0), &india);
    assert_eq!(hour.ends.map(Timestamp::secs), Some(1800));
    // In Havana the day begins at one o'clock when midnight is skipped (2026-03-08T05:00:00Z).
    let havana = Zone::named("America/Havana").expect("a zone");
    let midnight = at(1_772_946_000_000);
    let day = Window::Day.at_in(midnight.plus_ms(-1), &havana);
    assert_eq!(day.ends, Some(midnight));
    assert_eq!(Window::Day.at_in(midnight, &havana).number, day.number + 1);
    assert_eq!(
        Zone::named("Europe/Atlantis").map_err(|e| e.code()),
        Err("zone_unknown")
    );
    assert_eq!(Zone::named("UTC"), Ok(Zone::default()));
}

proptest! {
    #[test]
    fn every_window_holds_its_instant(
        ms in 0i64..4_000_000_000_000, anchor in 0i64..4_000_000_000, count in 1u16..40, secs in 1u32..9,
    ) {
        let anchor = Timestamp::from_secs(anchor);
        let period = |unit| Window::Period(Period { unit, count, anchor });
        let units = [PeriodUnit::Day, PeriodUnit::Week, PeriodUnit::Month].map(period);
        let rolling = [Window::Rolling { secs }];
        for window in Window::NAMED.into_iter().chain(units).chain(rolling) {
            let Opened { number, ends } = window.at(at(ms));
            if let Some(end) = ends {
                prop_assert!(end > at(ms));
                prop_assert_eq!(window.at(end).number, number + 1);
                prop_assert_eq!(window.at(end.plus_ms(-1)).number, number);
            }
        }
    }

    #[test]
    fn windows_of_a_zone_hold_their_instants(
        ms in 800_000_000_000i64..4_000_000_000_000, index in 0usize..4, anchor in 0i64..3_000_000_000,
    ) {
        let names = ["Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata"];
        let Ok(zone) = Zone::named(names[index]) else { return Ok(()) };
        let anchor = Timestamp::from_secs(anchor);
        let period = |unit| Window::Period(Period { unit, count: 1, anchor });
        let units = [PeriodUnit::Day, PeriodUnit::Week, PeriodUnit::Month].map(period);
        for window in Window::NAMED.into_iter().chain(units) {
            let Opened { number, ends } = window.at_in(at(ms), &zone);
            if let Some(end) = ends {
                prop_assert!(end > at(ms), "{window:?}");
                prop_assert_eq!(window.at_in(end, &zone).number, number + 1, "{:?}", window);
                prop_assert_eq!(window.at_in(end.plus_ms(-1), &zone).number, number);
            }
        }
    }

    #[test]
    fn months_are_inverse(month in 0i64..30_000) {
        let first = first_day_of_month(month);
        prop_assert_eq!(month_of_day(first), month);
        prop_assert_eq!(month_of_day(first - 1), month - 1);
    }
}
