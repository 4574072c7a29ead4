//! Units of one quota, lent to many devices: one pure rule for whoever keeps the quota.

/// What one device was lent of one window, as the lender keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lent {
    /// The number of its newest lease; only rises, from window to window too.
    pub number: u64,
    /// The window.
    pub window: u32,
    /// Units in all: they are taken from the quota until the device says that it uses no more.
    pub units: u64,
    /// Units it said it has used of them.
    pub used: u64,
}

/// What a device says and asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedUnits {
    /// The number of the newest lease it has taken.
    pub last: u64,
    /// That lease's window.
    pub window: u32,
    /// Units used in that window.
    pub used: u64,
    /// Whether it will use no more of that lease.
    pub closed: bool,
    /// How many more it would like.
    pub wanted: u64,
}

/// What the lender writes down, and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lending {
    /// What the device was lent before, with its usage; to be written in place of what is stored.
    pub before: Option<Lent>,
    /// What it is lent now: the answer.
    pub now: Lent,
}

impl Lent {
    /// What is kept of this after the device has said what it used of it: units that it will not
    /// use go back. `None` while the device hasn't taken the newest lease, and so says nothing new.
    pub fn settled(self, asked: AskedUnits) -> Option<Self> {
        (asked.last >= self.number).then(|| settled(self, asked))
    }
}

/// Lends units of a quota of `limit` units in the window `window`, of which all other devices
/// together hold `others`.
///
/// `held` is what this device was lent last. A device that hasn't taken that lease yet is answered
/// the same again; every other request raises the number, whether units are left or not.
pub fn lend(
    limit: u64,
    others: u64,
    held: Option<Lent>,
    asked: AskedUnits,
    window: u32,
) -> Lending {
    if let Some(held) = held.filter(|held| asked.last < held.number) {
        return Lending {
            before: None,
            now: held,
        };
    }
    let before = held.map(|held| settled(held, asked));
    // Its clock may be ahead of ours: what it holds of a later window it keeps.
    let open = before.filter(|before| before.window >= window);
    let (window, base, used) = match open {
        Some(open) => (open.window, open.units, open.used),
        None => (window, 0, 0),
    };
    let left = limit.saturating_sub(others).saturating_sub(base);
    Lending {
        before,
        now: Lent {
            number: asked.last.saturating_add(1),
            window,
            units: base.saturating_add(asked.wanted.min(left)),
            used,
        },
    }
}

/// What was lent, after what the device says of it: units that it will not use go back.
fn settled(held: Lent, asked: AskedUnits) -> Lent {
    if asked.window != held.window {
        return held;
    }
    let used = held.used.max(asked.used);
    Lent {
        used,
        units: if asked.closed {
            used
        } else {
            held.units.max(used)
        },
        ..held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: AskedUnits = AskedUnits {
        last: 0,
        window: 0,
        used: 0,
        closed: false,
        wanted: 30,
    };

    #[test]
    fn a_lease_is_lent_repeated_raised_and_settled() {
        let first = lend(100, 0, None, NONE, 7);
        let lent = |number, units, used| Lent {
            number,
            window: 7,
            units,
            used,
        };
        assert_eq!((first.before, first.now), (None, lent(1, 30, 0)));
        let again = lend(100, 60, Some(first.now), NONE, 7);
        assert_eq!(
            (again.before, again.now),
            (None, first.now),
            "not yet taken"
        );
        let more = AskedUnits {
            last: 1,
            window: 7,
            used: 20,
            ..NONE
        };
        let more = lend(100, 60, Some(first.now), more, 7);
        assert_eq!(more.now, lent(2, 40, 20), "all that was left");
        let done = AskedUnits {
            last: 2,
            window: 7,
            used: 25,
            closed: true,
            wanted: 5,
        };
        let back = lend(100, 0, Some(more.now), done, 7);
        assert_eq!(back.before, Some(lent(2, 25, 25)));
        assert_eq!(back.now, lent(3, 30, 25));
        let next = lend(100, 0, Some(more.now), done, 8);
        assert_eq!(next.before, Some(lent(2, 25, 25)));
        assert_eq!((next.now.window, next.now.units), (8, 5));
    }

    /// A device as the engine is one: it uses what its newest lease allows, and asks when it can.
    #[derive(Debug, Clone, Default)]
    struct Device {
        number: u64,
        window: u32,
        units: u64,
        used: u64,
        over: bool,
        /// A request that was sent and not answered.
        waiting: Option<AskedUnits>,
    }

    /// Runs devices with random breaks of their lines against one quota; tells what they used in
    /// each window. `broken` lends as if nobody else had anything.
    fn fleet(steps: &[(usize, u8, u64)], limit: u64, broken: bool) -> (Vec<u64>, Vec<u64>) {
        let mut devices = vec![Device::default(); 4];
        let mut rows: Vec<Vec<Lent>> = vec![Vec::new(); 4];
        let (mut window, mut used) = (1, vec![0; 64]);
        for &(who, what, n) in steps {
            let who = who % 4;
            let device = &mut devices[who];
            match what % 6 {
                0 | 1 => {
                    // Also with a clock that lags: it knows no window but its lease's.
                    if !device.over && device.used + n <= device.units {
                        device.used += n;
                        used[device.window as usize] += n;
                    }
                }
                2 if n == 0 => window = (window + 1).min(60),
                2 => device.over |= n == 1,
                // A request is sealed: at the end of its lease it uses no more.
                3 => {
                    device.waiting.get_or_insert(AskedUnits {
                        last: device.number,
                        window: device.window,
                        used: device.used,
                        closed: device.over,
                        wanted: n,
                    });
                }
                // It arrives, and the answer comes back or is lost.
                _ => {
                    let Some(asked) = device.waiting else {
                        continue;
                    };
                    let last = rows[who].last().copied();
                    let others = rows.iter().enumerate().filter(|(index, _)| *index != who);
                    let of_window = others.flat_map(|(_, rows)| rows);
                    let open = last.map_or(window, |last| last.window.max(window));
                    let others = of_window
                        .filter(|lent| lent.window == open)
                        .map(|lent| lent.units);
                    let others = if broken { 0 } else { others.sum() };
                    let lending = lend(limit, others, last, asked, window);
                    if let (Some(before), Some(row)) = (lending.before, rows[who].last_mut()) {
                        *row = before;
                    }
                    if last.is_some_and(|last| last.window == lending.now.window) {
                        rows[who].pop();
                    }
                    rows[who].push(lending.now);
                    if what % 6 == 4 && lending.now.number > device.number {
                        let same = device.window == lending.now.window;
                        *device = Device {
                            number: lending.now.number,
                            window: lending.now.window,
                            units: lending.now.units,
                            used: if same { device.used } else { 0 },
                            ..Device::default()
                        };
                    }
                }
            }
        }
        let mut granted = vec![0; 64];
        for lent in rows.iter().flatten() {
            granted[lent.window as usize] += lent.units;
        }
        (used, granted)
    }

    fn steps() -> impl Strategy<Value = Vec<(usize, u8, u64)>> {
        proptest::collection::vec((0usize..4, 0u8..6, 0u64..12), 1..300)
    }

    proptest! {
        #[test]
        fn devices_never_use_more_together_than_there_is(steps in steps(), limit in 1u64..40) {
            let (used, granted) = fleet(&steps, limit, false);
            for (used, granted) in used.iter().zip(&granted) {
                prop_assert!(used <= granted, "{used} used of {granted}");
                prop_assert!(*granted <= limit, "{granted} lent of {limit}");
            }
        }
    }

    /// The negative control: a lender that forgets the others is found out.
    #[test]
    fn a_lender_that_forgets_the_others_lends_too_much() {
        let take = |who| [(who, 3, 10), (who, 4, 0), (who, 0, 10)];
        let steps: Vec<_> = (0..4).flat_map(take).collect();
        assert_eq!(fleet(&steps, 10, true).0[1], 40);
        assert_eq!(fleet(&steps, 10, false).0[1], 10);
    }
}
